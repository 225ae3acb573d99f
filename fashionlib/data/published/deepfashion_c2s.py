"""DeepFashion's Consumer-to-shop Clothes Retrieval Benchmark: people's own photos and the shop's of the same item.

Format: README of the release (2016) and `fashionlib.data.published.deepfashion`. `Eval/list_eval_partition.txt` has
image_pair_name_1 (consumer), image_pair_name_2 (shop), item_id, evaluation_status (train, val or test); a photo stands
in as many rows as it has partners, and becomes one sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fashionlib.data.published.deepfashion import Release, item_and_status, item_rows, name_and_type
from fashionlib.data.published.findings import Findings
from fashionlib.data.published.listed import Contents, Listed, check_empty, checked_option, checked_split

SPLITS = ("train", "val", "query", "gallery")
GALLERIES = {"val+test": ("val", "test"), "test": ("test",)}
_STATUSES = ("train", "val", "test")
_COLUMNS = "image_pair_name_1, image_pair_name_2, item_id, evaluation_status (train, val or test)"


class Pair(NamedTuple):
    """A consumer's photo and a shop's photo of the same item, and the line that names them."""

    consumer: str
    shop: str
    item: str
    status: str
    line: int


class ConsumerToShop(Listed):
    """One split of the consumer-to-shop benchmark.

    root: the folder with `Anno`, `Eval` and `Img`.
    split: "train" (both sides of the training pairs), "val" (the consumers' photos to choose options with), "query"
        (the consumers' photos of the test) or "gallery" ("c2s_query" and "c2s_gallery" mean the same).
    gallery: "val+test", every shop photo of both, as the later description of the benchmark has it (mmfashion's), or
        "test", as the README of the release has it. Each photo is there once.
    crop: show only what is inside the photo's box. attributes: read the items' attributes as labels.

    A sample's box is called "upper", "lower" or "full"; its product is the item; its domain is "street" for consumers'
    photos and "shop" for shops'. Raises InputError where files are missing or not as published.
    """

    name = "deepfashion_c2s"

    def __init__(
        self, root: str | Path, split: str = "train", *, gallery: str = "val+test", crop: bool = False,
        attributes: bool = False,
    ):  # fmt: skip
        checked_option("gallery", gallery, GALLERIES)
        super().__init__(
            root, checked_split(self.name, split, SPLITS),
            lambda root, found: read(root, found, gallery=gallery, crop=crop, attributes=attributes),
            tags="attributes" if attributes else "", crop=crop,
        )  # fmt: skip


def read(
    root: Path, found: Findings, *, gallery: str = "val+test", crop: bool = False, attributes: bool = False
) -> Contents:
    """The whole benchmark; what is wrong with it is reported."""
    release = Release(root, ConsumerToShop.name, "_consumer2shop", found)
    path, rows = release.partition(item_and_status(_STATUSES), _COLUMNS, photos=2)
    pairs = [Pair(*row.values, row.line) for row in rows.values()]
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(pair.consumer, pair)
        first.setdefault(pair.shop, pair)
    contents = Contents(list(first), products=[pair.item for pair in first.values()])
    contents.domains = ["street" if pair.consumer == name else "shop" for name, pair in first.items()]
    contents.splits = _splits(pairs, contents.names, gallery)
    if not pairs:
        check_empty(contents.splits, path, found)
        return contents
    statuses = {status: sum(pair.status == status for pair in pairs) for status in _STATUSES}
    contents.counts = {
        "photos": len(first), "pairs": len(pairs), "items": len({pair.item for pair in pairs}),
        **{f"{status} pairs": count for status, count in statuses.items()},
        "gallery photos": len({pair.shop for pair in pairs if pair.status != "train"}),
    }  # fmt: skip
    check_empty(contents.splits, path, found)
    _check_pairs(pairs, first, path, found)
    release.photos(contents)
    release.marks(contents, crop=crop)
    order, item_of = item_rows(contents.products)
    lines = dict.fromkeys(order, 0) | {pair.item: pair.line for pair in reversed(pairs)}
    contents.tags["attributes"] = release.items(
        _attribute, {item: lines[item] for item in order}, path, attributes=attributes
    )
    contents.tags["attributes"].rows = item_of
    return contents


def _splits(pairs: list[Pair], names: list[str], gallery: str) -> dict[str, np.ndarray]:
    number = {name: place for place, name in enumerate(names)}

    def rows(chosen: Iterable[str]) -> np.ndarray:
        return np.array([number[name] for name in dict.fromkeys(chosen)], dtype=np.int64)

    return {
        "train": rows(name for pair in pairs if pair.status == "train" for name in (pair.consumer, pair.shop)),
        "val": rows(pair.consumer for pair in pairs if pair.status == "val"),
        "query": rows(pair.consumer for pair in pairs if pair.status == "test"),
        "gallery": rows(pair.shop for pair in pairs if pair.status in GALLERIES[gallery]),
    }


def _check_pairs(pairs: list[Pair], first: dict[str, Pair], path: Path | None, found: Findings) -> None:
    """An item belongs to one of train, val and test; a photo to one item, and to a consumer or to a shop."""
    homes: dict[str, Pair] = {}
    reported: set[str] = set()
    for pair in pairs:
        home = homes.setdefault(pair.item, pair)
        if home.status != pair.status and pair.item not in reported:
            reported.add(pair.item)
            found.add("splits", path, "an item is in two of train, val and test, {}: it leaks, take it out of one",
                      pair.line, f"such as {pair.item} (also in line {home.line})")  # fmt: skip
        for name, side in ((pair.consumer, "consumer"), (pair.shop, "shop")):
            known = first[name]
            if name in reported or (known.item == pair.item and getattr(known, side) == name):
                continue
            reported.add(name)
            if known.item != pair.item:
                found.add("splits", path, "a photo shows two items, {}; correct one of the rows", pair.line,
                          f"such as {name}: {pair.item}, but {known.item} in line {known.line}")  # fmt: skip
            else:
                found.add("splits", path, "a photo is a consumer's and a shop's, such as {}; correct one of the rows",
                          pair.line, f"{name} (line {known.line})")  # fmt: skip


def _attribute(text: str) -> tuple | None:
    """The name in Chinese, the name in English, the type."""
    parts = text.split(None, 1)
    return name_and_type(parts[1]) if len(parts) == 2 else None
