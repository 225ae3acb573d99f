"""How a ledger entry is named in a page's source, found by the page, and worded on it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from docutils import nodes
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from fashionlib.core import names
from fashionlib.core.errors import InputError
from fashionlib.ledger import ledger as results
from fashionlib.ledger.ledger import Entry


@dataclass(frozen=True)
class Number:
    """What a page asks of the ledger: `[profile:]experiment/method/metric[|option…]`.

    Options: `interval`, `points` (times 100), `percent`, `digits=…` (of a value that is no score: significant ones),
    `protocol=…`, `dataset=…` and `split=…` where several entries have the name, `field=…` for another field of the
    entry, such as seconds or n, and `optional` for a number that a run may lack.
    """

    profile: str
    experiment: str
    method: str
    metric: str
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str, current: str) -> Number:
        """Raises InputError where `text` is not of that form."""
        place, *options = (part.strip() for part in text.split("|"))
        profile, _, path = place.rpartition(":")
        names = path.split("/")
        chosen = {name: value for name, _, value in (option.partition("=") for option in options)}
        unknown = chosen.keys() - {
            "interval", "points", "percent", "digits", "protocol", "dataset", "split", "field", "optional"
        }  # fmt: skip
        if len(names) != 3 or not all(names) or unknown:
            raise InputError(
                f"'{text}' does not name a number; expected [profile:]experiment/method/metric, then any of "
                "|interval |points |percent |digits=… |protocol=… |dataset=… |split=… |field=… |optional"
            )
        return cls(profile or current, *names, options=chosen)


def with_gains(found: Sequence[Entry]) -> list[Entry]:
    """The entries, and each paired difference as an entry of its own, named `<metric>_gain`."""
    named = {(entry.method, entry.metric) for entry in found}
    gains = []
    for entry in found:
        metric = f"{entry.metric}_gain"
        if entry.versus and "value" in entry.versus and (entry.method, metric) not in named:
            interval = {name: entry.versus.get(name) for name in ("value", "low", "high")}
            gains.append(replace(entry, metric=metric, **interval))
    return [*found, *gains]


def shown(entry: Entry, points: bool = False) -> str:
    """The value with three decimals, or in points with one; a difference carries its sign."""
    plus = "+" if entry.metric.endswith("_gain") or "_over_" in entry.metric else ""
    text = f"{entry.value * 100:{plus}.1f} points" if points else f"{entry.value:{plus}.3f}"
    return text.replace("-", "−")


def rounded(entry: Entry, digits: str) -> str:
    """The value with so many significant digits, thousands apart. Raises InputError where that is no number."""
    if not digits.isdigit() or int(digits) < 1:
        raise InputError(f"digits={digits}: expected how many significant digits are shown, such as 2")
    value = float(f"{entry.value:.{digits}g}")
    places = max(0, int(digits) - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{places}f}".replace("-", "−").replace(",", "\u202f")


def interval(entry: Entry, points: bool = False) -> str:
    """The 95% interval, or nothing where none was made."""
    if entry.low is None or entry.high is None:
        return ""
    ends = [f"{end * 100:.1f}" if points else f"{end:.3f}" for end in (entry.low, entry.high)]
    return (" to " if entry.low < 0 else "–").join(ends).replace("-", "−")


def duration(seconds: float) -> str:
    """Wall time as a reader says it: 40 s, 3 min, 1.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def field(entry: Entry, name: str) -> str:
    value = getattr(entry, name, None)
    if value is None:
        raise InputError(f"the entry {entry.experiment}/{entry.method}/{entry.metric} has no field '{name}'")
    if name == "seconds":
        return duration(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def provenance(entry: Entry) -> str:
    """One line on where a number comes from, for the hover and below tables."""
    limits = f", 95% interval {interval(entry)}" if entry.low is not None else ""
    seeds = f"seed{'s' * (len(entry.seeds) > 1)} {field(entry, 'seeds')}"
    return (
        f"{names.metric(entry.metric)} of {names.method(entry.method)}: {shown(entry)}{limits}; "
        f"profile {entry.profile}, data {names.dataset(entry.dataset)} ({entry.split}, n = {entry.n}), "
        f"protocol {entry.protocol}, {seeds}, {entry.device}, {duration(entry.seconds)}, commit {entry.commit}"
    )


def verdict(differences: Sequence[Entry]) -> str:
    """What the 95% intervals of paired differences say together.

    "reproduced": all lie above zero; "partly": some do; "contradicted": none does, and some lie wholly below zero;
    "not reproduced": all include zero.
    """
    signs = [sign(difference) for difference in differences]
    if 1 in signs:
        return "reproduced" if set(signs) == {1} else "partly"
    return "contradicted" if -1 in signs else "not reproduced"


def sign(difference: Entry) -> int:
    """1 where the 95% interval lies above zero, −1 where it lies below, 0 where it includes zero or there is none."""
    if difference.low is not None and difference.low > 0:
        return 1
    return -1 if difference.high is not None and difference.high < 0 else 0


def entries(env: BuildEnvironment, profile: str, experiment: str) -> list[Entry]:
    """The run's entries, its paired differences among them.

    The page being read is noted to depend on the run's file. Raises InputError when there is no such run.
    """
    env.note_dependency(str(_file(env, profile, experiment)))
    return with_gains(results.read(Path(env.srcdir) / env.config.fashionlib_root, profile, experiment))


def _file(env: BuildEnvironment, profile: str, experiment: str) -> Path:
    return (Path(env.srcdir) / env.config.fashionlib_root / "results" / profile / f"{experiment}.json").resolve()


def find(env: BuildEnvironment, number: Number) -> Entry:
    wanted = {"method": number.method, "metric": number.metric}
    wanted |= {name: number.options[name] for name in ("protocol", "dataset", "split") if name in number.options}
    return results.find(entries(env, number.profile, number.experiment), **wanted)


def has(env: BuildEnvironment, number: Number) -> bool:
    """Whether the run was made and holds this number."""
    if not made(env, number.profile, [number.experiment]):
        return False
    found = entries(env, number.profile, number.experiment)
    return any((entry.method, entry.metric) == (number.method, number.metric) for entry in found)


def published(env: BuildEnvironment) -> list[dict[str, str]]:
    """The rows of the tracked copy of published numbers: dataset, task, method, metric, value, source."""
    path = Path(env.srcdir) / "published.csv"
    env.note_dependency(str(path))
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def made(env: BuildEnvironment, profile: str, experiments: Sequence[str]) -> bool:
    """Whether every one of these runs is in the ledger; the page is read again when that changes."""
    files = [_file(env, profile, experiment) for experiment in experiments]
    for file in files:
        env.note_dependency(str(file))
    return all(file.is_file() for file in files)


@contextmanager
def build_errors(env: BuildEnvironment) -> Iterator[None]:
    """Turn an InputError into the end of the build, with the page's name."""
    try:
        yield
    except InputError as error:
        raise ExtensionError(f"{env.docname}: {error}") from None


def hover(entry: Entry, text: str) -> nodes.Node:
    return nodes.abbreviation("", text, explanation=provenance(entry), classes=["ledger"])
