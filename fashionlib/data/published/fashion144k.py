"""Fashion144k in the cleaned version that came with StyleNet: street photos with the tags of their wearers.

E. Simo-Serra, H. Ishikawa, "Fashion Style in 128 Floats", CVPR 2016. Layout, as read by the paper's released code and
by others': `photos.txt` (a path a line), `trainids.npy`, `validids.npy`, `testids.npy` (numbers of lines, from 0),
`feat/feat_sin.npy` (photos × 123, 0 or 1) with the tags' names in `feat/singles.txt`, and `feat/singles_at_59.npy`
(photos × 59), the item labels of "Diversity in Fashion Recommendation", which its authors gave out with their code,
without names.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from fashionlib.core.findings import Findings, Report
from fashionlib.data.base import check_choice
from fashionlib.data.published.layout import Tree
from fashionlib.data.published.listed import Contents, Listed, Tags, check_empty
from fashionlib.data.published.lists import TEXT, photo, read_array, read_indices, read_table, read_targets

ARRAYS = {"train": "trainids.npy", "val": "validids.npy", "test": "testids.npy"}
TAGS = {
    "singles": ("feat/feat_sin.npy", "feat/singles.txt"),
    "items": ("feat/singles_at_59.npy", ""),
}


class Fashion144k(Listed):
    """One split of Fashion144k.

    root: the folder with `photos.txt`. split: "train", "val" or "test".
    tags: "singles" (garments and colours) or "items" (the paper's 59, no colours), which are called as the tags in
        `singles.txt` whose column is the same, else "item 0", "item 1" ….

    Raises InputError where files are missing or not as published.
    """

    name = "fashion144k"

    def __init__(self, root: str | Path, split: str = "train", *, tags: str = "singles"):
        check_choice(f"tags={tags!r}", tags, TAGS)
        super().__init__(root, split, partial(read, tags=tags, others=()), tuple(ARRAYS), tags=tags)


def read(root: Path, found: Findings, tags: str = "singles", others: tuple[str, ...] = tuple(TAGS)) -> Contents:
    """The whole data set; what is wrong with it is reported. others: tags to read as well, where they are there."""
    street = Street(root, Fashion144k.name, found)
    contents = street.contents()
    if not contents.splits:
        return contents
    contents.counts = {"photos": len(contents.names)}
    for kind in dict.fromkeys((tags, *others)):
        if kind == tags or street.path([TAGS[kind][0]], None):
            known = read_tags(street, kind, len(contents.names), found.add if kind == tags else found.lenient)
            contents.tags |= {kind: known} if known else {}
    if "singles" in contents.tags:
        contents.counts["single tags"] = len(contents.tags["singles"].labels)
    contents.counts |= {f"{split} photos": len(rows) for split, rows in contents.splits.items()}
    return contents


class Street(Tree):
    """The folder of Fashion144k or Fashion550k: a list of photos, arrays of their numbers, and what belongs to them."""

    def names(self, name: str, report: Report, *, photos: bool = False) -> list[str]:
        """The lines of a list without count and names."""
        path, what = self.path([name], report), "a photo's path" if photos else "a name"
        row = photo("name") if photos else f"(?P<name>{TEXT})"
        options = {"photos": int(photos), "named": False, "counted": False, "numbered": True}
        return read_table(path, row, what, report, **options)["name"].tolist()

    def contents(self) -> Contents:
        """Photos and splits. No splits where the list of photos is at fault: the arrays go by its lines."""
        contents = Contents(self.names("photos.txt", self.found.add, photos=True))
        contents.domains = np.full(len(contents.names), "street", dtype=object)
        if contents.names and not self.found.blames(self.root / "photos.txt"):
            contents.splits = self._splits(contents.names)
        contents.files = self.photos(contents.names, contents.splits)
        return contents

    def indices(self, name: str) -> np.ndarray:
        return read_indices(self.path([name], self.found.add), self.found.add)

    def _splits(self, names: list[str]) -> dict[str, np.ndarray]:
        """Reported: empty splits, numbers of no photo, and photos that are in two splits."""
        splits, photos, add = {split: self.indices(name) for split, name in ARRAYS.items()}, len(names), self.found.add
        read = {split: rows for split, rows in splits.items() if not self.found.blames(self.root / ARRAYS[split])}
        for split, rows in read.items():
            check_empty({split: rows}, self.root / ARRAYS[split], self.found)
        read = {split: rows for split, rows in read.items() if len(rows)}
        lowest, highest = (pick([pick(rows) for rows in read.values()], default=0) for pick in (min, max))
        if lowest == 1 and highest == photos:
            last = next(split for split, rows in read.items() if rows.max() == photos)
            add("arrays", self.root / ARRAYS[last], f"holds {photos}, and no split holds 0: the numbers count from 1; "
                f"subtract 1 from {', '.join(ARRAYS.values())}")  # fmt: skip
        else:
            for split, rows in read.items():
                self.check_inside(ARRAYS[split], rows, photos)
        splits = {split: rows[(rows >= 0) & (rows < photos)] for split, rows in splits.items()}
        for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
            both = np.intersect1d(splits[first], splits[second])
            if len(both):
                shown = f"{len(both):,}, such as {both[0]}, {names[both[0]]}"
                add("splits", self.root / ARRAYS[second], f"also holds photos of {first} ({shown}): they leak, take "
                    "them out of one", fatal=first == "train")  # fmt: skip
        return splits

    def check_inside(self, name: str, rows: np.ndarray, photos: int) -> None:
        """Report numbers in the array `name` that are none of the list of photos."""
        outside = rows[(rows < 0) | (rows >= photos)]
        if outside.size:
            shown = f"{outside.size:,}, such as {outside[0]}"
            self.found.add("arrays", self.root / name, f"holds numbers outside 0..{photos - 1} ({shown}); it belongs "
                           "to another list of photos")  # fmt: skip


def read_tags(street: Street, kind: str, photos: int, report: Report) -> Tags | None:
    """The labels of this kind and the matrix; None where they were reported."""
    matrix, names = TAGS[kind]
    path = street.path([matrix], report)
    if names:
        labels = tuple(street.names(names, report))
        targets = read_targets(path, (photos, len(labels)), report) if labels else None
        return None if targets is None else Tags(labels, targets)
    array = read_array(path, report)
    targets = read_targets(path, (photos, array.shape[1] if array is not None and array.ndim == 2 else 59), report)
    singles = read_tags(street, "singles", photos, report)
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
