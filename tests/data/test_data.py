"""Strangers' photos, CCP's layout and the cache: right where the files are, one clear error where they are not."""

import os
import shutil

import numpy as np
import pytest
from handmade import plain_photo as photo
from PIL import Image
from scipy.io import savemat

from fashionlib.core.errors import InputError
from fashionlib.data import load, split_hash
from fashionlib.data.photos import letterbox, placement_of, read_photo
from fashionlib.data.store import load_photos

SIZE = (48, 32)


def test_ccp_splits_are_70_10_20_disjoint_and_drawn_by_their_seed(ccp):
    parts = {split: load("ccp", ccp, split, split_seed=3).ids for split in ("train", "val", "test")}
    assert [len(ids) for ids in parts.values()] == [14, 2, 4]
    assert len(set().union(*parts.values())) == 20
    assert load("ccp", ccp, "test", split_seed=3).ids == parts["test"]
    assert load("ccp", ccp, "test", split_seed=4).ids != parts["test"]


def test_ccp_is_the_same_in_a_copy_and_another_with_any_other_photo_or_tag(ccp, tmp_path_factory):
    copy = tmp_path_factory.mktemp("elsewhere") / "ccp"
    shutil.copytree(ccp, copy, copy_function=shutil.copyfile)  # the files' times are new
    for path in copy.rglob("*.jpg"):
        os.utime(path, (1, 1))
    before = load("ccp", ccp, "all").fingerprint()
    assert load("ccp", copy, "all").fingerprint() == before
    savemat(copy / "annotations" / "image-level" / "0012.mat", {"tags": np.array([[0], [3]])})
    other_tag = load("ccp", copy, "all").fingerprint()
    photo(copy / "photos" / "0012.jpg", colour=(1, 1, 1))
    assert len({before, other_tag, load("ccp", copy, "all").fingerprint()}) == 3


def test_ccp_tags_come_from_masks_or_tag_files_without_null_and_skin(ccp):
    dataset = load("ccp", ccp, "train", split_seed=0)
    assert dataset.labels == ("bag", "dress")
    for id_, tags in zip(dataset.ids, dataset.targets(), strict=True):
        assert tags.tolist() == ([0, 1] if int(id_) < 10 else [1, 0])


def test_ccp_boxes_enclose_their_masks(ccp):
    dataset = load("ccp", ccp, "train", split_seed=0)
    sample = next(sample for sample in (dataset[i] for i in range(14)) if sample.masks)
    assert sample.boxes == {"dress": (10.0, 30.0, 30.0, 50.0)}
    assert sample.masks["dress"].sum() == 400


def test_ccp_on_the_real_photos_has_56_labels_and_its_published_size(ccp_root):
    splits = [load("ccp", ccp_root, split) for split in ("train", "val", "test")]
    assert sum(map(len, splits)) == 2098
    assert len(splits[0].labels) == 56
    tags = np.concatenate([split.targets() for split in splits])
    assert tags.sum(1).mean() == pytest.approx(5.6, abs=0.1)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: shutil.rmtree(root), r"no such folder.*git clone"),
        (lambda root: shutil.rmtree(root / "photos"), r"photos: no photos.*git clone"),
        (lambda root: (root / "label_list.mat").write_text("no"), r"label_list\.mat: no MATLAB file"),
        (lambda root: (root / "annotations/pixel-level/0003.mat").unlink(), r"0003\.jpg: without an annotation"),
    ],
    ids=["missing", "empty", "labels", "annotation"],
)
def test_a_damaged_ccp_folder_is_named(ccp, harm, message):
    harm(ccp)
    with pytest.raises(InputError, match=message):
        load("ccp", ccp, "train")


def test_a_mask_of_the_wrong_size_names_its_file_and_both_sizes(ccp):
    for number in range(10):
        path = ccp / "annotations" / "pixel-level" / f"{number:04d}.mat"
        savemat(path, {"groundtruth": np.ones((30, 40), np.uint8)})
    dataset = load("ccp", ccp, "train")
    masked = next(i for i, id_ in enumerate(dataset.ids) if int(id_) < 10)
    with pytest.raises(InputError, match=r"pixel-level/000\d\.mat: mask of \(30, 40\), its photo has \(60, 40\)"):
        dataset[masked]


@pytest.mark.parametrize("kind", ["truncated", "text"])
def test_a_damaged_photo_of_a_labelled_set_is_one_error_and_leaves_no_cache(ccp, tmp_path, kind):
    broken = ccp / "photos" / "0001.jpg"
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2] if kind == "truncated" else b"hello")
    split = next(s for s in ("train", "val", "test") if "0001" in load("ccp", ccp, s).ids)
    with pytest.raises(InputError, match=r"0001\.jpg"):
        load_photos(load("ccp", ccp, split), SIZE, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("photos-*"))


