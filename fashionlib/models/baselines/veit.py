"""Label cleaning: Veit and others, "Learning From Noisy Large-Scale Datasets With Minimal Supervision", CVPR 2017.

A small network learns, from the few photos that people verified, what noisy tags y become under the eyes of somebody
who looks: ĉ = clip(y + g(y, f), 0, 1), f the visual features. The classifier of all photos is taught ĉ instead of y.

The clip lets the gradient through: else a tag that g has carried out of 0..1 on the wrong side would never come back,
and with few wrong tags nearly all of them leave in the first steps.

Simplified: the common trunk, frozen, stands for the convolutional network, so f is the classifier's hidden layer; g has
one hidden layer on both embeddings side by side. `cleaning: false` is the same without g: the classifier is taught the
verified tags where there are some and the noisy ones elsewhere.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fashionlib.core.options import Count, NotNegative, Share
from fashionlib.core.output import Output
from fashionlib.data.supervision import mixed_order
from fashionlib.models.baselines.common import Depths, Head, HeadOptions, Maps, PooledClassifier, Tags


@dataclass(frozen=True)
class CleaningOptions(HeadOptions):
    """embedding: units for tags, for features and for what both become in g.

    verified: the share of photos that are verified, where the data set could tell of all; and trusted: their share of
    each batch (9 : 1). cleaning_weight: the loss of ĉ beside 1 for the classifier's. alone: for this share of training
    the classifier is taught the tags as they are, while g learns already.
    """

    embedding: Count = 64
    verified: Share = 0.1
    trusted: Share = 0.1
    cleaning_weight: NotNegative = 0.1
    alone: Share = 0.0


@dataclass(frozen=True)
class VeitOptions(CleaningOptions):
    """cleaning: without it verified tags replace noisy ones, and nothing is cleaned."""

    cleaning: bool = True


@dataclass(kw_only=True)
class Seen(Output):
    """visual: what the cleaning of tags looks at."""

    visual: Float[Tensor, "b h"]


class Correction(nn.Module):
    """g(y, f): how much to add to each tag. Begins with nothing to add."""

    def __init__(self, labels: int, visual: int, embedding: int):
        super().__init__()
        self.tags, self.photo = nn.Linear(labels, embedding), nn.Linear(visual, embedding)
        self.correct = nn.Sequential(nn.ReLU(), nn.Linear(2 * embedding, embedding), nn.ReLU())
        self.last = nn.Linear(embedding, labels)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, tags: Tags, visual: Float[Tensor, "b h"]) -> Float[Tensor, "b c"]:
        return self.last(self.correct(torch.cat([self.tags(tags), self.photo(visual)], 1)))


class Cleaned(Head):
    """The whole-image classifier, taught cleaned tags, in batches with verified photos; of `veit` and `inoue`.

    `cleaned` gives ĉ in 0..1, and how far it is from verified tags, label by label.
    """

    needs = ("clean", "verified", "progress")

    def __init__(self, depths: Depths, labels: int, options: Any):
        super().__init__(options)
        self.classifier = PooledClassifier(sum(depths), labels, options)
        self.correction = Correction(labels, options.hidden, options.embedding)

    def order(self, draw: np.random.Generator, batch: int, *, verified: np.ndarray, **_) -> np.ndarray:
        return mixed_order(draw, batch, verified, self.options.trusted)

    def forward(self, maps: Maps) -> Seen:
        pooled, visual, scores = self.classifier(maps)
        return Seen(scores=scores, features=pooled.unsqueeze(1), visual=visual)

    def loss(
        self, output: Seen, targets: Tags, *, clean: Tags, verified: Bool[Tensor, " b"], progress: float
    ) -> dict[str, Tensor]:
        """classification + 0.1 × how far ĉ is from the tags of verified photos; ĉ teaches without a gradient."""
        cleaned, apart = self.cleaned(targets, output.visual, clean)
        believed = targets if progress < self.options.alone else cleaned
        return {
            "classification": self.classification(output.scores, taught(believed, clean, verified)),
            "cleaning": self.options.cleaning_weight * apart.sum(1)[verified].sum() / verified.sum().clamp(min=1),
        }


class Veit(Cleaned):
    """ĉ = clip(y + g(y, f), 0, 1), at an absolute distance from verified tags."""

    def cleaned(self, tags: Tags, visual: Float[Tensor, "b h"], clean: Tags) -> tuple[Tags, Tags]:
        cleaned = clipped(tags + self.correction(tags, visual))
        return cleaned, (cleaned - clean).abs()

    def loss(self, output: Seen, targets: Tags, *, clean: Tags, verified: Bool[Tensor, " b"], progress: float):
        if self.options.cleaning:
            return super().loss(output, targets, clean=clean, verified=verified, progress=progress)
        return {"classification": self.classification(output.scores, taught(targets, clean, verified))}


def clipped(values: Tags) -> Tags:
    """The values cut to 0..1, with the gradient of values that were not cut."""
    return values + (values.clamp(0, 1) - values).detach()


def taught(believed: Tags, clean: Tags, verified: Bool[Tensor, " b"]) -> Tags:
    """What the classifier is taught: verified tags where there are some, else what is believed. Without a gradient."""
    return torch.where(verified[:, None], clean, believed.detach())


HEADS = {"veit": (Veit, VeitOptions)}
