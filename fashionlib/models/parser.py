"""The paper's network after its trunk (Fig. 2): recurrent attention, texture encoding, label scores a step.

Read top to bottom it is the figure from left to right. The recurrence follows Wang et al., ICCV 2017 (the paper's
[16]): at step t the LSTM reads the region it was sent to, scores the labels, and says where to look next. Step 0
sees the picture whole. Every difference between the paper, its released code and ours is one field of `ParserOptions`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib import losses
from fashionlib.errors import InputError
from fashionlib.models.attention import affine_matrix, anchor_boxes, crop
from fashionlib.models.output import Output
from fashionlib.models.texture import TextureEncoding


@dataclass(frozen=True)
class ParserOptions:
    """The choices the paper makes, leaves open, or that we changed; the defaults are ours.

    steps: parts looked at after the whole picture.
    reduce: channels of a 1×1 convolution before attention; 0 for none (paper).
    region: points on which a region is sampled, rows and columns.
    anchors: layout the boxes start from, see `anchor_boxes`.
    frame: "picture" (paper: boxes are predicted in the picture's coordinates) or "person" (in those of the
        person, who is found first by an attention map; see `PersonFrame`).
    numbers: 4 predicts scale and translation [W]; 6 a full affine matrix (released code).
    hidden: LSTM units.
    scores_from: "state" (paper: the LSTM's hidden state alone), "region", or "both".
    score_whole: whether step 0's scores take part in the maximum.
    texture: "scores" (paper: the encoding stands before the LSTM and the classifier), "beside" (a head of its own,
        for retrieval) or "none".
    codewords: K of the texture encoding.
    dropout: on a region's features and before its scores.
    classification: "logistic" or "euclidean" (paper).
    localisation, divergence: factors of those losses; divergence_of: "boxes" or "features" (released code).
    """

    steps: int = 6
    reduce: int = 128
    region: tuple[int, int] = (4, 4)
    anchors: str = "body"
    frame: str = "picture"
    numbers: int = 4
    hidden: int = 256
    scores_from: str = "both"
    score_whole: bool = True
    pool: str = "mean"
    texture: str = "beside"
    codewords: int = 32
    dropout: float = 0.3
    classification: str = "logistic"
    localisation: float = 0.1
    divergence: float = 0.0
    divergence_of: str = "boxes"


class Parser(nn.Module):
    """Recurrent attention over the trunk's map, texture encoding, category-wise max pooling."""

    def __init__(self, channels: int, labels: int, options: ParserOptions | None = None):
        super().__init__()
        self.options = options = options or ParserOptions()
        check(options)
        width = options.reduce or channels
        self.reduce = _reduction(channels, width) if options.reduce else nn.Identity()
        self.frame = PersonFrame(width) if options.frame == "person" else None
        self.describe, described = self._describer(width)
        self.lstm = nn.LSTMCell(described, options.hidden)
        self.locate = Locator(options)
        read = {"state": options.hidden, "region": described, "both": options.hidden + described}
        self.score = nn.Sequential(
            nn.Linear(read[options.scores_from], 512), nn.ReLU(), nn.Dropout(options.dropout), nn.Linear(512, labels)
        )
        if options.texture == "beside":
            self.texture = TextureEncoding(width, options.codewords)
            self.texture_score = nn.Linear(options.codewords * width, labels)
        self.classification = getattr(losses, options.classification)

    def _describer(self, width: int) -> tuple[nn.Module, int]:
        """How a region b d y x becomes a vector, and its length."""
        options, drop = self.options, nn.Dropout(self.options.dropout)
        if options.texture == "scores":
            return nn.Sequential(_Cells(), TextureEncoding(width, options.codewords)), options.codewords * width
        if options.pool == "flatten":
            return nn.Sequential(nn.Flatten(), drop), width * options.region[0] * options.region[1]
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), drop), width

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        options = self.options
        maps = self.reduce(maps)
        frame = None if self.frame is None else self.frame(maps)
        theta = self.locate.whole(maps)
        state: tuple[Tensor, Tensor] | None = None
        visited, vectors, scores, textures = [], [], [], []
        for step in range(options.steps + 1):
            region = crop(maps, theta, options.region)  # b d rows columns
            vector = self.describe(region)  # b f
            state = self.lstm(vector, state)
            scores.append(self.score(self._read(state[0], vector)))  # b c
            visited.append(theta)
            vectors.append(vector)
            if options.texture == "beside":
                textures.append(self.texture(_Cells()(region.detach())))  # b k*d
            if step < options.steps:
                theta = within(frame, self.locate(state[0], step))
        return self._output(torch.stack(visited, 1), torch.stack(scores, 1), vectors, textures)

    def _read(self, hidden: Tensor, vector: Tensor) -> Tensor:
        if self.options.scores_from == "both":
            return torch.cat([hidden, vector], 1)
        return hidden if self.options.scores_from == "state" else vector

    def _output(self, theta: Tensor, steps: Tensor, vectors: list[Tensor], textures: list[Tensor]) -> Output:
        if not self.options.score_whole:
            theta, steps, vectors, textures = theta[:, 1:], steps[:, 1:], vectors[1:], textures[1:]
        encoded = torch.stack(textures or vectors, 1)
        return Output(
            scores=steps.amax(1),  # category-wise max pooling
            features=encoded, steps=steps, theta=theta,
            texture_scores=self.texture_score(encoded) if textures else None,
        )  # fmt: skip

    def loss(self, output: Output, targets: Float[Tensor, "b c"]) -> dict[str, Tensor]:
        """The three terms of §3, "Loss", each with its factor, and the texture head's own where it has one."""
        options, theta = self.options, output.theta
        terms = {"classification": self.classification(output.scores, targets)}
        parts = theta[:, -options.steps :]
        if options.localisation and options.numbers == 4:
            anchors = self.locate.anchors[:, 2:]
            terms["localisation"] = options.localisation * losses.localisation(parts, anchors)
        if options.divergence and options.divergence_of == "features":
            terms["divergence"] = options.divergence * losses.gram_divergence(output.features)
        elif options.divergence:
            seen = losses.box_indicator(parts, (16, 16))
            terms["divergence"] = options.divergence * losses.divergence(seen)
        if output.texture_scores is not None:
            terms["texture"] = self.classification(output.texture_scores.amax(1), targets)
        return terms


