"""Photos as files and arrays: decoding what strangers hand us, and fitting it to one size."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fashionlib.core.errors import InputError
from fashionlib.data.base import Box

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
MOST_PIXELS = 100_000_000  # a picture that unpacks to more than this is refused, not decoded


def read_photo(path: str | Path, canvas: tuple[int, int] | None = None) -> UInt8[np.ndarray, "height width 3"]:
    """The photo in RGB, upright (EXIF orientation applied), transparency on white, first frame.

    canvas: the (height, width) that it will be fitted into: a JPEG more than twice as large is then unpacked at a half,
    a quarter or an eighth of its size, which takes a fraction of the time.

    Raises InputError, naming the file, where it is missing, no image, truncated or absurdly large.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures, odd EXIF, palettes with transparency
            return _decode(path, canvas)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such photo; check the folder") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: more than {MOST_PIXELS:,} pixels; resize it") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not an image that can be read; remove it or save it again as JPEG or PNG") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged image ({error}); fetch or save it again") from error


def _decode(path: Path, canvas: tuple[int, int] | None) -> np.ndarray:
    with Image.open(path) as image:
        if image.width * image.height > MOST_PIXELS:
            raise InputError(f"{path}: {image.width}×{image.height}, more than {MOST_PIXELS:,} pixels; resize it")
        if canvas is not None:
            lies = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            upright = (image.width, image.height) if lies else (image.height, image.width)
            scale = 2 * placement_of(upright, canvas).scale  # twice, so that the last step down still averages
            image.draft(None, (int(image.width * scale) + 1, int(image.height * scale) + 1))
        return np.array(_to_rgb(ImageOps.exif_transpose(image)))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):  # 16 bits a pixel: Pillow's own conversion clips
        values = np.asarray(image, dtype=np.float64)
        image = Image.fromarray((values * (255.0 / max(values.max(), 1.0))).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image.convert("RGB")


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
