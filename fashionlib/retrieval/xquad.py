"""One list for the whole outfit: photos that answer several of the query's parts, and parts that none has answered yet.

Explicit diversification with the query's parts as intents: Agrawal, Gollapudi, Halverson, Ieong, "Diversifying search
results", WSDM 2009 (the end 1 of the dial), and Santos, Macdonald, Ounis, "Exploiting query reformulations for web
search result diversification", WWW 2010 (the way there from relevance alone, its end 0).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fashionlib.retrieval.mmr import check_dial

NEAR = 5


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
    likely, chosen, open_ = likely.double(), [], torch.ones(likely.shape[1], dtype=torch.float64)
    remaining = torch.ones(len(likely), dtype=torch.bool)
    while len(chosen) < k and remaining.any():
        gains = likely @ (weights.double() * (1 - diversity + diversity * open_))
        if relevance is not None:
            total = likely @ weights.double()
            answered = (likely @ (weights.double() * (1 - open_))) / total.clamp(min=1e-9)
            answered[total <= 1e-9] = float((1 - open_).max())  # what answers nothing is no relief
            gains = relevance.double() * (1 - diversity * answered)
        best = int(torch.where(remaining, gains, -1.0).argmax())
        if gains[best] <= 0:
            break
        chosen.append(best)
        remaining[best] = False
        open_ = open_ * (1 - likely[best])
    return chosen
