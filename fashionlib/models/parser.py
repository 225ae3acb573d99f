"""The paper's network after its trunk (Fig. 2): recurrent attention, texture encoding, label scores a step.

Read top to bottom it is the figure from left to right. The recurrence follows Wang et al., ICCV 2017 (the paper's
[16]): at step t the LSTM reads the region it was sent to, scores the labels, and says where to look next. Step 0
sees the picture whole. Every difference between the paper, its released code and ours is one field of `ParserOptions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.options import BelowOne, Count, NotNegative, Share, Whole
from fashionlib.core.output import Output
from fashionlib.models import losses
from fashionlib.models.attention import BoxLocator, MapLocator, anchor_boxes, crop, crop_weights, upright, whole_picture
from fashionlib.models.descriptor import LIFTED, Descriptor, covered
from fashionlib.models.texture import TextureEncoding

Anchors = Literal["body", "circle", "centre", "stripes"]  # see `anchor_boxes`


@dataclass(frozen=True)
class ParserOptions:
    """The choices the paper makes, leaves open, or that we changed; the defaults are ours.

    steps: parts looked at after the whole picture.
    reduce: channels of a 1×1 convolution before attention; 0 for none (paper).
    region: points on which a region is sampled, rows and columns.
    anchors: layout the boxes start from, see `anchor_boxes`.
    look: "state" (paper: the next box is predicted from the LSTM's state alone), "map" (read off an attention map, a
        query from the state against every cell; see `MapLocator`), or, as controls that cannot look, "fixed" (the
        anchors) and "learned" (one layout for all photos).
    prior: how strongly each step of look "map" is drawn to its anchor before training, 1 for a bump as wide as its box.
    numbers: 4 predicts scale and translation [W]; 6 a full affine matrix (released code). For look "state".
    cell: "lstm", or "released" (h = o·c, without the tanh).
    hidden: LSTM units.
    scores_from: "state" (paper: the LSTM's hidden state alone), "region", or "both".
    cells: what the scores of single cells add to a step's: "none" (paper), "mean" (of the cells it attends to), or
        "attend" (to which each label adds those of them that it likes best: `attended_scores`).
    score_whole: whether step 0's scores take part in the maximum. add_whole: whether they are added to every part's, so
        that a part says what it changes.
    pool: of a region's points, "mean" or "flatten".
    texture: "scores" (paper: the encoding stands before the LSTM and the classifier), "beside" (a head of its own over
        the shallowest features, for retrieval) or "none".
    compare: what retrieval compares, "texture", "attended" (the trunk's features under the step's attention, each depth
        at length 1), "both", or "projected" (a step's projected features beside the whole photo's, see `Descriptor`).
    whole_share: with "projected", the share in each step's scores of a linear classifier of the whole photo, which is
        fitted after training (`benchmarks.ship`); 0 for none.
    context: with "projected", the share of the whole photo in the squared distance of two steps.
    codewords: K of the texture encoding.
    dropout: on a region's features and before its scores.
    classification: "logistic" or "euclidean" (paper).
    localisation, divergence: factors of those losses; divergence_of: "maps" or "features" (released code).
    pull: the layout whose centres the localisation loss pulls to. localisation_of: "boxes", or "constant" (released
        code: the last box alone, against the first anchor, without a gradient).
    """

    steps: Count = 6
    reduce: Whole = 256
    region: tuple[Count, Count] = (4, 4)
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
    pool: Literal["mean", "flatten"] = "mean"
    texture: Literal["scores", "beside", "none"] = "beside"
    compare: Literal["texture", "attended", "both", "projected"] = "both"
    whole_share: Share = 0.0
    context: Share = 0.7
    codewords: Count = 32
    dropout: BelowOne = 0.3
    classification: Literal["logistic", "euclidean"] = "logistic"
    localisation: NotNegative = 0.0
    localisation_of: Literal["boxes", "constant"] = "boxes"
    pull: Anchors = "circle"
    divergence: NotNegative = 0.0
    divergence_of: Literal["maps", "features"] = "maps"


class Parser(nn.Module):
    """Recurrent attention over the trunk's map, texture encoding, category-wise max pooling.

    depths: channels of the trunk's map, depth by depth, the shallowest first.
    """

    pull: Tensor

    def __init__(self, depths: Sequence[int], labels: int, options: ParserOptions | None = None):
        super().__init__()
        self.options, self.depths = options or ParserOptions(), tuple(depths)
        options, channels = self.options, sum(depths)
        width = options.reduce or channels
        self.standardise = nn.BatchNorm2d(channels, affine=False)
        self.reduce = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU()) if options.reduce else nn.Identity()
        anchors = anchor_boxes(options.anchors, options.steps)
        if options.look == "map":
            self.locate = MapLocator(width, anchors, options.hidden, prior=options.prior)
        else:
            self.locate = BoxLocator(options.look, anchors, options.hidden, options.numbers)
        self.describe, described = _describer(width, options)
        self.lstm = (nn.LSTMCell if options.cell == "lstm" else ReleasedCell)(described, options.hidden)
        read = {"state": options.hidden, "region": described, "both": options.hidden + described}
        self.score = nn.Sequential(
            nn.Linear(read[options.scores_from], 512), nn.ReLU(), nn.Dropout(options.dropout), nn.Linear(512, labels)
        )
        if options.cells != "none":
            self.score_cells = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(width, labels))
        if options.texture == "beside":
            self.texture = TextureEncoding(self.depths[0], options.codewords)
            self.texture_score = nn.Linear(options.codewords * self.depths[0], labels)
        if options.compare == "projected":
            self.descriptor = Descriptor(self.depths)
            if options.whole_share:
                self.whole = nn.Linear(LIFTED, labels).requires_grad_(False)
        self.register_buffer("pull", anchor_boxes(options.pull, options.steps)[:, 2:])
        self.classification = getattr(losses, options.classification)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        """maps: of the trunk; channels beyond `depths` are the photo's colours (see `fashionlib.models.colours`)."""
        options = self.options
        maps, colours = maps[:, : sum(self.depths)], maps[:, sum(self.depths) :]
        raw = maps
        standard = self.standardise(maps)
        maps = self.reduce(standard if options.reduce else maps)
        read = self.locate.read(maps)
        places = maps.flatten(2).transpose(1, 2).contiguous()  # b n d
        cells = None if options.cells == "none" else self.score_cells(places).transpose(1, 2).contiguous()  # b c n
        theta, attention = whole_picture(maps, options.numbers)  # step 0 sees everything
        state: tuple[Tensor, Tensor] | None = None
        looked, attentions, vectors, scores = [], [], [], []
        for step in range(options.steps + 1):
            vector = self._region(maps, places, theta, attention)  # b f
            state = self.lstm(vector, state)
            own = self._score(state[0], vector, cells, attention)  # b c
            scores.append(own + scores[0] if step and options.add_whole else own)
            looked.append(theta)
            attentions.append(attention)
            vectors.append(vector)
            if step < options.steps:
                theta, attention = self.locate(state[0], step, read)
        first = 0 if options.score_whole else 1
        steps, theta, attention, vectors = (
            torch.stack(each[first:], 1) for each in (scores, looked, attentions, vectors)
        )
        if options.compare == "projected":
            raw, colours = raw.flatten(2), colours.flatten(2)
            features, textures = self._projected(raw, colours, attention.flatten(2)), None
            if options.whole_share:
                whole = self.whole(self.descriptor.pooled(raw, covered(colours, raw.shape[2])))
                steps = torch.lerp(steps, whole.unsqueeze(1).expand_as(steps), options.whole_share)
        else:
            features, textures = self._compared(standard, attention.flatten(2), vectors)
        return Output(
            scores=steps.amax(1),  # category-wise max pooling
            features=features, steps=steps, theta=theta, attention=attention.flatten(2), texture_scores=textures,
        )  # fmt: skip

    def _region(self, maps: Tensor, places: Tensor, theta: Tensor, attention: Tensor) -> Tensor:
        """What a step sees: the described crop, and the features summed under the attention where a map is read."""
        options, attended = self.options, attention.flatten(1)  # b n
        if options.pool == "mean" and options.texture != "scores" and options.numbers == 4:
            mean = crop_weights(theta, options.region, (maps.shape[-2], maps.shape[-1]))
            looked = torch.stack([mean, attended], 1) if options.look == "map" else mean.unsqueeze(1)
            vector, *under = (looked @ places).unbind(1)
            return torch.cat([self.describe(vector), *under], 1)
        vector = self.describe(crop(maps, theta, options.region))
        if options.look != "map":
            return vector
        return torch.cat([vector, (attended.unsqueeze(1) @ places).squeeze(1)], 1)

    def _score(self, hidden: Tensor, vector: Tensor, cells: Tensor | None, attention: Tensor) -> Tensor:
        read = {"state": [hidden], "region": [vector], "both": [hidden, vector]}[self.options.scores_from]
        scores = self.score(torch.cat(read, 1))
        if cells is None:
            return scores
        return scores + attended_scores(cells, attention.flatten(1), own=self.options.cells == "attend")

    def _compared(self, standard: Tensor, attention: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor | None]:
        """What retrieval compares, b s f, and the texture head's scores, b s c. Trains no attention."""
        if self.options.texture == "scores":
            return vectors, None
        cells, attention = standard.detach().flatten(2).transpose(1, 2), attention.detach()  # b n d, b s n
        parts = [F.normalize(depth, dim=-1) for depth in (attention @ cells).split(self.depths, dim=-1)]
        if self.options.texture == "none":
            return torch.cat(parts, -1), None
        encoded = self.texture(cells[..., : self.depths[0]], attention)
        chosen = {"texture": [encoded], "attended": parts, "both": [encoded, *parts]}[self.options.compare]
        return torch.cat(chosen, -1), self.texture_score(encoded)

    def _projected(self, maps: Tensor, colours: Tensor, attention: Tensor) -> Tensor:
        """b s 2f: the whole photo's numbers, the same for each step, and the step's; together of length 1."""
        looked = torch.cat([covered(colours, maps.shape[2]).to(attention), attention.detach()], 1)
        whole, parts = self.descriptor(maps, colours, looked).tensor_split([1], 1)
        context = self.options.context
        return torch.cat([context**0.5 * whole.expand_as(parts), (1 - context) ** 0.5 * parts], -1)

    def separated(self, features: Float[Tensor, "b s f"]) -> tuple[Tensor, Tensor]:
        """Features of `forward` as the whole photo's, b w, and the steps' own, b s p, each at the length it had.

        Only "projected" features hold both; of others the whole is the mean over steps, at length 1.
        """
        if self.options.compare != "projected":
            return F.normalize(features.mean(1), dim=-1), features
        whole, parts = features.tensor_split(2, -1)
        return whole[:, 0] / self.options.context**0.5, parts / (1 - self.options.context) ** 0.5

    def loss(self, output: Output, targets: Float[Tensor, "b c"]) -> dict[str, Tensor]:
        """The three terms of §3, "Loss", each with its factor, and the texture head's own where it has one."""
        options = self.options
        terms = {"classification": self.classification(output.scores, targets)}
        if options.localisation:
            boxes, pull = upright(output.theta[:, -options.steps :]), self.pull
            if options.localisation_of == "constant":
                boxes, pull = boxes[:, -1:].detach(), pull[:1]
            terms["localisation"] = options.localisation * losses.localisation(boxes, pull)
        if options.divergence and options.divergence_of == "features":
            terms["divergence"] = options.divergence * losses.gram_divergence(output.features)
        elif options.divergence:
            terms["divergence"] = options.divergence * losses.divergence(output.attention[:, -options.steps :])
        if output.texture_scores is not None:
            terms["texture"] = self.classification(output.texture_scores.amax(1), targets)
        return terms


def attended_scores(cells: Float[Tensor, "b c n"], attention: Float[Tensor, "b n"], own: bool) -> Float[Tensor, "b c"]:
    """The cells' scores under a step's attention a: Σ_n a(n) s_c(n).

    own: and again with each label's own weights among those cells, softmax_n(log a(n) + s_c(n)). On a flat map this is
    class-specific residual attention (Zhu and Wu, ICCV 2021); here it looks only where the step does.
    """
    mean = torch.einsum("bcn,bn->bc", cells, attention)
    if not own:
        return mean
    weights = (cells + attention.clamp(min=1e-8).log().unsqueeze(1)).softmax(-1)
    return mean + (weights * cells).sum(-1)


class ReleasedCell(nn.LSTMCell):
    """An LSTM whose output is o·c, without the tanh, as the released code computes it."""

    def forward(self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        hidden, cell = state or (inputs.new_zeros(len(inputs), self.hidden_size),) * 2
        gates = F.linear(inputs, self.weight_ih, self.bias_ih) + F.linear(hidden, self.weight_hh, self.bias_hh)
        i, f, g, o = gates.chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        return o.sigmoid() * cell, cell


class _Mean(nn.Module):
    """b d y x → b d; what is a mean already stays."""

    def forward(self, region: Tensor) -> Tensor:
        return region.flatten(2).mean(2) if region.ndim == 4 else region


class _Cells(nn.Module):
    """b d y x → b (y·x) d"""

    def forward(self, region: Tensor) -> Tensor:
        return region.flatten(2).transpose(1, 2)


def _describer(width: int, options: ParserOptions) -> tuple[nn.Module, int]:
    """How a region b d y x (or its mean, b d) becomes a vector, and how many numbers the LSTM is then given."""
    drop, attended = nn.Dropout(options.dropout), width if options.look == "map" else 0
    if options.texture == "scores":
        encoded = options.codewords * width
        return nn.Sequential(_Cells(), TextureEncoding(width, options.codewords)), encoded + attended
    if options.pool == "flatten":
        flat = width * options.region[0] * options.region[1]
        return nn.Sequential(nn.Flatten(), drop), flat + attended
    return nn.Sequential(_Mean(), drop), width + attended
