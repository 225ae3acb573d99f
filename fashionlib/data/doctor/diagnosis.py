"""What is wrong with a data set's folder, all of it at once: what `fashionlib doctor` prints.

The lists and arrays are read by the code that loads them; each photo is decoded. Nothing is changed. What loading
refuses is a fault; what it leaves out or repairs, and says so, is a note.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fashionlib.core.errors import InputError
from fashionlib.core.files import expanded, readable
from fashionlib.core.threads import in_order
from fashionlib.data.doctor.photo_check import look_at
from fashionlib.data.doctor.surveys import read_catalogue, read_ccp, read_closet, read_folder
from fashionlib.data.published import (
    deepfashion_attributes,
    deepfashion_c2s,
    deepfashion_inshop,
    fashion144k,
    fashion550k,
)
from fashionlib.data.published.findings import CHECKS, Finding, Findings, too_many
from fashionlib.data.published.listed import (
    SLACK,
    VISIBLE,
    Boxes,
    Contents,
    Points,
    box_inside,
    check_sizes,
    collector_paused,
    no_box,
)
from fashionlib.data.published.registry import PUBLISHED

_AHEAD = 64  # photos decoded before their turn

READERS: dict[str, Callable[[Path, Findings], Contents]] = {
    "ccp": read_ccp,
    "closet": read_closet,
    "catalogue": read_catalogue,
    "folder": read_folder,
    "fashion144k": partial(fashion144k.read, others=tuple(fashion144k.TAGS)),
    "fashion550k": fashion550k.read,
    "deepfashion_inshop": deepfashion_inshop.read,
    "deepfashion_c2s": deepfashion_c2s.read,
    "deepfashion_attributes": deepfashion_attributes.read,
}


@dataclass
class Diagnosis:
    """What `examine` found.

    counts: by what was counted, the number here. Where it differs from the published one (`differing`), that is no
    fault: a part of a data set, or a miniature, is sound.
    """

    dataset: str
    root: str
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether the folder can be loaded."""
        return not self.faults

    @property
    def differing(self) -> list[str]:
        published = PUBLISHED[self.dataset].counts
        return [what for what, count in self.counts.items() if published.get(what, count) != count]

    @property
    def verdict(self) -> str:
        """One line: whether the folder can be used."""
        if self.faults:
            return f"unsound: {_many(len(self.faults), 'fault')}; mend them first"
        size = "" if not PUBLISHED[self.dataset].counts else ", and of the published size"
        if self.differing:
            size = ", but not the published size (see the counts): a part of it, or a miniature"
        notes = f", with {_many(len(self.notes), 'note')} on what is left out or repaired" if self.notes else ""
        return f"{'usable' if self.notes else 'sound'}{notes}{size}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {kind: [{**asdict(one), "message": one.message} for one in getattr(self, kind)]
                 for kind in ("faults", "notes")}  # fmt: skip
        published = dict(PUBLISHED[self.dataset].counts)
        return {**asdict(self), **found, "sound": self.sound, "published": published, "verdict": self.verdict}


def examine(dataset: str, root: str | Path, *, progress: Callable[[Any], Iterable] = iter) -> Diagnosis:
    """Everything that is wrong with the folder `root` as the data set `dataset`.

    progress: wraps the photos while they are looked at, such as `rich.progress.track`.

    Raises InputError for an unknown data set or a missing folder.
    """
    if dataset not in READERS:
        raise InputError(f"unknown data set {dataset!r}: choose one of {', '.join(READERS)}")
    root = expanded(Path(root))
    if not os.path.isdir(root):
        published = PUBLISHED[dataset]
        where = published.ask.splitlines()[0]
        raise InputError(f"{root}: no such folder; it is to hold {', '.join(published.layout)}. Where to ask: {where}")
    found = Findings()
    with collector_paused():
        contents = READERS[dataset](root, found)
    check_sizes(root, contents, found.lenient)
    sizes = _check_photos(root, contents, found, progress, dataset)
    if contents.boxes:
        _check_boxes(contents.boxes, sizes, found)
    if contents.points:
        _check_landmarks(contents.points, sizes, found)
    order = [sorted(some, key=lambda one: CHECKS.index(one.check)) for some in (found.faults, found.notes)]
    return Diagnosis(dataset, str(root), contents.counts, *order)


