"""Bootstrap intervals around any statistic of images or queries, and around the difference of two methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from fashionlib.core.errors import InputError
from fashionlib.metrics.arrays import checked

Weights = Shaped[Any, "resamples _images"]  # how often each resample drew each row
Statistic = float | Float[np.ndarray, " resamples"]  # a statistic's value; with weights, one for each resample
LEVEL = 0.95  # share of the resamples that lie in an interval


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its bootstrap interval."""

    value: float
    low: float
    high: float


def mean_interval(
    statistic: Callable[..., Any], runs: Sequence[tuple[Any, ...]], *, minus: Sequence[tuple[Any, ...]] | None = None,
    resamples: int = 1000, centre: bool = True,
) -> Interval:  # fmt: skip
    """95% percentile bootstrap over images (or queries) of the mean over runs (seeds) of statistic(*run).

    statistic: called as statistic(*run) for the value and as statistic(*run, weights=counts), with counts of shape
    resamples × images, for one value per resample; the first axis of a run's first array is what is drawn. Resamples
    in which it is undefined are left out.
    runs: the statistic's arrays for each seed, of the same images in the same order. Every seed draws the same
    resamples, so that one and the same test split counts as one. The interval is about the images; how much the seeds
    themselves differ, their values say.
    minus: another method's runs, of the same images: the interval is of the paired difference.
    centre: shift the resamples' values so that their mean is the value. Repeated images flatter the average precision
    of rare labels: in a simulation of 420 images with labels down to one in a thousand, plain percentiles of mAP held
    the true mean in 58% of trials and centred ones in 91%; those of AP_all, 95% and 96%.

    Raises InputError when there is nothing to draw from.
    """
    if not runs or (minus is not None and [len(run[0]) for run in minus] != [len(run[0]) for run in runs]):
        raise InputError("mean_interval needs at least one run, and both methods' runs of the same images.")
    value, drawn = 0.0, np.zeros(1)
    for sign, each in ((1, runs), (-1, minus or ())):
        for run in each:
            value += sign * float(statistic(*run)) / len(runs)
            drawn = drawn + sign * statistic(*run, weights=_draws(len(run[0]), resamples)) / len(runs)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        raise InputError("The statistic is undefined in every resample: there are too few images or positives.")
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    shift = value - drawn.mean() if centre else 0.0
    return Interval(value, float(low + shift), float(high + shift))


@lru_cache(maxsize=2)  # a curve asks for the same resamples once for each of its fifty points
def _draws(images: int, resamples: int) -> np.ndarray:
    """How often each resample (row) draws each image."""
    if images < 1 or resamples < 1:
        raise InputError(f"{resamples} resamples of {images} images: a bootstrap needs at least one of each.")
    generator = np.random.default_rng(0)
    drawn = (generator.integers(0, images, images) for _ in range(resamples))
    counts = np.stack([np.bincount(row, minlength=images).astype(np.float32) for row in drawn])
    counts.setflags(write=False)
    return counts


def multiplicities(weights: Any, images: int) -> np.ndarray:
    """The weights as an array; without any, one row in which each image counts once."""
    counts = np.ones((1, images)) if weights is None else checked(weights=(weights, "resamples images"))[0]
    if counts.shape[1] != images:
        raise InputError(f"weights are of {counts.shape[1]} images, and there are {images}")
    return counts
