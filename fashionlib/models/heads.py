"""Every head under the name by which a profile calls it: the parser, and what each file of `models/baselines` defines.

A file there that defines `HEADS = {"name": (Head, HeadOptions)}` is a baseline; nothing else has to name it.
"""

from __future__ import annotations

import importlib
import pkgutil

from torch import nn

from fashionlib.models import baselines
from fashionlib.models.parser import Parser, ParserOptions

HEADS: dict[str, tuple[type[nn.Module], type]] = {"parser": (Parser, ParserOptions)}
for _module in pkgutil.iter_modules(baselines.__path__, f"{baselines.__name__}."):
    HEADS.update(getattr(importlib.import_module(_module.name), "HEADS", {}))
