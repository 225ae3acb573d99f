"""Does the network look at what it names? Boxes of the winning steps against the true places of the garments.

The reference points that any such number needs stand beside it: the picture's centre and the label's mean place, which
know nothing of the photo at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from fashionlib.data.base import Box


@dataclass(frozen=True)
class Finding:
    """One label on one photo: a point in pixels for each way of guessing where it is, and where it truly is."""

    label: str
    mask: Bool[np.ndarray, "height width"]
    box: Box
    guesses: dict[str, Box]


def hit(mask: Bool[np.ndarray, "height width"], box: Box) -> bool:
    """The pointing game (Zhang et al., ECCV 2016): does the box's centre lie on the garment?"""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    row, column = (min(max(int(v), 0), n - 1) for v, n in ((y, mask.shape[0]), (x, mask.shape[1])))
    return bool(mask[row, column])


def intersection_over_union(a: Box, b: Box) -> float:
    """Of two boxes (x1, y1, x2, y2); 0 where they do not meet."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared) if shared else 0.0


def mean_over_labels(findings: list[Finding], values: list[float], least: int = 20) -> float:
    """The mean, over labels with at least `least` findings, of the mean value of each; nan where there is none."""
    by_label: dict[str, list[float]] = {}
    for finding, value in zip(findings, values, strict=True):
        by_label.setdefault(finding.label, []).append(value)
    means = [float(np.mean(found)) for found in by_label.values() if len(found) >= least]
    return float(np.mean(means)) if means else float("nan")


def step_overlap(boxes: Float[np.ndarray, "photos steps 4"]) -> float:
    """Mean intersection over union of every two steps of a photo, over photos; 1 where all look at the same place."""
    first, second = np.triu_indices(boxes.shape[1], k=1)
    a, b = boxes[:, first], boxes[:, second]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return float((shared / union).mean())


def theta_std(theta: Float[np.ndarray, "photos steps numbers"]) -> float:
    """Standard deviation over photos of the centre of a step's box, mean over steps and axes."""
    return float(theta[..., -2:].std(0).mean())


def winning_steps(steps: Float[np.ndarray, "photos steps labels"]) -> Int[np.ndarray, "photos labels"]:
    """For each label the step that gave its score (category-wise max pooling)."""
    return steps.argmax(1)
