"""Fig. 3: is the same product among the k nearest gallery photos? In-shop and consumer-to-shop."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial

import numpy as np
import torch

from fashionlib.core.device import device
from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.data.augment import PLAIN
from fashionlib.data.base import split_hash
from fashionlib.data.store import Photos
from fashionlib.experiments.jobs import rankers
from fashionlib.experiments.methods import fit, inputs_of, photos_of, training_seconds
from fashionlib.experiments.profile import RETRIEVAL, Profile, project_root
from fashionlib.experiments.table1 import OTHERS, RIVAL, TOP
from fashionlib.ledger.ledger import Entry, entry, write
from fashionlib.metrics.bootstrap import Interval, mean_interval
from fashionlib.metrics.retrieval import TOP_K, first_hit_ranks, hit_rate
from fashionlib.metrics.tagging import top_k_assignments
from fashionlib.retrieval.ranking import PartFeatures, Ranking, rank_parts, rank_whole
from fashionlib.training.loop import Predictions, predict

TASKS = {f"topk_{task}": task for task in RETRIEVAL}
PROTOCOL = "whole gallery, hit@k, queries without a match count as misses; {how}"
STAND_INS = {"ccp": "garments cut out by their masks as the shop, the photos they are of, taken again, as queries; "}
HOW = {
    1: "Euclidean distance of the pooled features at length 1",
    2: "mean over labels, weighted by the geometric mean of both photos' scores, of the Euclidean distance at each "
    "label's best step",
}


def topk(profile: Profile, experiment: str) -> list[Entry]:
    """Rank the gallery for every query with every method that has features; write rankings and the ledger.

    experiment: "topk_inshop" or "topk_c2s". Raises InputError for another one, and where the profile does not look for
    products there.
    """
    if experiment not in TASKS:
        raise InputError(f"unknown experiment {experiment!r}: choose one of {', '.join(TASKS)}")
    task = TASKS[experiment]
    if task not in profile.retrieval:
        raise InputError(f"profile {profile.name} looks for no products in {task}: its data may say of no two photos "
                         "that they show the same one; where it does, add it to `retrieval`")  # fmt: skip
    where = profile.retrieving(task)
    sides = {seed: _sides(where, task, seed) for seed in profile.seeds}
    methods, hits, seconds = rankers(profile, task), {}, {}
    for method, trainer in methods.items():
        started = time.perf_counter()
        hits[method] = [_first_hits(trainer, profile, experiment, method, seed, *sides[seed]) for seed in profile.seeds]
        trained = sum(training_seconds(trainer, method, seed) for seed in profile.seeds)
        seconds[method] = max(time.perf_counter() - started, trained)
    query, gallery = sides[profile.seeds[0]]
    asked = {id_: None for both in sides.values() for side in both for id_ in side.ids}
    shared = {"experiment": experiment, "profile": profile.name, "dataset": where.data.name,
              "split": task, "split_hash": split_hash(asked),
              "seeds": list(profile.seeds), "n": len(query), "counts": {"gallery": len(gallery)}}  # fmt: skip
    entries = []
    for method, trainer in methods.items():
        protocol = _protocol(trainer, method, elsewhere=where is not profile)
        own = {**shared, "method": method, "seconds": seconds[method], "protocol": protocol}
        entries += [_entry(own, k, hits, profile.resamples) for k in TOP_K]
        others = [other for other in OTHERS.get(method, ()) if other in hits]
        entries += [_difference(own, other, hits, profile.resamples) for other in others]
    write(entries, project_root(), profile.name, experiment)
    return entries


def _protocol(trainer: Profile, method: str, elsewhere: bool) -> str:
    """elsewhere: whether products are looked for in another data set than the profile's own."""
    how = PROTOCOL.format(how=HOW[2 if trainer.method(method).kind == "parser" else 1])
    return f"{how}; trained on {trainer.data.name}" if elsewhere else STAND_INS.get(trainer.data.name, "") + how


