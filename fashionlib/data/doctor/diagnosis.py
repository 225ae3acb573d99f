"""What is wrong with a data set's folder, all of it at once: what `fashionlib doctor` prints.

The lists and arrays are read by the code that loads them; each photo is decoded. Nothing is changed. What loading
refuses is a fault; what it leaves out or repairs, and says so, is a note.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fashionlib.core.errors import InputError
from fashionlib.core.files import expanded, readable
from fashionlib.core.findings import Finding, Findings, too_many
from fashionlib.core.threads import in_order
from fashionlib.data.doctor.surveys import SURVEYS, report, size_or_fault
from fashionlib.data.published.listed import SLACK, VISIBLE, Contents, Marks, box_inside, check_sizes, no_box
from fashionlib.data.published.registry import PUBLISHED

CHECKS = ("layout", "lists", "paths", "photos", "boxes", "landmarks", "arrays", "duplicates", "splits", "annotations")
_AHEAD = 64  # photos decoded before their turn

READERS: dict[str, Callable[[Path, Findings], Contents]] = {
    name: SURVEYS[name] if name in SURVEYS else import_module(f"fashionlib.data.published.{name}").read
    for name in PUBLISHED
}


@dataclass
class Diagnosis:
    """What `examine` found.

    counts: by what was counted, the number here. Where it differs from the published one, that is no fault: a part of a
    data set, or a miniature, is sound.
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
    def verdict(self) -> str:
        """One line: whether the folder can be used."""
        faults, notes = (f"{len(some):,} {what}{'s' * (len(some) != 1)}"
                         for some, what in ((self.faults, "fault"), (self.notes, "note")))  # fmt: skip
        if self.faults:
            return f"unsound: {faults}; mend them first"
        published = PUBLISHED[self.dataset].counts
        size = ", and of the published size" if published else ""
        if any(published.get(what, count) != count for what, count in self.counts.items()):
            size = ", but not the published size (see the counts): a part of it, or a miniature"
        return f"usable, with {notes} on what is left out or repaired{size}" if self.notes else f"sound{size}"

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
    found, contents = Findings(), Contents([])
    try:
        contents = READERS[dataset](root, found)
    except InputError as error:
        report(found, "layout", error)
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
    """Height and width of each photo that can be read, else 0; damaged photos are reported.

    Loading leaves out any number of a folder's photos but all, some of a set's of the paper, and none of another's.
    """
    sizes, problems = np.zeros((len(contents.files), 2), dtype=np.int64), {}
    rows = [row for row, file in enumerate(contents.files) if file is not None]
    looks = in_order(lambda row: size_or_fault(f"{root}/{contents.files[row]}"), rows, ahead=_AHEAD)
    for row, (size, problem) in zip(progress(rows), looks, strict=True):
        sizes[row] = size or 0
        if problem:
            problems[row] = problem
    damaged = np.isin(np.arange(len(sizes)), list(problems))
    published = dataset.startswith(("fashion", "deepfashion"))
    refused = int.__eq__ if dataset == "folder" else too_many if published else lambda bad, _: bad > 0
    what, fatal = "left out", False
    for split, photos in (contents.splits or {"all": np.arange(len(sizes))}).items():
        bad = int(damaged[photos].sum())
        if not fatal and len(photos) and refused(bad, len(photos)):
            what, fatal = f"too many of {split!r}, {bad:,} of {len(photos):,}", True
    for row, problem in problems.items():
        kind, _, why = problem.split(";")[0].partition(" (")
        found.add("photos", root, f"{kind}{{}}; {what}", contents.files[row], f" ({why}" if why else "", fatal=fatal)
    return sizes


def _check_boxes(boxes: Marks, sizes: np.ndarray, found: Findings) -> None:
    """Whether each box is one, and within its photo (height, width), give or take a pixel."""
    outside = (boxes.values[:, :2] < 1 - SLACK).any(1) | (boxes.values[:, 2:] > sizes[:, ::-1] + SLACK).any(1)
    for row in np.flatnonzero((boxes.lines > 0) & (sizes[:, 0] > 0) & outside):
        size, values = tuple(sizes[row].tolist()), boxes.values[row]
        what, got = "reaches out of its photo (cut off at the edge)", f"{_row(values)} in {size[1]}×{size[0]}"
        if box_inside(values, size) is None:
            what = "holds nothing of its photo (left out)"
            got = no_box(boxes, int(row), size).split(": ", 1)[1].split(";")[0]
        found.lenient("boxes", boxes.path, f"a box {what}: {{}}", boxes.lines[row], got)


def _check_landmarks(points: Marks, sizes: np.ndarray, found: Findings) -> None:
    """Whether what is said to be visible is within the photo (height, width), give or take a pixel."""
    places, ends = points.values[..., 1:], sizes[:, None, ::-1]
    outside = ((places < 1 - SLACK) | (places > ends + SLACK)).any(-1) & (points.values[..., 0] == VISIBLE)
    for row in np.flatnonzero((points.lines > 0) & (sizes[:, 0] > 0) & outside.any(1)):
        found.lenient("landmarks", points.path, "a landmark is marked visible, but outside its photo (taken as not "
                      "seen): {}", points.lines[row],
                      f"{_row(places[row][outside[row]][0])} in {sizes[row, 1]}×{sizes[row, 0]}")  # fmt: skip


def _row(values: np.ndarray) -> str:
    return " ".join(map(str, values))


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
            shown = one.places[1 : limit or None]
            lines = [f"{kind}, {one.check}: {one.message}", *(f"  {one.at(place)}" for place in shown)]
            if len(one.places) > len(shown) + 1:
                lines.append(f"  … and {len(one.places) - len(shown) - 1:,} more")
            console.print(Text("\n".join(lines)), soft_wrap=True)
    if faults["layout"]:
        console.print(Text("what goes where:\n" + "\n".join(f"  {line}" for line in published.layout)), soft_wrap=True)
    console.print(Text(f"where to ask: {published.ask}\nlicence: {published.licence}"), soft_wrap=True)
    console.print(Text(f"verdict: {diagnosis.verdict}"), soft_wrap=True)
