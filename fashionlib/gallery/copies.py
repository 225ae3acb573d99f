"""Copies among photos: the same picture under several names, scaled, or saved again with another compression."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

GRID = 16
NEAR = 10  # of 255: two pictures are copies if no cell of a 16 × 16 grid differs by more in red, green or blue
_BLOCK = 4  # cells


class Copies:
    """Finds the copies of a photo. grids: of each photo, see `cells`."""

    def __init__(self, grids: UInt8[np.ndarray, "photos 16 16 3"]):
        blocks, side = GRID // _BLOCK, (GRID // _BLOCK, _BLOCK)
        sums = grids.reshape(-1, *side, *side, 3).sum((2, 4), dtype=np.int16).reshape(-1, blocks * blocks * 3)
        self.grids, self.sums, self.middle = grids, np.ascontiguousarray(sums.T), np.median(sums, 0)

    def of(self, photo: int) -> list[int]:
        """The numbers of the other photos that are copies of this one."""
        own, near = self.sums[:, photo], np.arange(len(self.grids))
        for block in np.argsort(-np.abs(own - self.middle), kind="stable"):  # few others are as unusual there
            # if the cells differ by NEAR at most, so do their means
            near = near[np.abs(self.sums[block, near] - own[block]) <= NEAR * _BLOCK**2]
        apart = np.abs(self.grids[near].astype(np.int16) - self.grids[photo])
        near = near[apart.max((1, 2, 3), initial=0) <= NEAR]
        return near[near != photo].tolist()


def cells(photo: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "16 16 3"]:
    """The colours of a grid over the photo."""
    return np.asarray(Image.fromarray(photo).resize((GRID, GRID), Image.Resampling.BILINEAR))
