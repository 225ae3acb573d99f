"""The one reader of photos: what strangers' files hold, and what it never does with them."""

import io
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from fashionlib.core.errors import InputError, PassingError
from fashionlib.core.threads import Budget
from fashionlib.data import decode
from fashionlib.data.photos import open_photo, read_photo


def picture(width=24, height=16):
    """Two colours, so that every turn shows."""
    pixels = np.full((height, width, 3), (200, 40, 40), np.uint8)
    pixels[: height // 2, : width // 2] = (30, 30, 200)
    return Image.fromarray(pixels)


def exif(kind, value, count=1):
    """EXIF with nothing but an orientation of that type, written byte by byte."""
    return (
        b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI", 0x0112, kind, count) + value.ljust(4, b"\0") + bytes(4)
    )


ODD = [(2, b"6\0", 2), (1, b"\x06", 1), (7, b"\x06", 1), (7, b"\x06\0", 2), (4, b"\x06", 1), (3, b"\x06\0\x06\0", 2)]


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize(("kind", "value", "count"), ODD, ids=str)
def test_an_orientation_of_any_type_turns_the_pixels(tmp_path, ending, kind, value, count):
    path = tmp_path / f"a.{ending}"
    picture().save(path, exif=exif(kind, value, count))
    photo = open_photo(path)
    assert photo.size == photo.pixels.shape[:2] == (24, 16)
    assert photo.pixels[0, -1, 2] > 150  # the blue corner went from the left to the right
    assert photo.pixels[0, 0, 2] < 100


@pytest.mark.parametrize("number", range(1, 9))
def test_all_eight_orientations_are_those_of_pillow(tmp_path, number):
    from PIL import ImageOps

    path = tmp_path / "a.png"
    picture().save(path, exif=exif(3, bytes([number])))
    assert (read_photo(path) == np.asarray(ImageOps.exif_transpose(Image.open(path)))).all()


@pytest.mark.parametrize("value", [b"\0\0", b"\x09\0", b"\xff\xff"])
def test_an_orientation_that_is_none_is_ignored(tmp_path, value):
    picture().save(tmp_path / "a.jpg", exif=exif(3, value))
    assert read_photo(tmp_path / "a.jpg").shape == (16, 24, 3)


def test_damaged_exif_does_not_cost_the_photo(tmp_path):
    for number in range(60):
        damaged = bytearray(exif(3, b"\x06"))
        place = np.random.default_rng(number).integers(6, len(damaged), 4)
        for one in place:
            damaged[one] ^= 0xFF
        picture().save(tmp_path / "a.jpg", exif=bytes(damaged))
        assert read_photo(tmp_path / "a.jpg").size == 24 * 16 * 3


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b"a dress " * 400_000)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<x/>" * 800_000)),
        chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 900_000)) * 80,
        chunk(b"iCCP", b"long\0\0" + zlib.compress(bytes(1_500_000))),
        chunk(b"tEXt", b"damaged\0x")[:-1] + b"!",
        chunk(b"acTL", b"\0\0"),
    ],
    ids=["text", "xmp", "eighty", "profile", "checksum", "animation"],
)
def test_what_a_png_holds_beside_its_picture_does_not_cost_it(tmp_path, extra):
    picture().save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:33] + extra + content[33:])
    assert (read_photo(tmp_path / "a.png") == np.asarray(picture())).all()
    assert PngImagePlugin.MAX_TEXT_CHUNK == 1024 * 1024  # of other users of Pillow


