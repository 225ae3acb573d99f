"""Rankings against slow loops over pairs."""

import numpy as np
import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.retrieval.ranking import PartFeatures, rank_parts, rank_whole, same_category


def parts(photos, seed, steps=4, channels=5, labels=7, carried=3):
    rng = torch.Generator().manual_seed(seed)
    features = torch.randn(photos, steps, channels, generator=rng)
    best = torch.randint(0, steps, (photos, labels), generator=rng)
    chosen = torch.rand(photos, labels, generator=rng).topk(carried).indices
    assigned = torch.zeros(photos, labels, dtype=torch.bool).scatter_(1, chosen, True)
    return PartFeatures(features, best, assigned)


def slow_part_distances(query, gallery, fallback):
    distances = np.full((len(query), len(gallery)), np.inf)
    for i in range(len(query)):
        for j in range(len(gallery)):
            shared = [c for c in range(query.assigned.shape[1]) if query.assigned[i, c] and gallery.assigned[j, c]]
            pairs = [(query.best_step[i, c], gallery.best_step[j, c]) for c in shared]
            if fallback == "whole" and not shared:
                pairs = [(0, 0)]
            if pairs:
                apart = [torch.dist(query.features[i, a], gallery.features[j, b]).item() for a, b in pairs]
                distances[i, j] = np.mean(apart)
    return distances


