"""What a batch is made of: photos, or the maps a frozen trunk made of them; with the same augmentation for both."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fashionlib.device import device
from fashionlib.features import images_to_float
from fashionlib.models.attention import affine_matrix


class ImageInputs:
    """uint8 photos; photos × height × width × 3."""

    def __init__(self, images: np.ndarray):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray, mirrored: np.ndarray) -> Tensor:
        """The photos at `indices`, those with `mirrored` flipped left to right."""
        images = images_to_float(self.images[indices])
        flip = torch.as_tensor(mirrored, device=images.device)[:, None, None, None]
        return torch.where(flip, images.flip(-1), images)


class MapInputs:
    """Maps of a frozen trunk: photos × channels × rows × columns, see `fashionlib.features.trunk_maps`.

    mirrored: those of the mirror images; without them a photo is never mirrored.
    """

    def __init__(self, plain: np.ndarray, mirrored: np.ndarray | None = None):
        self.plain, self.mirrored = plain, plain if mirrored is None else mirrored

    def __len__(self) -> int:
        return len(self.plain)

    def take(self, indices: np.ndarray, mirrored: np.ndarray) -> Tensor:
        """The maps of the photos at `indices`, or of their mirror images."""
        maps = np.where(mirrored[:, None, None, None], self.mirrored[indices], self.plain[indices])
        return torch.from_numpy(maps).to(device()).float()


Inputs = ImageInputs | MapInputs


def moved(batch: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Each picture (or map) moved and scaled at random by up to `most` of the frame, its edge repeated outside."""
    if not most:
        return batch
    draw = torch.rand(len(batch), 3, generator=generator) * 2 - 1
    zoom = 1 + most * draw[:, :1]
    theta = torch.cat([zoom, zoom, 2 * most * draw[:, 1:]], 1).to(batch)
    grid = F.affine_grid(affine_matrix(theta), list(batch.shape), align_corners=False)
    return F.grid_sample(batch, grid, padding_mode="border", align_corners=False)
