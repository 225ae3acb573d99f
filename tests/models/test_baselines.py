"""The rivals: each loss against a loop or a case worked by hand, gradients where they belong, one interface for all."""

import dataclasses
import math
import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fashionlib.core.errors import InputError
from fashionlib.core.options import build
from fashionlib.experiments.profile import load_profile
from fashionlib.models import losses
from fashionlib.models.baselines.darn import DARN, DARNOptions
from fashionlib.models.baselines.fashionnet import FashionNet, FashionNetOptions, finding_loss
from fashionlib.models.baselines.inoue import Inoue, InoueOptions
from fashionlib.models.baselines.siamese import Siamese, SiameseOptions
from fashionlib.models.baselines.stylenet import StyleNet, StyleNetOptions, ranking_loss
from fashionlib.models.baselines.triplet import MinedTriplets
from fashionlib.models.baselines.veit import Veit, VeitOptions, clipped, taught
from fashionlib.models.baselines.wtbi import NEVER, WTBI, WTBIOptions, garment_pairs
from fashionlib.models.tagger import HEADS, Tagger, load_model, save_model
from fashionlib.training.inputs import MapInputs
from fashionlib.training.loop import predict, train
from fashionlib.training.options import TrainingOptions

ROOT = Path(__file__).parents[2]
RIVALS = ("stylenet", "inoue-baseline", "veit", "inoue", "siamese", "triplet", "wtbi", "darn", "fashionnet")
DEPTHS, LABELS, CELLS = (6, 10), 5, (4, 3)
SMALL = {"hidden": 16, "dropout": 0.0}


def maps(photos=12, seed=0):
    return torch.randn(photos, sum(DEPTHS), *CELLS, generator=torch.Generator().manual_seed(seed))


def tags(photos=12, seed=0):
    return torch.tensor((np.random.default_rng(seed).random((photos, LABELS)) < 0.4).astype(np.float32))


def facts(photos=12, seed=0):
    """Everything that may be known of photos, arrays as `fashionlib.data.annotations` makes them (one view)."""
    draw = np.random.default_rng(seed)
    seen = draw.integers(-1, 2, (1, photos, 12, 1))
    products = np.where(draw.random((photos, LABELS)) < 0.6, draw.integers(0, 3, (photos, LABELS)), -1)
    return {
        "clean": tags(photos, seed + 1).numpy(), "verified": np.arange(photos) % 3 == 0,
        "products": products + 10 * np.arange(LABELS) * (products >= 0), "main": draw.integers(-1, 4, photos),
        "landmarks": np.concatenate([draw.uniform(-1, 1, (1, photos, 12, 2)), seen], -1).astype(np.float32),
    }  # fmt: skip


def marks_for(head, photos=12, progress=0.9, seed=0):
    """The keywords that the head's loss takes."""
    known = facts(photos, seed)
    known["landmarks"] = known["landmarks"][0]
    return {
        need: progress if need == "progress" else torch.as_tensor(known[need]) for need in getattr(head, "needs", ())
    }  # fmt: skip


def head_of(kind, seed=0, **options):
    torch.manual_seed(seed)
    make, options_of = HEADS[kind]
    return make(DEPTHS, LABELS, build(options_of, {**SMALL, **options}, kind))


@pytest.mark.parametrize("kind", RIVALS)
def test_every_rival_gives_scores_and_features_and_a_loss_that_reaches_its_weights(kind):
    head = head_of(kind, **({"similar": 0.3} if kind == "stylenet" else {}))
    output = head(maps())
    assert output.scores.shape == (12, LABELS)
    assert output.features.ndim == 3
    reached = set()
    for progress in (0.0, 0.9):  # the first half of training and the second
        head.zero_grad()
        sum(head.loss(head(maps()), tags(), **marks_for(head, progress=progress)).values()).backward()
        reached |= {name for name, weight in head.named_parameters() if weight.grad is not None}
    assert reached == {name for name, _ in head.named_parameters()}


