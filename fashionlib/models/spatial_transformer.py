"""The spatial transformer: a region of the map, cropped where a box says (paper §3, "Visual Attention Module", [26]).

A box is theta = (s_x, s_y, t_x, t_y) in the map's own coordinates, −1 … 1 from edge to edge: its half width and
height, and its centre. Jaderberg et al., NIPS 2015, eq. 1, 3 and 5; without rotation and shear as in Wang et al., ICCV
2017 (the paper's [16]). The released code predicts all six affine numbers instead.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fashionlib.core.device import no_autocast
from fashionlib.core.errors import InputError

WHOLE = (1.0, 1.0, 0.0, 0.0)  # the theta of the whole map


def affine_matrix(theta: Float[Tensor, "b numbers"]) -> Float[Tensor, "b 2 3"]:
    """A_θ = [[s_x, 0, t_x], [0, s_y, t_y]] (Jaderberg et al., eq. 1); six numbers are the matrix, row by row."""
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
    """The region of theta, sampled bilinearly on size[0] × size[1] points (Jaderberg et al., eq. 5); zero outside.

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
        points_at = centre.unsqueeze(1) + half.unsqueeze(1) * cell_centres(points, theta)  # b p, −1 … 1
        in_cells = (points_at + 1) * (cells / 2) - 0.5
        apart = (in_cells.unsqueeze(2) - torch.arange(cells).to(theta)).abs()  # b p cells
        axes.append((1 - apart).clamp(min=0).mean(1))  # bilinear, zero outside the map
    return (axes[0].unsqueeze(2) * axes[1].unsqueeze(1)).flatten(1)


def boxes_of(theta: Float[Tensor, "b numbers"]) -> Float[Tensor, "b 4"]:
    """(x1, y1, x2, y2) in 0..1 of the picture, not clipped to it. Of a rotated region: the box around it."""
    matrix = affine_matrix(theta)
    half, centre = matrix[:, :, :2].abs().sum(2), matrix[:, :, 2]
    return torch.cat([centre - half, centre + half], dim=1) / 2 + 0.5


def box_indicator(theta: Float[Tensor, "*b 4"], grid: tuple[int, int], sharpness: float = 4.0) -> Float[Tensor, "*b n"]:
    """A box as an attention map over grid cells: a soft indicator of the cells that lie in it, summing to 1.

    A spatial transformer has a box, not a map; this makes the paper's divergence loss apply to it. Along each axis the
    indicator is σ(k(|s| − |p − t|)/cell), so `sharpness` k is the slope at the edge, counted in cells.
    """
    axes = []
    for cells, half, centre in ((grid[0], theta[..., 1], theta[..., 3]), (grid[1], theta[..., 0], theta[..., 2])):
        inside = half.abs().unsqueeze(-1) - (cell_centres(cells, theta) - centre.unsqueeze(-1)).abs()
        axes.append(torch.sigmoid(sharpness * inside * (cells / 2)))
    maps = (axes[0].unsqueeze(-1) * axes[1].unsqueeze(-2)).flatten(-2)
    return maps / maps.sum(-1, keepdim=True).clamp(min=1e-6)


def anchor_boxes(layout: str, steps: int) -> Float[Tensor, "steps 4"]:
    """A theta for each step. Raises InputError for an unknown layout.

    body: down the body, from the head to the feet, each a third of the picture high.
    circle: centres on a circle of radius 0.5, half the picture wide and high (released code).
    centre: the whole picture, every step (the paper names no anchors; the predictor's bias is the identity).
    stripes: a horizontal stripe each, full width, edge to edge.
    """
    angles = [2 * math.pi * step / steps for step in range(steps)]
    layouts = {
        "body": [(0.45, 0.3, 0.0, y) for y in torch.linspace(-0.75, 0.75, steps).tolist()],
        "circle": [(0.5, 0.5, 0.5 * math.cos(angle), 0.5 * math.sin(angle)) for angle in angles],
        "centre": [WHOLE] * steps,
        "stripes": [(1.0, 1 / steps, 0.0, (2 * step + 1) / steps - 1) for step in range(steps)],
    }
    if layout not in layouts:
        raise InputError(f"unknown anchors {layout!r}: choose {', '.join(layouts)}")
    return torch.tensor(layouts[layout])


def cell_centres(cells: int, like: Tensor) -> Float[Tensor, " n"]:
    """Positions −1 … 1 of the centres of `cells` cells."""
    return (torch.arange(cells).to(like) + 0.5) * (2 / cells) - 1
