"""Features to rankings: by the whole picture, and part by part as in the released code.

Distances are Euclidean, not squared, in single precision. Of equal distances the lower gallery index
comes first, so a ranking is the same on every run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from fashionlib.core.errors import InputError
from fashionlib.retrieval import two_steps
from fashionlib.retrieval.part_features import PartFeatures as PartFeatures
from fashionlib.retrieval.part_features import Stack, first_not_finite

_MEMORY = 2e9  # bytes that the distances of one block of queries to the whole gallery may take
_BYTES_A_PAIR = 12  # three matrices in single precision
_SORTED_AT_ONCE = 512  # queries; sorting takes two matrices of eight bytes a pair more


class Ranking(NamedTuple):
    """Gallery indices, nearest first, and their distances; -1 and inf where candidates ran out."""

    indices: Int[Tensor, "queries ranks"]
    distances: Float[Tensor, "queries ranks"]


def rank_whole(
    query: Float[Tensor, "queries _channels"],
    gallery: Float[Tensor, "gallery _channels"],
    k: int,
    candidates: Shaped[Tensor, "queries _candidates"] | None = None,
    block: int | None = None,
) -> Ranking:
    """The k nearest gallery vectors of each query.

    candidates: what may be ranked, see `same_category`: a mask over the gallery, or indices into it,
    such as another ranking's. block: how many queries are held against the gallery at once; as many as
    2 GB takes by default.

    Raises InputError on channels that differ, features that are not finite, and k beyond the gallery.
    """
    _check(query, gallery, len(gallery), k)
    exact = torch.float32 if gallery.device.type == "mps" else torch.float64  # vectors may differ by little
    vectors = gallery.to(exact)
    return _ranked(
        lambda rows: _euclidean(query[rows].to(exact), vectors).float(), query, len(gallery), k, candidates, block
    )


def rank_parts(
    query: PartFeatures,
    gallery: PartFeatures,
    k: int,
    fallback: Literal["last", "whole"] = "last",
    candidates: Shaped[Tensor, "queries _candidates"] | None = None,
    block: int | None = None,
) -> Ranking:
    """The k gallery photos nearest part by part.

    The distance of two photos is the mean, over the labels assigned to both, of the Euclidean distance
    between their features at the label's best step (the released code; the paper gives no formula). With confidences
    it is the mean over all labels, each weighted by them, see `PartFeatures`.
    fallback: photos that share no label come "last", at distance inf, or are as far apart as their
    features of step 0, the "whole" picture. `candidates`, `block` and errors as in `rank_whole`.
    """
    if fallback not in ("last", "whole"):
        raise InputError(f'fallback is {fallback!r}: expected "last" or "whole".')
    if query.assigned.shape[1] != gallery.assigned.shape[1]:
        raise InputError(
            f"The queries have {query.assigned.shape[1]} labels, the gallery {gallery.assigned.shape[1]}: "
            "rank photos that one model has tagged."
        )
    _check(query.features, gallery.features, len(gallery), k)

    def distances(rows: Tensor) -> Tensor:
        mean, shared = _part_distances(query, gallery, rows)
        if fallback == "whole":
            whole = _euclidean(query.whole(rows), gallery.whole(torch.arange(len(gallery), device=rows.device)))
            return torch.where(shared > 0, mean, whole)
        return mean.masked_fill_(shared == 0, torch.inf)

    if candidates is None and block is None and two_steps.pays(query, gallery):
        return Ranking(*two_steps.nearest(query, gallery, k, distances))
    return _ranked(distances, query.features, len(gallery), k, candidates, block)


def same_category(
    query: Shaped[Tensor, " queries"], gallery: Shaped[Tensor, " gallery"], first: int | None = None
) -> Bool[Tensor, "queries gallery"]:
    """The candidates of each query: the gallery photos of its category, or only the `first` of them."""
    same = query[:, None] == gallery[None, :]
    return same if first is None else same & (same.cumsum(dim=1) <= first)


def _part_distances(query: PartFeatures, gallery: PartFeatures, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean distance over labels, and the sum of the labels' weights, rows x gallery.

    Label by label and only among the photos that carry it: a tensor of pairs x labels never exists.
    """
    here_weights, there_weights = query.weights()[rows], gallery.weights()
    shared = here_weights @ there_weights.T
    total = torch.zeros_like(shared)
    counted = query.confidence is not None or gallery.confidence is not None
    for label in range(here_weights.shape[1]):
        here = here_weights[:, label].nonzero().flatten()
        there = there_weights[:, label].nonzero().flatten()
        if len(here) and len(there):
            apart = _euclidean(query.of(rows[here], label), gallery.of(there, label))
            if counted:
                apart *= here_weights[here, label][:, None] * there_weights[there, label]
            total[here[:, None], there] += apart
    return total.div_(shared.clamp(min=1e-12)), shared


