"""The whole picture: the same trunk, pooled, and a tuned classifier on top, see `PooledClassifier`."""

from dataclasses import dataclass

from fashionlib.core.options import BelowOne
from fashionlib.core.output import Output
from fashionlib.models.baselines.common import Depths, Head, HeadOptions, Maps, PooledClassifier


@dataclass(frozen=True)
class WholeOptions(HeadOptions):
    """input_dropout: of the pooled features."""

    input_dropout: BelowOne = 0.2


class WholeImage(Head):
    """Scores and features of the pooled map."""

    def __init__(self, depths: Depths, labels: int, options: WholeOptions):
        super().__init__(options)
        self.classifier = PooledClassifier(sum(depths), labels, options, options.input_dropout)

    def forward(self, maps: Maps) -> Output:
        pooled, _, scores = self.classifier(maps)
        return Output(scores=scores, features=pooled.unsqueeze(1))


HEADS = {"whole": (WholeImage, WholeOptions)}
