"""Do probabilities mean what they say? Platt scaling, reliability and the threshold with the best F1."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import nn

BINS = 10


def platt(scores: Float[np.ndarray, " pairs"], shown: Bool[np.ndarray, " pairs"]) -> tuple[float, float]:
    """Slope and offset a, b with which σ(a · score + b) fits `shown` best (Platt, 1999, without his prior).

    scores: before the sigmoid.
    """
    z, y = torch.from_numpy(scores).double(), torch.from_numpy(shown).double()
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([line], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(line[0] * z + line[1], y)
        loss.backward()
        return loss

    optimiser.step(closure)
    slope, offset = line.detach().tolist()
    return slope, offset


def reliability(
    chances: Float[np.ndarray, " pairs"], shown: Bool[np.ndarray, " pairs"], bins: int = BINS
) -> Float[np.ndarray, "bins 3"]:
    """By bin of equal width: the mean probability, the share that is shown, and the share of all pairs in it."""
    place = np.minimum((chances * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    said, true = (np.bincount(place, each, bins) / np.maximum(counts, 1) for each in (chances, shown))
    return np.stack([said, true, counts / len(chances)], 1)


def expected_calibration_error(
    chances: Float[np.ndarray, " pairs"], shown: Bool[np.ndarray, " pairs"], bins: int = BINS
) -> float:
    """Mean distance of probability and share shown over the bins of `reliability` (Guo et al., ICML 2017)."""
    said, true, share = reliability(chances, shown, bins).T
    return float((np.abs(said - true) * share).sum())


def best_threshold(chances: Float[np.ndarray, " pairs"], shown: Bool[np.ndarray, " pairs"]) -> float:
    """The multiple of 0.05 from which on pairs counted as shown have the highest F1."""
    thresholds = np.arange(1, 20) / 20
    taken = chances >= thresholds[:, None]
    right = (taken & shown).sum(1)
    return float(thresholds[np.argmax(2 * right / np.maximum(taken.sum(1) + shown.sum(), 1))])
