"""What is wrong with a data set's files: one entry per cause, however many rows or photos it concerns."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from fashionlib.core.errors import InputError
from fashionlib.core.files import readable

Report = Callable[..., None]  # `Findings.add`, or what `Findings.lenient` returns


@dataclass
class Finding:
    """One cause. check: what it is about, such as "boxes". file: the list, array or folder.

    places: lines of the list, or photos' names.
    fatal: the data set cannot be loaded as it is; otherwise what is concerned was left out or repaired.
    """

    check: str
    file: str
    text: str
    fatal: bool
    places: list[int | str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """One line: the first place, what was expected, what to do, and how many more there are."""
        more = f" (and {len(self.places) - 1:,} more)" if len(self.places) > 1 else ""
        where = self.at(self.places[0]) if self.places else self.file
        return readable(f"{where}: {self.text}{more}".replace("\n", " "))

    def at(self, place: int | str) -> str:
        return f"{self.file}/{place}" if isinstance(place, str) else f"{self.file}, line {place}"


class Findings:
    """Collects findings, in the order in which they come up."""

    def __init__(self) -> None:
        self._found: dict[tuple, Finding] = {}

    def add(
        self, check: str, file: str | Path | None, text: str, place: int | np.integer | str | None = None,
        got: object = "", *, fatal: bool = True,
    ) -> None:  # fmt: skip
        """Report a cause; one of the same check, file and text is another place of the same cause.

        text: `{}` in it stands for `got`, what the first place holds.
        """
        finding = self._found.get((check, str(file), text))
        if finding is None:
            finding = Finding(check, str(file), text.replace("{}", str(got)), fatal)
            self._found[check, str(file), text] = finding
        if place is not None:
            finding.places.append(place if isinstance(place, str) else int(place))

    @property
    def lenient(self) -> Report:
        """`add` for what is not needed: its faults leave it out and stop nothing."""
        return partial(self.add, fatal=False)

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self._found.values() if finding.fatal]

    @property
    def notes(self) -> list[Finding]:
        return [finding for finding in self._found.values() if not finding.fatal]

    def blames(self, file: Path | None) -> bool:
        """Whether rows of this file were refused or left out: what is missing from it may have stood there."""
        told = (one for one in self._found.values() if one.fatal or one.check != "duplicates")
        return any(one.file.casefold() == str(file).casefold() for one in told)

    def settle(self, name: str) -> tuple[str, ...]:
        """Raise InputError where the data set `name` cannot be loaded; else warn of each note and return the notes."""
        faults, notes = self.faults, tuple(note.message for note in self.notes)
        if faults:
            rest = f" (`fashionlib doctor {name}` lists {len(faults) - 1} more)" if faults[1:] else ""
            raise InputError(faults[0].message + rest)
        for note in notes:
            warnings.warn(f"{name}: {note}", stacklevel=5)
        return notes


def too_many(lost: int, photos: int) -> bool:
    """Whether so many missing or damaged photos of a split are an error: more than one in 20.

    A single one is left out, too, where there are four photos or more.
    """
    return lost > max(photos // 20, int(photos >= 4))
