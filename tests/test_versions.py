"""What lies on a user's disk is keyed by version constants: each has to be raised when what it stands for changes.

`versions.json` holds each constant and what the code gave when it was set. Where a test says that outputs changed,
raise the constant and run `GOLDEN=write pytest tests/test_versions.py`, which writes the outputs of raised ones alone.
"""

import json
import os
import shutil
from pathlib import Path

import handmade
import lessons
import numpy as np
import pytest
import torch
from PIL import Image
from wardrobefolder import SIZE, small_model

import fashionlib.data.published.listed as listed
from fashionlib.core import code_hash
from fashionlib.data import Wardrobe, ccp, load
from fashionlib.data.annotations import ANNOTATIONS_VERSION, landmarks_in_views, marks_of, point_names
from fashionlib.data.augment import MIRRORED, PLAIN, View
from fashionlib.data.photos import PHOTOS_VERSION, letterbox, read_photo
from fashionlib.data.store import Photos, load_photos
from fashionlib.data.wardrobe import dataset as wardrobe
from fashionlib.experiments import methods
from fashionlib.experiments.profile import load_profile
from fashionlib.gallery.extract import decode, open_model, see
from fashionlib.gallery.index import INDEX_VERSION, model_hash
from fashionlib.models.backbones import build_trunk
from fashionlib.training.feature_maps import MAPS_VERSION, trunk_maps
from fashionlib.training.loop import TRAINING_VERSION

VIEWS = (PLAIN, MIRRORED, View(shift=0.2, seed=1, augment=True))
GOLDEN = Path(__file__).with_name("versions.json")


def check(name, version, values, *, rtol=1e-3, atol=1e-3):
    """Compare `values` (numbers, or nested lists of them) with those of the same version in `versions.json`."""
    known = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    values = np.round(np.asarray(values, dtype=np.float64), 5).tolist()
    old = known.get(name, {})
    if os.environ.get("GOLDEN") == "write" and old.get("version") != version:
        known[name] = {"version": version, "values": values}
        rows = (f"{json.dumps(key)}: {json.dumps(known[key])}" for key in sorted(known))
        GOLDEN.write_text("{\n" + ",\n".join(rows) + "\n}\n")
        return
    assert old.get("version") == version, f"{name}: raised; run GOLDEN=write pytest tests/test_versions.py"
    message = f"{name} gives something else than in version {version}: raise the constant, or mend the code"
    np.testing.assert_allclose(values, old["values"], rtol=rtol, atol=atol, err_msg=message)


def said(values):
    """A few numbers that change with any part of an array: its size, mean, spread, and four weighted sums."""
    array = np.asarray(values, dtype=np.float64).ravel()
    weights = np.random.default_rng(len(array)).normal(size=(4, len(array))) / max(len(array), 1) ** 0.5
    return [float(array.size), float(array.mean()), float(array.std()), *(weights @ array)]


def drawn(count=3, split="test"):
    """Photos of the wardrobe."""
    data = Wardrobe(split, counts={split: count}, size=SIZE)
    images = np.stack([data[number].image for number in range(count)])
    return Photos(images, data.targets(), data.labels, data.ids, ("",) * count, {}, "drawn")


def samples(dataset):
    """What a data set says of each photo, every array of it as `said`."""
    rows = []
    for sample in (dataset[number] for number in range(len(dataset))):
        boxes = [side for _, box in sorted(sample.boxes.items()) for side in box]
        points = [number for _, point in sorted(sample.landmarks.items()) for number in point]
        masks = [float(mask.sum()) for _, mask in sorted(sample.masks.items())]
        words = repr((sample.id, sample.product, sorted(sample.products.items()), sample.domain))
        labels = [] if sample.labels is None else sample.labels
        rows += [*said(sample.image), *said(boxes or [0]), *said(points or [0]), *said(masks or [0])]
        rows += [*said(list(words.encode())), *said(labels if len(labels) else [0])]
    return rows


