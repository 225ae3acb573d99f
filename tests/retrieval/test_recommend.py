"""Rows of look-alikes, against a loop over the gallery; what each says of itself."""

import numpy as np
import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.gallery.text_report import as_lines
from fashionlib.retrieval import recommend
from fashionlib.retrieval.collection import Collection
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.recommend import recommend_parts

LABELS = ("hat", "coat", "boots", "bag", "belt")


def collection(photos, seed, labels=LABELS, carried=3):
    rng = torch.Generator().manual_seed(seed)
    scores = torch.rand(photos, len(labels), generator=rng)
    assigned = torch.zeros(photos, len(labels), dtype=torch.bool).scatter_(1, scores.topk(carried).indices, True)
    best = torch.randint(0, 4, (photos, len(labels)), generator=rng)
    parts = PartFeatures(torch.randn(photos, 4, 6, generator=rng), best, assigned)
    boxes = torch.rand(photos, 4, 4, generator=rng).sort().values.numpy() * 1.5 - 0.2
    return Collection(scores.numpy(), parts, boxes, labels, tuple(f"{i}.jpg" for i in range(photos)))


def nearest_by_hand(query, photo, gallery, label):
    """All gallery photos with the label, nearest first, with distances."""
    found = []
    for i in range(len(gallery.parts)):
        if gallery.parts.assigned[i, label]:
            here = query.parts.features[photo, query.parts.best_step[photo, label]]
            there = gallery.parts.features[i, gallery.parts.best_step[i, label]]
            found.append((float((here - there).norm()), i))
    return sorted(found)


def test_at_zero_each_row_is_the_plain_ranking_of_its_part():
    query, gallery = collection(2, 0), collection(40, 1)
    rows = recommend_parts(query, 1, gallery, per_part=5, parts=9, diversity=0.0)
    assert [row.label for row in rows] == [LABELS[i] for i in np.argsort(-query.scores[1])[:3]]
    for row in rows:
        label = LABELS.index(row.label)
        expected = nearest_by_hand(query, 1, gallery, label)
        assert [look.photo for look in row.looks] == [photo for _, photo in expected[:5]]
        assert [look.distance for look in row.looks] == pytest.approx([apart for apart, _ in expected[:5]], abs=1e-5)
        assert row.score == pytest.approx(query.scores[1, label])


def test_a_turned_dial_chooses_among_the_nearest_and_says_from_which_place(monkeypatch):
    query, gallery = collection(2, 0), collection(60, 1)
    plain = recommend_parts(query, 0, gallery, per_part=4, diversity=0.0)
    monkeypatch.setattr(recommend, "POOL", 3)
    varied = recommend_parts(query, 0, gallery, per_part=4, diversity=1.0)
    assert [row.label for row in varied] == [row.label for row in plain]
    for before, after in zip(plain, varied, strict=True):
        expected = nearest_by_hand(query, 0, gallery, LABELS.index(after.label))
        assert after.looks[0] == before.looks[0]
        assert after.looks != before.looks
        for look in after.looks:
            assert look.photo == expected[look.rank - 1][1]
            assert look.rank <= 12
            assert f"of {len(expected)} photos" in look.reason


def test_a_look_alike_tells_label_region_distance_score_and_name():
    query, gallery = collection(1, 0), collection(20, 1)
    row = recommend_parts(query, 0, gallery, per_part=2)[0]
    look, label = row.looks[0], LABELS.index(row.label)
    assert (look.label, look.name) == (row.label, f"{look.photo}.jpg")
    assert look.score == pytest.approx(gallery.scores[look.photo, label])
    assert all(0 <= side <= 1 for side in (*look.region, *row.region))
    assert row.label in look.reason
    assert "nearest of" in look.reason
    assert as_lines([row])[1].split()[:2] == [f"{look.distance:.3f}", look.name]


def test_photos_left_out_are_no_candidates_and_weak_labels_are_no_parts():
    query, gallery = collection(1, 0), collection(20, 1)
    first = recommend_parts(query, 0, gallery, per_part=3)
    out = {look.photo for row in first for look in row.looks}
    assert out.isdisjoint(look.photo for row in recommend_parts(query, 0, gallery, per_part=3, exclude=out)
                          for look in row.looks)  # fmt: skip
    best = float(query.scores.max())
    assert len(recommend_parts(query, 0, gallery, min_score=best)) == 1
    assert len(recommend_parts(query, 0, gallery, min_score=1.0)) == 1
    gallery.parts.assigned[:] = False
    assert recommend_parts(query, 0, gallery) == []


def test_another_models_photos_and_a_dial_out_of_range_are_refused():
    query = collection(1, 0)
    with pytest.raises(InputError, match="different labels"):
        recommend_parts(query, 0, collection(5, 1, labels=("hat", "coat", "boots")))
    with pytest.raises(InputError, match="diversity is 2"):
        recommend_parts(query, 0, collection(5, 1), diversity=2.0)
