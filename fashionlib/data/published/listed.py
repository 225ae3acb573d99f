"""What the lists of a published data set say of its photos, and the splits that samples are taken from."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.core.sealed import content_hashes, stat_of
from fashionlib.data.base import Box, Landmark, Sample
from fashionlib.data.photos import read_photo
from fashionlib.data.published.findings import Findings, Report, too_many
from fashionlib.data.published.registry import PUBLISHED

VERSION = 2  # raise it when the same files give other samples, in any of the published data sets
VISIBLE, HIDDEN, CUT_OFF = 0, 1, 2
POINTS = tuple(f"{side} {part}" for part in ("collar", "sleeve", "waistline", "hem") for side in ("left", "right"))
SLACK = 1  # pixels by which a published box or point may reach out: some rows count from 0, some from 1


@dataclass
class Boxes:
    """A published box for each photo: x1, y1, x2, y2 counted from 1, both ends inside.

    lines: where each stands in the list `path`, 0 for a photo without one. labels: by photo, what the box holds.
    """

    path: Path
    values: Int[np.ndarray, "photos 4"]
    lines: Int[np.ndarray, " photos"]
    labels: list[str]


@dataclass
class Points:
    """Published landmarks: for each photo and each of POINTS visibility (0 visible, 1 hidden, 2 cut off), x, y from 1.

    lines: as in `Boxes`. A point that the photo's kind of clothes does not have counts as cut off.
    """

    path: Path
    values: Int[np.ndarray, "photos 8 3"]
    lines: Int[np.ndarray, " photos"]


@dataclass
class Tags:
    """labels, and a row of 0 and 1 for each photo; or for each of some `rows`, by photo."""

    labels: tuple[str, ...]
    matrix: np.ndarray
    rows: Int[np.ndarray, " photos"] | None = None

    def of(self, photos: Int[np.ndarray, " n"]) -> Bool[np.ndarray, "n labels"]:
        return np.asarray(self.matrix[photos if self.rows is None else self.rows[photos]], dtype=bool)


@dataclass
class Contents:
    """A published data set as its lists have it, every split of it.

    names: every photo's name in the lists, which is its id. splits: by name, the numbers of its photos.
    files: by photo, the path relative to the root, None where there is none. counts: as in `Published.counts`.
    """

    names: list[str]
    splits: dict[str, Int[np.ndarray, " n"]] = field(default_factory=dict)
    files: list[str | None] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    tags: dict[str, Tags] = field(default_factory=dict)
    products: list[str] = field(default_factory=list)
    domains: list[str | None] = field(default_factory=list)
    boxes: Boxes | None = None
    points: Points | None = None


class Listed:
    """A split whose photos are named by lists; the published data sets are subclasses that read theirs.

    read: reads the whole data set and reports what is wrong with it. tags: the key of `Contents.tags` that has the
    labels. crop: whether samples show only what is inside the photo's box (boxes and landmarks move along).

    A box that reaches out of its photo is cut at the edge; one that holds nothing of it is left out. Photos that are
    missing are left out as well. All that was left out or repaired is in `notes`, and a warning says it.

    Raises InputError, naming file and line, where lists, arrays and photos do not fit together, in whatever split.
    """

    name: ClassVar[str] = "listed"

    def __init__(
        self, root: str | Path, split: str, read: Callable[[Path, Findings], Contents], *, tags: str = "",
        crop: bool = False,
    ):  # fmt: skip
        if not Path(root).is_dir():
            raise InputError(f"{root}: no such folder; {PUBLISHED[self.name].hint}")
        found = Findings()
        with collector_paused():
            contents = read(Path(root), found)
        check_sizes(Path(root), contents, found.add if crop else found.lenient)
        self.notes = found.settle(self.name)
        rows = np.array([row for row in contents.splits[split] if contents.files[row] is not None], dtype=np.int64)
        rows = _with_boxes(rows, contents, found) if crop else rows
        self.root, self.split, self.crop = Path(root), split, crop
        self.ids = tuple(contents.names[row] for row in rows)
        self._files = [contents.files[row] or "" for row in rows]
        self._products = [contents.products[row] for row in rows] if contents.products else []
        self._domains = [contents.domains[row] for row in rows]
        self._boxes, self._points = contents.boxes, contents.points
        self._rows = rows
        self.labels = contents.tags[tags].labels if tags else ()
        self._targets = contents.tags[tags].of(rows) if tags else None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self.ids))[index]
        row = self._rows[index]
        image = read_photo(self.root / self._files[index])
        boxes, landmarks = {}, {}
        if self._boxes and self._boxes.lines[row]:
            inside = box_inside(self._boxes.values[row], image.shape)
            if inside:
                boxes = {self._boxes.labels[row]: inside}
            elif self.crop:
                raise InputError(no_box(self._boxes, int(row), image.shape))
        if self._points and self._points.lines[row]:
            landmarks = landmarks_of(self._points.values[row], image.shape)
        if self.crop:
            image, boxes, landmarks = cropped(image, boxes, landmarks)
        return Sample(
            image=image, id=self.ids[index], boxes=boxes, landmarks=landmarks, domain=self._domains[index],
            labels=None if self._targets is None else self._targets[index].astype(np.float32),
            product=self._products[index] if self._products else None,
        )  # fmt: skip

    def targets(self) -> Float[np.ndarray, "photos labels"] | None:
        """The tags of the whole split, without opening a photo; None where the data set has none."""
        return None if self._targets is None else self._targets.astype(np.float32)

    def fingerprint(self) -> str:
        """Changes when a photo (size or times) or what the lists say of it does."""
        return self._hash(stat_of(f"{self.root}/{file}") for file in self._files)

    def content_fingerprint(self) -> str:
        """Changes with the content of a photo or what the lists say of it; reads every photo."""
        return self._hash(content_hashes(self.root / file for file in self._files))

    def _hash(self, states: Iterable[object]) -> str:
        digest = hashlib.sha256(repr((VERSION, self.name, self.split, self.crop, self.labels)).encode())
        for number, (id_, state) in enumerate(zip(self.ids, states, strict=True)):
            said = (id_, state, self._domains[number], self._products[number : number + 1])
            digest.update(repr(said).encode("utf-8", "surrogateescape"))
        for marks in (self._boxes, self._points):
            if marks:
                digest.update(np.where(marks.lines > 0, 1, 0)[self._rows].tobytes())
                digest.update(np.ascontiguousarray(marks.values[self._rows]).tobytes())
        if self._boxes:
            digest.update(repr([self._boxes.labels[row] for row in self._rows]).encode())
        if self._targets is not None:
            digest.update(np.packbits(self._targets).tobytes())
        return digest.hexdigest()[:12]


def _with_boxes(rows: np.ndarray, contents: Contents, found: Findings) -> np.ndarray:
    """Those of the photos that have a box. Raises InputError where too many have none."""
    has = np.zeros(len(rows), dtype=bool) if contents.boxes is None else contents.boxes.lines[rows] > 0
    lost = int((~has).sum())
    if too_many(lost, len(rows)):
        reasons = "".join(f" ({note.message})" for note in found.notes if note.check == "boxes")
        raise InputError(f"{lost:,} of {len(rows):,} photos have no box to crop to, such as "
                         f"{contents.names[rows[~has][0]]}; leave crop off{reasons}")  # fmt: skip
    return rows[has]


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection while lists are read: going through millions of new rows would take half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def checked_split(name: str, split: str, splits: Sequence[str]) -> str:
    """`split` without the prefix that the wardrobe's retrieval splits carry ("inshop_query" is "query")."""
    short = split.removeprefix(f"{name.removeprefix('deepfashion_')}_")
    if short not in splits:
        raise InputError(f"{name} has no split {split!r}: choose one of {', '.join(splits)}")
    return short


