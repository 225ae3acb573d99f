"""Retrieval from files in half precision, and what the receipt at scale says."""

import numpy as np

from benchmarks.scale import Sizes, drawn, looped, scale
from fashionlib.retrieval.ranking import rank_parts

SMALL = Sizes(queries=70, gallery=90, steps=3, channels=64, labels=11, top=4)


def test_features_mapped_from_files_rank_as_a_loop_over_pairs_does(tmp_path):
    query, gallery = (drawn(tmp_path / f"{name}.npy", SMALL, name) for name in ("queries", "gallery"))
    ranking = rank_parts(query, gallery, k=90)
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
