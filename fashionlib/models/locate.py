"""Where to look next: two ways to get from the LSTM's state to a box and an attention map over the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.losses import box_indicator
from fashionlib.models.attention import affine_matrix, anchor_boxes, boxes_of

if TYPE_CHECKING:
    from fashionlib.models.parser import ParserOptions

Look = tuple[Tensor, Tensor]  # theta: b 4 (or 6); attention: b y x, sums to 1


class Locator(nn.Module):
    """theta from the LSTM's state alone, as in the paper and Wang et al.: anchor + W h.

    W starts at zero, so that each step starts at its anchor. The attention map is the soft indicator of the box.
    """

    def __init__(self, width: int, options: ParserOptions):
        super().__init__()
        self.numbers = options.numbers
        self.register_buffer("anchors", anchor_boxes(options.anchors, options.steps))
        self.predict = nn.Linear(options.hidden, options.numbers)
        nn.init.zeros_(self.predict.weight)
        nn.init.zeros_(self.predict.bias)

    def read(self, maps: Float[Tensor, "b d y x"]) -> tuple[int, int]:
        """What `forward` needs to know of the map: its size."""
        return (maps.shape[-2], maps.shape[-1])

    def whole(self, maps: Float[Tensor, "b d y x"]) -> Look:
        """Step 0: everything."""
        theta, attention = whole_picture(maps)
        return self._numbers(theta), attention

    def forward(self, hidden: Float[Tensor, "b h"], step: int, grid: tuple[int, int]) -> Look:
        theta = self._numbers(self.anchors[step : step + 1]) + self.predict(hidden)
        boxes = 2 * boxes_of(theta) - 1
        upright = torch.cat([boxes[:, 2:] - boxes[:, :2], boxes[:, 2:] + boxes[:, :2]], 1) / 2
        return theta, box_indicator(upright.unsqueeze(1), grid)[:, 0].unflatten(1, grid)

    def _numbers(self, theta: Tensor) -> Tensor:
        return theta if self.numbers == 4 else affine_matrix(theta).flatten(1)


class MapLocator(nn.Module):
    """theta off an attention map over the cells: its expected position, and √3 times its spread.

    The map is softmax(q·k(cell)/√d + prior): the query q comes from the LSTM's state and the step, the prior is a bump
    at the step's anchor, so that at first each step looks at its anchor, and then learns what to look for.
    """

    def __init__(self, width: int, options: ParserOptions, dimension: int = 64):
        super().__init__()
        self.register_buffer("anchors", anchor_boxes(options.anchors, options.steps))
        self.key = nn.Conv2d(width, dimension, 1)
        self.query = nn.Linear(options.hidden, dimension)
        self.what = nn.Parameter(torch.randn(options.steps, dimension))
        self.prior = nn.Parameter(torch.ones(options.steps))

    def read(self, maps: Float[Tensor, "b d y x"]) -> Float[Tensor, "b k y x"]:
        """Every cell's key."""
        return self.key(maps)

    def whole(self, maps: Float[Tensor, "b d y x"]) -> Look:
        """Step 0: everything."""
        return whole_picture(maps)

    def forward(self, hidden: Float[Tensor, "b h"], step: int, keys: Float[Tensor, "b k y x"]) -> Look:
        rows, columns = keys.shape[-2:]
        query = self.query(hidden) + self.what[step]
        logits = torch.einsum("bk,bkyx->byx", query, keys) / keys.shape[1] ** 0.5
        logits = logits.float() + self.prior[step] * self._bump(step, rows, columns)
        attention = logits.flatten(1).softmax(1).unflatten(1, (rows, columns))
        (t_x, s_x), (t_y, s_y) = moments(attention.sum(1)), moments(attention.sum(2))
        return torch.stack([s_x, s_y, t_x, t_y], 1), attention

    def _bump(self, step: int, rows: int, columns: int) -> Float[Tensor, "y x"]:
        """Log of a Gaussian about as wide as the anchor's box."""
        s_x, s_y, t_x, t_y = self.anchors[step]
        x, y = _cell_centres(columns, s_x), _cell_centres(rows, s_x)
        return -1.5 * (((y - t_y) / s_y).square()[:, None] + ((x - t_x) / s_x).square()[None])


def whole_picture(maps: Float[Tensor, "b d y x"]) -> Look:
    """The box of the whole picture, and a flat map."""
    theta = maps.new_tensor([[1.0, 1.0, 0.0, 0.0]]).expand(len(maps), 4)
    return theta, torch.full_like(maps[:, 0], 1 / maps[0, 0].numel())


def moments(weights: Float[Tensor, "b n"]) -> tuple[Tensor, Tensor]:
    """Mean, and √3 times the standard deviation, of positions −1 … 1 under weights that sum to 1.

    √3 is what makes a flat map's box the whole picture; a cell counts as the interval it is, not as a point.
    """
    points = _cell_centres(weights.shape[1], weights)
    mean = weights @ points
    variance = (weights * (points - mean.unsqueeze(1)).square()).sum(1) + (1 / weights.shape[1]) ** 2 / 3
    return mean, (3 * variance).sqrt()


def _cell_centres(cells: int, like: Tensor) -> Float[Tensor, " n"]:
    return (torch.arange(cells).to(like) + 0.5) * (2 / cells) - 1
