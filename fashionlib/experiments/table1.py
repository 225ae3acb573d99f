"""Table 1: how well each method tags the test photos."""

from __future__ import annotations

import time

from fashionlib.experiments.methods import about, measure, photos_of, tag_scores, training_seconds
from fashionlib.experiments.profile import Profile, project_root
from fashionlib.ledger.ledger import Entry, entry, write, write_scores
from fashionlib.metrics.tagging import average_precision_all, mean_average_precision, top_k_assignments

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
    tests = [photos_of(profile, "test", seed) for seed in profile.seeds]
    top = min(TOP, len(tests[0].labels))
    on_scores, on_top, seconds = {}, {}, {}
    for method in profile.methods:
        started = time.perf_counter()
        scores = [tag_scores(profile, method, seed) for seed in profile.seeds]
        trained = sum(training_seconds(profile, method, seed) for seed in profile.seeds)
        seconds[method] = max(time.perf_counter() - started, trained)
        folder = project_root() / "runs" / profile.name / "table1" / method
        for own, test, seed in zip(scores, tests, profile.seeds, strict=True):
            of_seed = folder / f"seed-{seed}" if len(profile.seeds) > 1 else folder
            write_scores(of_seed, own, test.targets, test.ids, test.labels)
        on_scores[method] = [(own, test.targets) for own, test in zip(scores, tests, strict=True)]
        on_top[method] = [(top_k_assignments(own, k=top), targets) for own, targets in on_scores[method]]
    entries, shared = [], about(profile, "table1", tests)
    for method in profile.methods:
        own = {**shared, "method": method, "seconds": seconds[method]}
        for metric, (protocol, statistic, assigned) in METRICS.items():
            runs = on_top if assigned else on_scores
            versus = (RIVAL, runs[method], runs[RIVAL]) if RIVAL in runs and method != RIVAL else None
            found = measure(statistic, runs[method], versus=versus, resamples=profile.resamples)
            counts = {"labels": len(tests[0].labels)}
            entries.append(entry(**own, **found, metric=metric, protocol=protocol, counts=counts))
        for other in (other for other in OTHERS.get(method, ()) if other in on_scores):
            for metric in ("ap_all", "map"):
                protocol, statistic, _ = METRICS[metric]
                gain = measure(statistic, on_scores[method], minus=on_scores[other], resamples=profile.resamples)
                words = f"paired difference to {other}: {protocol}"
                entries.append(entry(**own, **gain, metric=f"{metric}_over_{other}", protocol=words))
    write(entries, project_root(), profile.name, "table1")
    return entries
