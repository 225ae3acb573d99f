"""Data sets, all giving the same `Sample`, through one door: `load`."""

from __future__ import annotations

from pathlib import Path

from fashionlib.data.base import Dataset, Sample, split_hash
from fashionlib.data.ccp import CCP
from fashionlib.data.folder import Folder
from fashionlib.data.wardrobe import Wardrobe
from fashionlib.errors import InputError

__all__ = ["CCP", "Dataset", "Folder", "Sample", "Wardrobe", "load", "split_hash"]

NAMES = ("wardrobe", "ccp", "folder")


def load(name: str = "wardrobe", root: str | Path | None = None, split: str = "train", **options) -> Dataset:
    """The split `split` of the data set `name`.

    name: "wardrobe" (drawn by us; takes no root), "ccp" (`split_seed=…`) or "folder" (its one split is "all").
    root: the folder that holds the data.
    options: handed on to the data set's class.

    Raises InputError for an unknown name, split or option, and where the data is missing.
    """
    if name not in NAMES:
        raise InputError(f"unknown data set {name!r}: choose one of {', '.join(NAMES)}")
    try:
        if name == "wardrobe":
            return Wardrobe(split, **options)
        if root is None:
            raise InputError(f"the data set {name} needs its folder: give root=… (DATA=… with make)")
        if name == "ccp":
            return CCP(root, split, **options)
        return Folder(root, **options)
    except TypeError as error:
        raise InputError(f"the data set {name} does not take these options: {error}") from error
