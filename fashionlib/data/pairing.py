"""Which training photos are similar, found without comparing each with each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, pairwise
from math import comb

import numpy as np
from jaxtyping import Bool, Float, Int

Rows = Int[np.ndarray, " _rows"]
MOST_SUBSETS = 1000  # of a set of tags that are looked up; a set that has more is compared with all others instead
PAIRS_AT_ONCE = 1 << 24


class Lists:
    """Lists of numbers, one after the other in one array."""

    def __init__(self, owner: Rows, values: Rows, count: int):
        order = np.argsort(owner, kind="stable")
        self.values, self.starts = values[order], np.searchsorted(owner[order], np.arange(count + 1))

    def __getitem__(self, number: int) -> Rows:
        return self.values[self.starts[number] : self.starts[number + 1]]


class Partners:
    """By photo, all photos similar to it, in order, itself among them; none for a photo that has nothing to compare.

    kinds: by photo, its kind; photos of one kind have the same partners. groups: by kind, the groups whose members are
    these partners. members: by group, its photos.
    """

    def __init__(self, kinds: Rows, groups: Lists, members: Lists):
        self.kinds, self.groups, self.members = kinds, groups, members
        self._of_kind = lru_cache(maxsize=1 << 14)(self._united)

    def __len__(self) -> int:
        return len(self.kinds)

    def __call__(self, photo: int) -> Rows:
        return self._of_kind(int(self.kinds[photo]))

    def _united(self, kind: int) -> Rows:
        found = [self.members[group] for group in self.groups[kind].tolist()]
        return found[0] if len(found) == 1 else np.unique(np.concatenate([*found, np.zeros(0, dtype=int)]))


def by_product(products: Int[np.ndarray, "p g"]) -> Partners:
    """Photos that show the same product in any column (garment); −1 stands for none."""
    photos, columns = np.nonzero(products >= 0)
    names, groups = np.unique(columns * (products.max(initial=0) + 1) + products[photos, columns], return_inverse=True)
    count = len(products)
    return Partners(np.arange(count), Lists(photos, groups, count), Lists(groups, photos, len(names)))


def by_tags(tags: Float[np.ndarray, "p c"], min_overlap: float) -> Partners:
    """Photos whose tags' intersection over union is above `min_overlap`."""
    packed, kinds = np.unique(np.packbits(tags > 0, axis=1), axis=0, return_inverse=True)
    sets = np.unpackbits(packed, axis=1, count=tags.shape[1]).astype(bool)
    kinds = kinds.reshape(-1)
    return Partners(
        kinds, Lists(*_similar_sets(sets, min_overlap), len(sets)), Lists(kinds, np.arange(len(kinds)), len(sets))
    )


def _similar_sets(sets: Bool[np.ndarray, "s c"], min_overlap: float) -> tuple[Rows, Rows]:
    """All pairs of sets, each with itself, too, whose intersection over union is above `min_overlap`.

    Two such sets share their intersection, which neither is much larger than: so it is enough to compare sets that have
    a large subset in common, and these are found by sorting all large subsets by a number of 64 bits that is drawn for
    each label and added up.
    """
    sizes = sets.sum(1)
    keys, owners, kept, many = _large_subsets(sets, sizes, min_overlap)
    firsts, seconds = [every := np.flatnonzero(sizes)], [every]
    for first, second in _same(keys):
        common = kept[first].astype(np.float32)
        near = common / (sizes[owners[first]] + sizes[owners[second]] - common).astype(np.float32) > min_overlap
        firsts.append(owners[first[near]])
        seconds.append(owners[second[near]])
    numbers, of = sets.astype(np.float32) if len(many) else sets, sizes.astype(np.float32)
    for rows in np.split(many, range(64, len(many), 64)) if len(many) else ():
        common = numbers[rows] @ numbers.T
        row, near = np.nonzero(common / (of[rows][:, None] + of - common) > min_overlap)
        firsts += [rows[row], near]
        seconds += [near, rows[row]]
    pairs = np.unique(np.concatenate(firsts) * np.int64(len(sets)) + np.concatenate(seconds))
    return np.divmod(pairs, len(sets))


def _large_subsets(
    sets: Bool[np.ndarray, "s c"], sizes: Rows, min_overlap: float
) -> tuple[np.ndarray, Rows, Rows, Rows]:
    """Of each set, the subsets that are more than `min_overlap` of it: keys, which set, and how many tags they have.

    And the sets that have too many of them.
    """
    weights = np.random.default_rng(0).integers(1, 1 << 63, sets.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    keys, owners, kept, many = [np.zeros(0, np.uint64)], [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0, int)]
    for size in np.unique(sizes[sizes > 0]).tolist():
        rows = np.flatnonzero(sizes == size)
        taken = [count for count in range(size) if (size - count) / size > min_overlap - 1e-6]
        if sum(comb(size, count) for count in taken) > MOST_SUBSETS:
            many.append(rows)
            continue
        each = weights[np.nonzero(sets[rows])[1].reshape(len(rows), size)]  # the weights of each set's tags
        whole = each.sum(1)
        for gone in (gone for count in taken for gone in combinations(range(size), count)):
            keys.append(whole - each[:, list(gone)].sum(1, dtype=np.uint64))
            owners.append(rows)
            kept.append(np.full(len(rows), size - len(gone)))
    return np.concatenate(keys), np.concatenate(owners), np.concatenate(kept), np.concatenate(many)


def _same(keys: np.ndarray) -> Iterator[tuple[Rows, Rows]]:
    """All pairs of places with the same key, each place with itself, too, where there are several; some at a time."""
    order = np.argsort(keys)
    changes = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
    counts = np.diff(changes, append=len(keys))
    several = counts > 1
    starts, counts = changes[several], counts[several]
    cuts = np.searchsorted((counts**2).cumsum(), np.arange(PAIRS_AT_ONCE, (counts**2).sum(), PAIRS_AT_ONCE))
    for begin, end in pairwise(np.unique([0, *cuts, len(counts)]).tolist()):
        start, count = starts[begin:end], counts[begin:end]
        group = np.repeat(np.arange(len(count)), count**2)
        within = np.arange(len(group)) - np.repeat((count**2).cumsum() - count**2, count**2)
        first, second = np.divmod(within, count[group])
        yield order[start[group] + first], order[start[group] + second]
