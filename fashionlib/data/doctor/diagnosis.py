"""What is wrong with a data set's folder, all of it at once: what `fashionlib doctor` prints.

The lists and arrays are read by the code that loads them, with a report that collects instead of one that refuses;
each photo is decoded. Nothing is changed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fashionlib.core.errors import InputError
from fashionlib.core.files import expanded, readable
from fashionlib.core.threads import in_order
from fashionlib.data.doctor.photo_check import look_at
from fashionlib.data.doctor.surveys import survey_catalogue, survey_ccp, survey_closet, survey_folder
from fashionlib.data.published import (
    deepfashion_attributes,
    deepfashion_c2s,
    deepfashion_inshop,
    fashion144k,
    fashion550k,
)
from fashionlib.data.published.listed import SLACK, VISIBLE, BoxRow, PointsRow, Survey, box_inside, photo_state
from fashionlib.data.published.lists import CHECKS, Report
from fashionlib.data.published.registry import PUBLISHED

_AHEAD = 64  # photos decoded before their turn

SURVEYS: dict[str, Callable[[Path, Report], Survey]] = {
    "ccp": survey_ccp,
    "closet": survey_closet,
    "catalogue": survey_catalogue,
    "folder": survey_folder,
    "fashion144k": fashion144k.survey,
    "fashion550k": fashion550k.survey,
    "deepfashion_inshop": deepfashion_inshop.survey,
    "deepfashion_c2s": deepfashion_c2s.survey,
    "deepfashion_attributes": deepfashion_attributes.survey,
}


class Fault(NamedTuple):
    """One thing that is wrong: what was checked, one of CHECKS, and where, what was expected and what to do."""

    check: str
    message: str


@dataclass
class Diagnosis:
    """What `examine` found.

    counts: by what was counted, the number here. Where it differs from the published one (`differing`), that is no
    fault: a part of a data set, or a miniature, is sound.
    """

    dataset: str
    root: str
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.faults

    @property
    def differing(self) -> list[str]:
        published = PUBLISHED[self.dataset].counts
        return [what for what, count in self.counts.items() if published.get(what, count) != count]

    @property
    def verdict(self) -> str:
        """One line: whether the folder can be used."""
        if self.faults:
            checks = len({fault.check for fault in self.faults})
            return f"unsound: {_many(len(self.faults), 'fault')} in {_many(checks, 'check')}; mend them first"
        if self.differing:
            return (
                f"sound, but not the published size ({', '.join(self.differing)} differ): a part of it, or a miniature"
            )
        return "sound" + (", and of the published size" if PUBLISHED[self.dataset].counts else "")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **asdict(self), "faults": [fault._asdict() for fault in self.faults], "sound": self.sound,
            "published": dict(PUBLISHED[self.dataset].counts), "verdict": self.verdict,
        }  # fmt: skip


def examine(dataset: str, root: str | Path, *, progress: Callable[[Any], Iterable] = iter) -> Diagnosis:
    """Everything that is wrong with the folder `root` as the data set `dataset`.

    progress: wraps the photos while they are looked at, such as `rich.progress.track`.

    Raises InputError for an unknown data set or a missing folder.
    """
    if dataset not in SURVEYS:
        raise InputError(f"unknown data set {dataset!r}: choose one of {', '.join(SURVEYS)}")
    root = expanded(Path(root))
    if not os.path.isdir(root):
        published = PUBLISHED[dataset]
        where = published.ask.splitlines()[0]
        raise InputError(f"{root}: no such folder; it is to hold {', '.join(published.layout)}. Where to ask: {where}")
    diagnosis = Diagnosis(dataset, str(root))

    faults: dict[Fault, None] = {}  # what two splits or lists need is read twice, and blamed once

    def report(check: str, message: str) -> None:
        faults[Fault(check, readable(message.replace("\n", " ")))] = None

    survey = SURVEYS[dataset](root, report)
    diagnosis.counts = survey.counts
    photos = survey.photos if dataset == "folder" else _listed_photos(root, survey.photos, report)
    sizes = _check_photos(root, photos, report, progress)
    for name, box in survey.boxes.items():
        _check_box(box, sizes.get(name), report)
    for name, points in survey.landmarks.items():
        if name in sizes:
            _check_landmarks(points, sizes[name], report)
    diagnosis.faults = sorted(faults, key=lambda fault: CHECKS.index(fault.check))
    return diagnosis


def _listed_photos(root: Path, photos: dict[str, str], report: Report) -> list[str]:
    """The photos that are there, inside the root; the others are reported."""
    there, lost = [], []
    folders: dict[str, bool] = {}
    for name, where in photos.items():
        try:
            photo_state(root, name, where, folders)
            there.append(name)
        except FileNotFoundError:
            lost.append(name)
        except InputError as error:
            report("paths", str(error))
    if len(lost) > 1 and len(lost) == len(photos):
        report("layout", f"{photos[lost[0]]}: {root}/{lost[0]} and all other photos are missing; unpack them")
        return there
    for name in lost:
        report("photos", f"{photos[name]}: {root}/{name} is listed but missing; unpack the photos again")
    return there


def _check_photos(
    root: Path, photos: Iterable[str], report: Report, progress: Callable[[Any], Iterable]
) -> dict[str, tuple[int, int]]:
    """Width and height of each photo that can be read; the others are reported."""
    sizes: dict[str, tuple[int, int]] = {}
    names = list(photos)
    looks = in_order(lambda name: look_at(f"{root}/{name}"), names, ahead=_AHEAD)
    for name, (size, problem) in zip(progress(names), looks, strict=True):
        if size:
            sizes[name] = size
        if problem:
            report("photos", f"{root}/{name}: {problem}")
    return sizes


def _check_box(row: BoxRow, size: tuple[int, int] | None, report: Report) -> None:
    """Whether the box is one, and within its photo (width, height), give or take a pixel."""
    x1, y1, x2, y2 = row.values
    width, height = size or (max(x1, x2, 1), max(y1, y2, 1))
    try:
        box_inside(row, (height, width))
    except InputError as error:
        report("boxes", str(error))
        return
    if size and (min(x1, y1) < 1 - SLACK or x2 > width + SLACK or y2 > height + SLACK):
        report("boxes", f"{row.where}: the box {x1} {y1} {x2} {y2} reaches out of its photo, {width} wide and {height} "
                        "high (loading cuts it off at the edge); correct the row")  # fmt: skip


def _check_landmarks(row: PointsRow, size: tuple[int, int], report: Report) -> None:
    """Whether what is said to be visible is within the photo (width, height), give or take a pixel."""
    for name, (state, x, y) in zip(row.names, row.values.tolist(), strict=True):
        inside = 1 - SLACK <= x <= size[0] + SLACK and 1 - SLACK <= y <= size[1] + SLACK
        if state == VISIBLE and not inside:
            report("landmarks", f"{row.where}: {name} at {x} {y} is marked visible, but outside its photo, {size[0]} "
                                f"wide and {size[1]} high; correct the row")  # fmt: skip
            return


def print_diagnosis(diagnosis: Diagnosis, console: Console, *, most: int = 20) -> None:
    """Two tables, the faults (at most `most` of each check; 0 prints all), where to ask, and the verdict."""
    published, faults = PUBLISHED[diagnosis.dataset], Counter(fault.check for fault in diagnosis.faults)
    console.print(Text(f"{published.title}\n{readable(diagnosis.root)}"), soft_wrap=True)
    checks = Table("check", "faults", box=None)
    for check in CHECKS:
        checks.add_row(check, str(faults[check]) if faults[check] else "none")
    counts = Table("counted", "here", "published", box=None)
    for what, count in diagnosis.counts.items():
        known = published.counts.get(what)
        counts.add_row(what, f"{count:,}", "" if known is None else f"{known:,}")
    console.print(checks, counts, sep="\n")
    for check in (check for check in CHECKS if faults[check]):
        found = [fault.message for fault in diagnosis.faults if fault.check == check]
        shown = found[:most] if most else found
        console.print(Text("\n".join(f"{check}: {message}" for message in shown)), soft_wrap=True)
        if len(shown) < len(found):
            console.print(Text(f"{check}: … and {len(found) - len(shown):,} more"))
    if faults["layout"]:
        console.print(Text("what goes where:\n" + "\n".join(f"  {line}" for line in published.layout)), soft_wrap=True)
    console.print(Text(f"where to ask: {published.ask}\nlicence: {published.licence}"), soft_wrap=True)
    console.print(Text(f"verdict: {diagnosis.verdict}"), soft_wrap=True)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
