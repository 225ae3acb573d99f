"""Parts that name one garment are one, and the list for all parts starts with the photo that is most alike."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from fashionlib.retrieval.collection import Collection
from fashionlib.retrieval.part_features import KIND, PartFeatures, merged, same_kind
from fashionlib.retrieval.recommend import recommend_parts, recommend_together
from fashionlib.retrieval.xquad import LABELS, WHOLE, chosen_together, likeness, relevance

LABELS_OF = ("t-shirt", "top", "shoes")


def seen(photos, seed):
    """Random photos of three labels and two steps."""
    draw = torch.Generator().manual_seed(seed)
    features = normalize(torch.randn(photos, 2, 6, generator=draw), dim=-1)
    scores = torch.rand(photos, 3, generator=draw).numpy()
    best = torch.randint(0, 2, (photos, 3), generator=draw)
    boxes = np.tile(np.array([[0, 0, 1, 0.5], [0, 0.5, 1, 1]], np.float32), (photos, 1, 1))
    whole = normalize(torch.randn(photos, 6, generator=draw), dim=-1)
    parts = PartFeatures(features, best, torch.ones(photos, 3, dtype=torch.bool))
    names = tuple(f"{number}.jpg" for number in range(photos))
    return Collection(scores, parts, boxes, LABELS_OF, names, whole=whole)


def by_hand(query, gallery, photo):
    """The likeness of the query's first photo and one of the gallery, label by label."""
    own, other = query.scores[0], gallery.scores[photo]
    labels = [label for label in range(3) if own[label] >= 0.05]
    weights = [np.sqrt(own[label] * other[label]) for label in labels]
    near, far = torch.tensor([0]), torch.tensor([photo])
    apart = [float((query.parts.of(near, label) - gallery.parts.of(far, label)).norm()) for label in labels]
    parts = [1 - each**2 / 2 for each in apart]
    agreement = np.sqrt(own) @ np.sqrt(other) / np.sqrt(own.sum() * other.sum())
    whole = float(query.whole[0] @ gallery.whole[photo])
    return WHOLE * whole + LABELS * agreement + (1 - WHOLE) * np.average(parts, weights=weights)


def test_likeness_is_whole_parts_and_labels():
    query, gallery = seen(1, 0), seen(7, 1)
    near, found = likeness(query, 0, gallery, torch.ones(7, dtype=torch.bool))
    assert near.tolist() == list(range(7))
    np.testing.assert_allclose(found, [by_hand(query, gallery, photo) for photo in range(7)], rtol=1e-4)
    candidates = torch.ones(7, dtype=torch.bool)
    candidates[3] = False
    assert likeness(query, 0, gallery, candidates)[0].tolist() == [0, 1, 2, 4, 5, 6]


def test_relevance_falls_with_distance_and_has_no_unit_but_the_fifth_nearest():
    found = relevance(torch.tensor([0.9, 0.2, 0.5]))
    assert found.argsort(descending=True).tolist() == [0, 2, 1]
    torch.testing.assert_close(found[1], torch.tensor(-1.0).exp())  # the last, where there are fewer than five
    assert relevance(torch.zeros(0)).shape == (0,)


@pytest.mark.parametrize("dial", [0.0, 0.5, 1.0])
def test_the_first_of_the_list_is_the_most_alike_whatever_the_dial(dial):
    query, gallery = seen(1, 2), seen(30, 3)
    _, alike = likeness(query, 0, gallery, torch.ones(30, dtype=torch.bool))
    found = recommend_together(query, 0, gallery, k=5, diversity=dial)
    assert found[0].photo == int(alike.argmax())
    assert len({each.photo for each in found}) == 5
    assert all(each.looks for each in found)


def test_with_relevance_the_dial_penalises_what_is_answered_already():
    likely = torch.tensor([[0.9, 0.0], [0.9, 0.0], [0.0, 0.9]])
    relevance_ = torch.tensor([1.0, 0.9, 0.6])
    assert chosen_together(likely, torch.ones(2), 3, 0.0, relevance_) == [0, 1, 2]
    assert chosen_together(likely, torch.ones(2), 3, 0.5, relevance_) == [0, 2, 1]  # 0.9 · (1 − 0.5 · 0.9) < 0.6


def test_a_photo_that_answers_nothing_is_penalised_like_one_that_answers_what_is_answered():
    likely = torch.tensor([[0.9], [0.8], [0.0]])
    assert chosen_together(likely, torch.ones(1), 3, 1.0, torch.tensor([1.0, 0.9, 0.8])) == [0, 1, 2]


def test_names_of_one_garment_in_one_place_are_one_part():
    assert same_kind("t-shirt", "longsleeve")
    assert same_kind("dress", "top")
    assert not same_kind("shoes", "pants")
    assert same_kind("monocle", "monocle")
    assert "monocle" not in KIND
    regions = {0: (0.0, 0.0, 1.0, 0.5), 1: (0.0, 0.05, 1.0, 0.5), 2: (0.0, 0.0, 1.0, 0.5)}
    assert merged([0, 1, 2], LABELS_OF, regions.__getitem__) == [[0, 1], [2]]
    apart = {**regions, 1: (0.0, 0.5, 1.0, 1.0)}
    assert merged([0, 1, 2], LABELS_OF, apart.__getitem__) == [[0], [1], [2]]


def test_a_merged_row_says_its_other_names_and_takes_photos_that_carry_any_of_them():
    query, gallery = seen(1, 4), seen(20, 5)
    query.parts.best_step[:] = torch.tensor([[0, 0, 1]])
    query.scores[0] = [0.9, 0.6, 0.7]
    gallery.parts.assigned[:10, 0] = False  # these carry "top", not "t-shirt"
    rows = recommend_parts(query, 0, gallery, per_part=20, merge=True)
    assert [(row.label, row.also) for row in rows] == [("t-shirt", ("top",)), ("shoes", ())]
    assert rows[0].title == "t-shirt or top"
    assert len(rows[0].looks) == 20
    plain = recommend_parts(query, 0, gallery, per_part=20)
    assert [row.label for row in plain] == ["t-shirt", "shoes", "top"]
    assert len(plain[0].looks) == 10
