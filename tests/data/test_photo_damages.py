"""Random damages of small photos of every format: each is read, or is one line, by all doors alike.

FASHIONLIB_DAMAGES=100000 tries as many; the suite tries a few hundred.
"""

import io
import os
import resource
import time

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

from fashionlib.core.errors import InputError
from fashionlib.data.doctor.surveys import size_or_fault
from fashionlib.data.folder import Folder
from fashionlib.data.photos import open_photo, read_photo
from fashionlib.gallery.extract import decode

DAMAGES = int(os.environ.get("FASHIONLIB_DAMAGES", "300"))


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photos():
    """Eleven small photos: every format that is read, with EXIF, profiles, texts, palettes, layers and frames."""
    from PIL import ImageCms

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 28, 3), dtype=np.uint8)).resize((56, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    texts = PngImagePlugin.PngInfo()
    texts.add_text("prompt", "a dress " * 50, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", "<x/>" * 20, zip=True)
    grey = Image.fromarray(np.linspace(0, 60000, 600).reshape(20, 30).astype(np.uint16))
    frames = [image.convert("P"), image.rotate(90).convert("P")]
    made = {
        "baseline.jpg": saved(image, "JPEG", exif=exif, icc_profile=profile),
        "progressive.jpg": saved(image, "JPEG", progressive=True, exif=exif),
        "cmyk.jpg": saved(image.convert("CMYK"), "JPEG"),
        "layers.png": saved(image.convert("RGBA"), "PNG", pnginfo=texts, icc_profile=profile, exif=exif),
        "palette.png": saved(image.quantize(16), "PNG", transparency=3),
        "deep.png": saved(grey, "PNG"),
        "frames.gif": saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "lossy.webp": saved(image, "WEBP", exif=exif, icc_profile=profile),
        "plain.bmp": saved(image, "BMP"),
        "packed.tif": saved(image, "TIFF", compression="tiff_lzw", exif=exif),
        "float.tif": saved(Image.fromarray(np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)), "TIFF"),
    }
    if "avif" in features.modules and features.check("avif"):
        made["small.avif"] = saved(image, "AVIF")
    return made


def damaged(content, rng):
    """A few bytes changed, a part cut off, left out, doubled, blanked, or filled with noise."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(0, len(data)))
        end = start + int(rng.integers(1, 40))
        how = int(rng.integers(0, 7))
        if how == 0:
            del data[max(start, 1) :]
        elif how == 1:
            del data[start:end]
        elif how == 2:
            data[start:start] = data[start:end]
        elif how == 3:
            data[start:end] = bytes(len(data[start:end]))
        elif how == 4:
            data[start:end] = rng.bytes(len(data[start:end]))
        elif how == 5:
            data[start] ^= 1 << int(rng.integers(0, 8))
        else:
            data[start:end] = b"\xff" * len(data[start:end])
        if not data:
            break
    return bytes(data)


def answer_of(door, path):
    """What a door says of a photo: "" where it reads it, else its one line without the file's name."""
    try:
        door(path)
    except InputError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        return message.removeprefix(f"{path}: ")
    return ""


DOORS = [
    lambda path: open_photo(path, (96, 64)),  # tag
    lambda path: decode(path, (48, 32)),  # index and recommend
    lambda path: read_photo(path),  # published data sets
    lambda path: Folder(path.parent)[0],  # a folder's loader
]


@pytest.mark.parametrize("part", range(4))
def test_every_damage_is_read_or_is_one_line_by_all_doors_alike(tmp_path, part):
    made = photos()
    slowest, before = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(part, DAMAGES, 4):
        rng = np.random.default_rng(number)
        name = sorted(made)[number % len(made)]
        path = tmp_path / f"x{os.path.splitext(name)[1]}"
        path.write_bytes(damaged(made[name], rng))
        began = time.perf_counter()
        answers = [answer_of(door, path) for door in DOORS]
        slowest = max(slowest, time.perf_counter() - began)
        answers.append(size_or_fault(path)[1])  # the doctor
        assert len(set(answers)) == 1, (number, name, answers)
        path.unlink()
    assert slowest < 2 * len(DOORS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kB
    print(f"slowest {slowest:.3f} s, memory +{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before} kB")


def test_a_photo_whose_fine_detail_is_cut_off_is_damaged_at_every_size(tmp_path):
    """Seen to be read where it was reduced while it was unpacked, and refused in its own size."""
    path = tmp_path / "x.jpg"
    path.write_bytes(damaged(photos()["progressive.jpg"], np.random.default_rng(10_001_648)))
    assert len({answer_of(door, path) for door in DOORS}) == 1