def test_a_png_whose_data_are_damaged_is_not_a_black_picture(tmp_path):
    """Pillow's PNG decodes when it is asked for EXIF; asked again after the error, it gave an empty picture."""
    noise = Image.effect_noise((64, 48), 60)
    noise.save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    start = content.index(b"IDAT") + 4
    for place in (start, start + 1, start + 300, len(content) // 2):
        harmed = content[:place] + bytes(40) + content[place + 40 :]
        (tmp_path / "a.png").write_bytes(harmed)
        with pytest.raises(InputError, match=r"a\.png: damaged image"):
            read_photo(tmp_path / "a.png")
        with pytest.raises(InputError, match=r"damaged image"):
            read_photo(Image.open(io.BytesIO(harmed)))


def tiff(entries, size):
    """A directory of (tag, type, count, offset) entries, sorted, and `size` bytes of zeros behind it."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + bytes(4 + size)


def endless():
    """Files whose sound picture, if any, comes after very many parts: seen to take 0.2 to 1.2 s per megabyte, and
    40 bytes of memory for each value of a TIFF's tag."""
    file = io.BytesIO()
    picture().save(file, "JPEG")
    jpeg, many = file.getvalue()[2:], 100_000
    gif = b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0x80, 0, 0) + bytes(6)
    bmp = struct.pack("<IiiHHIIiiII", 40, 90, 90, 1, 8, 1, 300, 0, 0, 256, 0) + bytes(1024)
    plain = [(256, 3, 1, 9), (257, 3, 1, 9), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    tiles = [(322, 3, 1, 1), (323, 3, 1, 1), (324, 4, 500_000, 8), (325, 4, 500_000, 8)]
    return {
        "fill.jpg": b"\xff\xd8" + b"\xff" * many + jpeg, "segments.jpg": b"\xff\xd8" + b"\xff\xe5\0\2" * many + jpeg,
        "comments.jpg": b"\xff\xd8" + b"\xff\xfe\0\2" * many + jpeg,
        "zeros.jpg": b"\xff\xd8\xff\xe5\0\2" + bytes(many) + jpeg,
        "blocks.gif": gif + b"!\xfe\0" * many + b";", "comment.gif": gif + b"!\xfe" + b"\1x" * many + b"\0;",
        "moves.bmp": b"BM" + struct.pack("<IHHI", 1000, 0, 0, 1078) + bmp + b"\0\2\0\0" * many,
        "tiles.tif": tiff([*plain, *tiles], 2_000_000),
        "strips.tif": tiff([*plain, (273, 4, 500_000, 8), (278, 3, 1, 9), (279, 4, 1, 81)], 2_000_000),
        "resolution.tif": tiff([*plain, (273, 4, 1, 8), (279, 4, 1, 81), (282, 5, 500_000, 8)], 4_000_000),
        "bytes.tif": tiff([*plain, (273, 7, 500_000, 8), (279, 4, 1, 81)], 500_000),
    }  # fmt: skip


@pytest.mark.parametrize("name", endless())
def test_a_file_of_very_many_parts_is_given_up(tmp_path, monkeypatch, name):
    monkeypatch.setattr(decode, "_MOST_READS", 20_000)
    (tmp_path / name).write_bytes(endless()[name])
    with pytest.raises(InputError, match=r"damaged image \((more than 20,000 pieces|tag \d+ holds more than)"):
        read_photo(tmp_path / name)


def test_pillow_adds_no_second_line_to_the_one_that_is_told(tmp_path):
    """A TIFF of very many samples per pixel: Pillow logs an error beside its exception, and Python prints it."""
    plain = [(256, 3, 1, 9), (257, 3, 1, 9), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2), (277, 3, 1, 60_000)]
    (tmp_path / "a.tif").write_bytes(tiff([*plain, (273, 4, 1, 8), (279, 4, 1, 81)], 81))
    code = "import sys; from fashionlib.data.photos import read_photo; read_photo(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.tif"], capture_output=True, text=True, check=False)
    assert "a.tif: damaged image" in done.stderr
    assert "More samples per pixel" not in done.stderr


def test_exif_behind_the_pixels_of_a_png_turns_them(tmp_path):
    picture().save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:-12] + chunk(b"eXIf", exif(3, b"\x06")[6:]) + content[-12:])
    assert read_photo(tmp_path / "a.png").shape == (24, 16, 3)
    assert read_photo(Image.open(tmp_path / "a.png")).shape == (24, 16, 3)


