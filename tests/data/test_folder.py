"""A stranger's folder: links, litter, loops, and what is not read is counted."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.data.folder import Folder
from fashionlib.data.photos import why_unread


def photo(path, colour=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 9), (colour, 0, 0)).save(path)
    return path


def test_an_album_of_links_holds_the_photos_that_they_lead_to_each_once(tmp_path):
    for number in range(3):
        photo(tmp_path / "library" / f"{number}.jpg", 80 * number)
    album = tmp_path / "album"
    album.mkdir()
    for number in range(3):
        (album / f"best-{number}.jpg").symlink_to(f"../library/{number}.jpg")
    (album / "again.jpg").symlink_to(tmp_path / "library" / "1.jpg")
    assert Folder(album).ids == ("again.jpg", "best-0.jpg", "best-2.jpg")


def test_a_linked_folder_is_read_once_and_loops_end(tmp_path):
    root = tmp_path / "mine"
    photo(root / "own.jpg")
    photo(root / "sub" / "in.jpg")
    photo(tmp_path / "elsewhere" / "deep" / "far.jpg")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "linked-again").symlink_to(tmp_path / "elsewhere")
    (root / "inside").symlink_to(root / "sub")
    (root / "sub" / "self").symlink_to(root / "sub")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    (root / "up").symlink_to("..")
    (root / "everything").symlink_to("/")
    (root / "round.jpg").symlink_to(root / "round.jpg")
    folder = Folder(root)
    assert folder.ids == ("linked/deep/far.jpg", "own.jpg", "sub/in.jpg")
    assert set(folder.left_out) == {"up", "everything", "round.jpg", "linked/back"}
    assert "holds this one" in folder.left_out["everything"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_a_link_whose_end_the_system_does_not_tell_is_left_out(tmp_path):
    """Seen to end the walk: /proc was linked, and the program of a process that has ended is not to be had."""
    photo(tmp_path / "own.jpg")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        (tmp_path / "gone.jpg").symlink_to(f"/proc/{ended.pid}/exe")
        (tmp_path / "gone").symlink_to(f"/proc/{ended.pid}/exe")
        folder = Folder(tmp_path)
    assert folder.ids == ("own.jpg",)
    assert set(folder.left_out) == {"gone.jpg"}


def test_a_git_annex_tree_shows_each_photo_once_by_its_own_name(tmp_path):
    stored = photo(tmp_path / ".git" / "annex" / "objects" / "SHA256--1.jpg")
    photo(tmp_path / ".git" / "annex" / "objects" / "SHA256--2.jpg")
    (tmp_path / "p0.jpg").symlink_to(os.path.relpath(stored, tmp_path))
    assert Folder(tmp_path).ids == ("p0.jpg",)


@pytest.mark.parametrize(
    "litter",
    ["@eaDir/x.jpg/SYNOPHOTO.jpg", "__MACOSX/x.jpg", "$RECYCLE.BIN/$R1.jpg", ".Trash-1000/x.jpg", ".fashionlib/x.jpg",
     "._x.jpg", "sub/._x.jpg", "#recycle/x.jpg"],
)  # fmt: skip
def test_litter_of_systems_and_network_disks_is_passed_over(tmp_path, litter):
    photo(tmp_path / "x.jpg")
    photo(tmp_path / litter)
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf")
    folder = Folder(tmp_path)
    assert (folder.ids, folder.left_out) == (("x.jpg",), {})


def test_formats_that_are_not_read_are_counted_with_the_reason(tmp_path):
    photo(tmp_path / "x.jpg")
    for name in ("a.CR2", "b.dng", "c.jxl"):
        (tmp_path / name).write_bytes(b"II*\0")
    folder = Folder(tmp_path)
    assert folder.ids == ("x.jpg",)
    assert {name: why.partition(";")[0] for name, why in folder.left_out.items()} == {
        "a.CR2": "a camera's raw file is not read", "b.dng": "a camera's raw file is not read",
        "c.jxl": "this format is not read",
    }  # fmt: skip
    assert why_unread("notes.txt") == ""


def test_a_folder_of_nothing_that_can_be_read_says_so(tmp_path):
    (tmp_path / "a.cr2").touch()
    with pytest.raises(InputError, match=r"none of the 1 photos can be read; the first: a\.cr2: a camera's raw file"):
        Folder(tmp_path)


def test_a_sub_folder_that_cannot_be_read_is_named(tmp_path):
    """Too deep for its path to be opened at once; rights would not keep root out."""
    photo(tmp_path / "x.jpg")
    here, deep = os.getcwd(), tmp_path
    os.chdir(tmp_path)
    try:
        for _ in range(20):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
        with open("y.jpg", "wb"):
            pass
    finally:
        os.chdir(here)
    folder = Folder(deep)
    assert folder.ids == ("x.jpg",)
    ((name, why),) = folder.left_out.items()
    assert name.startswith("d" * 250)
    assert "this folder cannot be read (File name too long)" in why