@pytest.mark.parametrize("kind", RIVALS)
def test_a_step_of_training_lowers_the_loss_of_the_same_batch(kind):
    head = head_of(kind, **({"similar": 0.3} if kind == "stylenet" else {}))
    optimiser, values = torch.optim.SGD(head.parameters(), lr=1e-3), []
    for _ in range(2):
        torch.manual_seed(1)  # the same dropout
        value = sum(head.loss(head(maps()), tags(), **marks_for(head)).values())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[1] < values[0]


@pytest.mark.parametrize("kind", RIVALS)
def test_every_rival_trains_in_the_common_loop_and_tags_the_same_once_loaded(kind, tmp_path):
    photos = 48
    targets, known = tags(photos).numpy(), facts(photos)
    patterns = np.random.default_rng(1).normal(size=(LABELS, 112))
    lit = (targets @ patterns)[:, :, None, None] + np.random.default_rng(2).normal(size=(photos, 112, 4, 3))
    inputs, trunk = MapInputs([lit.astype(np.float16)]), {"depths": [16], "stride": 16}
    head = {**SMALL, **({"similar": 0.5, "weight": 1.0} if kind == "stylenet" else {})}
    torch.manual_seed(0)
    model = Tagger(
        labels=list("abcde"), image_size=(64, 48), kind=kind, head=head, trunk=trunk, pretrained=False
    )  # fmt: skip
    before = predict(model, inputs).scores
    options = TrainingOptions(epochs=8, batch=16, learning_rate=0.01)
    model = train(model, inputs, targets, (inputs, targets), options, tmp_path, known=known)
    after = predict(model, inputs)
    loss = losses.logistic(torch.logit(torch.tensor(after.scores)), torch.tensor(targets))
    assert loss < losses.logistic(torch.logit(torch.tensor(before)), torch.tensor(targets))
    again = predict(load_model(save_model(model, tmp_path / "saved")), inputs)
    np.testing.assert_array_equal(again.scores, after.scores)
    np.testing.assert_array_equal(again.features, after.features)


@pytest.mark.parametrize("kind", RIVALS)
def test_a_wrong_option_of_a_rival_is_named(kind):
    with pytest.raises(InputError, match=f"options of {kind}: unknown key 'hiden'; did you mean hidden"):
        Tagger(labels=["a"], image_size=(64, 48), kind=kind, head={"hiden": 3}, pretrained=False)


@pytest.mark.parametrize("kind", [kind for kind in RIVALS if kind != "inoue-baseline"])
def test_mixup_is_refused_where_photos_are_compared_or_trusted(kind, tmp_path):
    model = Tagger(labels=list("abcde"), image_size=(64, 48), kind=kind, trunk={"depths": [16]}, pretrained=False)
    inputs, options = MapInputs([np.zeros((12, 112, 4, 3), np.float16)]), TrainingOptions(mixup=0.4)
    with pytest.raises(InputError, match=r"set mixup: 0\.0"):
        train(model, inputs, tags().numpy(), (inputs, tags().numpy()), options, tmp_path, known=facts())


# ---- StyleNet


def test_the_ranking_loss_is_its_formula_over_every_triplet():
    descriptors, draw = torch.randn(7, 4), np.random.default_rng(0)
    similar, dissimilar = (torch.tensor(draw.random((7, 7)) < share) for share in (0.3, 0.4))
    terms = []
    for a, p, n in product(range(7), repeat=3):
        if similar[a, p] and dissimilar[a, n]:
            near, far = (math.exp((descriptors[a] - descriptors[other]).norm()) for other in (p, n))
            terms.append((near / (near + far)) ** 2)
    assert ranking_loss(descriptors, similar, dissimilar).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)
    assert ranking_loss(descriptors, similar, similar & False) == 0


