"""DeepFashion's In-shop Clothes Retrieval Benchmark: studio photos of 7,982 items, several views of each.

Format: README of the release (2016) and `fashionlib.data.published.deepfashion`. `Eval/list_eval_partition.txt` has
image_name, item_id, evaluation_status (train, query or gallery). All colours ("series", the number before the first
underscore of a file name) of an item count as the same item, as in the benchmark.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import fashionlib.data.published.deepfashion as release
from fashionlib.core.errors import InputError
from fashionlib.data.published.listed import Listed, Survey, checked_split, existing_root
from fashionlib.data.published.lists import PHOTO, Hearing, Report, refuse
from fashionlib.data.published.registry import PUBLISHED

NAME = "deepfashion_inshop"
STATUSES = ("train", "query", "gallery")
_ROW = re.compile(PHOTO + r"\s+(\S.*?)\s+(train|query|gallery)")
_COLUMNS = "image_name, item_id, evaluation_status (train, query or gallery)"
_ATTRIBUTE = re.compile(r"(\S.*)")


class InShop(Listed):
    """One split of the in-shop benchmark.

    root: the folder with `Anno`, `Eval` and `Img`. split: "train", "query" or "gallery" ("inshop_query" and
    "inshop_gallery", the wardrobe's names, mean the same).
    held_out: the share of the items of "train" that are the split "val" instead; the benchmark has none.
    crop: show only what is inside the photo's box. attributes: read the items' attributes as labels.

    A sample's box is called "upper", "lower" or "full"; its product is the item; its domain is "shop".
    Raises InputError where files are missing or not as published.
    """

    name = NAME

    def __init__(
        self, root: str | Path, split: str = "train", *, held_out: float = 0.0, crop: bool = False,
        attributes: bool = False,
    ):  # fmt: skip
        splits = ("train", "val", "query", "gallery") if held_out else STATUSES
        root, split = existing_root(root, PUBLISHED[NAME].hint), checked_split(NAME, split, splits)
        listed = read_partition(root, refuse).values()
        out = held_out_items((photo.item for photo in listed if photo.status == "train"), held_out)
        photos = {photo.name: photo for photo in listed if _split_of(photo, out) == split}
        base = release.photo_folder(root, NAME, refuse)
        known = release.marks_of(root, NAME, "_inshop", photos, crop=crop)
        if attributes:
            items = [photo.item for photo in photos.values()]
            known["labels"], known["targets"] = release.item_attributes(root, NAME, _ATTRIBUTE, items, refuse)
        listing = release.listing_of(photos, base, dict.fromkeys(photos, "shop"), **known)
        super().__init__(root, split, listing, crop=crop)


def held_out_items(items: Iterable[str], share: float) -> frozenset[str]:
    """This share of the items, one at least: those whose ids have the smallest hashes, whatever their order.

    Raises InputError for a share that is none.
    """
    if not 0 <= share < 1:
        raise InputError(f"held_out={share}: expected a share of the items from 0 to below 1")
    ordered = sorted({*items}, key=lambda item: hashlib.sha256(item.encode()).digest())
    return frozenset(ordered[: max(1, round(share * len(ordered)))] if share else ())


def _split_of(photo: release.Photo, held_out: frozenset[str]) -> str:
    return "val" if photo.status == "train" and photo.item in held_out else photo.status


def read_partition(root: Path, report: Report) -> dict[str, release.Photo]:
    """Every photo of the three splits by name."""
    path = release.anno_list(root, NAME, "list_eval_partition.txt", report, folder="Eval")
    return release.read_photos(path, _ROW, _COLUMNS, report)


def survey(root: Path, report: Report) -> Survey:
    """The whole benchmark, every fault of its lists reported; for `fashionlib doctor`."""
    hearing = Hearing(report)
    photos = read_partition(root, hearing)
    found = release.survey_of(root, NAME, {name: photo.where for name, photo in photos.items()}, report)
    items = {status: Counter(p.item for p in photos.values() if p.status == status) for status in STATUSES}
    found.counts = {
        "photos": len(photos), "items": len(set().union(*items.values())),
        **{f"{status} photos": sum(items[status].values()) for status in STATUSES},
        **{f"{status} items": len(items[status]) for status in STATUSES},
    }  # fmt: skip
    release.add_marks(found, photos, (root, NAME, "_inshop"), report)
    release.check_items(root, NAME, "_inshop", _ATTRIBUTE, {p.item: p.where for p in photos.values()}, report)
    _check_splits(photos, items, hearing)
    return found


def _check_splits(photos: dict[str, release.Photo], items: dict[str, Counter], report: Hearing) -> None:
    """Items to train on are not those to be found; what is asked for can be found."""
    first = {(photo.item, photo.status): photo.where for photo in reversed(photos.values())}
    for item in items["train"]:
        others = [status for status in ("query", "gallery") if item in items[status]]
        if others:
            report("splits", f"{first[item, others[0]]}: item {item} is in {' and '.join(others)} and in train "
                             f"({first[item, 'train']}); it leaks, take it out of one")  # fmt: skip
    for item in report.unexplained(item for item in items["query"] if item not in items["gallery"]):
        report("splits", f"{first[item, 'query']}: item {item} is asked for, but not in the gallery")
