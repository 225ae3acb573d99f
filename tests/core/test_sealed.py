"""Files of our own on a user's disk: what is damaged is told from what is whole, and is made again."""

import os
import shutil
import time

import numpy as np
import pytest
from handmade import make_fashion144k

from fashionlib.core.sealed import Damaged, cached, fault_of, read_json, write_json
from fashionlib.data import load
from fashionlib.data.store import load_photos


def build(folder):
    np.save(folder / "maps.npy", np.arange(1000))
    (folder / "names.json").write_text("{}")


@pytest.fixture
def folder(tmp_path):
    return cached(tmp_path / f"maps-{16 * 'a'}", build)


def flipped(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["maps.npy", "names.json", "seal.json"])
@pytest.mark.parametrize("harm", ["bit", "cut", "gone", "pipe", "folder", "deep"])
def test_a_damaged_cache_is_made_again_and_said_in_one_line(folder, name, harm, capsys):
    path = folder / name
    if harm == "bit":
        flipped(path, -1)
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:1])
    elif harm == "deep":
        path.write_text("[" * 500_000)
    else:
        path.unlink()
        {"pipe": os.mkfifo, "folder": os.mkdir}.get(harm, str)(path)
    assert cached(folder, build) == folder
    np.testing.assert_array_equal(np.load(folder / "maps.npy"), np.arange(1000))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert str(folder) in said[0]
    assert "damaged" in said[0]
    assert not fault_of(folder)


def test_a_copied_cache_is_read_once_and_then_trusted(folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "copied", copy_function=shutil.copy)
    before = (copied / "seal.json").read_text()
    assert not fault_of(copied)
    assert (copied / "seal.json").read_text() != before
    os.utime(copied / "maps.npy", ns=(0, 0))
    assert not fault_of(copied)


def test_what_a_killed_run_left_half_made_is_removed_by_the_next_but_not_what_another_is_making(tmp_path):
    left, made = (tmp_path / f".maps-{16 * letter}-abcd_123" for letter in "bc")
    others = [tmp_path / ".photos-own", tmp_path / f".maps-{16 * 'd'}"]
    for path in (left, made, *others):
        path.mkdir()
        os.utime(path, (time.time() - 1000,) * 2)
    handle = os.open(made, os.O_RDONLY)
    fcntl = pytest.importorskip("fcntl")
    fcntl.flock(handle, fcntl.LOCK_EX)
    cached(tmp_path / f"maps-{16 * 'a'}", build)
    assert not left.exists()
    assert all(path.exists() for path in (made, *others))
    os.close(handle)


@pytest.mark.parametrize("place", range(0, 80, 7))
def test_any_bit_of_a_json_file_that_flips_is_seen(tmp_path, place):
    path = tmp_path / "values.json"
    write_json(path, {"name": "ä \udcff", "numbers": [1, 2.5, None]})
    assert read_json(path) == {"name": "ä \udcff", "numbers": [1, 2.5, None]}
    flipped(path, place)
    with pytest.raises(Damaged):
        read_json(path)


def test_a_fresh_copy_of_a_data_set_finds_its_decoded_photos_and_a_changed_photo_does_not(tmp_path):
    """Seen to decode all photos again after `git clone`, and to keep a photo that changed with its time set back."""
    first, cache = make_fashion144k(tmp_path / "first"), tmp_path / "cache"
    key = load_photos(load("fashion144k", first, "train"), (32, 32), cache=cache).fingerprint
    again = shutil.copytree(first, tmp_path / "again", copy_function=shutil.copy)
    assert load_photos(load("fashion144k", again, "train"), (32, 32), cache=cache).fingerprint == key
    photo = again / "photos" / "000.jpg"
    times = photo.stat()
    flipped(photo, -20)
    os.utime(photo, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert load("fashion144k", again, "train").content_fingerprint() != key
    names = {path.name for path in cache.glob("content-*")}
    dataset = load("fashion144k", again, "train")
    assert f"content-{dataset.fingerprint()}.json" not in names
