"""A trunk in ONNX Runtime gives torch's maps, for any number of photos, and one it cannot take stays in torch."""

import pytest
import torch
from torch import nn

from fashionlib.core.device import on_every_core
from fashionlib.models.backbones import build_trunk, fold
from fashionlib.models.fold_padding import swift
from fashionlib.models.onnx_backbone import RuntimeTrunk, in_runtime


@pytest.mark.parametrize("depths", [(16, 32), (8, 32)])
def test_maps_are_those_of_torch_for_any_number_of_photos(depths):
    trunk = swift(fold(build_trunk("lite0", depths=depths, stride=32)), (96, 64))
    found = RuntimeTrunk(trunk, (96, 64))
    for photos in (1, 3, 16):
        images = torch.rand(photos, 3, 96, 64)
        with torch.inference_mode():
            torch.testing.assert_close(found(images), trunk(images), rtol=1e-4, atol=1e-4)


def test_several_threads_may_call_it_at_once():
    found, photos = RuntimeTrunk(nn.Conv2d(3, 6, 3), (96, 64)), torch.rand(40, 3, 96, 64)
    at_once = torch.cat(list(on_every_core(found, photos.split(1))))
    torch.testing.assert_close(at_once, found(photos), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 6, 3, padding=(1, 0), bias=False),
        nn.Conv2d(3, 6, 3, stride=(2, 1), groups=3),
        nn.Conv2d(3, 5, (3, 2), padding=2, dilation=2),
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU6(inplace=True)),
        nn.Hardtanh(0.2, 0.7),
        nn.AdaptiveAvgPool2d((3, 2)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_each_operation_is_torchs(layer):
    images = torch.rand(2, 3, 12, 8) * 9 - 1
    with torch.inference_mode():
        torch.testing.assert_close(RuntimeTrunk(layer, (12, 8))(images), layer(images), rtol=1e-5, atol=1e-5)


def test_arithmetic_keeps_the_order_of_its_sides():
    class Sides(nn.Module):
        def forward(self, images):
            halved = (images - 0.25) / 0.5
            return torch.cat([halved, halved - images, images / (halved + 9)], dim=1)

    images = torch.rand(2, 3, 12, 8)
    torch.testing.assert_close(RuntimeTrunk(Sides(), (12, 8))(images), Sides()(images))


class Twice(nn.Module):
    def forward(self, images):
        return torch.add(images, images, alpha=2)


@pytest.mark.parametrize(
    "trunk", [nn.AdaptiveAvgPool2d((5, 3)), nn.Softplus(), Twice()], ids=["uneven cells", "no word", "more to a word"]
)
def test_a_trunk_that_cannot_be_said_in_its_words_stays_as_it_is(trunk):
    with pytest.raises(NotImplementedError, match=r"evenly|softplus|alpha"):
        RuntimeTrunk(trunk, (12, 8))
    assert in_runtime(trunk, (12, 8)) is trunk
