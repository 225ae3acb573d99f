"""What is wrong with a data set's folder: `fashionlib doctor`."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"diagnosis": ["Diagnosis", "examine", "print_diagnosis"]}
)