def test_a_folder_skips_and_reports_what_cannot_be_read(tmp_path):
    for number in range(5):
        photo(tmp_path / "mine" / f"{number}.jpg")
    (tmp_path / "mine" / "text.jpg").write_text("no photo")
    half = photo(tmp_path / "mine" / "half.png", size=(300, 300)).read_bytes()
    (tmp_path / "mine" / "half.png").write_bytes(half[: len(half) // 2])
    (tmp_path / "mine" / "zero.webp").touch()
    (tmp_path / "mine" / "notes.txt").write_text("not meant as a photo")
    for _ in range(2):  # drawn, then from the cache
        photos = load_photos(load("folder", tmp_path / "mine", "all"), SIZE, cache=tmp_path / "cache")
        assert photos.ids == tuple(f"{number}.jpg" for number in range(5))
        assert photos.images.shape == (5, *SIZE, 3)
        assert set(photos.skipped) == {"text.jpg", "half.png", "zero.webp"}
        assert photos.targets is None


def test_a_fault_that_passes_is_not_kept_in_the_cache(tmp_path):
    for number in range(3):
        photo(tmp_path / "mine" / f"{number}.jpg")
    dataset = load("folder", tmp_path / "mine", "all")
    gone = (tmp_path / "mine" / "1.jpg").read_bytes()
    (tmp_path / "mine" / "1.jpg").unlink()
    (tmp_path / "mine" / "1.jpg").symlink_to("1.jpg")  # a disk that answers with an error
    first = load_photos(dataset, SIZE, cache=tmp_path / "cache")
    assert first.ids == ("0.jpg", "2.jpg")
    assert "symbolic links" in first.skipped["1.jpg"]
    assert not list((tmp_path / "cache").glob("photos-*"))
    (tmp_path / "mine" / "1.jpg").unlink()
    (tmp_path / "mine" / "1.jpg").write_bytes(gone)
    assert len(load_photos(dataset, SIZE, cache=tmp_path / "cache")) == 3


def test_what_is_not_read_at_all_is_listed_as_skipped(tmp_path):
    photo(tmp_path / "mine" / "a.jpg")
    (tmp_path / "mine" / "b.cr2").touch()
    photos = load_photos(load("folder", tmp_path / "mine", "all"), SIZE, cache=tmp_path / "cache")
    assert (photos.ids, list(photos.skipped)) == (("a.jpg",), ["b.cr2"])


def test_a_folder_without_a_readable_photo_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_text("no")
    with pytest.raises(InputError, match="none of the 1 photos"):
        load_photos(load("folder", tmp_path, "all"), SIZE, cache=tmp_path / "cache")


@pytest.mark.parametrize(("make", "message"), [(False, "no such folder"), (True, "no photos in this folder")])
def test_a_missing_and_an_empty_folder_are_told_apart(tmp_path, make, message):
    folder = tmp_path / "photos"
    if make:
        folder.mkdir()
    with pytest.raises(InputError, match=message):
        load("folder", folder, "all")


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to see it upright
    photo(tmp_path / "turned.jpg", size=(60, 40), exif=exif)
    assert read_photo(tmp_path / "turned.jpg").shape == (60, 40, 3)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    if mode == "I;16":
        Image.fromarray(np.linspace(0, 65535, 600).reshape(30, 20).astype(np.uint16)).save(path)
    else:
        Image.new("RGB", (20, 30), (250, 250, 250)).convert(mode).save(path)
    image = read_photo(path)
    assert image.shape == (30, 20, 3)
    assert image.max() >= 249


def test_transparency_lies_on_white(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_photo(tmp_path / "clear.png") == 255).all()


def test_a_picture_that_unpacks_beyond_reason_is_refused(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(InputError, match=r"bomb\.png: .*pixels; resize it"):
        read_photo(tmp_path / "bomb.png")


@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (10, 300), (48, 32)])
def test_a_letterboxed_photo_is_whole_and_boxes_find_their_way_back(shape):
    image = np.full((*shape, 3), 255, np.uint8)
    canvas, place = letterbox(image, SIZE)
    assert canvas.shape == (*SIZE, 3)
    assert place == placement_of(image.shape, SIZE)
    box = (1.0, 2.0, 5.0, 9.0)
    assert place.to_photo(place.to_canvas(box)) == pytest.approx(box)
    rows, columns = np.nonzero((canvas == 255).all(2))
    x1, y1, x2, y2 = place.to_canvas((0.0, 0.0, float(shape[1]), float(shape[0])))
    assert (rows.min(), columns.min()) == (pytest.approx(y1, abs=1), pytest.approx(x1, abs=1))
    assert (rows.max() + 1, columns.max() + 1) == (pytest.approx(y2, abs=1), pytest.approx(x2, abs=1))


def test_a_changed_photo_is_decoded_again(tmp_path):
    path = photo(tmp_path / "mine" / "a.png")
    before = load_photos(load("folder", tmp_path / "mine", "all"), SIZE, cache=tmp_path / "cache")
    photo(path, size=(41, 60), colour=(0, 0, 255))
    after = load_photos(load("folder", tmp_path / "mine", "all"), SIZE, cache=tmp_path / "cache")
    assert before.fingerprint != after.fingerprint
    assert (after.images[..., 2] == 255).any()


def test_unknown_names_and_options_are_refused_with_the_choices():
    with pytest.raises(InputError, match="choose one of wardrobe, ccp, folder"):
        load("imagenet")
    with pytest.raises(InputError, match="needs its folder"):
        load("ccp")
    with pytest.raises(InputError, match="colour"):
        load("wardrobe", split="test", colour="red")


def test_a_split_hash_does_not_depend_on_the_order():
    assert split_hash(["a", "b"]) == split_hash(["b", "a"]) != split_hash(["a", "c"])
