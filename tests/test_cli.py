"""The command line on a real photo, and on what is none."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from fashionlib.data import load
from fashionlib.models.tagger import Tagger, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    head = {"steps": 2, "reduce": 8, "hidden": 8, "codewords": 2}
    trunk = {"depths": [16, 32], "stride": 16}
    tagger = Tagger(labels=["bag", "coat"], image_size=(64, 48), kind="parser", head=head, trunk=trunk)
    return save_model(tagger, tmp_path_factory.mktemp("model"))


def tag(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "fashionlib.cli", "tag", *map(str, arguments)],
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_photo_is_tagged_with_scores_and_boxes(model, tmp_path):
    sample = load("wardrobe", split="test", counts={"test": 1})[0]
    Image.fromarray(sample.image).save(tmp_path / "look.png")
    answer = json.loads(tag(tmp_path / "look.png", "--model", model, "--json").stdout)
    assert {one["label"] for one in answer["tags"]} == {"bag", "coat"}
    x1, y1, x2, y2 = answer["tags"][0]["box"]
    assert 0 <= x1 < x2 <= sample.image.shape[1]
    assert 0 <= y1 < y2 <= sample.image.shape[0]


@pytest.mark.parametrize(("name", "content"), [("missing.jpg", None), ("text.jpg", "hello")])
def test_what_is_no_photo_ends_in_one_line(model, tmp_path, name, content):
    if content:
        (tmp_path / name).write_text(content)
    result = tag(tmp_path / name, "--model", model)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert name in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
