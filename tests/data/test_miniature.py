"""The wardrobe in the published formats: read back as what was drawn, the same from the same seed, fit to train on."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from fashionlib.cli import main
from fashionlib.core.errors import InputError
from fashionlib.data import load
from fashionlib.data.published.miniature import WRITERS, write_miniature
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.data.wardrobe.outfits import COLOURS, LABELS

SIZE, SPLITS = (96, 64), {"train": 16, "val": 5, "test": 5}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("miniatures")
    for name in WRITERS:
        write_miniature(name, home / name, photos=16, size=SIZE, seed=3)
    return home


def drawn(split):
    """What the street miniatures of `home` were drawn from."""
    return Wardrobe(split, size=SIZE, seed=3, counts=SPLITS)


def near(image, others):
    """The number of the one that looks most like it: JPEG changes a picture a little."""
    return int(np.argmin([np.abs(image.astype(int) - other).mean() for other in others]))


@pytest.mark.parametrize("split", list(SPLITS))
def test_fashion144k_carries_the_wardrobes_tags_of_the_same_photo(home, split):
    originals = [drawn(split)[index] for index in range(SPLITS[split])]
    dataset = load("fashion144k", home / "fashion144k", split)
    assert len(dataset) == SPLITS[split]
    columns = [dataset.labels.index(label.title()) for label in LABELS]
    for index in range(len(dataset)):
        sample = dataset[index]
        original = originals[near(sample.image, [one.image for one in originals])]
        assert sample.labels[columns].tolist() == original.labels.tolist()


def test_fashion144k_singles_hold_items_and_colours(home):
    items, singles = (load("fashion144k", home / "fashion144k", "train", tags=tags) for tags in ("items", "singles"))
    assert set(singles.labels) == {name.title() for name in (*LABELS, *COLOURS)}
    for name, column in zip(items.labels, items.targets().T, strict=True):
        if name.startswith("item "):  # two tags are on the same photos, or on none: the column does not tell which
            assert sum((column == other).all() for other in singles.targets().T) > 1
        else:
            assert (column == singles.targets()[:, singles.labels.index(name)]).all()
    assert sum(not name.startswith("item ") for name in items.labels) > len(LABELS) / 2


def test_fashion550k_has_noisy_tags_to_train_on_and_true_ones_to_test_with(home):
    root = home / "fashion550k"
    noisy, clean = (load("fashion550k", root, "verified", tags=tags).targets() for tags in ("noisy", "verified"))
    assert (noisy != clean).any()
    test = load("fashion550k", root, "test")
    originals = [drawn("test")[index] for index in range(SPLITS["test"])]
    for index in range(len(test)):
        sample = test[index]
        original = originals[near(sample.image, [one.image for one in originals])]
        tags = {name for name, tag in zip(test.labels, sample.labels, strict=True) if tag}
        assert tags & set(LABELS) == set(original.boxes)
    assert len(load("fashion550k", root, "train")) == SPLITS["train"]  # the two repeats are left out


@pytest.mark.parametrize("name", ["deepfashion_inshop", "deepfashion_c2s"])
def test_every_query_has_its_item_in_the_gallery_and_none_was_trained_on(home, name):
    train, query, gallery = (load(name, home / name, split) for split in ("train", "query", "gallery"))
    items = [{dataset[index].product for index in range(len(dataset))} for dataset in (train, query, gallery)]
    assert items[1] <= items[2]
    assert not items[0] & items[2]
    assert len(query) >= 5
    assert len(set(gallery.ids)) == len(gallery)


def test_c2s_shop_photos_stand_in_several_rows_and_once_in_the_gallery(home):
    rows = (home / "deepfashion_c2s/Eval/list_eval_partition.txt").read_text().splitlines()[2:]
    shops = [row.split()[1] for row in rows if row.split()[3] in ("val", "test")]
    assert len(set(shops)) < len(shops)
    assert set(load("deepfashion_c2s", home / "deepfashion_c2s", "gallery").ids) == set(shops)


def test_boxes_and_landmarks_are_where_the_garment_was_drawn(home):
    counts = {"inshop_query": 8, "inshop_gallery": 16}
    wardrobe = Wardrobe("inshop_gallery", size=SIZE, seed=3, counts=counts)
    originals = [wardrobe[index] for index in range(len(wardrobe))]
    gallery = load("deepfashion_inshop", home / "deepfashion_inshop", "gallery")
    for index in range(len(gallery)):
        sample = gallery[index]
        original = originals[near(sample.image, [one.image for one in originals])]
        label = next(label for label, id_ in original.products.items() if id_ == original.product)
        (box,) = sample.boxes.values()
        assert box == original.boxes[label]
        for x, y, seen in sample.landmarks.values():
            assert seen
            assert original.masks[label][int(y), int(x)]


def test_categories_and_attributes_are_those_of_the_garment_in_the_box(home):
    dataset = load("deepfashion_attributes", home / "deepfashion_attributes", "test", crop=True)
    originals = [drawn("test")[index] for index in range(SPLITS["test"])]
    for index in range(len(dataset)):
        sample = dataset[index]
        ((category, box),) = sample.boxes.items()
        assert sample.labels[dataset.labels.index(category)] == 1
        assert box == (0, 0, sample.image.shape[1], sample.image.shape[0])
        sizes = [one.boxes.get(category.lower(), (0, 0, 0, 0)) for one in originals]
        assert box[2:] in [(x2 - x1, y2 - y1) for x1, y1, x2, y2 in sizes]
        tags = {name for name, tag in zip(dataset.labels, sample.labels, strict=True) if tag}
        texture, colour = dataset.ids[index].split("/")[1].lower().split("_")[:2]
        assert {texture, colour} <= tags


def content(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_writes_the_same_files_and_another_one_others(home, tmp_path):
    for seed in (3, 4):
        write_miniature("fashion550k", tmp_path / str(seed), photos=16, size=SIZE, seed=seed)
    assert content(home / "fashion550k") == content(tmp_path / "3") != content(tmp_path / "4")


def test_garments_that_show_as_much_as_each_other_are_chosen_alike_in_every_process(tmp_path):
    """The order of a set of texts is another in each process; it once decided which garment the lists speak of."""
    code = "import sys; from fashionlib.data.published.miniature import write_miniature as write; write"
    code += "('deepfashion_attributes', sys.argv[1], photos=12, size=(32, 32), seed=2)"
    for number in "123":
        environment = {**os.environ, "PYTHONHASHSEED": number}
        subprocess.run([sys.executable, "-c", code, tmp_path / number], env=environment, check=True)
    first, *others = ((tmp_path / number / "Anno/list_category_img.txt").read_text() for number in "123")
    assert others == [first, first]


def test_a_folder_that_is_there_a_wrong_name_and_too_few_photos_are_refused(tmp_path):
    with pytest.raises(InputError, match="is there already"):
        write_miniature("fashion144k", tmp_path)
    with pytest.raises(InputError, match="no miniature of 'ccp': choose one of fashion144k"):
        write_miniature("ccp", tmp_path / "new")
    with pytest.raises(InputError, match="at least 12"):
        write_miniature("fashion144k", tmp_path / "new", photos=3)
    assert not (tmp_path / "new").exists()


def test_the_command_writes_a_miniature_that_loads(tmp_path, monkeypatch, capsys):
    words = ["miniature", "fashion144k", str(tmp_path / "mini"), "--photos", "12"]
    monkeypatch.setattr(sys, "argv", ["fashionlib", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert capsys.readouterr().out == f"{tmp_path / 'mini'}\n"
    assert len(load("fashion144k", tmp_path / "mini", "train")) == 12


@pytest.mark.parametrize("name", ["fashion144k", "fashion550k", "deepfashion_attributes"])
def test_a_run_trains_on_the_miniature_of_each_tagging_set(home, tmp_path, monkeypatch, name):
    from fashionlib.experiments.methods import fit
    from fashionlib.experiments.profile import load_profile

    profile = {
        "data": {"name": name}, "image_size": list(SIZE), "methods": {"whole": {"kind": "whole"}},
        "trunk": {"options": {"depths": [16], "stride": 16}}, "training": {"epochs": 1, "batch": 8},
    }  # fmt: skip
    (tmp_path / "profiles").mkdir()
    path = tmp_path / "profiles/mini.yaml"
    path.write_text(yaml.safe_dump(profile))
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    model = fit(load_profile(str(path), data=home / name), "whole")
    assert model.labels == load(name, home / name, "test").labels