def checked_option(option: str, value: str, choices: Sequence[str] | Mapping) -> str:
    if value not in choices:
        raise InputError(f"{option}={value!r}: choose one of {', '.join(choices)}")
    return value


def check_empty(splits: Mapping[str, np.ndarray], path: Path | None, found: Findings) -> None:
    """Report splits that have no photo, unless the list `path` is missing or at fault: they may have stood there."""
    empty = [split for split, rows in splits.items() if not len(rows)]
    if empty and path and not found.blames(path):
        found.add("splits", path, f"names no photo of {', '.join(empty)}; fetch it again")


def box_inside(values: Sequence[int] | np.ndarray, shape: tuple[int, ...]) -> Box | None:
    """The box in pixels from 0, ends exclusive, cut at the edges of a photo of `shape` (height, width, …).

    None where nothing of the photo is left in it.
    """
    x1, y1, x2, y2 = (int(value) for value in values)
    left, top, right, bottom = max(x1 - 1, 0), max(y1 - 1, 0), min(x2, shape[1]), min(y2, shape[0])
    return (float(left), float(top), float(right), float(bottom)) if left < right and top < bottom else None


def no_box(boxes: Boxes, row: int, shape: tuple[int, ...]) -> str:
    """The message about a box that holds nothing of its photo."""
    values = " ".join(map(str, boxes.values[row]))
    return (f"{boxes.path}, line {boxes.lines[row]}: the box {values} holds nothing of its photo, {shape[1]} wide and "
            f"{shape[0]} high; correct the row")  # fmt: skip


