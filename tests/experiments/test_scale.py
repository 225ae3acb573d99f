"""Retrieval from files in half precision, and what the receipt at scale says."""

import numpy as np
import pytest
import torch

from benchmarks.scale import Sizes, drawn, looped, scale
from fashionlib.core.errors import InputError
from fashionlib.retrieval.part_features import PartFeatures, Stack, mapped_features, save_features
from fashionlib.retrieval.ranking import rank_parts

SMALL = Sizes(queries=70, gallery=90, steps=3, channels=64, labels=11, top=4)


def test_features_mapped_from_files_rank_as_a_loop_over_pairs_does(tmp_path):
    query, gallery = (drawn(tmp_path / f"{name}.npy", SMALL, name) for name in ("queries", "gallery"))
    ranking = rank_parts(query, gallery, k=90, block=16)
    for row in range(70):
        distances = looped(query, gallery, row)
        assert ranking.indices[row].tolist() == np.argsort(distances, kind="stable").tolist()
        np.testing.assert_allclose(ranking.distances[row], np.sort(distances), rtol=1e-5)


def test_the_receipt_says_that_loop_and_product_agree(tmp_path):
    receipt = scale(tmp_path, SMALL)
    assert receipt.same
    assert receipt.error < 1e-5
    assert receipt.seconds > 0
    assert receipt.loop_seconds > 0


def test_saved_features_come_back_in_half_precision(tmp_path):
    features = torch.randn(50, 3, 8)
    back = mapped_features(save_features(tmp_path / "deep" / "features.npy", features))
    assert back.dtype == torch.float16
    torch.testing.assert_close(back.float(), features, atol=2e-3, rtol=1e-3)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["features.npy"]


def test_features_that_half_precision_cannot_hold_and_files_that_hold_none_are_named(tmp_path):
    for value in (1e5, float("nan")):
        with pytest.raises(InputError, match="not finite or beyond"):
            save_features(tmp_path / "f.npy", torch.full((2, 1, 1), value))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no such file"):
        mapped_features(tmp_path / "f.npy")
    (tmp_path / "f.npy").write_text("no")
    with pytest.raises(InputError, match="no array of features"):
        mapped_features(tmp_path / "f.npy")
    np.save(tmp_path / "f.npy", np.zeros((2, 2)))
    with pytest.raises(InputError, match=r"shape \(2, 2\); expected"):
        mapped_features(tmp_path / "f.npy")


def test_a_stack_of_pieces_reads_and_ranks_as_one_array():
    features, order = torch.randn(30, 3, 8).half(), torch.randperm(30, generator=torch.Generator().manual_seed(0))
    stack = Stack([features[:11], features[11:12], features[12:]], order)
    photos, steps = torch.tensor([3, 29, 0, 3]), torch.tensor([0, 2, 1, 2])
    assert torch.equal(stack[photos, steps], features[order][photos, steps].float())
    assert stack.shape == (30, 3, 8)
    best, assigned = torch.randint(0, 3, (30, 5)), torch.rand(30, 5) < 0.5
    whole, stacked = PartFeatures(features[order], best, assigned), PartFeatures(stack, best, assigned)
    for fallback in ("last", "whole"):
        one, other = (rank_parts(whole, gallery, k=9, fallback=fallback) for gallery in (whole, stacked))
        assert torch.equal(one.indices, other.indices)
        assert torch.equal(one.distances, other.distances)
    with pytest.raises(InputError, match="photos × steps × channels alike"):
        Stack([features, features[:, :2]])
