"""The one list for all parts: how likely an answer is, what the dial's ends choose, what a query is told."""

import numpy as np
import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.gallery.text_report import answers_as_lines
from fashionlib.retrieval.collection import Collection
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.recommend import answers, recommend_together, shown_in
from fashionlib.retrieval.xquad import chosen_together, likely_answers


def test_an_answer_is_as_likely_as_its_score_and_as_its_nearness_in_reaches():
    distances = torch.tensor([[1.0, 2.0], [2.0, torch.inf], [4.0, 6.0]])
    scores = torch.tensor([[0.5, 1.0], [1.0, 1.0], [1.0, 0.4]])
    found = likely_answers(distances, scores, near=2)
    # reaches: 2, the second nearest; 6, the last of two candidates
    expected = [[0.5 * np.exp(-1 / 4), np.exp(-1 / 9)], [np.exp(-1), 0.0], [np.exp(-4), 0.4 * np.exp(-1)]]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))
    torch.testing.assert_close(likely_answers(10 * distances, scores, near=2), found)  # no unit


def test_photos_at_no_distance_and_parts_without_a_candidate_are_no_trouble():
    distances = torch.tensor([[0.0, torch.inf], [0.0, torch.inf], [1.0, torch.inf]])
    found = likely_answers(distances, torch.full((3, 2), 0.8), near=2)
    assert found.tolist() == [[pytest.approx(0.8), 0.0], [pytest.approx(0.8), 0.0], [0.0, 0.0]]
    assert likely_answers(torch.zeros(0, 2), torch.zeros(0, 2)).shape == (0, 2)


def covered(likely, weights, chosen):
    """How much of the query is expected to be answered by at least one."""
    return float((weights * (1 - (1 - likely[list(chosen)]).prod(0))).sum())


@pytest.mark.parametrize("seed", range(5))
def test_at_zero_the_likeliest_and_at_one_each_adds_the_most_that_is_unanswered(seed):
    rng = torch.Generator().manual_seed(seed)
    likely, weights = torch.rand(12, 4, generator=rng).double(), torch.rand(4, generator=rng).double()
    near = chosen_together(likely, weights, 5, 0.0)
    assert near == (likely @ weights).argsort(descending=True)[:5].tolist()
    varied = chosen_together(likely, weights, 5, 1.0)
    for number in range(5):
        gains = {other: covered(likely, weights, [*varied[:number], other])
                 for other in range(12) if other not in varied[:number]}  # fmt: skip
        assert gains[varied[number]] == pytest.approx(max(gains.values()))
    assert covered(likely, weights, varied) >= covered(likely, weights, near)
    assert varied[0] == near[0]


def test_between_the_ends_a_second_answer_counts_for_less():
    likely, weights = torch.tensor([[0.9, 0.0], [0.8, 0.0], [0.0, 0.3]]), torch.ones(2)
    assert chosen_together(likely, weights, 2, 0.0) == [0, 1]
    assert chosen_together(likely, weights, 2, 0.5) == [0, 1]  # 0.8 · (0.5 + 0.5 · 0.1) is still more than 0.3
    assert chosen_together(likely, weights, 2, 0.9) == [0, 2]  # 0.8 · (0.1 + 0.9 · 0.1) is not


def test_what_answers_nothing_is_not_chosen_and_equals_come_in_order():
    likely = torch.tensor([[0.0], [0.5], [0.5], [0.0]])
    assert chosen_together(likely, torch.ones(1), 4, 0.3) == [1, 2]
    assert chosen_together(torch.zeros(0, 1), torch.ones(1), 4, 0.3) == []
    with pytest.raises(InputError, match=r"diversity is 1\.5"):
        chosen_together(likely, torch.ones(1), 4, 1.5)


LABELS = ("bag", "coat", "hat")


def collection(scores, features, names=()):
    """One step a photo, whose features stand for every label."""
    scores = np.array(scores, dtype=np.float32)
    parts = PartFeatures(
        torch.tensor(features)[:, None], torch.zeros(scores.shape, dtype=torch.long), torch.from_numpy(scores > 0.3)
    )
    boxes = np.tile(np.array([0.1, 0.2, 0.6, 0.7], dtype=np.float32), (len(scores), 1, 1))
    return Collection(scores, parts, boxes, LABELS, names)


@pytest.fixture
def gallery():
    scores = [[0.9, 0.9, 0.9], [0.9, 0.0, 0.0], [0.0, 0.8, 0.0], [0.9, 0.8, 0.0]]
    return collection(scores, [[0.0, 0.0], [0.0, 0.1], [0.2, 0.0], [3.0, 4.0]], ("self", "bag", "coat", "far"))


def test_the_list_names_for_each_photo_the_parts_it_answers(gallery):
    query = collection([[0.9, 0.6, 0.1]], [[0.0, 0.0]])
    found = recommend_together(query, 0, gallery, exclude=[0], diversity=1.0, min_score=0.2)
    assert [one.name for one in found] == ["bag", "coat", "far"]
    assert [[look.label for look in one.looks] for one in found] == [["bag"], ["coat"], ["bag", "coat"]]
    first = found[0].looks[0]
    assert (first.rank, first.distance, first.region) == (1, pytest.approx(0.1), pytest.approx((0.1, 0.2, 0.6, 0.7)))
    assert 0 < found[2].chance < found[0].chance <= 1
    lines = answers_as_lines(found)
    assert lines[2].endswith("far  bag, coat")
    assert len(recommend_together(query, 0, gallery, exclude=[0], k=1)) == 1
    assert recommend_together(query, 0, gallery, exclude=range(4)) == []


def test_every_label_above_the_least_counts_and_the_best_in_any_case(gallery):
    query = collection([[0.05, 0.3, 0.2], [0.01, 0.03, 0.02]], [[0.0, 0.0], [0.0, 0.0]])
    assert shown_in(query, 0, 0.1) == [1, 2]
    assert shown_in(query, 1, 0.1) == [1]
    assert [one.name for one in recommend_together(query, 0, gallery)] == ["self", "coat", "far"]


def test_what_hardly_shows_a_label_or_is_no_candidate_is_infinitely_far(gallery):
    query = collection([[0.9, 0.6, 0.1]], [[0.0, 0.0]])
    distances, likely = answers(query, 0, gallery, [0, 1], torch.tensor([False, True, True, True]))
    assert torch.isinf(distances).tolist() == [[True, True], [False, True], [True, False], [False, False]]
    assert (likely > 0).tolist() == [[False, False], [True, False], [False, True], [True, True]]


def test_other_labels_are_an_error(gallery):
    query = collection([[0.9, 0.6, 0.1]], [[0.0, 0.0]])
    other = Collection(query.scores, query.parts, query.boxes, ("bag", "coat", "tie"))
    with pytest.raises(InputError, match="different labels"):
        recommend_together(other, 0, gallery)
