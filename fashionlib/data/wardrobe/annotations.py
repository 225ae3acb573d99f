"""What the wardrobe knows of a garment in the words of the published lists: colour, box, landmarks, attributes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from fashionlib.data.base import Box
from fashionlib.data.published.listed import CUT_OFF, VISIBLE
from fashionlib.data.wardrobe.drawing import Fabric
from fashionlib.data.wardrobe.outfits import COLOURS, SLOTS, Product

UPPER, LOWER, FULL = 1, 2, 3
CLOTHES = {label: FULL if label == "dress" else LOWER if slot == "lower" else UPPER
           for label, slot in SLOTS.items() if slot in ("top", "outer", "lower")}  # fmt: skip
_TEXTURES = ("checks", "denim", "dots", "knit", "pinstripes", "plain", "print", "stripes")
ATTRIBUTES = (*_TEXTURES, *COLOURS, "long sleeve", "short sleeve")
ATTRIBUTE_TYPES = (*[1] * len(_TEXTURES), *[5] * len(COLOURS), 4, 4)


def colour_name(fabric: Fabric) -> str:
    """The name of the colour nearest to the fabric's first one."""
    first = fabric.colours[0]
    return min(COLOURS, key=lambda name: math.dist(COLOURS[name][0], first))


def attributes_of(product: Product) -> set[str]:
    """Which of ATTRIBUTES the product has."""
    found = {product.fabric.texture, colour_name(product.fabric)}
    sleeve = product.shape.get("sleeve")
    if sleeve is not None and sleeve > 0:
        found.add("long sleeve" if sleeve > 0.85 else "short sleeve")
    return found


def box_columns(box: Box) -> str:
    """x_1 y_1 x_2 y_2 as the lists have them: counted from 1, both ends inside, padded to three digits."""
    x1, y1, x2, y2 = (int(side) for side in box)
    return f"{x1 + 1:03d} {y1 + 1:03d} {x2:03d} {y2:03d}"


def landmark_columns(mask: Bool[np.ndarray, "height width"], kind: int) -> str:
    """Visibility, x and y of each landmark of upper, lower or full-body clothes, read off the garment's outline.

    A point on the picture's edge counts as cut off there.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, waist, hem = rows[0], rows[len(rows) // 2], rows[-1]
    parts = {"collar": top, "waistline": top if kind == LOWER else waist, "hem": hem}
    shown = {UPPER: ("collar", "sleeve", "hem"), LOWER: ("waistline", "hem"),
             FULL: ("collar", "sleeve", "waistline", "hem")}[kind]  # fmt: skip
    found = []
    for part in shown:
        for end in (0, -1):
            x = int(columns[end] if part == "sleeve" else np.flatnonzero(mask[parts[part]])[end])
            y = int(np.flatnonzero(mask[:, x])[0] if part == "sleeve" else parts[part])
            cut = x in (0, mask.shape[1] - 1) or y in (0, mask.shape[0] - 1)
            found.append(f"{CUT_OFF} 000 000" if cut else f"{VISIBLE} {x + 1:03d} {y + 1:03d}")
    return " ".join(found)


def save_photo(path: Path, image: UInt8[np.ndarray, "height width 3"]) -> None:
    """As a JPEG of a quality at which the drawing's textures survive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=92)
