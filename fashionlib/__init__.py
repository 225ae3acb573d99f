"""fashionlib: the model, losses, metrics, baselines and data sets of a fashion paper companion."""

from __future__ import annotations

import os

import lazy_loader

__version__ = "0.1.0"

# onnxruntime reads it as it is imported; else it keeps a database below the home folder and reports to its maker
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# imported when first used, so that `import fashionlib` costs nothing and no module imports all the others
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "core",
        "data",
        "experiments",
        "gallery",
        "ledger",
        "metrics",
        "models",
        "plots",
        "retrieval",
        "training",
    ],
    submod_attrs={
        "core.errors": ["InputError"],
        "gallery.gallery": ["open_gallery", "recommend", "recommend_together"],
        "models.tagger": ["load_model", "save_model"],
    },
)
