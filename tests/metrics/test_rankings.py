"""Metrics of rankings against a slow computation from their definitions, on random cases of every kind."""

import itertools
import math

import numpy as np
import pytest

from fashionlib.core.errors import InputError
from fashionlib.metrics import first_hit_ranks, hit_rate, recall_fraction_at_k, top_k_accuracy
from fashionlib.metrics.diversity import alpha_ndcg_at_k, intra_list_distance_at_k


def unknown(product):
    return product is None or product in ("", -1) or (isinstance(product, float) and math.isnan(product))


def slow(ranking, queries, gallery, k, own):
    """hit@k and the share of relevant photos among the first k, query by query; None where nothing is relevant."""
    found = []
    for number, (row, product) in enumerate(zip(ranking, queries, strict=True)):
        itself = None if own is None else own[number]
        row = [photo for photo in row if photo != itself or photo == -1][:k]
        relevant = {g for g, other in enumerate(gallery) if other == product and not unknown(product) and g != itself}
        hits = [photo for photo in row if photo in relevant]
        found.append((bool(hits), len(hits) / len(relevant) if relevant else None))
    return found


KINDS = {
    "names": (["", "a", "b", "c"], object), "numbers": ([-1, 0, 1, 2], np.int64),
    "floats": ([math.nan, 0.0, 1.0, 2.0], float), "large": ([2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2], np.int64),
}  # fmt: skip


def case(number):
    """Small, so that ties, misses, empty places and products without a photo are common."""
    rng = np.random.default_rng(number)
    values, kind = KINDS[list(KINDS)[number % len(KINDS)]]
    photos, ranks = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    gallery = np.array([values[i] for i in rng.integers(0, 4, photos)], kind)
    if number % 2:  # one set
        own = rng.permutation(photos)[: rng.integers(1, photos + 1)]
        queries = gallery[own]
    else:
        own, queries = None, np.array([values[i] for i in rng.integers(0, 4, rng.integers(1, 6))], kind)
    places = [np.concatenate([rng.permutation(photos), np.full(ranks, -1)])[:ranks] for _ in queries]
    return np.array([rng.permutation(row) for row in places]), queries, gallery, own, int(rng.integers(1, ranks + 1))


def test_hit_and_recall_of_a_thousand_random_cases_are_those_of_a_slow_computation():
    for number in range(1000):
        ranking, queries, gallery, own, k = case(number)
        expected = slow(ranking.tolist(), queries.tolist(), gallery.tolist(), k, own)
        count = top_k_accuracy(ranking, queries, gallery, [k], own=own)[k]
        assert count == pytest.approx(np.mean([hit for hit, _ in expected])), number
        share = recall_fraction_at_k(ranking, queries, gallery, [k], own=own)[k]
        assert share == pytest.approx(np.mean([found or 0 for _, found in expected])), number
        kept = [hit for hit, found in expected if found is not None]
        if kept:
            first = first_hit_ranks(ranking, queries, gallery, "drop", own)
            assert hit_rate(first, k) == pytest.approx(np.mean(kept)), number
        else:
            with pytest.raises(InputError, match="No query has its product"):
                first_hit_ranks(ranking, queries, gallery, "drop", own)


def dcg(rows, alpha):
    seen, total = [0] * len(rows[0]), 0.0
    for rank, row in enumerate(rows):
        total += sum((1 - alpha) ** seen[part] for part, hit in enumerate(row) if hit) / math.log2(rank + 2)
        seen = [count + bool(hit) for count, hit in zip(seen, row, strict=True)]
    return total


def greedy(rows, k, alpha):
    """The ideal list as the paper chooses it: each place takes the candidate that gains most there."""
    remaining, chosen = list(rows), []
    while remaining and len(chosen) < k:
        gains = [dcg([*chosen, row], alpha) for row in remaining]
        chosen.append(remaining.pop(gains.index(max(gains))))
    return chosen


def test_alpha_ndcg_of_a_thousand_random_cases_is_that_of_a_slow_computation():
    for number in range(1000):
        rng = np.random.default_rng(number)
        candidates, parts, alpha = int(rng.integers(1, 7)), int(rng.integers(1, 4)), [0.0, 0.5, 1.0][number % 3]
        gallery = rng.random((1, candidates, parts)) < 0.4
        order = rng.permutation(candidates)[: rng.integers(1, candidates + 1)]
        matches, k = gallery[:, order], int(rng.integers(1, len(order) + 1))
        ideal = dcg(greedy(gallery[0].tolist(), k, alpha), alpha)
        expected = dcg(matches[0, :k].tolist(), alpha) / ideal if ideal else 0.0
        assert alpha_ndcg_at_k(matches, gallery, k, alpha)[0] == pytest.approx(expected), number


def test_a_photo_twice_in_a_ranking_is_refused_by_query_and_photo():
    """Seen to give a recall of 2.0 and an α-nDCG of 1.113."""
    ranking, queries, gallery = (
        np.array([[1, 0, -1, -1], [2, 0, 1, 2]]),
        np.array(["a", "a"]),
        np.array(["a", "a", "b"]),
    )
    for measure in (top_k_accuracy, recall_fraction_at_k):
        with pytest.raises(InputError, match="query 1: photo 2 stands twice in its ranking, at 1 and 4"):
            measure(ranking, queries, gallery, [1, 4])
    with pytest.raises(InputError, match="query 1: photo 2 stands twice"):
        intra_list_distance_at_k(ranking, np.zeros((3, 3)), 2)
    gains = np.array([[[1, 0], [0, 1]]], bool)
    for order in itertools.product(range(2), repeat=3):
        with pytest.raises(InputError, match=r"query 0: the list holds more photos that match the parts \[[01]\]"):
            alpha_ndcg_at_k(gains[:, list(order)], gains, k=3)


def test_products_are_compared_as_they_are():
    """Seen to match unknown products with each other, and numbers above 2^53 that floats cannot tell apart."""
    ranking = np.array([[0]])
    for product in ("", -1, math.nan, None):
        for kind in (None, object):
            both = np.array([product], kind)
            assert top_k_accuracy(ranking, both, both, [1]) == {1: 0.0}
    signed, unsigned = np.array([2**53], np.int64), np.array([2**53 + 1], np.uint64)
    assert top_k_accuracy(ranking, signed, unsigned, [1]) == {1: 0.0}
    assert top_k_accuracy(ranking, signed, unsigned - np.uint64(1), [1]) == {1: 1.0}
    with pytest.raises(InputError, match="text for some photos and numbers for others"):
        top_k_accuracy(ranking, np.array(["1"]), np.array([1]), [1])
    with pytest.raises(InputError, match="whole numbers"):
        top_k_accuracy(ranking.astype(float), signed, signed, [1])


def test_in_one_set_a_query_is_no_candidate_and_not_relevant_to_itself():
    products, ranking = np.array(["a", "a", "b"]), np.array([[0, 2, 1], [1, 0, 2], [2, 1, 0]])
    assert first_hit_ranks(ranking, products, products, own=np.arange(3)).tolist()[:2] == [2, 1]
    assert top_k_accuracy(ranking, products, products, [1, 2], "drop", np.arange(3)) == {1: 0.5, 2: 1.0}


def test_an_empty_gallery_is_refused_by_name():
    """Seen: an IndexError."""
    with pytest.raises(InputError, match=r"gallery_products .* is empty, there are no photos"):
        recall_fraction_at_k(np.array([[-1]]), np.array(["a"]), np.array([], str), [1], own=np.array([-1]))
