"""What the three DeepFashion benchmarks share: where their lists and photos lie, boxes, landmarks, attributes.

Z. Liu, P. Luo, S. Qiu, X. Wang, X. Tang, "DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
Annotations", CVPR 2016; the formats are those of the READMEs that come with the release (versions 1.0 and 1.1, 2016).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fashionlib.core.findings import Findings, Report
from fashionlib.data.published.layout import Tree
from fashionlib.data.published.listed import CUT_OFF, POINTS, Contents, Marks, Tags
from fashionlib.data.published.lists import NUMBER, PHOTO, TEXT, numbers_of, read_table, read_values

CLOTHES = ("upper", "lower", "full")
NAME_AND_TYPE = rf"(?P<name>{TEXT})\s+\d+"
_PARTS = {1: ("collar", "sleeve", "hem"), 2: ("waistline", "hem"), 3: ("collar", "sleeve", "waistline", "hem")}
_COLUMNS = {
    kind: np.array([place for place, name in enumerate(POINTS) if name.split()[1] in parts])
    for kind, parts in _PARTS.items()
}
_LISTS, _EVAL = ("Anno", "Anno/attributes", "Anno_coarse", "Anno_fine", ""), ("Eval", "Anno", "")
_PHOTOS = ("Img", "", "Img/img", "img")


class Release(Tree):
    """The folder of a benchmark. suffix: the end of its lists' names, such as "_inshop"."""

    def __init__(self, root: Path, dataset: str, suffix: str, found: Findings):
        super().__init__(root, dataset, found)
        self.suffix = suffix

    def find_list(self, name: str, report: Report | None) -> Path | None:
        """The list `name`, in the folder of the release or in those in which copies of it keep it."""
        folders = _EVAL if name.startswith("list_eval") else _LISTS
        return self.path([f"{folder}/{name}".lstrip("/") for folder in folders], report)

    def partition(
        self, row: str, statuses: Sequence[str], columns: str, photos: int = 1
    ) -> tuple[Path | None, pd.DataFrame]:
        """The list of photos and their splits; row: its format before the column "status"."""
        path = self.find_list("list_eval_partition.txt", self.found.add)
        row = rf"{row}\s+(?P<status>(?i:{'|'.join(statuses)}))"
        columns = f"{columns}, evaluation_status ({', '.join(statuses[:-1])} or {statuses[-1]})"
        table = read_table(path, row, columns, self.found.add, photos=photos)
        table["status"] = table.status.str.lower()
        return path, table

    def marks(self, contents: Contents, *, crop: bool, labels: np.ndarray | None = None) -> None:
        """Find the photos, and put boxes and landmarks into the contents; rows that cannot be used are left out.

        crop: whether a missing list of boxes is an error. labels: by photo, what its box holds, for the list without a
        column for it; else "upper", "lower" or "full".
        """
        contents.files = self.photos(contents.names, contents.splits, _PHOTOS)
        index, lenient = pd.Index(contents.names, dtype=object), self.found.lenient
        path = self.find_list(f"list_bbox{self.suffix}.txt", self.found.add if crop else lenient)
        if path:
            contents.boxes = read_boxes(path, index, lenient, labels)
            self._complete(contents.boxes, contents.names, "boxes", "box")
        path = self.find_list(f"list_landmarks{self.suffix}.txt", lenient)
        if path:
            contents.points = read_landmarks(path, index, lenient)
            self._complete(contents.points, contents.names, "landmarks", "row")

    def _complete(self, marks: Marks, names: list[str], check: str, what: str) -> None:
        without = np.flatnonzero(marks.lines == 0)
        if len(without) and not self.found.blames(marks.path):
            self.found.lenient(check, marks.path, f"no {what} for {len(without):,} of {len(names):,} photos, such as "
                                                  f"{names[without[0]]}")  # fmt: skip

    def items(self, row: str, lines: dict[str, int], partition: Path | None, *, attributes: bool) -> Tags:
        """The attributes of items. lines: by item, the line of `partition` that names it first. row: of their names.

        Reported: items that the list of items or the attributes, if there, leave out. attributes: whether they are
        needed.
        """
        path = self.find_list(f"list_item{self.suffix}.txt", self.found.lenient)
        listed = set(read_table(path, f"(?P<item>{TEXT})", "an item's id", self.found.lenient, named=False)["item"])
        for item in (item for item in lines if item not in listed) if path and not self.found.blames(path) else ():
            self.found.add("lists", partition or path, f"an item is not in {path}, such as {{}}; fetch the lists again",
                           lines[item], item, fatal=False)  # fmt: skip
        report = self.found.add if attributes else self.found.lenient
        if not attributes and self.find_list("list_attr_items.txt", None) is None:
            return Tags((), np.zeros((len(lines), 0), dtype=bool))
        names = self.names("list_attr_cloth.txt", row, "an attribute's name", report)
        path = self.find_list("list_attr_items.txt", report)
        order = {item: number for number, item in enumerate(lines)}
        return Tags(names, read_values(path, order, len(names), report, self.found))

    def names(self, name: str, row: str, columns: str, report: Report) -> tuple[str, ...]:
        """The names of a list of categories or attributes, which may hold blanks."""
        return tuple(read_table(self.find_list(name, report), row, columns, report, named=None, numbered=True)["name"])


