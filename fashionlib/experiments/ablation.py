"""From the paper's network to ours, one option at a time: what each gains the paper, and what ours loses without it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from fashionlib.core.errors import InputError
from fashionlib.data.base import split_hash
from fashionlib.experiments.methods import fit, inputs_of, photos_of
from fashionlib.experiments.profile import Profile, project_root
from fashionlib.experiments.table1 import METRICS
from fashionlib.ledger.ledger import Entry, entry, write
from fashionlib.metrics.bootstrap import mean_interval
from fashionlib.models.heads import HEADS
from fashionlib.training.loop import predict

PAPER, OURS = "parser-paper", "parser"
WANTED = ("ap_all", "map")

# options that only make sense together change together; the first word is what readers see
GROUPS = {
    "loss": ("classification",),
    "losses on boxes": ("localisation", "divergence", "pull"),
    "texture": ("texture", "reduce", "codewords", "compare"),
    "scores": ("scores_from", "cells", "score_whole", "add_whole"),
    "looking": ("look", "anchors", "steps", "prior", "pool"),
    "dropout": ("dropout",),
    "training": ("shift", "copies", "mixup", "average"),
}


def variants(profile: Profile) -> Profile:
    """The profile with `parser-paper`, `parser`, and between them, for each group of options that differs,
    `parser-paper+group` (the paper's with ours) and `parser-group` (ours with the paper's).

    Raises InputError where the profile lacks one of the two, or they differ in an option that is in no group.
    """
    paper, ours = ({**_head(profile, name), **asdict(profile.training_of(name))} for name in (PAPER, OURS))
    differing = {name for name in ours if paper[name] != ours[name]}
    lost = differing - {name for names in GROUPS.values() for name in names}
    if lost:
        raise InputError(
            f"profile {profile.name}: {', '.join(sorted(lost))} differ and are in no group of the ablation"
        )
    methods = {PAPER: _method(profile, paper), OURS: _method(profile, ours)}
    for group, names in GROUPS.items():
        changed = differing.intersection(names)
        if changed:
            methods[f"{PAPER}+{_word(group)}"] = _method(profile, {**paper, **{name: ours[name] for name in changed}})
            methods[f"{OURS}-{_word(group)}"] = _method(profile, {**ours, **{name: paper[name] for name in changed}})
    return replace(profile, methods=methods)


def _word(group: str) -> str:
    return group.replace(" ", "_")


def _head(profile: Profile, method: str) -> dict:
    """All options of the method's head, the defaults too."""
    options = profile.method(method)
    if options.kind != "parser":
        raise InputError(f"profile {profile.name}: {method} is of kind {options.kind}, the ablation needs a parser")
    return {**asdict(HEADS["parser"][1]()), **options.head}


def _method(profile: Profile, values: dict) -> dict:
    trained = asdict(profile.training)
    head = {name: value for name, value in values.items() if name not in trained}
    return {"kind": "parser", "head": head, "training": {name: values[name] for name in trained}}


def ablation(profile: Profile) -> list[Entry]:
    """Train every variant with every seed and write results/<profile>/ablation.json.

    versus: the paired difference to `parser-paper` for it with one group of ours; ours to each variant that lacks one.
    """
    started, profile = time.perf_counter(), variants(profile)
    tests = {seed: photos_of(profile, "test", seed) for seed in profile.seeds}
    runs = {method: [_run(profile, method, seed, tests[seed]) for seed in profile.seeds] for method in profile.methods}
    shared = {
        "experiment": "ablation", "profile": profile.name, "dataset": profile.data.name, "split": "test",
        "split_hash": split_hash([id_ for test in tests.values() for id_ in test.ids]), "seeds": list(profile.seeds),
        "n": len(next(iter(tests.values()))),
    }  # fmt: skip
    rows = [_row(profile, method, metric, runs) for method in runs for metric in WANTED]
    entries = [entry(**shared, **row, seconds=time.perf_counter() - started) for row in rows]
    write(entries, project_root(), profile.name, "ablation")
    return entries


def _run(profile: Profile, method: str, seed: int, test) -> tuple[np.ndarray, np.ndarray]:
    mirror = profile.training_of(method).mirror_test
    return predict(fit(profile, method, seed), inputs_of(profile, test), mirror=mirror).scores, test.targets


def _row(profile: Profile, method: str, metric: str, runs: dict) -> dict:
    protocol, statistic, _ = METRICS[metric]
    interval = mean_interval(statistic, runs[method], resamples=profile.resamples)
    return {
        "method": method, "metric": metric, "protocol": protocol, **asdict(interval),
        "per_seed": [float(statistic(*run)) for run in runs[method]],
        "versus": _versus(method, runs, statistic, profile.resamples),
    }  # fmt: skip


def _versus(method: str, runs: dict, statistic: Callable, resamples: int) -> dict | None:
    """What the group of options is worth, in points of the metric: positive where ours is the better choice."""
    if method == PAPER:
        return None
    taken = method != OURS and not method.startswith(PAPER)
    other, better, worse = (OURS, OURS, method) if taken else (PAPER, method, PAPER)
    gain = mean_interval(statistic, runs[better], minus=runs[worse], resamples=resamples)
    return {"method": other, **asdict(gain)}


def gains(entries: Sequence[Entry], metric: str = "ap_all") -> dict[str, dict[str, tuple[float, float, float]]]:
    """By group, in the order of `GROUPS`: what it gains the paper ("added") and what ours loses without it ("removed"),
    each as (value, low, high); and what all together gain, under "all together".

    Raises InputError where the entries are of no ablation.
    """
    by_method = {one.method: one.versus for one in entries if one.metric == metric and one.versus}
    if OURS not in by_method:
        raise InputError("no entries of an ablation; run the experiment ablation first")

    def triple(method: str) -> tuple[float, float, float]:
        versus = by_method[method]
        return versus["value"], versus["low"], versus["high"]

    found = {
        group: {"added": triple(f"{PAPER}+{_word(group)}"), "removed": triple(f"{OURS}-{_word(group)}")}
        for group in GROUPS
        if f"{PAPER}+{_word(group)}" in by_method
    }
    return {**found, "all together": {"added": triple(OURS)}}


def options_table(profile: Profile) -> pd.DataFrame:
    """What each group is: its options in the paper's network and in ours, a row an option that differs."""
    found, rows = variants(profile), []
    paper, ours = ({**found.method(name).head, **found.method(name).training} for name in (PAPER, OURS))
    for group, names in GROUPS.items():
        rows += [(group, name, str(paper[name]), str(ours[name])) for name in names if paper[name] != ours[name]]
    return pd.DataFrame(rows, columns=["group", "option", "paper", "ours"]).set_index("group")