def test_photos(tmp_path):
    y, x = np.mgrid[0:300, 0:200]
    photo = np.stack([x, y * 0.8, 255 - x], -1).astype(np.uint8)
    photo[60:90, 40:50] = (250, 20, 20)
    Image.fromarray(photo).save(tmp_path / "plain.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    Image.fromarray(np.dstack([photo, (x * 1.2).astype(np.uint8)])).save(tmp_path / "layered.png")
    Image.fromarray((y * 200).astype(np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(photo).quantize(32).save(tmp_path / "palette.gif")
    found = []
    for path in sorted(tmp_path.iterdir()):
        for size in ((96, 64), (40, 100)):
            canvas, place = letterbox(read_photo(path, size), size)
            found.append([*said(canvas / 255), place.scale, place.left, place.top])
        found.append([*said(read_photo(path) / 255), 0, 0, 0])
    check("PHOTOS_VERSION", PHOTOS_VERSION, found, atol=4e-3)


def test_drawn_photos():
    rows = [
        samples(Wardrobe(split, counts={split: 5}, size=SIZE)) for split in ("train", "inshop_query", "c2s_gallery")
    ]
    check("wardrobe VERSION", wardrobe.VERSION, rows)


@pytest.mark.filterwarnings("ignore:deepfashion:UserWarning")  # photos without a row of landmarks
def test_published_samples(tmp_path):
    inshop, c2s = handmade.make_inshop(tmp_path / "inshop"), handmade.make_c2s(tmp_path / "c2s")
    sets = [
        *(load("deepfashion_inshop", inshop, split) for split in ("train", "query", "gallery")),
        load("deepfashion_inshop", inshop, "train", crop=True),
        *(load("deepfashion_c2s", c2s, split) for split in ("train", "query", "gallery")),
        load("deepfashion_attributes", handmade.make_attributes(tmp_path / "attributes"), "train"),
        load("fashion144k", handmade.make_fashion144k(tmp_path / "144k"), "train"),
        load("fashion550k", handmade.make_fashion550k(tmp_path / "550k"), "verified"),
    ]
    check("published VERSION", listed.VERSION, np.concatenate([samples(one) for one in sets]))


def test_ccp_samples(tmp_path):
    root = handmade.write_ccp(tmp_path)
    for name, version, split in (("ccp", ccp.VERSION, "test"), ("ccp_shop", ccp.SHOP_VERSION, "c2s_query")):
        check(
            f"{name} VERSION", version, samples(load("ccp", root, split)), atol=0.5
        )  # JPEG decoders round differently


@pytest.mark.filterwarnings("ignore:deepfashion:UserWarning")  # photos without a row of landmarks
def test_annotations(tmp_path):
    inshop = handmade.make_inshop(tmp_path / "inshop")
    sets = [Wardrobe("train", counts={"train": 5}, size=SIZE), load("deepfashion_inshop", inshop, "train")]
    values = []
    for one in sets:
        known = marks_of(one, SIZE, tmp_path)
        known["moved"] = landmarks_in_views(known["landmarks"], point_names(one), one.ids, VIEWS)
        values += [said(known[key]) for key in sorted(known) if known[key].size]
    check("ANNOTATIONS_VERSION", ANNOTATIONS_VERSION, values)


def test_maps():
    torch.manual_seed(0)
    trunks = [build_trunk("lite0", depths=[8, 16], stride=16), build_trunk("paper", third_pool=True, mean="added")]
    maps = [trunk_maps(trunk, drawn(), view, precision="fp32") for trunk in trunks for view in VIEWS]
    check("MAPS_VERSION", MAPS_VERSION, [said(one) for one in maps], rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("kind", [*lessons.HEADS, "photos"])
def test_training(kind, tmp_path):
    mixup = 0.2 if kind in ("maps", "whole", "csra", "photos") else 0.0
    seen = lessons.learn(tmp_path, kind, epochs=1, mixup=mixup, shift=0.1)
    history = np.loadtxt(tmp_path / "history.csv", delimiter=",", skiprows=1)[:-1]  # without the seconds
    values = [*history, *(number for key in sorted(seen) for number in said(seen[key]))]
    check(f"TRAINING_VERSION {kind}", TRAINING_VERSION, values, rtol=5e-3, atol=5e-3)


def test_index():
    model, photos = open_model("ccp-small"), drawn()
    found = see(model, [decode(image, model.image_size) for image in photos.images])
    check("INDEX_VERSION", INDEX_VERSION, [said(found[key]) for key in sorted(found)], rtol=2e-2, atol=1e-2)


def test_a_comment_in_any_file_of_the_package_makes_nothing_again(tmp_path, monkeypatch):
    """Seen to fail for each of the five while keys hung on the text of the code."""
    package = tmp_path / "fashionlib"
    shutil.copytree(code_hash.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    monkeypatch.setattr(code_hash, "PACKAGE", package)
    folder, cache, trunk = small_model(tmp_path / "model"), tmp_path / "cache", build_trunk("lite0", depths=[16])
    profile, data = load_profile("smoke"), Wardrobe("test", counts={"test": 2}, size=(32, 32))

    def keys():
        photos = load_photos(data, (32, 32), cache=cache, workers=0)
        trunk_maps(trunk, photos, cache=cache)
        marks_of(data, (32, 32), cache)
        trained = [methods._fingerprint(profile, method, 0, photos) for method in profile.methods]
        return sorted(path.name for path in cache.iterdir()), trained, model_hash(folder)

    before = keys()
    assert len(before[0]) == 3
    for path in package.rglob("*.py"):
        with path.open("a") as file:
            file.write("# a comment\n")
    assert keys() == before
