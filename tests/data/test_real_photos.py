"""The closet and catalogue photos, and street and closet photos in one vocabulary."""

import numpy as np
import pytest
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.data import load
from fashionlib.data.catalogue import half_of
from fashionlib.data.closet import (
    CLASSES,
    CROPS,
    UNKNOWN,
    closet_targets,
    labels_in,
    read_rows,
    split_of_senders,
    street_targets,
    vocabulary,
    window_of,
)
from fashionlib.data.doctor.diagnosis import examine


def write_photo(path, colour=(200, 30, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 60), colour).save(path)


@pytest.fixture
def closet(tmp_path):
    """Forty photos by ten senders; the first sender sent one that shows no class, too."""
    root = tmp_path / "closet"
    lines = ["image,sender_id,label,kids", "blurred,0,Not sure,False"]
    for number in range(40):
        write_photo(root / "images" / f"p{number:02}.jpg")
        lines.append(f"p{number:02},{number % 10},{CLASSES[number % 17].title()},False")
    (root / "images.csv").write_text("\n".join(lines))
    return root


def write_catalogue(folder):
    for name in ("mh01-black_main", "mh01-black_back", "mh01-red_main", "wsh02-blue_main", "wsh02-blue_alt1"):
        write_photo(folder / name[0] / name[1] / f"{name}.jpg")
    write_photo(folder / "u" / "g" / "ug01-bk-0.jpg")  # a yoga mat
    return folder


def test_no_sender_is_in_two_splits_of_the_closet_and_rows_without_a_class_are_left_out(closet):
    parts = {split: load("closet", closet, split, split_seed=1) for split in ("train", "val", "test")}
    senders = {split: {row.sender for row in part.rows} for split, part in parts.items()}
    assert sum(map(len, parts.values())) == len(load("closet", closet, "all")) == 40
    assert len(set.union(*senders.values())) == sum(map(len, senders.values())) == 10
    assert all(len(part) for part in parts.values())
    sample = parts["train"][0]
    assert sample.labels.sum() == 1
    np.testing.assert_array_equal(parts["train"].targets()[0], sample.labels)


def test_another_seed_gives_another_split_of_senders(closet):
    rows = read_rows(closet)
    assert split_of_senders(rows, 1) == split_of_senders(rows, 1) != split_of_senders(rows, 2)


def test_a_class_that_the_closet_does_not_have_is_refused_with_its_photo(closet):
    path = closet / "images.csv"
    path.write_text(path.read_text() + "\nodd,3,Umbrella,False")
    with pytest.raises(InputError, match="unknown label 'umbrella' of odd"):
        load("closet", closet, "all")


@pytest.mark.parametrize("layout", ["images", "pub/media/catalog/product"])
def test_the_catalogue_is_read_from_the_repository_and_from_a_reduced_copy(tmp_path, layout):
    write_catalogue(tmp_path / layout)
    queries, gallery = (load("catalogue", tmp_path, f"inshop_{side}") for side in ("query", "gallery"))
    assert queries.ids == ("mh01-black_back", "wsh02-blue_alt1")
    assert gallery.products() == ("mh01", "mh01", "wsh02")
    assert queries[0].product == "mh01"
    halves = [load("catalogue", tmp_path, "all", half=half).ids for half in ("val", "test")]
    assert {*halves[0], *halves[1]} == {*load("catalogue", tmp_path, "all").ids}
    assert all(half_of(id_.split("-")[0]) == "val" for id_ in halves[0])


def test_the_shops_links_are_read_by_style(tmp_path):
    write_catalogue(tmp_path / "images")
    (tmp_path / "related.csv").write_text("sku,linked_sku\nMH01,WSH02\nMH01,MP01\n")
    catalogue = load("catalogue", tmp_path, "all")
    assert catalogue.links("related") == {"mh01": ("wsh02", "mp01")}
    with pytest.raises(InputError, match=r"no list upsell\.csv"):
        catalogue.links("upsell")


def test_doctor_reports_a_missing_photo_of_the_closet_and_missing_links_of_the_catalogue(closet, tmp_path):
    assert examine("closet", closet).faults == []
    (closet / "images" / "p03.jpg").unlink()
    assert [fault.check for fault in examine("closet", closet).faults] == ["photos"]
    write_catalogue(tmp_path / "shop" / "images")
    assert {fault.check for fault in examine("catalogue", tmp_path / "shop").faults} == {"lists"}


def test_a_closet_photo_leaves_accessories_and_other_names_of_its_garment_unknown():
    labels = vocabulary(("bag", "dress", "jeans", "pants", "shoes"))
    row = dict(zip(labels, closet_targets(["pants"], labels)[0].tolist(), strict=True))
    assert (row["pants"], row["jeans"], row["bag"], row["dress"], row["shoes"]) == (1, UNKNOWN, UNKNOWN, 0, 0)
    street = dict(zip(labels, street_targets(np.array([[1, 0, 1, 0, 1]], np.float32), labels)[0].tolist(), strict=True))
    assert (street["jeans"], street["pants"], street["longsleeve"], street["polo"]) == (1, 0, UNKNOWN, 0)


def test_a_crop_has_the_garments_that_its_window_shows():
    above, below, torn = (np.zeros((100, 50), bool) for _ in range(3))
    above[10:30], below[80:95], torn[40:80] = True, True, True
    labels = labels_in({"top": above, "shoes": below, "dress": torn}, ["top", "shoes", "dress", "hat"], (0, 50, 0, 50))
    assert labels.tolist() == [1, 0, UNKNOWN, 0]
    rows, end, columns, right = window_of("0001_0", 0, (100, 50))
    assert 0 <= rows < end <= 100
    assert 0 <= columns < right <= 50


def test_street_and_closet_photos_are_one_data_set_with_crops_of_masked_photos(ccp, closet, tmp_path):
    root = tmp_path / "both"
    root.mkdir()
    (root / "ccp").symlink_to(ccp)
    (root / "closet").symlink_to(closet)
    photos = load("street_closet", root, "all", split_seed=3)
    masked = sum(photos.street.has_masks(id_) for id_ in photos.street.ids)
    assert len(photos) == len(photos.street) + CROPS * masked + 40
    targets = photos.targets()
    for index in range(len(photos)):
        np.testing.assert_array_equal(photos[index].labels, targets[index])
    assert {*np.unique(targets)} <= {-1.0, 0.0, 1.0}
    test = load("street_closet", root, "test", split_seed=3)
    assert not any("_" in id_ for id_ in test.ids)
