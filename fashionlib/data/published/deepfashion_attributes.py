"""DeepFashion's Category and Attribute Prediction Benchmark: 289,222 photos, 50 categories, 1,000 attributes.

Format: README of the release (2016) and `fashionlib.data.published.deepfashion`. Categories are numbered from 1 in
the order of `Anno/list_category_cloth.txt`; attributes are 1, −1 or 0 (unknown) in `Anno/list_attr_img.txt`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np

import fashionlib.data.published.deepfashion as release
from fashionlib.core.errors import InputError
from fashionlib.data.published.listed import Listed, Survey, checked_split, existing_root
from fashionlib.data.published.lists import PHOTO, Hearing, Report, check_name, read_rows, refuse
from fashionlib.data.published.registry import PUBLISHED

NAME = "deepfashion_attributes"
SPLITS = ("train", "val", "test")
TAGS = ("both", "categories", "attributes")
_ROW = re.compile(PHOTO + r"\s+(train|val|test)")
_COLUMNS = "image_name, evaluation_status (train, val or test)"
_NAME = re.compile(r"(\S.*?)\s+\d+")
_CATEGORY = re.compile(PHOTO + r"\s+(\d+)")


class Attributes(Listed):
    """One split of the category and attribute benchmark.

    root: the folder with `Anno`, `Eval` and `Img`. split: "train", "val" or "test".
    tags: the labels: "categories" (one a photo), "attributes" or "both" (categories first).
    crop: show only what is inside the photo's box.

    A sample's box is called by its category. Raises InputError where files are missing or not as published.
    """

    name = NAME

    def __init__(self, root: str | Path, split: str = "train", *, tags: str = "both", crop: bool = False):
        root, split = existing_root(root, PUBLISHED[NAME].hint), checked_split(NAME, split, SPLITS)
        if tags not in TAGS:
            raise InputError(f"tags={tags!r}: choose one of {', '.join(TAGS)}")
        photos = {name: photo for name, photo in read_partition(root, refuse).items() if photo.status == split}
        base = release.photo_folder(root, NAME, refuse)
        names, categories = read_categories(root, refuse, wanted=photos)
        labels, targets = _tags(root, tags, photos, names, categories)
        called = {photo: names[number] for photo, number in categories.items()}
        known = release.marks_of(root, NAME, "", photos, crop=crop, labels=called)
        listing = release.listing_of(photos, base, {}, labels=labels, targets=targets, **known)
        super().__init__(root, split, listing, crop=crop)


def read_partition(root: Path, report: Report) -> dict[str, release.Photo]:
    """Every photo of the three splits by name."""
    path = release.anno_list(root, NAME, "list_eval_partition.txt", report, folder="Eval")
    return release.read_photos(path, _ROW, _COLUMNS, report)


def read_categories(root: Path, report: Report, *, wanted: Collection[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """The categories' names, and by photo the number of its category, from 0; a photo without one is reported."""
    path = release.anno_list(root, NAME, "list_category_cloth.txt", report)
    names = release.read_names(path, _NAME, "category_name, category_type", report)
    path = release.anno_list(root, NAME, "list_category_img.txt", report)
    found: dict[str, int] = {}
    hearing = Hearing(report)
    for where, (photo, number) in read_rows(path, _CATEGORY, "image_name, category_label", hearing):
        if not 1 <= int(number) <= len(names):
            hearing("lists", f"{where}: {photo} has category {number}, expected 1 to {len(names)}; correct the row")
        elif photo in found:
            hearing("duplicates", f"{where}: {photo} has a category further up already; keep one of the rows")
        elif check_name(photo, where, hearing) and photo in wanted:
            found[photo] = int(number) - 1
    for photo in hearing.unexplained(photo for photo in wanted if photo not in found) if path else ():
        report("lists", f"{path}: no category for {photo}, which the partition names; fetch the list again")
    return names, found


def _attribute_names(root: Path, report: Report) -> tuple[str, ...]:
    path = release.anno_list(root, NAME, "list_attr_cloth.txt", report)
    return release.read_names(path, _NAME, "attribute_name, attribute_type", report)


def _tags(
    root: Path, tags: str, photos: Collection[str], names: tuple[str, ...], categories: dict[str, int]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Labels and targets; an attribute that is called like a category ("romper") keeps its own label."""
    of_categories = np.zeros((len(photos), len(names)), dtype=bool)
    of_categories[np.arange(len(photos)), [categories[photo] for photo in photos]] = True
    if tags == "categories":
        return names, of_categories
    attributes = _attribute_names(root, refuse)
    path = release.anno_list(root, NAME, "list_attr_img.txt", refuse)
    targets = release.read_targets_of(path, photos, len(attributes), refuse)
    if tags == "attributes":
        return attributes, targets
    apart = tuple(f"{name} (attribute)" if name in names else name for name in attributes)
    return (*names, *apart), np.concatenate([of_categories, targets], axis=1)


def survey(root: Path, report: Report) -> Survey:
    """The whole benchmark, every fault of its lists reported; for `fashionlib doctor`."""
    photos = read_partition(root, report)
    found = release.survey_of(root, NAME, {name: photo.where for name, photo in photos.items()}, report)
    names, categories = read_categories(root, report, wanted=photos)
    attributes = _attribute_names(root, report)
    path = release.anno_list(root, NAME, "list_attr_img.txt", report)
    if attributes:
        release.read_targets_of(path, photos, len(attributes), report)
    statuses = Counter(photo.status for photo in photos.values())
    found.counts = {
        "photos": len(photos), "categories": len(names), "attributes": len(attributes),
        **{f"{status} photos": statuses[status] for status in SPLITS},
    }  # fmt: skip
    called = {photo: names[number] for photo, number in categories.items()}
    release.add_marks(found, photos, (root, NAME, ""), report, labels=called)
    return found
