"""The baseline of Inoue, Simo-Serra, Yamasaki, Ishikawa, "Multi-Label Fashion Image Classification with Minimal Human
Supervision", ICCV Workshops 2017: a plain classifier that takes the noisy tags at their word.

Simplified: VGG16 there, the common trunk here. With the same options and seed it is the head `whole`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from fashionlib import losses
from fashionlib.output import Output
from fashionlib.rivals.classifier import PooledClassifier


@dataclass(frozen=True)
class InoueBaselineOptions:
    """hidden units and dropout of the classifier."""

    hidden: int = 512
    dropout: float = 0.5
    classification: str = "logistic"


class InoueBaseline(nn.Module):
    """Scores from the pooled map; the pooled map is what retrieval compares."""

    def __init__(self, depths: Sequence[int], labels: int, options: InoueBaselineOptions | None = None):
        super().__init__()
        self.options = options = options or InoueBaselineOptions()
        self.classifier = PooledClassifier(sum(depths), labels, options.hidden, options.dropout)
        self.classification = getattr(losses, options.classification)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        pooled, _, scores = self.classifier(maps)
        return Output(scores=scores, features=pooled.unsqueeze(1))

    def loss(self, output: Output, targets: Float[Tensor, "b c"]) -> dict[str, Tensor]:
        return {"classification": self.classification(output.scores, targets)}
