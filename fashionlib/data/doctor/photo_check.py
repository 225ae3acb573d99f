"""Whether a photo can be read, as everything else reads it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fashionlib.core.errors import InputError
from fashionlib.data.photos import open_photo

_SMALL = (64, 64)  # a JPEG is unpacked at an eighth of its size, which finds the same faults in a fraction of the time


class Look(NamedTuple):
    """A photo's width and height where it can be read, and what is wrong with it, "" if nothing."""

    size: tuple[int, int] | None
    problem: str


def look_at(path: str | Path) -> Look:
    """Decodes the photo by the one reader that all of the package uses."""
    try:
        height, width = open_photo(path, _SMALL).size
    except InputError as error:
        return Look(None, str(error).removeprefix(f"{path}: "))
    return Look((width, height), "")
