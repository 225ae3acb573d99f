"""Decodes one picture file to RGB pixels: named formats only, bounded memory, no side effects on the caller's process.

Pillow's own `Image.open` is not used: it starts other programs for some formats, refuses PNGs for their texts, and
warns. What a decoder raises here is told by `fashionlib.data.photos.read_photo`.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import (  # fmt: skip
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageCms,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from fashionlib.core.errors import InputError
from fashionlib.core.threads import Budget, QuietModule

MOST_PIXELS = 100_000_000  # a picture that unpacks to more than this is refused, not decoded
MOST_SIDE = 65_535  # pixels of one side, as in a JPEG
DECODING = Budget(MOST_PIXELS)
QUIET = QuietModule("PIL.")  # it warns of odd tags of TIFFs and EXIF, and of large pictures
_BAND = 4_000_000  # pixels converted to RGB at a time: intermediate copies stay small
_MOST_CHUNKS = 200_000  # of a PNG
_MOST_READS = 5_000_000  # of a file: a JPEG of nothing but empty segments would be parsed for minutes
_MOST_VALUES = 400_000  # of one tag of a TIFF: 100 million pixels in tiles of 16 × 16
_MOST_EXIF = 8_000_000  # bytes
_MOST_SCANS = 2_000_000_000  # pixels × scans of a JPEG: a small file can ask for hours of work
_MOST_PROFILE = 8_000_000  # bytes unpacked; the largest printers' profiles have two or three million
_SAME = 2  # of 255: a profile that moves no colour by more is sRGB, as most writers round it
with contextlib.suppress(OSError, AttributeError):  # libtiff, where Pillow's library shows it, prints of damaged files
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)
    ctypes.CDLL(Image.core.__file__).TIFFSetWarningHandler(None)
logging.getLogger("PIL").addHandler(logging.NullHandler())  # it says on standard error what its exception says, too
_END = b"\xff\xd9"  # a JPEG's end marker
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})  # the chunks of a PNG that are its picture


class UnknownFormat(Exception):
    """The file is of none of the formats that are read here; the message says what can be done."""


class _FewReads:
    """A file that is read in at most `_MOST_READS` pieces."""

    def __init__(self, file: io.BufferedIOBase):
        self._file, self._left = file, _MOST_READS

    def read(self, size: int = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"more than {_MOST_READS:,} pieces")
        return self._file.read(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


class _Tiff(TiffImagePlugin.TiffImageFile):
    """A TIFF whose tags hold no more values than a picture needs: Pillow makes an object of each."""

    def _setup(self) -> None:
        for tag, data in self.tag_v2._tagdata.items():
            kind = self.tag_v2.tagtype[tag]
            text = kind == 2 or (kind in (1, 7) and (tag >= 32_768 or tag == 700))  # 700: XMP; from 32,768 on: private
            if not text and len(data) > _MOST_VALUES * self.tag_v2._load_dispatch[kind][0]:
                raise ValueError(f"tag {tag} holds more than {_MOST_VALUES:,} values")
        super()._setup()


class Photo(NamedTuple):
    """RGB pixels, upright, and the (height, width) of the photo before it was reduced."""

    pixels: UInt8[np.ndarray, "height width 3"]
    size: tuple[int, int]


Reduce = Callable[[tuple[int, int]], float]  # from (height, width) to the scale, at most 1, that is enough
Converter = Callable[[Image.Image], Image.Image]


def decode(file: io.BufferedIOBase, enough: Reduce) -> Photo:
    """The picture in `file`, first frame, in sRGB, transparency on white, turned as its EXIF says.

    Colours are converted where a colour profile is embedded that differs from sRGB. A JPEG that lacks its end marker
    and nothing else is read; one that lacks picture data is not. The pixels that all threads decode at one time are
    limited: a large picture waits for the others.

    Raises UnknownFormat, InputError for a picture that is too large, and anything that a decoder raises.
    """
    with QUIET:
        try:
            return _decode(file, enough)
        except OSError as error:
            if error.errno is not None or _kind(file) is not JpegImagePlugin.JpegImageFile:
                raise
            # what a decoder does not find it makes up from what follows: a whole picture is the same whatever that is
            file.seek(0)
            data = file.read()
            ends = (data + more + _END for more in (b"", bytes(range(1, 97))))
            whole, other = (_decode(io.BytesIO(each), lambda _: 1.0).pixels for each in ends)  # alike for all sizes
            if (whole != other).any():
                raise
            return _decode(io.BytesIO(data + _END), enough)


def decode_image(image: Image.Image) -> Photo:
    """An open picture as `decode` gives it, in its own size."""
    with QUIET:
        _check_size(*image.size)
        image.load()  # a PNG's EXIF may come after its pixels
        return _finish(image, image.info.get("icc_profile"), orientation(image), 1.0)


def _decode(file: io.BufferedIOBase, enough: Reduce) -> Photo:
    kind, profile = _kind(file), None
    if kind is PngImagePlugin.PngImageFile:
        file, profile = _picture_chunks(file)
    image = kind(_FewReads(file))  # pyright: ignore[reportArgumentType]
    turn, (width, height) = orientation(image), image.size
    scale = enough((width, height) if turn >= 5 else (height, width))
    if image.info.get("progressive"):
        _refuse_endless(file, width * height)
    return _finish(image, profile or image.info.get("icc_profile"), turn, scale)


def _finish(image: Image.Image, profile: bytes | None, turn: int, scale: float) -> Photo:
    width, height = image.size
    _check_size(width, height)
    if isinstance(image, JpegImagePlugin.JpegImageFile) and scale < 1:
        image.draft(None, (int(width * scale) + 1, int(height * scale) + 1))
    with DECODING.held(width * height if image.info.get("progressive") else image.width * image.height):
        image.load()
        shrink = max(1, int(image.width / max(1.0, width * scale)))
        pixels = _pixels(image, shrink, converter_to_srgb(profile) if profile else None)
    pixels = np.ascontiguousarray(_TURNS[turn](pixels))
    return Photo(pixels, (width, height) if turn >= 5 else (height, width))


def _check_size(width: int, height: int) -> None:
    for pixels, most, where in ((width * height, MOST_PIXELS, ""), (max(width, height), MOST_SIDE, " on one side")):
        if pixels > most:
            raise InputError(f"{width}×{height}, more than {most:,} pixels{where}; resize it")


_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF orientation: how the pixels become upright
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


def orientation(image: Image.Image) -> int:
    """1 to 8, however the tag is stored (number, text, bytes, a list of one); 1 where it cannot be understood."""
    if len(image.info.get("exif") or b"") > _MOST_EXIF:
        return 1
    try:
        exif = Image.Image.getexif(image)  # a PNG's own method decodes the picture, and would hide that it is damaged
        value = exif.get(ExifTags.Base.Orientation, 1)
        if isinstance(value, (tuple, list)):
            value = value[0]
        if isinstance(value, bytes):
            value = next((byte for byte in value if byte), 1)
            value = value - ord("0") if value >= ord("0") else value
        number = int(float(value))
    except Exception:  # whatever is wrong with the EXIF, the pixels are there
        return 1
    return number if number in _TURNS else 1


_MAGIC: dict[bytes, type[ImageFile.ImageFile]] = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile, b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"GIF87a": GifImagePlugin.GifImageFile, b"GIF89a": GifImagePlugin.GifImageFile, b"BM": BmpImagePlugin.BmpImageFile,
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _Tiff),
}  # fmt: skip
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def _kind(file: io.BufferedIOBase) -> type[ImageFile.ImageFile]:
    """Pillow's class for the format that the first bytes name. Raises UnknownFormat."""
    file.seek(0)
    head = file.read(16)
    file.seek(0)
    if not head:
        raise UnknownFormat("not an image that can be read (an empty file); fetch or save it again")
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in (b"avif", b"avis"):
        return AvifImagePlugin.AvifImageFile
    if brand in _HEIC:
        return heif_class()
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WebPImagePlugin.WebPImageFile
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    raise UnknownFormat("not an image that can be read; remove it or save it again as JPEG or PNG")


