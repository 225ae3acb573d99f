"""Top-k retrieval (§5, Fig. 3): hit@k of a ranking.

Every function here serves two sets, queries and a gallery, and with `own` one set whose photos ask for each other.

ranking: queries × ranks gallery indices, best first; -1 is an empty place. Products: numbers or names of one kind; what
is not known (-1, "", None, NaN) is the same product as nothing else.
own: for queries that lie in the gallery themselves (one set), their index there, or -1; a query is no candidate of its
own and not relevant to itself, and its place in the ranking is taken by those behind it. Without it queries and gallery
are two sets.
queries_without_match: a query whose product is not in the gallery at all counts as a miss ("count", as torchmetrics
does) or is left out ("drop", as pytorch-metric-learning and the released code do).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, Shaped

from fashionlib.core.errors import InputError
from fashionlib.metrics.arrays import check_range, checked
from fashionlib.metrics.bootstrap import Statistic, Weights, multiplicities

TOP_K = range(1, 51)
NEVER = np.iinfo(np.int64).max

Ranking = Shaped[Any, "_queries _ranks"]
Products = Shaped[Any, " _"]
Own = Shaped[Any, " _queries"] | None
Unmatched = Literal["count", "drop"]


def first_hit_ranks(
    ranking: Ranking, query_products: Products, gallery_products: Products, queries_without_match: Unmatched = "count",
    own: Own = None,
) -> Int[np.ndarray, " kept"]:  # fmt: skip
    """The rank, from 1, of each query's first gallery image of the same product; `NEVER` without one.

    Raises InputError on lengths that do not fit, on indices outside the gallery, and where an image stands twice in a
    query's ranking.
    """
    hits, _ = _hits(ranking, query_products, gallery_products, queries_without_match, own)
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, NEVER)


def hit_rate(first_hits: Int[np.ndarray, " _queries"], k: int, weights: Weights | None = None) -> Statistic:
    """hit@k: the share of queries whose first hit has rank k or better; the statistic for a bootstrap."""
    (first_hits,) = checked(first_hits=(first_hits, "queries"))
    counts = multiplicities(weights, len(first_hits))
    rates = counts @ (first_hits <= k) / counts.sum(axis=1)
    return float(rates[0]) if weights is None else rates


def top_k_accuracy(
    ranking: Ranking, query_products: Products, gallery_products: Products, k: Iterable[int] = TOP_K,
    queries_without_match: Unmatched = "count", own: Own = None,
) -> dict[int, float]:  # fmt: skip
    """hit@k by k: the share of queries with at least one of the k nearest of the same product (Fig. 3).

    Raises InputError as `first_hit_ranks` does, and when a k exceeds the ranking's length.
    """
    ks = _cutoffs(k, ranking)
    first = first_hit_ranks(ranking, query_products, gallery_products, queries_without_match, own)
    return {cutoff: float(hit_rate(first, cutoff)) for cutoff in ks}


def recall_fraction_at_k(
    ranking: Ranking, query_products: Products, gallery_products: Products, k: Iterable[int] = TOP_K,
    queries_without_match: Unmatched = "count", own: Own = None,
) -> dict[int, float]:  # fmt: skip
    """fraction@k by k: the share of a query's relevant gallery images among its k nearest, mean over queries.

    This is what mmfashion calls recall@k; it is at most hit@k, and equal to it only where every product
    has one gallery image. Raises InputError as `top_k_accuracy` does.
    """
    ks = _cutoffs(k, ranking)
    hits, matches = _hits(ranking, query_products, gallery_products, queries_without_match, own)
    found = np.cumsum(hits, axis=1)[:, np.array(ks) - 1] / np.maximum(matches, 1)[:, None]
    return dict(zip(ks, found.mean(axis=0).tolist(), strict=True))


def _hits(
    ranking: Any, query_products: Any, gallery_products: Any, queries_without_match: str, own: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each ranked image is of the query's product, and how many such images the gallery has; queries that
    count alone."""
    if queries_without_match not in ("count", "drop"):
        raise InputError(f'queries_without_match is {queries_without_match!r}: expected "count" or "drop".')
    ranking, queries, codes = checked(
        ranking=(ranking, "queries ranks", "whole"), query_products=(query_products, "queries", "any"),
        gallery_products=(gallery_products, "photos", "any"),
    )  # fmt: skip
    codes, queries = _product_codes(codes, queries)
    check_range("ranking", ranking, len(codes) - 1, "gallery indices")
    check_lists(ranking := ranking.astype(np.int64))
    matches = np.bincount(codes[codes >= 0], minlength=max(queries.max(initial=0) + 1, 1))[np.maximum(queries, 0)]
    if own is not None:
        own, _ = checked(own=(own, "queries", "whole"), queries=(queries, "queries"))
        check_range("own", own, len(codes) - 1, "gallery indices")
        own = own.astype(np.int64)[:, None]
        itself = (ranking == own) & (ranking >= 0)  # the others move up, and the last place is empty
        ranking = np.take_along_axis(ranking, np.argsort(itself, axis=1, kind="stable"), axis=1)
        ranking[itself.any(axis=1), -1:] = -1
        matches = matches - ((own[:, 0] >= 0) & (codes[own[:, 0]] == queries))
    known = queries >= 0
    hits = (codes[ranking] == queries[:, None]) & (ranking >= 0) & known[:, None]
    matches = np.where(known, matches, 0)
    kept = (matches > 0) | (queries_without_match == "count")
    if not kept.any():
        raise InputError("No query has its product in the gallery: check that both come from the same split.")
    return hits[kept], matches[kept]


def _cutoffs(k: Iterable[int], ranking: Any) -> list[int]:
    ks, ranks = list(k), checked(ranking=(ranking, "queries ranks", "whole"))[0].shape[1]
    if not ks or any(k not in range(1, ranks + 1) for k in ks):
        raise InputError(f"k runs over {ks}: expected numbers from 1 to {ranks}, the ranks given.")
    return ks


def check_lists(lists: Int[np.ndarray, "queries ranks"]) -> None:
    """Raises InputError, naming query and photo, where one stands twice in a list; -1 is an empty place."""
    ordered = np.sort(lists, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        query = int(np.flatnonzero(twice.any(axis=1))[0])
        photo = int(ordered[query, 1:][twice[query]][0])
        places = (np.flatnonzero(lists[query] == photo)[:2] + 1).tolist()
        raise InputError(
            f"query {query}: photo {photo} stands twice in its ranking, at {places[0]} and {places[1]}; rank it once"
        )


def _product_codes(*products: np.ndarray) -> list[Int[np.ndarray, " photos"]]:
    """The same number for the same product, in all of the arrays; -1 where it is not known (-1, "", None, NaN).

    Compared as they are: no rounding, no text of numbers. Raises InputError where text meets numbers.
    """

    def unknown(product: Any) -> bool:
        return product is None or product != product or product in ("", b"", -1)

    values = [each.tolist() for each in products]
    known = [one for column in values for one in column if not unknown(one)]
    if len({isinstance(one, (str, bytes)) for one in known}) > 1:
        raise InputError("Products are text for some photos and numbers for others: give both in one kind.")
    codes = {value: number for number, value in enumerate(dict.fromkeys(known))}
    return [np.array([-1 if unknown(one) else codes[one] for one in column], np.int64) for column in values]
