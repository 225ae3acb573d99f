"""What several baselines are made of: options, a classifier on the pooled map, a descriptor, batches with pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fashionlib.core.options import BelowOne, Count, Share
from fashionlib.core.output import Output
from fashionlib.data.supervision import by_product, paired_order
from fashionlib.models import losses


@dataclass(frozen=True)
class HeadOptions:
    """hidden units and dropout of the classifier or descriptor, and the classification loss."""

    hidden: Count = 512
    dropout: BelowOne = 0.5
    classification: Literal["logistic", "euclidean"] = "logistic"


@dataclass(frozen=True)
class DescriptorOptions(HeadOptions):
    """size: numbers of the descriptor, compared at length 1. share: of a batch that is pairs."""

    size: Count = 128
    share: Share = 0.5


class Head(nn.Module):
    """A head with its options and the classification loss that they name."""

    def __init__(self, options: Any):
        super().__init__()
        self.options = options
        self.classification = getattr(losses, options.classification)

    def loss(self, output: Output, targets: Float[Tensor, "b c"]) -> dict[str, Tensor]:
        return {"classification": self.classification(output.scores, targets)}


class ByProduct(Head):
    """A head that learns from the product that each photo is of, in batches with pairs of photos of one product."""

    needs: ClassVar[Sequence[str]] = ("main",)

    def order(self, draw: np.random.Generator, batch: int, *, main: np.ndarray, **_) -> np.ndarray:
        return order_by_product(draw, batch, main, self.options.share)


class DetachedTags(ByProduct):
    """What `siamese` and `triplet` share: a descriptor, and an MLP for tags on it that does not shape it."""

    def __init__(self, depths: Sequence[int], labels: int, options: Any):
        super().__init__(options)
        self.describe = Descriptor(sum(depths), options.size, options.hidden, options.dropout)
        self.classify = tag_classifier(options.size, labels)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        descriptor = self.describe(maps)
        return Output(scores=self.classify(descriptor.detach()), features=descriptor.unsqueeze(1))


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


def order_by_product(draw: np.random.Generator, batch: int, main: np.ndarray, share: float) -> np.ndarray:
    """An epoch in which `share` of each batch are pairs of photos of the same product."""
    return paired_order(draw, batch, by_product(main[:, None]), share)
