"""What several rivals are made of: a tuned classifier on the pooled map, and a descriptor of a few numbers."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class PooledClassifier(nn.Module):
    """Average pooling, batch norm, dropout, linear, ReLU, dropout, linear; far stronger than one linear layer.

    Gives the pooled features, what the hidden layer makes of them, and the scores.
    """

    def __init__(self, channels: int, labels: int, hidden: int = 512, dropout: float = 0.5, input_dropout: float = 0.2):
        super().__init__()
        self.normalise = nn.BatchNorm1d(channels)
        self.describe = nn.Sequential(nn.Dropout(input_dropout), nn.Linear(channels, hidden), nn.ReLU())
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, labels))

    def forward(
        self, maps: Float[Tensor, "b d y x"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b h"], Float[Tensor, "b c"]]:
        pooled = self.normalise(maps.mean((2, 3)))
        seen = self.describe(pooled)
        return pooled, seen, self.classify(seen)


class Descriptor(nn.Module):
    """The pooled map as `size` numbers: batch norm, dropout, linear, ReLU, dropout, linear."""

    def __init__(self, channels: int, size: int, hidden: int, dropout: float):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(channels), nn.Dropout(0.2), nn.Linear(channels, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, size),
        )  # fmt: skip

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Float[Tensor, "b size"]:
        return self.layers(maps.mean((2, 3)))


def tag_classifier(size: int, labels: int, hidden: int = 512, dropout: float = 0.5) -> nn.Sequential:
    """Tags from a descriptor, for methods that have no tags of their own."""
    return nn.Sequential(
        nn.BatchNorm1d(size), nn.Linear(size, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, labels)
    )


def identities(main: Int[Tensor, " b"]) -> Int[Tensor, " b"]:
    """A number for each photo, the same for photos of one product; photos of none (−1) are each their own."""
    return torch.where(main < 0, -1 - torch.arange(len(main), device=main.device), main)
