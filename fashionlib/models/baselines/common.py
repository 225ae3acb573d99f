"""What several baselines are made of: options, a classifier on the pooled map, a descriptor, batches with pairs.

Shapes: b photos, d channels of the trunk's map, y × x its cells, c labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fashionlib.core.options import BelowOne, Count, Share
from fashionlib.core.output import Output
from fashionlib.data.supervision import by_product, paired_order
from fashionlib.models import losses

Depths = Sequence[int]  # channels of the map, depth by depth
Maps = Float[Tensor, "b d y x"]
Tags = Float[Tensor, "b c"]
Products = Int[Tensor, " b"]  # of the product that a photo is of; −1 for none


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
    """A head with its options and the classification loss that they name.

    needs: what its loss is told of the photos beside their tags, see `fashionlib.data.supervision`.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, options: Any):
        super().__init__()
        self.options = options
        self.classification = getattr(losses, options.classification)

    def loss(self, output: Output, targets: Tags) -> dict[str, Tensor]:
        return {"classification": self.classification(output.scores, targets)}


class ByProduct(Head):
    """A head that learns from the product that each photo is of, in batches with pairs of photos of one product."""

    needs = ("main",)

    def order(self, draw: np.random.Generator, batch: int, *, main: np.ndarray, **_) -> np.ndarray:
        return paired_order(draw, batch, by_product(main[:, None]), self.options.share)


class DetachedTags(ByProduct):
    """A descriptor, and an MLP for tags on it that does not shape it."""

    def __init__(self, depths: Depths, labels: int, options: Any):
        super().__init__(options)
        self.describe = Descriptor(sum(depths), options)
        self.classify = tag_classifier(options.size, labels)

    def forward(self, maps: Maps) -> Output:
        descriptor = self.describe(maps)
        return Output(scores=self.classify(descriptor.detach()), features=descriptor.unsqueeze(1))


class PooledClassifier(nn.Module):
    """Average pooling, batch norm, dropout, linear, ReLU, dropout, linear; far stronger than one linear layer."""

    def __init__(self, channels: int, labels: int, options: HeadOptions, input_dropout: float = 0.2):
        super().__init__()
        self.normalise = nn.BatchNorm1d(channels)
        self.describe = nn.Sequential(nn.Dropout(input_dropout), nn.Linear(channels, options.hidden), nn.ReLU())
        self.classify = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(options.hidden, labels))

    def forward(self, maps: Maps) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b h"], Float[Tensor, "b c"]]:
        """The pooled features, what the hidden layer makes of them, and the scores."""
        pooled = self.normalise(maps.mean((2, 3)))
        hidden = self.describe(pooled)
        return pooled, hidden, self.classify(hidden)


class Descriptor(nn.Module):
    """The pooled map as `options.size` numbers: batch norm, dropout, linear, ReLU, dropout, linear."""

    def __init__(self, channels: int, options: DescriptorOptions):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(channels), nn.Dropout(0.2), nn.Linear(channels, options.hidden), nn.ReLU(),
            nn.Dropout(options.dropout), nn.Linear(options.hidden, options.size),
        )  # fmt: skip

    def forward(self, maps: Maps) -> Float[Tensor, "b size"]:
        return self.layers(maps.mean((2, 3)))


def tag_classifier(size: int, labels: int) -> nn.Sequential:
    """Tags from a descriptor, for methods that have no tags of their own."""
    return nn.Sequential(nn.BatchNorm1d(size), nn.Linear(size, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, labels))


def identities(main: Products) -> Products:
    """A number for each photo, the same for photos of one product; photos of none are each their own."""
    return torch.where(main < 0, -1 - torch.arange(len(main), device=main.device), main)
