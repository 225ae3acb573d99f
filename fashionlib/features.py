"""Maps of a frozen trunk, computed once and kept: on a laptop that is what makes training heads a matter of minutes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from fashionlib.data.store import Photos, build_aside
from fashionlib.device import autocast, device
from fashionlib.sources import sources_hash


def images_to_float(images: np.ndarray | Tensor) -> Float[Tensor, "b 3 h w"]:
    """uint8 photos (photos × height × width × 3) as RGB in 0..1, channels_last in memory."""
    tensor = torch.tensor(images) if isinstance(images, np.ndarray) else images  # a copy: caches are read-only
    return tensor.to(device()).permute(0, 3, 1, 2).float() / 255


def trunk_maps(
    trunk: nn.Module, photos: Photos, *, mirrored: bool = False, cache: str | Path | None = None,
    precision: str = "bf16", batch: int = 32,
) -> np.ndarray:  # fmt: skip
    """photos × channels × rows × columns in half precision; with `mirrored`, of the photos flipped left to right.

    cache: a folder; maps are found again as long as photos, weights, layout of the trunk and precision are the same.
    """
    if cache is None:
        return np.concatenate(list(_maps(trunk, photos, mirrored, precision, batch)))
    parts = (
        photos.fingerprint,
        weights_hash(trunk),
        repr(trunk),
        precision,
        mirrored,
        sources_hash(["fashionlib.models.trunk"]),
    )
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        start, maps = 0, None
        for piece in _maps(trunk, photos, mirrored, precision, batch):
            if maps is None:
                shape = (len(photos), *piece.shape[1:])
                maps = np.lib.format.open_memmap(folder / "maps.npy", "w+", np.float16, shape)
            maps[start : start + len(piece)] = piece
            start += len(piece)

    return np.load(build_aside(Path(cache) / f"maps-{key}", build) / "maps.npy", mmap_mode="r")


def _maps(trunk: nn.Module, photos: Photos, mirrored: bool, precision: str, batch: int) -> Iterator[np.ndarray]:
    trunk = trunk.eval().to(device(), memory_format=torch.channels_last)
    what = f"features of {len(photos)} photos{', mirrored' if mirrored else ''}"
    console = Console(stderr=True)
    quiet = not console.is_terminal or console.is_jupyter
    for start in track(range(0, len(photos), batch), what, console=console, transient=True, disable=quiet):
        images = images_to_float(photos.images[start : start + batch])
        with torch.inference_mode(), autocast(precision):
            maps = trunk(images.flip(-1) if mirrored else images)
        yield maps.half().cpu().contiguous().numpy()


def weights_hash(module: nn.Module) -> str:
    """Changes with any weight, buffer or name in `module`."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
