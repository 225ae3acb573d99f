"""DeepFashion's Category and Attribute Prediction Benchmark: 289,222 photos, 50 categories, 1,000 attributes.

Format: README of the release (2016) and `fashionlib.data.published.deepfashion`. Categories are numbered from 1 in
the order of `Anno/list_category_cloth.txt`; attributes are 1, −1 or 0 (unknown) in `Anno/list_attr_img.txt`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fashionlib.data.published.deepfashion import Release, name_and_type, split_rows
from fashionlib.data.published.findings import Findings
from fashionlib.data.published.listed import Contents, Listed, Tags, check_empty, checked_option, checked_split
from fashionlib.data.published.lists import numbers_of, read_table
from fashionlib.data.published.values import read_values

SPLITS = ("train", "val", "test")
TAGS = ("both", "categories", "attributes")


class Attributes(Listed):
    """One split of the category and attribute benchmark.

    root: the folder with `Anno`, `Eval` and `Img`. split: "train", "val" or "test".
    tags: the labels: "categories" (one a photo), "attributes" or "both" (categories first).
    crop: show only what is inside the photo's box.

    A sample's box is called by its category. Raises InputError where files are missing or not as published.
    """

    name = "deepfashion_attributes"

    def __init__(self, root: str | Path, split: str = "train", *, tags: str = "both", crop: bool = False):
        checked_option("tags", tags, TAGS)
        super().__init__(
            root, checked_split(self.name, split, SPLITS), lambda root, found: read(root, found, tags=tags, crop=crop),
            tags=tags, crop=crop,
        )  # fmt: skip


def read(root: Path, found: Findings, *, tags: str = "both", crop: bool = False) -> Contents:
    """The whole benchmark; what is wrong with it is reported."""
    release = Release(root, Attributes.name, "", found)
    path, rows = release.partition(_status, "image_name, evaluation_status (train, val or test)")
    statuses = [row.values[1] for row in rows.values()]
    contents = Contents(list(rows), split_rows(statuses, SPLITS), domains=[None] * len(rows))
    check_empty(contents.splits, path, found)
    if not rows:
        return contents
    number = {name: place for place, name in enumerate(rows)}
    names = tuple(release.names("list_category_cloth.txt", name_and_type, "category_name, category_type", found.add))
    called = _categories(release, names, number)
    categories = Tags(names, np.eye(len(names), dtype=bool), called)
    attributes = tuple(release.names("list_attr_cloth.txt", name_and_type, "attribute_name, attribute_type", found.add))
    targets = np.zeros((len(rows), 0), dtype=bool)
    if tags != "categories":
        values = release.path("list_attr_img.txt", found.add)
        targets = read_values(values, number, len(attributes), found.add, found)
    contents.tags["categories"], contents.tags["attributes"] = categories, Tags(attributes, targets)
    if tags == "both" and names:
        apart = tuple(f"{name} (attribute)" if name in names else name for name in attributes)
        contents.tags["both"] = Tags((*names, *apart), np.concatenate([categories.matrix[called], targets], axis=1))
    contents.counts = {
        "photos": len(rows), "categories": len(names), "attributes": len(attributes),
        **{f"{split} photos": len(contents.splits[split]) for split in SPLITS},
    }  # fmt: skip
    release.photos(contents)
    release.marks(contents, crop=crop, labels=[names[place] for place in called] if names else None)
    return contents


def _categories(release: Release, names: tuple[str, ...], number: dict[str, int]) -> np.ndarray:
    """The number of each photo's category, from 0; a photo without one is reported."""
    path, found = release.path("list_category_img.txt", release.found.add), release.found
    called = np.full(len(number), -1, dtype=np.int64)
    rows = read_table(path, _category, "image_name, category_label", found.add, photos=1)
    for photo, (line, (_, category)) in rows.items():
        if not 1 <= category <= len(names):
            found.add("lists", path, f"the category is {{}}, expected 1 to {len(names)}; correct the row", line,
                      str(category))  # fmt: skip
        elif photo in number:
            called[number[photo]] = category - 1
    lost = [photo for photo, place in number.items() if called[place] < 0]
    if lost and path and not found.blames(path):
        found.add("lists", path, f"no category for {len(lost):,} of {len(number):,} photos, such as {lost[0]}; fetch "
                                 "the list again")  # fmt: skip
    return called.clip(0)


def _status(text: str) -> tuple | None:
    return (text.lower(),) if text.lower() in SPLITS else None


def _category(text: str) -> tuple | None:
    numbers = numbers_of(text)
    return (numbers[0],) if numbers and len(numbers) == 1 else None
