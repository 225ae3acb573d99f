"""Which option does best on the validation photos. Test photos are not read: `python -m fashionlib.experiments.search PROFILE DATA [METHOD…]`.

A profile names the variants as its methods; seeds draw other splits than the ones whose test photos are published.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from fashionlib.bootstrap import mean_interval
from fashionlib.data.base import split_hash
from fashionlib.experiments.attention import FOLLOWS, MOVED, PROTOCOLS, looks_of
from fashionlib.experiments.table1 import METRICS
from fashionlib.health import following
from fashionlib.profiles import Profile, load_profile, project_root
from fashionlib.results import Entry, entry, read, write
from fashionlib.runs import fit, inputs_of, photos_of, prior_scores
from fashionlib.training import predict
from fashionlib.views import PLAIN

WANTED = ("ap_all", "map")


def search(profile: Profile, methods: Sequence[str] = ()) -> list[Entry]:
    """Train the methods (all, if none are named) and write what they score on the validation photos to
    results/<profile>/search.json, where what is known of others stays.

    The epoch, too, was chosen on these photos, in every method alike: the values are a little too high, the order is
    what they are for.
    """
    validation = [photos_of(profile, "val", seed) for seed in profile.seeds]
    kept = {(one.method, one.metric): one for one in _known(profile)}
    for method in methods or profile.methods:
        started = time.perf_counter()
        runs = [
            (_scores(profile, method, seed, photos), photos.targets)
            for seed, photos in zip(profile.seeds, validation, strict=True)
        ]
        seconds = time.perf_counter() - started
        for metric in WANTED:
            protocol, statistic, _ = METRICS[metric]
            interval = mean_interval(statistic, runs, resamples=profile.resamples)
            kept[method, metric] = entry(
                experiment="search", profile=profile.name, dataset=profile.data.name, split="val",
                split_hash=split_hash([id_ for photos in validation for id_ in photos.ids]), method=method, metric=metric,
                **asdict(interval), seeds=list(profile.seeds), n=len(validation[0]), protocol=protocol, seconds=seconds,
                per_seed=[float(statistic(*run)) for run in runs],
            )  # fmt: skip
            print(method, metric, *(f"{value:.4f}" for value in kept[method, metric].per_seed or []), flush=True)
        if profile.method(method).kind == "parser":
            for metric, values in _following(profile, method).items():
                kept[method, metric] = entry(
                    experiment="search", profile=profile.name, dataset=profile.data.name, split="val",
                    split_hash=split_hash([id_ for photos in validation for id_ in photos.ids]), method=method, metric=metric,
                    value=float(np.mean(values)), low=None, high=None, seeds=list(profile.seeds), n=len(validation[0]),
                    protocol=PROTOCOLS[metric], seconds=seconds, per_seed=values,
                )  # fmt: skip
                print(method, metric, *(f"{value:.4f}" for value in values), flush=True)
        write(list(kept.values()), project_root(), profile.name, "search")  # what is done is kept
    return list(kept.values())


def _known(profile: Profile) -> list[Entry]:
    path = project_root() / "results" / profile.name / "search.json"
    return read(project_root(), profile.name, "search") if path.exists() else []


def _following(profile: Profile, method: str) -> dict[str, list[float]]:
    """By metric, how far the method's steps follow photos that are moved about, for each seed."""
    slopes = []
    for seed in profile.seeds:
        still, moved = (looks_of(profile, method, seed, view, "val") for view in (PLAIN, MOVED))
        slopes.append(following(still.centres, moved.centres, MOVED.theta(still.photos.ids)))
    return {
        "follows_x": [float(slope[:, 0].mean()) for slope in slopes],
        "follows_y": [float(slope[:, 1].mean()) for slope in slopes],
        "following_steps": [float((slope >= FOLLOWS).all(1).mean()) for slope in slopes],
    }


def _scores(profile: Profile, method: str, seed: int, photos) -> np.ndarray:
    if profile.method(method).kind == "prior":
        return prior_scores(photos_of(profile, "train", seed).tags, len(photos))
    mirror = profile.training_of(method).mirror_test
    return predict(fit(profile, method, seed), inputs_of(profile, photos), mirror=mirror).scores


if __name__ == "__main__":
    search(load_profile(sys.argv[1], data=sys.argv[2]), sys.argv[3:])
