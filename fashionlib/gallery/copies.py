"""Copies among photos: the same picture under several names, scaled, or saved again with another compression."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

GRID = 16
NEAR = 10  # of 255: two pictures are copies if no cell of a 16 × 16 grid differs by more in red, green or blue
_EVERY = 4  # of the cells in a row or column: these are compared first


class Copies:
    """Finds the copies of a photo. grids: of each photo, see `cells`.

    Measured on the real photos of ../shared: a photo scaled to three quarters or a half, or saved again at a JPEG
    quality of 90 to 30, differs by up to 5, one scaled to a quarter by up to 11. Of different photos the nearest differ
    by 12 (shorts with another lining), the nearest street photos by 23 and photos of clothes at home by 32.
    """

    def __init__(self, grids: UInt8[np.ndarray, "photos 16 16 3"]):
        some = grids[:, _EVERY // 2 :: _EVERY, _EVERY // 2 :: _EVERY].reshape(len(grids), -1)
        self.grids, self.some, self.usual = grids, np.ascontiguousarray(some.T, np.int16), some.mean(0)

    def of(self, photo: int) -> list[int]:
        """The numbers of the other photos that are copies of this one."""
        own, near = self.some[:, photo], np.arange(len(self.grids))
        for cell in np.argsort(-np.abs(own - self.usual), kind="stable"):  # few others are as unusual there
            near = near[np.abs(self.some[cell, near] - own[cell]) <= NEAR]
        apart = np.abs(self.grids[near].astype(np.int16) - self.grids[photo])
        near = near[apart.max((1, 2, 3), initial=0) <= NEAR]
        return near[near != photo].tolist()


def cells(photo: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "16 16 3"]:
    """The colours of a grid over the photo."""
    return np.asarray(Image.fromarray(photo).resize((GRID, GRID), Image.Resampling.BILINEAR))
