"""The embedded data set: a hard, honest miniature of street fashion photos, drawn from a seed.

Nothing is downloaded. The generator knows the truth that photo collections lack: where each part is, and which
products are the same. Tags of "train" and "val" are noisy, as user tags are (section 4 of the paper); "test" is clean.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from random import Random

import numpy as np
from jaxtyping import Float

from fashionlib.core.errors import InputError
from fashionlib.data.base import Dataset, Sample, box_of, check_choice
from fashionlib.data.wardrobe import scenes
from fashionlib.data.wardrobe.drawing import Number, developed
from fashionlib.data.wardrobe.outfits import LABELS, Product

COUNTS = {
    "train": 2000, "val": 400, "test": 800,
    "inshop_query": 400, "inshop_gallery": 500, "c2s_query": 400, "c2s_gallery": 800,
}  # fmt: skip
VERSION = 2  # of the drawings: raise it when the same seed gives other pictures
# how often each label is seen in a test photo; false tags are drawn from it
FREQUENCIES = {
    "bag": 0.41, "jeans": 0.38, "t-shirt": 0.28, "necklace": 0.26, "sunglasses": 0.25, "sneakers": 0.24,
    "watch": 0.22, "shirt": 0.21, "boots": 0.2, "trousers": 0.2, "jacket": 0.18, "scarf": 0.17, "dress": 0.16,
    "belt": 0.15, "hat": 0.15, "sweater": 0.14, "flats": 0.14, "blouse": 0.14, "glasses": 0.12, "skirt": 0.12,
    "tights": 0.12, "gloves": 0.1, "beanie": 0.097, "shorts": 0.091, "heels": 0.087, "backpack": 0.087,
    "blazer": 0.085, "coat": 0.084, "cardigan": 0.068, "sandals": 0.065, "hoodie": 0.064, "socks": 0.061,
    "leggings": 0.045, "tie": 0.036, "vest": 0.027,
}  # fmt: skip


class Wardrobe(Dataset):
    """One split of the wardrobe.

    split: "train", "val", "test" (street photos for tagging); "inshop_query", "inshop_gallery" (studio views, two to
        four of each product); "c2s_query" (street photos in which the product is worn), "c2s_gallery" (the shop's
        catalogue: one view of each product, then distractors).
    size: height and width in pixels. The scene is the same at every size.
    counts: photos by split, where they differ from 2000, 400, 800, 400, 500, 400 and 800. Of a gallery's photos 3 in 5
        (in-shop) or 5 in 8 (consumer-to-shop) show different products that can be asked for.
    tag_noise: the chance that a true tag of "train" and "val" is missing; a third as many false ones come in.

    Each photo is a function of seed, split, number and size alone. Raises InputError for values outside these ranges.
    """

    name = "wardrobe"
    labels = LABELS

    def __init__(
        self, split: str = "train", *, size: tuple[int, int] = (192, 128), seed: int = 0,
        counts: Mapping[str, int] | None = None, tag_noise: Number = 0.15,
    ):  # fmt: skip
        for name in (split, *(counts or {})):
            check_choice(f"wardrobe has no split {name!r}", name, COUNTS)
        for name, count in (counts or {}).items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise InputError(f"counts[{name!r}]={count!r}: expected a whole number of photos, at least 1")
        whole = len(size) == 2 and all(isinstance(side, int) and 32 <= side <= 4096 for side in size)
        if not whole or not 0.25 <= size[1] / size[0] <= 1:
            raise InputError(f"size={size}: expected (height, width) in pixels, 32 to 4096 each, no wider than high")
        if not 0 <= tag_noise < 1:
            raise InputError(f"tag_noise={tag_noise}: expected a share from 0 up to, not including, 1")
        self.split, self.size, self.seed = split, (size[0], size[1]), int(seed)
        self._counts, self.tag_noise = {**COUNTS, **(counts or {})}, tag_noise
        self.ids = tuple(f"wardrobe-{self.seed}-{split}-{number:05d}" for number in range(self._counts[split]))
        self._targets: np.ndarray | None = None
        kind = split.split("_")[0]
        self._stream = f"wardrobe-{self.seed}-{kind}"
        self._asked: list[int] | None = None  # for each photo of a retrieval split, the number of its product
        if kind != split:
            products = gallery = self._counts[f"{kind}_gallery"]
            if split != "c2s_gallery":
                products = max(1, round(gallery * {"inshop": 3 / 5, "c2s": 5 / 8}[kind]))
            self._asked = [place % products for place in range(len(self.ids))]
            Random(f"wardrobe-{self.seed}-{split} order").shuffle(self._asked)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self.ids))[index]
        scene = self.scene(index)
        canvas = scene.draw(self.size)
        masks = canvas.masks(scenes.LEAST_SEEN)
        wanted, products = self._wanted(index), scene.products
        return Sample(
            image=developed(canvas, scene.background(self.size), scene.light), id=self.ids[index],
            labels=self._tags(index, set(masks)), masks=masks, products={name: products[name] for name in masks},
            boxes={name: box_of(mask) for name, mask in masks.items()}, product=wanted.id if wanted else None,
            domain="street" if self._asked is None or self.split == "c2s_query" else "shop",
        )  # fmt: skip

    def scene(self, index: int) -> scenes.Scene:
        """What photo `index` shows, before it is painted."""
        id_, wanted, others = self.ids[index], self._wanted(index), f"{self._stream}-others"
        if wanted is None:
            return scenes.street_scene(id_, self._stream)
        if self.split == "c2s_gallery":
            return scenes.catalogue_scene(id_, wanted)
        if self.split == "c2s_query":
            return scenes.street_scene(id_, others, wanted)
        return scenes.studio_scene(id_, others, wanted)

    def targets(self) -> Float[np.ndarray, "photos labels"]:
        """The tags of the whole split, without painting: shapes are laid out, but not coloured. Kept once computed."""
        if self._targets is None:
            seen = (self.scene(index).draw(self.size).seen() for index in range(len(self)))
            shown = ({label for label, area in areas.items() if area >= scenes.LEAST_SEEN} for areas in seen)
            self._targets = np.stack([self._tags(index, labels) for index, labels in enumerate(shown)])
        return self._targets.copy()

    def fingerprint(self) -> str:
        """Changes with everything that the pictures or tags of this split depend on."""
        options = [VERSION, self.split, self.size, self.seed, self._counts, self.tag_noise, 1.0]  # 1.0: of VERSION 2
        return hashlib.sha256(json.dumps(options).encode()).hexdigest()[:12]

    def _wanted(self, index: int) -> Product | None:
        return None if self._asked is None else scenes.product_asked_for(self._stream, self._asked[index])

    def _tags(self, index: int, seen: set[str]) -> Float[np.ndarray, " labels"]:
        """1 for each label seen, but for the noise of user tags."""
        noise = self.tag_noise if self.split in ("train", "val") else 0.0
        rng, tags = Random(f"{self.ids[index]} tags"), np.zeros(len(LABELS), dtype=np.float32)
        for place, label in enumerate(LABELS):
            frequency = FREQUENCIES[label]
            chance = 1 - noise if label in seen else noise / 3 * frequency / (1 - frequency)
            tags[place] = rng.random() < chance
        return tags
