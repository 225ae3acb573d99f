"""The attention experiment's own arithmetic: boxes on moved photos back on the photos, and the mean boxes."""

import numpy as np
import pytest
import torch

from fashionlib.data.augment import View
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.experiments.attention import _back, _mean_boxes, looks_of
from fashionlib.experiments.profile import load_profile

COUNTS = "{train: 40, val: 16, test: 16}"


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A profile of one epoch in a home of its own."""
    (tmp_path / "profiles").mkdir()
    path = tmp_path / "profiles" / "tiny.yaml"
    path.write_text(
        f"data: {{name: wardrobe, options: {{counts: {COUNTS}}}}}\nimage_size: [96, 64]\n"
        "trunk: {options: {depths: [16], stride: 16}}\ntraining: {epochs: 1, batch: 20}\n"
        "methods:\n  whole: {kind: whole}\n"
        "  parser: {kind: parser, head: {steps: 2, reduce: 8, hidden: 8, codewords: 2}}\n"
        "  parts: {kind: parser, head: {steps: 2, reduce: 8, hidden: 8, codewords: 2, score_whole: false}}\n"
    )
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    return load_profile("tiny")


def test_a_box_on_a_moved_photo_comes_back_to_what_it_shows():
    view, ids = View(shift=0.2, seed=1), [str(number) for number in range(50)]
    theta, draws = view.theta(ids), view.draws(ids)
    y, x = torch.meshgrid(*[(torch.arange(40.0) + 0.5) / 40] * 2, indexing="ij")
    places = torch.stack([x, y, torch.zeros_like(x)]).expand(50, -1, -1, -1)  # a pixel's colour is its place
    draws[:, 4] = 0.1  # the edge repeated
    shown = view(places, draws)
    box = np.array([0.4, 0.45, 0.55, 0.6])
    back = _back(np.tile(box, (50, 1, 1)), theta)[:, 0]
    for corner, (column, row) in ((0, (16, 18)), (2, (22, 24))):  # pixels whose upper left corner is the box's corner
        pixel = shown[:, :2, row, column].numpy()
        expected = back[:, corner : corner + 2] + theta[:, :2] * 0.5 / 40  # from the corner to the pixel's centre
        inside = ((pixel > 0.03) & (pixel < 0.97)).all(1)
        assert inside.sum() > 30
        np.testing.assert_allclose(pixel[inside], expected[inside], atol=0.01)


def test_mean_boxes_are_the_means_of_the_training_photos_boxes(tiny):
    samples = [Wardrobe("train", size=(96, 64), counts={"train": 40})[number] for number in range(40)]
    label = max(samples[0].boxes, key=lambda name: sum(name in sample.boxes for sample in samples))
    expected = np.mean([np.array(s.boxes[label]) / [64, 96, 64, 96] for s in samples if label in s.boxes], axis=0)
    labels = Wardrobe.labels
    np.testing.assert_allclose(_mean_boxes(tiny, 0, labels)[labels.index(label)], expected)


def test_looks_leave_the_whole_picture_out_whether_it_is_scored_or_not(tiny):
    for method in ("parser", "parts"):
        looks = looks_of(tiny, method)
        assert looks.boxes.shape == (16, 2, 4)
        assert looks.winners.min() >= (-1 if method == "parser" else 0)
        assert looks.winners.max() <= 1
        photo, label = np.argwhere(looks.winners >= 0)[0]
        np.testing.assert_allclose(looks.label_boxes[photo, label], looks.boxes[photo, looks.winners[photo, label]])
