"""The lists that users get: the dial is chosen on other photos than it is measured on, links and hits are counted."""

import numpy as np
import pytest
import torch

from benchmarks.lists import (
    COVERAGE,
    LENGTH,
    LISTS,
    RELEVANCE,
    RIVAL,
    chosen_dial,
    coverage_rows,
    coverage_values,
    link_rows,
    linked,
    of_half,
)
from benchmarks.real_photos import CONTROL, Seen
from fashionlib.data.catalogue import half_of
from fashionlib.experiments.diversity import DIALS, Relevance
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.recommend import Collection

LABELS = ("dress", "shoes", "hat")


def seen_photos(ids, seed=0):
    draw = torch.Generator().manual_seed(seed)
    features = torch.nn.functional.normalize(torch.rand(len(ids), 2, 8, generator=draw), dim=-1)
    scores = torch.rand(len(ids), 3, generator=draw).numpy() * 0.9 + 0.1
    parts = PartFeatures(features, torch.randint(0, 2, (len(ids), 3), generator=draw), torch.from_numpy(scores > 0.3))
    boxes = np.tile(np.array([[0, 0, 1, 0.5], [0, 0.5, 1, 1]], dtype=np.float32), (len(ids), 1, 1))
    whole = torch.nn.functional.normalize(torch.rand(len(ids), 8, generator=draw), dim=-1)
    return Seen(Collection(scores, parts, boxes, LABELS, whole=whole), features, {CONTROL: whole.flip(1)}, tuple(ids))


def values(relevance, coverage):
    """The same at every query, by dial for the lists; the rival's is 0.5 and 0.4."""
    dialled = {(name, dial): i for name in LISTS for i, dial in enumerate(DIALS)}
    own = lambda numbers: {key: np.full(6, numbers[i]) for key, i in dialled.items()}  # noqa: E731
    whole = {(name, 0.0): each for name in (RIVAL, CONTROL) for each in [np.full(6, 0.5)]}
    return {
        RELEVANCE: {**own(relevance), **whole},
        COVERAGE: {**own(coverage), **{key: np.full(6, 0.4) for key in whole}},
    }


def test_the_dial_covers_most_among_those_no_less_relevant_than_the_whole_photos_list():
    assert chosen_dial(values([0.9, 0.8, 0.6, 0.5, 0.3], [0.4, 0.5, 0.6, 0.6, 0.9]), "shipped") == 0.5
    assert chosen_dial(values([0.1] * 5, [0.9] * 5), "shipped") == 0


def test_the_dial_is_that_of_validation_photos_and_the_ratio_is_read_off_the_curve():
    validation = values([0.9, 0.8, 0.7, 0.6, 0.55], [0.4, 0.5, 0.6, 0.7, 0.8])
    test = values([0.9, 0.7, 0.5, 0.4, 0.3], [0.4, 0.5, 0.6, 0.7, 0.8])
    found = {(row["method"], row["metric"]): row for row in coverage_rows(validation, test, 20)}
    assert found["shipped", COVERAGE]["value"] == pytest.approx(0.8)  # the dial 1
    assert found["shipped", COVERAGE]["versus"]["value"] == pytest.approx(0.4)
    assert found["shipped", "coverage_ratio@10"]["value"] == pytest.approx(0.6 / 0.4)
    assert found[RIVAL, RELEVANCE].get("versus") is None


def test_only_photos_with_masks_ask_and_are_found():
    carries = np.ones((14, 3), dtype=bool)
    carries[12:] = False  # nothing is known of two
    looks = np.zeros((14, 3, 4))
    found = coverage_values(seen_photos([str(number) for number in range(14)]), Relevance(carries, looks), 0.2)
    assert {len(each) for metric in found.values() for each in metric.values()} == {12}
    assert all((found[COVERAGE][name, 0.0] == 1).all() for name in (RIVAL, CONTROL))  # every photo matches every other
    assert LENGTH == 10


def test_a_link_is_hit_by_another_style_among_the_first_and_queries_without_links_are_left_out():
    ids = [f"{style}-red_main" for style in ("mh01", "mh02", "mp01", "mp02")]
    gallery = seen_photos(ids)
    hits, asked = linked(gallery, gallery, {"mh01": ("mp01",), "mh02": ("wp99",)}, 0.2)
    assert asked == ("mh01-red_main",)
    assert hits[RIVAL].tolist() == [1.0]  # of three other styles all are among the first ten
    rows = {row["method"]: row for row in link_rows(hits, "related", 20)}
    assert rows["random"]["versus"]["method"] == RIVAL
    half = of_half(gallery, "test")
    assert {half_of(id_.split("-")[0]) for id_ in half.ids} <= {"test"}
    assert len(half.photos.scores) == len(half.ids)
