"""What heads are taught with beyond tags: pairs and batches against loops, facts that go with their photos."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from fashionlib.core.errors import InputError
from fashionlib.data.annotations import landmarks_in_views, marks_of, point_names, verified_photos
from fashionlib.data.augment import MIRRORED, PLAIN, View, images_to_float
from fashionlib.data.base import Sample
from fashionlib.data.published.miniature import write_miniature
from fashionlib.data.supervision import Supervision, by_product, by_tags, mixed_order, paired_order, tag_overlap
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.experiments.methods import dataset_of, known_of, photos_of
from fashionlib.experiments.profile import load_profile


def tags(photos=40, labels=6, seed=0):
    return (np.random.default_rng(seed).random((photos, labels)) < 0.4).astype(np.float32)


def test_tag_overlap_is_that_of_sets():
    rows = tags(12)
    overlap = tag_overlap(torch.tensor(rows), torch.tensor(rows[:5]))
    for (i, a), (j, b) in product(enumerate(rows), enumerate(rows[:5])):
        first, second = set(np.flatnonzero(a)), set(np.flatnonzero(b))
        expected = len(first & second) / len(first | second) if first | second else 0.0
        assert overlap[i, j].item() == pytest.approx(expected)


def test_half_of_a_paired_batch_are_pairs_and_two_processes_keep_them_together():
    rows, batch = tags(100), 16
    table = tag_overlap(torch.tensor(rows), torch.tensor(rows)).numpy() > 0.6
    order = paired_order(np.random.default_rng(0), batch, by_tags(rows, 0.6))
    assert len(order) == 100
    for start in range(0, 96, batch):
        photos = order[start : start + batch]
        for first, second in zip(photos[:4], photos[4:8], strict=True):
            assert first != second
            assert table[first, second]
        for process in range(2):
            own = photos[process::2]
            assert all(table[a, b] for a, b in zip(own[:2], own[2:4], strict=True))
    rest = np.concatenate([order[start + 8 : start + batch] for start in range(0, 96, batch)])
    assert len(set(rest)) == len(rest), "the rest are photos as they come, none twice"


def test_no_similar_photos_and_no_verified_photos_are_said_to_be_missing():
    with pytest.raises(InputError, match="no two of the training photos are similar"):
        paired_order(np.random.default_rng(0), 4, by_product(np.arange(8)[:, None]))
    with pytest.raises(InputError, match="none of the training photos is verified"):
        mixed_order(np.random.default_rng(0), 4, np.zeros(8, bool))
    with pytest.raises(InputError, match=r"verified=0.0: expected a share"):
        verified_photos(10, 0.0)


def test_a_mixed_batch_holds_nine_noisy_photos_for_one_verified():
    trusted = verified_photos(200, 0.1)
    assert trusted.sum() == 20
    order = mixed_order(np.random.default_rng(0), 20, trusted)
    assert len(order) == 200
    for start in range(0, 200, 20):
        assert trusted[order[start : start + 20]].sum() == 2
    assert len(set(order)) == 200, "with a tenth of all verified, each photo comes once"


def test_few_verified_photos_come_again_and_again():
    trusted = np.zeros(100, bool)
    trusted[7] = True
    order = mixed_order(np.random.default_rng(0), 10, trusted)
    assert (order == 7).sum() == 10


class Asking(nn.Module):
    needs = ("clean", "landmarks", "progress")


def test_a_lesson_hands_each_photo_its_own_facts_in_its_own_view():
    clean, points = tags(6), np.arange(3 * 6 * 2 * 3, dtype=np.float32).reshape(3, 6, 2, 3)
    lesson = Supervision(Asking(), tags(6), {"clean": clean, "landmarks": points, "main": np.zeros(6)})
    more = lesson.of(np.array([4, 1]), np.array([2, 0]), 0.25, torch.device("cpu"))
    assert set(more) == {"clean", "landmarks", "progress"}
    assert more["progress"] == 0.25
    np.testing.assert_array_equal(more["clean"], clean[[4, 1]])
    np.testing.assert_array_equal(more["landmarks"], np.stack([points[2, 4], points[0, 1]]))


def test_a_head_that_asks_for_nothing_is_taught_as_ever():
    lesson = Supervision(nn.Identity(), tags(30))
    np.testing.assert_array_equal(
        lesson.order(np.random.default_rng(3), 8, 0.0), np.random.default_rng(3).permutation(30)
    )
    assert lesson.of(np.arange(4), np.zeros(4, int), 0.0, torch.device("cpu")) == {}


def test_a_lesson_refuses_what_its_head_cannot_learn_from():
    known = {"clean": tags(6), "landmarks": np.zeros((1, 6, 2, 3))}
    with pytest.raises(InputError, match="Asking learns from clean and landmarks, not known"):
        Supervision(Asking(), tags(6), {})
    with pytest.raises(InputError, match=r"set mixup: 0\.0"):
        Supervision(Asking(), tags(6), known, mixes=True)
    with pytest.raises(InputError, match=r"set shift: 0\.0"):
        Supervision(Asking(), tags(6), known, moves=True)


def test_marks_of_the_wardrobe_are_its_truth(tmp_path):
    size = (96, 64)
    wardrobe = Wardrobe("train", size=size, counts={"train": 24})
    marks = marks_of(wardrobe, size, tmp_path)
    clean = Wardrobe("train", size=size, counts={"train": 24}, tag_noise=0.0).targets()
    np.testing.assert_array_equal(marks["shown"], clean > 0)
    names, identities = point_names(wardrobe), {}
    assert len(names) == 12
    for index in range(24):
        sample = wardrobe[index]
        worn = dict(zip(wardrobe.labels, marks["products"][index], strict=True))
        assert {label for label, number in worn.items() if number >= 0} == set(sample.products)
        for label, product_id in sample.products.items():
            assert identities.setdefault(product_id, worn[label]) == worn[label]
        largest = max(sample.masks, key=lambda label: sample.masks[label].sum())
        assert marks["main"][index] == worn[largest]
        x, y, seen = marks["landmarks"][index][names.index("shoes")]
        shoes = set(sample.boxes) & {"boots", "sneakers", "heels", "sandals", "flats"}
        assert seen == bool(shoes)
        for label in shoes:
            x1, y1, x2, y2 = sample.boxes[label]
            assert ((x + 1) * 32, (y + 1) * 48) == pytest.approx(((x1 + x2) / 2, (y1 + y2) / 2), abs=1e-3)
    assert len(set(identities.values())) == len(identities)


class Drawn:
    """Two photos, one with DeepFashion's landmarks and item, one with neither."""

    name, split, labels, ids = "deepfashion_inshop", "train", (), ("a", "b")

    def __len__(self):
        return 2

    def __getitem__(self, index):
        image = np.zeros((40, 40, 3), np.uint8)
        points = {"left collar": (10.0, 20.0, True), "right hem": (1.0, 1.0, False)}
        return Sample(image=image, id="ab"[index], product=["id_1", None][index], landmarks=[points, {}][index])

    def fingerprint(self):
        return "drawn"


