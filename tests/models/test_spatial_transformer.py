"""The spatial transformer's crop against a loop, and boxes worked by hand."""

import math

import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.models.spatial_transformer import affine_matrix, anchor_boxes, boxes_of, crop, crop_weights


def bilinear(plane, y, x):
    """The value at (y, x) in cells, cell centres at whole numbers, zero outside."""
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                total += weight * float(plane[row, column])
    return total


def crop_by_loop(plane, theta, size):
    s_x, s_y, t_x, t_y = theta.tolist()
    out = torch.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
            u, v = (2 * j + 1) / size[1] - 1, (2 * i + 1) / size[0] - 1
            x, y = s_x * u + t_x, s_y * v + t_y
            out[i, j] = bilinear(plane, (y + 1) * plane.shape[0] / 2 - 0.5, (x + 1) * plane.shape[1] / 2 - 0.5)
    return out


@pytest.mark.parametrize(
    "theta", [(1, 1, 0, 0), (0.4, 0.3, 0.2, -0.5), (0.5, 0.5, 0.9, 0.9), (-0.4, 0.3, 0, 0)], ids=str
)
def test_crop_equals_a_bilinear_loop(theta):
    torch.manual_seed(0)
    maps, theta = torch.randn(1, 2, 6, 4), torch.tensor([theta], dtype=torch.float32)
    cropped = crop(maps, theta, (3, 5))
    for channel in range(2):
        expected = crop_by_loop(maps[0, channel], theta[0], (3, 5))
        torch.testing.assert_close(cropped[0, channel], expected, atol=1e-5, rtol=1e-5)


def test_the_whole_picture_at_its_own_size_is_left_as_it_is():
    maps = torch.randn(2, 3, 6, 4)
    whole = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).expand(2, 4)
    torch.testing.assert_close(crop(maps, whole, (6, 4)), maps)


def test_crop_has_right_gradients_for_map_and_box():
    torch.manual_seed(1)
    maps = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    theta = torch.tensor([[0.43, 0.37, 0.11, -0.21]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m, t: crop(m, t, (3, 3)), (maps, theta))


def test_a_box_becomes_corners_of_the_picture():
    boxes = boxes_of(torch.tensor([[0.5, 0.25, 0.0, -0.5], [-0.5, 1.0, 0.5, 0.0]]))
    torch.testing.assert_close(boxes, torch.tensor([[0.25, 0.125, 0.75, 0.375], [0.5, 0.0, 1.0, 1.0]]))


def test_six_numbers_are_a_matrix_row_by_row():
    six = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    assert affine_matrix(six).tolist() == [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]
    four = torch.tensor([[0.5, 0.25, 0.1, 0.2]])
    torch.testing.assert_close(affine_matrix(four)[0], torch.tensor([[0.5, 0.0, 0.1], [0.0, 0.25, 0.2]]))


def test_body_anchors_go_down_and_circle_anchors_lie_on_the_circle():
    body, circle = anchor_boxes("body", 5), anchor_boxes("circle", 9)
    assert (body[:, 3].diff() > 0).all()
    assert (body[:, 2] == 0).all()
    torch.testing.assert_close(circle[:, 2:].norm(dim=1), torch.full((9,), 0.5))


def test_stripes_tile_the_picture():
    boxes = boxes_of(anchor_boxes("stripes", 4))
    torch.testing.assert_close(boxes[:, 1], torch.tensor([0, 0.25, 0.5, 0.75]))
    torch.testing.assert_close(boxes[:, 3], torch.tensor([0.25, 0.5, 0.75, 1]))
    assert (boxes[:, 0] == 0).all()
    assert (boxes[:, 2] == 1).all()


def test_an_unknown_layout_is_named():
    with pytest.raises(InputError, match=r"spiral.*body, circle"):
        anchor_boxes("spiral", 3)


def test_crop_weights_give_the_mean_over_the_crop():
    torch.manual_seed(0)
    maps, theta = torch.randn(5, 3, 6, 4, dtype=torch.float64), 0.8 * torch.randn(5, 4, dtype=torch.float64)
    expected = crop(maps, theta, (3, 2)).mean((2, 3))
    weights = crop_weights(theta, (3, 2), (6, 4))
    torch.testing.assert_close((weights.unsqueeze(1) @ maps.flatten(2).transpose(1, 2)).squeeze(1), expected)


def test_crop_weights_have_the_crops_gradient():
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 6, 4, dtype=torch.float64)
    theta = (0.4 * torch.randn(2, 4, dtype=torch.float64)).requires_grad_()
    through_crop = torch.autograd.grad(crop(maps, theta, (2, 2)).mean((2, 3)).sum(), theta)[0]
    mean = crop_weights(theta, (2, 2), (6, 4)).unsqueeze(1) @ maps.flatten(2).transpose(1, 2)
    torch.testing.assert_close(torch.autograd.grad(mean.sum(), theta)[0], through_crop)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels-last"])
def test_a_crop_of_a_bf16_map_is_that_of_the_same_map_in_fp32(layout):
    """As a trained trunk hands its maps on under autocast. Earlier values in memory must not show in the result."""
    theta = torch.tensor([[1.0, 1, 0, 0], [0.317, 0.243, 0.211, -0.487]]).repeat(4, 1)
    for seed in range(5):
        torch.manual_seed(seed)
        used = [torch.full((8, 256, 24, 16), math.nan) for _ in range(2)]
        del used
        maps = torch.randn(8, 256, 24, 16).bfloat16().contiguous(memory_format=layout).requires_grad_()
        exact = maps.detach().float().contiguous().requires_grad_()
        found, expected = crop(maps, theta, (4, 4)), crop(exact, theta, (4, 4))
        torch.testing.assert_close(found, expected)
        (found.square().sum() + expected.square().sum()).backward()
        torch.testing.assert_close(maps.grad.float(), exact.grad, rtol=0.02, atol=0.02)
