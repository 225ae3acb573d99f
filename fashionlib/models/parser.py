"""The paper's network after its trunk (Fig. 2): recurrent attention, texture encoding, label scores a step.

Read top to bottom it is the figure from left to right. The recurrence follows Wang et al., ICCV 2017 (the paper's
[16]): at step t the LSTM reads the region it was sent to, scores the labels, and says where to look next. Step 0
sees the picture whole. Every difference between the paper, its released code and ours is one field of `ParserOptions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib import losses
from fashionlib.models.attention import crop
from fashionlib.models.locate import Locator, MapLocator
from fashionlib.models.output import Output
from fashionlib.models.texture import TextureEncoding


@dataclass(frozen=True)
class ParserOptions:
    """The choices the paper makes, leaves open, or that we changed; the defaults are ours.

    steps: parts looked at after the whole picture.
    reduce: channels of a 1×1 convolution before attention; 0 for none (paper).
    region: points on which a region is sampled, rows and columns.
    anchors: layout the boxes start from, see `anchor_boxes`.
    look: "state" (paper: the next box is predicted from the LSTM's state alone) or "map" (read off an attention map,
        a query from the state against every cell; see `MapLocator`).
    numbers: 4 predicts scale and translation [W]; 6 a full affine matrix (released code). For look "state".
    hidden: LSTM units.
    scores_from: "state" (paper: the LSTM's hidden state alone), "region", or "both".
    score_whole: whether step 0's scores take part in the maximum.
    pool: of a region's points, "mean" or "flatten".
    texture: "scores" (paper: the encoding stands before the LSTM and the classifier), "beside" (a head of its own over
        the shallowest features, for retrieval) or "none".
    compare: what retrieval compares, "texture", "attended" (the trunk's features under the step's attention, each depth
        at length 1) or "both".
    codewords: K of the texture encoding.
    dropout: on a region's features and before its scores.
    classification: "logistic" or "euclidean" (paper).
    localisation, divergence: factors of those losses; divergence_of: "maps" or "features" (released code).
    """

    steps: int = 6
    reduce: int = 128
    region: tuple[int, int] = (4, 4)
    anchors: str = "body"
    look: str = "map"
    numbers: int = 4
    hidden: int = 256
    scores_from: str = "both"
    score_whole: bool = True
    pool: str = "mean"
    texture: str = "beside"
    compare: str = "both"
    codewords: int = 32
    dropout: float = 0.3
    classification: str = "logistic"
    localisation: float = 0.0
    divergence: float = 0.0
    divergence_of: str = "maps"


class Parser(nn.Module):
    """Recurrent attention over the trunk's map, texture encoding, category-wise max pooling.

    depths: channels of the trunk's map, depth by depth, the shallowest first.
    """

    def __init__(self, depths: Sequence[int], labels: int, options: ParserOptions | None = None):
        super().__init__()
        self.options, self.depths = options or ParserOptions(), tuple(depths)
        options, channels = self.options, sum(depths)
        width = options.reduce or channels
        self.standardise = nn.BatchNorm2d(channels, affine=False)
        self.reduce = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU()) if options.reduce else nn.Identity()
        self.locate = MapLocator(width, options) if options.look == "map" else Locator(width, options)
        self.describe, described = _describer(width, options)
        if options.look == "map":
            described += width
        self.lstm = nn.LSTMCell(described, options.hidden)
        read = {"state": options.hidden, "region": described, "both": options.hidden + described}
        self.score = nn.Sequential(
            nn.Linear(read[options.scores_from], 512), nn.ReLU(), nn.Dropout(options.dropout), nn.Linear(512, labels)
        )
        if options.texture == "beside":
            self.texture = TextureEncoding(self.depths[0], options.codewords)
            self.texture_score = nn.Linear(options.codewords * self.depths[0], labels)
        self.classification = getattr(losses, options.classification)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        options = self.options
        standard = self.standardise(maps)
        maps = self.reduce(standard if options.reduce else maps)
        keys = self.locate.read(maps)
        theta, attention = self.locate.whole(maps)  # step 0 sees everything
        state: tuple[Tensor, Tensor] | None = None
        looked, attentions, vectors, scores = [], [], [], []
        for step in range(options.steps + 1):
            vector = self.describe(crop(maps, theta, options.region))  # b f
            if options.look == "map":
                vector = torch.cat([vector, torch.einsum("byx,bdyx->bd", attention, maps)], 1)
            state = self.lstm(vector, state)
            scores.append(self.score(self._read(state[0], vector)))  # b c
            looked.append(theta)
            attentions.append(attention)
            vectors.append(vector)
            if step < options.steps:
                theta, attention = self.locate(state[0], step, keys)
        first = 0 if options.score_whole else 1
        steps, theta, attention, vectors = (
            torch.stack(each[first:], 1) for each in (scores, looked, attentions, vectors)
        )
        features, textures = self._compared(standard, attention, vectors)
        return Output(
            scores=steps.amax(1),  # category-wise max pooling
            features=features, steps=steps, theta=theta, attention=attention.flatten(2), texture_scores=textures,
        )  # fmt: skip

    def _read(self, hidden: Tensor, vector: Tensor) -> Tensor:
        if self.options.scores_from == "both":
            return torch.cat([hidden, vector], 1)
        return hidden if self.options.scores_from == "state" else vector

    def _compared(self, standard: Tensor, attention: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor | None]:
        """What retrieval compares, b s f, and the texture head's scores, b s c. Trains no attention."""
        if self.options.texture == "scores":
            return vectors[..., : self.options.codewords * sum(self.depths)], None
        standard, attention = standard.detach(), attention.detach()
        attended = torch.einsum("bsyx,bdyx->bsd", attention, standard)
        parts = [F.normalize(depth, dim=-1) for depth in attended.split(self.depths, dim=-1)]
        if self.options.texture == "none":
            return torch.cat(parts, -1), None
        cells = standard[:, : self.depths[0]].flatten(2).transpose(1, 2)  # b n d
        encoded = torch.stack([self.texture(cells, weights) for weights in attention.flatten(2).unbind(1)], 1)
        chosen = {"texture": [encoded], "attended": parts, "both": [encoded, *parts]}[self.options.compare]
        return torch.cat(chosen, -1), self.texture_score(encoded)

    def loss(self, output: Output, targets: Float[Tensor, "b c"]) -> dict[str, Tensor]:
        """The three terms of §3, "Loss", each with its factor, and the texture head's own where it has one."""
        options = self.options
        terms = {"classification": self.classification(output.scores, targets)}
        if options.localisation and options.numbers == 4:
            parts = output.theta[:, -options.steps :]
            terms["localisation"] = options.localisation * losses.localisation(parts, self.locate.anchors[:, 2:])
        if options.divergence and options.divergence_of == "features":
            terms["divergence"] = options.divergence * losses.gram_divergence(output.features)
        elif options.divergence:
            terms["divergence"] = options.divergence * losses.divergence(output.attention[:, -options.steps :])
        if output.texture_scores is not None:
            terms["texture"] = self.classification(output.texture_scores.amax(1), targets)
        return terms


class _Cells(nn.Module):
    """b d y x → b (y·x) d"""

    def forward(self, region: Tensor) -> Tensor:
        return region.flatten(2).transpose(1, 2)


def _describer(width: int, options: ParserOptions) -> tuple[nn.Module, int]:
    """How a region b d y x becomes a vector, and its length."""
    drop = nn.Dropout(options.dropout)
    if options.texture == "scores":
        return nn.Sequential(_Cells(), TextureEncoding(width, options.codewords)), options.codewords * width
    if options.pool == "flatten":
        return nn.Sequential(nn.Flatten(), drop), width * options.region[0] * options.region[1]
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), drop), width
