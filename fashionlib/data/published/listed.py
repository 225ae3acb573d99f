"""Photos that lists name: what the published data sets share once their lists are read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from fashionlib.core.errors import InputError
from fashionlib.data.base import Box, Landmark, Sample
from fashionlib.data.photos import read_photo
from fashionlib.data.published.lists import stays_inside

VERSION = 1  # raise it when the same files give other samples, in any of the published data sets
VISIBLE, HIDDEN, CUT_OFF = 0, 1, 2
SLACK = 1  # pixels by which a published box or point may reach out: some rows count from 0, some from 1


class BoxRow(NamedTuple):
    """A published box: x1, y1, x2, y2 counted from 1, both ends inside; what it holds; and where it is listed."""

    values: tuple[int, int, int, int]
    label: str
    where: str


class PointsRow(NamedTuple):
    """Published landmarks: names, and for each visibility (0 visible, 1 hidden, 2 cut off), x and y from 1."""

    names: tuple[str, ...]
    values: np.ndarray
    where: str


@dataclass(frozen=True)
class Listing:
    """What the lists say of one split.

    files: by id, the photo's path relative to the root. where: by id, the list and line that name it.
    targets: photos × labels, 0 or 1. products, domains: by id, as in `Sample`. boxes, landmarks: by id, if there are.
    """

    files: Mapping[str, str]
    where: Mapping[str, str]
    labels: tuple[str, ...] = ()
    targets: np.ndarray | None = None
    products: Mapping[str, str] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)
    boxes: Mapping[str, BoxRow] = field(default_factory=dict)
    landmarks: Mapping[str, PointsRow] = field(default_factory=dict)


@dataclass
class Survey:
    """What `fashionlib doctor` needs to know of a whole data set, every split of it.

    counts: by what is counted, as in `Published.counts`. Photos, boxes and landmarks are by path relative to the root.
    """

    counts: dict[str, int] = field(default_factory=dict)
    photos: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, BoxRow] = field(default_factory=dict)
    landmarks: dict[str, PointsRow] = field(default_factory=dict)


class Listed:
    """A split whose photos are named by lists; the published data sets are subclasses that read theirs.

    crop: whether samples show only what is inside the photo's box (boxes and landmarks move along).

    A box that reaches out of its photo is cut at the edge. Raises InputError, naming list and line, for a photo that
    is listed but absent or leads out of the root, and, when that photo is opened, for a box that holds nothing of it.
    """

    name = "listed"

    def __init__(self, root: Path, split: str, listing: Listing, *, crop: bool = False):
        self.root, self.split, self.crop = root, split, crop
        self.labels, self.ids = listing.labels, tuple(listing.files)
        self._listing = listing
        self._states = _file_states(root, listing)
        if not self.ids:
            raise InputError(f"{root}: the lists of {self.name} name no photo of the split {split!r}; fetch them again")
        if crop:
            self._check_boxes()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self.ids))[index]
        id_, listing = self.ids[index], self._listing
        image = read_photo(self.root / listing.files[id_])
        boxes, landmarks = {}, {}
        if id_ in listing.boxes:
            boxes = {listing.boxes[id_].label: box_inside(listing.boxes[id_], image.shape)}
        if id_ in listing.landmarks:
            landmarks = landmarks_of(listing.landmarks[id_], image.shape)
        if self.crop:
            image, boxes, landmarks = cropped(image, boxes, landmarks)
        return Sample(
            image=image, id=id_, labels=self._labels_of(index), boxes=boxes, landmarks=landmarks,
            product=listing.products.get(id_), domain=listing.domains.get(id_),
        )  # fmt: skip

    def targets(self) -> Float[np.ndarray, "photos labels"] | None:
        """The tags of the whole split, without opening a photo; None where the data set has none."""
        targets = self._listing.targets
        return None if targets is None else np.asarray(targets, dtype=np.float32)

    def fingerprint(self) -> str:
        """Changes when a photo (size or time of change) or what the lists say of it does."""
        listing = self._listing
        digest = hashlib.sha256(repr((VERSION, self.name, self.split, self.crop, self.labels)).encode())
        for id_, state in zip(self.ids, self._states, strict=True):
            said = (id_, state, listing.products.get(id_), listing.domains.get(id_))
            box = listing.boxes[id_].values if id_ in listing.boxes else None
            points = listing.landmarks[id_].values.tobytes() if id_ in listing.landmarks else None
            digest.update(repr((said, box, points)).encode("utf-8", "surrogateescape"))
        if listing.targets is not None:
            digest.update(np.packbits(listing.targets).tobytes())
        return digest.hexdigest()[:12]

    def _labels_of(self, index: int) -> Float[np.ndarray, " labels"] | None:
        targets = self._listing.targets
        return None if targets is None else np.asarray(targets[index], dtype=np.float32)

    def _check_boxes(self) -> None:
        for id_ in self.ids:
            if id_ not in self._listing.boxes:
                raise InputError(f"{self._listing.where[id_]}: no box for this photo; add it or leave crop off")


def checked_split(name: str, split: str, splits: Sequence[str]) -> str:
    """`split` without the prefix that the wardrobe's retrieval splits carry ("inshop_query" is "query")."""
    short = split.removeprefix(f"{name.removeprefix('deepfashion_')}_")
    if short not in splits:
        raise InputError(f"{name} has no split {split!r}: choose one of {', '.join(splits)}")
    return short


