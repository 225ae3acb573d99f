"""One vocabulary over street and closet photos: which label of a data set means which, and what it leaves unknown.

Names that both data sets use mean the same label. In targets 1 is shown, 0 is absent and −1 is unknown; the losses
leave unknown labels out (`fashionlib.models.losses.logistic`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from fashionlib.data.closet import CLASSES

UNKNOWN = -1.0

# Labels of the street photos that a closet photo of this class may carry, too. All other garments are absent.
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

# Accessories and details, of which a closet photo's class says nothing.
DETAILS = (
    "accessories", "bag", "belt", "bracelet", "earrings", "glasses", "gloves", "necklace", "purse", "ring", "scarf",
    "socks", "stockings", "sunglasses", "tie", "watch", "wallet",
)  # fmt: skip

# Labels that only closet photos have and that a street photo's tags rule out: its tags would name them otherwise.
ABSENT_ON_STREETS = ("body", "polo", "undershirt")


def vocabulary(street: Sequence[str]) -> tuple[str, ...]:
    """The labels of the street photos, then those that only closet photos have."""
    return (*street, *(name for name in CLASSES if name not in street))


def street_targets(
    targets: Float[np.ndarray, "photos _street"], labels: Sequence[str]
) -> Float[np.ndarray, "photos _labels"]:
    """Tags of street photos in the vocabulary `labels`; labels that only closet photos have are unknown or absent."""
    extended = np.full((len(targets), len(labels)), UNKNOWN, dtype=np.float32)
    extended[:, : targets.shape[1]] = targets
    for name in ABSENT_ON_STREETS:
        extended[:, labels.index(name)] = 0
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
