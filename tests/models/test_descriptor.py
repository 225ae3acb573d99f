"""Colours on the grid, and the projected features of a photo and its parts."""

import math

import numpy as np
import torch
from torch import nn

from fashionlib.models.descriptor import Colours, Descriptor, WholePhoto, covered, histogram, to_lab
from fashionlib.models.parser import Parser, ParserOptions


def test_lab_of_known_colours():
    rgb = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).T[None]
    lab = to_lab(rgb)[0].T.numpy()
    np.testing.assert_allclose(lab, [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]], atol=0.3)


def test_a_cells_colours_sum_to_the_share_that_the_photo_covers():
    images = torch.full((1, 3, 64, 64), 127 / 255)  # the letterbox's grey
    images[:, :, 16:48] = torch.tensor([0.8, 0.1, 0.1])[:, None, None]
    colours = Colours()(images, (4, 4))
    torch.testing.assert_close(colours.sum(1)[0].sum(1), torch.tensor([0.0, 4.0, 4.0, 0.0]))
    whole = covered(colours.flatten(2), 16)
    assert whole.sum() == 1
    assert whole[0, 0, :4].sum() == 0


def test_a_step_carries_the_whole_photo_and_its_own_region_at_length_one():
    torch.manual_seed(0)
    parser = Parser(
        (8, 16), 5, ParserOptions(steps=3, hidden=16, reduce=16, texture="none", compare="projected")
    ).eval()
    nn.init.normal_(parser.descriptor.projection)
    nn.init.normal_(parser.descriptor.colour_projection)
    images = torch.rand(2, 3, 64, 64)
    maps = torch.cat([torch.rand(2, 24, 4, 4), Colours()(images, (4, 4))], 1)
    with torch.no_grad():
        output = parser(maps)
    numbers = Descriptor.numbers
    assert output.features.shape == (2, 4, 2 * numbers)
    torch.testing.assert_close(output.features.norm(dim=-1), torch.ones(2, 4))
    whole = output.features[..., :numbers]
    torch.testing.assert_close(whole, whole[:, :1].expand_as(whole))
    torch.testing.assert_close(whole.norm(dim=-1).square(), torch.full((2, 4), 0.7))
    torch.testing.assert_close(output.features[:, 0, numbers:] / 0.3**0.5, whole[:, 0] / 0.7**0.5)  # step 0 is whole


def test_histograms_are_of_length_one():
    colours = Colours()(torch.rand(2, 3, 32, 32), (2, 2)).flatten(2)
    found = histogram(colours, covered(colours, 4))
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(2, 1))


def test_the_classifier_of_garments_alone_counts_on_photos_that_its_gate_lets_through_and_for_its_classes():
    whole = WholePhoto((2,), 3, share=0.4, alone_share=0.5).eval()
    with torch.no_grad():
        for linear in (whole.worn.classify, whole.alone, whole.gate):
            linear.weight.zero_(), linear.bias.zero_()
        whole.worn.classify.bias += 0.5  # the mean over cells and the attended score are 0.5 each
        whole.gate.weight[:, :2] += torch.tensor([[100.0, -100.0]])
        whole.classes[:2] = 1
    steps, pooled = torch.full((2, 1, 3), -2.0), torch.eye(2, whole.gate.in_features)
    found = whole(steps, torch.rand(2, 2, 3, 4), pooled)[:, 0]
    mixed = 0.6 * -2 + 0.4 * 1
    half = 0.5 * mixed + 0.5 * math.log(0.5)
    torch.testing.assert_close(found, torch.tensor([[half, half, mixed], [mixed] * 3]))
