"""Diversity, coverage and relevance of lists, against loops and cases worked by hand."""

import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
from project import ROOT

from fashionlib.core.errors import InputError
from fashionlib.data import load
from fashionlib.experiments import diversity as experiment
from fashionlib.experiments.diversity import COLOURS, Relevance, colours_under_masks, diversity, relevance_of
from fashionlib.experiments.methods import photos_of
from fashionlib.experiments.profile import DataOptions, load_profile
from fashionlib.ledger.ledger import read
from fashionlib.metrics.bootstrap import mean_interval
from fashionlib.metrics.diversity import (
    alpha_ndcg_at_k,
    at_equal_relevance,
    intra_list_distance_at_k,
    mean_value,
    part_coverage_at_k,
    relevance_at_k,
)
from fashionlib.plots.looks import answers_cells


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project folder of its own, for what is trained and written here."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "profiles", home / "profiles")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHIONLIB_HOME", str(home))
        yield home


def draw(seed, queries=7, ranks=12, intents=5):
    rng = np.random.default_rng(seed)
    shown = rng.random((queries, intents)) < 0.6
    shown[:, 0] = True
    return (rng.random((queries, ranks, intents)) < 0.3) & shown[:, None], shown


def test_relevance_and_coverage_of_a_case_worked_by_hand():
    # three parts; ranks match part 0, nothing, parts 0 and 1, part 2
    matches = np.array([[[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]]], dtype=bool)
    intents = np.ones((1, 3), dtype=bool)
    assert relevance_at_k(matches, 4).tolist() == [0.75]
    assert relevance_at_k(matches, 2).tolist() == [0.5]
    assert part_coverage_at_k(matches, intents, 1).tolist() == [pytest.approx(1 / 3)]
    assert part_coverage_at_k(matches, intents, 3).tolist() == [pytest.approx(2 / 3)]
    assert part_coverage_at_k(matches, intents, 4).tolist() == [1.0]


@pytest.mark.parametrize("k", [1, 5, 12])
def test_relevance_and_coverage_equal_a_loop(k):
    matches, intents = draw(k)
    for query in range(len(matches)):
        relevant, covered = 0, set()
        for photo in matches[query, :k]:
            relevant += bool(photo.any())
            covered |= set(np.flatnonzero(photo).tolist())
        assert relevance_at_k(matches, k)[query] == pytest.approx(relevant / k)
        assert part_coverage_at_k(matches, intents, k)[query] == pytest.approx(len(covered) / intents[query].sum())


def alpha_dcg(photos, alpha):
    seen, total = {}, 0.0
    for rank, photo in enumerate(photos):
        gain = 0.0
        for part in photo:
            gain += (1 - alpha) ** seen.get(part, 0)
        for part in photo:
            seen[part] = seen.get(part, 0) + 1
        total += gain / math.log2(rank + 2)
    return total


def greedy(candidates, k, alpha):
    chosen, remaining = [], list(candidates)
    for _ in range(min(k, len(remaining))):
        gains = [alpha_dcg([*chosen, one], alpha) for one in remaining]
        chosen.append(remaining.pop(int(np.argmax(gains))))
    return alpha_dcg(chosen, alpha)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_alpha_ndcg_equals_its_definition_written_out(alpha):
    matches, intents = draw(3)
    rng = np.random.default_rng(9)
    gallery = np.concatenate([matches, (rng.random((7, 9, 5)) < 0.3) & intents[:, None]], axis=1)
    found = alpha_ndcg_at_k(matches, gallery, 6, alpha)
    for query in range(7):
        as_lists = [np.flatnonzero(photo).tolist() for photo in matches[query, :6]]
        best = greedy([np.flatnonzero(photo).tolist() for photo in gallery[query]], 6, alpha)
        assert found[query] == pytest.approx(alpha_dcg(as_lists, alpha) / best)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()


def test_alpha_ndcg_prefers_a_new_part_to_one_that_was_shown_already():
    repeated = np.array([[[1, 0], [1, 0]]], dtype=bool)
    varied = np.array([[[1, 0], [0, 1]]], dtype=bool)
    assert alpha_ndcg_at_k(varied, varied, 2)[0] == pytest.approx(1.0)
    expected = (1 + 0.5 / math.log2(3)) / (1 + 1 / math.log2(3))
    gallery = np.array([[[1, 0], [0, 1], [1, 0]]], dtype=bool)
    assert alpha_ndcg_at_k(repeated, gallery, 2)[0] == pytest.approx(expected)
    assert alpha_ndcg_at_k(repeated & False, varied & False, 2)[0] == 0.0


