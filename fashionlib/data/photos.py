"""Photos as files and arrays: reading what strangers hand us, and fitting it to one size."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from fashionlib.core.errors import InputError, PassingError
from fashionlib.core.files import expanded
from fashionlib.core.sealed import Damaged, opened
from fashionlib.data.base import Box
from fashionlib.data.decode import MOST_PIXELS, Photo, UnknownFormat, decode, decode_image, heif_class

PHOTOS_VERSION = 2  # raise it when a file gives other pixels: decoded photos are then made again, folders indexed again

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
MOST_BYTES = 700_000_000  # a larger file is refused, not read: 100 million pixels of 16 bits have 600 million
_RAW = ".3fr .arw .cr2 .cr3 .crw .dng .erf .iiq .kdc .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f"
_OTHERS = ".hif .jp2 .jxl .psd"
UNREAD = {
    **dict.fromkeys(_RAW.split(), "a camera's raw file is not read; export it as JPEG"),
    **dict.fromkeys(_OTHERS.split(), "this format is not read; export it as JPEG or PNG"),
}


def why_unread(name: str | Path) -> str:
    """Why a photo of this name's ending is not read here; empty where it is, or where it names no photo."""
    suffix = Path(name).suffix.lower()
    if suffix in (".heic", ".heif"):
        try:
            heif_class()
        except UnknownFormat as error:
            return str(error)
    return UNREAD.get(suffix, "")


def read_photo(photo: object, canvas: tuple[int, int] | None = None) -> UInt8[np.ndarray, "height width 3"]:
    """The pixels of `open_photo`."""
    return open_photo(photo, canvas).pixels


def open_photo(photo: object, canvas: tuple[int, int] | None = None) -> Photo:
    """The photo in sRGB, upright (EXIF orientation applied), transparency on white, first frame.

    photo: a file's name, a PIL image, or an array of uint8: height × width × 3 (RGB) or 4 (RGBA), or height × width.
    canvas: the (height, width) that it will be fitted into: a photo more than twice as large is then reduced while it
    is unpacked, which takes less memory and a fraction of the time.

    Raises InputError, naming the file, where it is missing, no regular file, no image, truncated or absurdly large; and
    its kind PassingError where the disk or the memory failed and the photo may be sound.
    """
    if isinstance(photo, np.ndarray):
        return _of_array(photo)
    if not isinstance(photo, (str, os.PathLike, Image.Image)):
        raise InputError(f"a photo of type {type(photo).__module__}.{type(photo).__name__}: {_EXPECTED}{_hint(photo)}")
    if isinstance(photo, Image.Image):
        with _told("the image"):
            return decode_image(photo)
    path = expanded(Path(photo))
    with _told(path):
        if path.suffix.lower() in UNREAD:
            raise UnknownFormat(why_unread(path))
        with opened(path, MOST_BYTES) as file:
            # twice what the canvas needs, so that the last step down still averages
            return decode(file, lambda size: 2 * placement_of(size, canvas).scale if canvas else 1.0)


@contextlib.contextmanager
def _told(name: str | Path) -> Iterator[None]:
    """Whatever goes wrong while `name` is read becomes one InputError of one line that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such photo; check the folder") from error
    except Damaged as error:
        raise InputError(f"{name}: {error}; name a photo's file") from error
    except (InputError, UnknownFormat) as error:
        raise InputError(f"{name}: {error}") from error
    except MemoryError as error:
        raise PassingError(f"{name}: not enough memory to read it; close other programs, or resize it") from error
    except Exception as error:  # decoders raise whatever a damaged file makes them
        if isinstance(error, OSError) and error.errno is not None:
            raise PassingError(f"{name}: cannot be read ({error.strerror}); check its rights and the disk") from error
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: damaged image ({why}); fetch or save it again") from error


_EXPECTED = "expected a file's name, a PIL image, or an array of uint8, height × width × 3"


def _of_array(array: np.ndarray) -> Photo:
    """An array as a photo. Raises InputError, naming its shape and type and what to do, where it is none."""
    what = f"an array of {array.dtype}, shape {array.shape}"
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or array.size == 0:
        raise InputError(f"{what}: {_EXPECTED}{_hint(array)}")
    if array.dtype != np.uint8:
        raise InputError(f"{what}: {_EXPECTED}; bring its values to 0..255 and use .astype(numpy.uint8)")
    if array.shape[0] * array.shape[1] > MOST_PIXELS:
        raise InputError(f"{what}: more than {MOST_PIXELS:,} pixels; resize it")
    if array.ndim == 3 and array.shape[2] == 3:
        return Photo(array, array.shape[:2])
    image = Image.fromarray(np.ascontiguousarray(array if array.ndim == 2 or array.shape[2] == 4 else array[..., 0]))
    return decode_image(image)


def _hint(photo: object) -> str:
    shape = tuple(getattr(photo, "shape", ()))
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        turned = "photo.permute(1, 2, 0)" if hasattr(photo, "permute") else "photo.transpose(1, 2, 0)"
        return f"; channels come last: {turned}" + (".numpy()" if hasattr(photo, "permute") else "")
    if len(shape) == 4:
        return "; hand over one photo, or a list of them"
    return "; use .numpy()" if hasattr(photo, "numpy") else ""


@dataclass(frozen=True)
class Placement:
    """Where a photo came to lie on the canvas: scaled by `scale`, then moved by (`left`, `top`) pixels."""

    scale: float
    left: int
    top: int

    def to_canvas(self, box: Box) -> Box:
        x1, y1, x2, y2 = (self.scale * value for value in box)
        return (x1 + self.left, y1 + self.top, x2 + self.left, y2 + self.top)

    def to_photo(self, box: Box) -> Box:
        x1, y1, x2, y2 = box
        moved = (x1 - self.left, y1 - self.top, x2 - self.left, y2 - self.top)
        return tuple(value / self.scale for value in moved)  # type: ignore[return-value]


def placement_of(shape: tuple[int, ...], size: tuple[int, int]) -> Placement:
    """Where `letterbox` puts a photo of that shape (height, width, …) on a canvas of `size` (height, width)."""
    scale = min(size[0] / shape[0], size[1] / shape[1])
    inner = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
    return Placement(scale, (size[1] - inner[0]) // 2, (size[0] - inner[1]) // 2)


def letterbox(
    image: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]
) -> tuple[UInt8[np.ndarray, "canvas_height canvas_width 3"], Placement]:
    """The photo scaled to fit into `size` (height, width) whole, centred on mid-grey, and where it lies."""
    place = placement_of(image.shape, size)
    if image.shape[:2] == tuple(size):
        return image, place
    inner = (max(1, round(image.shape[1] * place.scale)), max(1, round(image.shape[0] * place.scale)))
    canvas = np.full((*size, 3), 127, dtype=np.uint8)
    resized = Image.fromarray(image).resize(inner, Image.Resampling.BILINEAR, reducing_gap=2.0)
    canvas[place.top : place.top + inner[1], place.left : place.left + inner[0]] = np.asarray(resized)
    return canvas, place
