"""A look at the first and last bytes of a photo: enough to find what was cut off or never was a photo, and quick."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, UnidentifiedImageError

from fashionlib.core.errors import InputError
from fashionlib.data.photos import MOST_PIXELS, read_photo

_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "GIF": b";"}


class Look(NamedTuple):
    """A photo's width and height where they could be read, and what is wrong with it, "" if nothing."""

    size: tuple[int, int] | None
    problem: str


def look_at(path: str | Path) -> Look:
    """Whether the file is a whole photo, from its header and its end alone.

    Where the end is not that of its format (some writers append bytes), or the format marks none, the photo is decoded
    before it is called damaged. Damage in the middle of a file that ends as it should is not seen.
    """
    try:
        with open(path, "rb") as file:
            return _look(path, file)
    except FileNotFoundError:
        return Look(None, "missing")
    except UnidentifiedImageError:
        return Look(None, "not an image that can be read")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return Look(None, f"damaged image ({error})")


def _look(path: str | Path, file: BinaryIO) -> Look:
    bytes_ = os.fstat(file.fileno()).st_size
    if not bytes_:
        return Look(None, "empty file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd EXIF
        image = Image.open(file)  # reads the header only
    size, kind = image.size, image.format or ""
    if size[0] * size[1] > MOST_PIXELS:
        return Look(size, f"{size[0]}×{size[1]}, more than {MOST_PIXELS:,} pixels")
    if kind in _ENDS:
        end = _ENDS[kind]
        file.seek(-min(len(end), bytes_), os.SEEK_END)
        whole = file.read() == end
    else:
        file.seek(0)
        head = file.read(8)
        whole = kind == "WEBP" and int.from_bytes(head[4:8], "little") + 8 <= bytes_
    if whole:
        return Look(size, "")
    try:
        read_photo(path)
    except InputError as error:
        return Look(size, str(error).removeprefix(f"{path}: ").split("; ")[0])
    return Look(size, "")