def assert_ranks(ranking, distances, k):
    """The ranking is that of `distances`, ties by index."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(ranking.indices.numpy(), order)
    expected = np.take_along_axis(distances, order, axis=1)
    np.testing.assert_allclose(ranking.distances.numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", [1, 4, 512])
def test_whole_ranking_equals_a_loop_over_pairs(block):
    query, gallery = parts(9, 0).features[:, 0], parts(30, 1).features[:, 0]
    distances = np.array([[torch.dist(a, b).item() for b in gallery] for a in query])
    assert_ranks(rank_whole(query, gallery, k=12, block=block), distances, 12)


@pytest.mark.parametrize("fallback", ["last", "whole"])
@pytest.mark.parametrize("block", [1, 4, 512])
def test_part_ranking_equals_a_loop_over_pairs(fallback, block):
    query, gallery = parts(9, 0), parts(30, 1)
    distances = slow_part_distances(query, gallery, fallback)
    assert np.isinf(distances).any() == (fallback == "last")
    assert_ranks(rank_parts(query, gallery, k=30, fallback=fallback, block=block), distances, 30)


def test_part_distance_of_a_case_worked_by_hand():
    # two labels are shared: 3-4-5 apart at label 0, 1 apart at label 2; label 1 is the query's alone
    query = PartFeatures(
        torch.tensor([[[0.0, 0.0], [9.0, 9.0]]]),
        torch.tensor([[0, 1, 0]]),
        torch.tensor([[True, True, True]]),
    )
    gallery = PartFeatures(
        torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]),
        torch.tensor([[0, 0, 1]]),
        torch.tensor([[True, False, True]]),
    )
    assert rank_parts(query, gallery, k=1).distances.item() == pytest.approx(3.0)


def test_equal_distances_rank_by_gallery_index():
    query = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    gallery = torch.tensor([[0.0, 2.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]).repeat(50, 1)
    distances = torch.cdist(query, gallery, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    assert_ranks(rank_whole(query, gallery, k=200), distances, 200)


def test_photos_that_share_no_label_come_last_in_file_order():
    query = parts(1, 0)
    gallery = parts(6, 1)
    gallery.assigned[:] = False
    gallery.assigned[4] = query.assigned[0]
    ranking = rank_parts(query, gallery, k=6)
    assert ranking.indices.tolist() == [[4, 0, 1, 2, 3, 5]]
    assert ranking.distances.isinf().tolist() == [[False] + [True] * 5]


def test_candidates_as_a_mask_or_as_indices_are_ranked_alone():
    query, gallery = parts(5, 0), parts(20, 1)
    distances = slow_part_distances(query, gallery, "whole")
    chosen = torch.stack([torch.randperm(20, generator=torch.Generator().manual_seed(i))[:8] for i in range(5)])
    mask = torch.zeros(5, 20, dtype=torch.bool).scatter_(1, chosen, True)
    inside = np.where(mask.numpy(), distances, np.inf)
    for candidates in (mask, chosen):
        ranking = rank_parts(query, gallery, k=10, fallback="whole", candidates=candidates, block=2)
        np.testing.assert_array_equal(ranking.indices[:, :8], np.argsort(inside, axis=1, kind="stable")[:, :8])
        assert (ranking.indices[:, 8:] == -1).all()
        assert ranking.distances[:, 8:].isinf().all()


def test_the_nearest_by_another_method_are_ranked_again():
    query, gallery = parts(5, 0), parts(20, 1)
    whole = rank_whole(query.features[:, 0], gallery.features[:, 0], k=6)
    again = rank_parts(query, gallery, k=6, candidates=whole.indices)
    assert torch.equal(again.indices.sort().values, whole.indices.sort().values)
    assert not torch.equal(again.indices, whole.indices)


def test_candidates_that_share_no_label_stand_before_empty_places():
    query, gallery = parts(1, 0), parts(4, 1)
    gallery.assigned[:] = False
    candidates = torch.tensor([[3, 1, -1]])
    ranking = rank_parts(query, gallery, k=4, candidates=candidates)
    assert ranking.indices.tolist() == [[1, 3, -1, -1]]


def test_candidates_of_one_category_can_be_cut_after_the_first():
    query, gallery = torch.tensor([1, 2, 3]), torch.tensor([1, 2, 1, 1, 2])
    assert same_category(query, gallery).tolist()[0] == [True, False, True, True, False]
    first = same_category(query, gallery, first=2)
    assert first.tolist() == [
        [True, False, True, False, False],
        [False, True, False, False, True],
        [False] * 5,
    ]
    vectors = torch.arange(5.0)[:, None]
    ranking = rank_whole(torch.tensor([[9.0], [0.0], [0.0]]), vectors, k=2, candidates=first)
    assert ranking.indices.tolist() == [[2, 0], [1, 4], [-1, -1]]


def test_half_precision_features_rank_as_their_single_precision_copies():
    query, gallery = parts(5, 0).features[:, 0].bfloat16(), parts(20, 1).features[:, 0].bfloat16()
    assert torch.equal(rank_whole(query, gallery, 20).indices, rank_whole(query.float(), gallery.float(), 20).indices)


def test_bad_features_are_named():
    query, gallery = parts(3, 0), parts(6, 1)
    with pytest.raises(InputError, match="k is 7 and the gallery has 6"):
        rank_parts(query, gallery, k=7)
    with pytest.raises(InputError, match="5 channels, gallery features 8"):
        rank_whole(torch.zeros(2, 5), torch.zeros(2, 8), k=1)
    with pytest.raises(InputError, match="no query"):
        rank_whole(torch.zeros(0, 5), torch.zeros(2, 5), k=1)
    with pytest.raises(InputError, match="gallery photo 1 are not finite"):
        rank_whole(torch.zeros(1, 1), torch.tensor([[0.0], [torch.nan]]), k=1)
    with pytest.raises(InputError, match="queries have 7 labels, the gallery 6"):
        rank_parts(query, parts(6, 1, labels=6), k=1)
    with pytest.raises(InputError, match="outside 0 to 3"):
        PartFeatures(query.features, query.best_step + 4, query.assigned)
    with pytest.raises(InputError, match="features of 3 photos and best steps of 6"):
        PartFeatures(query.features, gallery.best_step, gallery.assigned)


def test_with_confidences_every_label_counts_by_the_geometric_mean_of_both():
    torch.manual_seed(0)
    sides = [
        PartFeatures(
            features=torch.randn(n, 3, 4), best_step=torch.randint(0, 3, (n, 5)),
            assigned=torch.ones(n, 5, dtype=torch.bool), confidence=torch.rand(n, 5),
        )
        for n in (4, 6)
    ]  # fmt: skip
    query, gallery = sides
    ranking = rank_parts(query, gallery, k=6)
    for i in range(4):
        distances = []
        for j in range(6):
            weights = (query.confidence[i] * gallery.confidence[j]).sqrt()
            apart = torch.stack([
                (query.features[i, query.best_step[i, c]] - gallery.features[j, gallery.best_step[j, c]]).norm()
                for c in range(5)
            ])  # fmt: skip
            distances.append(float((weights * apart).sum() / weights.sum()))
        expected = sorted(range(6), key=lambda j: distances[j])
        assert ranking.indices[i].tolist() == expected
        torch.testing.assert_close(ranking.distances[i], torch.tensor(sorted(distances)), atol=1e-4, rtol=1e-4)
