"""Street photos, crops of them and closet photos as one data set with one vocabulary.

The crops teach that what is out of the picture is not there: nearly everyone on the street photos stands whole, in
shoes. Masks say which garments a crop still shows, so crops are made of masked photos only.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from fashionlib.data.base import Sample
from fashionlib.data.ccp import CCP
from fashionlib.data.closet import Closet
from fashionlib.data.vocabulary import UNKNOWN, closet_targets, street_targets, vocabulary

CROPS = 2  # per masked training photo
SHOWN, GONE = 0.4, 0.1  # a garment counts as shown from this share of its mask on, as absent below that one

Window = tuple[int, int, int, int]


class StreetCloset:
    """One split of CCP, its crops, and one split of the closet photos.

    root: a folder with `ccp` and `closet`. split: "train" (with crops), "val", "test" or "all" (with crops), see `CCP`
    and `Closet`; split_seed draws both.

    Labels are 1 (shown), 0 (absent) or −1 (unknown), see `fashionlib.data.vocabulary`. Raises InputError where a folder
    is missing.
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

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if index < len(self.street):
            sample = self.street[index]
            return Sample(image=sample.image, id=sample.id, labels=self._street(sample.labels), domain="street")
        index -= len(self.street)
        if index < len(self._crops):
            return self._crop(*self._crops[index])
        sample = self.closet[index - len(self._crops)]
        row = self.closet.rows[index - len(self._crops)]
        return Sample(
            image=sample.image, id=sample.id, labels=closet_targets([row.label], self.labels)[0], domain="closet"
        )

    def targets(self) -> Float[np.ndarray, "photos labels"]:
        """The labels of all photos; masks are read, no photo is opened."""
        crops = [self._crop_labels(*crop) for crop in self._crops]
        closet = closet_targets([row.label for row in self.closet.rows], self.labels)
        return np.concatenate(
            [street_targets(self.street.targets(), self.labels), *(crop[None] for crop in crops), closet]
        )

    def fingerprint(self) -> str:
        """Changes with either data set, and with how crops are made."""
        made = (self.street.fingerprint(), self.closet.fingerprint(), CROPS, SHOWN, GONE, self.labels)
        return hashlib.sha256(repr(made).encode()).hexdigest()[:12]

    def _street(self, labels: Float[np.ndarray, " _street"] | None) -> Float[np.ndarray, " _labels"]:
        assert labels is not None
        return street_targets(labels[None], self.labels)[0]

    def _crop(self, number: int, copy: int) -> Sample:
        sample, id_ = self.street[number], f"{self.street.ids[number]}_{copy}"
        y1, y2, x1, x2 = window_of(id_, copy, sample.image.shape[:2])
        labels = self._street(labels_in(sample.masks, self.street.labels, (y1, y2, x1, x2)))
        return Sample(image=np.ascontiguousarray(sample.image[y1:y2, x1:x2]), id=id_, labels=labels, domain="street")

    def _crop_labels(self, number: int, copy: int) -> Float[np.ndarray, " _labels"]:
        masks, id_ = self.street.masks(number), f"{self.street.ids[number]}_{copy}"
        shape = next(iter(masks.values())).shape if masks else (2, 2)
        return self._street(labels_in(masks, self.street.labels, window_of(id_, copy, shape)))


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


def labels_in(
    masks: Mapping[str, Bool[np.ndarray, "height width"]], labels: Sequence[str], window: Window
) -> Float[np.ndarray, " _labels"]:
    """1 for garments of which the window shows enough, 0 for what is out of it, −1 in between."""
    y1, y2, x1, x2 = window
    found = np.zeros(len(labels), dtype=np.float32)
    for label, mask in masks.items():
        share = mask[y1:y2, x1:x2].sum() / mask.sum()
        found[labels.index(label)] = 1 if share >= SHOWN else 0 if share < GONE else UNKNOWN
    return found
