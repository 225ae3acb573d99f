"""The views of a photo that a network is shown: as it is, mirrored, moved about in its frame, in another light."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fashionlib.core.device import device, no_autocast

LIGHT = 0.3  # brightness and contrast of augmented copies change by up to this share


@dataclass(frozen=True)
class View:
    """mirrored: left to right. shift: each photo scaled and moved by up to this share of the frame, drawn from `seed`
    and the photo's id. augment: mirrored at random and in another light, too.
    """

    mirrored: bool = False
    shift: float = 0.0
    seed: int = 0
    augment: bool = False

    def draws(self, ids: Sequence[str]) -> Float[Tensor, "photos 7"]:
        """What `augmented` takes for each of these photos."""
        rows = [np.random.default_rng([self.seed, zlib.crc32(id_.encode())]).random(7) for id_ in ids]
        draws = torch.tensor(np.array(rows), dtype=torch.float32)
        if not self.augment:
            draws[:, 3], draws[:, 5:] = 1.0, 0.5  # not mirrored, its own light
        return draws

    def theta(self, ids: Sequence[str]) -> Float[np.ndarray, "photos 4"]:
        """What was done to each photo: point p of the view shows point (s_x, s_y)·p + (t_x, t_y) of the photo."""
        matrix = _matrix(self.draws(ids), self.shift)
        return torch.stack([matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, 0, 2], matrix[:, 1, 2]], 1).numpy()

    def __call__(self, images: Float[Tensor, "b 3 h w"], draws: Float[Tensor, "b 7"]) -> Float[Tensor, "b 3 h w"]:
        if self.mirrored:
            return images.flip(-1)
        return augmented(images, draws, self.shift) if self.shift or self.augment else images


PLAIN, MIRRORED = View(), View(mirrored=True)


def images_to_float(images: np.ndarray | Tensor) -> Float[Tensor, "b 3 h w"]:
    """uint8 photos (photos × height × width × 3) as RGB in 0..1, channels_last in memory."""
    tensor = torch.tensor(images) if isinstance(images, np.ndarray) else images  # a copy: caches are read-only
    return tensor.to(device()).permute(0, 3, 1, 2).float() / 255


def augmented(images: Float[Tensor, "b 3 h w"], draws: Float[Tensor, "b 7"], shift: float) -> Float[Tensor, "b 3 h w"]:
    """Each photo mirrored or not, moved and scaled by up to `shift` of the frame, in another light.

    images: RGB in 0..1. draws: uniform in 0..1. What moves into the frame is the edge repeated, grey or black, for a
    third of the photos each, so that none of them tells where the person is.
    """
    draws = draws.to(images)
    with no_autocast(images):  # bf16's 8 bits would move pixels by up to a whole one
        grid = F.affine_grid(_matrix(draws, shift), list(images.shape), align_corners=False)
    last = 1 - 1 / torch.tensor([images.shape[-1], images.shape[-2]]).to(grid)  # the centre of the last pixel
    border = draws[:, 4, None, None, None]
    grid = torch.where(border < 1 / 3, torch.maximum(torch.minimum(grid, last), -last), grid)
    fill = torch.where(border < 2 / 3, 0.5, 0.0)
    images = F.grid_sample(images - fill, grid, align_corners=False) + fill
    bright, contrast = (1 + LIGHT * (2 * draws[:, 5:] - 1)).T[..., None, None, None]
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * contrast + mean * bright).clamp(0, 1)


def _matrix(draws: Float[Tensor, "b 7"], shift: float) -> Float[Tensor, "b 2 3"]:
    zoom, flip = 1 + shift * (2 * draws[:, 0] - 1), torch.where(draws[:, 3] < 0.5, -1.0, 1.0)
    zero, moved = torch.zeros_like(zoom), 2 * shift * (2 * draws[:, 1:3] - 1)
    return torch.stack([flip * zoom, zero, moved[:, 0], zero, zoom, moved[:, 1]], 1).unflatten(1, (2, 3))
