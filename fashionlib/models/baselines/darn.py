"""DARN: Huang, Feris, Chen, Yan, "Cross-domain Image Retrieval with a Dual Attribute-aware Ranking Network", ICCV 2015.
Attributes and a triplet ranking shape the same features, so that what ranks has a meaning; retrieval compares what the
last layer says together with local features of the map.

Simplified: one network, not one for street and one for shop photos (all training photos are street photos, and the
trunk is frozen); the attributes are the tags; local features are the map's maxima, there those of two depths after a
PCA.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionlib.core.options import NotNegative
from fashionlib.core.output import Output
from fashionlib.models.baselines.common import ByProduct, Depths, Descriptor, DescriptorOptions, Maps, Products, Tags
from fashionlib.models.baselines.triplet import MinedTriplets


@dataclass(frozen=True)
class DARNOptions(DescriptorOptions):
    """ranking: weight of the triplets beside 1 for attributes. local: weight of the local features in what retrieval
    compares, beside 1 for the descriptor.
    """

    margin: NotNegative = 0.2
    ranking: NotNegative = 10.0
    local: NotNegative = 1.0


class DARN(ByProduct):
    """A descriptor taught by tags and triplets."""

    def __init__(self, depths: Depths, labels: int, options: DARNOptions):
        super().__init__(options)
        self.standardise = nn.BatchNorm2d(sum(depths), affine=False)
        self.describe = Descriptor(sum(depths), options)
        self.classify = nn.Sequential(nn.ReLU(), nn.Linear(options.size, labels))
        self.rank = MinedTriplets(options.margin)

    def forward(self, maps: Maps) -> Output:
        descriptor = self.describe(maps)
        local = F.normalize(self.standardise(maps).amax((2, 3)), dim=1)
        features = torch.cat([F.normalize(descriptor, dim=1), self.options.local * local], 1)
        return Output(scores=self.classify(descriptor), features=features.unsqueeze(1))

    def loss(self, output: Output, targets: Tags, *, main: Products) -> dict[str, Tensor]:
        """The triplets rank the descriptor; the local features are the trunk's and learn nothing."""
        ranking = self.rank(output.features[:, 0, : self.options.size], main)
        return {**super().loss(output, targets), "ranking": self.options.ranking * ranking}


HEADS = {"darn": (DARN, DARNOptions)}
