"""Which option does best on validation photos; no test photo is read.

A profile names the variants as its methods, and seeds whose splits are not the published ones:
`python -m benchmarks.search PROFILE DATA [METHOD…]`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from fashionlib.data.augment import PLAIN
from fashionlib.experiments.attention import MOVED, averages, following_numbers, looks_of
from fashionlib.experiments.methods import entries_of, measure, photos_of, tag_scores
from fashionlib.experiments.profile import Profile, load_profile, project_root
from fashionlib.experiments.table1 import ON_SCORES
from fashionlib.ledger.ledger import Entry, read, write
from fashionlib.metrics.attention import following


def search(profile: Profile, methods: Sequence[str] = ()) -> list[Entry]:
    """Train the methods (all, if none are named) and write what they score on the validation photos to
    results/<profile>/search.json, where what is known of others stays.

    The epoch, too, was chosen on these photos, in every method alike: the values are a little too high, the order is
    what they are for.
    """
    kept = {(one.method, one.metric): one for one in _known(profile)}
    for method in methods or profile.methods:
        found = {one.metric: one for one in _entries(profile, method)}
        print(method, *(f"{metric} {one.value:.4f}" for metric, one in found.items()), flush=True)
        kept |= {(method, metric): one for metric, one in found.items()}
        write(list(kept.values()), project_root(), profile.name, "search")  # what is done is kept
    return list(kept.values())


def _known(profile: Profile) -> list[Entry]:
    path = project_root() / "results" / profile.name / "search.json"
    return read(project_root(), profile.name, "search") if path.exists() else []


def _entries(profile: Profile, method: str) -> list[Entry]:
    started = time.perf_counter()
    validation = [photos_of(profile, "val", seed) for seed in profile.seeds]
    runs = [
        (tag_scores(profile, method, seed, "val"), photos.targets)
        for seed, photos in zip(profile.seeds, validation, strict=True)
    ]
    rows = [
        {"metric": metric, "protocol": protocol, **measure(statistic, runs, resamples=profile.resamples)}
        for metric, (protocol, statistic) in ON_SCORES.items()
    ]
    if profile.method(method).kind == "parser":
        rows += _following(profile, method)
    shared = {"split": "val", "method": method, "seconds": time.perf_counter() - started}
    return entries_of(profile, "search", validation, rows, **shared)


def _following(profile: Profile, method: str) -> list[dict]:
    """How far the method's steps follow photos that are moved about, one row per metric."""
    numbers = []
    for seed in profile.seeds:
        still, moved = (looks_of(profile, method, seed, view, "val") for view in (PLAIN, MOVED))
        numbers.append(following_numbers(following(still.centres, moved.centres, MOVED.theta(still.photos.ids))))
    return averages(numbers)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python -m benchmarks.search PROFILE DATA [METHOD…]")
    search(load_profile(sys.argv[1], data=sys.argv[2]), sys.argv[3:])
