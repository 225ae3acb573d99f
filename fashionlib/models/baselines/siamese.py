"""A Siamese network: Hadsell, Chopra, LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006;
for fashion: Veit and others, "Learning Visual Clothing Style with Heterogeneous Dyadic Co-occurrences", ICCV 2015.

Photos of the same product are pulled together, others pushed apart up to a margin; loss and miner of
pytorch-metric-learning. A photo counts as of one product: the one it is of, or of which most is to be seen. Half of
each batch are pairs. Such a network has no tags: an MLP on the detached descriptor, which it does not shape, learns
them beside it.
"""

from dataclasses import dataclass

from torch import Tensor

from fashionlib.core.options import BelowOne, NotNegative
from fashionlib.core.output import Output
from fashionlib.models.baselines.common import Depths, DescriptorOptions, DetachedTags, Products, Tags, identities


@dataclass(frozen=True)
class SiameseOptions(DescriptorOptions):
    """margin: of unlike photos. near: pairs of the same product closer than this are left out."""

    dropout: BelowOne = 0.2
    margin: NotNegative = 1.0
    near: NotNegative = 0.0


class Siamese(DetachedTags):
    """A descriptor taught by pairs: mean of max(0, d₊ − near) plus mean of max(0, margin − d₋), where not 0."""

    def __init__(self, depths: Depths, labels: int, options: SiameseOptions):
        # here: other kinds need not wait for it
        from pytorch_metric_learning.losses import ContrastiveLoss
        from pytorch_metric_learning.miners import PairMarginMiner

        super().__init__(depths, labels, options)
        margins: dict = {"pos_margin": options.near, "neg_margin": options.margin}  # typed int there
        self.mine, self.contrast = PairMarginMiner(**margins), ContrastiveLoss(**margins)

    def loss(self, output: Output, targets: Tags, *, main: Products) -> dict[str, Tensor]:
        descriptors, products = output.features[:, 0].float(), identities(main)
        contrast = self.contrast(descriptors, products, self.mine(descriptors, products))
        return {"contrast": contrast, **super().loss(output, targets)}


HEADS = {"siamese": (Siamese, SiameseOptions)}
