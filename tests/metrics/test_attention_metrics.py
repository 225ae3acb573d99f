"""Attention statistics, worked by hand and against known movements."""

import numpy as np
import pytest

from fashionlib.metrics.attention import attention_statistics, following

LEFT, RIGHT, OFF = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0], [0.75, 0.0, 1.25, 1.0]


def test_overlap_area_and_share_off_the_picture_worked_by_hand():
    boxes = np.array([[LEFT, RIGHT, OFF]])
    state = attention_statistics(boxes, np.array([[0, 2]]), np.array([[1.0, 1.0]]))
    assert state.overlap == pytest.approx((0 + 0 + 0.25 / 0.75) / 3)
    assert state.area == pytest.approx((0.5 + 0.5 + 0.25) / 3)
    assert state.outside == pytest.approx(0.5 / 3)
    assert state.movement == 0


def test_wins_are_shares_of_the_photos_that_carry_the_label():
    boxes = np.tile([LEFT, RIGHT], (3, 1, 1)).reshape(3, 2, 4)
    winners = np.array([[0, 1], [1, 1], [-1, 0]])  # on the third the whole picture won label 0
    targets = np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(attention_statistics(boxes, winners, targets).wins, [[1 / 3, 1 / 2], [1 / 3, 1 / 2]])


def test_movement_is_the_spread_of_the_centres_and_equal_boxes_overlap_wholly():
    boxes = np.tile(np.array(LEFT), (2, 3, 1))
    boxes[1] += [0.2, 0.1, 0.2, 0.1]
    state = attention_statistics(boxes, np.zeros((2, 1), int), np.ones((2, 1)))
    assert state.movement == pytest.approx((0.2 + 0.1) / 2)
    assert state.overlap == pytest.approx(1)


def test_a_single_step_overlaps_with_none_and_empty_boxes_do_not_divide_by_zero():
    one = attention_statistics(np.array([[LEFT]]), np.zeros((1, 1), int), np.ones((1, 1)))
    assert np.isnan(one.overlap)
    assert one.area == 0.5
    empty = np.zeros((1, 2, 4))
    assert attention_statistics(empty, np.zeros((1, 1), int), np.ones((1, 1))).overlap == 0


@pytest.mark.parametrize(("share", "slope"), [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_the_slope_is_the_share_of_the_true_movement_that_a_box_makes(share, slope):
    rng = np.random.default_rng(0)
    theta = np.concatenate([rng.uniform(0.8, 1.2, (300, 1)).repeat(2, 1), rng.uniform(-0.4, 0.4, (300, 2))], 1)
    centres = rng.normal(0, 0.2, (300, 3, 2))
    true = (centres - theta[:, None, 2:]) / theta[:, None, :2] - centres
    slopes = following(centres, centres + share * true + 0.001 * rng.normal(size=true.shape), theta)
    np.testing.assert_allclose(slopes, np.full((3, 2), slope), atol=0.01)