class Locator(nn.Module):
    """theta of the next step from the LSTM's state: zero weights at first, so that each starts at its anchor [W]."""

    def __init__(self, options: ParserOptions):
        super().__init__()
        self.numbers = options.numbers
        self.register_buffer("anchors", anchor_boxes(options.anchors, options.steps))
        self.predict = nn.Linear(options.hidden, options.numbers)
        nn.init.zeros_(self.predict.weight)
        nn.init.zeros_(self.predict.bias)

    def _numbers(self, theta: Tensor) -> Tensor:
        return theta if self.numbers == 4 else affine_matrix(theta).flatten(1)

    def whole(self, maps: Tensor) -> Tensor:
        """The box of step 0: everything."""
        return self._numbers(maps.new_tensor([[1.0, 1.0, 0.0, 0.0]]).expand(len(maps), 4))

    def forward(self, hidden: Float[Tensor, "b h"], step: int) -> Float[Tensor, "b numbers"]:
        return self._numbers(self.anchors[step : step + 1]) + self.predict(hidden)


class PersonFrame(nn.Module):
    """The person's box from an attention map over the cells: its expected position, and a multiple of its spread.

    At first the map is flat, its mean the centre and its spread 1/√3, so that the frame is the whole picture.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.attend = nn.Conv2d(channels, 1, 1)
        nn.init.zeros_(self.attend.weight)
        nn.init.zeros_(self.attend.bias)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Float[Tensor, "b 4"]:
        rows, columns = maps.shape[-2:]
        attention = self.attend(maps).flatten(1).softmax(1).unflatten(1, (rows, columns))
        moments = [_moments(attention.sum(1)), _moments(attention.sum(2))]  # along x, along y
        return torch.stack([moments[0][1], moments[1][1], moments[0][0], moments[1][0]], 1)


def _moments(weights: Float[Tensor, "b n"]) -> tuple[Tensor, Tensor]:
    """Mean and √3 times the standard deviation of positions −1 … 1 under weights that sum to 1."""
    cells = weights.shape[1]
    points = (torch.arange(cells).to(weights) + 0.5) * (2 / cells) - 1
    mean = weights @ points
    variance = (weights * (points - mean.unsqueeze(1)).square()).sum(1) + (1 / cells) ** 2 / 3
    return mean, (3 * variance).clamp(min=1e-4).sqrt()


def within(frame: Tensor | None, theta: Float[Tensor, "b numbers"]) -> Float[Tensor, "b numbers"]:
    """A box given in a frame's coordinates, in the picture's."""
    if frame is None:
        return theta
    return torch.cat([theta[:, :2] * frame[:, :2], theta[:, 2:] * frame[:, :2] + frame[:, 2:]], 1)


class _Cells(nn.Module):
    """b d y x → b (y·x) d"""

    def forward(self, region: Tensor) -> Tensor:
        return region.flatten(2).transpose(1, 2)


def _reduction(channels: int, width: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.Conv2d(channels, width, 1), nn.ReLU())


def check(options: ParserOptions) -> None:
    """Raises InputError for options that do not go together."""
    if options.numbers == 6 and options.frame == "person":
        raise InputError("parser options: frame person needs numbers 4, six affine numbers have no box to place")
