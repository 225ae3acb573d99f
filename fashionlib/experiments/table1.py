"""Table 1: how well each method tags the test photos."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from fashionlib.data.base import split_hash
from fashionlib.data.store import Photos
from fashionlib.experiments.methods import fit, inputs_of, photos_of, prior_scores, training_seconds
from fashionlib.experiments.profile import Profile, project_root
from fashionlib.ledger.ledger import Entry, entry, write, write_scores
from fashionlib.metrics.bootstrap import mean_interval
from fashionlib.metrics.tagging import average_precision_all, mean_average_precision, top_k_assignments
from fashionlib.training.loop import predict

RIVAL = "whole"  # every other method is compared with it, photo by photo
# some are compared with others, too: ours with what cannot look, cleaned labels with uncleaned, triplets with pairs
OTHERS = {
    "parser": ("fixed", "fixed-learned", "csra"), "triplet": ("siamese",),
    "veit": ("inoue-baseline", "veit-uncleaned"), "inoue": ("inoue-baseline", "veit-uncleaned"),
}  # fmt: skip
TOP = 6  # [P]: "we assign top 6 highest-ranked labels to the image"

METRICS = {
    "ap_all": ("AP of all (photo, label) pairs, on scores", average_precision_all, False),
    "map": ("mean over labels of AP, on scores", mean_average_precision, False),
    "ap_all_top6": ("AP of all pairs, on the 6 highest labels a photo as 0 or 1", average_precision_all, True),
    "map_top6": ("mean over labels of AP, on the 6 highest labels a photo as 0 or 1", mean_average_precision, True),
}


def table1(profile: Profile) -> list[Entry]:
    """Train what is not trained, score the test photos, write each method's scores.npz and the ledger's table1.json."""
    tests = {seed: photos_of(profile, "test", seed) for seed in profile.seeds}
    scores, seconds = {}, {}
    for method in profile.methods:
        started = time.perf_counter()
        scores[method] = [_scores(profile, method, seed, tests[seed]) for seed in profile.seeds]
        trained = sum(training_seconds(profile, method, seed) for seed in profile.seeds)
        seconds[method] = max(time.perf_counter() - started, trained)
    entries = [
        _entry(profile, method, metric, scores, list(tests.values()), seconds[method])
        for method in profile.methods
        for metric in METRICS
    ]
    entries += [
        _difference(profile, metric, method, other, scores, list(tests.values()), seconds[method])
        for method, others in OTHERS.items()
        for other in others
        for metric in ("ap_all", "map")
        if {method, other} <= scores.keys()
    ]
    write(entries, project_root(), profile.name, "table1")
    return entries


def _scores(profile: Profile, method: str, seed: int, test: Photos) -> np.ndarray:
    if profile.method(method).kind == "prior":
        scores = prior_scores(photos_of(profile, "train", seed).tags, len(test))
    else:
        mirror = profile.training_of(method).mirror_test
        scores = predict(fit(profile, method, seed), inputs_of(profile, test), mirror=mirror).scores
    folder = project_root() / "runs" / profile.name / "table1" / method
    if len(profile.seeds) > 1:
        folder = folder / f"seed-{seed}"
    write_scores(folder, scores, test.targets, test.ids, test.labels)
    return scores


def _entry(
    profile: Profile, method: str, metric: str, scores: dict[str, list[np.ndarray]], tests: Sequence[Photos],
    seconds: float,
) -> Entry:  # fmt: skip
    protocol, statistic, assigned = METRICS[metric]
    shape = partial(top_k_assignments, k=min(TOP, len(tests[0].labels))) if assigned else np.asarray
    runs = [(shape(own), test.targets) for own, test in zip(scores[method], tests, strict=True)]
    interval = mean_interval(statistic, runs, resamples=profile.resamples)
    versus = None
    if RIVAL in scores and method != RIVAL:
        rival = [(shape(other), test.targets) for other, test in zip(scores[RIVAL], tests, strict=True)]
        difference = mean_interval(statistic, runs, minus=rival, resamples=profile.resamples)
        versus = {"method": RIVAL, **asdict(difference)}
    return entry(
        experiment="table1", profile=profile.name, dataset=profile.data.name, split="test",
        split_hash=split_hash([id_ for test in tests for id_ in test.ids]), method=method, metric=metric,
        **asdict(interval), seeds=list(profile.seeds), n=len(tests[0]), protocol=protocol, seconds=seconds,
        per_seed=[float(statistic(*run)) for run in runs], versus=versus,
        counts={"labels": len(tests[0].labels)},
    )  # fmt: skip


def _difference(
    profile: Profile, metric: str, method: str, other: str, scores: dict[str, list[np.ndarray]],
    tests: Sequence[Photos], seconds: float,
) -> Entry:  # fmt: skip
    """One method minus another, photo by photo."""
    protocol, statistic, _ = METRICS[metric]
    ours, theirs = (
        [(np.asarray(own), test.targets) for own, test in zip(scores[name], tests, strict=True)]
        for name in (method, other)
    )
    gain = mean_interval(statistic, ours, minus=theirs, resamples=profile.resamples)
    return entry(
        experiment="table1", profile=profile.name, dataset=profile.data.name, split="test",
        split_hash=split_hash([id_ for test in tests for id_ in test.ids]), method=method,
        metric=f"{metric}_over_{other}", **asdict(gain), seeds=list(profile.seeds), n=len(tests[0]),
        protocol=f"paired difference to {other}: {protocol}", seconds=seconds,
        per_seed=[float(statistic(*a) - statistic(*b)) for a, b in zip(ours, theirs, strict=True)],
    )  # fmt: skip
