"""DeepFashion's Category and Attribute Prediction Benchmark: 289,222 photos, 50 categories, 1,000 attributes.

Format: README of the release (2016) and `fashionlib.data.published.deepfashion`. Categories are numbered from 1 in
the order of `Anno/list_category_cloth.txt`; attributes are 1, −1 or 0 (unknown) in `Anno/list_attr_img.txt`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fashionlib.core.findings import Findings
from fashionlib.data.base import check_choice
from fashionlib.data.published.deepfashion import NAME_AND_TYPE, Release, split_rows
from fashionlib.data.published.listed import Contents, Listed, Tags, check_empty
from fashionlib.data.published.lists import NUMBER, PHOTO, read_table, read_values

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
        check_choice(f"tags={tags!r}", tags, TAGS)
        super().__init__(root, split, partial(read, tags=tags, crop=crop), SPLITS, tags=tags, crop=crop)


def read(root: Path, found: Findings, *, tags: str = "both", crop: bool = False) -> Contents:
    """The whole benchmark; what is wrong with it is reported."""
    release = Release(root, Attributes.name, "", found)
    path, rows = release.partition(PHOTO, SPLITS, "image_name")
    contents = Contents(rows.photo.tolist(), split_rows(rows.status, SPLITS))
    check_empty(contents.splits, path, found)
    if not len(rows):
        return contents
    names = release.names("list_category_cloth.txt", NAME_AND_TYPE, "category_name, category_type", found.add)
    called = _categories(release, names, contents.names)
    attributes = release.names("list_attr_cloth.txt", NAME_AND_TYPE, "attribute_name, attribute_type", found.add)
    number = {name: place for place, name in enumerate(contents.names)}
    path = release.find_list("list_attr_img.txt", found.add) if tags != "categories" else None
    both = read_values(path, number, len(attributes), found.add, found, before=len(names))
    contents.tags = {
        "categories": Tags(names, np.eye(len(names), dtype=bool), called),
        "attributes": Tags(attributes, both[:, len(names) :]),
    }
    if tags == "both" and names:
        apart = tuple(f"{name} (attribute)" if name in names else name for name in attributes)
        both[np.arange(len(rows)), called] = True
        contents.tags["both"] = Tags((*names, *apart), both)
    contents.counts = {
        "photos": len(rows), "categories": len(names), "attributes": len(attributes),
        **{f"{split} photos": len(contents.splits[split]) for split in SPLITS},
    }  # fmt: skip
    release.marks(contents, crop=crop, labels=np.array(names, dtype=object)[called] if names else None)
    return contents


def _categories(release: Release, names: tuple[str, ...], photos: list[str]) -> np.ndarray:
    """The number of each photo's category, from 0; a photo without one is reported."""
    path, found = release.find_list("list_category_img.txt", release.found.add), release.found
    row = rf"{PHOTO}\s+(?P<category>{NUMBER})"
    rows = read_table(path, row, "image_name, category_label", found.add, photos=1)
    called = rows.category.to_numpy().astype(np.int64)
    wrong = (called < 1) | (called > len(names))
    for line, category in zip(rows.line[wrong], called[wrong], strict=True):
        found.add("lists", path, f"the category is {{}}, expected 1 to {len(names)}; correct the row", line, category)
    place = pd.Index(rows.photo[~wrong], dtype=object).get_indexer(pd.Index(photos, dtype=object))
    lost = np.flatnonzero(place < 0)
    if len(lost) and path and not found.blames(path):
        found.add("lists", path, f"no category for {len(lost):,} of {len(photos):,} photos, such as "
                                 f"{photos[lost[0]]}; fetch the list again")  # fmt: skip
    return np.append(called[~wrong], 1)[place] - 1  # the first one's, where there is none
