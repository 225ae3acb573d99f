"""Clothes as people photograph them at home: one garment per photo, 17 classes, and who sent it.

A. Grigorev, "Clothing dataset", 2020; public in the GitHub repository alexeygrigorev/clothing-dataset (CC0 1.0).
Expected layout: `images.csv` (image, sender_id, label, kids) and `images/IMAGE.jpg`. The rows that show no class ("Not
sure", "Skip", "Other") are left out. One sender's photos share a background, so splits are made by sender.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from fashionlib.core.errors import InputError
from fashionlib.data.base import Dataset, Sample, check_choice, lines_hash
from fashionlib.data.photos import read_photo

CLASSES = (
    "blazer", "blouse", "body", "dress", "hat", "hoodie", "longsleeve", "outwear", "pants", "polo", "shirt", "shoes",
    "shorts", "skirt", "t-shirt", "top", "undershirt",
)  # fmt: skip
NO_CLASS = ("not sure", "skip", "other")
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
GET_IT = "get it with: git clone https://github.com/alexeygrigorev/clothing-dataset"


class Row(NamedTuple):
    """One photo of `images.csv`."""

    image: str
    sender: str
    label: str


class Closet(Dataset):
    """One split of the closet photos.

    root: the folder that holds `images.csv` and `images`. split: "train", "val" or "test", about 80, 10 and 10 % of the
    photos, no sender in two of them, drawn by `split_seed`; or "all" of them.

    Raises InputError where the folder is missing or holds no such data set.
    """

    name = "closet"
    labels = CLASSES

    def __init__(self, root: str | Path, split: str = "train", *, split_seed: int = 0):
        check_choice(f"closet has no split {split!r}", split, (*SHARES, "all"))
        self.root, self.split, self.split_seed = Path(root), split, split_seed
        rows = read_rows(self.root)
        if split != "all":
            part = split_of_senders(rows, split_seed)
            rows = [row for row in rows if part[row.sender] == split]
        self.rows, self.ids = tuple(rows), tuple(row.image for row in rows)

    def __getitem__(self, index: int) -> Sample:
        image = read_photo(self.root / "images" / f"{self.ids[index]}.jpg")
        return Sample(image=image, id=self.ids[index], labels=self._rows_of([index])[0], domain="closet")

    def targets(self) -> Float[np.ndarray, "photos labels"]:
        """1 for the class of each photo, else 0; opens no photo."""
        return self._rows_of(range(len(self)))

    def _rows_of(self, numbers: Sequence[int]) -> Float[np.ndarray, "_photos labels"]:
        return np.eye(len(CLASSES), dtype=np.float32)[[CLASSES.index(self.rows[number].label) for number in numbers]]

    def fingerprint(self) -> str:
        """Changes when a row of the split or the size of its photo does."""
        rows = [f"{row} {(self.root / 'images' / f'{row.image}.jpg').stat().st_size}" for row in self.rows]
        return lines_hash(rows)


def read_rows(root: Path) -> list[Row]:
    """The rows of `images.csv` that show one of the classes, by name of the photo.

    Raises InputError for a missing file, a column that is missing, and a class that is unknown.
    """
    path = root / "images.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [Row(row["image"], row["sender_id"], row["label"].lower()) for row in csv.DictReader(file)]
    except OSError as error:
        raise InputError(f"{path}: missing; {GET_IT}") from error
    except (KeyError, AttributeError) as error:
        raise InputError(f"{path}: expected the columns image, sender_id, label; {GET_IT}") from error
    rows = [row for row in rows if row.label not in NO_CLASS]
    for row in rows:
        if row.label not in CLASSES:
            what = f"{path}: unknown label {row.label!r} of {row.image}; expected one of {', '.join(CLASSES)}"
            raise InputError(what)
    if not rows:
        raise InputError(f"{path}: no rows; {GET_IT}")
    return sorted(rows)


def split_of_senders(rows: list[Row], split_seed: int) -> dict[str, str]:
    """The split of each sender: senders in random order, each to the split that lacks most of its share of photos."""
    photos = Counter(row.sender for row in rows)
    remaining = {split: share * len(rows) for split, share in SHARES.items()}
    parts = {}
    for sender in np.random.default_rng(split_seed).permutation(sorted(photos)):
        split = max(remaining, key=lambda name: remaining[name] / SHARES[name])
        parts[str(sender)] = split
        remaining[split] -= photos[str(sender)]
    return parts