def rgb_profile(primaries, gamma):
    """A matrix profile of these xy primaries and D65 white, by hand: header, and nine tags."""
    x, y = np.array(primaries).T
    unscaled = np.stack([x / y, np.ones(3), (1 - x - y) / y])
    white = np.array([0.9504559, 1.0, 1.0890578])
    to_xyz = unscaled * np.linalg.solve(unscaled, white)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d50 = np.array([0.9642, 1.0, 0.8249])
    adapt = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ white)) @ bradford
    fixed = lambda values: b"".join(struct.pack(">i", round(value * 65536)) for value in values)  # noqa: E731
    tags = {
        f"{name}XYZ": b"XYZ \0\0\0\0" + fixed(column) for name, column in zip("rgb", (adapt @ to_xyz).T, strict=True)
    }
    tags |= {f"{name}TRC": b"curv\0\0\0\0\0\0\0\1" + struct.pack(">HH", round(gamma * 256), 0) for name in "rgb"}
    tags |= {"wtpt": b"XYZ \0\0\0\0" + fixed(d50), "desc": b"desc\0\0\0\0\0\0\0\2x\0" + bytes(78),
             "cprt": b"text\0\0\0\0x\0\0\0"}  # fmt: skip
    table, data, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        tag += bytes(-len(tag) % 4)
        table += struct.pack(">4sII", name.encode(), start + len(data), len(tag))
        data += tag
    head = struct.pack(">I4sI4s4s4s", start + len(data), b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + bytes(12)
    return (head + b"acsp" + bytes(28) + fixed(d50)).ljust(128, b"\0") + table + data, to_xyz


P3 = [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)]
SRGB = [(0.640, 0.330), (0.300, 0.600), (0.150, 0.060)]


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_wide_gamut_colours_become_srgb_as_the_formula_says(tmp_path, ending):
    profile, to_xyz = rgb_profile(P3, 2.2)
    _, of_srgb = rgb_profile(SRGB, 2.2)
    colour = np.array([200, 120, 90]) / 255
    linear = np.linalg.solve(of_srgb, to_xyz @ colour**2.2)
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    options = {"lossless": True} if ending == "webp" else {"quality": 100} if ending == "jpg" else {}
    Image.new("RGB", (16, 16), (200, 120, 90)).save(tmp_path / f"a.{ending}", icc_profile=profile, **options)
    assert np.abs(read_photo(tmp_path / f"a.{ending}").reshape(-1, 3) - expected).max() < 3
    assert abs(expected[0] - 200) > 8  # the profile matters


@pytest.mark.parametrize("profile", [b"", b"no profile", rgb_profile(P3, 2.2)[0][:150], bytes(300)])
def test_a_damaged_profile_is_ignored(tmp_path, profile):
    picture().save(tmp_path / "a.png", icc_profile=profile)
    assert (read_photo(tmp_path / "a.png") == np.asarray(picture())).all()


def test_an_srgb_profile_changes_no_bit(tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8))
    image.save(tmp_path / "a.png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert (read_photo(tmp_path / "a.png") == np.asarray(image)).all()


def test_a_profile_of_greys_or_inks_is_no_profile_of_rgb(tmp_path):
    grey = rgb_profile(P3, 2.2)[0].replace(b"RGB ", b"GRAY", 1)
    picture().save(tmp_path / "a.png", icc_profile=grey)
    assert (read_photo(tmp_path / "a.png") == np.asarray(picture())).all()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_lacks_its_end_marker_and_is_read_or_lacks_picture_data_and_is_damaged(tmp_path, options):
    image = Image.effect_noise((64, 48), 60).convert("RGB")
    image.save(tmp_path / "a.jpg", **options)
    content, expected = (tmp_path / "a.jpg").read_bytes(), read_photo(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content[:-2])
    assert (read_photo(tmp_path / "a.jpg") == expected).all()
    for end in (-6, -20, -100, -len(content) // 2):
        (tmp_path / "a.jpg").write_bytes(content[:end])
        with pytest.raises(InputError, match=r"damaged image .*truncated"):
            read_photo(tmp_path / "a.jpg")


def test_a_float_picture_with_a_hole_is_read_and_floats_are_shown_in_their_range(tmp_path):
    values = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)
    values[3, 4], values[5, 6] = np.nan, np.inf
    for scale in (1.0, 255.0, 65535.0):
        Image.fromarray(values * np.float32(scale)).save(tmp_path / "a.tif")
        image = read_photo(tmp_path / "a.tif")
        assert image[3, 4, 0] == 0
        assert image[5, 6, 0] == 255
        assert np.abs(image[10:, :, 0] - 255 * values[10:]).max() <= 1


def test_a_tall_float_picture_is_looked_through_in_blocks(tmp_path):
    """Row by row took a minute for a few kilobytes whose height was damaged."""
    Image.fromarray(np.full((65_000, 12), 0.5, np.float32)).save(tmp_path / "a.tif")
    began = time.process_time()
    assert (read_photo(tmp_path / "a.tif") == 128).all()
    assert time.process_time() - began < 2


def test_a_dim_16_bit_picture_stays_dim(tmp_path):
    values = np.linspace(0, 6000, 600).astype(np.uint16).reshape(20, 30)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        assert np.abs(read_photo(tmp_path / name)[..., 0].astype(float) - values / 257).max() <= 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder"])
def test_what_is_no_regular_file_is_told_at_once(tmp_path, kind):
    path = tmp_path / "x.jpg"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.fspath(path))
    with pytest.raises(InputError, match=r"x\.jpg: (a pipe, socket or device|a folder), no regular file"):
        read_photo(path)


