"""The embedded data set: the same from the same seed, true to what it draws, noisy where it says so."""

import hashlib
import json
import pickle
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.data.base import Dataset
from fashionlib.data.wardrobe.dataset import FREQUENCIES, Wardrobe
from fashionlib.data.wardrobe.drawing import Canvas, plain

SPLITS = ("train", "val", "test", "inshop_query", "inshop_gallery", "c2s_query", "c2s_gallery")
FEW = {
    "train": 12, "val": 6, "test": 6, "inshop_query": 16, "inshop_gallery": 20, "c2s_query": 16, "c2s_gallery": 24,
}  # fmt: skip
ALONE = """
import hashlib, json, time
from fashionlib.data.wardrobe.dataset import Wardrobe
photos = Wardrobe("train")
digest = hashlib.sha256(b"".join(photos[index].image.tobytes() for index in (7, 3, 1500))).hexdigest()
began = time.process_time()
for index in range(60):
    photos[index]
seconds = time.process_time() - began
tags = [Wardrobe("train", counts={"train": 1000}, tag_noise=noise).targets().tolist() for noise in (0.0, 0.2)]
print(json.dumps({"digest": digest, "rate": 60 / seconds, "true": tags[0], "noisy": tags[1]}))
"""


@pytest.fixture(scope="module")
def alone():
    """Measured in a process of its own, where types are not checked at every call and drawing is as quick as it is."""
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", ALONE], cwd=root, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def photos():
    dataset = Wardrobe("test")
    return [dataset[index] for index in range(25)]


def test_the_same_seed_gives_the_same_bytes_in_another_process_and_in_threads(alone):
    dataset = Wardrobe("train")
    with ThreadPoolExecutor(3) as pool:
        images = list(pool.map(lambda index: dataset[index].image, (7, 3, 1500)))
    assert hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest() == alone["digest"]


def test_a_photo_does_not_depend_on_how_many_others_there_are_or_on_pickling():
    few = Wardrobe("train", counts={"train": 5})
    assert np.array_equal(few[4].image, Wardrobe("train")[4].image)
    assert np.array_equal(pickle.loads(pickle.dumps(few))[4].image, few[4].image)


def test_another_seed_split_or_number_gives_another_photo():
    images = [Wardrobe("train")[0], Wardrobe("train", seed=1)[0], Wardrobe("val")[0], Wardrobe("train")[1]]
    assert len({sample.image.tobytes() for sample in images}) == 4
    assert len({sample.id for sample in images}) == 4


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_is_a_dataset_with_valid_samples(split):
    dataset = Wardrobe(split, counts=FEW, size=(96, 64))
    assert isinstance(dataset, Dataset)
    assert len(dataset) == len(set(dataset.ids))
    sample = dataset[-1]
    assert sample.id == dataset.ids[-1]
    assert sample.image.shape == (96, 64, 3)
    assert sample.image.dtype == np.uint8
    assert sample.domain == ("street" if split in ("train", "val", "test", "c2s_query") else "shop")
    assert (sample.product is None) == ("_" not in split)
    assert sample.labels is not None
    assert sample.labels.shape == (len(dataset.labels),)
    assert np.array_equal(sample.labels, Wardrobe(split, counts=FEW, size=(96, 64)).targets()[-1])


def test_boxes_enclose_their_masks_exactly_and_masks_do_not_overlap(photos):
    for sample in photos:
        assert sample.boxes.keys() == sample.masks.keys() == sample.products.keys()
        assert not sample.masks or np.sum(list(sample.masks.values()), axis=0).max() == 1
        for label, mask in sample.masks.items():
            ys, xs = np.nonzero(mask)
            assert sample.boxes[label] == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            assert mask.sum() >= 8


def test_masks_lie_where_the_garment_is_painted():
    """Painted twice, once with every product in another colour: the picture changes in the masks and nowhere else."""
    dataset = Wardrobe("test", counts={"test": 16})
    for index in range(16):
        scene = dataset.scene(index)
        sample, canvas = dataset[index], scene.draw(dataset.size)
        label = sorted(sample.masks)[index % len(sample.masks)]
        marked = scene.draw(dataset.size)
        for layer in marked.layers:
            layer.fabric = plain((250, 0, 250)) if layer.label == label else plain((0, 0, 0))
        colours = _colours_on_top(marked)
        assert np.array_equal((colours == (250, 0, 250)).all(axis=-1), sample.masks[label])
        assert canvas.map.tobytes() == marked.map.tobytes()


def _colours_on_top(canvas: Canvas) -> np.ndarray:
    table = np.array([layer.fabric.colours[0] for layer in canvas.layers])
    return table[np.asarray(canvas.map)[::2, ::2]]


def test_what_stands_in_front_hides_what_is_behind():
    canvas = Canvas((192, 128))
    canvas.polygon(canvas.layer(plain((200, 0, 0)), "coat"), ((-20, 50), (20, 50), (20, 150), (-20, 150)))
    canvas.polygon(canvas.layer(plain((0, 0, 0))), ((0, 0), (60, 0), (60, 192), (0, 192)))
    mask = canvas.masks(1)["coat"]
    ys, xs = np.nonzero(mask)
    assert 43 <= xs.min() <= 45
    assert 62 <= xs.max() <= 64
    assert 49 <= ys.min() <= 51
    assert 149 <= ys.max() <= 151
    assert abs(mask.sum() - 20 * 100) < 0.06 * 2000


