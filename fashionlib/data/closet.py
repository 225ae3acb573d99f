"""Clothes as people photograph them at home: one garment per photo, 17 classes, and who sent it; alone, or with CCP.

A. Grigorev, "Clothing dataset", 2020; public in the GitHub repository alexeygrigorev/clothing-dataset (CC0 1.0).
Expected layout: `images.csv` (image, sender_id, label, kids) and `images/IMAGE.jpg`. The rows that show no class ("Not
sure", "Skip", "Other") are left out. One sender's photos share a background, so splits are made by sender.

`StreetCloset` has street photos, crops of them and closet photos in one vocabulary. Names that both sets use mean the
same label. In its targets 1 is shown, 0 is absent and −1 is unknown; the losses leave unknown labels out
(`fashionlib.models.losses.logistic`).

Its crops teach that what is out of the picture is not there: nearly everyone on the street photos stands whole, in
shoes. Masks say which garments a crop still shows, so crops are made of masked photos only.
"""

from __future__ import annotations

import csv
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from fashionlib.core.errors import InputError
from fashionlib.data.base import Dataset, Sample, check_choice, lines_hash
from fashionlib.data.ccp import CCP
from fashionlib.data.photos import read_photo

# By class, the labels of street photos that a closet photo of it may carry, too. All other garments are absent.
POSSIBLE = {
    "blazer": "jacket suit",
    "blouse": "shirt top",
    "body": "bodysuit romper intimate",
    "dress": "romper",
    "hat": "",
    "hoodie": "sweatshirt sweater jacket jumper",
    "longsleeve": "sweater sweatshirt jumper top t-shirt cardigan blouse shirt",
    "outwear": "coat jacket cape vest cardigan blazer",
    "pants": "jeans leggings tights suit",
    "polo": "t-shirt shirt top",
    "shirt": "blouse top",
    "shoes": "boots clogs flats heels loafers pumps sandals sneakers wedges",
    "shorts": "swimwear",
    "skirt": "",
    "t-shirt": "top",
    "top": "blouse t-shirt undershirt intimate bra",
    "undershirt": "top t-shirt intimate",
}
CLASSES = tuple(POSSIBLE)
NO_CLASS = ("not sure", "skip", "other")
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
GET_IT = "get it with: git clone https://github.com/alexeygrigorev/clothing-dataset"

UNKNOWN = -1.0

# Accessories and details, of which a closet photo's class says nothing.
DETAILS = (
    "accessories", "bag", "belt", "bracelet", "earrings", "glasses", "gloves", "necklace", "purse", "ring", "scarf",
    "socks", "stockings", "sunglasses", "tie", "watch", "wallet",
)  # fmt: skip

# Labels that only closet photos have and that a street photo's tags rule out: its tags would name them otherwise.
ABSENT_ON_STREETS = ("body", "polo", "undershirt")

CROPS = 2  # per masked training photo
SHOWN, GONE = 0.4, 0.1  # a garment counts as shown from this share of its mask on, as absent below that one

Window = tuple[int, int, int, int]
Masks = Mapping[str, Bool[np.ndarray, "height width"]]


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


