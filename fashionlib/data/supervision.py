"""Extra supervision that a head needs beyond tags, which photos are similar, and the samplers of its batches.

A head that needs no more than tags says nothing. One that does names it in `needs`; its `loss` then takes these as
keywords, the batch's photos in the order of its rows. One that compares photos may also have a method `order`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import combinations, pairwise
from math import comb
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fashionlib.core.errors import InputError

# what there may be to know of training photos (see `fashionlib.data.annotations`), and how far training is, in 0..1
KINDS = ("clean", "verified", "products", "main", "landmarks", "progress")
_BY_VIEW = ("landmarks",)  # views × photos × …: they move with the picture
MOST_SUBSETS = 1000  # of a set of tags that are looked up; a set that has more is compared with all others instead
PAIRS_AT_ONCE = 1 << 24
Rows = Int[np.ndarray, " _rows"]


class Supervision:
    """The photos' tags and what else the head needs to know of them.

    targets: photos × labels. known: arrays by name, one row per photo. views, moves and mixes say how the inputs come:
    in several views, moved about anew each time, blended with one another.

    Raises InputError where the head needs what is not known, or what such inputs make untrue.
    """

    def __init__(
        self, head: nn.Module, targets: Float[np.ndarray, "p c"], known: Mapping[str, np.ndarray] | None = None, *,
        moves: bool = False, mixes: bool = False,
    ):  # fmt: skip
        self.needs: tuple[str, ...] = getattr(head, "needs", ())
        self.targets, self.known, name = targets, dict(known or {}), type(head).__name__
        self.arrange: Callable[..., Rows] | None = getattr(head, "order", None)
        missing = [need for need in self.needs if need not in self.known and need != "progress"]
        if missing:
            raise InputError(f"{name} learns from {' and '.join(missing)}, not known of these photos; leave it out")
        self.compares = bool(self.needs or self.arrange)  # photos with each other, or trusts some more
        if mixes and self.compares:
            raise InputError(f"{name} compares photos or trusts some more than others: set mixup: 0.0 in its training")
        if moves and set(self.needs) & set(_BY_VIEW):
            raise InputError(f"{name} needs landmarks, which do not move with photos drawn anew: set shift: 0.0")

    def order(self, draw: np.random.Generator, batch: int, progress: float) -> Rows:
        """The epoch's photos, as many as there are, `batch` by `batch`; by default each once, shuffled."""
        if self.arrange is None:
            return draw.permutation(len(self.targets))
        return self.arrange(draw, batch, targets=self.targets, **self._of(slice(None), progress))

    def of(self, photos: Rows, views: Rows, progress: float, device: torch.device) -> dict[str, Any]:
        """What `loss` takes beside output and targets, for these photos in these views."""
        found = self._of(photos, progress, views)
        return {k: torch.as_tensor(v, device=device) if isinstance(v, np.ndarray) else v for k, v in found.items()}

    def _of(self, photos: Rows | slice, progress: float, views: Rows | int = 0) -> dict[str, Any]:
        rows = {name: (views, photos) if name in _BY_VIEW else photos for name in self.needs}
        return {name: progress if name == "progress" else self.known[name][of] for name, of in rows.items()}


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
    _, ones, kinds = np.unique((tags > 0) @ _weights(tags.shape[1]), return_index=True, return_inverse=True)
    sets = tags[ones] > 0
    similar = Lists(*_similar_sets(sets, min_overlap), len(sets))
    return Partners(kinds, similar, Lists(kinds, np.arange(len(kinds)), len(sets)))


def _similar_sets(sets: Bool[np.ndarray, "s c"], min_overlap: float) -> tuple[Rows, Rows]:
    """All pairs of sets, each with itself, too, whose intersection over union is above `min_overlap`.

    Two such sets share their intersection, which neither is much larger than: so it is enough to compare sets that have
    a large subset in common, and these are found by sorting all large subsets by a number of 64 bits that is drawn for
    each label and added up.
    """
    sizes = sets.sum(1)
    keys, owners, kept, many = _large_subsets(sets, sizes, min_overlap)
    found, tags = [np.zeros(0, np.int64)], sizes.astype(np.int16)
    own = tags[owners]
    alone = kept / (own + own - kept).astype(np.float32) > min_overlap  # as similar to one of its own size
    for first, second in _same(keys, alone):  # a pair is kept as one number: smaller · sets + larger
        one, other, common = owners[first], owners[second], kept[first]
        near = common / (tags[one] + tags[other] - common).astype(np.float32) > min_overlap
        one, other = one[near], other[near]
        found.append(np.minimum(one, other).astype(np.int64) * len(sets) + np.maximum(one, other))
    numbers, of = sets.astype(np.float32) if len(many) else sets, sizes.astype(np.float32)
    for rows in np.split(many, range(64, len(many), 64)) if len(many) else ():
        common = numbers[rows] @ numbers.T
        row, near = np.nonzero(common / (of[rows][:, None] + of - common) > min_overlap)
        one, other = rows[row][rows[row] != near], near[rows[row] != near]
        found.append(np.minimum(one, other) * len(sets) + np.maximum(one, other))
    firsts, seconds = np.divmod(np.unique(np.concatenate(found)), len(sets))
    every = np.flatnonzero(sizes)
    return np.concatenate([every, firsts, seconds]), np.concatenate([every, seconds, firsts])


