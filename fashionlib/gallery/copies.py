"""Copies among photos: the same picture under several names, or saved again with another compression."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

GRID = 16
NEAR = 10  # of 255: two pictures are copies if no cell of a 16 × 16 grid differs by more in red, green or blue
_SCORES = 0.1  # copies have scores that differ by less
_BLOCK = 16


class Copies:
    """Finds the copies of a photo among photos that have `scores`. grids: of each photo, see `cells`.

    Measured on the real photos of ../shared: a photo saved again at a JPEG quality of 90 to 30 differs by up to 9, two
    different street photos by 108 and more, two photos of clothes at home by 52 and more.
    """

    def __init__(self, scores: Float[np.ndarray, "photos labels"], grids: UInt8[np.ndarray, "photos 16 16 3"]):
        self.by_label, self.grids = np.ascontiguousarray(scores.T), grids

    def of(self, photo: int) -> list[int]:
        """The numbers of the other photos that are copies of this one."""
        own = self.by_label[:, photo]
        near, apart = np.arange(len(self.grids)), np.zeros(len(self.grids), self.by_label.dtype)
        for label in np.argsort(-own, kind="stable"):  # few photos are as sure of the photo's first labels
            apart = np.maximum(apart, np.abs(self.by_label[label, near] - own[label]))
            kept = np.flatnonzero(apart <= _SCORES)
            near, apart = near[kept], apart[kept]
        kept = near != photo
        near, found = near[kept][np.argsort(apart[kept], kind="stable")], []
        for start in range(0, len(near), _BLOCK):  # copies come first
            block = [int(one) for one in near[start : start + _BLOCK] if self._same(photo, int(one))]
            if not block:
                break
            found += block
        return found

    def _same(self, one: int, other: int) -> bool:
        return int(np.abs(self.grids[one].astype(int) - self.grids[other].astype(int)).max()) <= NEAR


def cells(photo: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "16 16 3"]:
    """The mean colours of a grid over the photo."""
    return np.asarray(Image.fromarray(photo).resize((GRID, GRID), Image.Resampling.BOX, reducing_gap=2.0))
