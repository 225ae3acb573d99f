"""Colours of photos to sRGB: embedded profiles, and pictures of 16 bits or of floats."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

Converter = Callable[[Image.Image], Image.Image]

_MOST_PROFILE = 8_000_000  # bytes unpacked; the largest printers' profiles have two or three million
_AT_ONCE = 4_000_000  # values looked through together
_SAME = 2  # of 255: a profile that moves no colour by more is sRGB, as most writers round it


def converter_to_srgb(packed: bytes | None) -> Converter | None:
    """What converts a picture's colours from its embedded profile to sRGB.

    packed: the profile, or a PNG's iCCP chunk. None where there is no profile, it is sRGB, or XX
    """
    return _converter(packed) if packed else None


@lru_cache(maxsize=32)  # a folder's photos share a few profiles
def _converter(packed: bytes) -> Converter | None:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(_unpacked(packed)))
        space = profile.profile.xcolor_space.strip()
        source = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[space]
        transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), source, "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
        return None if source == "RGB" and _moves_nothing(transform) else _Converter(transform, source)
    except Exception:  # a damaged profile is no reason to refuse the picture
        return None


class _Converter:
    def __init__(self, transform: ImageCms.ImageCmsTransform, source: str):
        self.transform, self.source = transform, source

    def __call__(self, image: Image.Image) -> Image.Image:
        """A picture of mode L, RGB or CMYK in RGB; unchanged where the profile is of another kind of picture."""
        if self.source == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        return (ImageCms.applyTransform(image, self.transform) or image) if image.mode == self.source else image


def _unpacked(profile: bytes) -> bytes:
    if profile[36:40] == b"acsp":
        return profile[:_MOST_PROFILE]
    name, _, rest = profile[:81].partition(b"\0")  # a PNG's: a name, a zero, how it is packed
    return zlib.decompressobj().decompress(profile[len(name) + 2 :], _MOST_PROFILE) if rest else b""


def _moves_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = np.linspace(0, 255, 18).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(18, -1, 3)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return int(np.abs(moved.astype(int) - colours).max()) <= _SAME


def white_level(image: Image.Image) -> float | None:
    """The value that is shown as white in a picture of more than 8 bits a pixel; None for all others.

    16 bits are shown as they are, whatever the brightest value is. Where the range is not known (floats and 32 bits),
    it is the smallest of 1 (floats only), 255, 65,535 and the largest value that holds all finite values.
    """
    if image.mode.startswith("I;16"):
        return 65535.0
    if image.mode not in ("I", "F"):
        return None
    if image.format == "PNG":  # older Pillows open its 16 bits as 32
        return 65535.0
    values, rows = np.asarray(image), max(1, _AT_ONCE // image.width)
    blocks = (values[top : top + rows] for top in range(0, image.height, rows))
    highest = max(float(block[np.isfinite(block)].max(initial=0)) for block in blocks)
    levels = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    return next((level for level in levels if highest <= level), highest)
