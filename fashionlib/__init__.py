"""fashionlib: the model, losses, metrics, rivals and data sets of a fashion paper companion."""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# imported when first used, so that `import fashionlib` costs nothing and no module drags in all the others
_WHERE = {
    "load_model": "fashionlib.tagger", "save_model": "fashionlib.tagger",
    "open_gallery": "fashionlib.gallery", "recommend": "fashionlib.gallery",
    "recommend_together": "fashionlib.gallery",
}  # fmt: skip
_MODULES = ("data", "diversity", "losses", "metrics", "models", "plots", "results", "retrieval")

__all__ = ["__version__", *_WHERE, *_MODULES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"fashionlib.{name}")
    raise AttributeError(f"module 'fashionlib' has no attribute {name!r}")
