"""The paper's data sets as their authors publish them, and drawn miniatures in their formats."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "deepfashion_attributes": ["Attributes"], "deepfashion_c2s": ["ConsumerToShop"],
        "deepfashion_inshop": ["InShop"], "fashion144k": ["Fashion144k"], "fashion550k": ["Fashion550k"],
        "miniature": ["write_miniature"], "registry": ["PUBLISHED"],
    },
)  # fmt: skip
