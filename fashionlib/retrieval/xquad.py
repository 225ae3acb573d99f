"""One list for the whole outfit: photos that answer several of the query's parts, and parts that none has answered yet.

Explicit diversification with the query's parts as intents: Agrawal, Gollapudi, Halverson, Ieong, "Diversifying search
results", WSDM 2009 (the end 1 of the dial), and Santos, Macdonald, Ounis, "Exploiting query reformulations for web
search result diversification", WWW 2010 (the way there from relevance alone, its end 0).

How relevant a photo is in all: by the whole of it, part by part, and by its labels. Parts alone are the better guide to
one garment of an outfit, the whole to a photo of one product, and the labels to what kind of thing it is; the shares
were chosen on validation styles of the catalogue and validation senders of the closet.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fashionlib.retrieval.collection import Collection
from fashionlib.retrieval.mmr import check_dial

NEAR = 5  # the distance of this neighbour is the unit
WHOLE = 0.7  # share of the whole photo; the parts have the rest
LABELS = 0.3  # what agreement of the labels adds
SHORTLIST = 2000  # photos nearest as a whole and in labels whose parts are compared, too
FAINT = 0.05  # a photo with a lower score for a label is not taken to show it at all


def likely_answers(
    distances: Float[Tensor, "photos parts"], scores: Float[Tensor, "photos parts"], near: int = NEAR
) -> Float[Tensor, "photos parts"]:
    """How likely each photo shows each part as the query does: score · exp(−(distance / reach)²).

    distances: between the regions of query and photo, infinite for what is no candidate. scores: of the part's label,
    in 0..1. The reach of a part is the distance of its `near`-th nearest candidate, or of the last where there are
    fewer, so that no unit has to be known.
    """
    if not len(distances):
        return scores
    candidates = distances.isfinite()
    last = (candidates.sum(0).clamp(max=near) - 1).clamp(min=0)
    reach = distances.sort(0).values.gather(0, last[None]).clamp(min=1e-9)
    return torch.where(candidates, scores * (-(distances / reach).square()).exp(), 0.0)


def chosen_together(
    likely: Float[Tensor, "photos parts"], weights: Float[Tensor, " parts"], k: int, diversity: float,
    relevance: Float[Tensor, " photos"] | None = None,
) -> list[int]:  # fmt: skip
    """At most k photos chosen one after the other, as indices, in the order of choice: next is the one with the largest

        Σ over parts of weight · likely · ((1 − diversity) + diversity · Π over those chosen (1 − their likely)),

    of equals the first. At 0 that is the number of parts each is expected to answer; at 1 how many that are still
    unanswered. A photo that answers nothing is never chosen.

    relevance: of each photo as a whole. With it the largest is relevance · (1 − diversity · share of what the photo
    answers that is answered already): the first is the most relevant one, whatever the dial.

    Raises InputError where the dial is not within 0 to 1.
    """
    check_dial(diversity)
    likely, chosen, unanswered = likely.double(), [], torch.ones(likely.shape[1], dtype=torch.float64)
    remaining = torch.ones(len(likely), dtype=torch.bool)
    while len(chosen) < k and remaining.any():
        gains = likely @ (weights.double() * (1 - diversity + diversity * unanswered))
        if relevance is not None:
            total = likely @ weights.double()
            answered = (likely @ (weights.double() * (1 - unanswered))) / total.clamp(min=1e-9)
            answered[total <= 1e-9] = float((1 - unanswered).max())  # what answers nothing is no relief
            gains = relevance.double() * (1 - diversity * answered)
        best = int(torch.where(remaining, gains, -1.0).argmax())
        if gains[best] <= 0:
            break
        chosen.append(best)
        remaining[best] = False
        unanswered = unanswered * (1 - likely[best])
    return chosen


def likeness(
    query: Collection, photo: int, gallery: Collection, candidates: Bool[Tensor, " photos"]
) -> tuple[Int[Tensor, " near"], Float[Tensor, " near"]]:
    """The candidates nearest as a whole and in labels, in the gallery's order, and how alike each is.

    Parts add the mean over labels of 1 − d²/2, each weighted by the geometric mean of both photos' scores.
    """
    assert query.whole is not None
    assert gallery.whole is not None
    alike = WHOLE * (gallery.whole @ query.whole[photo].float())
    alike += LABELS * (gallery.unit_roots @ query.unit_roots[photo])
    near = torch.where(candidates, alike, -torch.inf).topk(min(SHORTLIST, len(alike))).indices.sort().values
    near = near[candidates[near]]

    scores = torch.from_numpy(query.scores[photo])
    labels = torch.nonzero(scores >= min(FAINT, float(scores.max()))).flatten()
    others, own = gallery.parts.features[near].float(), query.parts.features[photo].float()
    lengths = torch.linalg.vector_norm(others, dim=-1, keepdim=True).square() + own.square().sum(-1)
    squares = lengths - 2 * others @ own.T  # near, steps there, steps here
    there, here = gallery.parts.best_step[near][:, labels], query.parts.best_step[photo, labels]
    apart = squares[torch.arange(len(near))[:, None], there, here]
    weights = (scores[labels] * torch.from_numpy(gallery.scores[near.numpy()])[:, labels]).sqrt().clamp(min=1e-6)
    parts = (weights * (1 - apart / 2)).sum(1) / weights.sum(1)
    return near, alike[near] + (1 - WHOLE) * parts


def relevance(alike: Float[Tensor, " photos"]) -> Float[Tensor, " photos"]:
    """Likeness as a weight in 0..1: exp(−(D/R)²), where D² = 2 − 2 · likeness and R is the fifth nearest's D."""
    squared = (2 - 2 * alike / (1 + LABELS)).clamp(min=1e-6)
    reach = squared.sort().values[min(NEAR, len(squared)) - 1] if len(squared) else squared
    return (-squared / reach).exp()
