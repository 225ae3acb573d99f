"""The diversity dial: its ends are what they are called, and its middle lies between them."""

import numpy as np
import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.retrieval.mmr import by_turns, diversified


def draw(seed, candidates=30, channels=6):
    """Distances of random points from a query, and from each other."""
    points = torch.randn(candidates, channels, generator=torch.Generator().manual_seed(seed))
    return points.norm(dim=1), torch.cdist(points, points)


def written_out(relevance, between, k, diversity):
    """Carbonell and Goldstein's rule, one candidate at a time in plain Python."""
    chosen = []
    while len(chosen) < k:
        best, best_gain = None, None
        for i in sorted(range(len(relevance)), key=lambda i: (relevance[i], i)):
            if i in chosen:
                continue
            redundancy = max((-between[i][j] for j in chosen), default=0.0)
            gain = (1 - diversity) * -relevance[i] - diversity * redundancy if chosen else -relevance[i]
            if best_gain is None or gain > best_gain:
                best, best_gain = i, gain
        chosen.append(best)
    return chosen


def spread(chosen, between):
    return np.mean([float(between[a, b]) for a in chosen for b in chosen if a != b])


@pytest.mark.parametrize("seed", range(5))
def test_at_zero_it_is_the_plain_ranking(seed):
    relevance, between = draw(seed)
    assert diversified(relevance, between, 10, 0.0) == torch.argsort(relevance, stable=True)[:10].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_at_one_each_is_the_farthest_from_those_before_it(seed):
    relevance, between = draw(seed)
    chosen = diversified(relevance, between, 8, 1.0)
    assert chosen[0] == int(relevance.argmin())
    for place in range(1, 8):
        rest = [i for i in range(30) if i not in chosen[:place]]
        nearest = {i: min(float(between[i, j]) for j in chosen[:place]) for i in rest}
        assert chosen[place] == max(rest, key=nearest.__getitem__)


@pytest.mark.parametrize("diversity", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_it_is_maximal_marginal_relevance_written_out(diversity):
    for seed in range(5):
        relevance, between = draw(seed)
        expected = written_out(relevance.double().tolist(), between.double().tolist(), 8, diversity)
        assert diversified(relevance, between, 8, diversity) == expected


def test_turning_the_dial_up_spreads_the_list_and_takes_it_from_the_query():
    dials = (0.0, 0.25, 0.5, 0.75, 1.0)
    drawn = [draw(seed) for seed in range(200)]
    spreads, distances = [], []
    for dial in dials:
        lists = [diversified(relevance, between, 6, dial) for relevance, between in drawn]
        spreads.append(np.mean([spread(one, between) for one, (_, between) in zip(lists, drawn, strict=True)]))
        distances.append(np.mean([float(near[one].mean()) for one, (near, _) in zip(lists, drawn, strict=True)]))
    assert spreads == sorted(spreads)
    assert distances == sorted(distances)
    assert spreads[-1] > 1.3 * spreads[0]


def test_equal_candidates_come_in_the_order_they_have():
    relevance, between = torch.ones(5), torch.ones(5, 5) - torch.eye(5)
    for diversity in (0.0, 0.5, 1.0):
        assert diversified(relevance, between, 5, diversity) == [0, 1, 2, 3, 4]


def test_fewer_candidates_than_places_and_none_at_all():
    relevance, between = draw(0, candidates=3)
    assert sorted(diversified(relevance, between, 9, 0.7)) == [0, 1, 2]
    assert diversified(relevance, between, 0, 0.7) == []
    assert diversified(torch.zeros(0), torch.zeros(0, 0), 4, 0.7) == []


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_a_dial_out_of_range_is_refused(diversity):
    with pytest.raises(InputError, match="expected 0"):
        diversified(*draw(0), 5, diversity)


def test_parts_take_turns_and_no_photo_comes_twice():
    assert by_turns([[1, 2, 3], [1, 4], [5]], 6) == [1, 4, 5, 2, 3]
    assert by_turns([[1, 2, 3], [4, 5, 6]], 4) == [1, 4, 2, 5]
    assert by_turns([], 4) == []
