"""The network as a whole: its recurrence against one written out, its parts reached by gradients, its options."""

import pytest
import torch

from fashionlib.models.attention import BoxLocator, MapLocator, attended_scores, moments
from fashionlib.models.baselines.csra import CSRA, CSRAOptions
from fashionlib.models.baselines.whole import WholeImage, WholeOptions
from fashionlib.models.parser import Parser, ParserOptions
from fashionlib.models.spatial_transformer import anchor_boxes, boxes_of, crop
from fashionlib.models.st_lstm import ReleasedCell

MAPS = (3, 8, 6, 4)


def parser(**options):
    torch.manual_seed(0)
    defaults = {"steps": 3, "reduce": 4, "hidden": 5, "codewords": 2, "region": (2, 2)}
    return Parser((3, 5), 7, ParserOptions(**{**defaults, **options})).eval()


def test_the_paper_configuration_equals_its_recurrence_written_out():
    net = parser(reduce=0, look="state", scores_from="state", cells="none", texture="scores", score_whole=False,
                 anchors="circle")  # fmt: skip
    torch.nn.init.normal_(net.locate.predict.weight, std=0.1)
    maps, anchors = torch.randn(MAPS), anchor_boxes("circle", 3)
    box, hidden, cell, scores = torch.tensor([[1.0, 1, 0, 0]] * 3), torch.zeros(3, 5), torch.zeros(3, 5), []
    for step in range(4):
        cells = crop(maps, box, (2, 2)).flatten(2).transpose(1, 2)
        inner = net.describe[1](cells) @ net.lstm.weight_ih.T + net.lstm.bias_ih
        gates = inner + hidden @ net.lstm.weight_hh.T + net.lstm.bias_hh
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
    output = parser(look="state", anchors="body")(torch.randn(MAPS))
    expected = torch.cat([torch.tensor([[1.0, 1, 0, 0]]), anchor_boxes("body", 3)])
    torch.testing.assert_close(output.theta, expected.expand(3, 4, 4))


def test_labels_are_scored_by_their_best_step():
    output = parser()(torch.randn(MAPS))
    assert output.steps.shape == (3, 4, 7)
    torch.testing.assert_close(output.scores, output.steps.max(1).values)


def test_parts_may_say_what_they_change_of_the_whole_pictures_scores():
    maps = torch.randn(MAPS)
    own = parser()(maps)
    added = parser(score_whole=False, add_whole=True)(maps)
    torch.testing.assert_close(added.steps, own.steps[:, :1] + own.steps[:, 1:])
    torch.testing.assert_close(added.scores, own.steps[:, 0] + own.steps[:, 1:].max(1).values)
    torch.testing.assert_close(added.theta, own.theta[:, 1:])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"look": "state", "texture": "scores", "scores_from": "state"},
        {"look": "state", "cell": "released", "numbers": 6},
        {"look": "learned"},
        {"cells": "mean"},
        {"cells": "attend", "look": "state"},
    ],
    ids=str,
)
def test_gradients_reach_every_weight(options):
    net = parser(**options, localisation=1.0, divergence=0.01).train()
    if net.options.look == "state":
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
    assert all(p.grad is None for p in [*net.reduce.parameters(), *net.locate.parameters()])


def test_the_loss_has_the_papers_three_terms_with_their_factors():
    net = parser(localisation=1.0, divergence=0.01, texture="none")
    output, targets = net(torch.randn(MAPS)), torch.ones(3, 7)
    single = parser(localisation=2.0, divergence=0.03, texture="none")
    once, more = net.loss(output, targets), single.loss(output, targets)
    assert set(once) == {"classification", "localisation", "divergence"}
    assert more["localisation"].item() == pytest.approx(2 * once["localisation"].item())
    assert more["divergence"].item() == pytest.approx(3 * once["divergence"].item())


def test_the_released_localisation_loss_is_a_constant_of_the_last_box_and_the_first_anchor():
    net = parser(look="state", localisation=0.1, localisation_of="constant", texture="none")
    torch.nn.init.normal_(net.locate.predict.weight, std=0.5)
    output = net(torch.randn(MAPS))
    value = net.loss(output, torch.ones(3, 7))["localisation"]
    assert not value.requires_grad
    last, first = output.theta[:, -1].detach(), anchor_boxes("circle", 3)[0, 2:]
    size = (last[:, :2].abs() - 0.5).clamp(min=0).square().sum(1) + 0.1 * (0.1 - last[:, :2]).clamp(min=0).sum(1)
    expected = 0.1 * (size + 0.01 * 0.5 * (last[:, 2:] - first).square().sum(1)).mean()
    torch.testing.assert_close(value, expected)


