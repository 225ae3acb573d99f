"""The diversity dial: how a list is chosen from candidates, between the nearest and the most varied.

Maximal marginal relevance: J. Carbonell, J. Goldstein, "The use of MMR, diversity-based reranking for reordering
documents and producing summaries", SIGIR 1998.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fashionlib.core.errors import InputError


def diversified(
    relevance: Float[Tensor, " candidates"], between: Float[Tensor, "candidates candidates"], k: int, diversity: float
) -> list[int]:
    """The k candidates chosen one after the other, as indices, in the order of choice.

    relevance: each candidate's distance from the query. between: the candidates' distances from each other; both in
    the same unit. Chosen next is the candidate with the largest

        −(1 − diversity) · distance from the query + diversity · distance from the nearest one chosen already,

    which is the paper's λ·Sim₁ − (1 − λ)·max Sim₂ with λ = 1 − diversity and similarities that are negative distances.
    The first is always the nearest. At 0 the list is the plain ranking; at 1 each is the farthest from those before it.
    Of equals the nearer comes first, then the one with the lower index.

    Raises InputError where the dial is not within 0 to 1.
    """
    check_dial(diversity)
    order = torch.argsort(relevance, stable=True)
    near, apart = -(1 - diversity) * relevance[order].double(), between[order][:, order].double()
    chosen = list(range(min(1, k, len(order))))
    while len(chosen) < min(k, len(order)):
        gain = near + diversity * apart[chosen].amin(0)
        gain[chosen] = -torch.inf
        chosen.append(int(gain.argmax()))
    return order[chosen].tolist()


def check_dial(diversity: float) -> None:
    """Raises InputError where the dial is not within 0 to 1."""
    if not 0 <= diversity <= 1:
        raise InputError(f"diversity is {diversity}: expected 0 (the nearest) to 1 (the most varied)")


def by_turns(rows: Sequence[Sequence[int]], k: int) -> list[int]:
    """One list of k out of one row per part: each part's quota is filled in turn, and no candidate comes twice.

    rows: candidates of each part, best first. A part that has run out leaves its turns to the others.
    """
    queues, chosen = [list(row) for row in rows], []
    while len(chosen) < k and any(queues):
        for queue in queues:
            while queue and queue[0] in chosen:
                queue.pop(0)
            if queue and len(chosen) < k:
                chosen.append(queue.pop(0))
    return chosen
