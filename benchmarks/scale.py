"""How long the whole gallery takes, part by part, at the size of DeepFashion's in-shop test: on drawn features.

`python -m benchmarks.scale [folder]` makes 14,218 queries and 12,612 gallery photos (10 steps of 8,192
numbers, 56 labels, 6 assigned) in half precision on disk, 4.4 GB, ranks all, and compares a sample with a loop.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fashionlib.metrics.tagging import top_k_assignments
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.ranking import Ranking, rank_parts

SAMPLE = 4  # queries that the loop ranks too


@dataclass(frozen=True)
class Sizes:
    """How many of each; the defaults are DeepFashion's in-shop test, CCP's labels, and the paper's steps."""

    queries: int = 14_218
    gallery: int = 12_612
    steps: int = 10
    channels: int = 8_192
    labels: int = 56
    top: int = 6


@dataclass(frozen=True)
class Receipt:
    """seconds: for the whole ranking; cpu_seconds: of all its threads, which other work on the machine does not change;
    loop_seconds: the loop's processor time, extrapolated from the sample; peak_gb: of this process's memory.

    same: whether the loop ranked the sample as the product of matrices did; error: their largest relative difference.
    """

    seconds: float
    cpu_seconds: float
    loop_seconds: float
    peak_gb: float
    same: bool
    error: float


def scale(folder: str | Path, sizes: Sizes | None = None, k: int = 50) -> Receipt:
    """Draw features into `folder`, rank them, and rank a sample of the queries in a loop over pairs, too."""
    sizes = sizes or Sizes()
    query, gallery = (drawn(Path(folder) / f"{name}.npy", sizes, name) for name in ("queries", "gallery"))
    started, worked = time.perf_counter(), time.process_time()
    ranking = rank_parts(query, gallery, k=min(k, len(gallery)))
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    worked = time.process_time()
    loop = [looped(query, gallery, row) for row in range(min(SAMPLE, len(query)))]
    a_query = (time.process_time() - worked) / len(loop)
    same, error = _agreement(ranking, loop)
    return Receipt(seconds, cpu_seconds, a_query * len(query), peak, same, error)


def drawn(path: Path, sizes: Sizes, name: str) -> PartFeatures:
    """Features of length 1 in a file at `path`, drawn photo by photo; labels and steps beside them."""
    rng, photos = np.random.default_rng([*name.encode()]), getattr(sizes, name)
    file = np.lib.format.open_memmap(path, "w+", np.float16, (photos, sizes.steps, sizes.channels))
    for start in range(0, photos, 256):
        block = rng.standard_normal(file[start : start + 256].shape, dtype=np.float32)
        file[start : start + 256] = block / np.linalg.norm(block, axis=2, keepdims=True)
    file.flush()
    del file  # its pages are not this process's memory any more
    return PartFeatures(
        features=torch.from_numpy(np.load(path, mmap_mode="c")),  # torch wants memory it may write to
        best_step=torch.from_numpy(rng.integers(0, sizes.steps, (photos, sizes.labels))),
        assigned=torch.from_numpy(top_k_assignments(rng.random((photos, sizes.labels)), sizes.top).astype(bool)),
    )


def looped(query: PartFeatures, gallery: PartFeatures, row: int) -> np.ndarray:
    """The distances of one query to every gallery photo, pair by pair, as the released code goes about it."""
    here, there = query.features.numpy(), gallery.features.numpy()  # pyright: ignore[reportAttributeAccessIssue]
    steps, other_steps = query.best_step.numpy(), gallery.best_step.numpy()
    carried, other_carried = query.assigned.numpy(), gallery.assigned.numpy()
    distances = np.full(len(gallery), np.inf)
    for j in range(len(gallery)):
        apart = [
            np.linalg.norm(here[row, steps[row, c]].astype(np.float32) - there[j, other_steps[j, c]].astype(np.float32))
            for c in np.flatnonzero(carried[row] & other_carried[j])
        ]
        if apart:
            distances[j] = np.mean(apart)
    return distances


def _agreement(ranking: Ranking, loop: list[np.ndarray]) -> tuple[bool, float]:
    same, error = True, 0.0
    for row, distances in enumerate(loop):
        found, near = ranking.indices[row].numpy(), ranking.distances[row].numpy()
        same &= bool((found == np.argsort(distances, kind="stable")[: len(found)]).all())
        reached = np.isfinite(near)
        error = max(error, float(np.max(np.abs(near / distances[found] - 1)[reached], initial=0)))
    return same, error


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as scratch:
        print(scale(scratch))