def test_stylenet_calls_photos_similar_by_their_tags_and_never_to_themselves():
    head = StyleNet(DEPTHS, LABELS, StyleNetOptions(similar=0.75, weight=0.0))
    rows = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]).float()
    output = head.eval()(maps(5))
    f, triplets = output.features[:, 0], []
    sets = [set(np.flatnonzero(row)) for row in rows]
    for a, p, n in product(range(5), repeat=3):
        shares = [len(sets[a] & sets[other]) / max(1, len(sets[a] | sets[other])) for other in (p, n)]
        if a not in (p, n) and shares[0] > 0.75 and shares[1] < 0.01:
            triplets.append(((f[a] - f[p]).norm() - (f[a] - f[n]).norm()).sigmoid() ** 2)
    assert len(triplets) == 4  # photos 0 and 1, each against 3 and 4; 2 shares just 0.75 of theirs
    terms = head.loss(output, rows, progress=0.5)
    assert terms["ranking"].item() == pytest.approx(torch.stack(triplets).mean().item(), rel=1e-5)


def test_stylenet_learns_tags_alone_at_first():
    head = StyleNet(DEPTHS, LABELS, StyleNetOptions(alone=0.5))
    assert set(head.loss(head(maps()), tags(), progress=0.49)) == {"classification"}
    assert set(head.loss(head(maps()), tags(), progress=0.5)) == {"classification", "ranking"}
    order = head.order(np.random.default_rng(1), 6, targets=tags(60).numpy(), progress=0.0)
    assert sorted(order) == list(range(60))


def test_stylenets_batches_hold_pairs_above_its_threshold():
    targets, head = tags(60).numpy(), StyleNet(DEPTHS, LABELS, StyleNetOptions(similar=0.7))
    order = head.order(np.random.default_rng(1), 12, targets=targets, progress=0.9)
    for start in range(0, 60, 12):
        for first, second in zip(order[start : start + 3], order[start + 3 : start + 6], strict=True):
            a, b = set(np.flatnonzero(targets[first])), set(np.flatnonzero(targets[second]))
            assert len(a & b) / len(a | b) > 0.7


# ---- cleaning of tags


def test_the_classifier_is_taught_verified_tags_and_cleaned_ones_without_a_gradient():
    believed = torch.tensor([[0.2, 0.9], [0.5, 0.1]], requires_grad=True)
    clean, verified = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([False, True])
    wanted = taught(believed, clean, verified)
    assert not wanted.requires_grad
    torch.testing.assert_close(wanted, torch.tensor([[0.2, 0.9], [1.0, 1.0]]))


def set_correction(head, value):
    """Let g add `value` to every tag, whatever it sees."""
    with torch.no_grad():
        head.correction.last.weight.zero_()
        head.correction.last.bias.fill_(value)


