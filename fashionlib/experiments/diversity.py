"""Figs. 1 and 4 as numbers: are look-alikes found part by part more varied, and does each match something in the query?

`parts` lets the query's parts take turns, as the rows of `fashionlib.recommend` would; `together` is the one list of
`fashionlib.recommend_together`. `whole` is the nearest by the whole picture, `whole-mmr` and `whole-together` the same
re-ranked as the two by parts are; the last trusts the whole-image tagger's scores.

Each test photo is a query, all other test photos are the gallery: neither was trained on, and their tags are clean.
What matches what is read off the truth and never off a model (`fashionlib.experiments.relevance`). On the wardrobe a
photo matches a part of the query when it truly shows a garment with the same label and texture whose colour can hardly
be told from the query's; on data with tags alone, when it carries the tag. Where some photos have masks, these are also
asked among themselves, and there colours must match, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fashionlib.data.base import split_hash
from fashionlib.data.ccp import CCP
from fashionlib.experiments.methods import dataset_of, photos_of
from fashionlib.experiments.profile import Profile, project_root
from fashionlib.experiments.recommend import Recommender, recommender
from fashionlib.experiments.relevance import Relevance, colours_under_masks, relevance_of
from fashionlib.ledger.ledger import Entry, entry, write
from fashionlib.metrics.bootstrap import mean_interval
from fashionlib.metrics.diversity import (
    alpha_ndcg_at_k,
    at_equal_relevance,
    intra_list_distance_at_k,
    mean_value,
    part_coverage_at_k,
    relevance_at_k,
)
from fashionlib.retrieval.mmr import by_turns, diversified
from fashionlib.retrieval.recommend import MIN_SCORE, POOL, Collection, answers, parts_of, pool_of, shown_in
from fashionlib.retrieval.xquad import chosen_together

K = 10
DIALS = (0.0, 0.25, 0.5, 0.75, 1.0)
DIAL = 0.5  # of the numbers without a curve
PARTS = 6
# methods with a dial, and which other each is compared with on the whole curve
DIALLED = {"parts": "whole-mmr", "together": "whole-together", "whole-mmr": "whole-mmr",
           "whole-together": "whole-together"}  # fmt: skip
METRICS = {
    f"relevance@{K}": "share of the list that matches a part of the query",
    f"part_coverage@{K}": "share of the query's parts that the list matches",
    f"alpha_ndcg@{K}": "alpha-nDCG with the query's parts as intents, alpha 0.5",
    f"intra_list@{K}": "mean distance of two photos of the list, over labels of either: 1 in one alone, ½ in both",
}
Lists = dict[tuple[str, float], np.ndarray]


def diversity(profile: Profile) -> list[Entry]:
    """Measure parts, whole picture, whole picture re-ranked, and chance; write the ledgers and return their entries.

    results/<profile>/diversity.json holds each method at one setting (plain for `whole` and `random`, the dial at 0.5
    for the others), paired with `whole`, and how many times more parts are covered at equal relevance;
    diversity_curve.json holds those with a dial at every setting, each paired with its rival. On CCP
    diversity_looks.json holds the same as the first, for photos with masks and matches in colour, too.
    """
    started = time.perf_counter()
    measured = [_measured(profile, seed) for seed in profile.seeds]
    ids = photos_of(profile, "test", profile.seeds[0]).ids
    written = []
    for ledger, first in measured[0].items():
        shared = {
            "profile": profile.name, "dataset": profile.data.name, "split": "test", "split_hash": split_hash(ids),
            "seeds": list(profile.seeds), "n": len(first.values[f"relevance@{K}"]["random", 0.0]),
            "counts": {"gallery": first.gallery}, "seconds": time.perf_counter() - started,
        }  # fmt: skip
        ask = _Asker(shared, [seed[ledger].values for seed in measured], first.how, first.of, profile.resamples)
        found = {ledger: ask.plain(ledger)}
        if ledger == "diversity":
            found["diversity_curve"] = ask.curve()
        for name, entries in found.items():
            write(entries, project_root(), profile.name, name)
            written += entries
    return written


@dataclass(frozen=True)
class _Measured:
    """values: every metric of every method at every setting, one number a query. how: what matched, of which photos.

    gallery: how many candidates a query has.
    """

    values: dict[str, dict[tuple[str, float], np.ndarray]]
    how: str
    of: str
    gallery: int


@dataclass(frozen=True)
class _Asker:
    """Entries out of values[seed][metric][method, dial], one number a query."""

    shared: dict
    values: Sequence[dict[str, dict[tuple[str, float], np.ndarray]]]
    how: str
    of: str
    resamples: int

    def plain(self, ledger: str) -> list[Entry]:
        """Each method at one setting, paired with the plain whole picture, and coverage at equal relevance."""
        one = {**dict.fromkeys(DIALLED, DIAL), "whole": 0.0, "random": 0.0}
        entries = [self.entry(ledger, (method, dial), metric, ("whole", 0.0))
                   for method, dial in one.items() for metric in METRICS]  # fmt: skip
        return entries + [self.ratio(ledger, method) for method in DIALLED]

    def curve(self) -> list[Entry]:
        """Each method with a dial at every setting, paired with its rival at the same."""
        return [self.entry("diversity_curve", (method, dial), metric, (rival, dial))
                for method, rival in DIALLED.items() for dial in DIALS for metric in METRICS]  # fmt: skip

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

    def ratio(self, ledger: str, method: str) -> Entry:
        """How many times more parts than plain whole-picture look-alikes the method covers at equal relevance."""
        relevance, coverage = f"relevance@{K}", f"part_coverage@{K}"
        runs = []
        for seed in self.values:
            columns = [seed[relevance]["whole", 0.0], seed[coverage]["whole", 0.0]]
            columns += [seed[metric][method, dial] for metric in (relevance, coverage) for dial in DIALS]
            runs.append((np.stack(columns, axis=1),))
        interval = mean_interval(at_equal_relevance, runs, resamples=self.resamples, centre=False)
        return entry(
            **self.shared, experiment=ledger, method=method, metric=f"coverage_ratio@{K}", **asdict(interval),
            per_seed=[float(at_equal_relevance(run[0])) for run in runs],
            protocol="part coverage over that of `whole`, at its relevance, read off the curve of the dial; a "
            f"match: {self.how}",
        )  # fmt: skip

    def _protocol(self, what: tuple[str, float], metric: str) -> str:
        dial = f"dial {what[1]:g}; " if what[0] in DIALLED else ""
        return f"{dial}{metric}; the other {self.of} are the gallery; a match: {self.how}"


def _measured(profile: Profile, seed: int) -> dict[str, _Measured]:
    """What each ledger is made of."""
    recommend, dataset = recommender(profile, seed=seed, gallery="test"), dataset_of(profile, "test", seed)
    truths = {"diversity": relevance_of(profile, photos_of(profile, "test", seed), seed)}
    if isinstance(dataset, CCP):
        coloured = colours_under_masks(dataset)
        if coloured.carries.any():
            truths["diversity_looks"] = coloured
    return {ledger: _values(recommend, truth, seed, among=ledger != "diversity") for ledger, truth in truths.items()}


def _values(recommend: Recommender, truth: Relevance, seed: int, among: bool) -> _Measured:
    """among: only photos that show a part are candidates; otherwise all are."""
    shows = np.asarray(truth.carries.any(axis=1))
    queries = np.flatnonzero(shows)
    asked = Asked(queries, shows if among else np.ones_like(shows))
    lists = {**_part_lists(recommend.query, asked), **_whole_lists(recommend.whole_query, asked)}
    lists |= _xquad_lists("together", recommend.query, asked)
    lists |= _xquad_lists("whole-together", recommend.whole_seen, asked)
    lists["random", 0.0] = _random_lists(asked, seed)
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
    return _Measured(found, truth.how, truth.of, int(asked.candidates.sum()) - 1)


@dataclass(frozen=True)
class Asked:
    """Queries, by number, and which photos are candidates; a query is none of its own."""

    queries: Int[np.ndarray, " queries"]
    candidates: Bool[np.ndarray, " photos"]

    def __iter__(self) -> Iterator[tuple[int, int, Tensor]]:
        """The row, the query, and the photos it may find."""
        for row, query in enumerate(self.queries.tolist()):
            candidates = torch.from_numpy(self.candidates.copy())
            candidates[query] = False
            yield row, query, candidates

    def empty(self) -> Int[np.ndarray, "queries ranks"]:
        return np.full((len(self.queries), K), -1)


def _without(matches: np.ndarray, query: int) -> np.ndarray:
    """The query itself is no candidate."""
    return np.where(np.arange(len(matches))[:, None] == query, False, matches)


def _part_lists(seen: Collection, asked: Asked) -> Lists:
    """One list of K a query and setting: its parts take turns, as `recommend` would show them."""
    quota = -(-K // PARTS)
    lists = {("parts", dial): asked.empty() for dial in DIALS}
    for row, query, candidates in asked:
        labels = parts_of(seen, query, MIN_SCORE)[:PARTS]
        pools = [pool_of(seen, query, seen, [label], candidates, POOL * quota) for label in labels]
        for dial in DIALS:
            rows = [pool.photos[pool.chosen(K, dial)].tolist() for pool in pools if len(pool.photos)]
            chosen = by_turns(rows, K)
            lists["parts", dial][row, : len(chosen)] = chosen
    return lists


def _whole_lists(features: Float[np.ndarray, "photos channels"], asked: Asked) -> Lists:
    """The nearest by the whole picture, plain and re-ranked by the same rule at the same settings."""
    unit = torch.nn.functional.normalize(torch.from_numpy(features), dim=1)
    apart = torch.cdist(unit, unit)
    lists = {("whole-mmr", dial): asked.empty() for dial in DIALS}
    for row, query, candidates in asked:
        order = torch.argsort(apart[query], stable=True)
        near = order[candidates[order]][: POOL * K]
        for dial in DIALS:
            chosen = near[diversified(apart[query, near], apart[near][:, near], K, dial)]
            lists["whole-mmr", dial][row, : len(chosen)] = chosen.numpy()
    return {**lists, ("whole", 0.0): lists["whole-mmr", 0.0]}


def _xquad_lists(method: str, seen: Collection, asked: Asked) -> Lists:
    """The one list for all parts; it may be shorter than K."""
    lists = {(method, dial): asked.empty() for dial in DIALS}
    for row, query, candidates in asked:
        labels = shown_in(seen, query, MIN_SCORE)
        _, likely = answers(seen, query, seen, labels, candidates)
        for dial in DIALS:
            chosen = chosen_together(likely, torch.from_numpy(seen.scores[query, labels]), K, dial)
            lists[method, dial][row, : len(chosen)] = chosen
    return lists


def _random_lists(asked: Asked, seed: int) -> np.ndarray:
    lists = asked.empty()
    for row, query, candidates in asked:
        chosen = np.random.default_rng([seed, query]).permutation(np.flatnonzero(candidates))[:K]
        lists[row, : len(chosen)] = chosen
    return lists
