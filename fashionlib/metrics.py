"""What the book measures: average precision of tags and top-k retrieval.

Arrays may be numpy arrays or torch tensors. A statistic that takes `weights` gives one value for each
row of multiplicities, so that a bootstrap sorts the scores once and not once a resample.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from fashionlib.bootstrap import Interval, bootstrap_interval
from fashionlib.bootstrap import paired_interval as paired_interval
from fashionlib.errors import InputError

Weights = Shaped[Any, "resamples _images"]
Unmatched = Literal["count", "drop"]

TOP_K = range(1, 51)
NEVER = np.iinfo(np.int64).max
_CELLS_AT_ONCE = 1 << 20


def average_precision_all(
    scores: Shaped[Any, "_images _labels"],
    targets: Shaped[Any, "_images _labels"],
    weights: Weights | None = None,
) -> float | Float[np.ndarray, " resamples"]:
    """AP_all: the average precision of all (image, label) pairs pooled (§5, Table 1).

    Equal to scikit-learn's `average_precision_score` on the ravelled arrays: a step sum without
    interpolation, pairs of equal score entering together. Given `weights` (how often each resample
    drew each image), the value of every resample; nan where a resample has no positive.

    Raises InputError on shapes that differ, scores that are not finite, targets other than 0 and 1,
    and targets without any positive.
    """
    scores, targets = _tags(scores, targets)
    counts = _multiplicities(weights, len(scores))
    images = np.repeat(np.arange(len(scores)), scores.shape[1])
    values = _weighted_average_precision(scores.ravel(), targets.ravel(), images, counts)
    return float(values[0]) if weights is None else values


def per_label_average_precision(
    scores: Shaped[Any, "_images _labels"],
    targets: Shaped[Any, "_images _labels"],
) -> Float[np.ndarray, " labels"]:
    """Each label's average precision over images; nan for a label without a positive.

    Raises InputError as `average_precision_all` does.
    """
    scores, targets = _tags(scores, targets)
    return _by_label(scores, targets, _multiplicities(None, len(scores)))[0]


def mean_average_precision(
    scores: Shaped[Any, "_images _labels"],
    targets: Shaped[Any, "_images _labels"],
    weights: Weights | None = None,
) -> float | Float[np.ndarray, " resamples"]:
    """mAP: the mean of the labels' average precisions, over labels that have a positive (§5, Table 1).

    A resample's mean is over the labels that have a positive in that resample. `weights` and errors are
    those of `average_precision_all`.
    """
    scores, targets = _tags(scores, targets)
    values = _by_label(scores, targets, _multiplicities(weights, len(scores)))
    occurs = np.isfinite(values)
    means = _ratio(np.where(occurs, values, 0).sum(axis=1), occurs.sum(axis=1))
    return float(means[0]) if weights is None else means


def top_k_assignments(scores: Shaped[Any, "_images _labels"], k: int = 6) -> Int[np.ndarray, "images labels"]:
    """1 for the k best-scored labels of each image, else 0: "we assign top 6 highest-ranked labels" (§5).

    Of labels with equal scores the one with the lower index is taken. The average precision of this
    matrix is the top-6 protocol of Table 1; that of the scores is another, higher number.

    Raises InputError when k is not between 1 and the number of labels, or a score is not finite.
    """
    scores = _finite_scores(scores)
    if not 1 <= k <= scores.shape[1]:
        raise InputError(f"k is {k}, and there are {scores.shape[1]} labels: give a k from 1 to that number.")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assigned = np.zeros(scores.shape, dtype=np.int64)
    np.put_along_axis(assigned, best, 1, axis=1)
    return assigned


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
    counts = _multiplicities(weights, len(first_hits))
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


def top_k_intervals(
    first_hits: Int[np.ndarray, " _queries"], k: Iterable[int] = TOP_K, resamples: int = 1000, seed: int = 0
) -> dict[int, Interval]:
    """hit@k with its bootstrap interval over queries, by k, from `first_hit_ranks`.

    A share is unbiased under resampling, so these are the plain percentiles.
    """
    return {
        cutoff: bootstrap_interval(
            partial(hit_rate, k=cutoff), first_hits, resamples=resamples, seed=seed, centre=False
        )
        for cutoff in k
    }


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


def _array(values: Any) -> np.ndarray:
    """A numpy view of an array, or of a tensor of any device, precision and gradient."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    return np.asarray(values)


def _finite_scores(scores: Any) -> np.ndarray:
    scores = _array(scores).astype(np.float64)
    if scores.ndim != 2:
        raise InputError(f"Scores have shape {scores.shape}: expected images x labels.")
    bad = np.argwhere(~np.isfinite(scores))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"The score of image {row}, label {column} is {scores[row, column]} ({len(bad)} scores are not "
            "finite): expected numbers; look at the training run that gave them."
        )
    return scores


def _tags(scores: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    scores, targets = _finite_scores(scores), _array(targets)
    if scores.shape != targets.shape:
        raise InputError(f"Scores have shape {scores.shape} and targets {targets.shape}: expected the same.")
    bad = np.argwhere((targets != 0) & (targets != 1))
    if len(bad):
        row, column = bad[0]
        raise InputError(f"The target of image {row}, label {column} is {targets[row, column]}: expected 0 or 1.")
    if not targets.any():
        raise InputError("No target is 1: average precision needs at least one positive.")
    return scores, targets.astype(bool)


def _multiplicities(weights: Any, images: int) -> np.ndarray:
    counts = np.ones((1, images)) if weights is None else _array(weights)
    if counts.ndim != 2 or counts.shape[1] != images:
        raise InputError(f"Weights have shape {counts.shape}: expected resamples x {images} images.")
    return counts


def _weighted_average_precision(
    scores: np.ndarray, targets: np.ndarray, images: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Average precision of pairs (score, target, image) under each row of image multiplicities."""
    order = np.argsort(-scores, kind="stable")
    scores, targets, images = scores[order], targets[order], images[order]
    group = np.cumsum(np.diff(scores, prepend=scores[:1]) != 0)
    # Precision is read at the last pair of each group of equal scores, and only groups with a
    # positive change recall: so the sums below run over those groups alone.
    scoring, starts = np.unique(group[targets], return_index=True)
    ends = np.searchsorted(group, scoring, side="right") - 1
    values = np.full(len(counts), np.nan)
    if not len(ends):
        return values
    rows = max(1, _CELLS_AT_ONCE // len(scores))
    for start in range(0, len(counts), rows):
        chunk = counts[start : start + rows].astype(np.float64)
        seen = np.cumsum(chunk[:, images], axis=1)[:, ends]
        gained = np.add.reduceat(chunk[:, images[targets]], starts, axis=1)
        hits = np.cumsum(gained, axis=1)
        precision = hits / np.maximum(seen, np.finfo(float).tiny)
        values[start : start + rows] = _ratio((gained * precision).sum(axis=1), hits[:, -1])
    return values


def _by_label(scores: np.ndarray, targets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    images = np.arange(len(scores))
    columns = zip(scores.T, targets.T, strict=True)
    return np.stack([_weighted_average_precision(s, t, images, counts) for s, t in columns], axis=1)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, nan where below is 0."""
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)


def _hits(
    ranking: Any, query_products: Any, gallery_products: Any, queries_without_match: str
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each ranked image is of the query's product, and how many such images the gallery has."""
    if queries_without_match not in ("count", "drop"):
        raise InputError(f'queries_without_match is {queries_without_match!r}: expected "count" or "drop".')
    ranking, queries, gallery = _array(ranking), _array(query_products), _array(gallery_products)
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
