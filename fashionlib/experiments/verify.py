"""`fashionlib verify`: run a profile again in a clean folder, hold every number against the published ledger.

What can be demanded of a number is read off its provenance. Where this machine's processor, device, threads and
versions are those of the published run, the CPU gives the same bits, and every number has to be the same ("exact").
Anywhere else, and on any GPU, training takes another path through its roundings: a number may move by the half width of
its published 95% interval, or by `ABSOLUTE` where that is more ("tolerance"). One without an interval tells what a
trained network's steps do, and no sample stands behind it: it may move by `WITHOUT_INTERVAL`. Counts, seeds and the
hash of the split have to be equal everywhere, and a published value has to be the mean of its own seeds: one changed by
hand shows on any machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import fashionlib
from fashionlib.core.errors import InputError
from fashionlib.experiments.batch import jobs_of, ledgers_of
from fashionlib.experiments.profile import Profile, load_profile, project_root
from fashionlib.ledger import ledger as results
from fashionlib.ledger.ledger import Entry
from fashionlib.ledger.receipts import Receipt, checksum, write_receipt

ABSOLUTE = 0.02
WITHOUT_INTERVAL = 0.2  # a share of six steps moves by a sixth where one of them crosses the line
ROUNDING = 1e-9
_SOURCES = ("notebooks", "profiles")


@dataclass(frozen=True)
class Disagreement:
    """A number that did not come out again; published or measured is None where it is missing."""

    number: str
    field: str
    published: object
    measured: object
    allowed: float

    def __str__(self) -> str:
        how = f" (allowed: ±{self.allowed:.4g})" if self.allowed else ""
        return f"{self.number}: {self.field} was published as {self.published} and is {self.measured}{how}"


@dataclass(frozen=True)
class Verdict:
    """What came of comparing one ledger.

    numbers: how many entries were held against each other. largest: the largest difference of two values.
    """

    rule: str
    numbers: int
    largest: float
    disagreements: tuple[Disagreement, ...]


def verify(
    name: str, *, only: str = "", data: str = "", seeds: str = "", absolute: float = ABSOLUTE
) -> dict[str, Verdict]:
    """Run the profile `name` in a folder of its own and compare it, ledger by ledger; the receipt is stored.

    only: one notebook, or one experiment of the ledger. seeds: the published run's where not given.
    Raises InputError where nothing is published, a notebook fails, or `only` names neither.
    """
    profile = load_profile(name, data=data or None, seeds=seeds or None)
    root = project_root()
    wanted = _ledgers(profile, only)
    published = {experiment: results.read(root, profile.name, experiment) for experiment in wanted}
    first = next(iter(published.values()))[0]
    seeds = seeds or ",".join(map(str, first.seeds))
    started = time.perf_counter()
    with _clean_folder(root) as folder:
        _run(folder, name, _notebooks(profile, wanted, trained=not only), data, seeds, first.device)
        measured = {experiment: results.read(folder, profile.name, experiment) for experiment in wanted}
    seconds = time.perf_counter() - started
    verdicts = {each: compare(published[each], measured[each], absolute) for each in wanted}
    when, receipts = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M"), []
    for each, verdict in verdicts.items():
        run, differing = measured[each][0], [str(one) for one in verdict.disagreements]
        receipts.append(
            Receipt(each, checksum(root, profile.name, each), when, verdict.rule, verdict.numbers, verdict.largest,
                    differing, seconds, run.commit, run.versions, run.device)
        )  # fmt: skip
    write_receipt(root, profile.name, receipts)
    return verdicts


def compare(published: Sequence[Entry], measured: Sequence[Entry], absolute: float = ABSOLUTE) -> Verdict:
    """Every number of two ledgers of one experiment, by the rule that their provenance allows."""
    before, after = ({results.place(one): one for one in each} for each in (published, measured))
    exact = all(_same_machine(one, after[place]) for place, one in before.items() if place in after)
    found: list[Disagreement] = []
    largest = 0.0
    for place in sorted(before.keys() | after.keys()):
        old, new = before.get(place), after.get(place)
        if old is None or new is None:
            there = old or new
            assert there is not None
            values = ("not at all" if each is None else each.value for each in (old, new))
            found.append(Disagreement(results.words(there), "value", *values, allowed=0.0))
            continue
        found += _disagreements(old, new, 0.0 if exact else _allowed(old, absolute))
        found += _changed_by_hand(old)
        largest = max(largest, abs(old.value - new.value))
    return Verdict("exact" if exact else "tolerance", len(before | after), largest, tuple(found))


def _same_machine(old: Entry, new: Entry) -> bool:
    """Whether the same bits can be demanded: one CPU, the same threads, the same software."""
    known = old.versions.get("processor") not in (None, "unknown")
    same = all(new.versions.get(name) == version for name, version in old.versions.items())  # newer ones name more
    return known and same and old.device.startswith("CPU") and old.device == new.device


def _allowed(old: Entry, absolute: float) -> float:
    if old.low is None or old.high is None:
        return max(absolute, WITHOUT_INTERVAL)
    return max(absolute, (old.high - old.low) / 2)


def _changed_by_hand(old: Entry) -> Iterator[Disagreement]:
    """A published value that its own seeds do not give."""
    if old.per_seed and abs(old.value - (mean := sum(old.per_seed) / len(old.per_seed))) > ROUNDING:
        yield Disagreement(results.words(old), "value, by its own seeds,", old.value, mean, ROUNDING)


def _disagreements(old: Entry, new: Entry, allowed: float) -> Iterator[Disagreement]:
    for name in ("split_hash", "n", "seeds", "counts", "unit"):
        a, b = getattr(old, name), getattr(new, name)
        if a != b:
            yield Disagreement(results.words(old), name, a, b, 0.0)
    before, after = dict(_numbers(old)), dict(_numbers(new))
    for name in sorted(before.keys() | after.keys(), key=[*before, *after].index):
        a, b = before.get(name), after.get(name)
        if a is None or b is None or abs(a - b) > allowed:
            yield Disagreement(results.words(old), name, a, b, allowed)


def _numbers(entry: Entry) -> Iterator[tuple[str, float]]:
    """All that was measured, by name: the value, its interval, every seed's, the paired difference."""
    yield "value", entry.value
    if entry.low is not None and entry.high is not None:
        yield from (("low", entry.low), ("high", entry.high))
    yield from ((f"seed {seed}", value) for seed, value in zip(entry.seeds, entry.per_seed or (), strict=False))
    for name, value in (entry.versus or {}).items():
        if isinstance(value, int | float):
            yield f"{name} of the difference to {entry.versus['method']}", float(value)