def test_a_scene_scales_with_the_size():
    for index in range(5):
        small, large = (Wardrobe("test", size=size)[index] for size in ((192, 128), (384, 256)))
        reduced = np.asarray(Image.fromarray(large.image).reduce(2), dtype=float)
        assert np.abs(reduced - small.image).mean() < 9
        for label, mask in small.masks.items():
            if mask.sum() > 200:
                other = large.masks[label][::2, ::2]
                assert (mask & other).sum() > 0.85 * (mask | other).sum()


def test_test_tags_are_what_is_seen(photos):
    for sample in photos:
        tags = {name for name, tag in zip(Wardrobe.labels, sample.labels, strict=True) if tag}
        assert tags == set(sample.masks)


def test_train_tags_differ_from_what_is_seen_at_the_set_rate(alone):
    true, noisy = np.array(alone["true"], dtype=bool), np.array(alone["noisy"], dtype=bool)
    dropped, added = (true & ~noisy).sum(), (~true & noisy).sum()
    assert abs(dropped - 0.2 * true.sum()) < 4 * np.sqrt(true.sum() * 0.2 * 0.8)
    assert abs(added - 0.2 * true.sum() / 3) < 5 * np.sqrt(0.2 * true.sum() / 3)


def test_labels_are_long_tailed_and_each_occurs_in_train_at_the_frequency_that_noise_assumes(alone):
    frequencies = np.mean(alone["true"], axis=0)
    ordered = np.sort(frequencies)[::-1]
    assert ordered[-1] > 0.01
    assert 4.5 < ordered.sum() < 6.5
    assert ordered[0] > 5 * ordered[-5]
    assert ordered[: len(ordered) // 4].sum() > 0.4 * ordered.sum()
    assumed = np.array([FREQUENCIES[label] for label in Wardrobe.labels])
    assert np.abs(frequencies - assumed).max() < 0.06


@pytest.mark.parametrize("kind", ["inshop", "c2s"])
def test_every_query_shows_its_product_and_has_it_in_the_gallery(kind):
    query, gallery = (Wardrobe(f"{kind}_{side}", counts=FEW) for side in ("query", "gallery"))
    shown = [gallery[index] for index in range(len(gallery))]
    sold = Counter(sample.product for sample in shown)
    for sample in (query[index] for index in range(len(query))):
        assert sold[sample.product] >= 1
        assert sample.product in sample.products.values()
    assert all(sample.product in sample.products.values() for sample in shown)
    assert len(sold) == (12 if kind == "inshop" else 24)
    assert not set(query.ids) & set(gallery.ids)


def test_retrieval_has_products_of_its_own():
    tagged = {product for split in ("train", "val", "test") for product in _products(Wardrobe(split))}
    asked = {product for split in SPLITS[3:] for product in _products(Wardrobe(split, counts=FEW))}
    assert len(tagged) > 60
    assert len(asked) > 60
    assert not tagged & asked


def _products(dataset: Wardrobe) -> set[str]:
    return {name for index in range(12) for name in dataset.scene(index).products.values()}


def test_a_product_looks_the_same_wherever_it_is_worn():
    query, gallery = (Wardrobe(f"c2s_{side}", counts=FEW) for side in ("query", "gallery"))
    wanted = {sample.id: sample for sample in (gallery._wanted(index) for index in range(len(gallery))) if sample}
    for index in range(len(query)):
        worn = query.scene(index).outfit
        product = query._wanted(index)
        assert product is not None
        assert worn[product.slot] == wanted[product.id]


def test_the_fingerprint_changes_with_every_option():
    options = [{}, {"seed": 1}, {"size": (96, 64)}, {"tag_noise": 0.2}, {"counts": {"val": 3}}]
    assert len({Wardrobe("train", **option).fingerprint() for option in options}) == len(options)
    assert Wardrobe("train").fingerprint() == Wardrobe("train").fingerprint() != Wardrobe("val").fingerprint()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"split": "tests"}, "'tests'"),
        ({"counts": {"trian": 3}}, "'trian'"),
        ({"counts": {"train": 0}}, r"counts\['train'\]=0"),
        ({"counts": {"train": True}}, "True"),
        ({"size": (0, 128)}, r"\(0, 128\)"),
        ({"size": (128, 192)}, "no wider than high"),
        ({"tag_noise": 1.0}, "tag_noise=1.0"),
    ],
)
def test_a_wrong_argument_is_named(arguments, named):
    with pytest.raises(InputError, match=named):
        Wardrobe(**arguments)


def test_an_index_past_the_end_is_refused():
    dataset = Wardrobe("val", counts={"val": 2})
    assert dataset[1].id == dataset[-1].id
    with pytest.raises(IndexError):
        dataset[2]


def test_drawing_is_quick(alone, capsys):
    with capsys.disabled():
        print(f" [wardrobe: {alone['rate']:.0f} photos of 192×128 a second of one core]", end="")
    assert alone["rate"] > 30  # 150 to 200 on a slow core; a busy machine must not fail it
