"""How a method is trained: options, batches, the loop, checkpoints, several processes."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "feature_maps": ["trunk_maps"],
        "inputs": ["ImageInputs", "Inputs", "MapInputs"],
        "loop": ["load_best", "train"],
        "options": ["TrainingOptions"],
    },
)