def _ledgers(profile: Profile, only: str) -> list[str]:
    """The experiments to compare, in the batch's order."""
    here = {job.name: ledgers_of(profile, job.name) for job in jobs_of(profile) if not job.part}
    if here.get(only):
        return list(here[only])
    known = [ledger for ledgers in here.values() for ledger in ledgers]
    if only and only not in known:
        raise InputError(f"profile {profile.name} measures nothing called {only!r}: choose one of {', '.join(known)}")
    return [only] if only else known


def _notebooks(profile: Profile, wanted: Sequence[str], trained: bool) -> list[str]:
    """The notebooks that write these ledgers; before them, for a whole profile, those that train, as in the batch."""
    jobs = [job for job in jobs_of(profile) if not job.part]  # a part is verified by its own name
    training = [job.name for job in jobs if trained and job.notebook == "train"]
    return training + [job.name for job in jobs if {*ledgers_of(profile, job.name)} & {*wanted}]


@contextmanager
def _clean_folder(root: Path) -> Iterator[Path]:
    """A folder with notebooks and profiles and nothing that any run has left; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fashionlib-verify-") as place:
        for name in _SOURCES:
            shutil.copytree(root / name, Path(place) / name)
        yield Path(place)


def _run(folder: Path, name: str, notebooks: Sequence[str], data: str, seeds: str, device: str) -> None:
    """The notebooks in `folder`, one after the other, with the package as it is here and the published run's threads.

    Not by Snakemake, which would give each as many threads as this machine has.
    """
    if name.endswith((".yaml", ".yml")):
        name = str(Path(name).resolve())
    data = str(Path(data).resolve()) if data else ""
    environment = {**os.environ, "FASHIONLIB_HOME": str(folder)}
    package = str(Path(fashionlib.__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    threads = re.search(r"^CPU .*?(\d+) threads", device)
    if threads:
        environment["OMP_NUM_THREADS"] = threads[1]
        environment.setdefault("FASHIONLIB_DEVICE", "cpu")
    command = [sys.executable, "-m", "fashionlib.experiments.batch", name, f"--data={data}", f"--seeds={seeds}"]
    for notebook in notebooks:
        done = subprocess.run(
            [*command, "--only", notebook], cwd=folder, env=environment, stdout=sys.stderr, check=False
        )
        if done.returncode:
            raise InputError(f"profile {name} did not run again; the reasons stand above")