def _euclidean(a: Tensor, b: Tensor) -> Tensor:
    """Distances of all pairs by one matrix product; near zero they err by about 3e-4 of a vector's length."""
    lengths = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    return torch.addmm(lengths, a, b.T, alpha=-2).clamp_(min=0).sqrt_()


def _ranked(
    distances: Callable[[Tensor], Tensor],
    query: Tensor | Stack,
    gallery: int,
    k: int,
    candidates: Tensor | None,
    block: int | None,
) -> Ranking:
    block = block or -(-len(query) // math.ceil(_BYTES_A_PAIR * gallery * len(query) / _MEMORY))
    indices, values = [], []
    for rows in torch.arange(len(query), device=query.device).split(block):
        near = distances(rows)
        for part, some in zip(rows.split(_SORTED_AT_ONCE), near.split(_SORTED_AT_ONCE), strict=True):
            place, empty = _nearest(some, k, None if candidates is None else _mask(candidates[part], gallery))
            indices.append(place.masked_fill(empty, -1))
            values.append(some.gather(1, place).masked_fill(empty, torch.inf))
    return Ranking(torch.cat(indices), torch.cat(values))


def _nearest(near: Tensor, k: int, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """The places of the k smallest distances in each row, and where there is none."""
    order = torch.arange(near.shape[1], device=near.device)
    # Bits of floats that are not negative sort as the floats do: with the gallery index below them,
    # one integer holds distance and tie-break, which topk alone leaves to chance.
    key = (near.contiguous().view(torch.int32).long() << 32) | order
    if mask is not None:
        key = key.masked_fill(~mask, torch.iinfo(torch.int64).max)
    key = key.topk(k, largest=False, sorted=True).values
    empty = key == torch.iinfo(torch.int64).max
    return (key & 0xFFFFFFFF).masked_fill(empty, 0), empty


def _mask(candidates: Tensor, gallery: int) -> Tensor:
    """Candidates as a mask over the gallery, from such a mask or from indices (-1: none)."""
    if candidates.dtype == torch.bool:
        return candidates
    mask = torch.zeros(len(candidates), gallery + 1, dtype=torch.bool, device=candidates.device)
    mask.scatter_(1, candidates.long().masked_fill(candidates < 0, gallery), True)
    return mask[:, :gallery]


def _check(query: Tensor | Stack, gallery: Tensor | Stack, size: int, k: int) -> None:
    if query.shape[-1] != gallery.shape[-1]:
        raise InputError(
            f"Query features have {query.shape[-1]} channels, gallery features {gallery.shape[-1]}: "
            "take both from one model."
        )
    if not len(query):
        raise InputError("There is no query to rank.")
    if not 1 <= k <= size:
        raise InputError(f"k is {k} and the gallery has {size} photos: give a k from 1 to that number.")
    for name, features in (("query", query), ("gallery", gallery)):
        bad = first_not_finite(features)
        if bad:
            raise InputError(f"The features of {name} photo {bad[0]} are not finite ({bad[1]} such photos).")
