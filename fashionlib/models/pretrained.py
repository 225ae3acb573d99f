"""The models that come with the package, each in its folder weights/NAME with a card."""

from __future__ import annotations

from pathlib import Path

from fashionlib.core.code_hash import PACKAGE

BEST = "ccp"
QUICK = "ccp-small"  # on smaller photos, a third faster: folders are looked through with it unless another is named


def model_folder(name: str | Path) -> Path:
    """The folder `name`, or, where there is none, that of the model of that name that comes with the package."""
    shipped = PACKAGE / "weights" / Path(name).name
    return shipped if not Path(name).is_dir() and shipped.name == str(name) and shipped.is_dir() else Path(name)
