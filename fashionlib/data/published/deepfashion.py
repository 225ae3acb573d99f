"""What the three DeepFashion benchmarks share: where their lists and photos lie, boxes, landmarks, attributes.

Z. Liu, P. Luo, S. Qiu, X. Wang, X. Tang, "DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
Annotations", CVPR 2016; the formats are those of the READMEs that come with the release (versions 1.0 and 1.1, 2016).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from fashionlib.data.published.findings import Findings, Report
from fashionlib.data.published.layout import Tree, find_file, find_photos
from fashionlib.data.published.listed import CUT_OFF, POINTS, Boxes, Contents, Points, Tags
from fashionlib.data.published.lists import Bad, Parse, Row, numbers_of, read_table
from fashionlib.data.published.registry import PUBLISHED
from fashionlib.data.published.values import read_values

CLOTHES = ("upper", "lower", "full")
_PARTS = {1: ("collar", "sleeve", "hem"), 2: ("waistline", "hem"), 3: ("collar", "sleeve", "waistline", "hem")}
_COLUMNS = {
    kind: np.array([place for place, name in enumerate(POINTS) if name.split()[1] in parts])
    for kind, parts in _PARTS.items()
}
_LISTS = ("Anno", "Anno/attributes", "Anno_coarse", "Anno_fine", "")
_EVAL = ("Eval", "Anno", "")
_PHOTOS = ("Img", "", "Img/img", "img")


class Release:
    """The folder of a benchmark. suffix: the end of its lists' names, such as "_inshop"."""

    def __init__(self, root: Path, dataset: str, suffix: str, found: Findings):
        self.root, self.dataset, self.suffix, self.found = root, dataset, suffix, found
        self.tree, self.hint = Tree(root), PUBLISHED[dataset].hint

    def path(self, name: str, report: Report | None) -> Path | None:
        """The list `name`, in the folder of the release or in those in which copies of it keep it."""
        folders = _EVAL if name.startswith("list_eval") else _LISTS
        names = [f"{folder}/{name}".lstrip("/") for folder in folders]
        return find_file(self.tree, self.root, names, report, self.hint)

    def partition(self, parse: Parse, columns: str, photos: int = 1) -> tuple[Path | None, dict]:
        path = self.path("list_eval_partition.txt", self.found.add)
        return path, read_table(path, parse, columns, self.found.add, photos=photos)

    def photos(self, contents: Contents) -> None:
        contents.files = find_photos(
            self.tree, self.root, contents.names, contents.splits, self.found.add, self.hint, _PHOTOS
        )

    def marks(self, contents: Contents, *, crop: bool, labels: list[str] | None = None) -> None:
        """Put boxes and landmarks into the contents; rows that cannot be used are left out.

        crop: whether a missing list of boxes is an error. labels: by photo, what its box holds, for the list without a
        column for it; else "upper", "lower" or "full".
        """
        index = {name: number for number, name in enumerate(contents.names)}
        lenient = self.found.lenient
        path = self.path(f"list_bbox{self.suffix}.txt", self.found.add if crop else lenient)
        if path:
            contents.boxes = read_boxes(path, index, lenient, labels)
            self._complete(path, contents.boxes.lines, contents.names, "boxes", "box")
        path = self.path(f"list_landmarks{self.suffix}.txt", lenient)
        if path:
            contents.points = read_landmarks(path, index, lenient)
            self._complete(path, contents.points.lines, contents.names, "landmarks", "row")

    def _complete(self, path: Path, lines: np.ndarray, names: Sequence[str], check: str, what: str) -> None:
        missing = np.flatnonzero(lines == 0)
        if len(missing) and not self.found.blames(path):
            self.found.lenient(check, path, f"no {what} for {len(missing):,} of {len(names):,} photos, such as "
                                            f"{names[missing[0]]}")  # fmt: skip

    def items(self, parse_name: Parse, items: Mapping[str, int], partition: Path | None, *, attributes: bool) -> Tags:
        """The items' attributes, a row for each of `items` (by id, the line that names it first).

        Reported: items that the list of items or the attributes, if there, leave out. attributes: whether they are
        needed.
        """
        path = self.path(f"list_item{self.suffix}.txt", self.found.lenient)
        listed = read_table(path, lambda text: (text,), "an item's id", self.found.lenient, named=False)
        lost = [item for item in items if item not in listed] if path and not self.found.blames(path) else []
        for item in lost:
            self.found.add("lists", partition or path, f"an item is not in {path}, such as {{}}; fetch the lists again",
                           items[item], item, fatal=False)  # fmt: skip
        report = self.found.add if attributes else self.found.lenient
        if not attributes and self.path("list_attr_items.txt", None) is None:
            return Tags((), np.zeros((len(items), 0), dtype=bool))
        names = tuple(self.names("list_attr_cloth.txt", parse_name, "an attribute's name", report))
        path = self.path("list_attr_items.txt", report)
        order = {item: number for number, item in enumerate(items)}
        return Tags(names, read_values(path, order, len(names), report, self.found))

    def names(self, name: str, parse: Parse, columns: str, report: Report) -> dict[str, Row]:
        """The names of a list of categories or attributes, which may hold blanks."""
        return read_table(self.path(name, report), parse, columns, report, named=None, numbered=True)


