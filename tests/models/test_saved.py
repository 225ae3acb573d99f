"""A saved model in a stranger's folder: every fault is one line that names the file, and nothing hangs."""

import json
import math
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from fashionlib.core.errors import InputError
from fashionlib.models.tagger import Tagger, load_model, save_model

HEAD = {"steps": 2, "reduce": 8, "hidden": 8, "codewords": 2}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    trunk = {"depths": [16], "stride": 16}
    model = Tagger(labels=["bag", "coat"], image_size=(64, 48), kind="parser", head=HEAD, trunk=trunk, pretrained=False)
    return save_model(model, tmp_path / "model")


def changed(folder, **values):
    """The configuration with other values, its checksum taken away as somebody would who changed it on purpose."""
    config = json.loads((folder / "config.json").read_text())
    del config["checksum"]
    for key, value in values.items():
        place = config["head"] if key in config["head"] else config["trunk"] if key in config["trunk"] else config
        place[key] = value
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "values",
    [
        {"image_size": [0, 0]}, {"image_size": [10**9, 10**9]}, {"image_size": "large"}, {"image_size": [64.5, 48]},
        {"image_size": None}, {"labels": []}, {"labels": [1, 2]}, {"labels": ["bag", "bag"]}, {"labels": "bags"},
        {"steps": -1}, {"steps": 0}, {"steps": 10**300}, {"hidden": 60_000}, {"hidden": 0}, {"hidden": math.nan},
        {"codewords": 65_000}, {"dropout": 7.0}, {"dropout": math.inf}, {"kind": "oracle"}, {"kind": None},
        {"depths": [10**6]}, {"depths": []}, {"stride": 0}, {"name": "vgg"}, {"region": [0, 0]}, {"frozen": "yes"},
        {"trunk": 3}, {"head": [[]]}, {"surplus": 1},
    ],
    ids=lambda values: str(values)[:40],
)  # fmt: skip
def test_impossible_configurations_are_one_line(saved, values):
    changed(saved, **values)
    with pytest.raises(InputError, match=r"config\.json") as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "endless", "folder", "deep", "empty", "bit", "cut"])
def test_files_that_are_none_or_damaged_are_one_line(saved, name, kind):
    path = saved / name
    content = path.read_bytes()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        flipped = content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]
        path.write_bytes({"deep": b"[" * 500_000, "empty": b"", "bit": flipped, "cut": content[:-50]}[kind])
    with pytest.raises(InputError, match=name.replace(".", r"\.")) as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_numbers_are_refused_where_they_would_tag_nan(saved):
    weights = load_file(saved / "model.safetensors")
    name = next(name for name, tensor in weights.items() if tensor.is_floating_point())
    weights[name].view(-1)[0] = math.nan
    save_file(weights, saved / "model.safetensors")
    changed(saved, weights=None)
    with pytest.raises(InputError, match=rf"model\.safetensors: {name} holds what is no number"):
        load_model(saved)


def test_loading_a_model_does_not_move_the_callers_random_numbers(saved):
    """Seen to give others: the head's first weights were drawn before the saved ones took their place."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model(saved)
    torch.testing.assert_close(torch.rand(3), expected)


def test_a_model_saved_before_there_were_checksums_is_loaded(saved):
    config = json.loads((saved / "config.json").read_text())
    assert {"weights", "checksum"} <= config.keys()
    del config["weights"], config["checksum"]
    (saved / "config.json").write_text(json.dumps(config))
    assert load_model(saved).labels == ("bag", "coat")


def test_without_a_name_the_model_of_the_command_line_is_loaded():
    """It alone has labels of the closet photos."""
    assert "outwear" in load_model().labels
    assert "outwear" not in load_model("ccp-small").labels
