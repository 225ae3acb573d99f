"""The ledger: one small JSON a run, from which the book reads every number, and the scores kept beside it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.core.options import FileName, Finite, build
from fashionlib.ledger.provenance import commit, device, versions

Tags = Shaped[Any, "_images _labels"]
NAMED = 8  # entries that an error lists
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

    experiment: FileName
    profile: FileName
    dataset: FileName
    split: FileName
    split_hash: str
    method: FileName
    metric: FileName
    value: Finite
    low: Finite | None
    high: Finite | None
    seeds: list[int]
    n: int
    protocol: str
    commit: str
    versions: dict[str, str]
    device: str
    seconds: Finite
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
    ordered = sorted((_checked(asdict(one)) for one in entries), key=sort_key)
    if not ordered:
        raise InputError(f"No entries for {path}: a ledger holds at least one number.")
    for one in ordered:
        if (one.profile, one.experiment) != (profile, experiment):
            raise InputError(f"An entry of {one.profile}/{one.experiment} does not belong in {path}.")
    _refuse_repeats(ordered)
    optional = {field.name for field in fields(Entry) if field.default is None}
    rows = [{k: v for k, v in asdict(one).items() if v is not None or k not in optional} for one in ordered]
    text = json.dumps(rows, indent=2, allow_nan=False, ensure_ascii=False)
    with written_aside(path) as file:
        file.write(text.encode() + b"\n")
    return path


def read(root: str | Path, profile: str, experiment: str) -> list[Entry]:
    """The entries of one run.

    Raises InputError when the run has no ledger, or the ledger is not one.
    """
    path, command = _path(root, profile, experiment), f"`make results PROFILE={profile}`"
    if not path.is_file():
        raise InputError(f"{path} does not exist: make it with {command}.")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}): remove it and run {command}.") from None
    if not rows or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} is not a list of entries: remove it and run {command}.")
    try:
        entries = [_checked(row) for row in rows]
        _refuse_repeats(sorted(entries, key=sort_key))
        return entries
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _refuse_repeats(ordered: Sequence[Entry]) -> None:
    for one, other in pairwise(ordered):
        if sort_key(one) == sort_key(other):
            raise InputError(f"Two entries give {words(one)}: a ledger holds each number once.")


def find(entries: Sequence[Entry], **wanted: Any) -> Entry:
    """The one entry whose fields are as wanted: `find(entries, method="parser", metric="map")`.

    Raises InputError, naming what there is, when no entry or more than one fits.
    """
    if unknown := sorted(wanted.keys() - {field.name for field in fields(Entry)}):
        raise InputError(f"The ledger has no field {', '.join(unknown)}: its fields are those of Entry.")
    found = [e for e in entries if all(getattr(e, name) == value for name, value in wanted.items())]
    if len(found) != 1:
        asked = " ".join(f"{name}={value}" for name, value in wanted.items())
        near = [words(one) for one in sorted(found or entries, key=sort_key)]
        more = f"; and {len(near) - NAMED} more" if len(near) > NAMED else ""
        there = "; ".join(near[:NAMED]) + more or "nothing"
        raise InputError(f"{len(found)} ledger entries have {asked}: expected one. There is: {there}.")
    return found[0]


def _path(root: str | Path, profile: str, experiment: str) -> Path:
    for kind, name in (("profile", profile), ("experiment", experiment)):
        if not _NAME.fullmatch(name):
            raise InputError(f"The {kind} is {name!r}: expected a name of letters, digits and _ . + - @ alone.")
    return Path(root) / "results" / profile / f"{experiment}.json"


def _checked(values: Mapping[str, Any]) -> Entry:
    one = build(Entry, {name: _plain(value, name) for name, value in values.items()}, "a ledger's entry")
    low, high = one.low, one.high
    if one.per_seed is not None and len(one.per_seed) != len(one.seeds):
        raise InputError(f"{words(one)}: {len(one.per_seed)} values of {len(one.seeds)} seeds: expected one of each.")
    if (low is None) != (high is None) or (low is not None and high is not None and low > high):
        raise InputError(f"The interval is {low} to {high}: expected low <= high, or None for both.")
    # a bootstrap's interval may end just short of its own value, and no more than that
    if low is not None and high is not None and not 2 * low - high - 0.1 <= one.value <= 2 * high - low + 0.1:
        raise InputError(f"The value {one.value} lies outside its interval, {low} to {high}: run it again.")
    return one


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


def sort_key(one: Entry) -> tuple[Any, ...]:
    """Identifies a result, in the order of the ledger: top2 stands before top10."""
    metric = tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", one.metric))
    return (one.profile, one.experiment, one.dataset, one.split, one.protocol, one.method, metric)


def words(one: Entry) -> str:
    """How a number is named to a person."""
    return f"{one.dataset} {one.split} {one.method} {one.metric} ({one.protocol})"


def write_scores(folder: str | Path, scores: Tags, targets: Tags, ids: Sequence[str], labels: Sequence[str]) -> Path:
    """Write `folder`/scores.npz (scores, targets, ids, labels; no pickle), so that anyone can recompute the metrics.

    The same content gives the same bytes. Raises InputError on shapes that do not fit together, ids or
    labels that repeat, and scores that are not finite.
    """
    path = Path(folder) / "scores.npz"
    if hasattr(scores, "detach"):
        scores = scores.detach().float().cpu()  # numpy has no bfloat16
    arrays = {"scores": np.asarray(scores), "targets": np.asarray(targets)}
    names = {"ids": np.asarray(ids, dtype=np.str_), "labels": np.asarray(labels, dtype=np.str_)}
    expected = (names["ids"].size, names["labels"].size)
    for key, array in arrays.items():
        if array.shape != expected:
            raise InputError(f"{path}: {key} have shape {array.shape}; expected ids × labels, which is {expected}.")
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {key} are not all finite: look at the training run that gave them.")
    for key, array in names.items():
        if len(np.unique(array)) != array.size:
            raise InputError(f"{path}: {key} repeat: expected each once.")
    with written_aside(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays, **names)
    return path
