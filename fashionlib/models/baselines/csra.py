"""Class-specific residual attention: Zhu and Wu, "Residual Attention: A Simple but Effective Method for Multi-Label
Recognition", ICCV 2021. Every label weighs the cells by its own scores; nothing is cropped and nothing recurs.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from fashionlib.core.options import BelowOne, NotNegative
from fashionlib.core.output import Output
from fashionlib.models.baselines.common import Depths, Head, HeadOptions, Maps


@dataclass(frozen=True)
class CSRAOptions(HeadOptions):
    """hidden: channels of the 1×1 convolution before the classifier, with dropout. attention: λ, the weight of the
    attended score beside the average one. temperature: T of the softmax over cells.
    """

    dropout: BelowOne = 0.3
    attention: NotNegative = 1.0
    temperature: NotNegative = 1.0


class CSRA(Head):
    """z_c = mean over cells of s_c + λ Σ softmax over cells of (T s_c) · s_c, with s_c a cell's score for label c."""

    def __init__(self, depths: Depths, labels: int, options: CSRAOptions):
        super().__init__(options)
        channels, hidden = sum(depths), options.hidden
        self.standardise = nn.BatchNorm2d(channels, affine=False)
        self.reduce = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Dropout(options.dropout))
        self.classify = nn.Conv2d(hidden, labels, 1)

    def forward(self, maps: Maps) -> Output:
        standard = self.standardise(maps)
        cells = self.classify(self.reduce(standard)).flatten(2)  # b c n
        attention = (self.options.temperature * cells).softmax(-1)
        scores = cells.mean(-1) + self.options.attention * (attention * cells).sum(-1)
        return Output(scores=scores, features=F.normalize(standard.mean((2, 3)), dim=1).unsqueeze(1))


HEADS = {"csra": (CSRA, CSRAOptions)}