def test_the_localisation_loss_pulls_the_boxes_to_a_layout_of_its_own():
    net = parser(look="state", anchors="centre", pull="circle", localisation=1.0, texture="none")
    value = net.loss(net(torch.randn(MAPS)), torch.ones(3, 7))["localisation"]
    assert value.item() == pytest.approx(
        2 * 0.5**2 + 0.01 * 0.5 * 0.5**2
    )  # whole pictures, half a unit from the circle


def test_the_released_cell_is_an_lstm_without_its_last_tanh():
    torch.manual_seed(0)
    released, lstm = ReleasedCell(4, 3), torch.nn.LSTMCell(4, 3)
    lstm.load_state_dict(released.state_dict())
    inputs, state = torch.randn(2, 4), (torch.randn(2, 3), torch.randn(2, 3))
    for given in (None, state):
        (hidden, cell), (expected, expected_cell) = released(inputs, given), lstm(inputs, given)
        torch.testing.assert_close(cell, expected_cell)
        torch.testing.assert_close(hidden / cell, expected / expected_cell.tanh())


@pytest.mark.parametrize("look", ["fixed", "learned"])
def test_controls_look_at_the_same_boxes_on_every_photo(look):
    net = parser(look=look, anchors="stripes")
    if look == "learned":
        torch.nn.init.normal_(net.locate.change, std=0.1)
    output = net(torch.randn(MAPS))
    assert output.theta[:, 1:].std(0).max() == 0
    expected = anchor_boxes("stripes", 3) + (net.locate.change if look == "learned" else 0)
    torch.testing.assert_close(output.theta[0, 1:], expected)


def test_the_map_of_a_box_is_its_indicator():
    locate = BoxLocator("fixed", torch.tensor([[0.5, 0.5, 0.5, -0.5]]), hidden=2)
    theta, attention = locate(torch.zeros(1, 2), 0, (8, 8))
    torch.testing.assert_close(boxes_of(theta), torch.tensor([[0.5, 0.0, 1.0, 0.5]]))
    assert attention[0, :4, 4:].sum() > 0.75
    torch.testing.assert_close(attention.sum((1, 2)), torch.ones(1))


def test_csra_adds_each_labels_attended_score_to_its_average():
    torch.manual_seed(0)
    net = CSRA((3, 5), 7, CSRAOptions(hidden=4, attention=0.5, temperature=2.0)).eval()
    maps = torch.randn(MAPS)
    cells = net.classify(net.reduce(net.standardise(maps)))
    for photo in range(3):
        for label in range(7):
            z = cells[photo, label].flatten()
            expected = z.mean() + 0.5 * (torch.softmax(2 * z, 0) * z).sum()
            torch.testing.assert_close(net(maps).scores[photo, label], expected)


@pytest.mark.parametrize("own", [False, True])
def test_cells_scores_are_summed_under_the_attention_as_a_loop_does_it(own):
    torch.manual_seed(0)
    cells, attention = torch.randn(2, 3, 5), torch.randn(2, 5).softmax(1)
    found = attended_scores(cells, attention, own)
    for photo in range(2):
        for label in range(3):
            z, a = cells[photo, label], attention[photo]
            expected = sum(a[n] * z[n] for n in range(5))
            if own:
                weights = [a[n] * z[n].exp() for n in range(5)]
                expected = expected + sum(w * z[n] for n, w in enumerate(weights)) / sum(weights)
            torch.testing.assert_close(found[photo, label], expected)


def test_on_the_whole_picture_attended_scores_are_class_specific_residual_attention():
    torch.manual_seed(0)
    net, maps = CSRA((3, 5), 7, CSRAOptions(hidden=4)).eval(), torch.randn(MAPS)
    cells = net.classify(net.reduce(net.standardise(maps))).flatten(2)
    flat = torch.full((3, 24), 1 / 24)
    torch.testing.assert_close(attended_scores(cells, flat, own=True), net(maps).scores)


def test_cells_that_a_step_does_not_attend_to_do_not_score():
    cells = torch.tensor([[[1.0, 50.0]]])
    torch.testing.assert_close(attended_scores(cells, torch.tensor([[1.0, 0.0]]), own=False), torch.tensor([[1.0]]))