def read_boxes(path: Path, index: pd.Index, report: Report, labels: np.ndarray | None = None) -> Marks:
    """The box of each photo of `index`; sides that stand the wrong way round are sorted."""
    kinds = labels is None
    row = rf"0*[1-3](?:\s+{NUMBER}){{5}}" if kinds else rf"{NUMBER}(?:\s+{NUMBER}){{3}}"
    columns = "clothes_type (1 to 3), pose_type or source_type, " if kinds else ""
    columns = f"image_name, {columns}x_1, y_1, x_2, y_2"
    table, photos = _of_photos(read_table(path, rf"{PHOTO}\s+(?P<numbers>{row})", columns, report, photos=1), index)
    numbers = numbers_of(table.numbers.tolist())[0].reshape(len(table), 6 if kinds else 4)
    sides, lines = numbers[:, -4:], table.line.to_numpy()
    boxes = np.concatenate([np.minimum(sides[:, :2], sides[:, 2:]), np.maximum(sides[:, :2], sides[:, 2:])], axis=1)
    empty = (boxes[:, 2:] < 1).any(axis=1)
    for what, wrong in (("ends before it begins (its sides are sorted)", (boxes != sides).any(axis=1)),
                        ("holds nothing of its photo (left out); correct the row", empty)):  # fmt: skip
        for place in np.flatnonzero(wrong):
            report("boxes", path, f"the box {{}} {what}", lines[place], " ".join(map(str, sides[place])))
    labels = np.full(len(index), "clothes", dtype=object) if labels is None else labels
    if kinds:
        labels[photos] = np.array(CLOTHES, dtype=object)[numbers[:, 0] - 1]
    marks = Marks(path, np.zeros((len(index), 4), np.int32), np.zeros(len(index), np.int32), labels)
    marks.values[photos], marks.lines[photos] = boxes, np.where(empty, 0, lines)
    return marks


def read_landmarks(path: Path, index: pd.Index, report: Report) -> Marks:
    """The landmarks of each photo: 6 points of upper, 4 of lower and 8 of full-body clothes.

    Both published forms are read: with the column variation_type before them, and without.
    """
    columns = "image_name, clothes_type (1 to 3), variation_type (in some), then visibility, x and y of each landmark"
    row = rf"{PHOTO}\s+0*(?P<kind>[1-3])\s+(?P<numbers>[\d-](?:[\d\s-]*[\d-])?)"
    table, photos = _of_photos(read_table(path, row, columns, report, photos=1), index)
    lines, kinds = table.line.to_numpy(), table.kind.to_numpy().astype(int)
    numbers, counts = numbers_of(table.numbers.tolist())
    marks = Marks(path, np.full((len(index), len(POINTS), 3), CUT_OFF, np.int32), np.zeros(len(index), np.int32))
    for kind, places in _COLUMNS.items():
        wanted = 3 * len(places)
        fits = (kinds == kind) & ((counts == wanted) | (counts == wanted + 1))
        starts = np.cumsum(counts)[fits] - wanted
        points = numbers[starts[:, None] + np.arange(wanted)].reshape(-1, len(places), 3)
        seen = ((points[..., 0] >= 0) & (points[..., 0] <= 2)).all(axis=1)
        fits[fits] = seen
        marks.values[photos[fits][:, None], places], marks.lines[photos[fits]] = points[seen], lines[fits]
        what = (f"expected {wanted} numbers for {CLOTHES[kind - 1]} clothes, visibility (0, 1 or 2), x, y of each "
                "landmark, got {}; correct the row")  # fmt: skip
        for place in np.flatnonzero((kinds == kind) & ~fits):
            name, _, values, line = table.iloc[place]
            report("lists", path, what, line, repr(f"{name} {kind} {values}"[:120]))
    return marks


def _of_photos(table: pd.DataFrame, index: pd.Index) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows about photos of the index, and the numbers of these photos."""
    photos = index.get_indexer(pd.Index(table.photo, dtype=object))
    return table.loc[photos >= 0], photos[photos >= 0]


def split_rows(statuses: pd.Series, splits: Collection[str]) -> dict[str, np.ndarray]:
    """By split, the numbers of the photos that have its status."""
    return {split: np.flatnonzero(statuses == split) for split in splits}