def test_landmarks_and_items_of_a_published_data_set_are_its_own(tmp_path):
    marks = marks_of(Drawn(), (80, 40), tmp_path)
    assert marks["main"].tolist() == [0, -1]
    assert marks["products"].tolist() == [[0], [-1]]
    points = marks["landmarks"][0]
    assert points[:, 2].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert points[0].tolist() == pytest.approx([-0.5, 0.0, 1.0])  # 20 grey rows above the photo
    assert (marks["landmarks"][1][:, 2] == -1).all(), "nothing is known of a photo without marks"


@pytest.mark.parametrize("view", [PLAIN, MIRRORED, View(shift=0.3, seed=1, augment=True), View(shift=0.3, seed=5)])
def test_landmarks_move_with_the_picture(view):
    """A white dot on black: where the view shows it is where its landmark says."""
    ids, size = [f"photo {number}" for number in range(6)], 96
    images, points = np.zeros((6, size, size, 3), np.uint8), np.zeros((6, 1, 3), np.float32)
    for number, (row, column) in enumerate([(40, 50), (48, 30), (60, 60), (33, 64), (50, 50), (45, 40)]):
        images[number, row - 1 : row + 2, column - 1 : column + 2] = 255
        points[number, 0] = (2 * (column + 0.5) / size - 1, 2 * (row + 0.5) / size - 1, 1)
    shown = view(images_to_float(images), view.draws(ids)).mean(1).numpy()
    for picture, (x, y, seen) in zip(shown, landmarks_in_views(points, ["dot"], ids, [view])[0, :, 0], strict=True):
        if seen:
            row, column = (y + 1) / 2 * size - 0.5, (x + 1) / 2 * size - 0.5
            dot = picture - np.median(picture)
            brightest = np.unravel_index(dot.argmax(), dot.shape)
            assert brightest == pytest.approx((row, column), abs=2.0)


