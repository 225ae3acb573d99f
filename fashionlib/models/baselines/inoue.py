"""Label cleaning as changed by Inoue, Simo-Serra, Yamasaki, Ishikawa, "Multi-Label Fashion Image Classification with
Minimal Human Supervision", ICCV Workshops 2017, who build on Veit et al. (`veit`) with "simple changes".

No text of the paper but its abstract was at hand. What is built is our reading of such a change: a cleaned tag is a
probability, ĉ = σ(s (2y − 1) + g(y, f)), s learned for each label, and the cleaning is a logistic loss against verified
tags. It can say "perhaps", where Veit's L1 loss decides for the likelier side. Else as `veit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fashionlib.core.options import Finite
from fashionlib.models.baselines.veit import Cleaned, CleaningOptions, Seen, taught
from fashionlib.models.baselines.whole import WholeImage, WholeOptions


@dataclass(frozen=True)
class InoueOptions(CleaningOptions):
    """trust: where s starts; 3 takes a tag for true with probability 0.95."""

    trust: Finite = 3.0


class Inoue(Cleaned):
    """The whole-image classifier, taught how likely each tag is."""

    def __init__(self, depths: Sequence[int], labels: int, options: InoueOptions | None = None):
        options = options or InoueOptions()
        super().__init__(depths, labels, options)
        self.trust = nn.Parameter(torch.full((labels,), options.trust))

    def loss(
        self, output: Seen, targets: Float[Tensor, "b c"], *, clean: Float[Tensor, "b c"], verified: Bool[Tensor, " b"],
        progress: float,
    ) -> dict[str, Tensor]:  # fmt: skip
        """classification + 0.1 × the logistic loss of ĉ on verified photos; ĉ teaches without a gradient."""
        cleaned = self.trust * (2 * targets - 1) + self.correction(targets, output.visual)
        believed = targets if progress < self.options.alone else cleaned.sigmoid()
        apart = F.binary_cross_entropy_with_logits(cleaned, clean, reduction="none").sum(1)[verified]
        return {
            "classification": self.classification(output.scores, taught(believed, clean, verified)),
            "cleaning": self.options.cleaning_weight * apart.sum() / verified.sum().clamp(min=1),
        }


class InoueBaseline(WholeImage):
    """Their baseline: a plain classifier that trains on noisy tags unchanged.

    Simplified: VGG16 there, the common trunk here. So it is the head `whole`, by the name that Table 1 gives it.
    """


HEADS = {"inoue": (Inoue, InoueOptions), "inoue-baseline": (InoueBaseline, WholeOptions)}
