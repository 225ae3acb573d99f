"""`fashionlib tag`: names what a photo shows, and says in one line what is wrong with it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.data import load
from fashionlib.data.photos import read_photo
from fashionlib.gallery.index import update
from fashionlib.models.pretrained import DEFAULT, STREET, model_folder
from fashionlib.models.tagger import Tagger, load_model, save_model


@pytest.fixture(scope="module")
def wardrobe():
    return load("wardrobe", split="test", size=(96, 64))


@pytest.fixture(scope="module")
def model(wardrobe, tmp_path_factory):
    torch.manual_seed(0)
    tagger = Tagger(
        labels=wardrobe.labels, image_size=(96, 64), kind="parser", head={"steps": 2, "hidden": 8, "reduce": 8},
        trunk={"depths": [16], "stride": 16},
    )  # fmt: skip
    return save_model(tagger, tmp_path_factory.mktemp("model"))


@pytest.fixture
def photo(wardrobe, tmp_path):
    path = tmp_path / "a photo.png"
    Image.fromarray(wardrobe[0].image).save(path)
    return path


def test_tags_are_those_of_the_model_best_first(call, model, photo):
    code, out, err = call("tag", photo, "--model", model, "--most", 4)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == str(photo)
    expected = load_model(model).tag(np.asarray(Image.open(photo)), k=4)[0]
    assert [line.partition("  at ")[0] for line in lines[1:]] == [f"  {tag.score:.2f}  {tag.label}" for tag in expected]


def test_json_is_one_object_a_photo(call, model, photo):
    code, out, _ = call("tag", photo, photo, "--model", model, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["photo"] for row in rows] == [str(photo)] * 2
    assert rows[0] == rows[1]
    scores = [tag["score"] for tag in rows[0]["tags"]]
    assert len(scores) == 6
    assert scores == sorted(scores, reverse=True)
    for tag in rows[0]["tags"]:
        x1, y1, x2, y2 = tag["box"]
        assert 0 <= x1 < x2 <= 64
        assert 0 <= y1 < y2 <= 96


@pytest.mark.parametrize("name", ["missing.jpg", "text.jpg", "cut.jpg"])
def test_a_photo_that_cannot_be_read_is_named_in_one_line(call, model, photo, tmp_path, name):
    (tmp_path / "text.jpg").write_text("not a photo")
    Image.open(photo).convert("RGB").save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:400])
    code, out, err = call("tag", tmp_path / name, "--model", model)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert name in err
    assert err.count("\n") == 1


def test_a_bad_photo_among_good_ones_is_named_and_the_others_are_tagged(call, model, photo, tmp_path):
    (tmp_path / "bad.jpg").write_text("not a photo")
    words = ("tag", photo, tmp_path / "bad.jpg", tmp_path / "none.jpg", photo, "--model", model)
    code, out, err = call(*words, "--json")
    assert code == 2
    assert [json.loads(line)["photo"] for line in out.splitlines()] == [str(photo)] * 2
    assert [line.split(": ")[1] for line in err.splitlines()] == [str(tmp_path / "bad.jpg"), str(tmp_path / "none.jpg")]
    code, out, err = call(*words)
    assert (code, out.splitlines().count(str(photo)), err.count("\n")) == (2, 2, 2)


def test_many_photos_are_tagged_in_python_with_the_reason_in_the_place_of_a_bad_one(model, photo, tmp_path):
    tagger = load_model(model)
    first, bad, last = tagger.tag_many([photo, tmp_path / "none.jpg", Image.open(photo)])
    assert first == last == tagger.tag(photo)[0]
    assert isinstance(bad, InputError)
    with pytest.raises(InputError, match=r"none\.jpg: no such photo"):
        tagger.tag([photo, tmp_path / "none.jpg"])


def test_boxes_of_a_photo_that_is_reduced_while_it_is_read_are_in_its_own_pixels(model, photo, tmp_path):
    Image.open(photo).resize((64 * 12, 96 * 12), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    tagger = load_model(model)
    reduced = read_photo(tmp_path / "large.png", tagger.image_size)
    assert reduced.shape == (192, 128, 3)
    small, large = tagger.tag([reduced, tmp_path / "large.png"])
    assert [tag.label for tag in small] == [tag.label for tag in large]
    assert np.allclose([tag.box for tag in large], [[6 * side for side in tag.box] for tag in small])


def test_a_folder_of_the_same_name_hides_no_model_that_comes_with_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEFAULT).mkdir()
    for name in (DEFAULT, Path(DEFAULT)):
        assert (model_folder(name) / "config.json").is_file()
    assert model_folder(f"./{DEFAULT}") == Path(DEFAULT)
    assert model_folder(tmp_path / DEFAULT) == tmp_path / DEFAULT
    (tmp_path / DEFAULT / "config.json").touch()
    assert model_folder(Path(DEFAULT)) == Path(DEFAULT)
    assert model_folder(DEFAULT) != Path(DEFAULT)


def test_a_folder_without_a_model_is_named_in_one_line(call, photo, tmp_path):
    code, out, err = call("tag", photo, "--model", tmp_path / "none")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "no model here" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("tag --nonsense", "no such option: --nonsense"), ("tag", "missing argument"), ("recommend a.jpg", "'--in'"),
        ("tag -k x a.jpg", "'-k'"), ("tag -k 0 a.jpg", "'-k'"), ("recommend a --in b --diversity 7", "'--diversity'"),
        ("recommend a --in", "'--in' requires an argument"), ("frobnicate", "'frobnicate'"),
        ("indx a", "Did you mean 'index'? See "),
        ("doctor ccp a b", "unexpected extra argument"), ("index a --index", "'--index'"),
    ],
)  # fmt: skip
def test_words_that_the_program_does_not_take_are_named_in_one_line(call, words, wrong):
    code, out, err = call(*words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert wrong in err
    assert err.endswith(" --help\n")


@pytest.mark.parametrize("words", ["", "--help", "tag --help", "recommend --help"])
def test_help_is_printed_where_it_is_asked_for_or_nothing_is(call, words):
    code, out, err = call(*words.split())
    assert (code, err) == (0, "")
    assert "Usage" in out


def test_the_installed_program_shows_no_traceback(model, tmp_path):
    command = [sys.executable, "-m", "fashionlib.cli", "tag", tmp_path / "missing.jpg", "--model", model]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_the_program_and_the_package_look_through_folders_with_the_same_model(call, tmp_path):
    for number in range(2):
        image = np.random.default_rng(number).integers(0, 255, (90, 60, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    code, out, _ = call("index", tmp_path)
    assert code == 0
    assert out.startswith("2 photos indexed, 2 looked at now")
    assert update(tmp_path)[1] == 0
    assert call("recommend", tmp_path / "0.png", "--in", tmp_path, "--json")[0] == 0
    assert update(tmp_path, DEFAULT)[1] == 0


@pytest.mark.parametrize("name", [DEFAULT, *STREET])
def test_a_model_that_comes_with_the_package_is_small_and_tags_a_photo(name):
    files = list(model_folder(name).iterdir())
    assert {path.name for path in files} == {"README.md", "config.json", "model.safetensors"}
    assert sum(path.stat().st_size for path in files) < 10_000_000
    model = load_model(name)
    assert len(model.labels) == (61 if name == DEFAULT else 56)
    image = np.random.default_rng(0).integers(0, 255, (120, 80, 3), dtype=np.uint8)
    tags = model.tag(image, k=3)[0]
    assert [tag.score for tag in tags] == sorted((tag.score for tag in tags), reverse=True)
    for tag in tags:
        x1, y1, x2, y2 = tag.box
        assert 0 <= x1 < x2 <= 80
        assert 0 <= y1 < y2 <= 120


@pytest.mark.parametrize("name", [DEFAULT, *STREET])
def test_a_model_that_comes_with_the_package_names_what_real_photos_show(ccp_root, name):
    """Not a measure (it was trained on most of them): a wrong or shuffled label list would show."""
    photos = load("ccp", ccp_root, "test")
    model, hits = load_model(name), 0
    for number in range(8):
        sample = photos[number]
        best = model.tag(sample.image, k=1)[0][0].label
        hits += best in photos.labels and sample.labels[photos.labels.index(best)] > 0
    assert hits >= 6
