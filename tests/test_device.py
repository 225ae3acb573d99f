"""Every public path obeys the chosen device: on one that is not the host's, models and photos meet, numbers come back.

Run on a stand-in (`elsewhere`) anywhere, and on a real GPU by `make test-gpu`.
"""

import contextlib
from dataclasses import replace

import lessons
import numpy as np
import pytest
import torch
from elsewhere import Elsewhere, elsewhere
from fashionbook.widget_export import Shown, _seen
from torch.utils._python_dispatch import TorchDispatchMode
from wardrobefolder import drawn_folder, small_model

from fashionlib.core.device import autocast, device
from fashionlib.core.errors import InputError
from fashionlib.data.augment import PLAIN
from fashionlib.experiments.attention import attention
from fashionlib.experiments.methods import cache_folder, fit, inputs_of, photos_of
from fashionlib.experiments.profile import load_profile, project_root
from fashionlib.experiments.recommend import recommender
from fashionlib.experiments.table1 import table1
from fashionlib.experiments.topk import rank, topk
from fashionlib.gallery.gallery import open_gallery
from fashionlib.models.tagger import Tagger, load_model, save_model
from fashionlib.training.feature_maps import trunk_maps
from fashionlib.training.inputs import ImageInputs
from fashionlib.training.loop import Predictions, predict

PHOTO = np.random.default_rng(0).integers(0, 255, (90, 70, 3), dtype=np.uint8)


@contextlib.contextmanager
def gpu():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHIONLIB_DEVICE", "cuda")
        yield


@pytest.fixture(params=[elsewhere, pytest.param(gpu, marks=pytest.mark.gpu)], ids=["stand-in", "gpu"])
def away(request):
    """Enters the device; the host's own device holds outside of it."""
    return request.param


@pytest.fixture(autouse=True)
def on_the_host(monkeypatch):
    monkeypatch.setenv("FASHIONLIB_DEVICE", "cpu")


def lies_on(model):
    return {weight.device.type for weight in model.state_dict().values()}


def close(found, expected, **by):
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], **{"rtol": 1e-3, "atol": 1e-4, **by}, err_msg=name)


def test_the_stand_in_fails_where_two_devices_meet():
    with elsewhere():
        weights = torch.nn.Linear(3, 2).to("meta")
        there = torch.ones(4, 3).to("meta")
        assert isinstance(weights(there), Elsewhere)
        with pytest.raises(RuntimeError, match="tensors of two devices"):
            weights(torch.ones(4, 3))
        with pytest.raises(RuntimeError, match="numpy"):
            weights(there).detach().numpy()
        assert there.sum().item() == 12


def test_a_saved_model_tags_there_as_here(away, tmp_path):
    folder = small_model(tmp_path)
    expected = load_model(folder).tag(PHOTO)[0]
    with away():
        model = load_model(folder)
        assert lies_on(model) == {device().type}
        found = model.tag(PHOTO)[0]
        save_model(model, tmp_path / "again")
    assert [tag.label for tag in found] == [tag.label for tag in expected]
    np.testing.assert_allclose([tag.box for tag in found], [tag.box for tag in expected], atol=0.1)
    assert load_model(tmp_path / "again").tag(PHOTO)[0] == expected


def test_a_model_made_before_the_device_was_chosen_predicts_and_tags_there(away):
    torch.manual_seed(0)
    model = Tagger(labels=["bag", "coat"], image_size=(64, 48), kind="csra", trunk={"depths": [16]}, pretrained=False)
    inputs = ImageInputs(np.stack([PHOTO[:64, :48]] * 2))
    expected, scores = model.tag(PHOTO), predict(model, inputs).scores
    with away():
        np.testing.assert_allclose(predict(model, inputs).scores, scores, rtol=1e-3, atol=1e-4)
        found = model.cpu().tag(PHOTO)
    assert [tag.label for tag in found[0]] == [tag.label for tag in expected[0]]


@pytest.mark.parametrize("kind", [*lessons.HEADS, *lessons.TRAINED])
def test_every_kind_learns_and_predicts_there_as_here(away, tmp_path, kind):
    """One epoch: on a GPU rounding parts the curves soon, and dropout is drawn by a generator of its own."""
    options = {"epochs": 1, "micro_batch": 4, "shift": 0.2 if kind == "photos" else 0.0}
    expected = lessons.learn(tmp_path / "here", kind, **options)
    with away():
        found = lessons.learn(tmp_path / "there", kind, **options)
        if kind in ("plain", "photos"):  # goes on from what was saved
            close(lessons.learn(tmp_path / "there", kind, **options), found, rtol=0, atol=0)
    close(found, expected, atol=0.05 if away is gpu else 1e-4)


