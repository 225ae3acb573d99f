"""Features to rankings: by the whole picture, and part by part as in the released code.

Distances are Euclidean, not squared, in single precision. Of equal distances the lower gallery index comes first, so a
ranking is the same on every run.

On a processor, comparing every photo with every other takes most of an hour at the size of DeepFashion. There the
vectors are first reduced to a few hundred numbers, whose distances are never larger than the true ones: only photos
that can be among the k nearest are then compared in full.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fashionlib.core.device import on_every_core
from fashionlib.core.errors import InputError
from fashionlib.retrieval.part_features import PartFeatures as PartFeatures

_MEMORY = 2e9  # bytes that the distances of one block of queries to the whole gallery may take
_BYTES_PER_PAIR = 28  # three matrices in single precision, and two of eight bytes to sort
_TILE = {"cpu": 1 << 21}  # distances that stay in a processor's cache
_NUMBERS_AT_ONCE = 1 << 26  # of features that are read through
PAYS = 1e12  # multiplications from which on two steps take less time than one
SAMPLE, WIDTHS, LOST = 1024, (64, 128, 256, 512), 0.02  # see `_basis`
EXACTLY_AT_ONCE = 256  # gallery photos that are compared in full with one query


class Ranking(NamedTuple):
    """Gallery indices, nearest first, and their distances."""

    indices: Int[Tensor, "queries ranks"]
    distances: Float[Tensor, "queries ranks"]


def rank_whole(
    query: Float[Tensor, "queries _channels"], gallery: Float[Tensor, "gallery _channels"], k: int
) -> Ranking:
    """The k nearest gallery vectors of each query.

    Raises InputError on channels that differ, features that are not finite, and k beyond the gallery.
    """
    _check(query, gallery, k)
    exact = torch.float32 if gallery.device.type == "mps" else torch.float64  # vectors may differ by little
    vectors = gallery.to(exact)
    return _ranked(lambda rows: _euclidean(query[rows].to(exact), vectors).float(), query, len(gallery), k)


def rank_parts(
    query: PartFeatures, gallery: PartFeatures, k: int, fallback: Literal["last", "whole"] = "last"
) -> Ranking:
    """The k gallery photos nearest part by part.

    The distance of two photos is the mean, over the labels assigned to both, of the Euclidean distance
    between their features at the label's best step (the released code; the paper gives no formula). With confidences
    it is the mean over all labels, each weighted by them, see `PartFeatures`.
    fallback: photos that share no label come "last", at distance inf, or are as far apart as their
    features of step 0, the "whole" picture. Errors as in `rank_whole`.
    """
    if fallback not in ("last", "whole"):
        raise InputError(f'fallback is {fallback!r}: expected "last" or "whole".')
    if query.assigned.shape[1] != gallery.assigned.shape[1]:
        raise InputError(
            f"The queries have {query.assigned.shape[1]} labels, the gallery {gallery.assigned.shape[1]}: "
            "rank photos that one model has tagged."
        )
    _check(query.features, gallery.features, k)
    small = _reduced(query, gallery)
    if small:
        return _in_two_steps(query, gallery, k, *small)

    def distances(rows: Tensor) -> Tensor:
        mean, shared = _part_distances(query, gallery, rows)
        if fallback == "whole":
            whole = _euclidean(query.features[rows, 0].float(), gallery.features[:, 0].float())
            return torch.where(shared > 0, mean, whole)
        return mean.masked_fill_(shared == 0, torch.inf)

    return _ranked(distances, query.features, len(gallery), k)


def _part_distances(query: PartFeatures, gallery: PartFeatures, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean distance over labels, and the sum of the labels' weights, rows x gallery.

    Label by label and only among the photos that carry it: a tensor of pairs x labels never exists.
    """
    here_weights, there_weights = query.weights()[rows], gallery.weights()
    shared = here_weights @ there_weights.T
    total = torch.zeros_like(shared)
    for label in range(here_weights.shape[1]):
        here = here_weights[:, label].nonzero().flatten()
        there = there_weights[:, label].nonzero().flatten()
        if not len(here) or not len(there):
            continue
        ours, theirs = query.of(rows[here], label), gallery.of(there, label)
        own, weights = here_weights[here, label][:, None], there_weights[there, label]
        for part in torch.arange(len(here)).split(max(1, _TILE.get(rows.device.type, 1 << 28) // len(there))):
            start, end = int(part[0]), int(part[-1]) + 1
            apart = _euclidean(ours[start:end], theirs).mul_(weights)
            if len(here) == len(total) and len(there) == total.shape[1]:
                total[start:end].addcmul_(apart, own[start:end])
            else:
                total[here[start:end, None], there] += apart.mul_(own[start:end])
    return total.div_(shared.clamp(min=1e-12)), shared


def _euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Distances of all pairs by one matrix product; near zero they err by about 3e-4 of a vector's length."""
    lengths = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    return torch.addmm(lengths, a, b.T, alpha=-2).clamp_(min=0).sqrt_()


def _blocks(queries: int, gallery: int, device: torch.device) -> tuple[Tensor, ...]:
    """Queries whose distances to the gallery fit into memory together."""
    blocks = math.ceil(_BYTES_PER_PAIR * gallery * queries / _MEMORY)
    return torch.arange(queries, device=device).split(-(-queries // blocks))


def _ranked(distances: Callable[[Tensor], Tensor], query: Tensor, gallery: int, k: int) -> Ranking:
    found = [_nearest(distances(rows), k) for rows in _blocks(len(query), gallery, query.device)]
    return Ranking(*(torch.cat(each) for each in zip(*found, strict=True)))


def _nearest(near: Tensor, k: int) -> Ranking:
    """The places of the k smallest distances in each row, and the distances."""
    # Bits of floats that are not negative sort as the floats do: with the gallery index below them,
    # one integer holds distance and tie-break, which topk alone leaves to chance.
    key = (near.contiguous().view(torch.int32).long() << 32) | torch.arange(near.shape[1], device=near.device)
    places = key.topk(k, largest=False, sorted=True).values & 0xFFFFFFFF
    return Ranking(places, near.gather(1, places))


def _reduced(query: PartFeatures, gallery: PartFeatures) -> tuple[PartFeatures, PartFeatures, float] | None:
    """Both with fewer numbers per vector, and how much larger than the true ones their distances may be.

    The numbers are the vector's components along the `_basis`, and the length of the rest: |a' − b'| ≤ |a − b|, as
    rests are at least as far apart as their lengths. None where one step takes no longer: few photos, a GPU, labels
    that some photos do not carry, vectors that no small basis holds.
    """
    work = float(len(query)) * len(gallery) * query.assigned.shape[1] * gallery.features.shape[2]
    if query.confidence is None or gallery.confidence is None or gallery.features.device.type != "cpu" or work < PAYS:
        return None
    if not ((query.confidence.amin(0) > 0) & (gallery.confidence.amin(0) > 0)).any():  # counts for every pair
        return None
    mean, basis = _basis(gallery.features)
    if basis is None:
        return None

    def small(features: Tensor) -> Tensor:
        centred = features.float() - mean
        along = centred @ basis
        rest = (centred.square().sum(-1, keepdim=True) - along.square().sum(-1, keepdim=True)).clamp(min=0)
        return torch.cat([along, rest.sqrt()], -1)

    ours, theirs = (replace(side, features=_of_all(small, side.features)) for side in (query, gallery))
    return ours, theirs, 1e-3 * float(theirs.features[:256].norm(dim=-1).max())


def _of_all(numbers: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    """`numbers` of all photos' features, which are read through some at a time."""
    photos = max(1, _NUMBERS_AT_ONCE // max(1, features[:1].numel()))
    return torch.cat([numbers(some) for some in features.split(photos)])


def _basis(features: Float[Tensor, "photos steps channels"]) -> tuple[Tensor, Tensor | None]:
    """The mean vector of a sample, and the principal axes that hold all but `LOST` of other vectors' squared length.

    None where that takes more than the largest of `WIDTHS`, or half of the channels.
    """
    photos = torch.linspace(0, len(features) - 1, min(2 * SAMPLE, len(features))).long()
    sample = features[photos, torch.arange(len(photos)) // 2 % features.shape[1]].float()
    mean = sample.mean(0)
    fitted, others = sample[::2] - mean, sample[1::2] - mean
    axes = torch.linalg.eigh(fitted @ fitted.T).eigenvectors  # fewer photos than channels
    for width in WIDTHS:
        if width <= min(len(fitted), features.shape[2] // 2):
            basis = torch.linalg.qr(fitted.T @ axes[:, -width:])[0]
            if (others @ basis).square().sum() >= (1 - LOST) * others.square().sum():
                return mean, basis
    return mean, None


def _in_two_steps(
    query: PartFeatures, gallery: PartFeatures, k: int, small_query: PartFeatures, small_gallery: PartFeatures,
    error: float,
) -> Ranking:  # fmt: skip
    """The k nearest by their distances in full, of those that the reduced features do not rule out."""
    squares = [_of_all(lambda some: some.float().square().sum(2), side.features) for side in (query, gallery)]
    weights = query.weights(), gallery.weights()

    def exactly(row: int, at: Tensor) -> Tensor:
        """The distances of one query to these gallery photos."""
        found, best = [], query.best_step[row].long()
        for some in at.split(EXACTLY_AT_ONCE):
            theirs = gallery.features[some].float()  # n s f
            products = (query.features[row].float() @ theirs.flatten(0, 1).T).view(-1, *theirs.shape[:2])  # s n s
            apart = squares[0][row][:, None, None] + squares[1][some] - 2 * products
            chosen = apart[best].gather(2, gallery.best_step[some].long().T[..., None])[..., 0]  # c n
            counts = weights[0][row][:, None] * weights[1][some].T
            found.append((counts * chosen.clamp(min=0).sqrt()).sum(0) / counts.sum(0).clamp(min=1e-12))
        return torch.cat(found)

    def nearest(one: tuple[int, Tensor]) -> tuple[Tensor, Tensor]:
        row, lower = one
        first = lower.topk(k, largest=False).indices
        known = exactly(row, first)
        others = lower <= known.max() + error  # the k-th nearest is no farther than the farthest of any k
        others[first] = False
        rest = others.nonzero().flatten()
        at, apart = torch.cat([first, rest]), torch.cat([known, exactly(row, rest)]) if len(rest) else known
        by_number = at.argsort()
        order = by_number[apart[by_number].argsort(stable=True)][:k]
        return at[order], apart[order]

    found = []
    for rows in _blocks(len(query), len(gallery), query.features.device):
        lower, _ = _part_distances(small_query, small_gallery, rows)
        found += on_every_core(nearest, zip(rows.tolist(), lower, strict=True))
    return Ranking(*(torch.stack(each) for each in zip(*found, strict=True)))


def _check(query: Tensor, gallery: Tensor, k: int) -> None:
    if query.shape[-1] != gallery.shape[-1]:
        raise InputError(
            f"Query features have {query.shape[-1]} channels, gallery features {gallery.shape[-1]}: "
            "take both from one model."
        )
    if not len(query):
        raise InputError("There is no query to rank.")
    if not 1 <= k <= len(gallery):
        raise InputError(f"k is {k} and the gallery has {len(gallery)} photos: give a k from 1 to that number.")
    for name, features in (("query", query), ("gallery", gallery)):
        if features.numel() and not torch.stack(features.aminmax()).isfinite().all():
            bad = (~features.isfinite()).flatten(1).any(dim=1).nonzero().flatten().tolist()
            raise InputError(f"The features of {name} photo {bad[0]} are not finite ({len(bad)} such photos).")
