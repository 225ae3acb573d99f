"""Ranking part by part where comparing every photo with every other in single precision takes too long.

First all distances in half precision, which processors and cards multiply several times as fast; then, in single
precision, those of the photos that can be among the k nearest. Which these are follows from the error of the first
step: it is measured on some queries beforehand and on every distance of the second step, and where one is larger than
was allowed for, the queries are asked again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fashionlib.core.device import on_every_core, resolved
from fashionlib.retrieval.part_features import PartFeatures

PAYS = 1e12  # multiplications
SAMPLE = 8  # queries on which the error is measured
QUERIES, GALLERY, ROWS = 4096, 4096, 256  # how many are compared at once; ROWS by GALLERY distances stay in the cache


def pays(query: PartFeatures, gallery: PartFeatures) -> bool:
    """Whether it saves time: many photos, a label that counts in all, half precision that is computed, not imitated."""
    if query.confidence is None or gallery.confidence is None or not isinstance(gallery.features, Tensor):
        return False
    counts = (query.confidence.amin(0) > 0) & (gallery.confidence.amin(0) > 0)  # for every pair
    work = float(len(query)) * len(gallery) * query.assigned.shape[1] * gallery.features.shape[2]
    return work >= PAYS and bool(counts.any()) and resolved("auto") == "bf16"


def nearest(
    query: PartFeatures, gallery: PartFeatures, k: int, exact: Callable[[Tensor], Tensor]
) -> tuple[Int[Tensor, "queries k"], Float[Tensor, "queries k"]]:
    """The k nearest gallery photos of each query and their distances; of equal distances the lower index first.

    exact: all distances of some queries in single precision, rows × gallery.
    """
    mean = gallery.features[:512].float().mean((0, 1))  # pyright: ignore[reportArgumentType]
    halves = _Half(query, mean), _Half(gallery, mean)
    sample = torch.linspace(0, len(query) - 1, min(SAMPLE, len(query))).long()
    error = 1.5 * float((_coarse(*halves, sample) - exact(sample)).abs().max())
    found = []
    for rows in torch.arange(len(query)).split(QUERIES):
        coarse, again = _coarse(*halves, rows), rows
        kept: dict[int, tuple[Tensor, Tensor]] = {}
        while len(again):
            here = coarse[again - rows[0]]
            near = here <= here.kthvalue(k, dim=1).values[:, None] + 2 * error
            chosen = [(row, mask.nonzero().flatten()) for row, mask in zip(again.tolist(), near, strict=True)]
            apart = list(on_every_core(lambda one: _exactly(query, gallery, *one), chosen))
            wrong = [
                float((each - coarse[row - rows[0], at]).abs().max())
                for (row, at), each in zip(chosen, apart, strict=True)
            ]
            kept |= {row: (at, each) for (row, at), each in zip(chosen, apart, strict=True)}
            wrongly = zip(again.tolist(), wrong, strict=True)
            again = torch.tensor([row for row, one in wrongly if one > error], dtype=torch.long)
            error = max(error, 1.5 * max(wrong)) if len(again) else error
        for at, each in (kept[row] for row in rows.tolist()):
            order = each.sort(stable=True)
            found.append((at[order.indices[:k]], order.values[:k]))
    indices, distances = zip(*found, strict=True)
    return torch.stack(indices), torch.stack(distances)


class _Half:
    """Features less their mean, which moves no distance, in half precision, and their squared lengths."""

    def __init__(self, parts: PartFeatures, mean: Float[Tensor, " channels"]):
        self.parts, self.weights = parts, parts.weights()
        self.vectors = torch.cat([(some.float() - mean).bfloat16() for some in parts.features.split(512)])
        self.squares = torch.cat([some.float().square().sum(2) for some in self.vectors.split(512)])

    def of(self, photos: Int[Tensor, " chosen"], label: int) -> tuple[Tensor, Tensor]:
        """What stands for the label in these photos: vectors and squared lengths."""
        rows = photos * self.squares.shape[1] + self.parts.best_step[photos, label]
        return self.vectors.flatten(0, 1).index_select(0, rows), self.squares.flatten().index_select(0, rows)


def _coarse(query: _Half, gallery: _Half, rows: Int[Tensor, " rows"]) -> Float[Tensor, "rows gallery"]:
    """The distances of these queries to all of the gallery, nearly."""
    total = torch.zeros(len(rows), len(gallery.weights), device=rows.device)
    for start in range(0, len(gallery.weights), GALLERY):
        there = torch.arange(start, min(start + GALLERY, len(gallery.weights)), device=rows.device)
        for label in range(query.weights.shape[1]):
            theirs, their_squares = gallery.of(there, label)
            ours, our_squares = query.of(rows, label)
            weigh = gallery.weights[there, label]
            for first in range(0, len(rows), ROWS):
                part = slice(first, first + ROWS)
                apart = (ours[part] @ theirs.T).float()
                apart = apart.mul_(-2).add_(our_squares[part, None]).add_(their_squares).clamp_(min=0).sqrt_()
                weights = query.weights[rows[part], label, None]
                total[part, start : start + len(there)].addcmul_(apart.mul_(weigh), weights)
    return total.div_((query.weights[rows] @ gallery.weights.T).clamp(min=1e-12))


def _exactly(query: PartFeatures, gallery: PartFeatures, row: int, at: Int[Tensor, " near"]) -> Float[Tensor, " near"]:
    """The distances of one query to these gallery photos, in single precision."""
    ours, theirs = query.features[row].float(), gallery.features[at].float()  # s f, n s f  # pyright: ignore[reportArgumentType]
    squares = ours.square().sum(1)[:, None, None] + theirs.square().sum(2)
    apart = (squares - 2 * (ours @ theirs.flatten(0, 1).T).view_as(squares)).clamp(min=0).sqrt()  # s n s
    best = gallery.best_step[at].long().T  # c n
    chosen = apart[query.best_step[row].long()].gather(2, best[..., None])[..., 0]
    weights = query.confidence[row].float().sqrt()[:, None] * gallery.confidence[at].float().sqrt().T
    return (weights * chosen).sum(0) / weights.sum(0).clamp(min=1e-12)
