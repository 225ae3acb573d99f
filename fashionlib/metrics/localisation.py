"""Does the network look at what it names? Boxes of the winning steps against the true places of the garments.

Boxes are (x1, y1, x2, y2) in 0..1 of the canvas that the network sees. Values are kept by photo and label, nan where
the photo does not show the label or nobody drew its mask, so that a bootstrap can draw photos.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from fashionlib.core.errors import InputError
from fashionlib.data.base import Box, Sample
from fashionlib.data.photos import Placement, placement_of
from fashionlib.metrics.arrays import check_range, checked
from fashionlib.metrics.bootstrap import Statistic, Weights, multiplicities

MIN_PHOTOS = 20  # masked photos that a label needs to count


@dataclass(frozen=True)
class GarmentTruth:
    """One photo's garments. masks and their boxes in pixels of the photo; where the photo lies on the canvas."""

    masks: dict[str, Bool[np.ndarray, "height width"]]
    boxes: dict[str, Box]
    placement: Placement


def garment_truth(sample: Sample, size: tuple[int, int]) -> GarmentTruth:
    return GarmentTruth(sample.masks, sample.boxes, placement_of(sample.image.shape, size))


def on_canvas(truth: GarmentTruth, label: str, size: tuple[int, int]) -> Float[np.ndarray, " 4"]:
    """The garment's true box."""
    return np.array(truth.placement.to_canvas(truth.boxes[label])) / [size[1], size[0], size[1], size[0]]


def compare(
    truths: Iterable[GarmentTruth], labels: tuple[str, ...], size: tuple[int, int],
    guesses: dict[str, Float[np.ndarray, "_photos _labels 4"]],
) -> dict[str, Float[np.ndarray, "2 photos labels"]]:  # fmt: skip
    """For each way of guessing where a label is: whether the guess's centre lies on the garment (the pointing game),
    and the intersection over union of guessed and true box.
    """
    axes = "photos labels 4"
    guesses = dict(zip(guesses, checked(**{name: (boxes, axes) for name, boxes in guesses.items()}), strict=True))
    found = {name: np.full((2, *boxes.shape[:2]), np.nan) for name, boxes in guesses.items()}
    scale = np.array([size[1], size[0], size[1], size[0]])
    for photo, truth in _each_of(truths, len(next(iter(guesses.values()), ()))):
        for label in truth.masks:
            place = labels.index(label)
            true = on_canvas(truth, label, size)
            for name, boxes in guesses.items():
                guess = boxes[photo, place].astype(float)
                pixels = truth.placement.to_photo(tuple(guess * scale))
                overlap = intersection_over_union(tuple(true), tuple(guess))
                found[name][:, photo, place] = hit(truth.masks[label], pixels), overlap
    return found


def _each_of(truths: Iterable[GarmentTruth], photos: int) -> Iterator[tuple[int, GarmentTruth]]:
    number = 0
    for number, truth in enumerate(truths, 1):
        if number <= photos:
            yield number - 1, truth
    if number != photos:
        raise InputError(f"there are {number} truths and guesses on {photos} photos: they must be the same photos")


def hit(mask: Bool[np.ndarray, "height width"], box: Box) -> bool:
    """The pointing game (Zhang et al., ECCV 2016): does the box's centre lie on the garment?"""
    checked(box=(box, "4"))
    column, row = (int(np.floor((low + high) / 2)) for low, high in ((box[0], box[2]), (box[1], box[3])))
    inside = 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1]
    return inside and bool(mask[row, column])


def intersection_over_union(a: Box, b: Box) -> float:
    """Of two boxes (x1, y1, x2, y2); 0 where they do not meet."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared) if shared else 0.0


def mean_over_labels(
    values: Float[np.ndarray, "photos labels"], weights: Weights | None = None, *, min_photos: int = MIN_PHOTOS
) -> Statistic:
    """The mean, over labels known on at least `min_photos` photos, of the mean value of each; nan where there is none.

    weights: as in `fashionlib.metrics`, how often each resample drew each photo.
    """
    (values,) = checked(values=(values, "photos labels", "numbers"))
    known = np.isfinite(values)
    kept = known.sum(0) >= min_photos
    counts = multiplicities(weights, len(values)).astype(float)
    if not kept.any():
        means = np.full(len(counts), np.nan)
    else:
        seen = counts @ known[:, kept]
        sums = counts @ np.where(known, values, 0)[:, kept]
        means = np.nanmean(np.where(seen > 0, sums / np.maximum(seen, 1), np.nan), axis=1)
    return float(means[0]) if weights is None else means


def centre_correlation(
    guessed: Float[np.ndarray, "photos labels 4"], true: Float[np.ndarray, "photos labels 4"], *,
    min_photos: int = MIN_PHOTOS,
) -> float:  # fmt: skip
    """Pearson's r between guessed and true centres across photos: mean of both axes, mean over labels."""
    guessed, true = checked(guessed=(guessed, "photos labels 4"), true=(true, "photos labels 4", "numbers"))
    values = []
    for label in range(guessed.shape[1]):
        known = np.isfinite(true[:, label, 0])
        if known.sum() < min_photos:
            continue
        ours, theirs = ((boxes[known, label, :2] + boxes[known, label, 2:]) / 2 for boxes in (guessed, true))
        values.append(np.mean([
            np.corrcoef(x, y)[0, 1] if x.std() > 1e-9 and y.std() > 1e-9 else 0.0  # as that of a constant layout
            for x, y in zip(ours.T, theirs.T, strict=True)
        ]))  # fmt: skip
    return float(np.mean(values)) if values else float("nan")


def winning_steps(steps: Float[np.ndarray, "photos steps labels"]) -> Int[np.ndarray, "photos labels"]:
    """For each label the step that gave its score (category-wise max pooling)."""
    return checked(steps=(steps, "photos steps labels"))[0].argmax(1)


def winning_boxes(
    boxes: Float[np.ndarray, "photos steps 4"], winners: Int[np.ndarray, "photos labels"]
) -> Float[np.ndarray, "photos labels 4"]:
    """The box of each label's winning step."""
    boxes, winners = checked(boxes=(boxes, "photos steps 4"), winners=(winners, "photos labels", "whole"))
    check_range("winners", winners, boxes.shape[1] - 1, "steps")
    return np.take_along_axis(boxes[:, :, None], winners[:, None, :, None], axis=1)[:, 0]
