"""The whole-image rival: the same trunk, pooled, and a tuned classifier on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from fashionlib import losses
from fashionlib.output import Output


@dataclass(frozen=True)
class WholeOptions:
    """hidden units and dropout of the classifier, input dropout, and the classification loss."""

    hidden: int = 512
    dropout: float = 0.5
    input_dropout: float = 0.2
    classification: str = "logistic"


class WholeImage(nn.Module):
    """Average pooling of the map, then linear, ReLU, dropout, linear. Far stronger than one linear layer."""

    def __init__(self, depths: Sequence[int], labels: int, options: WholeOptions | None = None):
        super().__init__()
        self.options = options = options or WholeOptions()
        channels = sum(depths)
        self.normalise = nn.BatchNorm1d(channels)
        self.describe = nn.Sequential(nn.Dropout(options.input_dropout), nn.Linear(channels, options.hidden), nn.ReLU())
        self.classify = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(options.hidden, labels))
        self.classification = getattr(losses, options.classification)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        pooled = self.normalise(maps.mean((2, 3)))
        scores = self.classify(self.describe(pooled))
        return Output(scores=scores, features=pooled.unsqueeze(1))

    def loss(self, output: Output, targets: Float[Tensor, "b c"]) -> dict[str, Tensor]:
        return {"classification": self.classification(output.scores, targets)}
