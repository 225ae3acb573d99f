"""A backbone in ONNX Runtime gives torch's maps, and the models that come with the package use it."""

import copy
import os
import subprocess
import sys

import pytest
import torch

from fashionlib.core.device import on_every_core
from fashionlib.gallery.extract import open_model
from fashionlib.models import tagger
from fashionlib.models.backbones import OnnxBackbone, build_trunk, fold
from fashionlib.models.tagger import Tagger, load_model


@pytest.mark.parametrize("size", [(96, 64), (100, 75), (65, 47)])  # even throughout, and odd at one depth or another
def test_maps_are_those_of_torch_for_any_number_of_photos_and_threads(size):
    trunk = fold(build_trunk("lite0", depths=(8, 32), stride=32, colours=True))
    fast = copy.deepcopy(trunk)
    fast.body = OnnxBackbone(fast.body, size)
    images = torch.rand(5, 3, *size)
    with torch.inference_mode():
        expected = trunk(images)
        torch.testing.assert_close(fast(images), expected, rtol=1e-4, atol=1e-4)
        at_once = torch.cat(list(on_every_core(fast, images.split(1))))
    torch.testing.assert_close(at_once, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["ccp-small", "street-shop-closet"])
def test_the_packaged_models_index_with_it_and_say_the_same(name, monkeypatch):
    monkeypatch.setenv("FASHIONLIB_DEVICE", "cpu")
    plain, fast = load_model(name), open_model(name)
    assert isinstance(fast.trunk.body, OnnxBackbone)
    images = torch.rand(2, 3, *plain.image_size)
    with torch.no_grad():
        torch.testing.assert_close(fast(images).scores, plain(images).scores, rtol=1e-3, atol=1e-3)


def test_where_the_export_fails_the_trunk_stays_in_torch(monkeypatch):
    def refuse(*_):
        raise TypeError("an exporter of another version")

    monkeypatch.setattr(tagger, "OnnxBackbone", refuse)
    model = Tagger(labels=["a"], image_size=(64, 48), kind="whole", trunk={"depths": [16]}, pretrained=False)
    body = model.trunk.body
    assert model.accelerated() is model
    assert model.trunk.body is body


def test_photos_are_encoded_in_pieces_as_they_are_at_once(monkeypatch):
    model = Tagger(labels=["a"], image_size=(64, 48), kind="whole", trunk={"depths": [16]}, pretrained=False).eval()
    images = torch.rand(40, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(model.encode(images), model.trunk(images), rtol=1e-4, atol=1e-4)
    trained = Tagger(labels=["a"], image_size=(64, 48), kind="whole", trunk={"name": "paper"}, frozen=False)
    assert trained.encode(images[:2]).requires_grad


def test_nothing_is_kept_in_the_home_folder_and_nothing_reported(tmp_path):
    """Seen: an identity and a database of events below ~/.cache, and two lines of complaint where that is read-only."""
    own = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    code = "import fashionlib.models.backbones"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**own, "HOME": str(tmp_path)}, capture_output=True, check=True
    )
    assert not done.stderr
    assert [*tmp_path.iterdir()] == []
