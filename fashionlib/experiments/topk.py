"""Fig. 3: is the same product among the k nearest gallery photos? In-shop and consumer-to-shop."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch

from fashionlib.core.device import device
from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.data.augment import PLAIN
from fashionlib.data.base import split_hash
from fashionlib.data.store import Photos
from fashionlib.experiments.methods import OTHERS, compared, fit, inputs_of, photos_of, record, seconds_since
from fashionlib.experiments.profile import Profile, project_root
from fashionlib.experiments.table1 import TOP
from fashionlib.ledger.ledger import Entry
from fashionlib.metrics.retrieval import TOP_K, first_hit_ranks, hit_rate
from fashionlib.metrics.tagging import top_k_assignments
from fashionlib.retrieval.ranking import PartFeatures, Ranking, rank_parts, rank_whole
from fashionlib.training.loop import Predictions, predict

PROTOCOL = "whole gallery, hit@k, queries without a match count as misses; {how}"
STAND_INS = {"ccp": "garments cut out by their masks as the shop, the photos they are of, taken again, as queries; "}
BY_WHOLE = "Euclidean distance of the pooled features at length 1"
BY_PARTS = (
    "mean over labels, weighted by the geometric mean of both photos' scores, of the Euclidean distance at each "
    "label's best step"
)


def topk(profile: Profile, task: str) -> list[Entry]:
    """Rank the gallery for every query with every method that has features; write rankings and results/<profile>/
    topk_<task>.json. Raises InputError where the profile looks for no products in `task` ("inshop", "c2s").
    """
    experiment = f"topk_{task}"
    if task not in profile.retrieval:
        raise InputError(f"profile {profile.name} looks for no products in {task}: its data may say of no two photos "
                         "that they show the same one; where it does, add it to `retrieval`")  # fmt: skip
    where = profile.retrieving(task)
    seeds = profile.seeds if where.data.seed_splits else [0] * len(profile.seeds)  # one pair of sides serves all seeds
    queries, galleries = ([photos_of(where, f"{task}_{side}", own) for own in seeds] for side in ("query", "gallery"))
    trainers, hits, seconds, rows = profile.rankers(task), {}, {}, []
    for method, trainer in trainers.items():
        started = time.perf_counter()
        folder = project_root() / "runs" / profile.name / experiment / method
        hits[method] = [
            (_first_hits(trainer, method, seed, query, gallery, folder / f"ranking-{seed}.npz"),)
            for seed, query, gallery in zip(profile.seeds, queries, galleries, strict=True)
        ]
        seconds[method] = seconds_since(started, trainer, method)
    for method, trainer in trainers.items():
        protocol = PROTOCOL.format(how=BY_PARTS if trainer.method(method).kind == "parser" else BY_WHOLE)
        if where is profile:
            protocol = STAND_INS.get(trainer.data.name, "") + protocol
        else:
            protocol = f"{protocol}; trained on {trainer.data.name}"
        metrics = {f"top{k}": (protocol, partial(hit_rate, k=k)) for k in TOP_K}
        found = compared(method, hits, metrics, over=["top20"], others=OTHERS.get(method, ()),
                         resamples=profile.resamples, centre=False)  # fmt: skip
        rows += [{**row, "seconds": seconds[method]} for row in found]
    asked = {id_: None for both in zip(queries, galleries, strict=True) for side in both for id_ in side.ids}
    return record(
        profile, experiment, queries, rows, dataset=where.data.name, split=task, split_hash=split_hash(asked),
        counts={"gallery": len(galleries[0])},
    )  # fmt: skip


def _first_hits(trainer: Profile, method: str, seed: int, query: Photos, gallery: Photos, path) -> np.ndarray:
    """The rank of each query's first hit; the ranking is written to `path`."""
    model = fit(trainer, method, seed)
    sides = [predict(model, inputs_of(trainer, side, [PLAIN]), mirror=False) for side in (query, gallery)]
    ranking = rank(*sides, k=min(max(TOP_K), len(gallery)))
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


def part_features(predictions: Predictions, *, weighted: bool = False) -> PartFeatures:
    """The features of each step, the step at which each label scores highest, and the photo's top labels.

    weighted: labels count by their scores, not by being among the top (the released code's way).
    """
    assert predictions.steps is not None, "features by part need a head that has steps"
    assigned = top_k_assignments(predictions.scores, k=min(TOP, predictions.scores.shape[1]))
    return PartFeatures(
        features=torch.from_numpy(predictions.features),
        best_step=torch.from_numpy(predictions.steps.argmax(1)),
        assigned=torch.from_numpy(assigned.astype(bool)),
        confidence=torch.from_numpy(predictions.scores) if weighted else None,
    )
