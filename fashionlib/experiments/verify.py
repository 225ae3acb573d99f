"""`fashionlib verify`: run a profile again in a clean folder, hold every number against the published ledger.

Where this machine's processor and packages are those that the ledger names, the CPU gives the same bits, and every
number has to be the same, whatever the ledger says of its device ("exact"). Elsewhere training takes another path
through its roundings ("tolerance"): a number may move by the half width of its published 95% interval, or by ABSOLUTE
where that is more; one without an interval, which tells what a trained network's steps do, by WITHOUT_INTERVAL. That
holds between processors of MAKERS (`quick` differed by up to 0.04 between Intel and AMD); for all others it has to be
asked for. A change by hand within it shows only where a receipt says that the ledger came out bit for bit before: it
must be the same file still. Without one, the answer says that only a tolerance was checked. What shows everywhere: a
ledger that was moved as a whole (honest differences go both ways, their mean was 0.003 at most), a value that is not
the mean of its own seeds, and other counts, seeds or photos.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

import fashionlib
from fashionlib.core.errors import InputError
from fashionlib.experiments.batch import jobs_of, ledgers_of, run
from fashionlib.experiments.profile import load_profile, project_root
from fashionlib.ledger import ledger as results
from fashionlib.ledger.ledger import Entry
from fashionlib.ledger.provenance import device, versions
from fashionlib.ledger.receipts import Receipt, checksum, read_receipt, write_receipt

ABSOLUTE = 0.02
WITHOUT_INTERVAL = 0.2  # a share of six steps moves by a sixth where one of them crosses the line
SHIFT = 0.01  # of the mean over a ledger of five numbers or more
ROUNDING = 1e-9
SINGLE = 1e-6  # of numbers near 1 in single precision: rates of few photos move by exactly the half width
MAKERS = ("AMD", "Intel")  # of the processors between which the tolerance was measured
SEVERAL = ("AMD EPYC",)  # names that stand for processors with AVX2 and with AVX512


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

    rule: "exact" or "tolerance". numbers: how many entries were held against each other. largest: the largest
    difference of two values. why: what differs between the machines, where only a tolerance could be checked.
    """

    rule: str
    numbers: int
    largest: float
    disagreements: tuple[Disagreement, ...]
    why: str = ""


def verify(
    name: str, *, only: str = "", data: str = "", seeds: str = "", absolute: float | None = None
) -> dict[str, Verdict]:
    """Run the profile `name` in a folder of its own and compare it, ledger by ledger; the receipt is stored.

    only: one notebook, or one experiment of the ledger. seeds: the published run's where not given. absolute: how far
    numbers may move where the same bits cannot be demanded; ABSOLUTE between processors of MAKERS.
    Raises InputError where nothing is published, no tolerance is known, a notebook fails, or `only` names neither.
    """
    profile = load_profile(name, data=data or None, seeds=seeds or None)
    root, jobs = project_root(), [job for job in jobs_of(profile) if not job.part]  # a part is verified by its own name
    written = {job.name: ledgers_of(profile, job.name) for job in jobs}
    known = [ledger for ledgers in written.values() for ledger in ledgers]
    if only and not written.get(only) and only not in known:
        raise InputError(f"profile {profile.name} measures nothing called {only!r}: choose one of {', '.join(known)}")
    wanted = list(written.get(only) or ([only] if only else known))
    sealed = {one.experiment: one for one in read_receipt(root, profile.name) if one.rule == "exact" and one.agrees}
    published = {experiment: results.read(root, profile.name, experiment) for experiment in wanted}
    first = next(iter(published.values()))[0]
    on_cpu = first.device.startswith("CPU")  # and then it is run again on one
    here = f"CPU ({torch.backends.cpu.get_cpu_capability()})" if on_cpu else device()
    for one in (one for entries in published.values() for one in entries):
        _rule(one, versions(), here, absolute)  # what cannot be compared is told before anything is run
    training = [job.name for job in jobs if not only and job.notebook == "train"]
    notebooks = training + [job.name for job in jobs if {*written[job.name]} & {*wanted}]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fashionlib-verify-") as place:  # with nothing that any run has left
        for source in ("notebooks", "profiles"):
            shutil.copytree(root / source, Path(place) / source)
        _run(place, name, notebooks, data, seeds or ",".join(map(str, first.seeds)), first.device)
        measured = {experiment: results.read(place, profile.name, experiment) for experiment in wanted}
    seconds = time.perf_counter() - started
    now = {each: checksum(root, profile.name, each) for each in wanted}
    verdicts = {
        each: as_sealed(compare(published[each], measured[each], absolute), sealed.get(each), now[each])
        for each in wanted
    }
    when, receipts = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M"), []
    for each, verdict in verdicts.items():
        if verdict.rule != "exact" and each in sealed:  # the older receipt says more
            continue
        run, differing = measured[each][0], [str(one) for one in verdict.disagreements]
        receipts.append(
            Receipt(each, now[each], when, verdict.rule, verdict.numbers, verdict.largest,
                    differing, seconds, run.commit, run.versions, run.device)
        )  # fmt: skip
    write_receipt(root, profile.name, receipts)
    return verdicts


def as_sealed(verdict: Verdict, receipt: Receipt | None, ledger: str) -> Verdict:
    """The verdict, and that the ledger was changed after it had come out again bit for bit.

    receipt: of that time. ledger: the file's checksum now. Where every bit is compared again, a change shows anyway.
    """
    if verdict.rule == "exact" or receipt is None or receipt.ledger == ledger:
        return verdict
    changed = Disagreement(
        f"the ledger of {receipt.experiment}", f"sha256, that came out bit for bit on {receipt.when},",
        receipt.ledger, ledger, 0.0,
    )  # fmt: skip
    return replace(verdict, disagreements=(*verdict.disagreements, changed))