@pytest.mark.parametrize("head", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"%PDF-1.7\n", b"P6 2 2 255 ",
                                  b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"8BPS\0\1", b"\x89HDF\r\n\x1a\n"])  # fmt: skip
def test_formats_that_are_not_named_are_not_tried(tmp_path, head, monkeypatch):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (bin_ / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    (tmp_path / "a.jpg").write_bytes(head + b"%%EndComments\nshowpage\n" + bytes(200))
    with pytest.raises(InputError, match=r"a\.jpg: not an image that can be read"):
        read_photo(tmp_path / "a.jpg")
    assert not (tmp_path / "started").exists()


def test_a_raw_file_is_refused_though_it_holds_a_small_picture(tmp_path):
    picture().save(tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.NEF")
    with pytest.raises(InputError, match=r"a\.NEF: a camera's raw file"):
        read_photo(tmp_path / "a.NEF")


def test_heic_is_read_where_its_library_is(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="the extra 'heic' is not installed")
    heif.from_pillow(picture(64, 48)).save(tmp_path / "a.heic", quality=90)
    image = read_photo(tmp_path / "a.heic")
    assert np.abs(image.astype(int) - np.asarray(picture(64, 48))).mean() < 6
    (tmp_path / "renamed.jpg").write_bytes((tmp_path / "a.heic").read_bytes())
    assert (read_photo(tmp_path / "renamed.jpg") == image).all()
    assert "HEIF" not in Image.OPEN  # of other users of Pillow


def test_avif_is_read_where_pillow_can(tmp_path):
    from PIL import features

    if "avif" not in features.modules or not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    picture(64, 48).save(tmp_path / "a.avif")
    assert np.abs(read_photo(tmp_path / "a.avif").astype(int) - np.asarray(picture(64, 48))).mean() < 6


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 8, 9), np.uint8), r"shape \(3, 8, 9\).*channels come last: photo\.transpose\(1, 2, 0\)"),
        (np.zeros((8, 9, 3), np.float32), r"float32.*astype\(numpy\.uint8\)"),
        (np.zeros((2, 8, 9, 3), np.uint8), "one photo, or a list of them"),
        (np.zeros((0, 9, 3), np.uint8), r"shape \(0, 9, 3\)"),
        (np.zeros((8, 9, 2), np.uint8), r"shape \(8, 9, 2\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (None, "NoneType"),
        (b"a.jpg", "bytes"),
        ([1, 2], "list"),
    ],
)
def test_what_is_no_photo_is_refused_with_what_is_expected(array, message):
    with pytest.raises(InputError, match=message) as error:
        open_photo(array)
    assert "\n" not in str(error.value)
    assert "expected a file's name, a PIL image, or an array of uint8" in str(error.value)


def test_a_tensor_is_refused_with_the_way_to_an_array():
    import torch

    with pytest.raises(InputError, match=r"Tensor: expected .*photo\.permute\(1, 2, 0\)\.numpy\(\)"):
        open_photo(torch.zeros(3, 8, 9, dtype=torch.uint8))


