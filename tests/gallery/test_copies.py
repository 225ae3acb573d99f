"""Copies of a photo appear once in a list, and the photo itself not at all, by whatever name."""

import io
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from wardrobefolder import drawn_folder, small_model

from fashionlib.data import load
from fashionlib.data.photos import read_photo
from fashionlib.gallery.copies import NEAR, Copies, cells
from fashionlib.gallery.gallery import open_gallery


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """Six drawn photos, one of them three times more, one of these saved again; links to two others."""
    home = tmp_path_factory.mktemp("copies")
    folder = drawn_folder(home / "photos", 6)
    shutil.copy(folder / "001.png", folder / "copy-a.png")
    os.link(folder / "001.png", folder / "copy-b.png")
    Image.open(folder / "001.png").save(folder / "copy-c.jpg", quality=98, subsampling=0)
    (home / "elsewhere").mkdir()
    (folder / "002.png").rename(home / "elsewhere" / "stored.png")
    (folder / "002.png").symlink_to(home / "elsewhere" / "stored.png")
    return open_gallery(folder, small_model(home / "model"))


def test_copies_appear_once_and_the_list_says_how_many_there_are(gallery):
    rows, together = gallery.answer(gallery.root / "000.png", per_part=30, k=30, diversity=0.0, parts=6)
    alike = {"001.png", "copy-a.png", "copy-b.png", "copy-c.jpg"}
    lists = [row.looks for row in rows] + [together]
    assert [one.alike for looks in lists for one in looks if one.name in alike].count(3) >= 2
    for looks in lists:
        assert [one.alike for one in looks if one.name in alike] in ([], [3])
        assert all(one.alike == 0 for one in looks if one.name not in alike)
    assert all(look.reason.endswith("; and 3 like it") for row in rows for look in row.looks if look.name in alike)


def test_a_photo_is_not_recommended_to_itself_by_any_of_its_names(gallery):
    folder = gallery.root
    for asked, itself in (
        (folder / "002.png", {"002.png"}),
        (folder.parent / "elsewhere" / "stored.png", {"002.png"}),
        (folder / ".." / "photos" / "001.png", {"001.png", "copy-b.png"}),  # a hard link is the same file
    ):
        rows = gallery.recommend(asked, per_part=30, diversity=0.0)
        assert not itself & {look.name for row in rows for look in row.looks}


@pytest.fixture(scope="module")
def large():
    """Two drawn photos whose sides no cell of the grid divides."""
    drawn = load("wardrobe", split="test", size=(550, 367))
    return [Image.fromarray(drawn[number].image) for number in range(2)]


@pytest.mark.parametrize("share", [3 / 4, 1 / 2])
@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.jpg", {"quality": 75}), ("a.webp", {"quality": 80})])
def test_a_photo_scaled_down_and_saved_again_is_a_copy_of_its_original_alone(large, tmp_path, share, name, options):
    """Seen to differ by 25 to 48 of 255: means over cells were taken of photos that had been reduced before."""
    grids = []
    for image in large:
        image.save(tmp_path / "whole.png")
        small = image.resize([round(side * share) for side in image.size], Image.Resampling.LANCZOS)
        small.save(tmp_path / name, **options)
        grids += [cells(read_photo(tmp_path / one, (576, 384))) for one in ("whole.png", name)]
    copies = Copies(np.stack(grids))
    assert [copies.of(photo) for photo in range(4)] == [[1], [0], [3], [2]]


def test_copies_are_found_as_by_comparing_all_pairs():
    rng = np.random.default_rng(0)
    grids = rng.integers(20, 230, (30, 16, 16, 3))[rng.integers(0, 30, 200)] + rng.integers(-5, 6, (200, 16, 16, 3))
    grids[::7, 3, 5, 0] += 11
    grids = grids.astype(np.uint8)
    copies, found = Copies(grids), 0
    for photo in range(len(grids)):
        apart = np.abs(grids.astype(int) - grids[photo]).max((1, 2, 3))
        expected = [other for other in np.flatnonzero(apart <= NEAR) if other != photo]
        assert copies.of(photo) == expected
        found += len(expected)
    assert 200 < found < 1300  # not all of one ground are copies
    assert Copies(grids[:1]).of(0) == []


def test_a_photo_saved_again_is_a_copy_and_another_colour_is_not():
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(60, 200, (12, 8, 3)), np.ones((40, 40, 1))).astype(np.uint8)

    def of(pixels, quality=None):
        if quality:
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=quality)
            pixels = np.asarray(Image.open(file))
        return cells(pixels).astype(int)

    for quality in (90, 60, 40):
        assert np.abs(of(image) - of(image, quality)).max() <= NEAR
    tinted = image.copy()
    tinted[80:160, 80:160, 0] += 30
    assert np.abs(of(image) - of(tinted)).max() > NEAR
