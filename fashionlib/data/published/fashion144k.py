"""Fashion144k in the cleaned version that came with StyleNet: street photos with the tags of their wearers.

E. Simo-Serra, H. Ishikawa, "Fashion Style in 128 Floats", CVPR 2016. Layout, as read by the paper's released code and
by others': `photos.txt` (a path a line), `trainids.npy`, `validids.npy`, `testids.npy` (numbers of lines, from 0),
`feat/feat_sin.npy` (photos × 123, 0 or 1) with the tags' names in `feat/singles.txt`, `feat/feat_col.npy` with
`feat/colours.txt` (a colour and an item, "Heather-Gray-Boots"), and `feat/singles_at_59.npy` (photos × 59), the item
labels of "Diversity in Fashion Recommendation", which its authors gave out with their code, without names.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from fashionlib.core.errors import InputError
from fashionlib.data.published.listed import Listed, Listing, Survey, checked_split, existing_root
from fashionlib.data.published.lists import (
    Report,
    check_name,
    first_file,
    read_array,
    read_indices,
    read_rows,
    read_targets,
    refuse,
)
from fashionlib.data.published.registry import PUBLISHED

NAME = "fashion144k"
ARRAYS = {"train": "trainids.npy", "val": "validids.npy", "test": "testids.npy"}
TAGS = {
    "singles": ("feat/feat_sin.npy", "feat/singles.txt"),
    "colours": ("feat/feat_col.npy", "feat/colours.txt"),
    "items": ("feat/singles_at_59.npy", None),
}
_LINE = re.compile(r"(\S.*)")


class Fashion144k(Listed):
    """One split of Fashion144k.

    root: the folder with `photos.txt`. split: "train", "val" or "test".
    tags: "singles" (garments and colours), "items" (the paper's 59, no colours) or "colours" (a colour and an item).
        The 59 are called as the tags in `singles.txt` whose column is the same, else "item 0", "item 1" ….

    Raises InputError where files are missing or not as published.
    """

    name = NAME

    def __init__(self, root: str | Path, split: str = "train", *, tags: str = "singles"):
        root, split = existing_root(root, PUBLISHED[NAME].hint), checked_split(NAME, split, tuple(ARRAYS))
        if tags not in TAGS:
            raise InputError(f"tags={tags!r}: choose one of {', '.join(TAGS)}")
        photos = read_lines(root, NAME, "photos.txt", refuse, paths=True)
        path = first_file(root, [ARRAYS[split]], refuse, PUBLISHED[NAME].hint)
        indices = read_indices(path, len(photos), refuse)
        labels, targets = _tags(root, tags, len(photos), refuse)
        super().__init__(root, split, listing_at(photos, indices, labels, targets))


def read_lines(root: Path, dataset: str, name: str, report: Report, *, paths: bool = False) -> dict[str, str]:
    """The lines of a list without count and names, and where each stands; a line that is there twice is reported.

    paths: whether they are photos' paths, which have to stay below the root. A repeated or refused line keeps its
    place, under a key of its own, so that the numbers of the others hold.
    """
    path = first_file(root, [name], report, PUBLISHED[dataset].hint)
    lines: dict[str, str] = {}
    rows = read_rows(path, _LINE, "a photo's path" if paths else "a name", report, named=False, counted=False)
    for where, (text,) in rows:
        if text in lines:
            report("duplicates", f"{where}: {text} stands in {lines[text]} already; fetch the list again")
        elif not paths or check_name(text, where, report):
            lines[text] = where
            continue
        lines[f"\0{where}"] = where
    return lines


def listing_at(
    photos: dict[str, str], indices: np.ndarray | None, labels: tuple[str, ...], targets: np.ndarray | None
) -> Listing:
    """The photos with these numbers, in this order, with their rows of `targets` (all photos × labels)."""
    names = list(photos)
    chosen = [names[index] for index in (indices if indices is not None else ())]
    return Listing(
        files={name: name for name in chosen}, where={name: photos[name] for name in chosen}, labels=labels,
        targets=None if targets is None else np.asarray(targets[indices], dtype=bool),
        domains=dict.fromkeys(chosen, "street"),
    )  # fmt: skip


def _tags(root: Path, tags: str, photos: int, report: Report) -> tuple[tuple[str, ...], np.ndarray | None]:
    matrix, names = TAGS[tags]
    path = first_file(root, [matrix], report, PUBLISHED[NAME].hint)
    if names is not None:
        labels = tuple(read_lines(root, NAME, names, report))
        return labels, read_targets(path, (photos, len(labels)), report) if labels else None
    array = read_array(path, report)
    width = array.shape[1] if array is not None and array.ndim == 2 else 59
    targets = read_targets(path, (photos, width), report)
    singles = _tags(root, "singles", photos, report)
    return _named_columns(targets, *singles), targets


def _named_columns(targets: np.ndarray | None, names: tuple[str, ...], singles: np.ndarray | None) -> tuple[str, ...]:
    """The name of each column of `targets`: that of the one column of `singles` with the same tags, else a number."""
    if targets is None or singles is None:
        return ()
    columns: dict[bytes, list[str]] = {}
    for name, column in zip(names, np.asarray(singles, dtype=bool).T, strict=True):
        columns.setdefault(np.packbits(column).tobytes(), []).append(name)
    matches = [columns.get(np.packbits(column).tobytes(), []) for column in np.asarray(targets, dtype=bool).T]
    return tuple(found[0] if len(found) == 1 else f"item {place}" for place, found in enumerate(matches))


def survey(root: Path, report: Report) -> Survey:
    """The whole data set, every fault of its lists and arrays reported; for `fashionlib doctor`."""
    photos = read_lines(root, NAME, "photos.txt", report, paths=True)
    found = Survey(photos={name: where for name, where in photos.items() if not name.startswith("\0")})
    if not photos:  # nothing that the arrays could be about
        return found
    splits = read_splits(root, NAME, len(photos), report)
    check_overlaps(root, splits, list(photos), report)
    labels, _ = _tags(root, "singles", len(photos), report)
    for tags in ("colours", "items"):  # not needed for the default labels
        if (root / TAGS[tags][0]).exists():
            _tags(root, tags, len(photos), report)
    found.counts = {"photos": len(photos), "single tags": len(labels)}
    found.counts |= {f"{split} photos": len(indices) for split, indices in splits.items()}
    return found


def read_splits(root: Path, dataset: str, photos: int, report: Report) -> dict[str, np.ndarray]:
    """By split, the numbers of its photos; those that could not be read are left out."""
    splits = {}
    for split, name in ARRAYS.items():
        indices = read_indices(first_file(root, [name], report, PUBLISHED[dataset].hint), photos, report)
        if indices is not None:
            splits[split] = indices
    return splits


def check_overlaps(root: Path, splits: dict[str, np.ndarray], photos: list[str], report: Report) -> None:
    """Report each photo that is in two splits."""
    names = list(splits)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            for number in np.intersect1d(splits[first], splits[second]):
                report("splits", f"{root / ARRAYS[second]}: photo {number} ({photos[number]}) is also in {first}; "
                                 "it leaks, take it out of one")  # fmt: skip
