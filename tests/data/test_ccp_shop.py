"""Garments cut out of CCP's photos as a shop, and the photos they are of, taken again, as a shopper's."""

from dataclasses import replace

import numpy as np
import pytest

from fashionlib.core.errors import InputError
from fashionlib.data import load, split_hash
from fashionlib.data.ccp import CROPPED, MIN_AREA, cut_out, taken_again
from fashionlib.experiments.profile import DataOptions, load_profile
from fashionlib.experiments.topk import topk


@pytest.fixture
def sides(ccp):
    return [load("ccp", ccp, f"c2s_{side}", split_seed=3) for side in ("query", "gallery")]


def test_every_garment_of_a_masked_test_photo_is_asked_for_once_and_in_the_gallery_once(ccp, sides):
    query, gallery = sides
    masked = [id_ for id_ in load("ccp", ccp, "test", split_seed=3).ids if int(id_) < 10]
    assert query.ids == gallery.ids == tuple(f"{id_}-dress" for id_ in masked)  # skin is no garment
    products = [[side[index].product for index in range(len(side))] for side in sides]
    assert products[0] == products[1] == list(query.ids)
    for side in sides:  # the tags are what is to be seen, known without opening a photo
        np.testing.assert_array_equal(side.targets(), [side[index].labels for index in range(len(side))])
    assert query.fingerprint() != gallery.fingerprint()


def test_a_cut_out_is_the_masked_pixels_in_the_middle_of_a_white_picture_of_the_photos_proportions():
    image = np.random.default_rng(0).integers(0, 200, (60, 40, 3), dtype=np.uint8)
    mask = np.zeros((60, 40), bool)
    mask[30:50, 10:30] = True
    mask[35, 15] = False  # a hole
    shop = cut_out(image, mask)
    assert shop.shape == (36, 24, 3)  # 20 of 40 columns are more than 20 of 60 rows; and a fifth for the margins
    garment = shop[8:28, 2:22]
    np.testing.assert_array_equal(garment[mask[30:50, 10:30]], image[mask])
    assert (garment[5, 5] == 255).all()
    assert (shop == 255).all(2).sum() == 36 * 24 - 399


def test_a_photo_taken_again_keeps_the_whole_garment_and_most_of_the_rest():
    """A red garment at the edges' side, on black: its area, measured by the brightness left, stays what it was."""
    image = np.zeros((300, 200, 3), np.uint8)
    image[10:60, 5:45, 0] = 160
    shapes, sides = set(), set()
    for number in range(20):
        again = taken_again(image, (5.0, 10.0, 45.0, 60.0), f"photo {number}")
        floor = float(np.median(again[..., 0]))
        garment = again[..., 0].astype(float) - floor
        assert (garment > garment.max() / 2).sum() == pytest.approx(50 * 40, rel=0.03)
        for side, before in zip(again.shape[:2], image.shape[:2], strict=True):
            assert before * (1 - CROPPED) - 1 <= side <= before
        shapes.add(again.shape)
        sides.add(bool(garment[:, : again.shape[1] // 2].sum() > garment[:, again.shape[1] // 2 :].sum()))
    assert len(shapes) > 10
    assert sides == {True, False}  # some are mirrored
    np.testing.assert_array_equal(*(taken_again(image, (5.0, 10.0, 45.0, 60.0), "one") for _ in range(2)))


def test_photos_without_masks_have_no_garments_to_ask_for(ccp):
    for path in (ccp / "annotations" / "pixel-level").glob("*.mat"):
        (ccp / "photos" / f"{path.stem}.jpg").unlink()
        path.unlink()
    with pytest.raises(InputError, match="no masks of test photos, so no garments to cut out"):
        load("ccp", ccp, "c2s_query")


def test_real_garments_are_more_than_slivers(ccp_root):
    gallery = load("ccp", ccp_root, "c2s_gallery", split_seed=5)
    photos = {id_.split("-")[0] for id_ in gallery.ids}
    assert 150 < len(photos) < 260  # about half of 420
    assert 3 < len(gallery) / len(photos) < 7
    sample = gallery[0]
    seen = (sample.image < 255).any(2).sum()
    height, width = gallery.photos[0].image.shape[:2]
    assert seen >= 0.9 * MIN_AREA * height * width


def test_each_seed_asks_its_own_test_photos(ccp, tmp_path, monkeypatch):
    """Together they give, seed by seed, what each gives alone; and the ledger names the stand-in."""
    (tmp_path / "home" / "profiles").mkdir(parents=True)
    smoke = load_profile("smoke")
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path / "home"))
    methods = {name: smoke.methods[name] for name in ("whole", "parser")}
    profile = replace(
        smoke, data=DataOptions("ccp", {}, seed_splits=True), root=str(ccp), retrieval={"c2s": {}}, methods=methods,
        training=replace(smoke.training, epochs=1, batch=8), resamples=20, seeds=(3, 4),
    )  # fmt: skip
    both = topk(profile, "c2s")
    alone = [topk(replace(profile, seeds=(seed,)), "c2s") for seed in profile.seeds]
    for number, entry in enumerate(both):
        assert entry.per_seed == [each[number].value for each in alone]
    ids = {id_ for seed in (3, 4) for id_ in load("ccp", ccp, "c2s_query", split_seed=seed).ids}
    assert both[0].split_hash == split_hash(ids)
    assert both[0].protocol.startswith("garments cut out by their masks as the shop")
    with pytest.raises(InputError, match="looks for no products in inshop"):
        topk(profile, "inshop")
