"""Someone's folder of photos: indexed once, then asked for look-alikes."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "export": ["write_parts"],
        "gallery": ["Gallery", "open_gallery", "recommend", "recommend_together"],
        "html_report": ["write_page"],
        "index": ["Manifest", "update"],
    },
)