def test_a_weaker_prior_starts_with_wider_boxes():
    strong, weak = (parser(anchors="body", prior=prior)(torch.zeros(MAPS)) for prior in (1.0, 0.2))
    assert (weak.theta[0, 1:, :2] > strong.theta[0, 1:, :2]).all()


def test_six_affine_numbers_start_at_the_same_boxes():
    four, six = parser(look="state", numbers=4)(torch.randn(MAPS)), parser(look="state", numbers=6)(torch.randn(MAPS))
    torch.testing.assert_close(six.theta[..., [0, 4, 2, 5]], four.theta)


def test_six_numbers_and_four_see_the_same_cells_at_first():
    four, six = parser(look="state", numbers=4)(torch.randn(MAPS)), parser(look="state", numbers=6)(torch.randn(MAPS))
    torch.testing.assert_close(six.attention, four.attention)


def test_a_flat_map_is_the_box_of_the_whole_picture():
    mean, spread = moments(torch.full((2, 5), 0.2))
    torch.testing.assert_close(mean, torch.zeros(2))
    torch.testing.assert_close(spread, torch.ones(2))


def test_the_moments_of_one_cell_are_that_cell():
    mean, spread = moments(torch.eye(4)[1:2])
    assert mean.item() == pytest.approx(-0.25)
    assert spread.item() == pytest.approx(0.25)  # half the cell's width


def test_a_map_locator_follows_what_it_looks_for():
    torch.manual_seed(0)
    locate = MapLocator(2, anchor_boxes("centre", 1), hidden=3)
    with torch.no_grad():
        locate.what.fill_(1.0), locate.prior.zero_()
        locate.query.weight.zero_(), locate.query.bias.zero_()
        locate.key.weight.fill_(30.0), locate.key.bias.zero_()
    maps = torch.zeros(2, 2, 8, 8)
    maps[0, :, 1:3, 2:4] = 1
    maps[1, :, 3:5, 5:7] = 1  # two cells lower, three to the right
    theta, attention = locate(torch.zeros(2, 3), 0, locate.read(maps))
    torch.testing.assert_close(attention.sum((1, 2)), torch.ones(2))
    torch.testing.assert_close(theta[1, 2:] - theta[0, 2:], torch.tensor([6 / 8, 4 / 8]), atol=1e-3, rtol=0)
    torch.testing.assert_close(theta[0], torch.tensor([0.25, 0.25, -0.25, -0.5]), atol=1e-2, rtol=0)


def test_map_attention_starts_near_its_anchors():
    output = parser(look="map", anchors="body")(torch.zeros(MAPS))
    centres = output.theta[0, 1:, 3]
    assert (centres.diff() > 0.3).all()
    assert output.theta[0, 1:, 2].abs().max() < 0.05


def test_attended_features_are_the_trunks_under_the_steps_attention_each_depth_at_length_one():
    net, maps = parser(texture="none"), torch.randn(MAPS)
    output = net(maps)
    expected = torch.einsum("bsn,bdn->bsd", output.attention, maps.flatten(2) / (1 + 1e-5) ** 0.5)
    for depth in (slice(0, 3), slice(3, 8)):
        wanted = expected[..., depth] / expected[..., depth].norm(dim=-1, keepdim=True)
        torch.testing.assert_close(output.features[..., depth], wanted)


def test_texture_beside_encodes_the_shallowest_depth_under_the_attention():
    net, maps = parser(compare="texture"), torch.randn(MAPS)
    output = net(maps)
    cells = net.standardise(maps)[:, :3].flatten(2).transpose(1, 2)
    for step in range(4):
        alone = net.texture(cells, output.attention[:, step : step + 1])[:, 0]
        torch.testing.assert_close(output.features[:, step], alone)


def test_the_whole_image_rival_pools_then_classifies():
    torch.manual_seed(0)
    net = WholeImage((3, 5), 7, WholeOptions()).eval()
    maps = torch.randn(MAPS)
    output = net(maps)
    pooled = maps.mean((2, 3)) / (1 + net.classifier.normalise.eps) ** 0.5  # batch norm as it starts
    torch.testing.assert_close(output.features[:, 0], pooled)
    torch.testing.assert_close(output.scores, net.classifier.classify(net.classifier.describe(pooled)))


@pytest.mark.parametrize(
    "make",
    [parser, lambda: WholeImage((3, 5), 7, WholeOptions()), lambda: CSRA((3, 5), 7, CSRAOptions())],
    ids=["parser", "whole", "csra"],
)
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
