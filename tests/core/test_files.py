"""Files that are whole or absent; a disk that is full is told, whatever was being written."""

import os
from pathlib import Path

import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.core.files import build_aside, room_for, written_aside
from fashionlib.data.store import load_photos
from fashionlib.data.wardrobe.dataset import Wardrobe

FULL = Path("/dev/full")  # every write to it ends as on a full disk
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def save_on_a_full_disk(path):
    with written_aside(path) as file:
        file.write(b"half")
        with FULL.open("wb") as full:
            torch.save({"weights": torch.zeros(10**6)}, full)


def test_a_name_as_long_as_the_disk_permits_is_written_however_many_bytes_its_letters_have(tmp_path):
    for name in ("n" * 255, "夏" * 85):
        with written_aside(tmp_path / name) as file:
            file.write(b"whole")
        assert (tmp_path / name).read_bytes() == b"whole"


@needs_full
def test_a_file_on_a_full_disk_is_one_clear_error_and_the_old_one_stays(tmp_path):
    path = tmp_path / "last.pt"
    path.write_text("old")
    with pytest.raises(InputError, match=r"last\.pt: cannot be written, the disk is full; make room, or take"):
        save_on_a_full_disk(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["last.pt"]


@needs_full
def test_a_folder_on_a_full_disk_is_one_clear_error_and_absent(tmp_path):
    def build(aside):
        (aside / "first").write_text("whole")
        with FULL.open("w") as full:
            full.write("half")

    with pytest.raises(InputError, match=r"maps: cannot be written, the disk is full"):
        build_aside(tmp_path / "maps", build)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "pipe"])
def test_nothing_but_a_regular_file_is_replaced(tmp_path, kind):
    """Seen to put a file in the place of a link."""
    path = tmp_path / "page.html"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        (tmp_path / "kept").write_text("mine")
        path.symlink_to(tmp_path / ("kept" if kind == "link" else "none"))
    before = path.lstat()
    with pytest.raises(InputError, match=r"page\.html: a .* is not replaced"), written_aside(path) as file:
        file.write(b"other")
    assert path.lstat() == before
    assert not list(tmp_path.glob(".page*"))
    assert kind != "link" or (tmp_path / "kept").read_text() == "mine"


def test_more_than_the_disk_holds_is_refused_before_anything_is_written(tmp_path):
    room_for(1, tmp_path)
    with pytest.raises(InputError, match=r"1000000000\.0 GB are to be written here and .* are free; make room"):
        room_for(10**18, tmp_path)
    with pytest.raises(InputError, match=r"GB are to be written here"):
        load_photos(Wardrobe("test", counts={"test": 2}), (10**7, 10**7), cache=tmp_path)
    assert os.listdir(tmp_path) == []
