"""A data set as arrays: each photo decoded and resized once, kept on disk, read back memory-mapped."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from torch.utils.data import DataLoader

from fashionlib.core.errors import InputError, PassingError
from fashionlib.core.files import room_for
from fashionlib.core.findings import too_many
from fashionlib.core.sealed import Damaged, cached, read_json, write_json
from fashionlib.data.base import Dataset, Sample
from fashionlib.data.photos import PHOTOS_VERSION, letterbox
from fashionlib.data.published.listed import Listed


class Joined:
    """Rows of several arrays, read as one array; nothing is copied but what is asked for."""

    def __init__(self, pieces: Sequence[np.ndarray]):
        self.pieces = list(pieces)
        self.ends = np.cumsum([len(piece) for piece in pieces])
        self.shape = (int(self.ends[-1]), *pieces[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        rows = np.arange(len(self))[rows]
        found = np.empty((len(rows), *self.shape[1:]), self.pieces[0].dtype)
        place = np.searchsorted(self.ends, rows, side="right")
        for number, piece in enumerate(self.pieces):
            here = place == number
            found[here] = piece[rows[here] - (self.ends[number] - len(piece))]
        return found


@dataclass(frozen=True)
class Photos:
    """All photos of a split at one size.

    images: RGB, memory-mapped where they come from the cache.
    targets: 0 or 1 by label; None where nobody tagged them.
    products: what retrieval asks for; empty strings where unknown.
    skipped: photo → why it could not be read (only folders and published sets have any).
    fingerprint: changes with the photos and with the size.
    """

    images: UInt8[np.ndarray, "photos height width 3"] | Joined
    targets: Float[np.ndarray, "photos labels"] | None
    labels: tuple[str, ...]
    ids: tuple[str, ...]
    products: tuple[str, ...]
    skipped: dict[str, str]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def tags(self) -> Float[np.ndarray, "photos labels"]:
        """`targets`, where they are needed. Raises InputError where nobody tagged the photos."""
        if self.targets is None:
            raise InputError("these photos have no tags to train on or to measure with; choose a data set that has")
        return self.targets


def load_photos(dataset: Dataset, size: tuple[int, int], *, cache: str | Path, workers: int | None = None) -> Photos:
    """Every photo of `dataset` letterboxed to `size` (height, width), in the order of its ids.

    cache: a folder; the arrays are kept there and found again as long as the data set's fingerprint holds.
    workers: processes that decode; None takes one for each of the processor's cores.

    Photos of a `folder` and of the published sets that cannot be read are left out and listed in `skipped`; of the
    published sets a warning counts them. Raises InputError where there are too many of them, where a folder holds no
    readable photo at all, and in every other data set for the first one. Where a fault of disk or memory left a photo
    out, nothing is kept: the next call reads it again.
    """
    key = f"{dataset.name} {dataset.split} {content_of(dataset, Path(cache))} {size} {PHOTOS_VERSION}"
    key = hashlib.sha256(key.encode()).hexdigest()[:16]
    folder = Path(cache) / f"photos-{key}"
    cached(folder, lambda aside: _write_arrays(dataset, size, aside, workers))
    if not (folder / "passing").exists():
        return _read_arrays(dataset, folder, key)
    photos = _read_arrays(dataset, folder, key, in_memory=True)
    shutil.rmtree(folder, ignore_errors=True)
    return photos


def content_of(dataset: Dataset, cache: Path) -> str:
    """Names what a data set holds, wherever and whenever its files were copied.

    Sizes and times find what was read of the same files before; photos are read again where these have changed.
    """
    read = getattr(dataset, "content_fingerprint", None)
    if read is None:
        return dataset.fingerprint()
    known = cache / f"content-{dataset.fingerprint()}.json"
    try:
        return read_json(known)["content"]
    except (OSError, Damaged):
        content = read()
        write_json(known, {"content": content})
        return content


def _samples_or_faults(
    dataset: Dataset, size: tuple[int, int], numbers: list[int]
) -> list[tuple[int, Sample | None, InputError | None]]:
    """The numbers, the samples with their images resized (and nothing else that is large), or why there is none."""
    found = []
    for number in numbers:
        try:
            sample = dataset[number]
            image = letterbox(sample.image, size)[0]
            sample = Sample(image=image, id=sample.id, labels=sample.labels, product=sample.product)
            found.append((number, sample, None))
        except InputError as error:
            found.append((number, None, error))
    return found


def _write_arrays(dataset: Dataset, size: tuple[int, int], folder: Path, workers: int | None) -> None:
    photos, listed = len(dataset), isinstance(dataset, Listed)
    room_for(math.prod((photos, *size, 3)), folder)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (photos, *size, 3))
    products, skipped, targets = [""] * photos, {}, np.zeros((photos, len(dataset.labels)), np.float32)
    workers = (os.cpu_count() or 1) if workers is None else workers
    loader = DataLoader(
        range(photos),  # pyright: ignore[reportArgumentType]
        batch_size=16, num_workers=workers if photos > 64 else 0, collate_fn=partial(_samples_or_faults, dataset, size),
    )  # fmt: skip
    for index, sample, problem in chain.from_iterable(loader):
        if sample is not None:
            images[index], products[index] = sample.image, sample.product or ""
            targets[index] = 0 if sample.labels is None else sample.labels
        elif dataset.name == "folder" or listed:
            skipped[dataset.ids[index]] = str(problem)
            if isinstance(problem, PassingError):
                (folder / "passing").touch()
        else:
            raise problem
    if skipped and (len(skipped) == photos or (listed and too_many(len(skipped), photos))):
        which = f"{len(skipped):,} of the {photos:,} photos of {dataset.name} {dataset.split} cannot be read"
        which = f"none of the {photos} photos can be read" if len(skipped) == photos else which
        raise InputError(f"{which}; the first: {next(iter(skipped.values()))}")
    images.flush()
    np.save(folder / "targets.npy", targets)
    (folder / "photos.json").write_text(json.dumps({"products": products, "skipped": skipped}))


def _read_arrays(dataset: Dataset, folder: Path, key: str, *, in_memory: bool = False) -> Photos:
    meta = json.loads((folder / "photos.json").read_text())
    images = np.load(folder / "images.npy", mmap_mode=None if in_memory else "r")
    targets, skipped = np.load(folder / "targets.npy"), meta["skipped"]
    kept = [index for index, id_ in enumerate(dataset.ids) if id_ not in skipped]
    if skipped:
        images, targets = images[kept], targets[kept]
    if skipped and isinstance(dataset, Listed):
        lost = f"{len(skipped):,} of {len(dataset):,} photos cannot be read and are left out"
        first = next(iter(skipped.values()))
        warnings.warn(f"{dataset.name} {dataset.split}: {lost}; the first: {first}", stacklevel=3)
    return Photos(
        images=images, targets=targets if dataset.labels else None, labels=dataset.labels,
        ids=tuple(dataset.ids[index] for index in kept), products=tuple(meta["products"][index] for index in kept),
        skipped={**getattr(dataset, "left_out", {}), **skipped}, fingerprint=key,
    )  # fmt: skip
