"""The network as a whole: its recurrence against one written out, its parts reached by gradients, its options."""

import pytest
import torch

from fashionlib.errors import InputError
from fashionlib.models.attention import anchor_boxes, crop
from fashionlib.models.parser import Parser, ParserOptions, PersonFrame, within
from fashionlib.models.whole import WholeImage

MAPS = (3, 8, 6, 4)


def parser(**options):
    torch.manual_seed(0)
    defaults = {"steps": 3, "reduce": 4, "hidden": 5, "codewords": 2, "region": (2, 2)}
    return Parser(8, 7, ParserOptions(**{**defaults, **options})).eval()


def test_the_paper_configuration_equals_its_recurrence_written_out():
    net = parser(reduce=0, scores_from="state", texture="scores", score_whole=False, anchors="circle")
    torch.nn.init.normal_(net.locate.predict.weight, std=0.1)
    maps, anchors = torch.randn(MAPS), anchor_boxes("circle", 3)
    box, hidden, cell, scores = torch.tensor([[1.0, 1, 0, 0]] * 3), torch.zeros(3, 5), torch.zeros(3, 5), []
    for step in range(4):
        cells = crop(maps, box, (2, 2)).flatten(2).transpose(1, 2)
        gates = net.describe[1](cells) @ net.lstm.weight_ih.T + net.lstm.bias_ih + hidden @ net.lstm.weight_hh.T + net.lstm.bias_hh
        i, f, g, o = gates.chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        scores.append(net.score(hidden))
        if step < 3:
            box = anchors[step] + net.locate.predict(hidden)
    output = net(maps)
    torch.testing.assert_close(output.steps, torch.stack(scores[1:], 1))
    torch.testing.assert_close(output.scores, torch.stack(scores[1:], 1).max(1).values)


def test_every_step_starts_at_its_anchor():
    output = parser(anchors="body")(torch.randn(MAPS))
    expected = torch.cat([torch.tensor([[1.0, 1, 0, 0]]), anchor_boxes("body", 3)])
    torch.testing.assert_close(output.theta, expected.expand(3, 4, 4))


def test_labels_are_scored_by_their_best_step():
    output = parser()(torch.randn(MAPS))
    assert output.steps.shape == (3, 4, 7)
    torch.testing.assert_close(output.scores, output.steps.max(1).values)


@pytest.mark.parametrize("options", [{}, {"texture": "scores", "scores_from": "state"}, {"frame": "person"}], ids=str)
def test_gradients_reach_every_weight(options):
    net = parser(**options, localisation=1.0, divergence=0.01).train()
    torch.nn.init.normal_(net.locate.predict.weight, std=0.1)
    output = net(torch.randn(MAPS))
    sum(net.loss(output, torch.ones(3, 7)).values()).backward()
    unreached = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert unreached == []


def test_the_texture_head_beside_does_not_pull_at_the_attention():
    net = parser(texture="beside")
    output = net(torch.randn(MAPS))
    net.loss(output, torch.ones(3, 7))["texture"].backward()
    assert net.texture.codewords.grad is not None
    assert net.lstm.weight_ih.grad is None
    assert all(p.grad is None for p in net.reduce.parameters())


def test_the_loss_has_the_papers_three_terms_with_their_factors():
    net = parser(localisation=1.0, divergence=0.01, texture="none")
    output, targets = net(torch.randn(MAPS)), torch.ones(3, 7)
    single = parser(localisation=2.0, divergence=0.03, texture="none")
    once, more = net.loss(output, targets), single.loss(output, targets)
    assert set(once) == {"classification", "localisation", "divergence"}
    assert float(more["localisation"]) == pytest.approx(2 * float(once["localisation"]))
    assert float(more["divergence"]) == pytest.approx(3 * float(once["divergence"]))


def test_six_affine_numbers_start_at_the_same_boxes():
    four, six = parser(numbers=4)(torch.randn(MAPS)), parser(numbers=6)(torch.randn(MAPS))
    torch.testing.assert_close(six.theta[..., [0, 4, 2, 5]], four.theta)


def test_a_flat_attention_map_frames_the_whole_picture():
    frame = PersonFrame(4)(torch.randn(2, 4, 6, 5))
    torch.testing.assert_close(frame, torch.tensor([[1.0, 1, 0, 0]] * 2))


def test_the_person_frame_follows_a_person_who_moves():
    frame = PersonFrame(1)
    with torch.no_grad():
        frame.attend.weight.fill_(20.0)
    maps = torch.zeros(2, 1, 8, 8)
    maps[0, 0, 1:5, 2:4] = 1
    maps[1, 0, 3:7, 3:5] = 1  # two cells lower, one to the right
    here, there = frame(maps)
    torch.testing.assert_close(there[2:] - here[2:], torch.tensor([2 / 8, 4 / 8]), atol=1e-3, rtol=0)
    torch.testing.assert_close(here, torch.tensor([2 / 8, 4 / 8, -2 / 8, -2 / 8]), atol=1e-2, rtol=0)


def test_a_box_in_a_frame_is_scaled_then_moved():
    frame, theta = torch.tensor([[0.5, 0.25, 0.1, -0.2]]), torch.tensor([[0.4, 0.4, 1.0, -1.0]])
    torch.testing.assert_close(within(frame, theta), torch.tensor([[0.2, 0.1, 0.6, -0.45]]))


def test_options_that_do_not_go_together_are_refused():
    with pytest.raises(InputError, match="numbers 4"):
        parser(numbers=6, frame="person")


def test_the_whole_image_rival_pools_then_classifies():
    torch.manual_seed(0)
    net = WholeImage(8, 7).eval()
    maps = torch.randn(MAPS)
    output = net(maps)
    pooled = maps.mean((2, 3)) / (1 + net.normalise.eps) ** 0.5  # batch norm as it starts
    torch.testing.assert_close(output.features[:, 0], pooled)
    torch.testing.assert_close(output.scores, net.classify(net.describe(pooled)))


@pytest.mark.parametrize("make", [parser, lambda: WholeImage(8, 7)], ids=["parser", "whole"])
def test_a_head_learns_where_a_bright_spot_is(make):
    """Seven labels, each a channel pattern: after a few steps the loss has fallen well below its start."""
    torch.manual_seed(0)
    net = make().train()
    targets = torch.eye(7).repeat(6, 1)
    maps = torch.einsum("bl,ld->bd", targets, torch.randn(7, 8))[:, :, None, None] + 0.1 * torch.randn(42, 8, 6, 4)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    values = []
    for _ in range(60):
        loss = sum(net.loss(net(maps), targets).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(float(loss.detach()))
    assert values[-1] < 0.5 * values[0]