def test_a_landmark_that_leaves_the_frame_is_not_seen():
    points = np.array([[[0.95, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, -1.0]]] * 30, np.float32)
    ids, views = [str(number) for number in range(30)], [PLAIN, View(shift=0.4, augment=True)]
    moved = landmarks_in_views(points, ["hat", "bag", "dress"], ids, views)
    assert (moved[0] == points).all()
    outside = (np.abs(moved[1, :, 0, :2]) > 1).any(-1)
    assert outside.any()
    assert not outside.all()
    np.testing.assert_array_equal(moved[1, :, 0, 2], ~outside)
    assert (moved[1, :, 1, 2] == 0).all()
    assert (moved[1, :, 2, 2] == -1).all()


class Wanting(nn.Module):
    def __init__(self, *needs):
        super().__init__()
        self.needs = needs


@pytest.fixture
def miniature(tmp_path, monkeypatch):
    """A profile on the miniature of a published data set, its caches in a folder of its own."""
    (tmp_path / "profiles").mkdir()
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))

    def made(name):
        write_miniature(name, tmp_path / name, photos=60)
        path = tmp_path / "profiles" / f"{name}.yaml"
        path.write_text(f"data: {{name: {name}}}\nimage_size: [48, 32]\nmethods: {{whole: {{kind: whole}}}}\n")
        return load_profile(name, data=tmp_path / name)

    return made


@pytest.mark.parametrize(
    ("needs", "message"),
    [("clean", "fashion144k has no verified tags"), ("main", "fashion144k says of no two photos"),
     ("landmarks", "fashion144k knows no landmark")],
)  # fmt: skip
def test_a_data_set_without_what_a_head_needs_is_named(miniature, needs, message):
    profile = miniature("fashion144k")
    photos = photos_of(profile, "train")
    assert known_of(profile, Wanting("progress"), photos, [PLAIN]) == {}
    with pytest.raises(InputError, match=message):
        known_of(profile, Wanting(needs), photos, [PLAIN])


def test_verified_photos_of_fashion550k_are_those_that_people_looked_at(miniature):
    profile = miniature("fashion550k")
    photos = photos_of(profile, "train")
    known = known_of(profile, Wanting("clean", "verified"), photos, [PLAIN])
    assert 0 < known["verified"].sum() < len(photos)
    assert (known["clean"][~known["verified"]] == 0).all()
    noisy, clean = photos.tags[known["verified"]], known["clean"][known["verified"]]
    assert (noisy != clean).any()
    assert (noisy == clean).mean() > 0.8


def test_products_and_landmarks_of_deepfashion_come_with_its_lists(miniature):
    profile = miniature("deepfashion_inshop")
    photos = photos_of(profile, "train")
    known = known_of(profile, Wanting("main", "landmarks"), photos, [PLAIN, MIRRORED])
    same = [[a == b for b in photos.products] for a in photos.products]
    np.testing.assert_array_equal(known["main"][:, None] == known["main"], same)
    assert known["landmarks"].shape == (2, len(photos), 8, 3)
    assert (known["landmarks"][0, ..., 2] == 1).any()


@pytest.mark.parametrize("view", [PLAIN, MIRRORED, View(shift=0.1, seed=1, augment=True)])
def test_the_left_collar_is_left_of_the_right_one_in_every_view(miniature, view):
    profile = miniature("deepfashion_c2s")
    photos, dataset = photos_of(profile, "train"), dataset_of(profile, "train")
    points = known_of(profile, Wanting("landmarks"), photos, [view])["landmarks"][0]
    for part in ("collar", "sleeve", "waistline", "hem"):
        left, right = (points[:, point_names(dataset).index(f"{side} {part}")] for side in ("left", "right"))
        seen = (left[:, 2] > 0) & (right[:, 2] > 0)
        assert seen.sum() > 3
        assert (left[seen, 0] <= right[seen, 0]).all()
