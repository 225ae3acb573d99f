"""From a profile to a trained method: which photos it learns from, and which epoch it keeps."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.core.sealed import read_json
from fashionlib.experiments import methods
from fashionlib.experiments.methods import (
    fit,
    inputs_of,
    new_model,
    photos_of,
    predictions,
    run_folder,
    tag_scores,
    training_views,
)
from fashionlib.experiments.profile import load_profile
from fashionlib.experiments.summary import sentence_about_training
from fashionlib.models.tagger import load_model
from fashionlib.training.inputs import MapInputs
from fashionlib.training.loop import predict, train

TESTS = Path(__file__).parents[1]


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """A project in a folder of its own that has one tiny profile, in which no photo is held out."""
    (tmp_path / "profiles").mkdir()
    smoke = (TESTS.parent / "profiles" / "smoke.yaml").read_text()
    (tmp_path / "profiles" / "smoke.yaml").write_text(smoke.replace("train: 64, val: 32", "train: 20, val: 10"))
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    tiny = load_profile("smoke")
    return replace(tiny, training=replace(tiny.training, hold_out=False, batch=8))


def history(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def state(folder):
    return torch.load(folder / "last.pt", weights_only=True)


def test_without_a_hold_out_validation_photos_are_trained_on_too(profile):
    fit(profile, "whole")
    without = run_folder(profile, "whole", 0)
    batches = state(without)["schedule"]["last_epoch"]
    assert batches == profile.training.epochs * 4  # 20 photos and 10, in batches of 8
    held = replace(profile, name="held", training=replace(profile.training, hold_out=True))
    fit(held, "whole")
    assert state(run_folder(held, "whole", 0))["schedule"]["last_epoch"] == profile.training.epochs * 3
    assert "val_map" in history(run_folder(held, "whole", 0))[0]
    assert "val_map" not in history(without)[0]


def test_without_a_hold_out_the_photos_keep_their_own_tags(profile, tmp_path):
    """The same as training on the two splits laid one after the other by hand."""
    model = fit(profile, "whole")
    parts = [photos_of(profile, split) for split in ("train", "val")]
    maps = [inputs_of(profile, part, training_views(profile.training)).maps for part in parts]
    inputs = MapInputs([np.concatenate(views) for views in zip(*maps, strict=True)])
    by_hand = train(
        new_model(profile, "whole", parts[0].labels, 0), inputs, np.concatenate([part.tags for part in parts]), None,
        profile.training, tmp_path / "by-hand", seed=0,
    )  # fmt: skip
    for weight, other in zip(model.head.parameters(), by_hand.head.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-6, atol=1e-6)


def test_without_a_hold_out_the_last_epoch_is_kept(profile):
    model = fit(profile, "whole")
    last = state(run_folder(profile, "whole", 0))["net"]
    assert all(torch.equal(value, last[name]) for name, value in model.head.state_dict().items())
    again = load_model(run_folder(profile, "whole", 0))
    assert all(torch.equal(value, last[name]) for name, value in again.head.state_dict().items())
    epochs = profile.training.epochs
    assert sentence_about_training(profile, "whole") == (
        f"Kept: seed 0: the last of {epochs} epochs, no photo held out."
    )


def test_a_method_that_needs_more_than_tags_is_not_given_photos_without_it(profile):
    methods = {**profile.methods, "veit": {"kind": "veit"}}
    with pytest.raises(InputError, match=r"veit learns from what is known .*set hold_out: true"):
        fit(replace(profile, methods=methods), "veit")


def test_a_run_says_what_it_is_of_before_it_is_taken_up_again(profile):
    """Another choice of photos is another run: the finished one is not handed out in its place."""
    fit(profile, "whole")
    finished = run_folder(profile, "whole", 0) / "finished.json"
    before = read_json(finished)["fingerprint"]
    fit(replace(profile, training=replace(profile.training, hold_out=True)), "whole")
    assert read_json(finished)["fingerprint"] != before


def test_predictions_are_made_once_and_again_where_they_are_damaged_or_the_weights_are_others(profile, monkeypatch):
    asked = []
    monkeypatch.setattr(methods, "predict", lambda *them, **how: asked.append(how) or predict(*them, **how))
    first, again = (predictions(profile, "parser", 0) for _ in range(2))
    assert asked == [{"mirror": False}]
    np.testing.assert_array_equal(first.scores, again.scores)
    np.testing.assert_array_equal(first.theta, again.theta)
    tag_scores(profile, "parser", 0)
    assert asked == [{"mirror": False}, {"mirror": True}]
    for path in run_folder(profile, "parser", 0).glob("predictions-*/scores.npy"):
        path.write_bytes(path.read_bytes()[:-8])
    np.testing.assert_array_equal(predictions(profile, "parser", 0).scores, first.scores)
    assert len(asked) == 3
    other = replace(profile, training=replace(profile.training, learning_rate=0.01))
    assert (predictions(other, "parser", 0).scores != first.scores).any()
    assert len([*run_folder(profile, "parser", 0).glob("predictions-*")]) == 1