def compare(published: Sequence[Entry], measured: Sequence[Entry], absolute: float | None = None) -> Verdict:
    """Every number of two ledgers of one experiment, by the rule that their provenance allows.

    Raises InputError where no tolerance is known between their machines and none is given.
    """
    before, after = ({results.sort_key(one): one for one in each} for each in (published, measured))
    found: list[Disagreement] = []
    moved: list[float] = []
    whys = []
    for place in sorted(before.keys() | after.keys()):
        old, new = before.get(place), after.get(place)
        if old is None or new is None:
            values = ("not at all" if each is None else each.value for each in (old, new))
            found.append(Disagreement(results.words(old or new), "value", *values, allowed=0.0))  # pyright: ignore[reportArgumentType]
            continue
        why, allowed = _rule(old, new.versions, new.device, absolute)
        whys += [why] * bool(why)
        found += _disagreements(old, new, allowed)
        moved.append(new.value - old.value)
    if whys and len(moved) >= 5 and abs(shift := float(np.mean(moved))) > SHIFT:
        one, words = published[0], "all numbers of the ledger together"
        found.append(Disagreement(f"{one.experiment} of {one.profile}", words, "0 apart", f"{shift:+.4f} apart", SHIFT))
    largest = max(map(abs, moved), default=0.0)
    return Verdict("tolerance" if whys else "exact", len(before | after), largest, tuple(found), next(iter(whys), ""))


def _rule(old: Entry, here: dict[str, str], device_here: str, absolute: float | None) -> tuple[str, float]:
    """Why the same bits cannot be demanded, empty where they can, and how far a value may move then.

    What the ledger says of its device opens nothing by itself: on the same processor, with the same packages, only
    another set of vector instructions does, and only where a processor's name is known to stand for both.
    """
    there, name = old.versions.get("processor", "unknown"), here.get("processor", "unknown")
    vectors = [set(re.findall(r"AVX\w*", of)) for of in (old.device, device_here)]
    other = {package: version for package, version in old.versions.items() if here.get(package) != version}
    asked = absolute is not None and not old.device.startswith("CPU")
    same = not other and name == there != "unknown" and device_here.startswith("CPU") and not asked
    if same and not (name in SEVERAL and all(vectors) and vectors[0] != vectors[1]):
        return "", 0.0
    if absolute is None and not (all(vectors) and there.startswith(MAKERS) and name.startswith(MAKERS)):
        raise InputError(
            f"{old.profile}, {old.experiment}: published on {there}, {old.device}; here is {name}, {device_here}. How "
            f"far numbers move was measured between processors of {' and '.join(MAKERS)} alone: say how far they may, "
            "such as --tolerance 0.05"
        )
    room = (old.high - old.low) / 2 if old.low is not None and old.high is not None else WITHOUT_INTERVAL
    words = [f"{package} {version} there, {here.get(package, 'none')} here" for package, version in other.items()]
    return "; ".join(words) or f"{old.device} there, {device_here} here", max(absolute or ABSOLUTE, room)


def _disagreements(old: Entry, new: Entry, allowed: float) -> Iterator[Disagreement]:
    number = results.words(old)
    for name in ("split_hash", "n", "seeds", "counts", "unit", *["device"] * (not allowed)):
        a, b = getattr(old, name), getattr(new, name)
        if a != b:
            yield Disagreement(number, name, a, b, 0.0)
    before, after = _numbers(old), _numbers(new)
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        if a is None or b is None or abs(a - b) > allowed + SINGLE * bool(allowed):
            yield Disagreement(number, name, a, b, allowed)
    if old.per_seed and abs(old.value - (mean := sum(old.per_seed) / len(old.per_seed))) > ROUNDING:
        yield Disagreement(number, "value, by its own seeds,", old.value, mean, ROUNDING)


def _numbers(entry: Entry) -> dict[str, float]:
    """All that was measured, by name: the value, its interval, every seed's, the paired difference."""
    found = {"value": entry.value, "low": entry.low, "high": entry.high}
    found |= {f"seed {seed}": value for seed, value in zip(entry.seeds, entry.per_seed or (), strict=False)}
    versus = entry.versus or {}
    found |= {
        f"{name} of the difference to {versus.get('method')}": value
        for name, value in versus.items() if isinstance(value, int | float)
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _run(folder: str, name: str, notebooks: Sequence[str], data: str, seeds: str, made_on: str) -> None:
    """The notebooks in `folder`, one after the other, with the package as it is here and the published run's threads.

    Not by Snakemake, which would give each as many threads as this machine has.
    """
    name = str(Path(name).resolve()) if name.endswith((".yaml", ".yml")) else name
    package = str(Path(fashionlib.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "FASHIONLIB_HOME": folder, "PYTHONPATH": path}
    if threads := re.search(r"^CPU .*?(\d+) threads", made_on):
        environment["OMP_NUM_THREADS"] = threads[1]
        environment.setdefault("FASHIONLIB_DEVICE", "cpu")
    options = [f"--data={Path(data).resolve() if data else ''}", f"--seeds={seeds}"]
    command = [sys.executable, "-m", "fashionlib.cli", "results", name, *options, "--only"]
    for notebook in notebooks:
        if run([*command, notebook], cwd=folder, env=environment, stdout=sys.stderr):
            raise InputError(f"profile {name} did not run again; the reasons stand above")
