"""What a batch is made of: photos, or the maps a frozen trunk made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from fashionlib.core.device import device
from fashionlib.data.augment import PLAIN, View, images_to_float
from fashionlib.data.store import Joined
from fashionlib.models.tagger import Tagger


class ImageInputs:
    """uint8 photos; photos × height × width × 3, all in one `view`. Number 0 of it is the photo, 1 its mirror image."""

    views = 2

    def __init__(self, images: np.ndarray | Joined, view: View = PLAIN, ids: Sequence[str] | None = None):
        self.images, self.view = images, view
        changes = view.shift or view.augment  # else nothing is drawn, for half a million photos
        self.draws = view.draws(ids or [""] * len(images)) if changes else torch.zeros(len(images), 7)

    def __len__(self) -> int:
        return len(self.images)

    def encoded(self, model: Tagger, indices: np.ndarray, views: Int[np.ndarray, " batch"]) -> Tensor:
        """The maps that the model's trunk makes of them, for its head."""
        return model.encode(self.take(indices, views))

    def take(self, indices: np.ndarray, views: Int[np.ndarray, " batch"]) -> Tensor:
        """The photos at `indices`, each in its view, on the device."""
        images = self.view(images_to_float(_on_device(self.images[indices])), self.draws[indices])
        flip = torch.as_tensor(views == 1, device=images.device)[:, None, None, None]
        return torch.where(flip, images.flip(-1), images)


class MapInputs:
    """Maps of a frozen trunk: photos × channels × rows × columns, see `fashionlib.training.feature_maps.trunk_maps`.

    views: the maps of the photos (view 0), of their mirror images (1), and of augmented copies.
    rows: where in them the photos are, if they hold others, too.
    """

    def __init__(self, views: Sequence[np.ndarray], rows: Int[np.ndarray, " photos"] | None = None):
        self.maps, self.views = list(views), len(views)
        self.rows = np.arange(len(views[0])) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def encoded(self, model: Tagger, indices: np.ndarray, views: Int[np.ndarray, " batch"]) -> Tensor:
        """As `take`: the trunk has made them already."""
        return self.take(indices, views)

    def take(self, indices: np.ndarray, views: Int[np.ndarray, " batch"]) -> Tensor:
        """The maps of the photos at `indices`, each in its view, on the device; where a view was not made, plain."""
        pairs = zip(self.rows[indices], np.where(views < self.views, views, 0), strict=True)
        return _on_device(np.stack([self.maps[view][row] for row, view in pairs])).float()


Inputs = ImageInputs | MapInputs


def _on_device(array: np.ndarray) -> Tensor:
    """Rows read out of a file; a GPU copies them from pinned memory while it computes."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    tensor = tensor.pin_memory() if device().type == "cuda" else tensor
    return tensor.to(device(), non_blocking=True)