def test_intra_list_distance_equals_a_loop_over_pairs_and_passes_over_empty_places():
    rng = np.random.default_rng(0)
    points = rng.random((20, 3))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    lists = np.stack([rng.permutation(20)[:8] for _ in range(5)])
    lists[1, 5:], lists[2, 1:], lists[3] = -1, -1, -1
    found = intra_list_distance_at_k(lists, apart, 8)
    for row, photos in zip(found, lists, strict=True):
        there = [photo for photo in photos if photo >= 0]
        pairs = [apart[a, b] for i, a in enumerate(there) for b in there[:i]]
        assert row == pytest.approx(np.mean(pairs) if pairs else 0.0)


def test_means_of_resamples_are_those_of_repeated_queries():
    values, counts = np.array([1.0, 2.0, 6.0]), np.array([[1, 1, 1], [0, 3, 0], [2, 0, 1]])
    np.testing.assert_allclose(mean_value(values, counts), [3.0, 2.0, 8 / 3])
    interval = mean_interval(mean_value, [(np.arange(200.0),)], centre=False)
    assert interval.low < interval.value == mean_value(np.arange(200.0)) < interval.high


def test_coverage_at_equal_relevance_is_read_between_two_settings_of_the_dial():
    # the rival: relevance 0.7, coverage 0.2; the method: (0.8, 0.3) at one end, (0.6, 0.5) at the other
    row = np.array([0.7, 0.2, 0.8, 0.6, 0.3, 0.5])
    assert at_equal_relevance(row[None]) == pytest.approx(0.4 / 0.2)
    beyond = np.array([0.9, 0.2, 0.8, 0.6, 0.3, 0.5])
    assert at_equal_relevance(beyond[None]) == pytest.approx(0.3 / 0.2)
    both = at_equal_relevance(np.stack([row, beyond]), np.array([[1, 0], [0, 1], [1, 1]]))
    np.testing.assert_allclose(both, [2.0, 1.5, 1.5])


def test_lists_too_short_queries_without_parts_and_other_nonsense_are_named():
    matches, intents = draw(0)
    for measure in (lambda: relevance_at_k(matches, 13), lambda: part_coverage_at_k(matches, intents, 0),
                    lambda: intra_list_distance_at_k(np.zeros((1, 3), int), np.zeros((1, 1)), 4)):  # fmt: skip
        with pytest.raises(InputError, match="give a k"):
            measure()
    with pytest.raises(InputError, match="query 2 shows no part"):
        part_coverage_at_k(matches & False, np.where(np.arange(7)[:, None] == 2, False, intents), 3)
    with pytest.raises(InputError, match="does not show"):
        part_coverage_at_k(matches | True, intents, 3)
    with pytest.raises(InputError, match="alpha is 2"):
        alpha_ndcg_at_k(matches, matches, 3, 2.0)


def test_tags_match_where_both_carry_them_and_looks_only_where_texture_and_colour_agree():
    carries = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=bool)
    assert Relevance(carries).matches(0).tolist() == [[True, True, False], [True, False, False], [True, True, False]]
    looks = np.full((3, 3, 4), -1.0)
    looks[0, 0], looks[1, 0], looks[2, 0] = (1, 100, 100, 100), (1, 120, 120, 120), (2, 100, 100, 100)
    looks[0, 1], looks[2, 1] = (1, 0, 0, 0), (1, 110, 0, 0)
    truth = Relevance(carries, looks)
    assert truth.matches(0).tolist() == [[True, True, False], [True, False, False], [False, False, False]]
    assert truth.matches(0)[1].tolist() == truth.matches(1)[0].tolist()
    # 0 and 1 share one label in one look, two more stand alone; 0 and 2 share two in other looks, one stands alone
    np.testing.assert_allclose(truth.apart()[0], [0.0, 2 / 3, (1 + 0.5 + 0.5) / 3])
    np.testing.assert_allclose(Relevance(carries).apart()[0], [0.0, 1 - 1 / 3, 1 - 2 / 3])


def test_the_wardrobes_truth_is_what_its_generator_dressed_people_in(home):
    profile = load_profile("smoke")
    photos = photos_of(profile, "test")
    truth = relevance_of(profile, photos, 0)
    dataset = load("wardrobe", split="test", size=profile.image_size, counts={"test": 32})
    for number in (0, 5, 31):
        sample = dataset[number]
        assert {photos.labels[i] for i in np.flatnonzero(truth.carries[number])} == set(sample.masks)
        worn = {product.label: product for product in dataset.scene(number).outfit.values()}
        for label in sample.masks:
            here = truth.looks[number, photos.labels.index(label)]
            assert tuple(here[1:]) == worn[label].fabric.colours[0]
    same = [(a, b) for a in range(32) for b in range(a) if truth.matches(a)[b].any()]
    assert same
    assert len(same) < 32 * 31 / 2