def _weights(labels: int) -> np.ndarray:
    """A number of 64 bits for each label; a set of labels is known by their sum."""
    return np.random.default_rng(0).integers(1, 1 << 63, labels, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def _large_subsets(
    sets: Bool[np.ndarray, "s c"], sizes: Rows, min_overlap: float
) -> tuple[np.ndarray, Rows, Rows, Rows]:
    """Of each set, the subsets that are more than `min_overlap` of it: keys, which set, and how many tags they have.

    And the sets that have too many of them.
    """
    weights = _weights(sets.shape[1])
    keys, owners, kept = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)], [np.zeros(0, np.int16)]
    many = [np.zeros(0, int)]
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
            owners.append(rows.astype(np.int32))
            kept.append(np.full(len(rows), size - len(gone), np.int16))
    return np.concatenate(keys), np.concatenate(owners), np.concatenate(kept), np.concatenate(many)


def _same(keys: np.ndarray, firsts: Bool[np.ndarray, " keys"]) -> Iterator[tuple[Rows, Rows]]:
    """All pairs of places with the same key, each once, whose first is among `firsts`; some at a time."""
    order = np.argsort(keys, kind="stable")  # smaller sets come first
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))
    counts = np.diff(starts, append=len(keys))
    ahead = np.repeat(starts + counts, counts) - np.arange(1, len(keys) + 1)  # places with the same key after each
    places = np.flatnonzero(ahead * firsts[order])
    ends = ahead[places].cumsum()
    cuts = np.searchsorted(ends, np.arange(PAIRS_AT_ONCE, ends[-1] if len(ends) else 0, PAIRS_AT_ONCE))
    for begin, end in pairwise(np.unique([0, *cuts, len(places)]).tolist()):
        first, count = places[begin:end], ahead[places[begin:end]]
        second = np.arange(1, count.sum() + 1) - np.repeat(count.cumsum() - count, count)
        first = np.repeat(first, count)
        yield order[first], order[first + second]


def tag_overlap(a: Float[Tensor, "a c"], b: Float[Tensor, "b c"]) -> Float[Tensor, "a b"]:
    """Intersection over union of the tags of each photo of `a` and each of `b`; 0 where neither has a tag."""
    both = a @ b.T
    return both / (a.sum(1)[:, None] + b.sum(1) - both).clamp(min=1)


def paired_order(draw: np.random.Generator, batch: int, partners: Partners, share: float = 0.5) -> Rows:
    """An epoch in which about `share` of each batch are pairs of similar photos, and the rest photos as they come.

    In a batch all first ones stand before all second ones, at a distance that n processes, which take every n-th photo,
    divide.

    Raises InputError where no two photos are similar.
    """
    sizes = _batch_sizes(len(partners), batch)
    pairs = (sizes * share / 2).astype(int)
    firsts, seconds = _paired(draw, partners, int(pairs.sum()))
    rest = _endless(draw, np.arange(len(partners)), len(partners))
    return _dealt((firsts, pairs), (seconds, pairs), (rest, sizes - 2 * pairs))


def _paired(draw: np.random.Generator, partners: Partners, count: int) -> tuple[Rows, Rows]:
    """`count` photos that have a partner, and one of their partners each; over again where there are fewer."""
    firsts, seconds, photos = [], [], len(partners)
    while len(firsts) < count:
        found = len(firsts)
        for rows in np.array_split(draw.permutation(photos), -(-photos // 256)):
            for row in rows.tolist():
                near = partners(row)
                if len(near) > 1:
                    chosen = int(draw.integers(len(near) - 1))
                    firsts.append(row)
                    seconds.append(near[chosen + (chosen >= np.searchsorted(near, row))])  # never itself
            if len(firsts) >= count:
                break
        if len(firsts) == found:
            what = "train with more photos, or lower what counts as similar"
            raise InputError(f"no two of the training photos are similar: {what}")
    return np.array(firsts[:count], dtype=int), np.array(seconds[:count], dtype=int)


def mixed_order(draw: np.random.Generator, batch: int, trusted: Bool[np.ndarray, " p"], share: float = 0.1) -> Rows:
    """An epoch in which `share` of each batch, one at least, are trusted photos, over again where there are few.

    The rest are the others as they come, so that some of them wait for another epoch.
    Raises InputError where no photo is trusted.
    """
    if not trusted.any():
        raise InputError("none of the training photos is verified: raise the share that is")
    sizes = _batch_sizes(len(trusted), batch)
    counts = np.maximum(1, np.round(share * sizes)).astype(int)
    few = _endless(draw, np.flatnonzero(trusted), int(counts.sum()))
    many = _endless(draw, np.flatnonzero(~trusted if not trusted.all() else trusted), len(trusted))
    return _dealt((few, counts), (many, sizes - counts))


def _batch_sizes(photos: int, batch: int) -> Rows:
    return np.array([min(batch, photos - start) for start in range(0, photos, batch)], dtype=int)


def _dealt(*parts: tuple[Rows, Rows]) -> Rows:
    """Batch by batch, the next rows of each part. parts: rows, and how many of them each batch takes."""
    pieces = [np.split(rows, np.cumsum(counts))[:-1] for rows, counts in parts]
    return np.concatenate([piece for batch in zip(*pieces, strict=True) for piece in batch])


def _endless(draw: np.random.Generator, rows: Rows, count: int) -> Rows:
    """At least `count` of these rows, shuffled, and shuffled again once they are used up."""
    return np.concatenate([draw.permutation(rows) for _ in range(-(-count // len(rows)) or 1)])[:count]
