"""The trunk laid out for speed says the same, to the last digits, on photos of every kind of size."""

import copy

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import nn

from fashionlib.models.backbones import build_trunk, fold
from fashionlib.models.fold_padding import swift


@pytest.mark.parametrize("size", [(96, 64), (100, 75), (65, 47)])  # even throughout, and odd at one depth or another
def test_maps_stay_the_same(size):
    trunk = fold(build_trunk("lite0", depths=[16, 32], stride=32))
    photos = torch.rand(2, 3, *size)
    with torch.inference_mode():
        expected = trunk(photos)
        found = swift(copy.deepcopy(trunk), size)(photos)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_no_padding_by_copies_is_left():
    trunk = swift(fold(build_trunk("lite0", depths=[16, 32], stride=32)), (96, 64))
    assert not [module for module in trunk.modules() if isinstance(module, Conv2dSame)]


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("side", [8, 9, 10, 11])
def test_a_strided_convolution_keeps_its_padding_of_tensorflow(kernel, side):
    net = nn.Sequential(Conv2dSame(3, 6, kernel, 2, groups=3), nn.ReLU6())
    photos = torch.rand(1, 3, side, side + 1)
    with torch.inference_mode():
        torch.testing.assert_close(swift(copy.deepcopy(net), (side, side + 1))(photos), net(photos))


def test_a_trunk_without_such_padding_is_left_as_it_is():
    trunk = build_trunk("paper").eval()
    photos = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(swift(copy.deepcopy(trunk), (64, 64))(photos), trunk(photos))
