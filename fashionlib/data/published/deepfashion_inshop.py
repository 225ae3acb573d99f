"""DeepFashion's In-shop Clothes Retrieval Benchmark: studio photos of 7,982 items, several views of each.

Format: README of the release (2016) and `fashionlib.data.published.deepfashion`. `Eval/list_eval_partition.txt` has
image_name, item_id, evaluation_status (train, query or gallery). All colours ("series", the number before the first
underscore of a file name) of an item count as the same item, as in the benchmark.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fashionlib.core.errors import InputError
from fashionlib.core.findings import Findings
from fashionlib.data.published.deepfashion import Release, split_rows
from fashionlib.data.published.listed import Contents, Listed, check_empty
from fashionlib.data.published.lists import PHOTO, TEXT

STATUSES = ("train", "query", "gallery")


class InShop(Listed):
    """One split of the in-shop benchmark.

    root: the folder with `Anno`, `Eval` and `Img`. split: "train", "query" or "gallery" ("inshop_query" and
    "inshop_gallery", the wardrobe's names, mean the same).
    held_out: the share of the items of "train" that are the split "val" instead; the benchmark has none.
    crop: show only what is inside the photo's box. attributes: read the items' attributes as labels.

    A sample's box is called "upper", "lower" or "full"; its product is the item; its domain is "shop".
    Raises InputError where files are missing or not as published.
    """

    name = "deepfashion_inshop"

    def __init__(
        self, root: str | Path, split: str = "train", *, held_out: float = 0.0, crop: bool = False,
        attributes: bool = False,
    ):  # fmt: skip
        if not 0 <= held_out < 1:
            raise InputError(f"held_out={held_out}: expected a share of the items from 0 to below 1")
        super().__init__(
            root, split, partial(read, held_out=held_out, crop=crop, attributes=attributes),
            ("train", "val", "query", "gallery") if held_out else STATUSES,
            tags="attributes" if attributes else "", crop=crop,
        )  # fmt: skip


def read(
    root: Path, found: Findings, *, held_out: float = 0.0, crop: bool = False, attributes: bool = False
) -> Contents:
    """The whole benchmark; what is wrong with it is reported."""
    release = Release(root, InShop.name, "_inshop", found)
    path, rows = release.partition(rf"{PHOTO}\s+(?P<item>{TEXT})", STATUSES, "image_name, item_id")
    contents = Contents(rows.photo.tolist(), split_rows(rows.status, STATUSES))
    if not len(rows):
        check_empty(contents.splits, path, found)
        return contents
    numbers, items = pd.factorize(rows["item"])
    contents.products, contents.domains = items[numbers], np.full(len(rows), "shop", dtype=object)
    of = {split: items[pd.unique(numbers[chosen])].tolist() for split, chosen in contents.splits.items()}
    contents.counts = {
        "photos": len(rows), "items": len(items),
        **{f"{split} photos": len(contents.splits[split]) for split in STATUSES},
        **{f"{split} items": len(of[split]) for split in STATUSES},
    }  # fmt: skip
    if held_out:
        out, train = held_out_items(of["train"], held_out), contents.splits["train"]
        is_out = rows["item"].isin([*out]).to_numpy()[train]
        contents.splits |= {"train": train[~is_out], "val": train[is_out]}
    check_empty(contents.splits, path, found)
    firsts = rows.drop_duplicates(["item", "status"])
    line = dict(zip(zip(firsts["item"], firsts.status, strict=True), firsts.line, strict=True))
    _check_items({split: dict.fromkeys(of[split]) for split in STATUSES}, line, path, found)
    release.marks(contents, crop=crop)
    lines = {item: next(line[item, split] for split in STATUSES if (item, split) in line) for item in items}
    contents.tags["attributes"] = release.items(f"(?P<name>{TEXT})", lines, path, attributes=attributes)
    contents.tags["attributes"].rows = numbers
    return contents


def _check_items(
    items: dict[str, dict[str, None]], line: dict[tuple[str, str], int], path: Path | None, found: Findings
) -> None:
    """Reported: items that are in the training split and in another one, and queries without a gallery photo."""
    for item in items["train"]:
        other = next((split for split in ("query", "gallery") if item in items[split]), "")
        if other:
            found.add("splits", path, "an item to train on is also in query or gallery, such as {}: it leaks, take it "
                      "out of one", line[item, other], item)  # fmt: skip
    for item in items["query"] if not found.blames(path) else ():
        if item not in items["gallery"]:
            found.add("splits", path, "an item is asked for, but not in the gallery, such as {}", line[item, "query"],
                      item)  # fmt: skip


def held_out_items(items: Iterable[str], share: float) -> frozenset[str]:
    """This share of the items, one at least: those whose ids have the smallest hashes, whatever their order."""
    ordered = sorted({*items}, key=lambda item: hashlib.sha256(item.encode()).digest())
    return frozenset(ordered[: max(1, round(share * len(ordered)))])
