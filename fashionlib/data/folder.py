"""Anyone's photos: a folder, with or without sub-folders, and nothing known about them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.data.base import Sample
from fashionlib.data.photos import SUFFIXES, read_photo


class Folder:
    """Every photo below `root`, by path. Links that lead out of the folder are not followed.

    `dataset[i]` raises InputError where that photo cannot be read; `fashionlib.data.store.load_photos` skips such
    photos and reports them.

    Raises InputError where the folder is missing or holds no file with a photo's ending.
    """

    name = "folder"
    split = "all"
    labels: tuple[str, ...] = ()

    def __init__(self, root: str | Path):
        self.root = Path(root)
        if not self.root.is_dir():
            raise InputError(f"{self.root}: no such folder; name a folder with photos")
        self.ids = tuple(sorted(self._found()))
        if not self.ids:
            endings = " ".join(sorted(SUFFIXES))
            raise InputError(f"{self.root}: no photos in this folder; expected files ending in {endings}")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        id_ = self.ids[index]
        return Sample(image=read_photo(self.root / id_), id=id_)

    def targets(self) -> None:
        """Nobody tagged them."""
        return None

    def fingerprint(self) -> str:
        """Changes when a photo is added, removed or changed (size or time)."""
        stats = ((id_, (self.root / id_).stat()) for id_ in self.ids)
        rows = [f"{id_!r} {stat.st_size} {stat.st_mtime_ns}" for id_, stat in stats]
        return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()[:12]

    def _found(self) -> Iterator[str]:
        return (name for name, inside in photos_below(self.root) if inside)


def photos_below(root: Path) -> Iterator[tuple[str, bool]]:
    """Every file with a photo's ending, relative to `root`, and whether it lies inside it, links followed."""
    home = root.resolve()
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.suffix.lower() in SUFFIXES:
                # only a link can lead out: os.walk enters no linked folder
                yield path.relative_to(root).as_posix(), not path.is_symlink() or path.resolve().is_relative_to(home)