def existing_root(root: str | Path, hint: str) -> Path:
    """The folder as a path. Raises InputError with the hint where there is none."""
    if not Path(root).is_dir():
        raise InputError(f"{root}: no such folder; {hint}")
    return Path(root)


def box_inside(row: BoxRow, shape: tuple[int, ...]) -> Box:
    """The box in pixels from 0, ends exclusive, cut at the edges of a photo of `shape` (height, width, …).

    Raises InputError where nothing of the photo is left in it.
    """
    x1, y1, x2, y2 = row.values
    left, top, right, bottom = max(x1 - 1, 0), max(y1 - 1, 0), min(x2, shape[1]), min(y2, shape[0])
    if left >= right or top >= bottom:
        raise InputError(f"{row.where}: the box {x1} {y1} {x2} {y2} holds nothing of its photo, {shape[1]} wide and "
                         f"{shape[0]} high; correct the row")  # fmt: skip
    return (float(left), float(top), float(right), float(bottom))


def landmarks_of(row: PointsRow, shape: tuple[int, ...]) -> dict[str, Landmark]:
    """By name, x, y (pixels from 0) and whether it is seen; points that are cut off have no place and are left out."""
    found = {}
    for name, (state, x, y) in zip(row.names, row.values.tolist(), strict=True):
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


def _file_states(root: Path, listing: Listing) -> list[tuple[int, int]]:
    """Size and time of change of every photo, one look at each."""
    states, lost = [], []
    folders: dict[str, bool] = {}
    for id_, name in listing.files.items():
        try:
            state = photo_state(root, name, listing.where[id_], folders)
            states.append((state.st_size, state.st_mtime_ns))
        except FileNotFoundError:
            lost.append(id_)
    if lost:
        more = f" (as are {len(lost) - 1:,} others)" if len(lost) > 1 else ""
        raise InputError(f"{listing.where[lost[0]]}: {root / listing.files[lost[0]]} is listed but missing{more}; "
                         "unpack the photos again")  # fmt: skip
    return states


def photo_state(root: Path, name: str, where: str, folders: dict[str, bool]) -> os.stat_result:
    """The state of the photo `name` below `root`, which `where` lists.

    folders: for each folder met, whether it is inside; filled here, to be handed on from photo to photo.

    Raises FileNotFoundError where there is none and InputError where a link leads out of the root.
    """
    path = os.path.join(root, name)
    try:
        state = os.lstat(path)
    except (OSError, ValueError) as error:  # a folder that is a file, a name too long
        raise FileNotFoundError(path) from error
    is_link = stat.S_ISLNK(state.st_mode)
    inside = _is_inside(os.path.dirname(path), root, folders)
    if not inside or (is_link and not stays_inside(Path(path), root)):
        raise InputError(f"{where}: {path} is a link that leads out of {root}; put the photo itself there")
    state = os.stat(path) if is_link else state
    if not stat.S_ISREG(state.st_mode):
        raise FileNotFoundError(path)
    return state


def _is_inside(folder: str, root: Path, folders: dict[str, bool]) -> bool:
    """Whether a folder at or below `root` lies inside it; only a link can lead out, so only links are followed."""
    if folder not in folders:
        at_root = folder == os.fspath(root) or folder == os.path.dirname(folder)
        folders[folder] = at_root or (
            _is_inside(os.path.dirname(folder), root, folders)
            and (not os.path.islink(folder) or stays_inside(Path(folder), root))
        )
    return folders[folder]
