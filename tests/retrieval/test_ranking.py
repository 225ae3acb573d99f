"""Rankings against slow loops over pairs."""

import numpy as np
import pytest
import torch

from fashionlib.core.errors import InputError
from fashionlib.retrieval import ranking as module
from fashionlib.retrieval.ranking import PartFeatures, rank_parts, rank_whole


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


@pytest.fixture(params=[1, 4, 512])
def block(request, monkeypatch):
    """Queries that are held against a gallery of thirty at once."""
    monkeypatch.setattr(module, "_MEMORY", module._BYTES_PER_PAIR * 30 * request.param)
    monkeypatch.setattr(module, "_TILE", {"cpu": 60})


def test_whole_ranking_equals_a_loop_over_pairs(block):
    query, gallery = parts(9, 0).features[:, 0], parts(30, 1).features[:, 0]
    distances = np.array([[torch.dist(a, b).item() for b in gallery] for a in query])
    assert_ranks(rank_whole(query, gallery, k=12), distances, 12)


@pytest.mark.parametrize("fallback", ["last", "whole"])
def test_part_ranking_equals_a_loop_over_pairs(fallback, block):
    query, gallery = parts(9, 0), parts(30, 1)
    distances = slow_part_distances(query, gallery, fallback)
    assert np.isinf(distances).any() == (fallback == "last")
    assert_ranks(rank_parts(query, gallery, k=30, fallback=fallback), distances, 30)


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


STEPS, LABELS = 4, 7


def photos(count, channels, kind, seed):
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(count, STEPS, channels, generator=draw)
    if kind == "alike":  # five kinds of photo, and little between photos of a kind
        kinds = torch.randn(5, STEPS, channels, generator=torch.Generator().manual_seed(9))
        features = kinds[torch.randint(0, 5, (count,), generator=draw)] + 0.02 * features
    features = torch.nn.functional.normalize(features, dim=2)
    best = torch.randint(0, STEPS, (count, LABELS), generator=draw)
    confidence = torch.rand(count, LABELS, generator=draw) + 0.01
    return PartFeatures(features, best, confidence > 0.5, confidence)


def apart(query, gallery):
    """All distances by a loop over labels, in double precision."""
    total = weights = 0.0
    for label in range(LABELS):
        ours, theirs = (
            side.features[torch.arange(len(side)), side.best_step[:, label]].double().numpy()
            for side in (query, gallery)
        )
        weight = np.sqrt(np.outer(query.confidence[:, label].double(), gallery.confidence[:, label].double()))
        squares = (ours**2).sum(1)[:, None] + (theirs**2).sum(1) - 2 * ours @ theirs.T
        total, weights = total + weight * np.sqrt(squares.clip(0)), weights + weight
    return total / weights


def test_two_steps_rank_as_double_precision_does(monkeypatch):
    query, gallery = photos(120, 512, "alike", 1), photos(300, 512, "alike", 2)
    assert module._reduced(query, gallery) is None  # one step takes no longer
    monkeypatch.setattr(module, "PAYS", 0)
    monkeypatch.setattr(module, "_MEMORY", module._BYTES_PER_PAIR * 300 * 50)
    small = module._reduced(query, gallery)
    exact = apart(query, gallery)
    assert small[1].features.shape[2] < 512 / 3
    lower, _ = module._part_distances(*small[:2], torch.arange(120))
    assert (lower.numpy() <= exact + small[2]).all()
    found = rank_parts(query, gallery, 10, fallback="whole")
    chosen = np.take_along_axis(exact, found.indices.numpy(), axis=1)
    assert np.abs(chosen - np.sort(exact, axis=1)[:, :10]).max() < 1e-5
    assert np.abs(chosen - found.distances.numpy()).max() < 1e-4


def test_features_that_no_small_basis_holds_are_ranked_in_one_step(monkeypatch):
    query, gallery = photos(20, 512, "random", 1), photos(30, 512, "random", 2)
    plain = rank_parts(query, gallery, 5)
    monkeypatch.setattr(module, "PAYS", 0)
    assert module._reduced(query, gallery) is None
    assert torch.equal(rank_parts(query, gallery, 5).indices, plain.indices)


def test_in_two_steps_equals_come_in_the_order_of_the_gallery(monkeypatch):
    query, gallery = photos(5, 512, "alike", 1), photos(60, 512, "alike", 2)
    twice = PartFeatures(*(torch.cat([getattr(gallery, name)] * 2) for name in
                           ("features", "best_step", "assigned", "confidence")))  # fmt: skip
    monkeypatch.setattr(module, "PAYS", 0)
    found = rank_parts(query, twice, 20).indices.reshape(5, 10, 2)
    assert torch.equal(found[..., 0] + 60, found[..., 1])


def test_a_label_that_some_photos_do_not_carry_is_no_case_for_two_steps(monkeypatch):
    query, gallery = photos(20, 512, "alike", 1), photos(30, 512, "alike", 2)
    monkeypatch.setattr(module, "PAYS", 0)
    query.confidence[0] = 0
    assert module._reduced(query, gallery) is None
    assert len(rank_parts(query, gallery, 5).indices) == 20
