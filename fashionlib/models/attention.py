"""Where the next step looks: the box from the LSTM's state alone (the paper), or from a map over the cells (ours)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.models.spatial_transformer import WHOLE, affine_matrix, box_indicator, cell_centres, upright

Look = tuple[Tensor, Tensor]  # theta: b 4 (or 6); attention: b y x, sums to 1


class BoxLocator(nn.Module):
    """θ_{t+1} = anchor_{t+1} + a change, and the soft indicator of that box as the attention map.

    look: the change is W h_t + b, W and b zero at first ("state": the paper's [16]); learned for each step, the same on
    every photo ("learned"); or none ("fixed").
    """

    def __init__(self, look: str, anchors: Float[Tensor, "s numbers"], hidden: int):
        super().__init__()
        self.look = look
        self.register_buffer("anchors", anchors)
        if look == "state":
            self.predict = nn.Linear(hidden, anchors.shape[1])
            nn.init.zeros_(self.predict.weight)
            nn.init.zeros_(self.predict.bias)
        elif look == "learned":
            self.change = nn.Parameter(torch.zeros_like(anchors))

    def read(self, maps: Float[Tensor, "b d y x"]) -> tuple[int, int]:
        """What `forward` needs to know of the map: its size."""
        return (maps.shape[-2], maps.shape[-1])

    def forward(self, hidden: Float[Tensor, "b h"], step: int, grid: tuple[int, int]) -> Look:
        theta = self.anchors[step].expand(len(hidden), -1)
        if self.look == "state":
            theta = theta + self.predict(hidden)
        elif self.look == "learned":
            theta = theta + self.change[step]
        return theta, box_indicator(upright(theta), grid).unflatten(1, grid)


class MapLocator(nn.Module):
    """theta off an attention map over the cells: its expected position, and √3 times its spread.

    The map is softmax(q·k(cell)/√d + prior): the query q comes from the LSTM's state and the step, the prior is a bump
    at the step's anchor, so that at first each step looks at its anchor, and then learns what to look for.
    """

    def __init__(self, width: int, anchors: Float[Tensor, "s 4"], hidden: int, prior: float = 1.0):
        super().__init__()
        self.register_buffer("anchors", anchors)
        self.key = nn.Conv2d(width, 64, 1)
        self.query = nn.Linear(hidden, 64)
        self.what = nn.Parameter(torch.randn(len(anchors), 64))
        self.prior = nn.Parameter(torch.full((len(anchors),), prior))

    def read(self, maps: Float[Tensor, "b d y x"]) -> Float[Tensor, "b k y x"]:
        """Every cell's key."""
        return self.key(maps)

    def forward(self, hidden: Float[Tensor, "b h"], step: int, keys: Float[Tensor, "b k y x"]) -> Look:
        rows, columns = keys.shape[-2:]
        query = self.query(hidden) + self.what[step]
        logits = torch.einsum("bk,bkyx->byx", query, keys) / keys.shape[1] ** 0.5
        s_x, s_y, t_x, t_y = self.anchors[step]  # the bump: log of a Gaussian about as wide as the anchor's box
        x, y = cell_centres(columns, s_x), cell_centres(rows, s_x)
        bump = -1.5 * (((y - t_y) / s_y).square()[:, None] + ((x - t_x) / s_x).square()[None])
        logits = logits.float() + self.prior[step] * bump
        attention = logits.flatten(1).softmax(1).unflatten(1, (rows, columns))
        (t_x, s_x), (t_y, s_y) = moments(attention.sum(1)), moments(attention.sum(2))
        return torch.stack([s_x, s_y, t_x, t_y], 1), attention


def moments(weights: Float[Tensor, "b n"]) -> tuple[Tensor, Tensor]:
    """Mean, and √3 times the standard deviation, of positions −1 … 1 under weights that sum to 1.

    √3 is what makes a flat map's box the whole picture; a cell counts as the interval it is, not as a point.
    """
    points = cell_centres(weights.shape[1], weights)
    mean = weights @ points
    variance = (weights * (points - mean.unsqueeze(1)).square()).sum(1) + (1 / weights.shape[1]) ** 2 / 3
    return mean, (3 * variance).sqrt()


def whole_picture(maps: Float[Tensor, "b d y x"], numbers: int = 4) -> Look:
    """Step 0 looks at everything: the box of the whole picture, and a flat map."""
    theta = maps.new_tensor([WHOLE])
    theta = theta if numbers == 4 else affine_matrix(theta).flatten(1)
    return theta.expand(len(maps), -1), torch.full_like(maps[:, 0], 1 / maps[0, 0].numel())


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