def test_veits_losses_are_those_worked_by_hand():
    head = Veit(DEPTHS, 2, VeitOptions(cleaning_weight=0.1)).eval()
    output = head(maps(2))
    noisy, clean = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    set_correction(head, 0.25)  # y = 1 becomes 1 (clipped), y = 0 becomes 0.25
    terms = head.loss(output, noisy, clean=clean, verified=torch.tensor([True, False]), progress=0.0)
    assert terms["cleaning"].item() == pytest.approx(0.1 * (1 + 0.75))
    wanted = torch.tensor([[0.0, 1.0], [1.0, 0.25]])
    p = output.scores.sigmoid()
    expected = -(wanted * p.log() + (1 - wanted) * (1 - p).log()).sum() / 2
    assert terms["classification"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_inoues_losses_are_those_worked_by_hand():
    head = Inoue(DEPTHS, 2, InoueOptions(cleaning_weight=0.1, trust=3.0)).eval()
    output = head(maps(2))
    noisy, clean = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    set_correction(head, 0.5)
    terms = head.loss(output, noisy, clean=clean, verified=torch.tensor([True, False]), progress=0.0)
    true, false = (1 / (1 + math.exp(-logit)) for logit in (3.5, -2.5))
    assert terms["cleaning"].item() == pytest.approx(-0.1 * (math.log(1 - true) + math.log(false)), rel=1e-5)
    wanted = torch.tensor([[0.0, 1.0], [true, false]])
    p = output.scores.sigmoid()
    expected = -(wanted * p.log() + (1 - wanted) * (1 - p).log()).sum() / 2
    assert terms["classification"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["veit", "inoue"])
def test_the_cleaning_network_learns_from_verified_photos_only(kind):
    head = head_of(kind)
    terms = head.loss(head(maps()), tags(), **marks_for(head))
    cleaner = [weight for name, weight in head.named_parameters() if name.startswith(("correction", "trust"))]
    through = torch.autograd.grad(terms["classification"], cleaner, retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in through), "the classifier's loss reaches the cleaned tags"
    keywords = {**marks_for(head), "verified": torch.zeros(12, dtype=torch.bool)}
    head.zero_grad()
    sum(head.loss(head(maps()), tags(), **keywords).values()).backward()
    assert all(not weight.grad.any() for weight in cleaner), "no photo was verified"


@pytest.mark.parametrize("kind", ["veit", "inoue"])
def test_clean_tags_of_photos_that_nobody_verified_are_not_read(kind):
    head, known = head_of(kind), {}
    keywords = marks_for(head)
    known = {**keywords, "clean": torch.where(keywords["verified"][:, None], keywords["clean"], 7.0)}
    output = head(maps())
    for name, value in head.loss(output, tags(), **keywords).items():
        torch.testing.assert_close(value, head.loss(output, tags(), **known)[name])


def test_without_cleaning_verified_tags_replace_noisy_ones():
    head = Veit(DEPTHS, LABELS, VeitOptions(cleaning=False)).eval()
    output, keywords = head(maps()), marks_for(Veit)
    terms = head.loss(output, tags(), **keywords)
    wanted = torch.where(keywords["verified"][:, None], keywords["clean"], tags())
    assert set(terms) == {"classification"}
    torch.testing.assert_close(terms["classification"], losses.logistic(output.scores, wanted))


def test_cleaning_recovers_missing_tags_that_the_photo_shows():
    """Tags lit in the map, a third of them struck from the list of nine photos in ten: cleaned, they come back."""
    photos, draw = 600, np.random.default_rng(0)
    truth = (draw.random((photos, LABELS)) < 0.4).astype(np.float32)
    noisy = truth * (draw.random(truth.shape) > 0.33)
    patterns = draw.normal(size=(LABELS, sum(DEPTHS)))
    pooled = truth @ patterns + 0.3 * draw.normal(size=(photos, sum(DEPTHS)))
    lit = torch.tensor(pooled, dtype=torch.float32)[:, :, None, None].expand(-1, -1, 2, 2)
    verified = torch.arange(photos) % 5 == 0
    clean = torch.tensor(truth) * verified[:, None]
    for kind in ("veit", "inoue"):
        head = head_of(kind, cleaning_weight=1.0)
        optimiser = torch.optim.Adam(head.parameters(), lr=1e-2)
        for _ in range(300):
            terms = head.loss(head(lit), torch.tensor(noisy), clean=clean, verified=verified, progress=0.0)
            optimiser.zero_grad()
            sum(terms.values()).backward()
            optimiser.step()
        struck = torch.tensor(truth > noisy) & ~verified[:, None]
        assert head.eval()(lit).scores.sigmoid()[struck].mean() > 0.8, kind  # 0.67 as the tags have it


def test_a_tag_carried_out_of_bounds_is_clipped_and_comes_back():
    values = torch.tensor([[-0.5, 0.3, 1.7]], requires_grad=True)
    cut = clipped(values)
    assert cut.tolist() == [[0.0, pytest.approx(0.3), 1.0]]
    (cut - torch.tensor([[1.0, 0.0, 1.0]])).abs().sum().backward()
    assert values.grad.tolist() == [[-1.0, 1.0, 0.0]]


# ---- products


def products():
    return torch.tensor([0, 0, 1, -1, -1, 1, 0])


def test_triplets_are_those_of_products_and_their_loss_is_the_margins():
    descriptors = torch.randn(7, 4)
    unit, same, terms = F.normalize(descriptors), products(), []
    for a, p, n in product(range(7), repeat=3):
        if a != p and same[a] == same[p] >= 0 and a != n and (same[a] != same[n] or same[n] < 0):
            terms.append(max(0.0, ((unit[a] - unit[p]).norm() - (unit[a] - unit[n]).norm() + 0.2).item()))
    broken = [term for term in terms if term > 0]
    assert MinedTriplets(0.2)(descriptors, same).item() == pytest.approx(sum(broken) / len(broken), rel=1e-4)


def test_a_batch_without_pairs_has_no_ranking_loss_and_can_be_learned_from():
    descriptors = torch.randn(4, 3, requires_grad=True)
    MinedTriplets(0.2)(descriptors, torch.tensor([-1, -1, 2, 3])).backward()
    assert descriptors.grad is None or not descriptors.grad.any()


def test_pairs_are_those_of_products_and_their_loss_is_the_contrast():
    head = Siamese(DEPTHS, LABELS, SiameseOptions(margin=0.9)).eval()
    output, same = head(maps(7)), products()
    unit = F.normalize(output.features[:, 0])
    near, far = [], []
    for a, b in product(range(7), repeat=2):
        if a != b:
            apart = (unit[a] - unit[b]).norm().item()
            (near if same[a] == same[b] >= 0 else far).append(apart)
    far = [0.9 - apart for apart in far if apart < 0.9]
    expected = np.mean(near) + (np.mean(far) if far else 0.0)
    contrast = head.loss(output, tags(7), main=same)["contrast"]
    assert contrast.item() == pytest.approx(expected, rel=1e-4)


def test_half_of_a_batch_are_pairs_of_one_product():
    main = np.random.default_rng(0).integers(-1, 12, 90)
    order = head_of("siamese").order(np.random.default_rng(0), 12, main=main)
    for start in range(0, 84, 12):
        first, second = main[order[start : start + 3]], main[order[start + 3 : start + 6]]
        assert (first == second).all()
        assert (first >= 0).all()


@pytest.mark.parametrize("kind", ["siamese", "triplet", "wtbi"])
def test_tags_of_a_method_that_has_none_do_not_shape_its_descriptor(kind):
    head = head_of(kind)
    terms = head.loss(head(maps()), tags(), **marks_for(head))
    shaping = list(head.describe.parameters())
    through = torch.autograd.grad(terms.pop("classification"), shaping, retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in through)
    assert any(gradient.any() for gradient in torch.autograd.grad(sum(terms.values()), shaping))


@pytest.mark.parametrize("kind", ["darn", "fashionnet"])
def test_tags_and_triplets_both_shape_an_attribute_aware_descriptor(kind):
    head = head_of(kind)
    terms = head.loss(head(maps()), tags(), **marks_for(head))
    for name in ("classification", "ranking"):
        gradients = torch.autograd.grad(terms[name], list(head.describe.parameters()), retain_graph=True)
        assert all(gradient.any() for gradient in gradients[:1]), name


def test_darn_compares_its_descriptor_and_the_maps_maxima_and_ranks_the_descriptor():
    head = DARN(DEPTHS, LABELS, DARNOptions()).eval()
    features = head(maps()).features[:, 0]
    size = head.options.size
    torch.testing.assert_close(features[:, :size].norm(dim=1), torch.ones(12))
    local = F.normalize(head.standardise(maps()).flatten(2).max(2).values, dim=1)
    torch.testing.assert_close(features[:, size:], local)
    main = torch.arange(12) // 2
    ranking = head.loss(head(maps()), tags(), main=main)["ranking"]
    torch.testing.assert_close(ranking, head.options.ranking * MinedTriplets(0.2)(features[:, :size], main))


def test_garment_pairs_are_all_pairs_of_photos_that_show_the_category():
    column = torch.tensor([4, -1, 7, 4, -1, 7, 4])
    found = {(int(a), int(b)): bool(same) for a, b, same in zip(*garment_pairs(column), strict=True)}
    expected = {
        (a, b): bool(column[a] == column[b])
        for a, b in product(range(7), repeat=2)
        if a < b and min(column[a], column[b]) >= 0
    }
    assert found == expected


@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_wtbis_loss_is_that_of_a_loop_over_pairs_of_each_category(progress):
    torch.manual_seed(0)
    head = WTBI(DEPTHS, LABELS, WTBIOptions(hidden=16, metric=3, common=0.5)).eval()
    for weight in (head.own, head.offset, head.slope):
        torch.nn.init.normal_(weight, std=0.3)
    output, worn = head(maps()), torch.as_tensor(facts()["products"])
    same, other = [], []
    for label, a, b in product(range(LABELS), range(12), range(12)):
        if a < b and worn[a, label] >= 0 and worn[b, label] >= 0:
            step = 0 if progress < 0.5 else 1 + label
            apart = (output.features[a, step] - output.features[b, step]).square().sum()
            chance = torch.sigmoid(head.offset[step] - head.slope[step].exp() * apart)
            if worn[a, label] == worn[b, label]:
                same.append(-chance.log())
            else:
                other.append(-(1 - chance).log())
    expected = (torch.stack(same).mean() + torch.stack(other).mean()) / 2
    terms = head.loss(output, tags(), products=worn, progress=progress)
    assert terms["metric"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_label_of_wtbi_is_scored_and_compared_at_its_own_step():
    head = head_of("wtbi").eval()
    output = head(maps())
    torch.testing.assert_close(output.steps.amax(1), output.scores)
    assert (output.steps.argmax(1) == 1 + torch.arange(LABELS)).all()
    assert (output.scores > NEVER).all()
    torch.testing.assert_close(output.features[:, 1], output.features[:, 0])  # one metric for all, to begin with


def test_wtbi_refuses_photos_whose_products_are_of_no_category():
    head = head_of("wtbi")
    with pytest.raises(InputError, match="WTBI has 5 categories, the photos 1 columns"):
        head.loss(head(maps()), tags(), products=torch.zeros(12, 1, dtype=torch.long), progress=0.0)


# ---- landmarks


def test_the_landmark_loss_is_that_of_a_loop_over_those_known():
    generator = torch.Generator().manual_seed(0)
    where, seen = torch.randn(4, 3, 12, generator=generator), torch.randn(4, 3, generator=generator)
    landmarks = torch.tensor(facts(4)["landmarks"][0, :, :3])
    placed, visible = [], []
    for photo, point in product(range(4), range(3)):
        x, y, state = landmarks[photo, point].tolist()
        if state > 0:
            cell = min(3, int((y + 1) / 2 * 4)) * 3 + min(2, int((x + 1) / 2 * 3))
            placed.append(-where[photo, point].log_softmax(0)[cell].item())
        if state >= 0:
            chance = seen[photo, point].sigmoid().item()
            visible.append(-math.log(chance if state > 0 else 1 - chance))
    assert placed
    assert len(placed) < len(visible) < 12
    loss = finding_loss(where, seen, landmarks, rows=4)
    assert loss.item() == pytest.approx(np.mean(placed) + np.mean(visible), rel=1e-5)


def test_only_landmarks_teach_fashionnet_where_to_look():
    head = head_of("fashionnet")
    terms = head.loss(head(maps()), tags(), **marks_for(head))
    finding = [*head.find.parameters(), *head.visible.parameters()]
    for name in ("classification", "ranking"):
        through = torch.autograd.grad(terms[name], finding, retain_graph=True, allow_unused=True)
        assert all(gradient is None for gradient in through), name
    assert all(gradient.any() for gradient in torch.autograd.grad(terms["finding"], finding[:4]))


def test_fashionnet_finds_a_dot_and_leaves_out_what_is_hidden():
    """A lit cell is the landmark; dark maps hide it. After some steps it is found where it was never shown."""
    torch.manual_seed(0)
    head = FashionNet((8,), 2, FashionNetOptions(landmarks=1, hidden=16))
    optimiser = torch.optim.Adam(head.find.parameters(), lr=1e-2)
    optimiser.add_param_group({"params": head.visible.parameters()})
    draw = torch.Generator().manual_seed(0)

    def batch(photos=32):
        lit, points = 0.1 * torch.randn(photos, 8, 6, 4, generator=draw), torch.zeros(photos, 1, 3)
        for photo in range(photos):
            row, column, shown = (int(torch.randint(0, most, (), generator=draw)) for most in (6, 4, 2))
            if shown:
                lit[photo, :4, row, column] += 3
                points[photo, 0] = torch.tensor([(2 * column + 1) / 4 - 1, (2 * row + 1) / 6 - 1, 1.0])
        return lit, points

    for _ in range(150):
        lit, points = batch()
        output = head(lit)
        optimiser.zero_grad()
        finding_loss(output.where, output.seen, points, output.rows).backward()
        optimiser.step()
    lit, points = batch(200)
    output, there = head.eval()(lit), points[:, 0, 2] > 0
    cells = ((points[:, 0, 1] + 1) * 3).long() * 4 + ((points[:, 0, 0] + 1) * 2).long()
    assert (output.where[:, 0].argmax(1) == cells)[there].float().mean() > 0.95
    assert ((output.seen[:, 0] > 0) == there).float().mean() > 0.95


def test_fashionnet_names_the_number_of_landmarks_that_the_photos_have():
    head = head_of("fashionnet", landmarks=8)
    with pytest.raises(InputError, match=r"built for 8 landmarks, the photos have 12: set landmarks: 12"):
        head.loss(head(maps()), tags(), **marks_for(head))


# ---- the profile


def test_no_rival_of_the_papers_network_has_a_smaller_budget():
    """What learns from pooled features has more epochs: the twelve of the others leave it behind."""
    profile, wardrobe = load_profile("rivals"), load_profile("wardrobe")
    assert set(RIVALS) <= set(profile.methods)
    assert profile.retrieval
    for part in ("data", "trunk", "training"):  # the photos are half the size
        assert getattr(profile, part) == getattr(wardrobe, part)
    for method in profile.methods:
        assert profile.method(method).kind in {*HEADS, "prior"}
    ours = dataclasses.asdict(profile.training_of("parser"))
    for method in set(profile.methods) - {"prior"}:
        options = dataclasses.asdict(profile.training_of(method))
        assert options.pop("epochs") >= ours["epochs"]
        assert options == {name: value for name, value in ours.items() if name != "epochs"}


def test_a_triplet_network_is_not_taught_by_photos_without_a_product():
    head = head_of("triplet").eval()
    terms = head.loss(head(maps()), tags(), main=torch.full((12,), -1))
    assert terms["ranking"] == 0


def test_the_baseline_of_the_readme_is_found_by_its_file_alone_and_learns(tmp_path):
    """In a copy of the package, as a user adds it."""
    readme = (ROOT / "README.md").read_text()
    code = readme.split("baselines/maxpool.py`:\n\n```python\n")[1].split("```")[0]
    shutil.copytree(ROOT / "fashionlib", tmp_path / "fashionlib", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "fashionlib" / "models" / "baselines" / "maxpool.py").write_text(code)
    script = """
import torch
from fashionlib.models.tagger import Tagger
torch.manual_seed(0)
trunk = {"depths": [16], "stride": 16}
model = Tagger(labels=["a", "b"], image_size=(32, 32), kind="maxpool", trunk=trunk, pretrained=False)
maps, targets = torch.rand(8, 112, 2, 2), torch.eye(2).repeat(4, 1)
optimiser, values = torch.optim.SGD(model.head.parameters(), 0.01), []
for _ in range(30):
    optimiser.zero_grad()
    loss = sum(model.head.loss(model.head(maps), targets).values())
    loss.backward()
    optimiser.step()
    values.append(float(loss))
assert values[-1] < values[0], values
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
