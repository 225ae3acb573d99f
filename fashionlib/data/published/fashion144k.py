"""Fashion144k in the cleaned version that came with StyleNet: street photos with the tags of their wearers.

E. Simo-Serra, H. Ishikawa, "Fashion Style in 128 Floats", CVPR 2016. Layout, as read by the paper's released code and
by others': `photos.txt` (a path a line), `trainids.npy`, `validids.npy`, `testids.npy` (numbers of lines, from 0),
`feat/feat_sin.npy` (photos × 123, 0 or 1) with the tags' names in `feat/singles.txt`, `feat/feat_col.npy` with
`feat/colours.txt` (a colour and an item, "Heather-Gray-Boots"), and `feat/singles_at_59.npy` (photos × 59), the item
labels of "Diversity in Fashion Recommendation", which its authors gave out with their code, without names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fashionlib.data.published.findings import Findings, Report
from fashionlib.data.published.layout import Tree, find_file, find_photos
from fashionlib.data.published.listed import Contents, Listed, Tags, check_empty, checked_option, checked_split
from fashionlib.data.published.lists import OUTSIDE, Bad, read_array, read_indices, read_table, read_targets, tidy
from fashionlib.data.published.registry import PUBLISHED

ARRAYS = {"train": "trainids.npy", "val": "validids.npy", "test": "testids.npy"}
TAGS = {
    "singles": ("feat/feat_sin.npy", "feat/singles.txt"),
    "colours": ("feat/feat_col.npy", "feat/colours.txt"),
    "items": ("feat/singles_at_59.npy", ""),
}


class Fashion144k(Listed):
    """One split of Fashion144k.

    root: the folder with `photos.txt`. split: "train", "val" or "test".
    tags: "singles" (garments and colours), "items" (the paper's 59, no colours) or "colours" (a colour and an item).
        The 59 are called as the tags in `singles.txt` whose column is the same, else "item 0", "item 1" ….

    Raises InputError where files are missing or not as published.
    """

    name = "fashion144k"

    def __init__(self, root: str | Path, split: str = "train", *, tags: str = "singles"):
        checked_option("tags", tags, TAGS)
        super().__init__(
            root, checked_split(self.name, split, tuple(ARRAYS)), lambda root, found: read(root, found, tags), tags=tags
        )


def read(root: Path, found: Findings, tags: str = "singles", others: tuple[str, ...] = ()) -> Contents:
    """The whole data set; what is wrong with it is reported. others: tags to read as well, where they are there."""
    street = Street(root, Fashion144k.name, found)
    contents = street.contents()
    if not contents.splits:
        return contents
    contents.counts = {"photos": len(contents.names)}
    for kind in dict.fromkeys((tags, *others)):
        report = found.add if kind == tags else found.lenient
        if kind == tags or street.path(TAGS[kind][0], None):
            read_tags = _tags(street, kind, len(contents.names), report)
            if read_tags is not None:
                contents.tags[kind] = read_tags
    if "singles" in contents.tags:
        contents.counts["single tags"] = len(contents.tags["singles"].labels)
    contents.counts |= {f"{split} photos": len(rows) for split, rows in contents.splits.items()}
    return contents


class Street:
    """The folder of Fashion144k or Fashion550k: a list of photos, arrays of their numbers, and what belongs to them."""

    def __init__(self, root: Path, dataset: str, found: Findings):
        self.root, self.found, self.hint, self.tree = root, found, PUBLISHED[dataset].hint, Tree(root)

    def path(self, name: str, report: Report | None) -> Path | None:
        return find_file(self.tree, self.root, [name], report, self.hint)

    def names(self, name: str, report: Report, *, photos: bool = False) -> list[str]:
        """The lines of a list without count and names."""
        parse, what = (_photo, "a photo's path") if photos else (lambda text: (text,), "a name")
        path = self.path(name, report)
        return list(read_table(path, parse, what, report, named=False, counted=False, numbered=True))

    def contents(self) -> Contents:
        """Photos and splits. No splits where the list of photos is at fault: the arrays go by its lines."""
        contents = Contents(self.names("photos.txt", self.found.add, photos=True))
        contents.domains = ["street"] * len(contents.names)
        if contents.names and not self.found.blames(self.root / "photos.txt"):
            contents.splits = self._splits(contents.names)
        contents.files = find_photos(
            self.tree, self.root, contents.names, contents.splits, self.found.add, self.hint, [""]
        )
        return contents

    def indices(self, name: str) -> np.ndarray:
        read = read_indices(self.path(name, self.found.add), self.found.add)
        return np.zeros(0, dtype=np.int64) if read is None else read

    def _splits(self, names: list[str]) -> dict[str, np.ndarray]:
        splits = {split: self.indices(name) for split, name in ARRAYS.items()}
        read = [split for split, name in ARRAYS.items() if not self.found.blames(self.root / name)]
        for split in read:
            check_empty({split: splits[split]}, self.root / ARRAYS[split], self.found)
        self._check_numbers({split: splits[split] for split in read if len(splits[split])}, len(names))
        splits = {split: rows[(rows >= 0) & (rows < len(names))] for split, rows in splits.items()}
        self._check_overlaps(splits, names)
        return splits

    def _check_numbers(self, splits: dict[str, np.ndarray], photos: int) -> None:
        """Report numbers that are none of the list's; all of them count from 1 where 0 is missing and n is there."""
        if splits and min(rows.min() for rows in splits.values()) == 1:
            last = next((split for split, rows in splits.items() if rows.max() == photos), "")
            if last and max(rows.max() for rows in splits.values()) == photos:
                self.found.add("arrays", self.root / ARRAYS[last], f"holds {photos}, and no split holds 0: the numbers "
                               f"count from 1; subtract 1 from {', '.join(ARRAYS.values())}")  # fmt: skip
                return
        for split, rows in splits.items():
            outside = rows[(rows < 0) | (rows >= photos)]
            if outside.size:
                shown = f"{outside.size:,}, such as {outside[0]}"
                self.found.add("arrays", self.root / ARRAYS[split], f"holds numbers outside 0..{photos - 1} ({shown}); "
                               "it belongs to another list of photos")  # fmt: skip

    def _check_overlaps(self, splits: dict[str, np.ndarray], names: list[str]) -> None:
        """Report photos that are in two splits; in training and another one, it is an error."""
        for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
            both = np.intersect1d(splits[first], splits[second])
            if len(both):
                shown = f"{len(both):,}, such as {both[0]}, {names[both[0]]}"
                self.found.add("splits", self.root / ARRAYS[second], f"also holds photos of {first} ({shown}): they "
                               "leak, take them out of one", fatal=first == "train")  # fmt: skip


def _photo(text: str) -> tuple | Bad:
    name = tidy(text)
    return OUTSIDE if name is None else (name,)


def _tags(street: Street, kind: str, photos: int, report: Report) -> Tags | None:
    """The labels of this kind and the matrix; None where they were reported."""
    matrix, names = TAGS[kind]
    path = street.path(matrix, report)
    if names:
        labels = tuple(street.names(names, report))
        targets = read_targets(path, (photos, len(labels)), report) if labels else None
        return None if targets is None else Tags(labels, targets)
    array = read_array(path, report)
    targets = read_targets(path, (photos, array.shape[1] if array is not None and array.ndim == 2 else 59), report)
    singles = _tags(street, "singles", photos, report)
    if targets is None or singles is None:
        return None
    labels = _named_columns(targets, singles)
    if all(label.startswith("item ") for label in labels):
        report("arrays", path, "no column is that of a single tag: are the rows in another order than photos.txt?",
               fatal=False)  # fmt: skip
    return Tags(labels, targets)


def _named_columns(targets: np.ndarray, singles: Tags) -> tuple[str, ...]:
    """The name of each column of `targets`: that of the one column of `singles` with the same tags, else a number."""
    columns: dict[bytes, list[str]] = {}
    for name, column in zip(singles.labels, np.asarray(singles.matrix, dtype=bool).T, strict=True):
        columns.setdefault(np.packbits(column).tobytes(), []).append(name)
    matches = [columns.get(np.packbits(column).tobytes(), []) for column in np.asarray(targets, dtype=bool).T]
    return tuple(found[0] if len(found) == 1 else f"item {place}" for place, found in enumerate(matches))
