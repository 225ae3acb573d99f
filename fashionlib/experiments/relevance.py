"""Which photos truly match which, part by part, read off what is known of them and never off a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from fashionlib.data.ccp import CCP
from fashionlib.data.store import Photos
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.experiments.methods import dataset_of
from fashionlib.experiments.profile import Profile

HARDLY_TOLD_APART = 110  # of two colours, |red| + |green| + |blue| in 0..255: the wardrobe draws none nearer as two
LOOKS = "same label and texture, colours nearer than 110 in RGB"
COLOURS = "same label, mean colours under the masks nearer than 110 in RGB"
TAGS = "same tag"


@dataclass(frozen=True)
class Relevance:
    """What the photos truly show. carries: the labels. looks: by photo and label (texture, red, green, blue), −1 where
    it is not worn; None where only tags are known. how: the rule by which two garments match, and `of` which photos it
    is known, in words; a photo of which nothing is known carries nothing.
    """

    carries: Bool[np.ndarray, "photos labels"]
    looks: Float[np.ndarray, "photos labels 4"] | None = None
    how: str = TAGS
    of: str = "test photos"

    def matches(self, photo: int) -> Bool[np.ndarray, "photos labels"]:
        """Which photos match this one in which label; only in labels that it carries itself."""
        both = self.carries & self.carries[photo]
        if self.looks is None:
            return both
        here = self.looks[photo]
        colour = np.abs(self.looks[..., 1:] - here[:, 1:]).sum(axis=2) < HARDLY_TOLD_APART
        return both & (self.looks[..., 0] == here[:, 0]) & colour

    def apart(self) -> Float[np.ndarray, "photos photos"]:
        """How different two photos' outfits are, 0 to 1: over the labels that either shows, a label that only one of
        them shows counts 1, one that both show in another look ½, one in the same look 0.

        With tags alone that is 1 − the tags in common / the tags of either (Jaccard).
        """
        tags = self.carries.astype(np.float64)
        common = tags @ tags.T
        alike = np.stack([self.matches(photo).sum(axis=1) for photo in range(len(tags))])
        either = tags.sum(axis=1)[:, None] + tags.sum(axis=1) - common
        return 1 - (common + alike) / 2 / np.maximum(either, 1)


def relevance_of(profile: Profile, photos: Photos, seed: int) -> Relevance:
    """The clean tags of the test photos, and on the wardrobe the fabric of each garment."""
    dataset, carries = dataset_of(profile, "test", seed), photos.tags > 0
    if not isinstance(dataset, Wardrobe):
        return Relevance(carries)
    textures: dict[str, int] = {}
    looks = np.full((*carries.shape, 4), -1.0)
    for number in range(len(photos)):
        for product in dataset.scene(number).outfit.values():
            texture = textures.setdefault(product.fabric.texture, len(textures))
            looks[number, photos.labels.index(product.label)] = (texture, *product.fabric.colours[0])
    return Relevance(carries, looks, LOOKS)


def colours_under_masks(dataset: CCP) -> Relevance:
    """The labels of the photos that have masks, and each garment's mean colour; of its texture nothing is known."""
    carries = np.zeros((len(dataset), len(dataset.labels)), dtype=bool)
    looks = np.full((*carries.shape, 4), -1.0)
    for number in range(len(dataset)):
        if not dataset.masks(number):
            continue
        sample = dataset[number]
        for label, mask in sample.masks.items():
            column = dataset.labels.index(label)
            carries[number, column] = True
            looks[number, column] = (0, *sample.image[mask].mean(axis=0))
    return Relevance(carries, looks, COLOURS, "test photos with masks")
