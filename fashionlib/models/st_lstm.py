"""The ST-LSTM: the recurrent attention of the paper's Fig. 2 (§3, "Visual Attention Module"), step by step.

The recurrence follows Wang et al., ICCV 2017 (the paper's [16]): at step t the LSTM reads the region that a spatial
transformer crops for it, scores the labels, and says where to look next. Step 0 sees the picture whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.options import BelowOne, Count, NotNegative, Whole
from fashionlib.core.output import Output
from fashionlib.models.attention import BoxLocator, MapLocator, attended_scores, whole_picture
from fashionlib.models.spatial_transformer import affine_matrix, anchor_boxes, crop, crop_weights
from fashionlib.models.texture import TextureEncoding

Anchors = Literal["body", "circle", "centre", "stripes"]  # see `anchor_boxes`


@dataclass(frozen=True)
class STLSTMOptions:
    """The choices about the recurrence that the paper makes, leaves open, or that we changed; the defaults are ours.

    steps: parts looked at after the whole picture.
    reduce: channels of a 1×1 convolution before attention; 0 for none (paper).
    region: points on which a region is sampled, rows and columns. pool: of them, the mean.
    anchors: layout the boxes start from, see `anchor_boxes`.
    look: "state" (paper: the next box is predicted from the LSTM's state alone), "map" (read off an attention map, a
        query from the state against every cell; see `MapLocator`), or, as controls that cannot look, "fixed" (the
        anchors) and "learned" (one layout for all photos).
    prior: how strongly each step of look "map" is drawn to its anchor before training, 1 for a bump as wide as its box.
    numbers: 4 predicts scale and translation [16]; 6 a full affine matrix (released code). For look "state".
    cell: "lstm", or "released" (h = o·c, without the tanh).
    hidden: LSTM units.
    scores_from: "state" (paper: the LSTM's hidden state alone), "region", or "both".
    cells: what the scores of single cells add to a step's: "none" (paper), "mean" (of the cells it attends to), or
        "attend" (to which each label adds those of them that it likes best: `attended_scores`).
    score_whole: whether step 0's scores take part in the maximum. add_whole: whether they are added to every part's, so
        that a part says what it changes.
    texture: "scores" (paper: the encoding stands before the LSTM and the classifier), "beside" (a head of its own over
        the shallowest features, for retrieval) or "none".
    codewords: K of the texture encoding.
    dropout: on a region's features and before its scores.
    """

    steps: Count = 6
    reduce: Whole = 256
    region: tuple[Count, Count] = (4, 4)
    pool: Literal["mean"] = "mean"  # saved models name it
    anchors: Anchors = "body"
    look: Literal["map", "state", "fixed", "learned"] = "map"
    prior: NotNegative = 0.1
    numbers: Literal[4, 6] = 4
    cell: Literal["lstm", "released"] = "lstm"
    hidden: Count = 256
    scores_from: Literal["state", "region", "both"] = "both"
    cells: Literal["none", "mean", "attend"] = "attend"
    score_whole: bool = True
    add_whole: bool = False
    texture: Literal["scores", "beside", "none"] = "beside"
    codewords: Count = 32
    dropout: BelowOne = 0.3


class STLSTM(nn.Module):
    """The steps' scores, boxes and features of a map of `depths` channels."""

    def __init__(self, depths: Sequence[int], labels: int, options: STLSTMOptions):
        super().__init__()
        self.options, channels = options, sum(depths)
        width = options.reduce or channels
        self.standardise = nn.BatchNorm2d(channels, affine=False)
        self.reduce = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU()) if options.reduce else nn.Identity()
        anchors = anchor_boxes(options.anchors, options.steps)
        if options.look == "map":
            self.locate = MapLocator(width, anchors, options.hidden, options.prior)
        else:
            anchors = anchors if options.numbers == 4 else affine_matrix(anchors).flatten(1)
            self.locate = BoxLocator(options.look, anchors, options.hidden)
        described = width if options.look == "map" else 0  # of what is summed under the attention, beside the region
        if options.texture == "scores":
            self.describe = nn.Sequential(_Cells(), TextureEncoding(width, options.codewords))
            described += width * options.codewords
        else:
            self.describe = nn.Dropout(options.dropout)
            described += width
        self.lstm = (nn.LSTMCell if options.cell == "lstm" else ReleasedCell)(described, options.hidden)
        read = {"state": options.hidden, "region": described, "both": options.hidden + described}
        self.score = nn.Sequential(
            nn.Linear(read[options.scores_from], 512), nn.ReLU(), nn.Dropout(options.dropout), nn.Linear(512, labels)
        )
        if options.cells != "none":
            self.score_cells = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(width, labels))

    def unroll(self, maps: Float[Tensor, "b d y x"]) -> Output:
        """All steps on the (reduced) map; step 0 is left out where it is not scored. features: what the LSTM read."""
        options = self.options
        read, places = self.locate.read(maps), maps.flatten(2).transpose(1, 2).contiguous()  # b n d
        cells = None if options.cells == "none" else self.score_cells(places).transpose(1, 2).contiguous()  # b c n
        theta, attention = whole_picture(maps, options.numbers)  # step 0 sees everything
        state: tuple[Tensor, Tensor] | None = None
        rows: list[tuple[Tensor, ...]] = []
        for step in range(options.steps + 1):
            vector = self.region(maps, places, theta, attention)
            scores, state = self.step(vector, state, cells, attention.flatten(1))
            rows.append((scores + rows[0][0] if step and options.add_whole else scores, theta, attention, vector))
            if step < options.steps:
                theta, attention = self.locate(state[0], step, read)
        rows = rows if options.score_whole else rows[1:]
        steps, theta, attention, vectors = (torch.stack(each, 1) for each in zip(*rows, strict=True))
        scores = steps.amax(1)  # category-wise max pooling (§3, "Training")
        return Output(scores=scores, features=vectors, steps=steps, theta=theta, attention=attention.flatten(2))

    def step(
        self, vector: Float[Tensor, "b f"], state: tuple[Tensor, Tensor] | None, cells: Tensor | None,
        attention: Float[Tensor, "b n"],
    ) -> tuple[Float[Tensor, "b c"], tuple[Tensor, Tensor]]:  # fmt: skip
        """One ST-LSTM step on the region f_t: (h_t, c_t) = LSTM(f_t, h_{t−1}, c_{t−1}), z_t = MLP(h_t), a label each.

        The MLP may read f_t, too (`scores_from`), and the scores of the attended `cells` are added where there are any.
        The next box θ_{t+1} follows from h_t (`locate`).
        """
        hidden, cell = self.lstm(vector, state)
        read = {"state": [hidden], "region": [vector], "both": [hidden, vector]}[self.options.scores_from]
        scores = self.score(torch.cat(read, 1))
        if cells is not None:
            scores = scores + attended_scores(cells, attention, own=self.options.cells == "attend")
        return scores, (hidden, cell)

    def region(self, maps: Tensor, places: Tensor, theta: Tensor, attention: Tensor) -> Float[Tensor, "b f"]:
        """f_t: the described crop, and with look "map" the features summed under the attention.

        places: the map's cells, b n d. The mean over an upright crop is a product with them (`crop_weights`).
        """
        options, attended = self.options, attention.flatten(1)  # b n
        if options.texture != "scores" and options.numbers == 4:
            mean = crop_weights(theta, options.region, (maps.shape[-2], maps.shape[-1]))
            looked = torch.stack([mean, attended], 1) if options.look == "map" else mean.unsqueeze(1)
            vector, *under = (looked @ places).unbind(1)
            return torch.cat([self.describe(vector), *under], 1)
        cropped = crop(maps, theta, options.region)
        vector = self.describe(cropped if options.texture == "scores" else cropped.flatten(2).mean(2))
        if options.look != "map":
            return vector
        return torch.cat([vector, (attended.unsqueeze(1) @ places).squeeze(1)], 1)


class ReleasedCell(nn.LSTMCell):
    """An LSTM whose output is o·c, without the tanh, as the released code computes it."""

    def forward(self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        hidden, cell = state or (inputs.new_zeros(len(inputs), self.hidden_size),) * 2
        gates = F.linear(inputs, self.weight_ih, self.bias_ih) + F.linear(hidden, self.weight_hh, self.bias_hh)
        i, f, g, o = gates.chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        return o.sigmoid() * cell, cell


class _Cells(nn.Module):
    """b d y x → b (y·x) d"""

    def forward(self, region: Tensor) -> Tensor:
        return region.flatten(2).transpose(1, 2)
