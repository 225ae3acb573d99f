"""WTBI: Hadi Kiapour, Han, Lazebnik, Berg, Berg, "Where to Buy It: Matching Street Clothing Photos in Online Shops",
ICCV 2015. What makes two garments the same depends on what they are: a metric is learned over all categories, then one
for each.

Simplified: a category's metric is a linear map of the common descriptor, the same for all at first, and two garments
are the same with probability σ(b − a‖u − v‖²), a > 0, where the source has a network that reads both; so a gallery is
ranked without being read again for every query. Pairs are those in a batch that show a garment of the category, half of
the batch pairs that share a product. The query's category is not told: labels count by how sure both photos are of
them, as for the paper's network. Tags come from an MLP on the detached descriptor.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor, nn

from fashionlib.core.errors import InputError
from fashionlib.core.options import BelowOne, Count, Share
from fashionlib.core.output import Output
from fashionlib.data.supervision import by_product, paired_order
from fashionlib.models.baselines.common import Depths, Descriptor, DescriptorOptions, Head, Maps, Tags, tag_classifier

NEVER = -30.0  # the score of a label at another label's step


@dataclass(frozen=True)
class WTBIOptions(DescriptorOptions):
    """metric: numbers that a category's metric compares. common: the share of training in which all categories have
    one metric.
    """

    metric: Count = 32
    dropout: BelowOne = 0.2
    common: Share = 0.5


class WTBI(Head):
    """Step 0 is the common metric, step 1 + c that of label c. Needs a column of products for each label."""

    needs = ("products", "progress")

    def __init__(self, depths: Depths, labels: int, options: WTBIOptions):
        super().__init__(options)
        self.labels = labels
        self.describe = Descriptor(sum(depths), options)
        self.common = nn.Linear(options.size, options.metric, bias=False)
        self.own = nn.Parameter(torch.zeros(labels, options.metric, options.size))  # beside the common one
        self.offset, self.slope = nn.Parameter(torch.zeros(labels + 1)), nn.Parameter(torch.zeros(labels + 1))
        self.classify = tag_classifier(options.size, labels)

    def order(self, draw: np.random.Generator, batch: int, *, products: np.ndarray, **_) -> np.ndarray:
        return paired_order(draw, batch, by_product(products), self.options.share)

    def forward(self, maps: Maps) -> Output:
        descriptor = self.describe(maps)
        scores = self.classify(descriptor.detach())
        common = self.common(descriptor)  # b m
        own = common[:, None] + torch.einsum("cms,bs->bcm", self.own, descriptor)
        steps = scores.new_full((len(scores), 1 + self.labels, self.labels), NEVER)
        steps[:, 1:].diagonal(dim1=1, dim2=2).copy_(scores)
        return Output(scores=scores, features=torch.cat([common[:, None], own], 1), steps=steps)

    def loss(
        self, output: Output, targets: Tags, *, products: Int[Tensor, "b g"], progress: float
    ) -> dict[str, Tensor]:
        """Logistic loss of "the same garment" over pairs, same and not in equal parts: of any category, then each."""
        if products.shape[1] != self.labels:
            raise InputError(f"WTBI has {self.labels} categories, the photos {products.shape[1]} columns of products")
        pairs = [garment_pairs(products[:, label]) for label in range(self.labels)]
        first, second, same = (torch.cat(each) for each in zip(*pairs, strict=True))
        step = torch.cat([torch.full_like(pair[0], 1 + label) for label, pair in enumerate(pairs)])
        if progress < self.options.common:
            step = torch.zeros_like(step)
        apart = (output.features[first, step] - output.features[second, step]).square().sum(1)
        likely = self.offset[step] - self.slope[step].exp() * apart
        weight = torch.where(same, 0.5 / same.sum().clamp(min=1), 0.5 / (~same).sum().clamp(min=1))
        metric = F.binary_cross_entropy_with_logits(likely, same.float(), weight, reduction="sum")
        return {"metric": metric, **super().loss(output, targets)}


def garment_pairs(products: Int[Tensor, " b"]) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"], Bool[Tensor, " n"]]:
    """All pairs of photos that both show a garment of a category, and whether it is the same one."""
    shown = (products >= 0).nonzero().flatten()
    first, second = shown[torch.triu_indices(len(shown), len(shown), 1, device=products.device)]
    return first, second, products[first] == products[second]


HEADS = {"wtbi": (WTBI, WTBIOptions)}
