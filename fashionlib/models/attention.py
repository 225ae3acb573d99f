"""Where to look: boxes, the spatial transformer that crops them, and the layouts they start from.

A box is theta = (s_x, s_y, t_x, t_y) in the map's own coordinates, −1 … 1 from edge to edge: its half width and
height, and its centre. Spatial transformer: Jaderberg et al., NIPS 2015; restricted to scale and translation as in
Wang et al., ICCV 2017 (the paper's [16]). The released code predicts all six affine numbers instead.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fashionlib.errors import InputError


def affine_matrix(theta: Float[Tensor, "b numbers"]) -> Float[Tensor, "b 2 3"]:
    """theta as the matrix of a spatial transformer; six numbers are taken as they are, row by row."""
    if theta.shape[1] == 6:
        return theta.reshape(-1, 2, 3)
    s_x, s_y, t_x, t_y = theta.unbind(1)
    zero = torch.zeros_like(s_x)
    return torch.stack([torch.stack([s_x, zero, t_x], 1), torch.stack([zero, s_y, t_y], 1)], 1)


def crop(
    maps: Float[Tensor, "b d y x"], theta: Float[Tensor, "b numbers"], size: tuple[int, int]
) -> Float[Tensor, "b d rows columns"]:
    """The region of theta, sampled bilinearly on size[0] × size[1] points; zero outside the map.

    align_corners=False: −1 and 1 are the outer edges of the outer cells, so a box means the same on every grid.
    """
    with torch.autocast(maps.device.type, enabled=False):  # cell coordinates need more than bf16's 8 bits
        matrix = affine_matrix(theta.to(maps.dtype))
        grid = F.affine_grid(matrix, [maps.shape[0], maps.shape[1], *size], align_corners=False)
        return F.grid_sample(maps, grid, align_corners=False)


def boxes_of(theta: Float[Tensor, "b numbers"]) -> Float[Tensor, "b 4"]:
    """(x1, y1, x2, y2) in 0..1 of the picture, not clipped to it. Of a rotated region: the box around it."""
    matrix = affine_matrix(theta)
    half, centre = matrix[:, :, :2].abs().sum(2), matrix[:, :, 2]
    return torch.cat([centre - half, centre + half], dim=1) / 2 + 0.5


def anchor_boxes(layout: str, steps: int) -> Float[Tensor, "steps 4"]:
    """The theta at which each step starts.

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
        rows = [(1.0, 1.0, 0.0, 0.0)] * steps
    elif layout == "stripes":
        rows = [(1.0, 1 / steps, 0.0, (2 * step + 1) / steps - 1) for step in range(steps)]
    else:
        raise InputError(f"unknown anchors {layout!r}: choose body, circle, centre or stripes")
    return torch.tensor(rows)
