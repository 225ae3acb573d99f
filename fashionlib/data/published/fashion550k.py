"""Fashion550k: street photos with noisy tags of their wearers, a few of them verified by people.

N. Inoue, E. Simo-Serra, T. Yamasaki, H. Ishikawa, "Multi-Label Fashion Image Classification with Minimal Human
Supervision", ICCV Workshops 2017. Layout: `photos.txt` (a path a line), `trainids.npy`, `validids.npy`, `testids.npy`
(numbers of the verified photos, from 0), `duplicateids.npy`, `annotation/noisy.npy` (photos × 66, 0 or 1) and
`annotation/verified.npy`. No published text says how many rows the last has: all photos or the verified ones (train,
valid, test one after the other) are both understood. Nor does it name the 66 labels: `annotation/labels.txt`, one a
line, is read where there is one; else they are called "label 0" to "label 65".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fashionlib.core.errors import InputError
from fashionlib.core.findings import Findings
from fashionlib.data.published.fashion144k import ARRAYS, Street
from fashionlib.data.published.listed import Contents, Listed, Tags
from fashionlib.data.published.lists import read_array, read_targets
from fashionlib.data.published.registry import PUBLISHED

SPLITS = ("train", "verified", "val", "test")
TAGS = ("noisy", "verified")


class Fashion550k(Listed):
    """One split of Fashion550k.

    root: the folder with `photos.txt`.
    split: "train" (every photo but those of val and test and the duplicates, with noisy tags), "verified" (the part of
        train that people looked at), "val" or "test".
    tags: "noisy" or "verified"; None takes noisy tags for "train" and verified ones for the others.

    Raises InputError where files are missing or not as published, and for verified tags of "train".
    """

    name = "fashion550k"

    def __init__(self, root: str | Path, split: str = "train", *, tags: str | None = None):
        tags = tags or ("noisy" if split == "train" else "verified")
        if tags not in TAGS or (split == "train" and tags == "verified"):
            raise InputError(f"tags={tags!r} of {split!r}: choose noisy, or verified for verified, val or test")
        super().__init__(root, split, read, SPLITS, tags=tags)


def read(root: Path, found: Findings) -> Contents:
    """The whole data set; what is wrong with it is reported."""
    street = Street(root, Fashion550k.name, found)
    contents = street.contents()
    if not contents.splits:
        return contents
    photos, splits = len(contents.names), contents.splits
    repeated = street.indices("duplicateids.npy")
    called = {"train": "verified train photos", "val": "val photos", "test": "test photos"}
    noisy = _noisy(street, photos)
    contents.counts = {"photos": photos, "labels": len(noisy.labels), "duplicates": len(repeated)}
    contents.counts |= {called[split]: len(rows) for split, rows in splits.items()}
    contents.tags = {"noisy": noisy, "verified": _verified(street, noisy, splits)}
    street.check_inside("duplicateids.npy", repeated, photos)
    left_out = np.concatenate([splits["val"], splits["test"], repeated])
    contents.splits = {
        "train": np.setdiff1d(np.arange(photos), left_out), "verified": splits["train"], "val": splits["val"],
        "test": splits["test"],
    }  # fmt: skip
    return contents


def _noisy(street: Street, photos: int) -> Tags:
    report = street.found.add
    path = street.path(["annotation/noisy.npy"], report)
    array = read_array(path, report)
    width = array.shape[1] if array is not None and array.ndim == 2 else PUBLISHED[Fashion550k.name].counts["labels"]
    labels = tuple(f"label {number}" for number in range(width))
    if street.path(["annotation/labels.txt"], None):
        labels = tuple(street.names("annotation/labels.txt", report))
    targets = read_targets(path, (photos, len(labels)), report)
    return Tags(labels, np.zeros((photos, len(labels)), dtype=bool) if targets is None else targets)


def _verified(street: Street, noisy: Tags, splits: dict[str, np.ndarray]) -> Tags:
    """A row for every photo; those of photos that nobody verified are zero."""
    path, report = street.path(["annotation/verified.npy"], street.found.add), street.found.add
    photos, labels = noisy.matrix.shape
    array, targets = read_array(path, report), np.zeros((photos, labels), dtype=bool)
    verified = np.concatenate([splits[split] for split in ARRAYS])
    if array is None or any(street.found.blames(street.root / name) for name in ARRAYS.values()):
        return Tags(noisy.labels, targets)
    all_photos = len(array) != len(verified)
    rows = read_targets(path, (photos if all_photos else len(verified), labels), report)
    if rows is not None:
        targets = np.asarray(rows, dtype=bool) if all_photos else targets
        targets[verified] = rows[verified] if all_photos else rows
        _check_order(street, path, targets, noisy.matrix, verified)
    return Tags(noisy.labels, targets)


def _check_order(street: Street, path: Path | None, targets: np.ndarray, noisy: np.ndarray, photos: np.ndarray) -> None:
    """Report verified tags that fit the noisy ones of other photos better: counted from 1, or in another order."""
    tags = targets[photos]

    def agreement(others: np.ndarray) -> float:
        theirs = np.asarray(noisy[others % len(noisy)], dtype=bool)
        return float((tags & theirs).sum() / max(1, (tags | theirs).sum()))

    orders = {
        "count from 1": photos - 1, "are in the order of the photos' numbers": np.sort(photos),
        "are in the opposite order": photos[::-1], "stand one row further down": photos + 1,
    }  # fmt: skip
    here = agreement(photos)
    what = max(orders, key=lambda order: agreement(orders[order]))
    if len(photos) >= 8 and agreement(orders[what]) > here + 0.2:
        better = agreement(orders[what])
        street.found.add("arrays", path, f"the verified tags agree with the noisy ones by {here:.0%}, and by "
                         f"{better:.0%} if they {what}: they do not belong to these photos")  # fmt: skip
