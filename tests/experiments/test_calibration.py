"""Calibrated probabilities."""

import numpy as np

from benchmarks.calibration import best_threshold, expected_calibration_error, platt, reliability


def drawn(pairs=20_000):
    draw = np.random.default_rng(0)
    scores = draw.normal(0, 2, pairs)
    shown = draw.random(pairs) < 1 / (1 + np.exp(-(0.5 * scores - 1)))
    return scores, shown


def test_platt_finds_the_line_that_made_the_pairs():
    np.testing.assert_allclose(platt(*drawn()), (0.5, -1), atol=0.05)


def test_calibrated_probabilities_have_a_smaller_error():
    scores, shown = drawn()
    before = expected_calibration_error(1 / (1 + np.exp(-scores)), shown)
    after = expected_calibration_error(1 / (1 + np.exp(-(0.5 * scores - 1))), shown)
    assert after < 0.02 < before


def test_reliability_by_hand():
    table = reliability(np.array([0.1, 0.15, 0.9]), np.array([False, True, True]), bins=2)
    np.testing.assert_allclose(table, [[0.125, 0.5, 2 / 3], [0.9, 1, 1 / 3]])
    np.testing.assert_allclose(
        expected_calibration_error(np.array([0.1, 0.15, 0.9]), np.array([False, True, True]), bins=2),
        0.375 * 2 / 3 + 0.1 / 3,
    )


def test_the_threshold_with_the_best_f1():
    assert best_threshold(np.array([0.1, 0.32, 0.4, 0.9]), np.array([False, False, True, True])) == 0.35
