"""The models that come with the package, each in its folder weights/NAME with a card."""

import os
from pathlib import Path

from fashionlib.core.code_hash import PACKAGE
from fashionlib.core.files import expanded

DEFAULT = "street-shop-closet"
STREET = ("ccp", "ccp-small")  # of street photos alone


def model_folder(name: str | Path) -> Path:
    """The folder of the model that comes with the package under this bare name, else the folder `name`.

    So a folder that happens to be called ccp hides no model; "./ccp" names it. A `Path`, which loses its "./", is that
    folder if a model lies there.
    """
    path, text = expanded(Path(name)), os.fspath(name)
    shipped = PACKAGE / "weights" / path.name
    if text != path.name or not shipped.is_dir() or (isinstance(name, Path) and (path / "config.json").is_file()):
        return path
    return shipped
