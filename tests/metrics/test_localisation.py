"""Pointing and overlap on drawn masks, with every coordinate known."""

import numpy as np
import pytest

from fashionlib.data.photos import placement_of
from fashionlib.metrics.localisation import (
    GarmentTruth,
    centre_correlation,
    compare,
    hit,
    intersection_over_union,
    mean_over_labels,
    winning_boxes,
    winning_steps,
)


def truth():
    """A photo 100 high and 50 wide with a hat in its top left corner, on a canvas of 200×100."""
    mask = np.zeros((100, 50), bool)
    mask[:20, :10] = True
    return GarmentTruth({"hat": mask}, {"hat": (0.0, 0.0, 10.0, 20.0)}, placement_of((100, 50), (200, 100)))


def test_a_box_around_the_garment_points_at_it_and_overlaps_wholly():
    guesses = {"true": [0.0, 0.0, 0.2, 0.2], "off": [0.5, 0.5, 1.0, 1.0], "beside": [0.0, 0.0, 0.4, 0.2]}
    arrays = {name: np.array([[[0, 0, 0, 0], box]]) for name, box in guesses.items()}
    found = compare([truth()], ("bag", "hat"), (200, 100), arrays)
    assert found["true"][:, 0, 1].tolist() == [1, pytest.approx(1)]
    assert found["off"][:, 0, 1].tolist() == [0, 0]
    assert found["beside"][:, 0, 1].tolist() == [0, pytest.approx(0.5)]  # its centre is the mask's right edge
    assert np.isnan(found["true"][:, 0, 0]).all()


def test_a_centre_off_the_picture_hits_nothing():
    mask = np.ones((10, 10), bool)
    assert hit(mask, (0.0, 0.0, 10.0, 10.0))
    assert not hit(mask, (-12.0, 0.0, -2.0, 10.0))
    assert not hit(mask, (9.0, 9.0, 11.5, 11.5))


def test_overlap_worked_by_hand():
    assert intersection_over_union((0.0, 0.0, 2.0, 2.0), (1.0, 1.0, 3.0, 3.0)) == pytest.approx(1 / 7)
    assert intersection_over_union((0.0, 0.0, 1.0, 1.0), (1.0, 1.0, 2.0, 2.0)) == 0


def test_labels_count_once_each_and_only_with_enough_photos():
    values = np.full((6, 3), np.nan)
    values[:4, 0] = 1, 1, 0, 0
    values[:2, 1] = 1, 1
    values[5, 2] = 0
    assert mean_over_labels(values, min_photos=2) == pytest.approx((0.5 + 1) / 2)
    assert mean_over_labels(values, min_photos=4) == pytest.approx(0.5)
    assert np.isnan(mean_over_labels(values, min_photos=5))


def test_resamples_weigh_photos_as_repeating_them_would():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((30, 4)) < 0.6, rng.random((30, 4)), np.nan)
    drawn = rng.integers(0, 30, (5, 30))
    counts = np.stack([np.bincount(row, minlength=30) for row in drawn])
    kept = np.isfinite(values).sum(0) >= 3
    expected = [np.nanmean(np.nanmean(values[row][:, kept], 0)) for row in drawn]
    np.testing.assert_allclose(mean_over_labels(values, counts, min_photos=3), expected)


def test_centres_that_move_with_the_garment_correlate_and_constant_ones_do_not():
    rng = np.random.default_rng(0)
    true = np.full((40, 2, 4), np.nan)
    corner = rng.uniform(0, 0.5, (40, 2))
    true[:, 0] = np.concatenate([corner, corner + 0.2], 1)
    assert centre_correlation(np.nan_to_num(true), true) == pytest.approx(1)
    assert centre_correlation(1 - np.nan_to_num(true), true) == pytest.approx(-1)
    assert centre_correlation(np.full(true.shape, 0.3), true) == 0


def test_the_winning_box_is_that_of_the_step_with_the_highest_score():
    steps = np.array([[[0.1, 0.9], [0.5, 0.2]]])  # a photo, two steps, two labels
    boxes = np.array([[[0, 0, 1, 1], [0.2, 0.2, 0.4, 0.4]]])
    winners = winning_steps(steps)
    assert winners.tolist() == [[1, 0]]
    np.testing.assert_allclose(winning_boxes(boxes, winners)[0], [[0.2, 0.2, 0.4, 0.4], [0, 0, 1, 1]])
