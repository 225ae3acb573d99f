"""Bootstrap intervals around any statistic of images or queries, and around the difference of two methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from fashionlib.core.errors import InputError


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its bootstrap interval."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    statistic: Callable[..., Any],
    *arrays: Any,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    centre: bool = True,
) -> Interval:
    """Percentile bootstrap over images (or queries): `bootstrap_interval(average_precision_all, s, t)`.

    statistic: called as statistic(*arrays) for the value and as statistic(*arrays, weights=counts), with
    counts of shape resamples × images, for one value a resample; the first axis of the first array is
    what is drawn. Resamples in which the statistic is undefined are left out. The same seed and number
    of images draw the same resamples.
    centre: shift the resamples' values so that their mean is the value. Repeated images flatter the
    average precision of rare labels: in a simulation of 420 images with labels down to one in a
    thousand, plain percentiles of mAP held the true mean in 58% of trials and centred ones in 91%;
    those of AP_all, 95% and 96%.

    Raises InputError when there is nothing to draw from or the level is not between 0 and 1.
    """
    counts = _draws(len(arrays[0]), resamples, seed)
    return _interval(float(statistic(*arrays)), statistic(*arrays, weights=counts), level, centre)


def mean_interval(
    statistic: Callable[..., Any],
    runs: Sequence[tuple[Any, ...]],
    *,
    minus: Sequence[tuple[Any, ...]] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    centre: bool = True,
) -> Interval:
    """Interval of the mean over runs (seeds) of statistic(*run); with `minus`, of the paired difference of two methods.

    runs, minus: the statistic's arrays for each seed, both methods' of the same images in the same order. Every seed
    draws the same resamples, so that one and the same test split counts as one. The interval is about the images; how
    much the seeds themselves differ is told by their values, one by one. Arguments and errors as in
    `bootstrap_interval`.
    """
    if not runs or (minus is not None and [len(run[0]) for run in minus] != [len(run[0]) for run in runs]):
        raise InputError("mean_interval needs at least one run, and both methods' runs of the same images.")
    value, drawn = 0.0, 0.0
    for sign, each in ((1, runs), (-1, minus or ())):
        for run in each:
            value += sign * float(statistic(*run)) / len(runs)
            drawn += sign * statistic(*run, weights=_draws(len(run[0]), resamples, seed)) / len(runs)
    return _interval(value, np.asarray(drawn), level, centre)


@lru_cache(maxsize=2)  # a curve asks for the same resamples once for each of its fifty points
def _draws(images: int, resamples: int, seed: int) -> np.ndarray:
    """How often each resample (row) draws each image."""
    if images < 1 or resamples < 1:
        raise InputError(f"{resamples} resamples of {images} images: a bootstrap needs at least one of each.")
    generator = np.random.default_rng(seed)
    drawn = (generator.integers(0, images, images) for _ in range(resamples))
    counts = np.stack([np.bincount(row, minlength=images).astype(np.float32) for row in drawn])
    counts.setflags(write=False)
    return counts


def _interval(value: float, drawn: np.ndarray, level: float, centre: bool) -> Interval:
    if not 0 < level < 1:
        raise InputError(f"The level is {level}: expected a share between 0 and 1, such as 0.95.")
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        raise InputError("The statistic is undefined in every resample: there are too few images or positives.")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    shift = value - drawn.mean() if centre else 0.0
    return Interval(value, float(low + shift), float(high + shift))