def item_and_status(statuses: Collection[str]) -> Parse:
    """Reads an item's id, which may hold blanks, and one of the statuses, in any case of letters."""

    def parse(text: str) -> tuple | None:
        parts = text.rsplit(None, 1)
        return (parts[0], parts[1].lower()) if len(parts) == 2 and parts[1].lower() in statuses else None

    return parse


def name_and_type(text: str) -> tuple | None:
    """A name, which may hold blanks, and a number after it."""
    parts = text.rsplit(None, 1)
    return (parts[0],) if len(parts) == 2 and parts[1].isdecimal() else None


def read_boxes(path: Path, index: Mapping[str, int], report: Report, labels: list[str] | None = None) -> Boxes:
    """The box of each photo (by name, its number); sides that stand the wrong way round are sorted."""
    kinds = labels is None
    columns = "image_name, clothes_type (1 to 3), pose_type or source_type, x_1, y_1, x_2, y_2"
    rows = read_table(path, _box_with_kind if kinds else _box, columns if kinds else "image_name, x_1, y_1, x_2, y_2",
                      report, photos=1)  # fmt: skip
    chosen = [row for name, row in rows.items() if name in index]
    numbers = np.array([row.values[1] for row in chosen], dtype=np.int32).reshape(len(chosen), 6 if kinds else 4)
    photos, found_in = np.array([index[row.values[0]] for row in chosen], dtype=np.int64), [row.line for row in chosen]
    first, last = np.minimum(numbers[:, -4:-2], numbers[:, -2:]), np.maximum(numbers[:, -4:-2], numbers[:, -2:])
    for row in np.flatnonzero((first != numbers[:, -4:-2]).any(1)):
        report("boxes", path, "the box {} ends before it begins (its sides are sorted)", found_in[row],
               " ".join(map(str, numbers[row, -4:])))  # fmt: skip
    holds = (last >= 1).all(1)
    for row in np.flatnonzero(~holds):
        report("boxes", path, "the box {} holds nothing of its photo (left out); correct the row", found_in[row],
               " ".join(map(str, numbers[row, -4:])))  # fmt: skip
    values, lines = np.zeros((len(index), 4), dtype=np.int32), np.zeros(len(index), dtype=np.int32)
    values[photos], lines[photos] = np.concatenate([first, last], axis=1), np.where(holds, found_in, 0)
    called = ["clothes"] * len(index) if labels is None else labels
    for photo, kind in zip(photos.tolist(), numbers[:, 0].tolist(), strict=True) if kinds else ():
        called[photo] = CLOTHES[kind - 1]  # type: ignore[index]
    return Boxes(path, values, lines, called)


def _box_with_kind(text: str) -> tuple | None:
    numbers = numbers_of(text)
    return (numbers,) if numbers and len(numbers) == 6 and 1 <= numbers[0] <= 3 else None


def _box(text: str) -> tuple | None:
    numbers = numbers_of(text)
    return (numbers,) if numbers and len(numbers) == 4 else None


def read_landmarks(path: Path, index: Mapping[str, int], report: Report) -> Points:
    """The landmarks of each photo: 6 points of upper, 4 of lower and 8 of full-body clothes.

    Both published forms are read: with the column variation_type before them, and without.
    """
    columns = "image_name, clothes_type (1 to 3), variation_type (in some), then visibility, x and y of each landmark"
    values = np.full((len(index), len(POINTS), 3), CUT_OFF, dtype=np.int32)
    lines = np.zeros(len(index), dtype=np.int32)
    rows = read_table(path, _landmarks, columns, report, photos=1)
    for kind, places in _COLUMNS.items():
        chosen = [row for name, row in rows.items() if row.values[1] == kind and name in index]
        numbers = [index[row.values[0]] for row in chosen]
        if chosen:
            points = np.array([row.values[2] for row in chosen], dtype=np.int32).reshape(len(chosen), -1, 3)
            values[np.array(numbers)[:, None], places] = points
            lines[numbers] = [row.line for row in chosen]
    return Points(path, values, lines)


def _landmarks(text: str) -> tuple | Bad | None:
    numbers = numbers_of(text)
    if not numbers or numbers[0] not in _PARTS:
        return None
    kind, wanted = numbers[0], 3 * len(_COLUMNS[numbers[0]])
    points = numbers[2 if len(numbers) == wanted + 2 else 1 :]
    if len(points) != wanted or not {0, 1, 2}.issuperset(points[::3]):
        return Bad("lists", f"expected {wanted} numbers for {CLOTHES[kind - 1]} clothes, visibility (0, 1 or 2), x, y "
                            "of each landmark, got {}; correct the row")  # fmt: skip
    return kind, points


def item_rows(products: Sequence[str]) -> tuple[dict[str, int], np.ndarray]:
    """Each item's number, in the order in which they come, and the number of each photo's item."""
    order = {item: number for number, item in enumerate(dict.fromkeys(products))}
    return order, np.array([order[item] for item in products], dtype=np.int64)


def split_rows(statuses: Sequence[str], splits: Collection[str]) -> dict[str, np.ndarray]:
    """By split, the numbers of the photos that have its status."""
    array = np.array(statuses, dtype=object)
    return {split: np.flatnonzero(array == split) for split in splits}