def _check_photos(
    root: Path, contents: Contents, found: Findings, progress: Callable[[Any], Iterable], dataset: str
) -> np.ndarray:
    """Width and height of each photo that has a header, else 0; damaged photos are reported.

    Loading leaves out any number of a folder's photos but all, some of a set's of the paper, and none of another's.
    """
    sizes = np.zeros((len(contents.files), 2), dtype=np.int64)
    problems: dict[int, str] = {}
    rows = [row for row, file in enumerate(contents.files) if file is not None]
    looks = in_order(lambda row: look_at(f"{root}/{contents.files[row]}"), rows, ahead=_AHEAD)
    for row, (size, problem) in zip(progress(rows), looks, strict=True):
        if size:
            sizes[row] = size
        if problem:
            problems[row] = problem
    damaged = np.isin(np.arange(len(sizes)), list(problems))
    splits = contents.splits or {"all": np.arange(len(sizes))}
    lost = {split: (int(damaged[rows].sum()), len(rows)) for split, rows in splits.items()}
    published = dataset.startswith(("fashion", "deepfashion"))
    refused = int.__eq__ if dataset == "folder" else too_many if published else lambda bad, _: bad > 0
    fatal = next((split for split, (bad, photos) in lost.items() if photos and refused(bad, photos)), None)
    what = f"too many of {fatal!r}, {lost[fatal][0]:,} of {lost[fatal][1]:,}" if fatal else "left out"
    for row, problem in problems.items():
        kind, _, why = problem.split(";")[0].partition(" (")
        found.add("photos", root, f"{kind}{{}}; {what}", contents.files[row], f" ({why}" if why else "",
                  fatal=fatal is not None)  # fmt: skip
    return sizes


def _check_boxes(boxes: Boxes, sizes: np.ndarray, found: Findings) -> None:
    """Whether each box is one, and within its photo (width, height), give or take a pixel."""
    known = (boxes.lines > 0) & (sizes[:, 0] > 0)
    reaches_out = (boxes.values[:, :2] < 1 - SLACK).any(1) | (boxes.values[:, 2:] > sizes + SLACK).any(1)
    for row in np.flatnonzero(known & reaches_out):
        width, height = sizes[row].tolist()
        if box_inside(boxes.values[row], (height, width)) is None:
            about = no_box(boxes, int(row), (height, width)).split(": ", 1)[1].split(";")[0]
            found.lenient("boxes", boxes.path, "a box holds nothing of its photo (left out): {}",
                          int(boxes.lines[row]), about)  # fmt: skip
            continue
        shown = " ".join(map(str, boxes.values[row]))
        found.lenient("boxes", boxes.path, "a box reaches out of its photo (cut off at the edge): {}",
                      int(boxes.lines[row]), f"{shown} in {width}×{height}")  # fmt: skip


def _check_landmarks(points: Points, sizes: np.ndarray, found: Findings) -> None:
    """Whether what is said to be visible is within the photo (width, height), give or take a pixel."""
    places = points.values[..., 1:]
    outside = ((places < 1 - SLACK) | (places > sizes[:, None] + SLACK)).any(-1) & (points.values[..., 0] == VISIBLE)
    known = (points.lines > 0) & (sizes[:, 0] > 0)
    for row in np.flatnonzero(known & outside.any(1)):
        x, y = places[row][outside[row]][0]
        found.lenient("landmarks", points.path, "a landmark is marked visible, but outside its photo (taken as not "
                      "seen): {}", int(points.lines[row]), f"{x} {y} in {sizes[row, 0]}×{sizes[row, 1]}")  # fmt: skip


def print_diagnosis(diagnosis: Diagnosis, console: Console, *, limit: int = 20) -> None:
    """Two tables, every cause with up to `limit` places (0 prints all), where to ask, and the verdict."""
    published = PUBLISHED[diagnosis.dataset]
    faults, notes = (Counter(one.check for one in some) for some in (diagnosis.faults, diagnosis.notes))
    console.print(Text(f"{published.title}\n{readable(diagnosis.root)}"), soft_wrap=True)
    checks = Table("check", "faults", "notes", box=None)
    for check in CHECKS:
        checks.add_row(check, str(faults[check] or "none"), str(notes[check] or "none"))
    counts = Table("counted", "here", "published", box=None)
    for what, count in diagnosis.counts.items():
        known = published.counts.get(what)
        counts.add_row(what, f"{count:,}", "" if known is None else f"{known:,}")
    console.print(checks, counts, sep="\n")
    for kind, some in (("fault", diagnosis.faults), ("note", diagnosis.notes)):
        for one in some:
            lines = [f"{kind}, {one.check}: {one.message}"]
            shown = one.places[1:] if not limit else one.places[1:limit]
            lines += [f"  {one.at(place)}" for place in shown]
            if len(one.places) > len(shown) + 1:
                lines.append(f"  … and {len(one.places) - len(shown) - 1:,} more")
            console.print(Text("\n".join(lines)), soft_wrap=True)
    if faults["layout"]:
        console.print(Text("what goes where:\n" + "\n".join(f"  {line}" for line in published.layout)), soft_wrap=True)
    console.print(Text(f"where to ask: {published.ask}\nlicence: {published.licence}"), soft_wrap=True)
    console.print(Text(f"verdict: {diagnosis.verdict}"), soft_wrap=True)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