def test_pil_images_and_arrays_of_grey_and_transparency_are_photos():
    image = np.asarray(picture())
    assert (read_photo(picture()) == image).all()
    assert (read_photo(image) == image).all()
    grey = np.asarray(picture().convert("L"))
    for one in (grey, grey[..., None], Image.fromarray(grey)):
        assert (read_photo(one) == grey[..., None]).all()
    clear = np.dstack([image, np.zeros(image.shape[:2], np.uint8)])
    assert (read_photo(clear) == 255).all()
    assert (read_photo(Image.fromarray(clear)) == 255).all()


def test_a_fault_of_the_disk_is_told_apart_from_a_damaged_photo(tmp_path):
    with pytest.raises(PassingError, match="File name too long"):
        read_photo(tmp_path / ("x" * 300 + ".jpg"))
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match="damaged") as error:
        read_photo(tmp_path / "a.jpg")
    assert not isinstance(error.value, PassingError)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "a.jpg", "wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(800_000_000)  # a hole: it takes no room
    with pytest.raises(InputError, match="800 MB, more than 700"):
        read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize("size", [(1, 90_000_000), (90_000_000, 1), (0, 0), (2**31 - 1, 2**31 - 1)])
def test_sides_that_no_photo_has_are_refused_before_anything_is_unpacked(tmp_path, size):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + data)
    with pytest.raises(InputError, match=r"a\.png: (damaged image|.* more than .* pixels)"):
        read_photo(tmp_path / "a.png")


def test_a_picture_that_pillow_warns_of_as_large_is_read(tmp_path):
    Image.new("1", (10_000, 9_000)).save(tmp_path / "a.tif", compression="group4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_photo(tmp_path / "a.tif", (64, 64)).size == (9_000, 10_000)


def test_a_jpeg_of_thousands_of_scans_is_refused(tmp_path):
    Image.new("RGB", (2000, 2000)).save(tmp_path / "a.jpg", progressive=True)
    content = (tmp_path / "a.jpg").read_bytes()
    start = content.rindex(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(content[:start] + content[start:-2] * 1000 + content[-2:])
    with pytest.raises(InputError, match="a JPEG of 1009 scans"):
        read_photo(tmp_path / "a.jpg")


def test_a_large_photo_is_reduced_while_it_is_read_and_shows_the_same(tmp_path):
    image = picture(1200, 800).convert("RGBA")
    for name in ("a.png", "a.webp", "a.tif"):
        image.save(tmp_path / name)
        photo = open_photo(tmp_path / name, (60, 90))
        assert photo.size == (800, 1200)
        assert photo.pixels.shape == (134, 200, 3)
        assert np.abs(photo.pixels[30, [10, -10]] - np.array([(30, 30, 200), (200, 40, 40)])).max() <= 8


def test_threads_together_hold_no_more_than_the_budget():
    budget, held, most = Budget(100), [0], [0]
    lock = threading.Lock()

    def work(pixels):
        for _ in range(20):
            with budget.held(pixels):
                with lock:
                    held[0] += min(pixels, 100)
                    most[0] = max(most[0], held[0])
                with lock:
                    held[0] -= min(pixels, 100)

    threads = [threading.Thread(target=work, args=(pixels,)) for pixels in (30, 40, 50, 60, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert 0 < most[0] <= 100


def test_reading_in_threads_leaves_the_callers_warnings_as_they_were(tmp_path):
    picture().save(tmp_path / "a.jpg", exif=exif(3, b"\x06")[:-8])
    before = list(warnings.filters)

    def work():
        for _ in range(30):
            read_photo(tmp_path / "a.jpg")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning, match="mine"):
                warnings.warn("mine", UserWarning, stacklevel=1)
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_a_damaged_tiff_is_an_error_and_prints_nothing(tmp_path, capfd):
    """Seen: libtiff wrote to the terminal by itself."""
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.tif", compression="tiff_lzw")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[2000:9000:7] = bytes(1000)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match="damaged image"):
        read_photo(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "")


def test_a_leading_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    picture().save(tmp_path / "a.png")
    assert read_photo("~/a.png").shape == (16, 24, 3)
