"""What the metrics share: arrays of any origin, and how often each resample of a bootstrap drew each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Shaped

from fashionlib.core.errors import InputError

Weights = Shaped[Any, "resamples _images"]


def as_array(values: Any) -> np.ndarray:
    """A numpy view of an array, or of a tensor of any device, precision and gradient."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    return np.asarray(values)


def multiplicities(weights: Any, images: int) -> np.ndarray:
    counts = np.ones((1, images)) if weights is None else as_array(weights)
    if counts.ndim != 2 or counts.shape[1] != images:
        raise InputError(f"Weights have shape {counts.shape}: expected resamples x {images} images.")
    return counts
