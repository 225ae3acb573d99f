"""DeepFashion's Consumer-to-shop Clothes Retrieval Benchmark: people's own photos and the shop's of the same item.

Format: README of the release (2016) and `fashionlib.data.published.deepfashion`. `Eval/list_eval_partition.txt` has
image_pair_name_1 (consumer), image_pair_name_2 (shop), item_id, evaluation_status (train, val or test); a photo stands
in as many rows as it has partners, and becomes one sample.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fashionlib.core.findings import Findings
from fashionlib.data.base import check_choice
from fashionlib.data.published.deepfashion import NAME_AND_TYPE, Release
from fashionlib.data.published.listed import Contents, Listed, check_empty
from fashionlib.data.published.lists import TEXT, photo

SPLITS = ("train", "val", "query", "gallery")
GALLERIES = {"val+test": ("val", "test"), "test": ("test",)}
_STATUSES = ("train", "val", "test")


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
        check_choice(f"gallery={gallery!r}", gallery, GALLERIES)
        super().__init__(
            root, split, partial(read, gallery=gallery, crop=crop, attributes=attributes), SPLITS,
            tags="attributes" if attributes else "", crop=crop,
        )  # fmt: skip


def read(
    root: Path, found: Findings, *, gallery: str = "val+test", crop: bool = False, attributes: bool = False
) -> Contents:
    """The whole benchmark; what is wrong with it is reported."""
    release = Release(root, ConsumerToShop.name, "_consumer2shop", found)
    row = rf"{photo('consumer')}\s+{photo('shop')}\s+(?P<item>{TEXT})"
    path, rows = release.partition(row, _STATUSES, "image_pair_name_1, image_pair_name_2, item_id", photos=2)
    named, status = rows[["consumer", "shop"]].to_numpy(), rows.status.to_numpy()  # row by row: consumer, shop
    numbers, names = pd.factorize(named.ravel())
    pairs = numbers.reshape(-1, 2)
    chosen = {
        "train": pairs[status == "train"], "val": pairs[status == "val", 0], "query": pairs[status == "test", 0],
        "gallery": pairs[np.isin(status, GALLERIES[gallery]), 1],
    }  # fmt: skip
    contents = Contents(names.tolist(), {split: pd.unique(some.ravel()) for split, some in chosen.items()})
    check_empty(contents.splits, path, found)
    if not len(rows):
        return contents
    first = np.unique(numbers, return_index=True)[1]  # where each photo stands first
    item_of, items = pd.factorize(rows["item"].to_numpy()[first // 2])
    contents.products = items[item_of]
    contents.domains = np.array(["street", "shop"], dtype=object)[first % 2]
    contents.counts = {
        "photos": len(names), "pairs": len(rows), "items": rows["item"].nunique(),
        **{f"{one} pairs": int((status == one).sum()) for one in _STATUSES},
        "gallery photos": rows.shop[status != "train"].nunique(),
    }  # fmt: skip
    _check_pairs(rows, numbers, first, path, found)
    release.marks(contents, crop=crop)
    lines = rows.drop_duplicates("item").set_index("item").line
    row = rf"\S+\s+{NAME_AND_TYPE}"  # the name in Chinese, the name in English, the type
    contents.tags["attributes"] = release.items(row, lines[items].to_dict(), path, attributes=attributes)
    contents.tags["attributes"].rows = item_of
    return contents


def _check_pairs(
    rows: pd.DataFrame, numbers: np.ndarray, first: np.ndarray, path: Path | None, found: Findings
) -> None:
    """An item belongs to one of train, val and test; a photo to one item, and to a consumer or to a shop.

    numbers: of the photos, row by row; first: by photo, where it stands first among these.
    """
    homes = rows.drop_duplicates("item").set_index("item")
    leaks = rows[(homes.status[rows["item"]].to_numpy() != rows.status.to_numpy())].drop_duplicates("item")
    for item, line in zip(leaks["item"], leaks.line, strict=True):
        found.add("splits", path, "an item is in two of train, val and test, {}: it leaks, take it out of one", line,
                  f"such as {item} (also in line {homes.line[item]})")  # fmt: skip
    items, lines = np.repeat(rows["item"].to_numpy(), 2), np.repeat(rows.line.to_numpy(), 2)
    known, places = first[numbers], np.arange(len(numbers))
    other = np.flatnonzero((items[known] != items) | (known % 2 != places % 2))
    for place in other[np.unique(numbers[other], return_index=True)[1]]:
        name, line = rows[("consumer", "shop")[place % 2]].iloc[place // 2], lines[known[place]]
        if items[known[place]] != items[place]:
            found.add("splits", path, "a photo shows two items, {}; correct one of the rows", int(lines[place]),
                      f"such as {name}: {items[place]}, but {items[known[place]]} in line {line}")  # fmt: skip
        else:
            found.add("splits", path, "a photo is a consumer's and a shop's, such as {}; correct one of the rows",
                      int(lines[place]), f"{name} (line {line})")  # fmt: skip
