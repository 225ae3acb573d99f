"""Figs. 1 and 4 as numbers: are look-alikes found part by part more varied, and does each match something in the query?

`parts` lets the query's parts take turns, as the rows of `fashionlib.recommend` would; `together` is the one list of
`fashionlib.recommend_together`. `whole` is the nearest by the whole picture, `whole-mmr` and `whole-together` the same
re-ranked as the two by parts are; the last trusts the whole-image tagger's scores.

Each test photo is a query, all other test photos are the gallery: neither was trained on, and their tags are clean.
What matches what is read off the truth and never off a model. On the wardrobe a photo matches a part of the query when
it truly shows a garment with the same label and texture whose colour can hardly be told from the query's; on data with
tags alone, when it carries the tag.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from fashionlib.bootstrap import mean_interval
from fashionlib.data.base import split_hash
from fashionlib.data.store import Photos
from fashionlib.data.wardrobe import Wardrobe
from fashionlib.diversity import (
    alpha_ndcg_at_k,
    at_equal_relevance,
    intra_list_distance_at_k,
    mean_value,
    part_coverage_at_k,
    relevance_at_k,
)
from fashionlib.experiments.recommendation import recommender
from fashionlib.lookalikes import LEAST_SCORE, POOL, Collection, answers, parts_of, pool_of, shown_in
from fashionlib.mmr import by_turns, diversified
from fashionlib.profiles import Profile, project_root
from fashionlib.results import Entry, entry, write
from fashionlib.runs import dataset_of, photos_of
from fashionlib.together import chosen_together

K = 10
DIALS = (0.0, 0.25, 0.5, 0.75, 1.0)
DIAL = 0.5  # of the numbers without a curve
PARTS = 6
# methods with a dial, and which other each is compared with on the whole curve
DIALLED = {"parts": "whole-mmr", "together": "whole-together", "whole-mmr": "whole-mmr",
           "whole-together": "whole-together"}  # fmt: skip
HARDLY_TOLD_APART = 110  # of two colours, |red| + |green| + |blue| in 0..255: the wardrobe draws none nearer as two
METRICS = {
    f"relevance@{K}": "share of the list that matches a part of the query",
    f"part_coverage@{K}": "share of the query's parts that the list matches",
    f"alpha_ndcg@{K}": "alpha-nDCG with the query's parts as intents, alpha 0.5",
    f"intra_list@{K}": "mean distance of two photos of the list, over labels of either: 1 in one alone, ½ in both",
}
LOOKS = "same label and texture, colours nearer than 110 in RGB"
TAGS = "same tag"

Lists = dict[tuple[str, float], np.ndarray]


@dataclass(frozen=True)
class Truth:
    """What the photos truly show. carries: the labels. looks: by photo and label (texture, red, green, blue), −1 where
    it is not worn; None where only tags are known. how: the rule by which two garments match, in words.
    """

    carries: Bool[np.ndarray, "photos labels"]
    looks: Float[np.ndarray, "photos labels 4"] | None = None

    @property
    def how(self) -> str:
        return TAGS if self.looks is None else LOOKS

    def matches(self, photo: int) -> Bool[np.ndarray, "photos labels"]:
        """Which photos match this one in which label; only in labels that it carries itself."""
        both = self.carries & self.carries[photo]
        if self.looks is None:
            return both
        here = self.looks[photo]
        colour = np.abs(self.looks[..., 1:] - here[:, 1:]).sum(axis=2) < HARDLY_TOLD_APART
        return both & (self.looks[..., 0] == here[:, 0]) & colour

    def apart(self) -> Float[np.ndarray, "photos photos"]:
        """How different two photos' outfits are, 0 to 1: over the labels that either shows, a label that only one of
        them shows counts 1, one that both show in another look ½, one in the same look 0.

        With tags alone that is 1 − the tags in common / the tags of either (Jaccard).
        """
        tags = self.carries.astype(np.float64)
        common = tags @ tags.T
        alike = np.stack([self.matches(photo).sum(axis=1) for photo in range(len(tags))])
        either = tags.sum(axis=1)[:, None] + tags.sum(axis=1) - common
        return 1 - (common + alike) / 2 / np.maximum(either, 1)


def truth_of(profile: Profile, photos: Photos, seed: int) -> Truth:
    """The clean tags of the test photos, and on the wardrobe the fabric of each garment."""
    dataset, carries = dataset_of(profile, "test", seed), photos.tags > 0
    if not isinstance(dataset, Wardrobe):
        return Truth(carries)
    textures: dict[str, int] = {}
    looks = np.full((*carries.shape, 4), -1.0)
    for number in range(len(photos)):
        for product in dataset.scene(number).outfit.values():
            texture = textures.setdefault(product.fabric.texture, len(textures))
            looks[number, photos.labels.index(product.label)] = (texture, *product.fabric.colours[0])
    return Truth(carries, looks)


def diversity(profile: Profile) -> list[Entry]:
    """Measure parts, whole picture, whole picture re-ranked, and chance; write the ledgers and return their entries.

    results/<profile>/diversity.json holds each method at one setting (plain for `whole` and `random`, the dial at 0.5
    for the others), paired with `whole`, and how many times more parts are covered at equal relevance;
    diversity_curve.json holds those with a dial at every setting, each paired with its rival.
    """
    started = time.perf_counter()
    values = [_values(profile, seed) for seed in profile.seeds]
    photos = photos_of(profile, "test", profile.seeds[0])
    how = truth_of(profile, photos, profile.seeds[0]).how
    shared = {
        "profile": profile.name, "dataset": profile.data.name, "split": "test", "split_hash": split_hash(photos.ids),
        "seeds": list(profile.seeds), "n": len(values[0][f"relevance@{K}"]["random", 0.0]),
        "counts": {"gallery": len(photos) - 1}, "seconds": time.perf_counter() - started,
    }  # fmt: skip
    ask = _Asker(shared, values, how, profile.resamples)
    one = {**dict.fromkeys(DIALLED, DIAL), "whole": 0.0, "random": 0.0}
    plain = [ask.entry("diversity", (method, dial), metric, ("whole", 0.0))
             for method, dial in one.items() for metric in METRICS]  # fmt: skip
    plain += [ask.ratio(method) for method in DIALLED]
    curve = [ask.entry("diversity_curve", (method, dial), metric, (rival, dial))
             for method, rival in DIALLED.items() for dial in DIALS for metric in METRICS]  # fmt: skip
    write(plain, project_root(), profile.name, "diversity")
    write(curve, project_root(), profile.name, "diversity_curve")
    return [*plain, *curve]


@dataclass(frozen=True)
class _Asker:
    """Entries out of values[seed][metric][method, dial], one number a query."""

    shared: dict
    values: Sequence[dict[str, dict[tuple[str, float], np.ndarray]]]
    how: str
    resamples: int

    def entry(self, experiment: str, what: tuple[str, float], metric: str, rival: tuple[str, float]) -> Entry:
        runs, others = ([(seed[metric][each],) for seed in self.values] for each in (what, rival))
        interval = mean_interval(mean_value, runs, resamples=self.resamples, centre=False)
        versus = None
        if what != rival:
            difference = mean_interval(mean_value, runs, minus=others, resamples=self.resamples, centre=False)
            versus = {"method": rival[0], **asdict(difference)}
        return entry(
            **self.shared, experiment=experiment, method=what[0], metric=metric, **asdict(interval), versus=versus,
            per_seed=[mean_value(run[0]) for run in runs], protocol=self._protocol(what, METRICS[metric]),
        )  # fmt: skip

    def ratio(self, method: str) -> Entry:
        """How many times more parts than plain whole-picture look-alikes the method covers at equal relevance."""
        relevance, coverage = f"relevance@{K}", f"part_coverage@{K}"
        runs = []
        for seed in self.values:
            columns = [seed[relevance]["whole", 0.0], seed[coverage]["whole", 0.0]]
            columns += [seed[metric][method, dial] for metric in (relevance, coverage) for dial in DIALS]
            runs.append((np.stack(columns, axis=1),))
        interval = mean_interval(at_equal_relevance, runs, resamples=self.resamples, centre=False)
        return entry(
            **self.shared, experiment="diversity", method=method, metric=f"coverage_ratio@{K}", **asdict(interval),
            per_seed=[float(at_equal_relevance(run[0])) for run in runs],
            protocol="part coverage over that of `whole`, at its relevance, read off the curve of the dial; a "
            f"match: {self.how}",
        )  # fmt: skip

    def _protocol(self, what: tuple[str, float], metric: str) -> str:
        dial = f"dial {what[1]:g}; " if what[0] in DIALLED else ""
        return f"{dial}{metric}; the other test photos are the gallery; a match: {self.how}"


def _values(profile: Profile, seed: int) -> dict[str, dict[tuple[str, float], np.ndarray]]:
    """Every metric of every method at every setting, one number a query that shows a part."""
    recommend = recommender(profile, seed=seed, gallery="test")
    photos = photos_of(profile, "test", seed)
    truth = truth_of(profile, photos, seed)
    queries = np.flatnonzero(truth.carries.any(axis=1))
    lists = {**_part_lists(recommend.query, queries), **_whole_lists(recommend.whole_query, queries)}
    lists |= _together("together", recommend.query, queries)
    lists |= _together("whole-together", recommend.whole_seen, queries)
    lists["random", 0.0] = _random_lists(len(photos), queries, seed)
    found: dict[str, dict[tuple[str, float], np.ndarray]] = {metric: {} for metric in METRICS}
    apart, intents = truth.apart(), truth.carries[queries]
    gallery = np.stack([_without(truth.matches(query), query) for query in queries.tolist()])
    for what, chosen in lists.items():
        matches = np.take_along_axis(gallery, np.maximum(chosen, 0)[..., None], axis=1) & (chosen >= 0)[..., None]
        for metric, value in zip(METRICS, (
            relevance_at_k(matches, K), part_coverage_at_k(matches, intents, K), alpha_ndcg_at_k(matches, gallery, K),
            intra_list_distance_at_k(chosen, apart, K),
        ), strict=True):  # fmt: skip
            found[metric][what] = value
    return found


def _without(matches: np.ndarray, query: int) -> np.ndarray:
    """The query itself is no candidate."""
    return np.where(np.arange(len(matches))[:, None] == query, False, matches)


def _part_lists(seen: Collection, queries: np.ndarray) -> Lists:
    """One list of K a query and setting: its parts take turns, as `recommend` would show them."""
    quota = -(-K // PARTS)
    lists = {("parts", dial): np.full((len(queries), K), -1) for dial in DIALS}
    for row, query in enumerate(queries.tolist()):
        left = torch.ones(len(seen.parts), dtype=torch.bool)
        left[query] = False
        labels = parts_of(seen, query, LEAST_SCORE)[:PARTS]
        pools = [pool_of(seen, query, seen, label, left, POOL * quota) for label in labels]
        for dial in DIALS:
            rows = [pool.photos[pool.chosen(K, dial)].tolist() for pool in pools if len(pool.photos)]
            chosen = by_turns(rows, K)
            lists["parts", dial][row, : len(chosen)] = chosen
    return lists


def _whole_lists(features: Float[np.ndarray, "photos channels"], queries: np.ndarray) -> Lists:
    """The nearest by the whole picture, plain and re-ranked by the same rule at the same settings."""
    unit = torch.nn.functional.normalize(torch.from_numpy(features), dim=1)
    apart = torch.cdist(unit, unit)
    lists = {("whole-mmr", dial): np.full((len(queries), K), -1) for dial in DIALS}
    for row, query in enumerate(queries.tolist()):
        order = torch.argsort(apart[query], stable=True)
        near = order[order != query][: POOL * K]
        for dial in DIALS:
            chosen = near[diversified(apart[query, near], apart[near][:, near], K, dial)]
            lists["whole-mmr", dial][row, : len(chosen)] = chosen.numpy()
    return {**lists, ("whole", 0.0): lists["whole-mmr", 0.0]}


def _together(method: str, seen: Collection, queries: np.ndarray) -> Lists:
    """The one list for all parts; it may be shorter than K."""
    lists = {(method, dial): np.full((len(queries), K), -1) for dial in DIALS}
    for row, query in enumerate(queries.tolist()):
        left = torch.ones(len(seen.parts), dtype=torch.bool)
        left[query] = False
        labels = shown_in(seen, query, LEAST_SCORE)
        _, likely = answers(seen, query, seen, labels, left)
        for dial in DIALS:
            chosen = chosen_together(likely, torch.from_numpy(seen.scores[query, labels]), K, dial)
            lists[method, dial][row, : len(chosen)] = chosen
    return lists


def _random_lists(photos: int, queries: np.ndarray, seed: int) -> np.ndarray:
    lists = np.full((len(queries), K), -1)
    for row, query in enumerate(queries.tolist()):
        others = np.delete(np.arange(photos), query)
        chosen = np.random.default_rng([seed, query]).permutation(others)[:K]
        lists[row, : len(chosen)] = chosen
    return lists
