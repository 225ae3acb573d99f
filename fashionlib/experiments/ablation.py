"""From the paper's network to ours, one option at a time: what each gains the paper, and what ours loses without it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace

import pandas as pd

from fashionlib.core.errors import InputError
from fashionlib.experiments.methods import measure, photos_of, record, tag_scores
from fashionlib.experiments.profile import Profile
from fashionlib.experiments.table1 import ON_SCORES
from fashionlib.ledger.ledger import Entry
from fashionlib.models.tagger import HEADS

PAPER, OURS = "parser-paper", "parser"

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
    paper, ours = _options(profile, PAPER), _options(profile, OURS)
    differing = {name for name in ours if paper[name] != ours[name]}
    lost = differing - {name for names in GROUPS.values() for name in names}
    if lost:
        raise InputError(
            f"profile {profile.name}: {', '.join(sorted(lost))} differ and are in no group of the ablation"
        )
    found = {PAPER: paper, OURS: ours}
    for group, names in GROUPS.items():
        if changed := differing.intersection(names):
            found[_with(group)] = {**paper, **{name: ours[name] for name in changed}}
            found[_without(group)] = {**ours, **{name: paper[name] for name in changed}}
    trained, methods = {*asdict(profile.training)}, {}
    for method, values in found.items():
        sides = [{name: value for name, value in values.items() if (name in trained) is side} for side in (False, True)]
        methods[method] = {"kind": "parser", "head": sides[0], "training": sides[1]}
    return replace(profile, methods=methods)


def _with(group: str) -> str:
    return f"{PAPER}+{group.replace(' ', '_')}"


def _without(group: str) -> str:
    return f"{OURS}-{group.replace(' ', '_')}"


def _options(profile: Profile, method: str) -> dict:
    """All options of the method's head and training, the defaults too."""
    options = profile.method(method)
    if options.kind != "parser":
        raise InputError(f"profile {profile.name}: {method} is of kind {options.kind}, the ablation needs a parser")
    return {**asdict(HEADS["parser"][1]()), **options.head, **asdict(profile.training_of(method))}


def ablation(profile: Profile) -> list[Entry]:
    """Train every variant with every seed and write results/<profile>/ablation.json.

    versus: the paired difference, positive where ours is the better choice: to `parser-paper` for it with one group of
    ours and for ours, to ours for each variant that lacks one.
    """
    started, profile = time.perf_counter(), variants(profile)
    tests = [photos_of(profile, "test", seed) for seed in profile.seeds]
    runs = {
        method: [(tag_scores(profile, method, seed), test.targets)
                 for seed, test in zip(profile.seeds, tests, strict=True)]
        for method in profile.methods
    }  # fmt: skip
    rows = []
    for method, own in runs.items():
        versus = None if method == PAPER else (PAPER, own, runs[PAPER])
        if method != OURS and not method.startswith(PAPER):
            versus = (OURS, runs[OURS], own)
        for metric, (protocol, statistic) in ON_SCORES.items():
            found = measure(statistic, own, versus=versus, resamples=profile.resamples)
            seconds = time.perf_counter() - started
            rows.append({**found, "method": method, "metric": metric, "protocol": protocol, "seconds": seconds})
    return record(profile, "ablation", tests, rows)


def gains(entries: Sequence[Entry], metric: str = "ap_all") -> dict[str, dict[str, tuple[float, float, float]]]:
    """By group, in the order of `GROUPS`: what it gains the paper ("added") and what ours loses without it ("removed"),
    each as (value, low, high); and what all together gain, under "all together".

    Raises InputError where the entries are of no ablation.
    """
    triples = {
        one.method: (one.versus["value"], one.versus["low"], one.versus["high"])
        for one in entries if one.metric == metric and one.versus
    }  # fmt: skip
    if OURS not in triples:
        raise InputError("no entries of an ablation; run the experiment ablation first")
    found = {
        group: {"added": triples[_with(group)], "removed": triples[_without(group)]}
        for group in GROUPS if _with(group) in triples
    }  # fmt: skip
    return {**found, "all together": {"added": triples[OURS]}}


def options_table(profile: Profile) -> pd.DataFrame:
    """What each group is: its options in the paper's network and in ours, a row an option that differs."""
    paper, ours = _options(profile, PAPER), _options(profile, OURS)
    rows = [
        (group, name, str(paper[name]), str(ours[name]))
        for group, names in GROUPS.items() for name in names if paper[name] != ours[name]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "option", "paper", "ours"]).set_index("group")