def heif_class() -> type[ImageFile.ImageFile]:
    """What opens HEIC. Raises UnknownFormat where pillow-heif is not installed."""
    try:
        from pillow_heif import HeifImageFile  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UnknownFormat("HEIC is read where pillow-heif is installed; pip install pillow-heif") from None
    return HeifImageFile


def _picture_chunks(file: io.BufferedIOBase) -> tuple[io.BufferedIOBase, bytes | None]:
    """A PNG without texts, times and the rest that is not its picture, and its colour profile still packed."""
    kept, profile, exif, start = [file.read(8)], None, b"", 8
    for _ in range(_MOST_CHUNKS):
        if len(head := file.read(8)) < 8:
            break
        length, name = struct.unpack(">I4s", head)
        if name == b"eXIf" and not exif:
            exif = head + file.read(length + 4)
        elif name in _KEPT:
            kept.append(head + file.read(length + 4))
        elif name == b"iCCP" and profile is None:
            profile = file.read(length)
        start = file.seek(start + 12 + length)
        if name == b"IEND":
            break
    else:
        raise ValueError(f"more than {_MOST_CHUNKS:,} chunks")
    kept.insert(2, exif)  # right behind the header: Pillow reads it there without decoding
    return io.BytesIO(b"".join(kept)), profile


