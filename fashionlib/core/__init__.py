"""What every other package may use: errors, files, the device, options, hashes of code, the models' output."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "device": ["device", "device_name"],
        "errors": ["InputError"],
        "options": ["build"],
        "output": ["Output"],
    },
)
