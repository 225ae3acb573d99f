"""From street to shop on real photos, without a shop: garments cut out by CCP's masks stand in for one.

The gallery holds every garment of the masked test photos by itself on white; a query is the street photo that it was
cut out of, cropped, mirrored, in another light and blurred. Easier than DeepFashion's consumer-to-shop, for the same
threads are on both photos, in one pose; harder, for a cut-out has the holes that hair, hands and other garments left,
no body that says what it is, and blue jeans by the dozen beside it that only the cut tells apart.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageFilter

from fashionlib.core.errors import InputError
from fashionlib.data.base import Box, Sample
from fashionlib.data.ccp import CCP, box_of

VERSION = 1  # raise it when the same photos give other garments or queries
SPLITS = ("c2s_query", "c2s_gallery")
MIN_AREA = 0.01  # of the photo's area, that a garment's mask covers: a belt's few pixels are no product
MARGIN = 0.1  # of a cut-out's height and width, left white around it
LIGHT, TINT = 0.3, 0.1  # brightness and contrast, and each colour, of a query change by up to this share
CROPPED, BLUR = 0.2, 0.004  # of a query's height and width: at most cut away, and the widest Gaussian


class CCPShop:
    """Garments of CCP's masked test photos, and the photos to find them by.

    root, split_seed: as in `CCP`. split: "c2s_query", a photo for each garment, or "c2s_gallery", the garments. Both
    are in the same order; a garment is a product, called by its photo and its label.

    Raises InputError where the folder holds no such data set, or no masked test photo.
    """

    name = "ccp"

    def __init__(self, root: str | Path, split: str = "c2s_query", *, split_seed: int = 0):
        if split not in SPLITS:
            raise InputError(f"ccp has no split {split!r} of garments: choose one of {', '.join(SPLITS)}")
        self.split, self.photos = split, CCP(root, "test", split_seed=split_seed)
        self.labels = self.photos.labels
        self._garments = [
            (number, label) for number in range(len(self.photos)) for label in _garments(self.photos, number)
        ]
        if not self._garments:
            raise InputError(f"{root}/annotations/pixel-level: no masks of test photos, so no garments to cut out")
        self.ids = tuple(f"{self.photos.ids[number]}-{label}" for number, label in self._garments)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        number, label = self._garments[index]
        photo = self.photos[number]
        mask, product = photo.masks[label], self.ids[index]
        if self.split == "c2s_gallery":
            return Sample(
                image=cut_out(photo.image, mask), id=product, labels=self._tagged(label), product=product, domain="shop"
            )
        image = taken_again(photo.image, box_of(mask), product)
        return Sample(image=image, id=product, labels=photo.labels, product=product, domain="street")

    def targets(self) -> Float[np.ndarray, "photos labels"]:
        """A street photo's tags are the photo's, a cut-out's is the garment's own."""
        if self.split == "c2s_gallery":
            return np.stack([self._tagged(label) for _, label in self._garments])
        return self.photos.targets()[[number for number, _ in self._garments]]

    def fingerprint(self) -> str:
        """Changes with the test photos and their masks, and with how garments and queries are made of them."""
        made = (VERSION, self.split, MIN_AREA, MARGIN, LIGHT, TINT, CROPPED, BLUR)
        return hashlib.sha256(f"{self.photos.fingerprint()} {made}".encode()).hexdigest()[:12]

    def _tagged(self, label: str) -> Float[np.ndarray, " labels"]:
        return np.array([name == label for name in self.labels], dtype=np.float32)


def _garments(photos: CCP, number: int) -> list[str]:
    return [label for label, mask in photos.masks(number).items() if mask.mean() >= MIN_AREA]


def cut_out(
    image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "_rows _columns 3"]:
    """What the mask covers, in the middle of a white picture of the photo's proportions."""
    left, top, right, bottom = (int(side) for side in box_of(mask))
    garment = np.where(mask[..., None], image, 255).astype(np.uint8)[top:bottom, left:right]
    scale = (1 + 2 * MARGIN) * max((bottom - top) / image.shape[0], (right - left) / image.shape[1])
    height, width = (
        max(round(side * scale), own) for side, own in zip(image.shape[:2], garment.shape[:2], strict=True)
    )
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    down, along = (height - garment.shape[0]) // 2, (width - garment.shape[1]) // 2
    canvas[down : down + garment.shape[0], along : along + garment.shape[1]] = garment
    return canvas


def taken_again(
    image: UInt8[np.ndarray, "height width 3"], shows: Box, name: str
) -> UInt8[np.ndarray, "_rows _columns 3"]:
    """The photo cropped around the box `shows`, mirrored or not, in another light and blurred, drawn from `name`."""
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    columns = _kept(draw, image.shape[1], shows[0], shows[2])
    rows = _kept(draw, image.shape[0], shows[1], shows[3])
    values = image[rows, columns].astype(np.float32)
    bright, contrast = 1 + LIGHT * draw.uniform(-1, 1, 2)
    mean = values.mean()
    values = ((values - mean) * contrast + mean * bright) * (1 + TINT * draw.uniform(-1, 1, 3))
    photo = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    photo = photo.filter(ImageFilter.GaussianBlur(BLUR * max(image.shape[:2]) * draw.random()))
    again = np.asarray(photo)
    return np.ascontiguousarray(again[:, ::-1] if draw.random() < 0.5 else again)


def _kept(draw: np.random.Generator, side: int, first: float, last: float) -> slice:
    """What is left of a side when up to `CROPPED` of it is cut away at its two ends, but nothing of first to last."""
    away = side * CROPPED * draw.random()
    before = away * draw.random()
    return slice(int(min(before, first)), int(np.ceil(max(side - (away - before), last))))
