"""A Triplet network: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015; for images of products: Wang and others,
"Learning Fine-Grained Image Similarity with Deep Ranking", CVPR 2014.

A photo is to be nearer to another one of the same product than to any else, by a margin; loss and miner of
pytorch-metric-learning. Else as `siamese`.
"""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.options import BelowOne, NotNegative
from fashionlib.core.output import Output
from fashionlib.models.baselines.common import Depths, DescriptorOptions, DetachedTags, Products, Tags, identities


@dataclass(frozen=True)
class TripletOptions(DescriptorOptions):
    """margin: see above. triplets: which of those that break it are learned from, "all", "hard" or "semihard"."""

    dropout: BelowOne = 0.2
    margin: NotNegative = 0.2
    triplets: Literal["all", "hard", "semihard"] = "all"


class Triplet(DetachedTags):
    """A descriptor taught by triplets."""

    def __init__(self, depths: Depths, labels: int, options: TripletOptions):
        super().__init__(depths, labels, options)
        self.rank = MinedTriplets(options.margin, options.triplets)

    def loss(self, output: Output, targets: Tags, *, main: Products) -> dict[str, Tensor]:
        return {"ranking": self.rank(output.features[:, 0], main), **super().loss(output, targets)}


class MinedTriplets(nn.Module):
    """Mean over the triplets that break the margin of max(0, ‖a − p‖ − ‖a − n‖ + margin), descriptors at length 1."""

    def __init__(self, margin: float, triplets: str = "all"):
        # here: other kinds need not wait for it
        from pytorch_metric_learning.losses import TripletMarginLoss
        from pytorch_metric_learning.miners import TripletMarginMiner

        super().__init__()
        self.mine, self.margin = TripletMarginMiner(margin, triplets), TripletMarginLoss(margin)

    def forward(self, descriptors: Float[Tensor, "b f"], main: Products) -> Float[Tensor, ""]:
        descriptors, products = descriptors.float(), identities(main)
        return self.margin(descriptors, products, self.mine(descriptors, products)).reshape(())


HEADS = {"triplet": (Triplet, TripletOptions)}
