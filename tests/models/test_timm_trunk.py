"""Any timm model as a trunk: convolutions and transformers train, are saved, loaded and asked for tags."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from fashionlib.core.errors import InputError
from fashionlib.data.store import Photos
from fashionlib.models.backbones import TimmTrunk, build_trunk, frozen_trunk, weights_of
from fashionlib.models.tagger import Tagger, load_model, save_model
from fashionlib.training.feature_maps import trunk_maps
from fashionlib.training.inputs import ImageInputs
from fashionlib.training.loop import train
from fashionlib.training.options import TrainingOptions

CONVOLUTIONS, TRANSFORMER = "timm/test_efficientnet", "timm/test_vit"  # timm's smallest
SIZE = (64, 48)
PHOTO = np.random.default_rng(0).integers(0, 255, (90, 70, 3), dtype=np.uint8)


def tagger(trunk, **options):
    torch.manual_seed(0)
    return Tagger(
        labels=["bag", "coat", "hat"], image_size=SIZE, kind="csra", head={"hidden": 8}, trunk=trunk, **options
    )


@pytest.mark.parametrize("name", [CONVOLUTIONS, TRANSFORMER, "timm/resnet18"])
def test_it_trains_and_tags_after_loading_as_before(tmp_path, name):
    rng = np.random.default_rng(0)
    images, targets = rng.integers(0, 255, (8, *SIZE, 3), np.uint8), np.eye(3, dtype=np.float32)[rng.integers(0, 3, 8)]
    model = tagger({"name": name, "pretrained": False}, frozen=False)
    before = {name: weight.clone() for name, weight in model.trunk.state_dict().items()}
    options = TrainingOptions(epochs=1, batch=4, learning_rate=0.01)
    train(model, ImageInputs(images), targets, None, options, tmp_path)
    assert any(not torch.equal(before[name], weight) for name, weight in model.trunk.state_dict().items())
    assert load_model(tmp_path).tag(PHOTO) == model.tag(PHOTO)


@pytest.mark.parametrize("name", [CONVOLUTIONS, TRANSFORMER])
def test_frozen_without_weights_it_is_the_same_however_often_it_is_made_and_is_saved_whole(tmp_path, name):
    trunk = {"name": name, "pretrained": False}
    model = tagger(trunk)
    photos = Photos(PHOTO[None, : SIZE[0], : SIZE[1]], None, (), ("one",), ("",), {}, "one photo")
    made = trunk_maps(frozen_trunk(**trunk), photos, precision="fp32")  # as a profile's maps are made
    np.testing.assert_array_equal(made, trunk_maps(model.trunk, photos, precision="fp32"))
    save_model(model, tmp_path)
    assert load_model(tmp_path).tag(PHOTO) == model.tag(PHOTO)


@pytest.mark.parametrize(
    ("name", "strides"), [(CONVOLUTIONS, [2, 4, 8, 16, 32]), (TRANSFORMER, [16]), ("timm/resnet18", [2, 4, 8, 16, 32])]
)
def test_maps_are_those_of_timm_on_a_grid_of_the_stride(name, strides):
    images = torch.rand(2, 3, 64, 96)
    for depth in strides:
        trunk = build_trunk(name, pretrained=False, depths=[depth]).eval()
        assert trunk(images).shape == (2, trunk.depths[0], 64 // depth, 96 // depth)
    trunk = build_trunk(name, pretrained=False, stride=8).eval()
    assert trunk(images).shape == (2, sum(trunk.depths), 8, 12)
    standard = (images - trunk.mean) / trunk.std
    assert trunk.mean.flatten().tolist() == pytest.approx(trunk.body.pretrained_cfg["mean"])
    last = trunk.body(standard)[-1]
    torch.testing.assert_close(trunk(images)[:, -last.shape[1] :].mean((2, 3)), last.mean((2, 3)), atol=0.05, rtol=0.1)


@pytest.mark.parametrize("name", [CONVOLUTIONS, TRANSFORMER])
@pytest.mark.parametrize("ending", ["safetensors", "pth", "wrapped.pth", "parallel.pth"])
def test_weights_come_from_a_file(tmp_path, name, ending):
    torch.manual_seed(1)
    model = timm.create_model(name.removeprefix("timm/"), pretrained=False).eval()
    path = tmp_path / f"weights.{ending}"
    if ending == "safetensors":
        save_file(model.state_dict(), path)
    else:
        prefix = "module." if "parallel" in ending else ""  # as DistributedDataParallel names them
        weights = {prefix + key: weight for key, weight in model.state_dict().items()}
        torch.save({"state_dict": weights} if "wrapped" in ending else weights, path)
    trunk = build_trunk(name, pretrained=str(path)).eval()
    theirs = model.state_dict()
    shared = [key for key in trunk.body.state_dict() if key.removeprefix("model.") in theirs]
    assert len(shared) > 10
    assert all(torch.equal(trunk.body.state_dict()[key], theirs[key.removeprefix("model.")]) for key in shared)
    tagged = tagger({"name": name, "pretrained": str(path)})
    save_model(tagged, tmp_path / "saved")
    path.unlink()  # the saved model needs it no more, and does not name it
    assert str(tmp_path) not in (tmp_path / "saved" / "config.json").read_text()
    assert load_model(tmp_path / "saved").tag(PHOTO) == tagged.tag(PHOTO)


def test_a_file_of_weights_is_known_by_its_content_wherever_it_lies(tmp_path):
    one, moved, other = (tmp_path / f"{name}.pth" for name in ("one", "moved", "other"))
    one.write_bytes(b"weights")
    moved.write_bytes(b"weights")
    other.write_bytes(b"others")
    known = [weights_of({"name": CONVOLUTIONS, "pretrained": str(path)}) for path in (one, moved, other)]
    assert known[0] == known[1] != known[2]
    assert weights_of({"name": "lite0"}) is True


class CodeInIt:
    """A file that names it is refused: reading it would run code."""


def test_faults_are_told_in_one_line(tmp_path):
    (tmp_path / "junk.pth").write_bytes(b"junk")
    torch.save({"conv1.weight": CodeInIt()}, tmp_path / "code.pth")
    torch.save({"a": torch.ones(1)}, tmp_path / "other.pth")
    wrong = {
        "timm/resnet_18": ({}, r"timm has no model 'resnet_18'; did you mean timm/\w*resnet"),
        CONVOLUTIONS: ({"pretrained": False, "depths": [3]}, "no depth 3: choose from 2, 4, 8, 16, 32"),
        TRANSFORMER: ({"pretrained": str(tmp_path / "junk.pth")}, "no weights can be read"),
        "timm/resnet34": ({"pretrained": str(tmp_path / "code.pth")}, "no weights can be read"),
        "timm/resnet18": (
            {"pretrained": str(tmp_path / "other.pth")},
            "of another model, .* is conv1.weight",
        ),
    }
    for name, (options, message) in wrong.items():
        with pytest.raises(InputError, match=message) as refused:
            build_trunk(name, **options)
        assert "\n" not in str(refused.value)


def test_the_default_stays_the_packaged_trunk_whose_weights_a_saved_model_leaves_out(tmp_path):
    model = tagger(None)
    assert not isinstance(model.trunk, TimmTrunk)
    assert model.config()["trunk"] == {"name": "lite0"}
    save_model(model, tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 200_000
    assert load_model(tmp_path).tag(PHOTO) == model.tag(PHOTO)
