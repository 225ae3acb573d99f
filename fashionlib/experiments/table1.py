"""Table 1: how well each method tags the test photos."""

from __future__ import annotations

import time

from fashionlib.experiments.methods import OTHERS, compared, photos_of, record, seconds_since, tag_scores
from fashionlib.experiments.profile import Profile, project_root
from fashionlib.ledger.ledger import Entry, write_scores
from fashionlib.metrics.tagging import average_precision_all, mean_average_precision, top_k_assignments

TOP = 6  # [P]: "we assign top 6 highest-ranked labels to the image"
ON_SCORES = {
    "ap_all": ("AP of all (photo, label) pairs, on scores", average_precision_all),
    "map": ("mean over labels of AP, on scores", mean_average_precision),
}
ON_TOP = {
    "ap_all_top6": ("AP of all pairs, on the 6 highest labels a photo as 0 or 1", average_precision_all),
    "map_top6": ("mean over labels of AP, on the 6 highest labels a photo as 0 or 1", mean_average_precision),
}


def table1(profile: Profile) -> list[Entry]:
    """Train what is not trained, score the test photos, write each method's scores.npz and the ledger's table1.json."""
    tests = [photos_of(profile, "test", seed) for seed in profile.seeds]
    labels = len(tests[0].labels)
    on_scores, on_top, seconds, rows = {}, {}, {}, []
    for method in profile.methods:
        started = time.perf_counter()
        scores = [tag_scores(profile, method, seed) for seed in profile.seeds]
        seconds[method] = seconds_since(started, profile, method)
        folder = project_root() / "runs" / profile.name / "table1" / method
        for own, test, seed in zip(scores, tests, profile.seeds, strict=True):
            of_seed = folder / f"seed-{seed}" if len(profile.seeds) > 1 else folder
            write_scores(of_seed, own, test.targets, test.ids, test.labels)
        on_scores[method] = [(own, test.targets) for own, test in zip(scores, tests, strict=True)]
        on_top[method] = [(top_k_assignments(own, k=min(TOP, labels)), targets) for own, targets in on_scores[method]]
    for method in profile.methods:
        options = {"others": OTHERS.get(method, ()), "resamples": profile.resamples}
        found = [*compared(method, on_scores, ON_SCORES, over=[*ON_SCORES], **options),
                 *compared(method, on_top, ON_TOP, **options)]  # fmt: skip
        for row in found:
            counts = None if "_over_" in row["metric"] else {"labels": labels}
            rows.append({**row, "counts": counts, "seconds": seconds[method]})
    return record(profile, "table1", tests, rows)
