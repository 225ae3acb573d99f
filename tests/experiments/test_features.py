"""The compared features taken apart: which numbers are whose, and what each is paired with."""

import numpy as np
import pytest
import torch

from benchmarks.features import CONTEXT, Seen, apart, distances, first_hits, rows, see
from benchmarks.ship import with_descriptor
from fashionlib.data import load
from fashionlib.gallery.extract import decoded, trunk_maps_of
from fashionlib.models.tagger import Tagger
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.ranking import rank_parts, rank_whole

HEAD = {"steps": 2, "hidden": 16, "reduce": 16, "codewords": 4}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    labels = load("wardrobe").labels
    trunk = {"depths": [16, 32], "stride": 32}
    return Tagger(labels=labels, image_size=(96, 64), kind="parser", head=HEAD, trunk=trunk).eval()


@pytest.fixture(scope="module")
def photos():
    return load("wardrobe", None, "test", size=(96, 64), counts={"test": 5})


def test_parts_of_features_are_those_that_retrieval_compares_and_row_0_is_the_whole_photo(model, photos):
    maps = trunk_maps_of(model, [decoded(photos[1].image, (96, 64))])
    with torch.no_grad():
        output = model.head(maps)
        found = apart(model.head, maps, output)
    texture, attended = found["texture"], found["attended"]
    steps = torch.cat([texture, attended], -1)[:, 1:]
    torch.testing.assert_close(steps, output.features)
    torch.testing.assert_close(texture.norm(dim=-1), torch.ones(1, 1 + output.features.shape[1]))
    pooled = model.head.standardise(maps).mean((2, 3))[0]
    by_depth = [depth / depth.norm() for depth in pooled.split(model.head.depths)]
    torch.testing.assert_close(attended[0, 0], torch.cat(by_depth).detach(), rtol=1e-4, atol=1e-4)


def test_features_of_the_default_model_are_one_kind_of_whole_photo_and_steps(model, photos):
    projected = with_descriptor(model, whole_share=0.0, alone_share=0.0).eval()
    found = see(projected, photos)
    assert {*found.kinds} == {"projected"}
    assert found.kinds["projected"].shape[:2] == (5, 4)  # step 0 is scored, too
    assert {*found.controls} == {"backbone", "gem", "stripes"}


def drawn(count, seed):
    draw = torch.Generator().manual_seed(seed)
    kinds = {kind: torch.rand(count, 4, width, generator=draw) for kind, width in (("texture", 6), ("attended", 3))}
    best = torch.randint(0, 3, (count, 5), generator=draw)
    return Seen(tuple(map(str, range(count))), torch.rand(count, 5, generator=draw) + 0.01, best, kinds, {})


def test_distances_are_those_of_part_by_part_ranking_and_both_add_up():
    query, gallery = drawn(4, 0), drawn(7, 1)
    found = distances(query, gallery)

    def ranked(features):
        sides = [
            PartFeatures(features(each), each.best_step, torch.ones_like(each.scores, dtype=torch.bool), each.scores)
            for each in (query, gallery)
        ]
        return rank_parts(*sides, k=7)

    def both(each):
        return torch.cat([each.kinds["texture"], each.kinds["attended"]], -1)

    def together(each):
        whole, steps = both(each).tensor_split([1], 1)
        return torch.cat([CONTEXT**0.5 * whole.expand_as(steps), (1 - CONTEXT) ** 0.5 * steps], -1)

    for name, features in (("both-parts", lambda each: both(each)[:, 1:]), ("both-together", together)):
        known = ranked(features)
        torch.testing.assert_close(found[name].gather(1, known.indices), known.distances, rtol=1e-4, atol=1e-4)
    whole = rank_whole(*(both(each)[:, 0] for each in (query, gallery)), k=7)
    torch.testing.assert_close(found["both-whole"].gather(1, whole.indices), whole.distances, rtol=1e-4, atol=1e-4)


def test_a_photo_finds_itself_by_every_kind_of_feature(model, photos):
    seen = see(model, photos)
    hits = first_hits(seen, seen)
    assert len(hits) == 3 + 3 * 3
    assert all((each == 1).all() for each in hits.values())


def test_texture_is_paired_with_attended_features_and_these_with_the_backbone():
    hits = {name: np.array([1, 2, 30]) for name in ("backbone", "attended-parts", "texture-parts", "both-parts")}
    found = {
        (row["method"], row["metric"]): row for row in rows({**hits, "projected-together": np.array([1, 1, 1])}, 50)
    }
    rivals = {
        method: row.get("versus", {}).get("method") for (method, metric), row in found.items() if metric == "top1"
    }
    assert rivals == {
        "backbone": None, "attended-parts": "backbone", "texture-parts": "attended-parts",
        "both-parts": "attended-parts", "projected-together": "backbone",
    }  # fmt: skip
    assert found["texture-parts", "top20"]["value"] == pytest.approx(2 / 3)
    assert found["projected-together", "top20_over_backbone"]["value"] == pytest.approx(1 / 3)
