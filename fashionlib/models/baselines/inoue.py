"""Label cleaning as changed by Inoue, Simo-Serra, Yamasaki, Ishikawa, "Multi-Label Fashion Image Classification with
Minimal Human Supervision", ICCV Workshops 2017, who build on Veit et al. (`veit`) with "simple changes".

No text of the paper but its abstract was at hand. What is built is our reading of such a change: a cleaned tag is a
probability, ĉ = σ(s (2y − 1) + g(y, f)), s learned for each label, and the cleaning is a logistic loss against verified
tags. It can say "perhaps", where Veit's L1 loss decides for the likelier side. Else as `veit`.

Their baseline is a plain classifier that trains on noisy tags unchanged: the head `whole` (VGG16 there).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.options import Finite
from fashionlib.models.baselines.common import Depths, Tags
from fashionlib.models.baselines.veit import Cleaned, CleaningOptions
from fashionlib.models.baselines.whole import WholeImage, WholeOptions


@dataclass(frozen=True)
class InoueOptions(CleaningOptions):
    """trust: where s starts; 3 takes a tag for true with probability 0.95."""

    trust: Finite = 3.0


class Inoue(Cleaned):
    """The whole-image classifier, taught how likely each tag is."""

    def __init__(self, depths: Depths, labels: int, options: InoueOptions):
        super().__init__(depths, labels, options)
        self.trust = nn.Parameter(torch.full((labels,), options.trust))

    def cleaned(self, tags: Tags, visual: Float[Tensor, "b h"], clean: Tags) -> tuple[Tags, Tags]:
        cleaned = self.trust * (2 * tags - 1) + self.correction(tags, visual)
        return cleaned.sigmoid(), F.binary_cross_entropy_with_logits(cleaned, clean, reduction="none")


HEADS = {"inoue": (Inoue, InoueOptions), "inoue-baseline": (WholeImage, WholeOptions)}
