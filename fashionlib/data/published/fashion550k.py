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
from fashionlib.data.published.fashion144k import ARRAYS, check_overlaps, listing_at, read_lines, read_splits
from fashionlib.data.published.listed import Listed, Survey, checked_split, existing_root
from fashionlib.data.published.lists import Report, first_file, read_array, read_indices, read_targets, refuse
from fashionlib.data.published.registry import PUBLISHED

NAME = "fashion550k"
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

    name = NAME

    def __init__(self, root: str | Path, split: str = "train", *, tags: str | None = None):
        root, split = existing_root(root, PUBLISHED[NAME].hint), checked_split(NAME, split, SPLITS)
        tags = tags or ("noisy" if split == "train" else "verified")
        if tags not in TAGS or (split == "train" and tags == "verified"):
            raise InputError(f"tags={tags!r} of {split!r}: choose noisy, or verified for verified, val or test")
        photos = read_lines(root, NAME, "photos.txt", refuse, paths=True)
        splits = read_splits(root, NAME, len(photos), refuse)
        labels, noisy = _noisy(root, len(photos), refuse)
        targets = noisy if tags == "noisy" else _verified(root, len(photos), len(labels), splits, refuse)
        if split == "train":
            left_out = np.concatenate([splits["val"], splits["test"], _duplicates(root, photos)])
            indices = np.setdiff1d(np.arange(len(photos)), left_out)
        else:
            indices = splits["train" if split == "verified" else split]
        super().__init__(root, split, listing_at(photos, indices, labels, targets))


def _noisy(root: Path, photos: int, report: Report) -> tuple[tuple[str, ...], np.ndarray | None]:
    path = first_file(root, ["annotation/noisy.npy"], report, PUBLISHED[NAME].hint)
    array = read_array(path, report)
    width = array.shape[1] if array is not None and array.ndim == 2 else PUBLISHED[NAME].counts["labels"]
    labels = tuple(f"label {number}" for number in range(width))
    if (root / "annotation/labels.txt").exists():
        labels = tuple(read_lines(root, NAME, "annotation/labels.txt", report))
    return labels, read_targets(path, (photos, len(labels)), report)


def _verified(root: Path, photos: int, labels: int, splits: dict[str, np.ndarray], report: Report) -> np.ndarray | None:
    """A row for every photo; those of photos that nobody verified are zero."""
    path = first_file(root, ["annotation/verified.npy"], report, PUBLISHED[NAME].hint)
    array = read_array(path, report)
    if array is None or len(splits) < len(ARRAYS):
        return None
    verified = np.concatenate([splits[split] for split in ARRAYS])
    if len(array) != len(verified):
        return read_targets(path, (photos, labels), report)
    rows = read_targets(path, (len(verified), labels), report)
    if rows is None:
        return None
    targets = np.zeros((photos, labels), dtype=bool)
    targets[verified] = rows
    return targets


def _duplicates(root: Path, photos: dict[str, str]) -> np.ndarray:
    path = first_file(root, ["duplicateids.npy"], refuse, PUBLISHED[NAME].hint)
    indices = read_indices(path, len(photos), refuse, repeats=True)
    return indices if indices is not None else np.zeros(0, dtype=np.int64)


def survey(root: Path, report: Report) -> Survey:
    """The whole data set, every fault of its lists and arrays reported; for `fashionlib doctor`."""
    photos = read_lines(root, NAME, "photos.txt", report, paths=True)
    found = Survey(photos={name: where for name, where in photos.items() if not name.startswith("\0")})
    if not photos:  # nothing that the arrays could be about
        return found
    splits = read_splits(root, NAME, len(photos), report)
    check_overlaps(root, splits, list(photos), report)
    labels, _ = _noisy(root, len(photos), report)
    _verified(root, len(photos), len(labels), splits, report)
    path = first_file(root, ["duplicateids.npy"], report, PUBLISHED[NAME].hint)
    repeated = read_indices(path, len(photos), report, repeats=True)
    found.counts = {"photos": len(photos), "labels": len(labels)}
    if repeated is not None:
        found.counts["duplicates"] = len(repeated)
    called = {"train": "verified train photos", "val": "val photos", "test": "test photos"}
    found.counts |= {called[split]: len(indices) for split, indices in splits.items()}
    return found
