"""What is known of training photos beyond their tags: verified tags, products, landmarks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from fashionlib.core.errors import InputError
from fashionlib.core.sealed import cached
from fashionlib.data.augment import View
from fashionlib.data.base import Dataset, Sample
from fashionlib.data.photos import placement_of
from fashionlib.data.store import content_of
from fashionlib.data.wardrobe.outfits import SLOTS

ANNOTATIONS_VERSION = 1  # raise it when `marks_of` makes something else of the same samples


def verified_photos(photos: int, share: float) -> Bool[np.ndarray, " photos"]:
    """Which photos somebody verified, where a data set has clean tags of all: the same ones whatever is trained."""
    if not 0 < share <= 1:
        raise InputError(f"verified={share}: expected a share of the photos above 0, at most 1")
    chosen = np.zeros(photos, dtype=bool)
    chosen[np.random.default_rng(0).permutation(photos)[: max(1, round(share * photos))]] = True
    return chosen


def marks_of(dataset: Dataset, size: tuple[int, int], cache: Path) -> dict[str, np.ndarray]:
    """Products and landmarks of every photo, and what is marked on it; read or drawn once and kept in `cache`.

    shown: photos × labels, whether a box of the label is known. On the wardrobe, which knows all: the clean tags.
    products: photos × garments, numbers that stand for identities, −1 where there is none or it is not known.
    main: photos; the product that the photo is of, or else the one of which most is to be seen.
    landmarks: photos × points × (x, y, seen); see `landmarks`.
    """
    what = f"{dataset.name} {dataset.split} {content_of(dataset, cache)} {size} {ANNOTATIONS_VERSION}"
    key = hashlib.sha256(what.encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        points, products, shown = [], [], []
        for index in range(len(dataset)):
            try:
                sample = dataset[index]
            except InputError:  # it cannot be read: nothing is known of it
                sample = Sample(image=np.zeros((1, 1, 3), np.uint8), id=dataset.ids[index])
            points.append(_landmarks(sample, point_names(dataset), size))
            products.append(_products(sample, dataset.labels))
            shown.append([label in sample.boxes for label in dataset.labels])
        identities = sorted({name for row, main in products for name in (*row, main)} - {""})
        number = {"": -1, **{name: place for place, name in enumerate(identities)}}
        columns = np.array([[number[name] for name in row] for row, _ in products], dtype=np.int64)
        main = np.array([number[main] for _, main in products], dtype=np.int64)
        np.savez(
            folder / "marks.npz", allow_pickle=False, products=columns, main=main, landmarks=np.stack(points),
            shown=np.array(shown, dtype=bool),
        )  # fmt: skip

    with np.load(cached(cache / f"marks-{key}", build) / "marks.npz") as file:
        return {name: file[name] for name in file.files}


def _products(sample: Sample, labels: Sequence[str]) -> tuple[list[str], str]:
    """By label, the identity of the garment, and the photo's main one; empty where there is none."""
    if not sample.products:
        return [sample.product or ""], sample.product or ""
    seen = {label: int(mask.sum()) for label, mask in sample.masks.items() if label in sample.products}
    largest = sample.products[max(seen, key=lambda label: seen[label])] if seen else ""
    return [sample.products.get(label, "") for label in labels], sample.product or largest


def products_by_label(main: Int[np.ndarray, " p"], tags: Float[np.ndarray, "p c"]) -> Int[np.ndarray, "p c"]:
    """Where a photo has one product and nobody says which garment it is: that product for every label it carries."""
    return np.where(tags > 0, main[:, None], -1)


def point_names(dataset: Dataset) -> tuple[str, ...]:
    """The points that the data set knows: DeepFashion's landmarks, the wardrobe's parts of an outfit, or else a garment
    of each label."""
    if dataset.name.startswith("deepfashion"):
        return tuple(
            f"{side} {part}" for part in ("collar", "sleeve", "waistline", "hem") for side in ("left", "right")
        )
    parts = SLOTS if dataset.name == "wardrobe" else {}
    return tuple(dict.fromkeys(parts.get(label, label) for label in dataset.labels))


def _landmarks(sample: Sample, names: Sequence[str], size: tuple[int, int]) -> Float[np.ndarray, "points 3"]:
    """x and y on the canvas, from −1 to 1 between its edges, and 1 for a point that is seen, 0 for one that is not.

    Where nothing marks the photo, nothing is known: −1.
    """
    marks = {name: (x, y) for name, (x, y, seen) in sample.landmarks.items() if seen}
    if not sample.landmarks:
        for label, (x1, y1, x2, y2) in sample.boxes.items():
            marks[label if label in names else SLOTS.get(label, label)] = ((x1 + x2) / 2, (y1 + y2) / 2)
    points = np.zeros((len(names), 3), dtype=np.float32)
    points[:, 2] = 0 if sample.landmarks or sample.boxes else -1
    place = placement_of(sample.image.shape, size)
    for name, (x, y) in marks.items():
        if name not in names:  # a box around the clothes, not around a part
            continue
        left, top, _, _ = place.to_canvas((x, y, x, y))
        points[names.index(name)] = (2 * left / size[1] - 1, 2 * top / size[0] - 1, 1)
    return points


def landmarks_in_views(
    points: Float[np.ndarray, "p l 3"], names: Sequence[str], ids: Sequence[str], views: Sequence[View]
) -> Float[np.ndarray, "v p l 3"]:
    """The landmarks as each view shows them; a point that has left the frame is not seen.

    names: of the points. On a mirrored photo the left collar is where the right one was: each "left …" takes the place
    of its "right …" and the other way round, where the names hold both.
    """
    number, mirror = {name: place for place, name in enumerate(names)}, {"left": "right", "right": "left"}
    sides = {name: name.partition(" ") for name in names}
    twins = [
        number.get(f"{mirror.get(side, side)}{gap}{part}", number[name]) for name, (side, gap, part) in sides.items()
    ]
    shown = []
    for view in views:
        theta, moved = view.theta(ids)[:, None], points.copy()  # p 1 4: s_x, s_y, t_x, t_y
        moved[..., :2] = (points[..., :2] - theta[..., 2:]) / theta[..., :2]
        if view.mirrored:
            moved[..., 0] *= -1
        outside = (np.abs(moved[..., :2]) > 1).any(-1) & (moved[..., 2] > 0)
        moved[..., 2] = np.where(outside, 0, moved[..., 2])
        mirrored = (theta[:, :, :1] < 0) != view.mirrored
        shown.append(np.where(mirrored, moved[:, twins], moved))
    return np.stack(shown)
