"""Ranking in two steps gives what comparing every photo in double precision gives, wherever that is decided."""

import numpy as np
import pytest
import torch

from fashionlib.retrieval import two_steps
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.ranking import rank_parts

STEPS, LABELS = 4, 7


def photos(count, channels, kind, seed):
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(count, STEPS, channels, generator=draw)
    if kind == "alike":  # twenty kinds of photo, and little between photos of a kind
        kinds = torch.randn(20, STEPS, channels, generator=torch.Generator().manual_seed(9))
        features = kinds[torch.randint(0, 20, (count,), generator=draw)] + 0.02 * features
    features = torch.nn.functional.normalize(features, dim=2)
    best = torch.randint(0, STEPS, (count, LABELS), generator=draw)
    confidence = torch.rand(count, LABELS, generator=draw) + 0.01
    return PartFeatures(features, best, confidence > 0.5, confidence)


def apart(query, gallery):
    """All distances by a loop over labels, in double precision."""
    total = weights = 0.0
    for label in range(LABELS):
        ours, theirs = (
            side.features[torch.arange(len(side)), side.best_step[:, label]].double().numpy()
            for side in (query, gallery)
        )
        weight = np.sqrt(np.outer(query.confidence[:, label].double(), gallery.confidence[:, label].double()))
        squares = (ours**2).sum(1)[:, None] + (theirs**2).sum(1) - 2 * ours @ theirs.T
        total, weights = total + weight * np.sqrt(squares.clip(0)), weights + weight
    return total / weights


@pytest.mark.parametrize("kind", ["random", "alike"])
@pytest.mark.parametrize("channels", [16, 512])
def test_two_steps_rank_as_double_precision_does(monkeypatch, kind, channels):
    monkeypatch.setattr(two_steps, "QUERIES", 50)
    monkeypatch.setattr(two_steps, "GALLERY", 64)
    query, gallery = photos(120, channels, kind, 1), photos(300, channels, kind, 2)
    exact = apart(query, gallery)
    indices, distances = two_steps.nearest(query, gallery, 10, lambda rows: torch.tensor(exact[rows.numpy()]).float())
    found = np.take_along_axis(exact, indices.numpy(), axis=1)
    assert np.abs(found - np.sort(exact, axis=1)[:, :10]).max() < 1e-5
    assert np.abs(found - distances.numpy()).max() < 1e-5


def test_an_error_that_was_thought_too_small_is_found_out(monkeypatch):
    """A sample that shows no error: the second step sees the true one, and asks again with more candidates."""
    query, gallery = photos(40, 64, "alike", 1), photos(200, 64, "alike", 2)
    exact = apart(query, gallery)
    coarse = two_steps._coarse
    halves = []

    def flattered(ours, theirs, rows):
        halves[:] = [ours, theirs]
        return coarse(ours, theirs, rows)

    monkeypatch.setattr(two_steps, "_coarse", flattered)
    indices, _ = two_steps.nearest(query, gallery, 5, lambda rows: coarse(*halves, rows))
    found = np.take_along_axis(exact, indices.numpy(), axis=1)
    assert np.abs(found - np.sort(exact, axis=1)[:, :5]).max() < 1e-5


def test_it_is_taken_where_it_pays_and_nowhere_else():
    query, gallery = photos(20, 16, "random", 1), photos(30, 16, "random", 2)
    assert not two_steps.pays(query, gallery)
    assert len(rank_parts(query, gallery, 5).indices) == 20
