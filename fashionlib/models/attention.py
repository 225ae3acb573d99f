"""Where to look: boxes, the spatial transformer that crops them, and how the next box is found.

A box is theta = (s_x, s_y, t_x, t_y) in the map's own coordinates, −1 … 1 from edge to edge: its half width and
height, and its centre. Spatial transformer: Jaderberg et al., NIPS 2015; restricted to scale and translation as in
Wang et al., ICCV 2017 (the paper's [16]). The released code predicts all six affine numbers instead.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.device import no_autocast
from fashionlib.core.errors import InputError

Look = tuple[Tensor, Tensor]  # theta: b 4 (or 6); attention: b y x, sums to 1
WHOLE = (1.0, 1.0, 0.0, 0.0)


def affine_matrix(theta: Float[Tensor, "b numbers"]) -> Float[Tensor, "b 2 3"]:
    """theta as the matrix of a spatial transformer; six numbers are taken as they are, row by row."""
    if theta.shape[1] == 6:
        return theta.reshape(-1, 2, 3)
    s_x, s_y, t_x, t_y = theta.unbind(1)
    zero = torch.zeros_like(s_x)
    return torch.stack([torch.stack([s_x, zero, t_x], 1), torch.stack([zero, s_y, t_y], 1)], 1)


def upright(theta: Float[Tensor, "*b numbers"]) -> Float[Tensor, "*b 4"]:
    """theta as (s_x, s_y, t_x, t_y); of six affine numbers those four, without shear."""
    return theta[..., [0, 4, 2, 5]] if theta.shape[-1] == 6 else theta


def crop(
    maps: Float[Tensor, "b d y x"], theta: Float[Tensor, "b numbers"], size: tuple[int, int]
) -> Float[Tensor, "b d rows columns"]:
    """The region of theta, sampled bilinearly on size[0] × size[1] points; zero outside the map.

    align_corners=False: −1 and 1 are the outer edges of the outer cells, so a box means the same on every grid.
    """
    # An fp32 island: coordinates need more than bf16's 8 bits, and on a processor `grid_sample` of a channels-last bf16
    # map reads memory that is not its own (torch 2.14: finite in, values up to 1e38 out).
    with no_autocast(maps):
        maps = maps if maps.dtype == torch.float64 else maps.float()
        matrix = affine_matrix(theta.to(maps.dtype))
        grid = F.affine_grid(matrix, [maps.shape[0], maps.shape[1], *size], align_corners=False)
        return F.grid_sample(maps, grid, align_corners=False)


def crop_weights(theta: Float[Tensor, "b 4"], size: tuple[int, int], grid: tuple[int, int]) -> Float[Tensor, "b n"]:
    """How much each cell of the grid counts in the mean over `crop`'s points, for an upright box: y's times x's share.

    With them the mean is a product with the cells, whose gradient needs no map of its own at every step.
    """
    axes = []
    for cells, points, half, centre in zip(grid, size, theta[:, [1, 0]].T, theta[:, [3, 2]].T, strict=True):
        points_at = centre.unsqueeze(1) + half.unsqueeze(1) * _cell_centres(points, theta)  # b p, −1 … 1
        in_cells = (points_at + 1) * (cells / 2) - 0.5
        apart = (in_cells.unsqueeze(2) - torch.arange(cells).to(theta)).abs()  # b p cells
        axes.append((1 - apart).clamp(min=0).mean(1))  # bilinear, zero outside the map
    return (axes[0].unsqueeze(2) * axes[1].unsqueeze(1)).flatten(1)


def boxes_of(theta: Float[Tensor, "b numbers"]) -> Float[Tensor, "b 4"]:
    """(x1, y1, x2, y2) in 0..1 of the picture, not clipped to it. Of a rotated region: the box around it."""
    matrix = affine_matrix(theta)
    half, centre = matrix[:, :, :2].abs().sum(2), matrix[:, :, 2]
    return torch.cat([centre - half, centre + half], dim=1) / 2 + 0.5


def anchor_boxes(layout: str, steps: int) -> Float[Tensor, "steps 4"]:
    """A theta for each step.

    body: down the body, from the head to the feet, each a third of the picture high.
    circle: centres on a circle of radius 0.5, half the picture wide and high (released code).
    centre: the whole picture, every step (the paper names no anchors; the predictor's bias is the identity).
    stripes: a horizontal stripe each, full width, edge to edge.
    """
    if layout == "body":
        rows = [(0.45, 0.3, 0.0, y) for y in torch.linspace(-0.75, 0.75, steps).tolist()]
    elif layout == "circle":
        angles = [2 * math.pi * step / steps for step in range(steps)]
        rows = [(0.5, 0.5, 0.5 * math.cos(angle), 0.5 * math.sin(angle)) for angle in angles]
    elif layout == "centre":
        rows = [WHOLE] * steps
    elif layout == "stripes":
        rows = [(1.0, 1 / steps, 0.0, (2 * step + 1) / steps - 1) for step in range(steps)]
    else:
        raise InputError(f"unknown anchors {layout!r}: choose body, circle, centre or stripes")
    return torch.tensor(rows)


class BoxLocator(nn.Module):
    """theta = anchor, and a change of it: W h, predicted from the LSTM's state ("state", the paper and Wang et al.);
    one learned for each step, the same on every photo ("learned"); or none ("fixed").

    All start at the anchors. The attention map is the soft indicator of the box.
    """

    def __init__(self, look: str, anchors: Float[Tensor, "s 4"], hidden: int, numbers: int = 4):
        super().__init__()
        self.look = look
        anchors = anchors if numbers == 4 else affine_matrix(anchors).flatten(1)
        self.register_buffer("anchors", anchors)
        if look == "state":
            self.predict = nn.Linear(hidden, numbers)
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
        return theta, box_indicator(upright(theta).unsqueeze(1), grid)[:, 0].unflatten(1, grid)


class MapLocator(nn.Module):
    """theta off an attention map over the cells: its expected position, and √3 times its spread.

    The map is softmax(q·k(cell)/√d + prior): the query q comes from the LSTM's state and the step, the prior is a bump
    at the step's anchor, so that at first each step looks at its anchor, and then learns what to look for.
    """

    def __init__(self, width: int, anchors: Float[Tensor, "s 4"], hidden: int, dimension: int = 64, prior: float = 1.0):
        super().__init__()
        self.register_buffer("anchors", anchors)
        self.key = nn.Conv2d(width, dimension, 1)
        self.query = nn.Linear(hidden, dimension)
        self.what = nn.Parameter(torch.randn(len(anchors), dimension))
        self.prior = nn.Parameter(torch.full((len(anchors),), prior))

    def read(self, maps: Float[Tensor, "b d y x"]) -> Float[Tensor, "b k y x"]:
        """Every cell's key."""
        return self.key(maps)

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


def whole_picture(maps: Float[Tensor, "b d y x"], numbers: int = 4) -> Look:
    """Step 0 looks at everything: the box of the whole picture, and a flat map."""
    theta = maps.new_tensor([WHOLE])
    theta = theta if numbers == 4 else affine_matrix(theta).flatten(1)
    return theta.expand(len(maps), -1), torch.full_like(maps[:, 0], 1 / maps[0, 0].numel())


def box_indicator(
    theta: Float[Tensor, "b s 4"], grid: tuple[int, int], sharpness: float = 4.0
) -> Float[Tensor, "b s n"]:
    """A box as an attention map over grid cells: a soft indicator of the cells that lie in it, summing to 1.

    A spatial transformer has a box, not a map; this makes the divergence of [P] apply to it. Along each axis the
    indicator is σ(k(|s| − |p − t|)/cell), so `sharpness` k is the slope at the edge, counted in cells.
    """
    axes = []
    for cells, half, centre in ((grid[0], theta[..., 1], theta[..., 3]), (grid[1], theta[..., 0], theta[..., 2])):
        inside = half.abs().unsqueeze(-1) - (_cell_centres(cells, theta) - centre.unsqueeze(-1)).abs()
        axes.append(torch.sigmoid(sharpness * inside * (cells / 2)))
    maps = (axes[0].unsqueeze(-1) * axes[1].unsqueeze(-2)).flatten(-2)
    return maps / maps.sum(-1, keepdim=True).clamp(min=1e-6)


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
