"""How alike two photos are in all: the whole of them, part by part, and in what they show.

Parts alone are the better guide to one garment of an outfit, the whole to a photo of one product, and the labels to
what kind of thing it is; the shares were chosen on validation styles of the catalogue and validation senders of the
closet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from fashionlib.retrieval.recommend import Collection

WHOLE = 0.7  # share of the whole photo; the parts have the rest
LABELS = 0.6  # what agreement of the labels adds
SHORTLIST = 2000  # photos nearest as a whole and in labels whose parts are compared, too
FAINT = 0.05  # labels below take no part
NEAR = 5  # the likeness of this neighbour is the unit of distance


def likeness(
    query: Collection, photo: int, gallery: Collection, candidates: Bool[Tensor, " photos"]
) -> tuple[Int[Tensor, " near"], Float[Tensor, " near"]]:
    """The photos nearest as a whole and in labels, in the gallery's order, and how alike each is; none that is no
    candidate."""
    assert query.whole is not None
    assert gallery.whole is not None
    own, others = (torch.from_numpy(each).sqrt() for each in (query.scores[photo], gallery.scores))
    agreement = (others @ own) / (others.norm(dim=1) * own.norm()).clamp(min=1e-6)
    alike = WHOLE * (gallery.whole @ query.whole[photo].float()) + LABELS * agreement
    alike = torch.where(candidates, alike, -torch.inf)
    near = alike.topk(min(SHORTLIST, len(alike))).indices.sort().values
    near = near[alike[near].isfinite()]
    return near, alike[near] + (1 - WHOLE) * _part_likeness(query, photo, gallery, near)


def _part_likeness(query: Collection, photo: int, gallery: Collection, near: Tensor) -> Float[Tensor, " near"]:
    """Mean over labels of 1 − d²/2, each weighted by the geometric mean of both photos' scores."""
    assert isinstance(gallery.parts.features, Tensor)
    assert isinstance(query.parts.features, Tensor)
    scores = torch.from_numpy(query.scores[photo])
    labels = torch.nonzero(scores >= min(FAINT, float(scores.max()))).flatten()
    others, own = gallery.parts.features[near].float(), query.parts.features[photo].float()
    lengths = others.square().sum(-1, keepdim=True) + own.square().sum(-1)
    squares = lengths - 2 * others @ own.T  # near, steps there, steps here
    there, here = gallery.parts.best_step[near][:, labels], query.parts.best_step[photo, labels]
    apart = squares[torch.arange(len(near))[:, None], there, here]
    weights = (scores[labels] * torch.from_numpy(gallery.scores[near.numpy()])[:, labels]).sqrt().clamp(min=1e-6)
    return (weights * (1 - apart / 2)).sum(1) / weights.sum(1)


def relevance(alike: Float[Tensor, " photos"]) -> Float[Tensor, " photos"]:
    """Likeness as a weight in 0..1: exp(−(D/R)²), where D² = 2 − 2 · likeness and R is the fifth nearest's D."""
    squared = (2 - 2 * alike / (1 + LABELS)).clamp(min=1e-6)
    reach = squared.sort().values[min(NEAR, len(squared)) - 1] if len(squared) else squared
    return (-squared / reach).exp()