def _sides(profile: Profile, task: str, seed: int) -> tuple[Photos, Photos]:
    """Queries and gallery: one pair for all seeds, or, where seeds draw the splits, a pair each."""
    own = seed if profile.data.seed_splits else 0
    query, gallery = (photos_of(profile, f"{task}_{side}", own) for side in ("query", "gallery"))
    return query, gallery


def _entry(shared: dict, k: int, hits: dict[str, list[np.ndarray]], resamples: int) -> Entry:
    rate, method = partial(hit_rate, k=k), shared["method"]
    interval = _interval(rate, hits[method], None, resamples)
    versus = None
    if RIVAL in hits and method != RIVAL:
        versus = {"method": RIVAL, **asdict(_interval(rate, hits[method], hits[RIVAL], resamples))}
    per_seed = [float(rate(each)) for each in hits[method]]
    return entry(**shared, metric=f"top{k}", **asdict(interval), per_seed=per_seed, versus=versus)


def _difference(shared: dict, other: str, hits: dict[str, list[np.ndarray]], resamples: int) -> Entry:
    """One method's rate among the first 20 minus another's, query by query."""
    rate, method = partial(hit_rate, k=20), shared["method"]
    gain = _interval(rate, hits[method], hits[other], resamples)
    per_seed = [float(rate(ours) - rate(theirs)) for ours, theirs in zip(hits[method], hits[other], strict=True)]
    how = f"paired difference to {other}: {shared['protocol']}"
    return entry(**{**shared, "protocol": how}, metric=f"top20_over_{other}", **asdict(gain), per_seed=per_seed)


def _interval(rate, hits: list[np.ndarray], minus: list[np.ndarray] | None, resamples: int) -> Interval:
    other = None if minus is None else [(each,) for each in minus]
    return mean_interval(rate, [(each,) for each in hits], minus=other, resamples=resamples, centre=False)


def _first_hits(
    trainer: Profile, profile: Profile, experiment: str, method: str, seed: int, query: Photos, gallery: Photos
) -> np.ndarray:
    model = fit(trainer, method, seed)
    sides = [predict(model, inputs_of(trainer, side, [PLAIN]), mirror=False) for side in (query, gallery)]
    ranking = rank(*sides, k=min(max(TOP_K), len(gallery)))
    path = project_root() / "runs" / profile.name / experiment / method / f"ranking-{seed}.npz"
    with written_aside(path) as file:
        np.savez_compressed(
            file, allow_pickle=False, indices=ranking.indices.numpy(), distances=ranking.distances.numpy(),
            query_ids=np.array(query.ids), gallery_ids=np.array(gallery.ids),
            query_products=np.array(query.products), gallery_products=np.array(gallery.products),
        )  # fmt: skip
    return first_hit_ranks(ranking.indices, np.array(query.products), np.array(gallery.products))


def rank(query: Predictions, gallery: Predictions, k: int) -> Ranking:
    """Whole image by whole image where the features are one vector a photo, part by part where they are several.

    Computed on the chosen device; the ranking comes back to the host's memory.
    """
    both = (query, gallery)
    if query.steps is None:
        vectors = [torch.from_numpy(side.features[:, 0]).to(device()) for side in both]
        found = rank_whole(*(torch.nn.functional.normalize(each, dim=1) for each in vectors), k=k)
    else:
        found = rank_parts(*(part_features(side, weighted=True).to(device()) for side in both), k=k, fallback="whole")
    return Ranking(found.indices.cpu(), found.distances.cpu())


def part_features(predictions: Predictions, top: int = TOP, *, weighted: bool = False) -> PartFeatures:
    """The features of each step, the step at which each label scores highest, and the photo's `top` labels.

    weighted: labels count by their scores, not by being among the `top` (the released code's way).
    """
    assert predictions.steps is not None, "features by part need a head that has steps"
    assigned = top_k_assignments(predictions.scores, k=min(top, predictions.scores.shape[1]))
    return PartFeatures(
        features=torch.from_numpy(predictions.features),
        best_step=torch.from_numpy(predictions.steps.argmax(1)),
        assigned=torch.from_numpy(assigned.astype(bool)),
        confidence=torch.from_numpy(predictions.scores) if weighted else None,
    )
