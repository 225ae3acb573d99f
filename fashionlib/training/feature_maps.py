"""Maps of a frozen trunk, computed once and kept: on a laptop that is what makes training heads a matter of minutes."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fashionlib.core.console import tracked
from fashionlib.core.device import autocast, batch_of, device, on_every_core, resolved
from fashionlib.core.files import room_for
from fashionlib.core.sealed import cached
from fashionlib.data.augment import PLAIN, View, images_to_float
from fashionlib.data.store import Photos
from fashionlib.models.backbones import fold

MAPS_VERSION = 1  # raise it when a trunk or a view makes other maps of the same photos with the same weights


def trunk_maps(
    trunk: nn.Module, photos: Photos, view: View = PLAIN, *, cache: str | Path | None = None,
    precision: str = "auto", batch: int = 64,
) -> np.ndarray:  # fmt: skip
    """photos × channels × rows × columns in half precision, of the photos in `view`.

    cache: a folder; maps are found again as long as photos, view, weights, layout of the trunk and precision are the
    same.
    """
    if cache is None:
        return np.concatenate(list(_maps(trunk, photos, view, precision, batch)))
    parts = (photos.fingerprint, weights_hash(trunk), repr(trunk), resolved(precision), view, MAPS_VERSION)
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        start, maps = 0, None
        for piece in _maps(trunk, photos, view, precision, batch):
            if maps is None:
                shape = (len(photos), *piece.shape[1:])
                room_for(2 * math.prod(shape), folder)
                maps = np.lib.format.open_memmap(folder / "maps.npy", "w+", np.float16, shape)
            maps[start : start + len(piece)] = piece
            start += len(piece)
        if maps is not None:
            maps.flush()

    return np.load(cached(Path(cache) / f"maps-{key}", build) / "maps.npy", mmap_mode="r")


def _maps(trunk: nn.Module, photos: Photos, view: View, precision: str, batch: int) -> Iterator[np.ndarray]:
    trunk = fold(copy.deepcopy(trunk)).to(device(), memory_format=torch.channels_last)
    draws, batch = view.draws(photos.ids), batch_of(batch)

    def seen(start: int) -> np.ndarray:
        images = images_to_float(photos.images[start : start + batch])
        with torch.no_grad(), autocast(precision):
            maps = trunk(view(images, draws[start : start + batch]))
        return maps.half().cpu().contiguous().numpy()

    starts = range(0, len(photos), batch)
    yield from tracked(on_every_core(seen, starts), f"features of {len(photos)} photos", len(starts))


def weights_hash(module: nn.Module) -> str:
    """Changes with any weight, buffer or name in `module`."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
