"""Bootstrap intervals around any statistic of images or queries, and around the difference of two methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from fashionlib.core.errors import InputError

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


def checked(**arguments: tuple[Any, ...]) -> list[np.ndarray]:
    """The arguments as arrays that fit each other. Of each: the values, its axes, and what its values are.

    Axes of one name have one size, those called by a number this one. Values are finite numbers, or "flags" of 0 and 1,
    which become bool, "whole" numbers, "numbers" that may be nan, or "any" others. Raises InputError that names the
    argument where an array has other axes, an axis is empty, or a value is not of its kind.
    """
    arrays, sizes = [], {}
    for name, (values, axes, *kind) in arguments.items():
        try:
            array = as_array(values)
        except (TypeError, ValueError) as error:  # rows of different lengths
            raise InputError(f"{name} makes no array: expected {axes.replace(' ', ' x ')}") from error
        sides = list(zip(axes.split(), array.shape, strict=False))
        if array.ndim != len(axes.split()) or any(axis.isdigit() and int(axis) != size for axis, size in sides):
            raise InputError(f"{name} has shape {array.shape}: expected {axes.replace(' ', ' x ')}")
        for axis, size in sides:
            other, expected = sizes.setdefault(axis, (name, size))
            if size != expected:
                raise InputError(f"{name} has {size} {axis} and {other} {expected}: they must be the same {axis}")
            if not size:
                raise InputError(f"{name} has shape {array.shape}: it is empty, there are no {axis} to measure")
        arrays.append(_of_kind(kind[0] if kind else "finite", name, array))
    return arrays


def check_range(name: str, numbers: np.ndarray, last: int, what: str) -> None:
    """Raises InputError where one is neither -1, for none, nor one of 0 to `last`."""
    if numbers.size and not -1 <= numbers.min() <= numbers.max() <= last:
        held = f"from {numbers.min()} to {numbers.max()}"
        raise InputError(f"{name} holds numbers {held}: expected {what} from 0 to {last}, or -1 for none")


def _of_kind(kind: str, name: str, array: np.ndarray) -> np.ndarray:
    fits = {"whole": "iu", "any": array.dtype.kind}.get(kind, "biuf")
    if array.size and array.dtype.kind not in fits:
        raise InputError(f"{name} is of {array.dtype}: expected {'whole ' * (kind == 'whole')}numbers")
    bad = {"finite": lambda: ~np.isfinite(array), "flags": lambda: (array != 0) & (array != 1)}.get(kind)
    wrong = np.argwhere(bad()) if bad else np.empty((0, array.ndim))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        wanted = "0 or 1" if kind == "flags" else "finite numbers; look at the run that gave them"
        raise InputError(f"{name}[{place}] is {array[tuple(wrong[0])]} ({len(wrong)} such): expected {wanted}")
    return array.astype(bool) if kind == "flags" else array


def as_array(values: Any) -> np.ndarray:
    """A numpy view of an array, or of a tensor of any device, precision and gradient."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    return np.asarray(values)
