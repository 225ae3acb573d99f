"""A Siamese network: Hadsell, Chopra, LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006;
for fashion: Veit and others, "Learning Visual Clothing Style with Heterogeneous Dyadic Co-occurrences", ICCV 2015.

Photos of the same product are pulled together, others pushed apart up to a margin; loss and miner of
pytorch-metric-learning. A photo counts as of one product: the one it is of, or of which most is to be seen. Half of
each batch are pairs. Such a network has no tags: an MLP on the detached descriptor, which it does not shape, learns
them beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from fashionlib.core.options import BelowOne, Count, NotNegative, Share
from fashionlib.core.output import Output
from fashionlib.data.pairing import by_product
from fashionlib.data.supervision import paired_order
from fashionlib.models import losses
from fashionlib.models.baselines.classifier import Descriptor, identities, tag_classifier


@dataclass(frozen=True)
class SiameseOptions:
    """size: numbers of the descriptor, compared at length 1. margin: of unlike photos. near: pairs of the same product
    closer than this are left out. share: of a batch that is pairs.
    """

    size: Count = 128
    hidden: Count = 512
    dropout: BelowOne = 0.2
    margin: NotNegative = 1.0
    near: NotNegative = 0.0
    share: Share = 0.5
    classification: Literal["logistic", "euclidean"] = "logistic"


class ByProduct(nn.Module):
    """What `siamese` and `triplet` share: a descriptor, batches with pairs, and tags on top that do not shape it."""

    needs: ClassVar = ("main",)

    def __init__(self, depths: Sequence[int], labels: int, options: Any):
        super().__init__()
        self.options = options
        self.describe = Descriptor(sum(depths), options.size, options.hidden, options.dropout)
        self.classify = tag_classifier(options.size, labels)
        self.classification = getattr(losses, options.classification)

    def order(self, draw: np.random.Generator, batch: int, *, main: np.ndarray, **_) -> np.ndarray:
        return order_by_product(draw, batch, main, self.options.share)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        descriptor = self.describe(maps)
        return Output(scores=self.classify(descriptor.detach()), features=descriptor.unsqueeze(1))


class Siamese(ByProduct):
    """A descriptor taught by pairs."""

    def __init__(self, depths: Sequence[int], labels: int, options: SiameseOptions | None = None):
        # here: other kinds need not wait for it
        from pytorch_metric_learning.losses import ContrastiveLoss
        from pytorch_metric_learning.miners import PairMarginMiner

        options = options or SiameseOptions()
        super().__init__(depths, labels, options)
        margins: dict[str, Any] = {"pos_margin": options.near, "neg_margin": options.margin}  # typed int there
        self.mine, self.contrast = PairMarginMiner(**margins), ContrastiveLoss(**margins)

    def loss(
        self, output: Output, targets: Float[Tensor, "b c"], *, main: Int[Tensor, " b"]
    ) -> dict[str, Tensor]:  # fmt: skip
        descriptors, products = output.features[:, 0].float(), identities(main)
        contrast = self.contrast(descriptors, products, self.mine(descriptors, products))
        return {"contrast": contrast, "classification": self.classification(output.scores, targets)}


def order_by_product(draw: np.random.Generator, batch: int, main: np.ndarray, share: float) -> np.ndarray:
    """An epoch in which `share` of each batch are pairs of photos of the same product."""
    return paired_order(draw, batch, by_product(main[:, None]), share)


HEADS = {"siamese": (Siamese, SiameseOptions)}