def landmarks_of(values: Int[np.ndarray, "8 3"], shape: tuple[int, ...]) -> dict[str, Landmark]:
    """By name, x, y (pixels from 0) and whether it is seen; points that are cut off have no place and are left out."""
    found = {}
    for name, (state, x, y) in zip(POINTS, values.tolist(), strict=True):
        if state != CUT_OFF:
            inside = 1 - SLACK <= x <= shape[1] + SLACK and 1 - SLACK <= y <= shape[0] + SLACK
            found[name] = (float(x - 1), float(y - 1), state == VISIBLE and inside)
    return found


def cropped(
    image: UInt8[np.ndarray, "height width 3"], boxes: Mapping[str, Box], landmarks: Mapping[str, Landmark]
) -> tuple[UInt8[np.ndarray, "cropped_height cropped_width 3"], dict[str, Box], dict[str, Landmark]]:
    """What is inside the first box, with box and landmarks in its pixels; points left outside are not seen."""
    label, (x1, y1, x2, y2) = next(iter(boxes.items()))
    inside = image[int(y1) : int(y2), int(x1) : int(x2)]
    moved = {name: (x - x1, y - y1, seen and x1 <= x < x2 and y1 <= y < y2) for name, (x, y, seen) in landmarks.items()}
    return np.ascontiguousarray(inside), {label: (0.0, 0.0, x2 - x1, y2 - y1)}, moved


def check_sizes(root: Path, contents: Contents, report: Report) -> None:
    """Hold the boxes against some of the photos; where they were measured on photos of another size, report it and
    leave boxes and landmarks out."""
    boxes = contents.boxes
    if boxes is None:
        return
    known = np.flatnonzero((boxes.lines > 0) & np.array([file is not None for file in contents.files], dtype=bool))
    reach = []
    for row in known[:: max(1, len(known) // 32)][:32]:
        try:
            with Image.open(f"{root}/{contents.files[row]}") as image:  # reads the header only
                reach.append(max(boxes.values[row, 2] / image.width, boxes.values[row, 3] / image.height))
        except Exception:  # a damaged photo, which is told when it is opened
            continue
    if len(reach) >= 6 and (max(reach) < 0.4 or np.median(reach) > 1.1):
        report("boxes", boxes.path, f"the boxes end at {np.median(reach):.0%} of their photos' sides: they are of "
               "photos of another size; unpack those, or go without boxes and landmarks (left out)")  # fmt: skip
        contents.boxes = contents.points = None