class Products(TorchDispatchMode):
    """Records the devices on which matrices are multiplied."""

    def __init__(self):
        super().__init__()
        self.devices = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "mm" in function.__name__ or "matmul" in function.__name__:
            self.devices.add(args[0].device.type)
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("steps", [1, 3], ids=["whole", "parts"])
def test_galleries_are_ranked_there_as_here(away, steps):
    draw = np.random.default_rng(0)

    def drawn(photos):
        scores, features, best = (
            draw.random((photos, *size), dtype=np.float32) for size in ((4,), (steps, 8), (steps, 4))
        )
        return Predictions(scores, features, best if steps > 1 else None, None)

    query, gallery = drawn(3), drawn(7)
    expected = rank(query, gallery, k=5)
    with away(), Products() as products:
        found = rank(query, gallery, k=5)
        assert products.devices == {device().type}
    assert found.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(found.distances, expected.distances, rtol=1e-3)


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """The profile `smoke` on a few photos, in a project of its own."""
    (tmp_path / "profiles").symlink_to(project_root() / "profiles")
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    smoke = load_profile("smoke")
    counts = {
        "train": 12,
        "val": 6,
        "test": 8,
        "inshop_query": 3,
        "inshop_gallery": 5,
        "c2s_query": 3,
        "c2s_gallery": 5,
    }
    data = replace(smoke.data, options={"counts": counts})
    exact = replace(smoke.trunk, precision="fp32")
    methods = {name: smoke.methods[name] for name in ("prior", "whole", "parser")}
    return replace(
        smoke, data=data, methods=methods, trunk=exact, training=replace(smoke.training, epochs=1, batch=6), resamples=3
    )


def test_a_frozen_trunks_maps_are_made_there_and_kept_here(away, profile):
    photos = photos_of(profile, "val")
    model = Tagger(labels=photos.labels, image_size=profile.image_size, kind="whole", pretrained=False)
    expected = trunk_maps(model.trunk, photos, precision="fp32")
    with away():
        found = trunk_maps(model.trunk, photos, precision="fp32", cache=cache_folder())
    np.testing.assert_allclose(found, expected, atol=2e-2)


def test_every_experiment_runs_there_on_methods_trained_there_and_on_loaded_ones(away, profile):
    with away():
        trained, loaded = fit(profile, "parser"), fit(profile, "parser")
        assert lies_on(trained) == lies_on(loaded) == {device().type}  # trunk and head
        assert trained.tag(PHOTO) == loaded.tag(PHOTO)
        seen = predict(loaded, inputs_of(profile, photos_of(profile, "test")))
        assert table1(profile)
        assert attention(profile)
        assert topk(profile, "c2s")
        found = recommender(profile)
        assert found.parts(0)
        assert found.whole(0)
        assert _seen(Shown(profile, 0, photos_of(profile, "test"), loaded, [0]), PLAIN)
    again = predict(fit(profile, "parser"), inputs_of(profile, photos_of(profile, "test")))
    np.testing.assert_allclose(seen.scores, again.scores, rtol=1e-3, atol=1e-3)


def test_a_folder_is_indexed_and_recommended_from_there_as_here(away, tmp_path):
    folder, model = drawn_folder(tmp_path / "photos", 5), small_model(tmp_path / "model")
    expected = open_gallery(folder, model, tmp_path / "here").recommend(folder / "001.png")
    with away():
        gallery = open_gallery(folder, model, tmp_path / "there")
        rows, together = gallery.answer(folder / "001.png", per_part=3, k=3, diversity=0.5, parts=3)
    assert [row.label for row in rows] == [row.label for row in expected][:3]
    assert together


def test_mixed_precision_is_asked_for_only_where_the_device_has_it():
    with elsewhere(), autocast("bf16"):
        assert torch.ones(2, 2).to("meta").mm(torch.ones(2, 2).to("meta")).dtype == torch.float32


@pytest.mark.parametrize("name", ["gpu", "cuda:x"])
def test_a_device_that_is_none_is_named_in_one_line(monkeypatch, name):
    monkeypatch.setenv("FASHIONLIB_DEVICE", name)
    with pytest.raises(InputError, match=f"FASHIONLIB_DEVICE={name}: cannot be used here"):
        device()


def test_without_values_a_photo_is_tagged_up_to_where_one_is_read(call, monkeypatch, tmp_path):
    folder = small_model(tmp_path / "model")
    photo = drawn_folder(tmp_path / "photos", 1)
    monkeypatch.setenv("FASHIONLIB_DEVICE", "meta")
    code, _, said = call("tag", next(photo.iterdir()), "--model", folder)
    assert code == 2
    assert said == "error: FASHIONLIB_DEVICE=meta holds no values: it ran until the first one was read\n"