class StreetCloset(Dataset):
    """One split of CCP, its crops, and one split of the closet photos.

    root: a folder with `ccp` and `closet`. split: "train" (with crops), "val", "test" or "all" (with crops), see `CCP`
    and `Closet`; split_seed draws both.

    Labels are 1 (shown), 0 (absent) or −1 (unknown), see `street_targets` and `closet_targets`. Raises InputError where
    a folder is missing.
    """

    name = "street_closet"

    def __init__(self, root: str | Path, split: str = "train", *, split_seed: int = 0):
        self.split = split
        self.street = CCP(Path(root) / "ccp", split, split_seed=split_seed)
        self.closet = Closet(Path(root) / "closet", split, split_seed=split_seed)
        self.labels = vocabulary(self.street.labels)
        wanted = split in ("train", "all")
        masked = [n for n, id_ in enumerate(self.street.ids) if wanted and self.street.has_masks(id_)]
        self._crops = [(number, copy) for number in masked for copy in range(CROPS)]
        crops = (f"{self.street.ids[number]}_{copy}" for number, copy in self._crops)
        self.ids = (*self.street.ids, *crops, *self.closet.ids)

    def __getitem__(self, index: int) -> Sample:
        if index < len(self.street):
            sample = self.street[index]
            assert sample.labels is not None
            return replace(sample, labels=street_targets(sample.labels, self.labels), boxes={}, masks={})
        index -= len(self.street)
        if index < len(self._crops):
            return self._crop(*self._crops[index])
        index -= len(self._crops)
        return replace(self.closet[index], labels=closet_targets([self.closet.rows[index].label], self.labels)[0])

    def targets(self) -> Float[np.ndarray, "photos labels"]:
        """The labels of all photos; masks are read, no photo is opened."""
        crops = [self._crop_labels(f"{self.street.ids[number]}_{copy}", copy, self.street.masks(number))
                 for number, copy in self._crops]  # fmt: skip
        closet = closet_targets([row.label for row in self.closet.rows], self.labels)
        return np.vstack([street_targets(self.street.targets(), self.labels), *crops, closet])

    def fingerprint(self) -> str:
        """Changes with either data set, and with how crops are made."""
        made = (self.street.fingerprint(), self.closet.fingerprint(), CROPS, SHOWN, GONE, self.labels)
        return lines_hash([repr(made)])

    def _crop(self, number: int, copy: int) -> Sample:
        sample, id_ = self.street[number], f"{self.street.ids[number]}_{copy}"
        y1, y2, x1, x2 = window_of(id_, copy, sample.image.shape[:2])
        image = np.ascontiguousarray(sample.image[y1:y2, x1:x2])
        return Sample(image=image, id=id_, labels=self._crop_labels(id_, copy, sample.masks), domain="street")

    def _crop_labels(self, id_: str, copy: int, masks: Masks) -> Float[np.ndarray, " _labels"]:
        shape = next(iter(masks.values())).shape if masks else (2, 2)
        return street_targets(labels_in(masks, self.street.labels, window_of(id_, copy, shape)), self.labels)


def window_of(id_: str, copy: int, shape: tuple[int, ...]) -> Window:
    """Rows and columns (first, end, first, end) of a crop, drawn from the photo's name.

    Of the height 30 to 70 %, of the width 50 to 100 %; even copies keep to the upper part, where a head and a top are.
    """
    draw = np.random.default_rng([copy, zlib.crc32(id_.rsplit("_", 1)[0].encode())])
    height = draw.uniform(0.3, 0.7)
    width = draw.uniform(max(0.5, 0.8 * height), 1.0)
    top = draw.uniform(0, 1 - height if copy % 2 else min(0.25, 1 - height))
    left = (1 - width) * draw.random()
    rows, columns = shape[:2]
    return (int(top * rows), int((top + height) * rows), int(left * columns), int((left + width) * columns))


def labels_in(masks: Masks, labels: Sequence[str], window: Window) -> Float[np.ndarray, " _labels"]:
    """1 for garments of which the window shows enough, 0 for what is out of it, −1 in between."""
    y1, y2, x1, x2 = window
    found = np.zeros(len(labels), dtype=np.float32)
    for label, mask in masks.items():
        share = mask[y1:y2, x1:x2].sum() / mask.sum()
        found[labels.index(label)] = 1 if share >= SHOWN else 0 if share < GONE else UNKNOWN
    return found


def vocabulary(street: Sequence[str]) -> tuple[str, ...]:
    """The labels of the street photos, then those that only closet photos have."""
    return (*street, *(name for name in CLASSES if name not in street))


def street_targets(targets: Float[np.ndarray, "*p _street"], labels: Sequence[str]) -> Float[np.ndarray, "*p _labels"]:
    """Tags of street photos in the vocabulary `labels`; labels that only closet photos have are unknown or absent."""
    extended = np.full((*targets.shape[:-1], len(labels)), UNKNOWN, dtype=np.float32)
    extended[..., : targets.shape[-1]] = targets
    extended[..., [labels.index(name) for name in ABSENT_ON_STREETS]] = 0
    return extended


def closet_targets(classes: Sequence[str], labels: Sequence[str]) -> Float[np.ndarray, "photos _labels"]:
    """Classes of closet photos, one each, in the vocabulary `labels`."""
    targets = np.zeros((len(classes), len(labels)), dtype=np.float32)
    for row, name in zip(targets, classes, strict=True):
        for unknown in (*DETAILS, *POSSIBLE[name].split()):
            if unknown in labels:
                row[labels.index(unknown)] = UNKNOWN
        row[labels.index(name)] = 1
    return targets
