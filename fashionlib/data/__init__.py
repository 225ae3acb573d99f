"""Data sets, all giving the same `Sample`, through one door: `load`."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import lazy_loader

from fashionlib.core.errors import InputError
from fashionlib.data.base import Dataset, Sample, split_hash

_MODULES = {  # by name, where its class is
    "wardrobe": ("wardrobe.dataset", "Wardrobe"), "ccp": ("ccp", "CCP"), "folder": ("folder", "Folder"),
    "closet": ("closet", "Closet"), "catalogue": ("catalogue", "Catalogue"),
    "street_closet": ("closet", "StreetCloset"), "fashion144k": ("published.fashion144k", "Fashion144k"),
    "fashion550k": ("published.fashion550k", "Fashion550k"),
    "deepfashion_inshop": ("published.deepfashion_inshop", "InShop"),
    "deepfashion_c2s": ("published.deepfashion_c2s", "ConsumerToShop"),
    "deepfashion_attributes": ("published.deepfashion_attributes", "Attributes"),
}  # fmt: skip
NAMES = tuple(_MODULES)
_classes = {"ccp": ["CCPShop"]}
for _module, _class in _MODULES.values():
    _classes.setdefault(_module, []).append(_class)
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_classes)
__all__ = ["NAMES", "Dataset", "Sample", "load", "split_hash"]


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
    if name != "wardrobe" and root is None:
        raise InputError(f"the data set {name} needs its folder: give root=… (DATA=… with make)")
    garments = name == "ccp" and split in ("c2s_query", "c2s_gallery")
    kind: type = getattr(sys.modules[__name__], "CCPShop" if garments else _MODULES[name][1])
    words = {"wardrobe": (split,), "folder": (root,)}.get(name, (root, split))
    try:
        inspect.signature(kind).bind(*words, **options)
    except TypeError as error:
        raise InputError(f"the data set {name} does not take these options: {error}") from error
    return kind(*words, **options)
