"""How varied a list of recommendations is, and how much of the query it answers.

A query's intents are the parts that it truly shows. `matches` says of each photo of a list which of them it matches, so
no number here depends on a model's opinion. All serve one set and two: whoever makes the lists leaves the query itself
out of its own list and of its candidates. Values are one per query; `mean_value` is their statistic for a bootstrap.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from fashionlib.core.errors import InputError
from fashionlib.metrics.arrays import check_range, checked
from fashionlib.metrics.bootstrap import Statistic, Weights, multiplicities
from fashionlib.metrics.retrieval import check_lists

Matches = Bool[np.ndarray, "queries ranks intents"]


def relevance_at_k(matches: Matches, k: int = 10) -> Float[np.ndarray, " queries"]:
    """The share of a list's first k photos that match at least one part of the query.

    Raises InputError where the lists are shorter than k; an empty place is a row of False, and counts as a miss.
    """
    (matches,) = checked(matches=(matches, "queries ranks intents", "flags"))
    return _first(matches, k).any(axis=2).mean(axis=1)


def part_coverage_at_k(
    matches: Matches, intents: Bool[np.ndarray, "queries intents"], k: int = 10
) -> Float[np.ndarray, " queries"]:
    """The share of a query's parts that at least one of the first k photos matches (subtopic recall; Zhai, Cohen,
    Lafferty, SIGIR 2003, with the parts as subtopics).

    Raises InputError where the lists are shorter than k, a query has no part, or a photo matches one it has not.
    """
    matches, intents = checked(
        matches=(matches, "queries ranks intents", "flags"), intents=(intents, "queries intents", "flags")
    )
    bare = np.flatnonzero(~intents.any(axis=1))
    if len(bare):
        raise InputError(f"query {bare[0]} shows no part ({len(bare)} such queries): leave them out")
    if (matches & ~intents[:, None]).any():
        raise InputError("a photo matches a part that its query does not show: take both from the same tags")
    return _first(matches, k).any(axis=1).sum(axis=1) / intents.sum(axis=1)


def alpha_ndcg_at_k(
    matches: Matches, gallery: Bool[np.ndarray, "queries candidates intents"], k: int = 10, alpha: float = 0.5
) -> Float[np.ndarray, " queries"]:
    """alpha-nDCG: gains of a part shrink by (1 − alpha) each time it was matched before; C. Clarke et al., "Novelty and
    diversity in information retrieval evaluation", SIGIR 2008.

    gallery: what each candidate matches of each query, for the ideal list, which is chosen greedily as in the paper.
    A query that no candidate matches gets 0. Raises InputError where alpha is not in 0..1, lists are shorter than k, or
    a list holds more photos that match the same parts than there are candidates, as one with a photo twice does.
    """
    matches, gallery = checked(
        matches=(matches, "queries ranks intents", "flags"), gallery=(gallery, "queries candidates intents", "flags")
    )
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}: expected a number from 0 (repeats count fully) to 1 (not at all)")
    listed = _first(matches, k)
    _check_candidates(listed, gallery)
    seen = np.cumsum(listed, axis=1) - listed
    gains = (listed * (1 - alpha) ** seen).sum(axis=2)
    found = (gains / np.log2(np.arange(2, k + 2))).sum(axis=1)
    ideal = np.array([_ideal(candidates, k, alpha) for candidates in gallery])
    return np.divide(found, ideal, out=np.zeros(len(found)), where=ideal > 0)


def intra_list_distance_at_k(
    lists: Int[np.ndarray, "queries ranks"], apart: Float[np.ndarray, "photos photos"], k: int = 10
) -> Float[np.ndarray, " queries"]:
    """The mean distance between two of the first k photos of a list (C.-N. Ziegler et al., WWW 2005, as a distance).

    lists: photos by number, −1 for an empty place. apart: distances of all photos from each other. A list of fewer than
    two photos gets 0. Raises InputError where the lists are shorter than k or a photo stands twice in one.
    """
    lists, apart = checked(lists=(lists, "queries ranks", "whole"), apart=(apart, "photos photos"))
    first = _first(lists, k)
    check_range("lists", lists, len(apart) - 1, "photos")
    check_lists(lists)
    there = (first >= 0).astype(float)
    pairs = there[:, :, None] * there[:, None, :] * (1 - np.eye(k))
    total = (apart[first[:, :, None], first[:, None, :]] * pairs).sum(axis=(1, 2))
    return total / np.maximum(pairs.sum(axis=(1, 2)), 1)


def mean_value(values: Shaped[np.ndarray, " _queries"], weights: Weights | None = None) -> Statistic:
    """The mean over queries; with `weights` that of every resample (`fashionlib.metrics.bootstrap`)."""
    (values,) = checked(values=(values, "queries"))
    if weights is None:
        return float(np.mean(values))
    weights = multiplicities(weights, len(values))
    return np.asarray(weights @ values / weights.sum(axis=1), dtype=np.float64)


def at_equal_relevance(values: Float[np.ndarray, "queries columns"], weights: Weights | None = None) -> Statistic:
    """How many times more parts a method covers than its rival, at the rival's own relevance.

    values: by query, the rival's relevance and coverage, then the method's relevance at each setting of its dial, then
    its coverage at each. The method's coverage is read off its relevance–coverage curve at the rival's relevance,
    between two settings or, where the curve does not reach so far, at its end.
    """
    (values,) = checked(values=(values, "queries columns"))
    counts = multiplicities(weights, len(values)).astype(np.float64)
    settings, odd = divmod(values.shape[1] - 2, 2)
    if odd or settings < 1:
        raise InputError(f"values have {values.shape[1]} columns: expected two of the rival and two for each setting")
    ratios = []
    for row in counts @ values / counts.sum(axis=1)[:, None]:
        order = np.argsort(row[2 : 2 + settings], kind="stable") + 2
        ratios.append(np.interp(row[0], row[order], row[order + settings]) / max(row[1], 1e-12))
    return float(ratios[0]) if weights is None else np.array(ratios)


def _ideal(candidates: np.ndarray, k: int, alpha: float) -> float:
    """alpha-DCG of the greedily best list out of candidates × intents."""
    worth, remaining = np.ones(candidates.shape[1]), np.ones(len(candidates), dtype=bool)
    total = 0.0
    for rank in range(min(k, len(candidates))):
        gains = np.where(remaining, candidates @ worth, -1.0)
        best = int(gains.argmax())
        total += gains[best] / np.log2(rank + 2)
        worth = np.where(candidates[best], worth * (1 - alpha), worth)
        remaining[best] = False
    return total


def _first(lists: np.ndarray, k: int) -> np.ndarray:
    if not 1 <= k <= lists.shape[1]:
        raise InputError(f"the lists hold {lists.shape[1]} photos: give a k from 1 to that number, not {k}")
    return lists[:, :k]


def _check_candidates(matches: np.ndarray, gallery: np.ndarray) -> None:
    """Raises InputError where a list cannot be made of the candidates."""
    weights = np.random.default_rng(0).integers(1, 2**63, matches.shape[2], dtype=np.uint64)
    listed, there = matches @ weights, gallery @ weights  # one number for the parts that a photo matches, modulo 2^64
    for rank in range(matches.shape[1]):
        same = listed[:, rank : rank + 1]
        surplus = ((listed == same).sum(1) > (there == same).sum(1)) & matches[:, rank].any(1)
        if surplus.any():
            query = int(np.flatnonzero(surplus)[0])
            parts = np.flatnonzero(matches[query, rank]).tolist()
            raise InputError(
                f"query {query}: the list holds more photos that match the parts {parts} than there are candidates, "
                f"among them the one at {rank + 1}; list each photo once, and hand over all candidates"
            )
