"""Extra supervision that a head needs beyond tags, and the samplers of its batches.

A head that needs no more than tags says nothing. One that does names it in `needs`; its `loss` then takes these as
keywords, the batch's photos in the order of its rows. One that compares photos may also have a method `order`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fashionlib.core.errors import InputError
from fashionlib.data.pairing import Partners

# what there may be to know of training photos (see `fashionlib.training.annotations`), and how far training is, in 0..1
KINDS = ("clean", "verified", "products", "main", "landmarks", "progress")
_BY_VIEW = ("landmarks",)  # views × photos × …: they move with the picture
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
    photos = len(partners)
    sizes = [min(batch, photos - start) for start in range(0, photos, batch)]
    pairs = [int(size * share / 2) for size in sizes]
    firsts, seconds = _paired(draw, partners, sum(pairs))
    rest, order, done = _endless(draw, np.arange(photos), photos), [], 0
    for size, count in zip(sizes, pairs, strict=True):
        chosen = slice(done, done + count)
        order += [firsts[chosen], seconds[chosen], rest[: size - 2 * count]]
        rest, done = rest[size - 2 * count :], done + count
    return np.concatenate(order)


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
            raise InputError(
                "no two of the training photos are similar: train with more photos, or lower what counts as similar"
            )
    return np.array(firsts[:count], dtype=int), np.array(seconds[:count], dtype=int)


def mixed_order(draw: np.random.Generator, batch: int, trusted: Bool[np.ndarray, " p"], share: float = 0.1) -> Rows:
    """An epoch in which `share` of each batch, one at least, are trusted photos, over again where there are few.

    The rest are the others as they come, so that some of them wait for another epoch.
    Raises InputError where no photo is trusted.
    """
    if not trusted.any():
        raise InputError("none of the training photos is verified: raise the share that is")
    photos = len(trusted)
    counts = [max(1, round(share * min(batch, photos - start))) for start in range(0, photos, batch)]
    few = _endless(draw, np.flatnonzero(trusted), sum(counts))
    others = np.flatnonzero(~trusted) if not trusted.all() else np.arange(photos)
    many, order = _endless(draw, others, photos), []
    for start, count in zip(range(0, photos, batch), counts, strict=True):
        size = min(batch, photos - start)
        order += [few[:count], many[: size - count]]
        few, many = few[count:], many[size - count :]
    return np.concatenate(order)


def _endless(draw: np.random.Generator, rows: Rows, count: int) -> Rows:
    """At least `count` of these rows, shuffled, and shuffled again once they are used up."""
    return np.concatenate([draw.permutation(rows) for _ in range(-(-count // len(rows)) or 1)])[:count]
