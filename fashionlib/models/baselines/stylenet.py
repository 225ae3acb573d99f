"""StyleNet: Simo-Serra and Ishikawa, "Fashion Style in 128 Floats: Joint Ranking and Classification using Weak Data for
Feature Extraction", CVPR 2016. Photos with nearly the same tags come close together, photos with no tag in common far
apart, and the tags are told from the same 128 numbers.

Simplified: the common trunk and optimiser (Adadelta there). Triplets are all those in a batch, half of which are pairs
of similar photos found among all training photos, so that their threshold of 0.75 need not be relaxed although a batch
by chance holds none. The classification loss is over the whole batch (there over the triplet's dissimilar photo; here
nearly every photo is one) and logistic. At first, as there, tags alone are learned, then both. Retrieval compares the
descriptor at length 1, as everywhere in this project.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fashionlib.core.options import NotNegative, Share
from fashionlib.core.output import Output
from fashionlib.data.supervision import Partners, by_tags, paired_order, tag_overlap
from fashionlib.models.baselines.common import Depths, Descriptor, DescriptorOptions, Head, Maps, Tags


@dataclass(frozen=True)
class StyleNetOptions(DescriptorOptions):
    """similar, dissimilar: the tags' intersection over union above or below which two photos count as that. alone: the
    share of training that is classification alone. weight: of the classification beside 1 for ranking, once both are
    learned.
    """

    similar: Share = 0.75
    dissimilar: Share = 0.01
    alone: Share = 0.5
    weight: NotNegative = 0.01


class StyleNet(Head):
    """A descriptor, and a linear classifier on it."""

    needs = ("progress",)

    def __init__(self, depths: Depths, labels: int, options: StyleNetOptions):
        super().__init__(options)
        self.describe = Descriptor(sum(depths), options)
        self.classify = nn.Sequential(nn.BatchNorm1d(options.size), nn.Linear(options.size, labels))
        self._paired: tuple[np.ndarray, Partners] | None = None

    def order(self, draw: np.random.Generator, batch: int, *, targets: np.ndarray, progress: float) -> np.ndarray:
        if progress < self.options.alone:
            return draw.permutation(len(targets))
        if self._paired is None or self._paired[0] is not targets:  # once for all epochs
            self._paired = targets, by_tags(targets, self.options.similar)
        return paired_order(draw, batch, self._paired[1], self.options.share)

    def forward(self, maps: Maps) -> Output:
        descriptor = self.describe(maps)
        return Output(scores=self.classify(descriptor), features=descriptor.unsqueeze(1))

    def loss(self, output: Output, targets: Tags, *, progress: float) -> dict[str, Tensor]:
        classification = self.classification(output.scores, targets)
        if progress < self.options.alone:
            return {"classification": classification}
        overlap = tag_overlap(targets, targets).fill_diagonal_(0.5)  # neither similar nor dissimilar to itself
        similar, dissimilar = overlap > self.options.similar, overlap < self.options.dissimilar
        ranking = ranking_loss(output.features[:, 0], similar, dissimilar)
        return {"classification": self.options.weight * classification, "ranking": ranking}


def ranking_loss(
    descriptors: Float[Tensor, "b f"], similar: Bool[Tensor, "b b"], dissimilar: Bool[Tensor, "b b"]
) -> Float[Tensor, ""]:
    """Mean over triplets (photo, similar, dissimilar) of d₊², d₊ = e^‖f − f₊‖ / (e^‖f − f₊‖ + e^‖f − f₋‖).

    0 without a triplet.
    """
    anchor, near = similar.nonzero(as_tuple=True)
    place, far = dissimilar[anchor].nonzero(as_tuple=True)
    anchor, near = anchor[place], near[place]
    closer = _distances(descriptors, anchor, near) - _distances(descriptors, anchor, far)
    return closer.sigmoid().square().sum() / max(1, len(closer))  # softmax of two is a sigmoid of their difference


def _distances(descriptors: Tensor, first: Tensor, second: Tensor) -> Tensor:
    apart = (descriptors[:, None] - descriptors[None]).square().sum(-1)
    return apart[first, second].clamp(min=1e-12).sqrt()  # no slope without end at 0


HEADS = {"stylenet": (StyleNet, StyleNetOptions)}