def _refuse_endless(file: io.BufferedIOBase, pixels: int) -> None:
    """Raises InputError for a JPEG of so many scans that decoding it would take minutes."""
    place = file.tell()
    file.seek(0)
    scans = sum(part.count(b"\xff\xda") for part in iter(lambda: file.read(1 << 20), b""))
    file.seek(place)
    if scans > 20 and scans * pixels > _MOST_SCANS:
        raise InputError(f"a JPEG of {scans} scans, which would take minutes to decode; save it again")


def _pixels(image: Image.Image, shrink: int, to_srgb: Converter | None) -> np.ndarray:
    """RGB, height × width × 3, a `shrink`-th of the size; converted band by band."""
    (width, height), white = image.size, white_level(image)
    rows = max(1, _BAND // (width * shrink)) * shrink
    out = np.empty((-(-height // shrink), -(-width // shrink), 3), np.uint8)
    for top in range(0, height, rows):
        band = image if rows >= height else image.crop((0, top, width, min(top + rows, height)))
        band = _to_rgb(band, to_srgb, white)
        out[top // shrink : (top + rows) // shrink] = band.reduce(shrink) if shrink > 1 else band  # pyright: ignore
    return out


def _to_rgb(image: Image.Image, to_srgb: Converter | None, white: float | None) -> Image.Image:
    if white is not None:
        values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=white, neginf=0.0)
        image = Image.fromarray((values.clip(0, white) * np.float32(255 / white) + 0.5).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        if to_srgb is not None:
            alpha = layered.getchannel("A")
            layered = to_srgb(layered.convert("L" if image.mode in ("L", "LA", "La") else "RGB")).convert("RGBA")
            layered.putalpha(alpha)
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    if to_srgb is not None:
        image = to_srgb(image if image.mode in ("L", "CMYK") else image.convert("L" if image.mode == "1" else "RGB"))
    return image.convert("RGB")


@lru_cache(maxsize=32)  # a folder's photos share a few profiles
def converter_to_srgb(packed: bytes) -> Converter | None:
    """What converts pictures of mode L, RGB or CMYK from an embedded profile to sRGB in RGB.

    packed: the profile, or a PNG's iCCP chunk. None where it is sRGB, or damaged, which is no reason to refuse the
    picture; pictures of another kind than the profile's are left unchanged.
    """
    try:
        profile = packed[:_MOST_PROFILE]
        if packed[36:40] != b"acsp":  # a PNG's: a name, a zero, how it is packed
            name, _, rest = packed[:81].partition(b"\0")
            profile = zlib.decompressobj().decompress(packed[len(name) + 2 :], _MOST_PROFILE) if rest else b""
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        source = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[profile.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), source, "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
        if source == "RGB" and _moves_nothing(transform):
            return None
    except Exception:
        return None

    def convert(image: Image.Image) -> Image.Image:
        image = image.convert("RGB") if source == "RGB" and image.mode == "L" else image
        return (ImageCms.applyTransform(image, transform) or image) if image.mode == source else image

    return convert


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
    if image.mode.startswith("I;16") or (image.mode in "IF" and image.format == "PNG"):
        return 65535.0
    if image.mode not in ("I", "F"):
        return None
    values, rows = np.asarray(image), max(1, _BAND // image.width)
    blocks = (values[top : top + rows] for top in range(0, image.height, rows))
    highest = max(float(block[np.isfinite(block)].max(initial=0)) for block in blocks)
    levels = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    return next((level for level in levels if highest <= level), highest)
