"""A photo's colours on the grid of its feature map: the share of each cell's pixels near each of 245 colours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LIGHTNESS = (10.0, 30.0, 50.0, 70.0, 90.0)
OPPONENT = (-45.0, -25.0, -10.0, 0.0, 10.0, 25.0, 45.0)  # of a (green to red) and b (blue to yellow), finer near grey
WIDTH = (10.0, 9.0, 9.0)  # standard deviations of the soft assignment, in L, a and b
FINE = 2  # pixels that stand for a cell, per side
LETTERBOX = 127 / 255  # the grey around a photo is no colour of it


class Colours(nn.Module):
    """RGB photos to soft histograms of CIELAB colours (D65), cell by cell; the letterbox's grey counts nothing.

    A cell's histogram sums to the share of the cell that the photo covers.
    """

    channels = len(LIGHTNESS) * len(OPPONENT) ** 2

    def __init__(self):
        super().__init__()
        centres = torch.cartesian_prod(torch.tensor(LIGHTNESS), torch.tensor(OPPONENT), torch.tensor(OPPONENT))
        self.register_buffer("centres", centres / torch.tensor(WIDTH), persistent=False)
        self.register_buffer("width", torch.tensor(WIDTH), persistent=False)

    centres: Tensor
    width: Tensor

    def forward(self, images: Float[Tensor, "b 3 h w"], grid: tuple[int, int]) -> Float[Tensor, "b bins y x"]:
        """images: RGB in 0..1."""
        images = images.float()
        covered = shown(images)
        fine = (grid[0] * FINE, grid[1] * FINE)
        share = F.adaptive_avg_pool2d(covered, fine)
        colour = F.adaptive_avg_pool2d(images * covered, fine) / share.clamp(min=1e-6)
        pixels = (to_lab(colour).flatten(2).transpose(1, 2) / self.width).flatten(0, 1)  # b·n 3
        near = torch.cdist(pixels, self.centres, compute_mode="use_mm_for_euclid_dist").square().div(-2).exp()
        near = near / near.sum(-1, keepdim=True).clamp(min=1e-9)
        bins = near.unflatten(0, (len(images), fine[0] * fine[1])).transpose(1, 2).unflatten(2, fine)
        return F.avg_pool2d(bins * share, FINE)


def shown(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """1 where the photo is, 0 where the letterbox is."""
    return ((images - LETTERBOX).abs().amax(1, keepdim=True) > 1e-3).float()


def to_lab(rgb: Float[Tensor, "b 3 *n"]) -> Float[Tensor, "b 3 *n"]:
    """sRGB in 0..1 to CIELAB under D65."""
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    to_xyz = rgb.new_tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    white = rgb.new_tensor([0.9505, 1.0, 1.089])
    x, y, z = (linear.transpose(1, -1) @ (to_xyz / white[:, None]).T).unbind(-1)
    x, y, z = (torch.where(t > 0.008856, t.clamp(min=1e-6) ** (1 / 3), 7.787 * t + 16 / 116) for t in (x, y, z))
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).transpose(1, -1)
