"""Top-k retrieval (§5, Fig. 3): hit@k of a ranking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from fashionlib.core.errors import InputError
from fashionlib.metrics.arrays import Weights, as_array, multiplicities

Unmatched = Literal["count", "drop"]

TOP_K = range(1, 51)
NEVER = np.iinfo(np.int64).max


def first_hit_ranks(
    ranking: Shaped[Any, "_queries _ranks"],
    query_products: Shaped[Any, " _queries"],
    gallery_products: Shaped[Any, " _gallery"],
    queries_without_match: Unmatched = "count",
) -> Int[np.ndarray, " kept"]:
    """The rank, from 1, of each query's first gallery image of the same product; `NEVER` without one.

    ranking: gallery indices, best first; -1 is an empty place.
    queries_without_match: a query whose product is not in the gallery at all counts as a miss ("count",
    as torchmetrics does) or is left out ("drop", as pytorch-metric-learning and the released code do).

    Raises InputError on lengths that do not fit and on indices outside the gallery.
    """
    hits, matches = _hits(ranking, query_products, gallery_products, queries_without_match)
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
) -> dict[int, float]:
    """hit@k by k: the share of queries with at least one of the k nearest of the same product (Fig. 3).

    Arguments and errors as in `first_hit_ranks`; InputError too when a k exceeds the ranking's length.
    """
    ks = _cutoffs(k, ranking)
    first = first_hit_ranks(ranking, query_products, gallery_products, queries_without_match)
    return {cutoff: float(hit_rate(first, cutoff)) for cutoff in ks}


def recall_fraction_at_k(
    ranking: Shaped[Any, "_queries _ranks"],
    query_products: Shaped[Any, " _queries"],
    gallery_products: Shaped[Any, " _gallery"],
    k: Iterable[int] = TOP_K,
    queries_without_match: Unmatched = "count",
) -> dict[int, float]:
    """fraction@k by k: the share of a query's relevant gallery images among its k nearest, mean over queries.

    This is what mmfashion calls recall@k; it is at most hit@k, and equal to it only where every product
    has one gallery image. Arguments and errors as in `top_k_accuracy`.
    """
    ks = _cutoffs(k, ranking)
    hits, matches = _hits(ranking, query_products, gallery_products, queries_without_match)
    kept = _kept(matches, queries_without_match)
    found = np.cumsum(hits[kept], axis=1)[:, np.array(ks) - 1] / np.maximum(matches[kept], 1)[:, None]
    return dict(zip(ks, found.mean(axis=0).tolist(), strict=True))


def _hits(
    ranking: Any, query_products: Any, gallery_products: Any, queries_without_match: str
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each ranked image is of the query's product, and how many such images the gallery has."""
    if queries_without_match not in ("count", "drop"):
        raise InputError(f'queries_without_match is {queries_without_match!r}: expected "count" or "drop".')
    ranking, queries, gallery = as_array(ranking), as_array(query_products), as_array(gallery_products)
    if ranking.ndim != 2 or len(ranking) != len(queries):
        raise InputError(f"The ranking has shape {ranking.shape}: expected a row for each of {len(queries)} queries.")
    if ranking.size and not -1 <= ranking.min() <= ranking.max() < len(gallery):
        raise InputError(
            f"The ranking holds indices from {ranking.min()} to {ranking.max()}: expected gallery indices "
            f"from 0 to {len(gallery) - 1}, or -1 for an empty place."
        )
    products, codes = np.unique(np.concatenate([gallery, queries]), return_inverse=True)
    gallery, queries = codes[: len(gallery)], codes[len(gallery) :]
    hits = (gallery[ranking] == queries[:, None]) & (ranking >= 0)
    return hits, np.bincount(gallery, minlength=len(products))[queries]


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
