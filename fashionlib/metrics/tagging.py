"""Average precision of tags (§5, Table 1): AP_all, mAP, and the paper's top-6 assignment.

Arrays may be numpy arrays or torch tensors. A statistic that takes `weights` gives one value for each
row of multiplicities, so that a bootstrap sorts the scores once and not once per resample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int, Shaped
from scipy.sparse import csr_matrix

from fashionlib.core.errors import InputError
from fashionlib.metrics.arrays import checked
from fashionlib.metrics.bootstrap import Statistic, Weights, multiplicities

Tags = Shaped[Any, "_images _labels"]
_CELLS_AT_ONCE = 1 << 20


def average_precision_all(scores: Tags, targets: Tags, weights: Weights | None = None) -> Statistic:
    """AP_all: the average precision of all (image, label) pairs pooled (§5, Table 1).

    Equal to scikit-learn's `average_precision_score` on the ravelled arrays: a step sum without
    interpolation, pairs of equal score entering together. Given `weights` (how often each resample
    drew each image), the value of every resample; nan where a resample has no positive.

    Raises InputError on shapes that differ, scores that are not finite, targets other than 0 and 1,
    and targets without any positive.
    """
    scores, targets = _tags(scores, targets)
    counts = multiplicities(weights, len(scores))
    images = np.repeat(np.arange(len(scores)), scores.shape[1])
    values = _weighted_average_precision(scores.ravel(), targets.ravel(), images, counts)
    return float(values[0]) if weights is None else values


def mean_average_precision(scores: Tags, targets: Tags, weights: Weights | None = None) -> Statistic:
    """mAP: the mean of the labels' average precisions, over labels that have a positive (§5, Table 1).

    A resample's mean is over the labels that have a positive in that resample. `weights` and errors are
    those of `average_precision_all`.
    """
    scores, targets = _tags(scores, targets)
    counts, images = multiplicities(weights, len(scores)), np.arange(len(scores))
    columns = zip(scores.T, targets.T, strict=True)
    values = np.stack([_weighted_average_precision(s, t, images, counts) for s, t in columns], axis=1)
    occurs = np.isfinite(values)
    means = _ratio(np.where(occurs, values, 0).sum(axis=1), occurs.sum(axis=1))
    return float(means[0]) if weights is None else means


def top_k_assignments(scores: Tags, k: int = 6) -> Int[np.ndarray, "images labels"]:
    """1 for the k best-scored labels of each image, else 0: "we assign top 6 highest-ranked labels" (§5).

    Of labels with equal scores the one with the lower index is taken. The average precision of this
    matrix is the top-6 protocol of Table 1; that of the scores is another, higher number.

    Raises InputError when k is not between 1 and the number of labels, or a score is not finite.
    """
    scores = checked(scores=(scores, "images labels"))[0].astype(np.float64)
    if not 1 <= k <= scores.shape[1]:
        raise InputError(f"k is {k}, and there are {scores.shape[1]} labels: give a k from 1 to that number.")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assigned = np.zeros(scores.shape, dtype=np.int64)
    np.put_along_axis(assigned, best, 1, axis=1)
    return assigned


def _tags(scores: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    scores, targets = checked(scores=(scores, "images labels"), targets=(targets, "images labels", "flags"))
    if not targets.any():
        raise InputError("No target is 1: average precision needs at least one positive.")
    return scores.astype(np.float64), targets


def _weighted_average_precision(
    scores: np.ndarray, targets: np.ndarray, images: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Average precision of pairs (score, target, image) under each row of image multiplicities."""
    order = np.argsort(-scores, kind="stable")
    scores, targets, images = scores[order], targets[order], images[order]
    group = np.cumsum(np.diff(scores, prepend=scores[:1]) != 0)
    # Precision is read at the last pair of each group of equal scores, and only groups with a
    # positive change recall: so the sums below run over those groups alone.
    scoring = np.unique(group[targets])
    ends = np.searchsorted(group, scoring, side="right") - 1
    values = np.full(len(counts), np.nan)
    if not len(ends):
        return values
    # Of the pairs between one end and the next only the images count: a resample's draws are added up over them.
    block = np.searchsorted(ends, np.arange(ends[-1] + 1))
    largest = np.bincount(block).max() * counts.max()
    kind = np.float32 if largest < 1 << 24 else np.float64  # in which whole numbers are exact
    seen_in, hit_in = (  # add up each row's images, each as often as it is named
        csr_matrix((np.ones(len(rows), kind), (rows, columns)), (len(ends), counts.shape[1]))
        for rows, columns in (
            (block, images[: len(block)]),
            (np.searchsorted(scoring, group[targets]), images[targets]),
        )
    )
    rows = max(1, _CELLS_AT_ONCE // len(ends))
    for start in range(0, len(counts), rows):
        chunk = np.ascontiguousarray(counts[start : start + rows].T, dtype=kind)
        seen = (seen_in @ chunk).T.cumsum(axis=1, dtype=np.float64)
        gained = np.ascontiguousarray((hit_in @ chunk).T, dtype=np.float64)
        hits = np.cumsum(gained, axis=1)
        precision = hits / np.maximum(seen, np.finfo(float).tiny)
        values[start : start + rows] = _ratio((gained * precision).sum(axis=1), hits[:, -1])
    return values


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, nan where below is 0."""
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
