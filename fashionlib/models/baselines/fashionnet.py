"""FashionNet: Liu, Luo, Qiu, Wang, Tang, "DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
Annotations", CVPR 2016. Landmarks are predicted, features pooled around them and hidden ones left out, and these local
features together with global ones learn attributes and a triplet ranking.

Simplified: the common trunk; a landmark is found by a map over the cells (there regressed) and pooled under that map
(there a window); all losses at once instead of in rounds. On the wardrobe the landmarks are the centres of an outfit's
parts (top, shoes, what is carried …), from the truth about the training photos: it tells that something is worn there,
not what. No other row is told as much.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.errors import InputError
from fashionlib.core.options import Count, NotNegative
from fashionlib.core.output import Output
from fashionlib.models.baselines.common import ByProduct, Depths, DescriptorOptions, Maps, Products, Tags
from fashionlib.models.baselines.triplet import MinedTriplets


@dataclass(frozen=True)
class FashionNetOptions(DescriptorOptions):
    """landmarks: how many points the data set knows (the wardrobe 12, DeepFashion 8, CCP one a label). reduce: channels
    around a landmark. ranking, finding: weights of the triplets and of the landmarks beside 1 for attributes.
    """

    landmarks: Count = 12
    reduce: Count = 64
    margin: NotNegative = 0.2
    ranking: NotNegative = 10.0
    finding: NotNegative = 1.0


@dataclass(kw_only=True)
class Found(Output):
    """where: b l n, logits over the cells (row by row of a grid of `rows` rows) for each landmark.

    seen: b l, logit of its being visible.
    """

    where: Tensor
    seen: Tensor
    rows: int


class FashionNet(ByProduct):
    """Landmarks, local and global features, a descriptor of both; tags from it."""

    needs = ("landmarks", "main")

    def __init__(self, depths: Depths, labels: int, options: FashionNetOptions):
        super().__init__(options)
        channels, points = sum(depths), options.landmarks
        self.standardise = nn.BatchNorm2d(channels, affine=False)
        self.find = nn.Sequential(nn.Conv2d(channels, 128, 3, padding=1), nn.ReLU(), nn.Conv2d(128, points, 1))
        self.visible = nn.Linear(points, points)
        self.reduce = nn.Sequential(nn.Conv2d(channels, options.reduce, 1), nn.ReLU())
        self.local = nn.Sequential(nn.Linear(points * options.reduce, options.hidden), nn.ReLU())
        self.all = nn.Sequential(nn.Dropout(0.2), nn.Linear(channels, options.hidden), nn.ReLU())
        self.describe = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(2 * options.hidden, options.size))
        self.classify = nn.Sequential(nn.ReLU(), nn.Linear(options.size, labels))
        self.rank = MinedTriplets(options.margin)

    def forward(self, maps: Maps) -> Found:
        maps = self.standardise(maps)
        where = self.find(maps).flatten(2)  # b l n
        seen = self.visible(where.amax(-1))  # b l
        attention = (where.softmax(-1) * seen.sigmoid()[..., None]).detach()  # points teach where, features do not
        around = torch.einsum("bln,brn->blr", attention, self.reduce(maps).flatten(2))
        descriptor = self.describe(torch.cat([self.local(around.flatten(1)), self.all(maps.mean((2, 3)))], 1))
        scores, features = self.classify(descriptor), descriptor.unsqueeze(1)
        return Found(scores=scores, features=features, where=where, seen=seen, rows=maps.shape[2])

    def loss(
        self, output: Found, targets: Tags, *, landmarks: Float[Tensor, "b l 3"], main: Products
    ) -> dict[str, Tensor]:
        if landmarks.shape[1] != self.options.landmarks:
            raise InputError(
                f"FashionNet was built for {self.options.landmarks} landmarks, the photos have {landmarks.shape[1]}: "
                f"set landmarks: {landmarks.shape[1]} in its head"
            )
        return {
            **super().loss(output, targets),
            "ranking": self.options.ranking * self.rank(output.features[:, 0], main),
            "finding": self.options.finding * finding_loss(output.where, output.seen, landmarks, output.rows),
        }


def finding_loss(
    where: Float[Tensor, "b l n"], seen: Float[Tensor, "b l"], landmarks: Float[Tensor, "b l 3"], rows: int
) -> Float[Tensor, ""]:
    """Cross-entropy of the cell in which a visible landmark lies, and logistic loss of its being seen (1) or not (0).

    Means over those known: landmarks of photos that nobody marked (−1) are left out.
    """
    columns = where.shape[2] // rows
    row = ((landmarks[..., 1] + 1) / 2 * rows).floor().clamp(0, rows - 1)
    column = ((landmarks[..., 0] + 1) / 2 * columns).floor().clamp(0, columns - 1)
    cell, there, known = (row * columns + column).long(), landmarks[..., 2] > 0, landmarks[..., 2] >= 0
    placed = F.cross_entropy(where.flatten(0, 1), cell.flatten(), reduction="none").view_as(seen)
    visible = F.binary_cross_entropy_with_logits(seen, there.float(), reduction="none")
    return (placed * there).sum() / there.sum().clamp(min=1) + (visible * known).sum() / known.sum().clamp(min=1)


HEADS = {"fashionnet": (FashionNet, FashionNetOptions)}
