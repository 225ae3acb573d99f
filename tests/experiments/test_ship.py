"""The packaged model from start to end, on a handful of drawn photos."""

import numpy as np
import pytest
import timm
import torch
import yaml
from PIL import Image
from torch import nn

from benchmarks.real_photos import _share, look, untouched
from benchmarks.ship import SHRINK, classifier_layer, discriminant, fit_descriptor, shipped
from fashionlib.data import load
from fashionlib.data.closet import CLASSES
from fashionlib.experiments.profile import load_profile
from fashionlib.gallery.extract import decoded, open_model, trunk_maps_of
from fashionlib.gallery.gallery import open_gallery
from fashionlib.models.backbones import build_trunk, packaged_weights
from fashionlib.models.descriptor import Descriptor
from fashionlib.models.tagger import load_model, save_model

PROFILE = {
    "data": {"name": "street_closet", "seed_splits": True}, "image_size": [96, 64],
    "trunk": {"options": {"depths": [16, 32], "stride": 32}, "precision": "fp32"},
    "training": {"epochs": 1, "batch": 16, "shift": 0.2, "copies": 1}, "seeds": [3],
    "methods": {"parser": {"kind": "parser", "head": {"steps": 2, "hidden": 16, "reduce": 16, "texture": "none"}},
                "csra": {"kind": "csra", "training": {"epochs": 10}},
                "csra-all": {"kind": "csra", "training": {"epochs": 10, "hold_out": False}}},
}  # fmt: skip


@pytest.fixture
def model(ccp, tmp_path, monkeypatch):
    """A model made of 20 street photos and 40 closet photos of noise, by ten senders."""
    draw, root = np.random.default_rng(0), tmp_path / "data"
    (root / "closet" / "images").mkdir(parents=True)
    (root / "ccp").symlink_to(ccp)
    lines = ["image,sender_id,label,kids"]
    for number in range(40):
        Image.fromarray(draw.integers(0, 255, (60, 40, 3), dtype=np.uint8)).save(root / f"closet/images/p{number}.jpg")
        lines.append(f"p{number},{number % 10},{CLASSES[number % 3]},False")
    (root / "closet" / "images.csv").write_text("\n".join(lines))
    (tmp_path / "home" / "profiles").mkdir(parents=True)
    path = tmp_path / "home" / "profiles" / "small.yaml"
    path.write_text(yaml.safe_dump(PROFILE))
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path / "home"))
    return save_model(shipped(load_profile(str(path), data=root)), tmp_path / "model", half=True)


def test_the_packaged_model_is_calibrated_and_compares_whole_and_parts(model, tmp_path):
    tagger = load_model(model)
    slope, _ = tagger.calibration
    assert slope > 0
    assert tagger.options.whole_share > 0
    assert 0.05 <= tagger.threshold <= 0.95
    assert {"t-shirt", "blazer", "dress"} <= {*tagger.labels}
    tags = tagger.tag(np.full((50, 30, 3), 200, np.uint8))[0]
    assert tags
    assert all(tag.score >= tagger.threshold for tag in tags[1:])
    photos = tmp_path / "gallery"
    photos.mkdir()
    draw = np.random.default_rng(1)
    for number in range(8):
        colour = draw.integers(0, 255, (1, 1, 3))
        Image.fromarray(np.broadcast_to(colour, (60, 40, 3)).astype(np.uint8)).save(photos / f"{number}.png")
    gallery = open_gallery(photos, model)
    found = gallery.together(np.asarray(Image.open(photos / "3.png")), k=3)
    assert found[0].name == "3.png"


def test_an_index_of_the_packaged_model_takes_less_than_6_kb_a_photo(model, tmp_path):
    photos = tmp_path / "gallery"
    photos.mkdir()
    draw = np.random.default_rng(1)
    for number in range(130):
        Image.fromarray(draw.integers(0, 255, (12, 8, 3), dtype=np.uint8)).save(photos / f"{number}.png")
    open_gallery(photos, model)
    size = sum(path.stat().st_size for path in (photos / ".fashionlib").rglob("*") if path.is_file())
    assert size / 130 < 6000


def test_controls_are_pooled_from_the_same_maps(model, tmp_path):
    (tmp_path / "two").mkdir()
    for number in range(2):
        image = np.random.default_rng(number).integers(0, 255, (96, 64, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / "two" / f"{number}.png")
    tagger, photos = open_model(model), load("folder", tmp_path / "two", "all")
    seen = look(tagger, photos)
    lengths = {name: each.shape[1] for name, each in seen.controls.items()}
    assert lengths == {"backbone": 1280, "gem": 1280, "stripes": 4 * 1280}
    maps = trunk_maps_of(tagger, [decoded(photos[1].image, tagger.image_size)])
    torch.testing.assert_close(untouched(tagger, maps)["gem"][0], seen.controls["gem"][1], rtol=1e-3, atol=1e-3)


def test_the_discriminant_is_that_of_scikit_learn():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    draw = np.random.default_rng(0)
    classes = np.array([0] * 10 + [2] * 20 + [3] * 30)
    x = draw.normal(size=(60, 5)) + classes[:, None] * np.array([1.0, 0, -1, 0, 2])
    weight, bias = discriminant(torch.from_numpy(x).float(), torch.from_numpy(classes), 4)
    found = (torch.from_numpy(x).float() @ weight.T + bias)[:, [0, 2, 3]].softmax(1)
    known = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINK).fit(x / x.std(0), classes)
    assert (found.argmax(1).numpy() == known.predict_proba(x / x.std(0)).argmax(1)).mean() > 0.9
    assert weight[1].abs().sum() + bias[1].abs() == 0


def test_an_empty_place_of_a_list_shows_no_photo_of_the_class():
    assert _share(np.array(["a", "b", "a"]), [0, 2], "a") == 0.2
    assert _share(np.array(["a", "b", "a"]), [], "a") == 0


def test_the_classifiers_channels_are_those_of_the_untouched_backbone():
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    model.load_state_dict(packaged_weights())
    trunk, image = build_trunk(depths=(32,), stride=32).eval(), torch.rand(1, 3, 64, 64)
    weight, bias = classifier_layer()
    with torch.no_grad():
        pooled = nn.functional.conv2d(trunk(image), weight, bias).clamp(0, 6).mean((2, 3))
        expected = model.eval().forward_features((image - 0.5) / 0.5).mean((2, 3))
    torch.testing.assert_close(pooled, expected, rtol=1e-3, atol=1e-4)


def test_the_projection_brings_copies_of_a_photo_together():
    torch.manual_seed(0)
    descriptor = Descriptor((8, 16))
    width = sum(descriptor.blocks)
    plain, noise = torch.randn(400, width), torch.zeros(400, width)
    noise[:, :600] = 1.5 * torch.randn(400, 600)  # what changes from copy to copy
    fit_descriptor(descriptor, plain, [plain + noise], torch.rand(400, 245))

    def apart(rows):
        """How far copies lie from each other, as a share of how far other photos do."""
        one, two = (nn.functional.normalize(each, dim=-1) for each in rows)
        products = one @ two.T
        own = products.diag().mean()
        return (1 - own) / (1 - (products.sum() - products.diag().sum()) / (400 * 399))

    standard = [descriptor.standardised(each) for each in (plain, plain + noise)]
    projected = [(each - descriptor.centre) @ descriptor.projection for each in standard]
    assert apart(projected) < 0.8 * apart([each - descriptor.centre for each in standard])
