"""faiss: the same answers as a loop on small galleries, from files, and one clear error without the package."""

import sys

import numpy as np
import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.gallery.ann import build_index, build_part_indexes, open_index, rank_parts_in, search
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.ranking import rank_parts


@pytest.fixture
def faiss():
    return pytest.importorskip("faiss", reason="the extra 'faiss' is not installed")


def vectors(photos, seed, channels=16):
    """Around a few centres, as features of photos are."""
    rng = torch.Generator().manual_seed(seed)
    centres = torch.randn(12, channels, generator=torch.Generator().manual_seed(99))
    return centres[torch.randint(0, 12, (photos,), generator=rng)] + 0.3 * torch.randn(photos, channels, generator=rng)


def parts(photos, seed, labels=6):
    rng = torch.Generator().manual_seed(seed)
    assigned = torch.rand(photos, labels, generator=rng) < 0.4
    best = torch.randint(0, 3, (photos, labels), generator=rng)
    return PartFeatures(torch.stack([vectors(photos, seed + step) for step in range(3)], 1), best, assigned)


def looped(queries, gallery, k):
    distances = np.array([[float(torch.dist(a, b)) for b in gallery] for a in queries])
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, axis=1)


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_small_galleries_are_answered_as_a_loop_answers(faiss, tmp_path, kind):
    queries, gallery = vectors(5, 0), vectors(300, 1)
    index = open_index(build_index(tmp_path / "gallery.faiss", gallery, kind))
    ranking, (order, distances) = search(index, queries, 10), looped(queries, gallery, 10)
    np.testing.assert_array_equal(ranking.indices, order)
    np.testing.assert_allclose(ranking.distances, distances, rtol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.faiss"]


def test_quantised_vectors_find_most_of_the_nearest_in_a_fraction_of_the_space(faiss, tmp_path):
    queries, gallery = vectors(20, 0, channels=64), vectors(2000, 1, channels=64)
    path = build_index(tmp_path / "gallery.faiss", gallery, "ivfpq")
    ranking, (order, _) = search(open_index(path), queries, 20), looped(queries, gallery, 20)
    found = [len(set(a) & set(b)) / 20 for a, b in zip(ranking.indices.tolist(), order.tolist(), strict=True)]
    assert np.mean(found) > 0.6
    assert path.stat().st_size < build_index(tmp_path / "flat.faiss", gallery, "flat").stat().st_size


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_part_by_part_with_enough_candidates_is_the_exact_ranking(faiss, tmp_path, kind):
    query, gallery = parts(6, 0), parts(150, 10)
    folder = build_part_indexes(tmp_path / "parts", gallery, kind)
    found, exact = rank_parts_in(folder, query, gallery, 12, per_label=150), rank_parts(query, gallery, 12)
    assert torch.equal(found.indices, torch.where(exact.distances.isinf(), -1, exact.indices))
    torch.testing.assert_close(found.distances, exact.distances, atol=1e-3, rtol=1e-3)


def test_fewer_candidates_keep_their_exact_distances(faiss, tmp_path):
    query, gallery = parts(6, 0), parts(400, 10)
    found = rank_parts_in(build_part_indexes(tmp_path / "parts", gallery, "ivfpq"), query, gallery, 5, per_label=20)
    exact = rank_parts(query, gallery, 400)
    for row in range(6):
        for photo, distance in zip(found.indices[row].tolist(), found.distances[row].tolist(), strict=True):
            place = exact.indices[row].tolist().index(photo)
            assert distance == pytest.approx(float(exact.distances[row, place]), abs=1e-3)


def test_what_cannot_be_indexed_or_searched_is_named(faiss, tmp_path):
    with pytest.raises(InputError, match="choose one of flat, hnsw, ivfpq"):
        build_index(tmp_path / "a", vectors(9, 0), "tree")
    with pytest.raises(InputError, match="needs 256 vectors or more, there are 9"):
        build_index(tmp_path / "a", vectors(9, 0), "ivfpq")
    with pytest.raises(InputError, match="no vectors"):
        build_index(tmp_path / "a", torch.zeros(0, 4))
    with pytest.raises(InputError, match="no such index"):
        open_index(tmp_path / "a")
    (tmp_path / "a").write_text("none")
    with pytest.raises(InputError, match="no faiss index"):
        open_index(tmp_path / "a")
    index = open_index(build_index(tmp_path / "b", vectors(9, 0)))
    with pytest.raises(InputError, match="4 channels, the index 16"):
        search(index, torch.zeros(1, 4), 2)
    assert search(index, vectors(1, 1), 12).indices[0, 9:].tolist() == [-1] * 3


def test_without_the_package_one_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r"pip install 'fashionlib\[faiss\]'"):
        build_index(tmp_path / "a", vectors(9, 0))
