"""The whole picture: the same trunk, pooled, and a tuned classifier on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fashionlib.core.options import BelowOne
from fashionlib.core.output import Output
from fashionlib.models.baselines.common import Head, HeadOptions, PooledClassifier


@dataclass(frozen=True)
class WholeOptions(HeadOptions):
    """input_dropout: of the pooled features."""

    input_dropout: BelowOne = 0.2


class WholeImage(Head):
    """Average pooling of the map, then linear, ReLU, dropout, linear. Far stronger than one linear layer."""

    def __init__(self, depths: Sequence[int], labels: int, options: WholeOptions | None = None):
        options = options or WholeOptions()
        super().__init__(options)
        self.classifier = PooledClassifier(
            sum(depths), labels, options.hidden, options.dropout, options.input_dropout
        )  # fmt: skip

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        pooled, _, scores = self.classifier(maps)
        return Output(scores=scores, features=pooled.unsqueeze(1))


HEADS = {"whole": (WholeImage, WholeOptions)}
