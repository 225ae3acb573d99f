"""Data sets, all giving the same `Sample`, through one door: `load`."""

from __future__ import annotations

from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.data.base import Dataset, Sample, split_hash
from fashionlib.data.catalogue import Catalogue
from fashionlib.data.ccp import CCP
from fashionlib.data.ccp_shop import SPLITS as GARMENTS
from fashionlib.data.ccp_shop import CCPShop
from fashionlib.data.closet import Closet
from fashionlib.data.folder import Folder
from fashionlib.data.published.deepfashion_attributes import Attributes
from fashionlib.data.published.deepfashion_c2s import ConsumerToShop
from fashionlib.data.published.deepfashion_inshop import InShop
from fashionlib.data.published.fashion144k import Fashion144k
from fashionlib.data.published.fashion550k import Fashion550k
from fashionlib.data.street_closet import StreetCloset
from fashionlib.data.wardrobe.dataset import Wardrobe

__all__ = [
    "CCP",
    "Attributes",
    "CCPShop",
    "Catalogue",
    "Closet",
    "ConsumerToShop",
    "Dataset",
    "Fashion144k",
    "Fashion550k",
    "Folder",
    "InShop",
    "Sample",
    "StreetCloset",
    "Wardrobe",
    "load",
    "split_hash",
]

_ROOTED = {
    kind.name: kind
    for kind in (CCP, Closet, Catalogue, StreetCloset, Fashion144k, Fashion550k, InShop, ConsumerToShop, Attributes)
}
NAMES = ("wardrobe", "ccp", "folder", *list(_ROOTED)[1:])


def load(name: str = "wardrobe", root: str | Path | None = None, split: str = "train", **options) -> Dataset:
    """The split `split` of the data set `name`.

    name: "wardrobe" (drawn by us; takes no root), "ccp" (`split_seed=…`; splits "c2s_query" and
        "c2s_gallery", too, see `CCPShop`), "closet" (`split_seed=…`), "catalogue" (splits
        "inshop_query" and "inshop_gallery"; `half=…`), "street_closet" (`split_seed=…`),
        "folder" (its one split is "all"),
        "fashion144k" and "fashion550k" (`tags=…`), "deepfashion_inshop" (splits "train", "query", "gallery"),
        "deepfashion_c2s" ("train", "val", "query", "gallery"; `gallery=…`) or "deepfashion_attributes" (`tags=…`);
        the last three take `crop=True` to show only what is inside the boxes.
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
        if name == "folder":
            return Folder(root, **options)
        if name == "ccp" and split in GARMENTS:
            return CCPShop(root, split, **options)
        return _ROOTED[name](root, split, **options)  # pyright: ignore[reportReturnType]
    except TypeError as error:
        raise InputError(f"the data set {name} does not take these options: {error}") from error
