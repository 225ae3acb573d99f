"""The embedded data set: drawn photos with every label, box, mask and product known."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset": ["Wardrobe"],
        "outfits": ["COLOURS", "LABELS", "SLOTS"],
    },
)
