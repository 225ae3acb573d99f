"""What the lists of a published data set say of its photos, and the splits that samples are taken from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.core.findings import Findings, Report, too_many
from fashionlib.core.sealed import content_hashes, stat_of
from fashionlib.data.base import Box, Dataset, Landmark, Sample, check_choice
from fashionlib.data.photos import read_photo
from fashionlib.data.published.registry import PUBLISHED

VERSION = 2  # raise it when the same files give other samples, in any of the published data sets
VISIBLE, HIDDEN, CUT_OFF = 0, 1, 2
POINTS = tuple(f"{side} {part}" for part in ("collar", "sleeve", "waistline", "hem") for side in ("left", "right"))
SLACK = 1  # pixels by which a published box or point may reach out: some rows count from 0, some from 1


@dataclass
class Marks:
    """Published boxes or landmarks, a row for each photo.

    values: boxes x1, y1, x2, y2, both ends inside; or, for each of POINTS, visibility (0 visible, 1 hidden, 2 cut off,
    or not of the photo's kind of clothes), x, y; all counted from 1. lines: where each row stands in the list `path`, 0
    for a photo without one. labels: by photo, what its box holds.
    """

    path: Path
    values: Int[np.ndarray, "photos ..."]
    lines: Int[np.ndarray, " photos"]
    labels: np.ndarray | None = None


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
    products, domains: a text for each photo, or None.
    """

    names: list[str]
    splits: dict[str, Int[np.ndarray, " n"]] = field(default_factory=dict)
    files: list[str | None] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    tags: dict[str, Tags] = field(default_factory=dict)
    products: np.ndarray | None = None
    domains: np.ndarray | None = None
    boxes: Marks | None = None
    points: Marks | None = None


class Listed(Dataset):
    """A split whose photos are named by lists; the published data sets are subclasses that read theirs.

    read: reads the whole data set and reports what is wrong with it. splits: those that there are. tags: the key of
    `Contents.tags` that has the labels. crop: whether samples show only what is inside the photo's box (boxes and
    landmarks move along).

    A box that reaches out of its photo is cut at the edge; one that holds nothing of it is left out. Photos that are
    missing are left out as well. All that was left out or repaired is in `notes`, and a warning says it.

    Raises InputError, naming file and line, where lists, arrays and photos do not fit together, in whatever split.
    """

    name: ClassVar[str] = "listed"

    def __init__(
        self, root: str | Path, split: str, read: Callable[[Path, Findings], Contents], splits: Collection[str], *,
        tags: str = "", crop: bool = False,
    ):  # fmt: skip
        # the wardrobe's retrieval splits carry a prefix: "inshop_query" is "query"
        split = split.removeprefix(f"{self.name.removeprefix('deepfashion_')}_")
        check_choice(f"{self.name} has no split {split!r}", split, splits)
        root, found = Path(root), Findings()
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; {PUBLISHED[self.name].hint}")
        contents = read(root, found)
        check_sizes(root, contents, found.add if crop else found.lenient)
        self.notes = found.settle(self.name)
        rows = contents.splits[split]
        rows = rows[[contents.files[row] is not None for row in rows.tolist()]]
        has = np.full(len(rows), not crop) if contents.boxes is None or not crop else contents.boxes.lines[rows] > 0
        if too_many(int((~has).sum()), len(rows)):
            reasons = "".join(f" ({note.message})" for note in found.notes if note.check == "boxes")
            raise InputError(f"{(~has).sum():,} of {len(rows):,} photos have no box to crop to, such as "
                             f"{contents.names[rows[~has][0]]}; leave crop off{reasons}")  # fmt: skip
        rows = rows[has]
        self.root, self.split, self.crop, self._rows = root, split, crop, rows
        self.ids = tuple(contents.names[row] for row in rows.tolist())
        self._files = [contents.files[row] or "" for row in rows.tolist()]
        self._products = None if contents.products is None else contents.products[rows]
        self._domains = None if contents.domains is None else contents.domains[rows]
        self._boxes, self._points = contents.boxes, contents.points
        self.labels = contents.tags[tags].labels if tags else ()
        self._targets = contents.tags[tags].of(rows) if tags else None

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self.ids))[index]
        row = self._rows[index]
        image = read_photo(self.root / self._files[index])
        boxes, landmarks = {}, {}
        if self._boxes and self._boxes.lines[row]:
            inside = box_inside(self._boxes.values[row], image.shape)
            if inside and self._boxes.labels is not None:
                boxes = {str(self._boxes.labels[row]): inside}
            elif self.crop:
                raise InputError(no_box(self._boxes, int(row), image.shape))
        if self._points and self._points.lines[row]:
            landmarks = landmarks_of(self._points.values[row], image.shape)
        if self.crop:  # points left outside are not seen
            ((label, (x1, y1, x2, y2)),) = boxes.items()
            image = np.ascontiguousarray(image[int(y1) : int(y2), int(x1) : int(x2)])
            boxes = {label: (0.0, 0.0, x2 - x1, y2 - y1)}
            landmarks = {name: (x - x1, y - y1, seen and x1 <= x < x2 and y1 <= y < y2)
                         for name, (x, y, seen) in landmarks.items()}  # fmt: skip
        return Sample(
            image=image, id=self.ids[index], boxes=boxes, landmarks=landmarks,
            labels=None if self._targets is None else self._targets[index].astype(np.float32),
            product=None if self._products is None else self._products[index],
            domain=None if self._domains is None else self._domains[index],
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
            product = [] if self._products is None else [self._products[number]]
            said = (id_, state, None if self._domains is None else self._domains[number], product)
            digest.update(repr(said).encode("utf-8", "surrogateescape"))
        for marks in filter(None, (self._boxes, self._points)):
            digest.update(np.where(marks.lines > 0, 1, 0)[self._rows].tobytes())
            digest.update(np.ascontiguousarray(marks.values[self._rows]).tobytes())
        if self._boxes and self._boxes.labels is not None:
            digest.update(repr(self._boxes.labels[self._rows].tolist()).encode())
        if self._targets is not None:
            digest.update(np.packbits(self._targets).tobytes())
        return digest.hexdigest()[:12]


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


def no_box(boxes: Marks, row: int, shape: tuple[int, ...]) -> str:
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