def test_the_ledger_holds_every_metric_of_every_method_with_its_protocol(home):
    profile = load_profile("smoke")
    entries = diversity(profile)
    plain, curve = (read(home, "smoke", name) for name in ("diversity", "diversity_curve"))
    assert len(entries) == len(plain) + len(curve)
    metrics = {"relevance@10", "part_coverage@10", "intra_list@10", "alpha_ndcg@10"}
    assert {(e.method, e.metric) for e in plain if "ratio" not in e.metric} == {
        (method, metric) for method in (*experiment.DIALLED, "whole", "random") for metric in metrics
    }
    assert len(curve) == 4 * len(experiment.DIALS) * len(metrics)
    for each in plain:
        assert each.low <= each.value <= each.high or each.metric.startswith("coverage_ratio")
        assert "a match: same label and texture" in each.protocol
    by_dial = {(e.method, e.metric, e.protocol.split(";")[0]): e.value for e in curve}
    same = {e.metric: e.value for e in plain if e.method == "whole"}
    assert all(by_dial["whole-mmr", metric, "dial 0"] == same[metric] for metric in metrics)


def test_no_list_holds_the_query_a_photo_twice_or_one_that_is_no_candidate(home):
    seen = experiment.recommender(load_profile("smoke"))
    asked = experiment.Asked(np.arange(1, 32, 2), np.arange(32) > 10)
    lists = experiment.lists_of(seen, asked, 0)
    for what, chosen in lists.items():
        for query, photos in zip(asked.queries, chosen, strict=True):
            there = photos[photos >= 0].tolist()
            assert query not in there, what
            assert min(there) > 10, what
            assert len(set(there)) == len(there) > 0
    assert not np.array_equal(lists["parts", 0.0], lists["parts", 1.0])


def test_colours_are_read_under_the_masks_of_photos_that_have_some(ccp):
    dataset = load("ccp", ccp, "all")
    truth = colours_under_masks(dataset)
    dress = dataset.labels.index("dress")
    assert truth.carries[:, dress].tolist() == [True] * 10 + [False] * 10
    assert truth.carries.sum() == 10  # skin is left out, tags without masks are not known well enough
    np.testing.assert_allclose(truth.looks[:10, dress, 1], np.arange(10) * 10, atol=3)
    assert (truth.looks[10:] == -1).all()
    assert truth.matches(0)[:, dress].tolist() == [True] * 10 + [False] * 10
    assert "mean colours under the masks" in truth.how


def test_photos_with_masks_are_asked_among_themselves_too(ccp, tmp_path, monkeypatch):
    """A second ledger, of their own number, gallery and rule."""
    (tmp_path / "home" / "profiles").mkdir(parents=True)
    smoke = load_profile("smoke")
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path / "home"))
    profile = replace(
        smoke, data=DataOptions("ccp", {}, seed_splits=True), root=str(ccp), resamples=20, seeds=(3, 4),
        methods={name: smoke.methods[name] for name in ("whole", "parser")},
        training=replace(smoke.training, epochs=1, batch=8),
    )  # fmt: skip
    entries = diversity(profile)
    looks = read(tmp_path / "home", "smoke", "diversity_looks")
    assert sum(entry.experiment == "diversity_looks" for entry in entries) == len(looks)
    plain = [entry for entry in entries if entry.experiment == "diversity"]
    assert {(e.method, e.metric) for e in looks} == {(e.method, e.metric) for e in plain}
    masked = sum(int(id_) < 10 for id_ in load("ccp", ccp, "test", split_seed=3).ids)
    assert {(e.n, e.counts["gallery"]) for e in looks} == {(masked, masked - 1)}
    assert {(e.n, e.counts["gallery"]) for e in plain} == {(4, 3)}
    for entry in looks:
        assert f"a match: {COLOURS}" in entry.protocol
        assert "ratio" in entry.metric or "the other test photos with masks are the gallery" in entry.protocol
    assert all("a match: same tag" in e.protocol for e in plain)


def test_the_one_list_and_the_regions_it_answers_are_those_of_the_query(home):
    recommend = experiment.recommender(load_profile("smoke"))
    found = recommend.together(3, k=4)
    asked = recommend.asked(3, found)
    assert 1 <= len(found) <= 4
    assert {look.label for each in found for look in each.looks} == set(asked)
    labels = [recommend.query.labels.index(label) for label in asked]
    scores = recommend.query.scores[3, labels]
    assert (np.diff(scores) <= 0).all()
    assert list(asked.values()) == [recommend.query.region(3, label) for label in labels]
    assert answers_cells(found, recommend.query.image)[0]["regions"].keys() <= asked.keys()
