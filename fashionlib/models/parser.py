"""The paper's network after its trunk (Fig. 2), left to right: the ST-LSTM's steps, category-wise maximum, losses.

Beside it stands what retrieval compares. Every difference between the paper, its released code and ours is one field
of `ParserOptions`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.options import NotNegative, Share
from fashionlib.core.output import Output
from fashionlib.models import losses
from fashionlib.models.descriptor import Descriptor, WholePhoto, covered
from fashionlib.models.spatial_transformer import anchor_boxes, upright
from fashionlib.models.st_lstm import STLSTM, Anchors, STLSTMOptions
from fashionlib.models.texture import TextureEncoding


@dataclass(frozen=True)
class ParserOptions(STLSTMOptions):
    """Those of the recurrence, and what retrieval compares and training minimises; the defaults are ours.

    compare: what retrieval compares, "texture", "attended" (the trunk's features under the step's attention, each depth
        at length 1), "both", or "projected" (a step's projected features beside the whole photo's, see `Descriptor`).
    whole_share: with "projected", the share in each step's scores of a classifier of the whole photo, which is trained
        by itself; 0 for none. alone_share: of its classifier of garments alone, see `WholePhoto`.
    context: with "projected", the share of the whole photo in the squared distance of two steps.
    classification: "logistic" or "euclidean" (paper). one_tag: factor of `losses.one_tag`.
    localisation, divergence: factors of those losses; divergence_of: "maps" or "features" (released code).
    pull: the layout whose centres the localisation loss pulls to. localisation_of: "boxes", or "constant" (released
        code: the last box alone, against the first anchor, without a gradient).
    """

    compare: Literal["texture", "attended", "both", "projected"] = "both"
    whole_share: Share = 0.0
    alone_share: Share = 0.0
    context: Share = 0.7
    classification: Literal["logistic", "euclidean"] = "logistic"
    one_tag: NotNegative = 0.0
    localisation: NotNegative = 0.0
    localisation_of: Literal["boxes", "constant"] = "boxes"
    pull: Anchors = "circle"
    divergence: NotNegative = 0.0
    divergence_of: Literal["maps", "features"] = "maps"


class Parser(STLSTM):
    """Recurrent attention over the trunk's map, texture encoding, category-wise max pooling.

    depths: channels of the trunk's map, depth by depth, the shallowest first.
    """

    options: ParserOptions
    pull: Tensor

    def __init__(self, depths: Sequence[int], labels: int, options: ParserOptions | None = None):
        options = options or ParserOptions()
        super().__init__(depths, labels, options)
        self.depths = tuple(depths)
        if options.texture == "beside":
            self.texture = TextureEncoding(self.depths[0], options.codewords)
            self.texture_score = nn.Linear(options.codewords * self.depths[0], labels)
        if options.compare == "projected":
            self.descriptor = Descriptor(self.depths)
            if options.whole_share:
                self.whole = WholePhoto(depths, labels, options.whole_share, options.alone_share)
        self.register_buffer("pull", anchor_boxes(options.pull, options.steps)[:, 2:])
        self.classification = getattr(losses, options.classification)

    def forward(self, maps: Float[Tensor, "b d y x"]) -> Output:
        """maps: of the trunk; channels beyond `depths` are the photo's colours (see `Colours`)."""
        options = self.options
        maps, colours = maps[:, : sum(self.depths)], maps[:, sum(self.depths) :].flatten(2)
        standard = self.standardise(maps)
        output = self.unroll(self.reduce(standard if options.reduce else maps))
        assert output.attention is not None  # `unroll` gives it
        attention = output.attention.detach()
        if options.compare == "projected":
            raw = maps.flatten(2)
            whole = covered(colours, raw.shape[2])
            output.features = self._projected(raw, colours, whole, attention)
            if options.whole_share:
                steps = self.whole(output.steps, maps, self.descriptor.pooled(raw, whole))
                output.steps, output.scores = steps, steps.amax(1)
        elif options.texture != "scores":
            output.features, output.texture_scores = self.compared(standard.detach(), attention)
        return output

    def compared(self, standard: Tensor, attention: Tensor) -> tuple[Tensor, Tensor | None]:
        """What retrieval compares, b s f, and the texture head's scores, b s c. Trains no attention."""
        cells = standard.flatten(2).transpose(1, 2)  # b n d
        parts = [F.normalize(depth, dim=-1) for depth in (attention @ cells).split(self.depths, dim=-1)]
        if self.options.texture == "none":
            return torch.cat(parts, -1), None
        encoded = self.texture(cells[..., : self.depths[0]], attention)
        chosen = {"texture": [encoded], "attended": parts, "both": [encoded, *parts]}[self.options.compare]
        return torch.cat(chosen, -1), self.texture_score(encoded)

    def _projected(self, maps: Tensor, colours: Tensor, whole: Tensor, attention: Tensor) -> Tensor:
        """b s 2f: the whole photo's numbers, the same for each step, and the step's; together of length 1."""
        context, both = self.options.context, torch.cat([whole.to(attention), attention], 1)
        everything, parts = self.descriptor(maps, colours, both).tensor_split([1], 1)
        return torch.cat([context**0.5 * everything.expand_as(parts), (1 - context) ** 0.5 * parts], -1)

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
        if options.one_tag:
            terms["one_tag"] = options.one_tag * losses.one_tag(output.scores, targets)
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
