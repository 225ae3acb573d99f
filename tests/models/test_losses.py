"""Every loss against numpy written from its formula, by hand where that is short, and by numerical gradients."""

import numpy as np
import pytest
import torch

from fashionlib.models import losses
from fashionlib.models.spatial_transformer import box_indicator

TORCH = torch.float64


def theta(*rows):
    return torch.tensor([rows], dtype=TORCH)


def test_euclidean_is_the_squared_distance_of_softmax_to_the_tags_shares():
    scores = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0], [0.5, -1.0, 0.0]])
    targets = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # two tags, none, one
    softmax = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    shares = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    expected = ((softmax - shares) ** 2).sum(1).mean()
    assert float(losses.euclidean(torch.tensor(scores), torch.tensor(targets))) == pytest.approx(expected)


def test_logistic_is_binary_cross_entropy_summed_over_labels():
    scores, targets = np.array([[1.5, -2.0], [0.3, 0.7]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    p = 1 / (1 + np.exp(-scores))
    expected = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum(1).mean()
    assert float(losses.logistic(torch.tensor(scores), torch.tensor(targets))) == pytest.approx(expected)


def test_one_tag_is_cross_entropy_of_photos_with_one_tag_over_known_and_unknown_labels():
    scores = torch.tensor([[1.0, 2.0, 0.5], [3.0, 0.0, 0.0], [0.5, -1.0, 0.0]], dtype=TORCH)
    targets = torch.tensor([[1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 0.0, -1.0]], dtype=TORCH)  # one tag, two, none
    expected = (np.log(np.exp([1.0, 2.0, 0.5]).sum()) - 1.0) / 3
    np.testing.assert_allclose(losses.one_tag(scores, targets), expected)
    assert losses.one_tag(scores[1:], targets[1:]) == 0


def test_scale_counts_only_what_is_wider_or_higher_than_half():
    assert float(losses.scale(theta((0.5, -0.4, 9, 9)))) == 0
    assert float(losses.scale(theta((0.7, -0.9, 0, 0), (0.5, 0.5, 0, 0)))) == pytest.approx((0.04 + 0.16) / 2)


def test_positive_counts_what_is_smaller_than_a_tenth_or_mirrored():
    assert float(losses.positive(theta((0.1, 0.2, 0, 0)))) == 0
    assert float(losses.positive(theta((-0.2, 0.05, 0, 0)))) == pytest.approx(0.3 + 0.05)


def test_anchor_is_half_the_squared_distance_to_each_steps_own_place():
    anchors = torch.tensor([[0.0, 0.5], [0.5, 0.0]], dtype=TORCH)
    value = losses.anchor(theta((1, 1, 0.3, 0.5), (1, 1, 0.5, 0.4)), anchors)
    assert float(value) == pytest.approx(0.5 * (0.09 + 0.16) / 2)


def test_localisation_weighs_its_three_terms_as_wang_et_al_do():
    boxes, anchors = theta((0.8, 0.05, 0.1, 0.2)), torch.tensor([[0.0, 0.0]], dtype=TORCH)
    expected = 0.3**2 + 0.01 * 0.5 * (0.01 + 0.04) + 0.1 * 0.05
    assert float(losses.localisation(boxes, anchors)) == pytest.approx(expected)


def test_divergence_is_the_product_of_neighbouring_maps_only():
    maps = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]]])
    assert float(losses.divergence(maps)) == pytest.approx(0.5)  # steps 1 and 3 agree, but are no neighbours
    apart = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    assert float(losses.divergence(apart)) == 0


def test_gram_divergence_is_the_mean_of_all_products_with_the_diagonal():
    features = torch.tensor([[[1.0, 2.0], [3.0, -1.0]]])
    expected = np.array([[5.0, 1.0], [1.0, 10.0]]).mean()
    assert float(losses.gram_divergence(features)) == pytest.approx(expected)


def test_box_indicator_sums_to_one_and_lies_in_the_box():
    maps = box_indicator(theta((0.5, 0.25, 0.5, -0.75), (1, 1, 0, 0)), (8, 8), sharpness=50.0)
    torch.testing.assert_close(maps.sum(-1), torch.ones(1, 2, dtype=TORCH))
    inside = maps[0, 0].unflatten(0, (8, 8))[:2, 4:]  # the top quarter of the right half
    assert float(inside.detach().sum()) == pytest.approx(1, abs=1e-6)
    assert float(maps[0, 1].detach().std()) == pytest.approx(0, abs=1e-3)


def test_boxes_that_overlap_more_diverge_less():
    def value(shift):
        boxes = theta((0.3, 0.3, -shift, 0), (0.3, 0.3, shift, 0))
        return float(losses.divergence(box_indicator(boxes, (16, 16))).detach())

    assert value(0.0) > value(0.15) > value(0.6)


ANCHORS = torch.tensor([[0.1, 0.2], [-0.3, 0.4]], dtype=TORCH)
BOXES = theta((0.71, 0.03, 0.15, -0.2), (0.33, 0.62, -0.45, 0.3))


@pytest.mark.parametrize(
    ("loss", "argument"),
    [
        (lambda x: losses.euclidean(x, torch.eye(3, dtype=TORCH)), torch.randn(3, 3, dtype=TORCH)),
        (lambda x: losses.logistic(x, torch.eye(3, dtype=TORCH)), torch.randn(3, 3, dtype=TORCH)),
        (losses.scale, BOXES),
        (losses.positive, BOXES),
        (lambda x: losses.anchor(x, ANCHORS), BOXES),
        (lambda x: losses.localisation(x, ANCHORS), BOXES),
        (losses.divergence, torch.rand(2, 3, 4, dtype=TORCH)),
        (losses.gram_divergence, torch.randn(2, 3, 4, dtype=TORCH)),
        (lambda x: losses.divergence(box_indicator(x, (6, 5))), BOXES),
    ],
    ids=["euclidean", "logistic", "scale", "positive", "anchor", "localisation", "divergence", "gram", "boxes"],
)
def test_every_loss_has_right_gradients(loss, argument):
    assert torch.autograd.gradcheck(loss, (argument.detach().clone().requires_grad_(),))
