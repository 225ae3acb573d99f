"""The whole-image rival: the same trunk, pooled, and a tuned classifier on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.options import BelowOne, Count
from fashionlib.core.output import Output
from fashionlib.models import losses
from fashionlib.models.baselines.classifier import PooledClassifier


@dataclass(frozen=True)
class WholeOptions:
    """hidden units and dropout of the classifier, input dropout, and the classification loss."""

    hidden: Count = 512
    dropout: BelowOne = 0.5
    input_dropout: BelowOne = 0.2
    classification: Literal["logistic", "euclidean"] = "logistic"


class WholeImage(nn.Module):
    """Average pooling of the map, then linear, ReLU, dropout, linear. Far stronger than one linear layer."""

    def __init__(self, depths: Sequence[int], labels: int, options: WholeOptions | None = None):
        super().__init__()
        self.options = options = options or WholeOptions()
        self.classifier = PooledClassifier(
            sum(depths), labels, options.hidden, options.dropout, options.input_dropout
        )  # fmt: skip
        self.classification = getattr(losses, options.classification)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        pooled, _, scores = self.classifier(maps)
        return Output(scores=scores, features=pooled.unsqueeze(1))

    def loss(self, output: Output, targets: Float[Tensor, "b c"]) -> dict[str, Tensor]:
        return {"classification": self.classification(output.scores, targets)}


HEADS = {"whole": (WholeImage, WholeOptions)}
