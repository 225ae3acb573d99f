"""Attention statistics: do the steps share the work, stay on the picture, and follow the person?

Boxes are (x1, y1, x2, y2) in 0..1 of the canvas; theta as in `models.spatial_transformer`. Step 0, which sees the
picture whole, is left out by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from fashionlib.metrics.arrays import check_range, checked


@dataclass(frozen=True)
class AttentionStatistics:
    """What the steps do, over all photos.

    overlap: mean intersection over union of every two steps of a photo; 1 where all look at the same place, nan of a
    single step.
    area: mean share of the picture in a box. outside: mean share of a box that is off the picture.
    movement: standard deviation over photos of a box's centre (map −1 … 1), mean over steps and axes.
    wins: by step and label, the share of the label's photos in which the step gave its score.
    """

    overlap: float
    area: float
    outside: float
    movement: float
    wins: Float[np.ndarray, "steps labels"]


def attention_statistics(
    boxes: Float[np.ndarray, "photos steps 4"],
    winners: Int[np.ndarray, "photos labels"],
    targets: Float[np.ndarray, "photos labels"],
) -> AttentionStatistics:
    """winners: for each label the number of its winning step; −1 for the picture as a whole. targets: 0 or 1."""
    boxes, winners, targets = checked(
        boxes=(boxes, "photos steps 4"), winners=(winners, "photos labels", "whole"), targets=(targets, "photos labels")
    )
    check_range("winners", winners, boxes.shape[1] - 1, "steps")
    kept, sizes = _areas(boxes.clip(0, 1)), _areas(boxes)
    first, second = np.triu_indices(boxes.shape[1], k=1)
    a, b = boxes[:, first], boxes[:, second]
    shared = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(0).prod(-1)
    centres = boxes[..., :2] + boxes[..., 2:] - 1  # in −1 … 1
    won = np.stack([((winners == step) * targets).sum(0) for step in range(boxes.shape[1])])
    return AttentionStatistics(
        overlap=float((shared / np.maximum(_areas(a) + _areas(b) - shared, 1e-9)).mean()) if first.size else np.nan,
        area=float(kept.mean()),
        outside=float((1 - kept / np.maximum(sizes, 1e-9)).mean()),
        movement=float(centres.std(0).mean()),
        wins=won / np.maximum(targets.sum(0), 1),
    )


def following(
    centres: Float[np.ndarray, "photos steps 2"],
    moved: Float[np.ndarray, "photos steps 2"],
    theta: Float[np.ndarray, "photos 4"],
) -> Float[np.ndarray, "steps 2"]:
    """By step and axis, the slope of the movement of a box's centre against the true one: 1 follows, 0 stays put.

    centres: of the boxes on the photos as they are; moved: on the photos scaled and moved by theta, whose point p shows
    point s·p + t of the photo. All in −1 … 1. The true movement of a centre c is (c − t)/s − c.
    """
    centres, moved, theta = checked(
        centres=(centres, "photos steps 2"), moved=(moved, "photos steps 2"), theta=(theta, "photos 4")
    )
    true = (centres - theta[:, None, 2:]) / theta[:, None, :2] - centres
    seen = moved - centres
    true, seen = true - true.mean(0), seen - seen.mean(0)
    return (true * seen).sum(0) / np.maximum((true**2).sum(0), 1e-9)


def _areas(boxes: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n"]:
    return (boxes[..., 2:] - boxes[..., :2]).clip(0).prod(-1)
