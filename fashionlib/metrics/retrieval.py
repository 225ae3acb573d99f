"""Top-k retrieval (§5, Fig. 3): hit@k of a ranking.

Every function here serves two sets, queries and a gallery, and with `own` one set whose photos ask for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from fashionlib.core.errors import InputError
from fashionlib.metrics.arrays import Weights, as_array, multiplicities
from fashionlib.metrics.rankings import checked_ranking, product_codes, without_own

Unmatched = Literal["count", "drop"]

TOP_K = range(1, 51)
NEVER = np.iinfo(np.int64).max


def first_hit_ranks(
    ranking: Shaped[Any, "_queries _ranks"],
    query_products: Shaped[Any, " _queries"],
    gallery_products: Shaped[Any, " _gallery"],
    queries_without_match: Unmatched = "count",
    own: Shaped[Any, " _queries"] | None = None,
) -> Int[np.ndarray, " kept"]:
    """The rank, from 1, of each query's first gallery image of the same product; `NEVER` without one.

    ranking: gallery indices, best first; -1 is an empty place. Products: numbers or names of one kind; what is not
    known (-1, "", None, NaN) is the same product as nothing else.
    own: for queries that lie in the gallery themselves (one set), their index there, or -1; a query is no candidate of
    its own and not relevant to itself, and its place in the ranking is taken by those behind it. Without it queries and
    gallery are two sets.
    queries_without_match: a query whose product is not in the gallery at all counts as a miss ("count",
    as torchmetrics does) or is left out ("drop", as pytorch-metric-learning and the released code do).

    Raises InputError on lengths that do not fit, on indices outside the gallery, and where an image stands twice in a
    query's ranking.
    """
    hits, matches = _hits(ranking, query_products, gallery_products, queries_without_match, own)
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, NEVER)[_kept(matches, queries_without_match)]


def hit_rate(
    first_hits: Int[np.ndarray, " _queries"], k: int, weights: Weights | None = None
) -> float | Float[np.ndarray, " resamples"]:
    """hit@k: the share of queries whose first hit has rank k or better; the statistic for a bootstrap."""
    if not len(first_hits):
        raise InputError("There is no query to measure: every one was dropped or none was given.")
    counts = multiplicities(weights, len(first_hits))
    rates = counts @ (np.asarray(first_hits) <= k) / counts.sum(axis=1)
    return float(rates[0]) if weights is None else rates


def top_k_accuracy(
    ranking: Shaped[Any, "_queries _ranks"],
    query_products: Shaped[Any, " _queries"],
    gallery_products: Shaped[Any, " _gallery"],
    k: Iterable[int] = TOP_K,
    queries_without_match: Unmatched = "count",
    own: Shaped[Any, " _queries"] | None = None,
) -> dict[int, float]:
    """hit@k by k: the share of queries with at least one of the k nearest of the same product (Fig. 3).

    Arguments and errors as in `first_hit_ranks`; InputError too when a k exceeds the ranking's length.
    """
    ks = _cutoffs(k, ranking)
    first = first_hit_ranks(ranking, query_products, gallery_products, queries_without_match, own)
    return {cutoff: float(hit_rate(first, cutoff)) for cutoff in ks}


def recall_fraction_at_k(
    ranking: Shaped[Any, "_queries _ranks"],
    query_products: Shaped[Any, " _queries"],
    gallery_products: Shaped[Any, " _gallery"],
    k: Iterable[int] = TOP_K,
    queries_without_match: Unmatched = "count",
    own: Shaped[Any, " _queries"] | None = None,
) -> dict[int, float]:
    """fraction@k by k: the share of a query's relevant gallery images among its k nearest, mean over queries.

    This is what mmfashion calls recall@k; it is at most hit@k, and equal to it only where every product
    has one gallery image. Arguments and errors as in `top_k_accuracy`.
    """
    ks = _cutoffs(k, ranking)
    hits, matches = _hits(ranking, query_products, gallery_products, queries_without_match, own)
    kept = _kept(matches, queries_without_match)
    found = np.cumsum(hits[kept], axis=1)[:, np.array(ks) - 1] / np.maximum(matches[kept], 1)[:, None]
    return dict(zip(ks, found.mean(axis=0).tolist(), strict=True))


def _hits(
    ranking: Any, query_products: Any, gallery_products: Any, queries_without_match: str, own: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each ranked image is of the query's product, and how many such images the gallery has."""
    if queries_without_match not in ("count", "drop"):
        raise InputError(f'queries_without_match is {queries_without_match!r}: expected "count" or "drop".')
    codes, queries = product_codes(gallery_products, query_products)
    ranking = checked_ranking(ranking, len(queries), len(codes))
    matches = np.bincount(codes[codes >= 0], minlength=max(queries.max(initial=0) + 1, 1))[np.maximum(queries, 0)]
    if own is not None:
        own = checked_ranking(as_array(own)[:, None], len(queries), len(codes))[:, 0]
        ranking = without_own(ranking, own)
        matches = matches - ((own >= 0) & (codes[own] == queries))
    known = queries >= 0
    hits = (codes[ranking] == queries[:, None]) & (ranking >= 0) & known[:, None]
    return hits, np.where(known, matches, 0)


def _kept(matches: np.ndarray, queries_without_match: str) -> np.ndarray:
    kept = (matches > 0) | (queries_without_match == "count")
    if not kept.any():
        raise InputError("No query has its product in the gallery: check that both come from the same split.")
    return kept


def _cutoffs(k: Iterable[int], ranking: Any) -> list[int]:
    ks, ranks = list(k), np.shape(ranking)[-1]
    if not ks or not 1 <= min(ks) <= max(ks) <= ranks:
        raise InputError(f"k runs over {ks}: expected numbers from 1 to {ranks}, the ranks given.")
    return ks
