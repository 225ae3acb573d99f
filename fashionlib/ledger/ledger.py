"""The ledger: one small JSON a run, from which the book reads every number, and the scores kept beside it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.ledger.predictions import Scores as Scores
from fashionlib.ledger.predictions import read_scores as read_scores
from fashionlib.ledger.predictions import write_scores as write_scores
from fashionlib.ledger.provenance import commit, device, versions

NAMED = 8  # entries that an error lists
_FILE_NAMES = ("experiment", "profile", "dataset", "split", "method", "metric")
_NUMBERS = ("value", "low", "high", "seconds")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+@-]*")


@dataclass(frozen=True)
class Entry:
    """One measured number.

    low, high: the 95% bootstrap interval; both None where none was made.
    n: how many images or queries the value is over; counts: other sample counts, such as the gallery's.
    protocol: the named choice that changes the number, such as "scores" or "whole_gallery".
    seconds: wall time of the run. per_seed: the value of each of `seeds`.
    versus: the paired difference against another method: {"method", "value", "low", "high"}.
    """

    experiment: str
    profile: str
    dataset: str
    split: str
    split_hash: str
    method: str
    metric: str
    value: float
    low: float | None
    high: float | None
    seeds: list[int]
    n: int
    protocol: str
    commit: str
    versions: dict[str, str]
    device: str
    seconds: float
    unit: str | None = None
    counts: dict[str, int] | None = None
    per_seed: list[float] | None = None
    versus: dict[str, Any] | None = None


def entry(**values: Any) -> Entry:
    """A checked entry; commit, versions and device are filled in where they are not given.

    Raises InputError on unknown or missing fields, numbers that are not finite, an interval that is
    upside down, and names that could not be a file's.
    """
    for name, fill in (("commit", commit), ("versions", versions), ("device", device)):
        if name not in values:
            values[name] = fill()
    return _checked(values)


def write(entries: Sequence[Entry], root: str | Path, profile: str, experiment: str) -> Path:
    """Write results/<profile>/<experiment>.json under the project's folder `root`, sorted; return its path.

    Raises InputError on no entries, entries of another run, two entries of one number, and what `entry`
    refuses.
    """
    path = _path(root, profile, experiment)
    ordered = sorted((_checked(asdict(one)) for one in entries), key=place)
    if not ordered:
        raise InputError(f"No entries for {path}: a ledger holds at least one number.")
    for one in ordered:
        if (one.profile, one.experiment) != (profile, experiment):
            raise InputError(f"An entry of {one.profile}/{one.experiment} does not belong in {path}.")
    for one, other in pairwise(ordered):
        if place(one) == place(other):
            raise InputError(f"Two entries give {words(one)}: a ledger holds each number once.")
    text = json.dumps([_row(one) for one in ordered], indent=2, allow_nan=False, ensure_ascii=False)
    with written_aside(path) as file:
        file.write(text.encode() + b"\n")
    return path


def read(root: str | Path, profile: str, experiment: str) -> list[Entry]:
    """The entries of one run.

    Raises InputError when the run has no ledger, or the ledger is not one.
    """
    path = _path(root, profile, experiment)
    if not path.is_file():
        raise InputError(f"{path} does not exist: make it with `make results PROFILE={profile}`.")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): remove it and run `make results PROFILE={profile}`.") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} is not a list of entries: remove it and run `make results PROFILE={profile}`.")
    try:
        return [_checked(row) for row in rows]
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def find(source: Sequence[Entry] | str | Path, **wanted: Any) -> Entry:
    """The one entry whose fields are as wanted: `find(entries, method="parser", metric="map")`.

    source: entries, or the project's folder, and then `profile` and `experiment` must be wanted.
    Raises InputError, naming what there is, when no entry or more than one fits.
    """
    _check_fields(wanted)
    if isinstance(source, str | Path):
        if not {"profile", "experiment"} <= wanted.keys():
            raise InputError(f"find in the folder {source} needs profile= and experiment=.")
        source = read(source, wanted["profile"], wanted["experiment"])
    found = [e for e in source if all(getattr(e, name) == value for name, value in wanted.items())]
    if len(found) != 1:
        asked = " ".join(f"{name}={value}" for name, value in wanted.items())
        near = [words(one) for one in sorted(found or source, key=place)]
        more = f"; and {len(near) - NAMED} more" if len(near) > NAMED else ""
        there = "; ".join(near[:NAMED]) + more or "nothing"
        raise InputError(f"{len(found)} ledger entries have {asked}: expected one. There is: {there}.")
    return found[0]


@dataclass(frozen=True)
class Difference:
    """What two ledgers disagree on; `old` or `new` is None where the number is missing."""

    what: str
    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.what}: {self.field} was {self.old}, is {self.new}"


def compare(old: Sequence[Entry], new: Sequence[Entry], tolerance: float = 1e-6) -> list[Difference]:
    """Where two ledgers differ: values by more than `tolerance` (absolute), other data, missing numbers."""
    before, after = {place(e): e for e in old}, {place(e): e for e in new}
    differences = []
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if one is None or other is None:
            old_value, new_value = one and one.value, other and other.value
            differences += [Difference(words(e), "value", old_value, new_value) for e in (one, other) if e]
            continue
        for name in ("split_hash", "n", "value"):
            a, b = getattr(one, name), getattr(other, name)
            if abs(a - b) > tolerance if name == "value" else a != b:
                differences.append(Difference(words(one), name, a, b))
    return differences


def _path(root: str | Path, profile: str, experiment: str) -> Path:
    for kind, name in (("profile", profile), ("experiment", experiment)):
        _check_name(name, kind)
    return Path(root) / "results" / profile / f"{experiment}.json"


def _check_name(name: Any, kind: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"The {kind} is {name!r}: expected a name of letters, digits and _ . + - @ alone.")


def _check_fields(given: Mapping[str, Any]) -> None:
    unknown = sorted(given.keys() - {field.name for field in fields(Entry)})
    if unknown:
        raise InputError(f"The ledger has no field {', '.join(unknown)}: its fields are those of results.Entry.")


def _checked(values: Mapping[str, Any]) -> Entry:
    _check_fields(values)
    missing = [f.name for f in fields(Entry) if f.default is MISSING and f.name not in values]
    if missing:
        raise InputError(f"The ledger entry lacks {', '.join(missing)}: give every field of results.Entry.")
    plain = {name: _plain(value, name) for name, value in values.items()}
    for name in _FILE_NAMES:
        _check_name(plain[name], name)
    for name in _NUMBERS:
        if plain[name] is None and name in ("low", "high"):
            continue
        if isinstance(plain[name], bool) or not isinstance(plain[name], int | float):
            raise InputError(f"The ledger's {name} is {plain[name]!r}: expected a number.")
        plain[name] = float(plain[name])
    low, high = plain["low"], plain["high"]
    if (low is None) != (high is None) or (low is not None and low > high):
        raise InputError(f"The interval is {low} to {high}: expected low <= high, or None for both.")
    # a bootstrap's interval may end just short of its own value, and no more than that
    if low is not None and not 2 * low - high - 0.1 <= plain["value"] <= 2 * high - low + 0.1:
        raise InputError(f"The value {plain['value']} lies outside its interval, {low} to {high}: run it again.")
    return Entry(**plain)


def _plain(value: Any, name: str) -> Any:
    """Python's own numbers, lists and dicts, so that JSON holds nothing else."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"The ledger's {name} is {value}: expected a finite number.")
    if isinstance(value, Mapping):
        return {str(key): _plain(part, f"{name} {key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, name) for part in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise InputError(f"The ledger's {name} is a {type(value).__name__}: expected numbers, text, lists or dicts.")


def _row(one: Entry) -> dict[str, Any]:
    optional = {field.name for field in fields(Entry) if field.default is None}
    return {name: v for name, v in asdict(one).items() if v is not None or name not in optional}


def place(one: Entry) -> tuple[Any, ...]:
    """What one number is a number of, in the order of the ledger: top2 stands before top10."""
    metric = tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", one.metric))
    return (one.profile, one.experiment, one.dataset, one.split, one.protocol, one.method, metric)


def words(one: Entry) -> str:
    """How a number is named to a person."""
    return f"{one.dataset} {one.split} {one.method} {one.metric} ({one.protocol})"
