"""Metrics against scikit-learn, loops and cases worked by hand."""

import time
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from fashionlib import metrics
from fashionlib.core.errors import InputError


def tags(images=60, labels=9, seed=0, decimals=None):
    """Scores that know something of rare and frequent targets; rounded, they tie."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((images, labels)) < np.linspace(0.05, 0.4, labels)).astype(int)
    targets[0] = 1
    scores = rng.normal(size=(images, labels)) + targets
    return (scores if decimals is None else scores.round(decimals)), targets


def occurring(targets):
    return [label for label in range(targets.shape[1]) if targets[:, label].any()]


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_ap_of_pooled_pairs_equals_scikit_learn_with_and_without_ties(decimals):
    scores, targets = tags(decimals=decimals)
    expected = average_precision_score(targets.ravel(), scores.ravel())
    assert metrics.average_precision_all(scores, targets) == pytest.approx(expected, abs=1e-12)


def test_ap_of_a_case_worked_by_hand():
    # ranked: hit, miss, hit: recall steps of 1/2 at precisions 1 and 2/3
    scores, targets = np.array([[3.0, 2.0, 1.0]]), np.array([[1, 0, 1]])
    assert metrics.average_precision_all(scores, targets) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_map_is_the_mean_over_labels_that_occur(decimals):
    scores, targets = tags(decimals=decimals)
    targets[:, 2] = 0
    each = {c: average_precision_score(targets[:, c], scores[:, c]) for c in occurring(targets)}
    assert metrics.mean_average_precision(scores, targets) == pytest.approx(np.mean(list(each.values())), abs=1e-12)


@pytest.mark.parametrize("decimals", [None, 1])
def test_weights_equal_the_sample_weights_of_scikit_learn(decimals):
    scores, targets = tags(decimals=decimals)
    counts = np.random.default_rng(1).integers(0, 4, (5, len(scores)))
    pooled = metrics.average_precision_all(scores, targets, weights=counts)
    means = metrics.mean_average_precision(scores, targets, weights=counts)
    for row, weights in enumerate(counts):
        repeated = np.repeat(np.arange(len(scores)), weights)
        s, t = scores[repeated], targets[repeated]
        assert pooled[row] == pytest.approx(average_precision_score(t.ravel(), s.ravel()), abs=1e-12)
        each = [average_precision_score(targets[:, c], scores[:, c], sample_weight=weights) for c in occurring(t)]
        assert means[row] == pytest.approx(np.mean(each), abs=1e-12)


def test_weights_give_the_same_values_in_small_chunks(monkeypatch):
    scores, targets = tags()
    counts = np.random.default_rng(1).integers(0, 4, (7, len(scores)))
    whole = metrics.average_precision_all(scores, targets, weights=counts)
    monkeypatch.setattr(metrics.tagging, "_CELLS_AT_ONCE", 2 * scores.size)
    np.testing.assert_array_equal(metrics.average_precision_all(scores, targets, weights=counts), whole)


def test_a_resample_without_positives_has_no_value():
    scores, targets = np.array([[0.9], [0.1]]), np.array([[1], [0]])
    counts = np.array([[0, 2], [1, 1]])
    for statistic in (metrics.average_precision_all, metrics.mean_average_precision):
        np.testing.assert_array_equal(statistic(scores, targets, weights=counts), [np.nan, 1.0])


def test_tensors_of_any_precision_measure_as_arrays_do():
    scores, targets = tags()
    low = torch.tensor(scores).bfloat16().requires_grad_()
    expected = average_precision_score(targets.ravel(), low.detach().double().numpy().ravel())
    value = metrics.average_precision_all(low, torch.tensor(targets).bool())
    assert value == pytest.approx(expected, abs=1e-12)


def test_top_k_assigns_the_best_labels_and_breaks_ties_by_index():
    scores = np.array([[0.1, 0.9, 0.5, 0.5, 0.5], [1.0, 1.0, 1.0, 1.0, 1.0]])
    np.testing.assert_array_equal(metrics.top_k_assignments(scores, k=2), [[0, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    assert (metrics.top_k_assignments(tags()[0]).sum(axis=1) == 6).all()
    with pytest.raises(InputError, match="k is 6, and there are 5 labels"):
        metrics.top_k_assignments(scores)


RANKING = np.array([[2, 0, 1], [3, 1, 0], [0, 1, -1]])
GALLERY = np.array(["skirt", "boots", "skirt", "scarf"])
QUERIES = np.array(["skirt", "boots", "hat"])


def test_first_hits_are_ranks_from_one():
    ranks = metrics.first_hit_ranks(RANKING, QUERIES, GALLERY)
    np.testing.assert_array_equal(ranks, [1, 2, metrics.NEVER])


def test_queries_without_a_match_count_as_misses_or_are_dropped_by_name():
    counted = metrics.top_k_accuracy(RANKING, QUERIES, GALLERY, k=(1, 2, 3))
    assert counted == pytest.approx({1: 1 / 3, 2: 2 / 3, 3: 2 / 3})
    dropped = metrics.top_k_accuracy(RANKING, QUERIES, GALLERY, k=(1, 2, 3), queries_without_match="drop")
    assert dropped == pytest.approx({1: 1 / 2, 2: 1.0, 3: 1.0})


def test_an_empty_place_is_no_hit_even_when_the_last_gallery_image_would_be():
    rates = metrics.top_k_accuracy(np.array([[0, -1]]), np.array(["scarf"]), GALLERY, k=[1, 2])
    assert rates == {1: 0.0, 2: 0.0}


def test_top_k_accuracy_and_fraction_equal_a_loop_over_queries():
    rng = np.random.default_rng(0)
    gallery, queries = rng.integers(0, 40, 120), rng.integers(0, 44, 30)
    ranking = np.stack([rng.permutation(120)[:50] for _ in queries])
    hits = metrics.top_k_accuracy(ranking, queries, gallery)
    fractions = metrics.recall_fraction_at_k(ranking, queries, gallery)
    assert list(hits) == list(range(1, 51))
    for k in hits:
        found = [np.sum(gallery[row[:k]] == query) for row, query in zip(ranking, queries, strict=True)]
        relevant = [max(np.sum(gallery == query), 1) for query in queries]
        assert hits[k] == pytest.approx(np.mean(np.array(found) > 0))
        assert fractions[k] == pytest.approx(np.mean(np.array(found) / relevant))


def test_fraction_is_not_hit_rate_where_a_product_has_several_images():
    fraction = metrics.recall_fraction_at_k(RANKING, QUERIES, GALLERY, k=[1, 2], queries_without_match="drop")
    assert fraction == pytest.approx({1: 1 / 4, 2: 1.0})


def test_bootstrap_equals_a_loop_that_resamples_and_measures_again():
    scores, targets = tags(seed=3)
    made = metrics.mean_interval(metrics.average_precision_all, [(scores, targets)], resamples=200, centre=False)
    rng, drawn = np.random.default_rng(0), []
    for _ in range(200):
        chosen = rng.integers(0, len(scores), len(scores))
        drawn.append(average_precision_score(targets[chosen].ravel(), scores[chosen].ravel()))
    assert made.value == metrics.average_precision_all(scores, targets)
    assert (made.low, made.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-12)
    centred = metrics.mean_interval(metrics.average_precision_all, [(scores, targets)], resamples=200)
    assert centred.low - made.low == pytest.approx(made.value - np.mean(drawn), abs=1e-12)


def test_a_paired_interval_uses_the_same_resamples_for_both_methods():
    scores, targets = tags(seed=4)
    worse = scores - 0.5 * targets
    run = [(scores, targets)]
    same = metrics.mean_interval(metrics.mean_average_precision, run, minus=run, resamples=50)
    assert same == metrics.Interval(0.0, 0.0, 0.0)
    paired = metrics.mean_interval(metrics.average_precision_all, run, minus=[(worse, targets)], resamples=200)
    alone = [metrics.mean_interval(metrics.average_precision_all, [(s, targets)]) for s in (scores, worse)]
    assert paired.value == alone[0].value - alone[1].value
    assert 0 < paired.low < paired.value < paired.high
    assert paired.high - paired.low < 0.7 * (alone[0].high - alone[0].low + alone[1].high - alone[1].low)


def test_the_interval_of_map_holds_the_value_when_labels_are_rare():
    rng = np.random.default_rng(0)
    for _ in range(5):
        targets = (rng.random((200, 30)) < 0.3 * np.exp(-np.arange(30) / 5)).astype(int)
        scores = rng.normal(size=targets.shape) + targets
        made = metrics.mean_interval(metrics.mean_average_precision, [(scores, targets)], resamples=200)
        assert made.low < made.value < made.high


def test_the_interval_of_a_hit_rate_has_the_binomial_spread():
    first = np.where(np.arange(400) % 4 == 0, 1, np.where(np.arange(400) % 4 == 1, 20, metrics.NEVER))
    assert [metrics.hit_rate(first, k) for k in (1, 19, 20)] == [0.25, 0.25, 0.5]
    point = metrics.mean_interval(partial(metrics.hit_rate, k=20), [(first,)], centre=False)
    assert point.high - point.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 400), rel=0.1)


def test_a_thousand_resamples_of_the_street_photos_take_seconds():
    scores, targets = tags(420, 56)
    for statistic in (metrics.average_precision_all, metrics.mean_average_precision):
        start = time.process_time()
        metrics.mean_interval(statistic, [(scores, targets)])
        assert time.process_time() - start < 4


def broken(change):
    scores, targets = tags()
    return change(scores.copy(), targets.copy())


def with_nan(scores, targets):
    scores[3, 1] = np.nan
    return scores, targets


def with_two(scores, targets):
    targets[3, 1] = 2
    return scores, targets


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, t: (s[:-1], t), "targets has 60 images and scores 59: they must be the same images"),
        (with_nan, r"scores\[3, 1\] is nan"),
        (with_two, r"targets\[3, 1\] is 2.*: expected 0 or 1"),
        (lambda s, t: (s, t * 0), "No target is 1"),
        (lambda s, t: (s * np.inf, t), r"\(540 such\): expected finite numbers"),
    ],
)
def test_bad_tags_are_named(change, message):
    scores, targets = broken(change)
    for metric in (
        metrics.average_precision_all,
        metrics.mean_average_precision,
    ):
        with pytest.raises(InputError, match=message):
            metric(scores, targets)


def test_bad_rankings_and_bootstraps_are_named():
    with pytest.raises(InputError, match="query_products has 2 queries and ranking 3"):
        metrics.first_hit_ranks(RANKING, QUERIES[:2], GALLERY)
    with pytest.raises(InputError, match="numbers from -1 to 3: expected gallery indices from 0 to 2"):
        metrics.first_hit_ranks(RANKING, QUERIES, GALLERY[:3])
    with pytest.raises(InputError, match="expected numbers from 1 to 3"):
        metrics.top_k_accuracy(RANKING, QUERIES, GALLERY)
    with pytest.raises(InputError, match="No query has its product"):
        metrics.top_k_accuracy(RANKING[2:], QUERIES[2:], GALLERY, k=[1], queries_without_match="drop")
    scores, targets = tags()
    with pytest.raises(InputError, match="both methods' runs of the same images"):
        metrics.mean_interval(metrics.average_precision_all, [(scores, targets)], minus=[(scores[1:], targets[1:])])
    with pytest.raises(InputError, match="0 resamples"):
        metrics.mean_interval(metrics.average_precision_all, [(scores, targets)], resamples=0)
