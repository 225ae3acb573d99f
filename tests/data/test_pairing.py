"""Similar photos are found and drawn as by comparing each with each, and half a million of them in seconds."""

import time

import numpy as np
import pytest

from fashionlib.data.supervision import by_product, by_tags, mixed_order, paired_order


def tags(photos, labels, seed=0, often=0.3):
    return (np.random.default_rng(seed).random((photos, labels)) < often).astype(np.float32)


def overlaps(tags):
    both = tags @ tags.T
    return both / (tags.sum(1)[:, None] + tags.sum(1) - both).clip(1)


@pytest.mark.parametrize(
    ("labels", "often", "min_overlap"), [(6, 0.4, 0.6), (6, 0.4, 0.75), (12, 0.5, 0.75), (25, 0.6, 0.7), (9, 0.3, 0.2)]
)
def test_partners_are_those_that_comparing_all_tags_finds(labels, often, min_overlap):
    """Sets of up to 25 tags; from the twentieth on there are too many subsets, and all are compared."""
    rows = tags(300, labels, often=often)
    expected, found = overlaps(rows) > np.float32(min_overlap), by_tags(rows, min_overlap)
    for photo in range(300):
        assert found(photo).tolist() == np.flatnonzero(expected[photo]).tolist()


def test_photos_share_a_product_in_any_column_and_none_is_no_product():
    products = np.random.default_rng(0).integers(-1, 6, (60, 3))
    found = by_product(products)
    for photo, own in enumerate(products):
        same = ((products == own) & (own >= 0)).any(1)
        assert found(photo).tolist() == np.flatnonzero(same).tolist()


def drawn_by_comparing_all(draw, batch, similar, share=0.5):
    """The order of an epoch from a table of all photos against all."""
    photos = len(similar)
    sizes = [min(batch, photos - start) for start in range(0, photos, batch)]
    pairs = [int(size * share / 2) for size in sizes]
    firsts, seconds = [], []
    while len(firsts) < sum(pairs):
        for rows in np.array_split(draw.permutation(photos), -(-photos // 256)):
            for row in rows:
                near = np.flatnonzero(similar[row] & (np.arange(photos) != row))
                if len(near):
                    firsts.append(row)
                    seconds.append(draw.choice(near))
            if len(firsts) >= sum(pairs):
                break
    rest, order, done = draw.permutation(photos), [], 0
    for size, count in zip(sizes, pairs, strict=True):
        order += [*firsts[done : done + count], *seconds[done : done + count], *rest[: size - 2 * count]]
        rest, done = rest[size - 2 * count :], done + count
    return np.array(order)


@pytest.mark.parametrize("photos", [70, 700])
def test_the_draws_are_those_of_comparing_all(photos):
    rows = tags(photos, 7)
    slow = drawn_by_comparing_all(np.random.default_rng(3), 64, overlaps(rows) > 0.75)
    assert paired_order(np.random.default_rng(3), 64, by_tags(rows, 0.75)).tolist() == slow.tolist()
    main = np.random.default_rng(1).integers(-1, photos // 3, photos)
    slow = drawn_by_comparing_all(np.random.default_rng(3), 64, (main[:, None] == main) & (main >= 0))
    assert paired_order(np.random.default_rng(3), 64, by_product(main[:, None])).tolist() == slow.tolist()


@pytest.mark.parametrize("kind", ["tags", "products", "verified"])
def test_an_epochs_order_takes_time_in_proportion_to_the_photos(kind):
    """Up to a tenth of Fashion550k: five times the photos, about five times the processor time; squared, 25 times."""

    def seconds(photos):
        draw = np.random.default_rng(0)
        likely = 0.5 / np.arange(1, 67) ** 0.7
        rows = (draw.random((photos, 66)) < likely).astype(np.float32)
        started = time.process_time()
        if kind == "tags":
            order = paired_order(draw, 64, by_tags(rows, 0.75))
        elif kind == "products":
            order = paired_order(draw, 64, by_product(draw.integers(-1, photos // 5, (photos, 1))))
        else:
            order = mixed_order(draw, 64, draw.random(photos) < 0.01)
        assert len(order) == photos
        return time.process_time() - started

    assert seconds(55_000) < 12 * max(seconds(11_000), 0.05)
