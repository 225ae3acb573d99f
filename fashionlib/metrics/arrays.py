"""What metrics take: arrays or tensors whose axes fit each other and whose values can be measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from fashionlib.core.errors import InputError


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
