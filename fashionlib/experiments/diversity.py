"""Figs. 1 and 4 as numbers: are look-alikes found part by part more varied, and does each match something in the query?

`parts` lets the query's parts take turns, as the rows of `fashionlib.recommend` would; `together` is the one list of
`fashionlib.recommend_together`. `whole` is the nearest by the whole picture, `whole-mmr` and `whole-together` the same
re-ranked as the two by parts are; the last trusts the whole-image tagger's scores.

Each test photo is a query, all other test photos are the gallery: neither was trained on, and their tags are clean.
What matches what is read off what is known of the photos and never off a model: on the wardrobe, a garment with the
same label and texture whose colour can hardly be told from the query's; on data with tags alone, a photo with the same
tag. Where some photos have masks, these are also asked among themselves, and there colours must match, too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fashionlib.data.ccp import CCP
from fashionlib.data.store import Photos
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.experiments.methods import dataset_of, measure, photos_of, record
from fashionlib.experiments.profile import Profile
from fashionlib.experiments.recommend import Recommender, recommender
from fashionlib.ledger.ledger import Entry
from fashionlib.metrics.diversity import (
    alpha_ndcg_at_k,
    at_equal_relevance,
    intra_list_distance_at_k,
    mean_value,
    part_coverage_at_k,
    relevance_at_k,
)
from fashionlib.retrieval.collection import Collection
from fashionlib.retrieval.mmr import by_turns, diversified
from fashionlib.retrieval.recommend import MIN_SCORE, POOL, answers, parts_of, pool_of, shown_in
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
HARDLY_TOLD_APART = 110  # of two colours, |red| + |green| + |blue| in 0..255: the wardrobe draws none nearer as two
LOOKS = "same label and texture, colours nearer than 110 in RGB"
COLOURS = "same label, mean colours under the masks nearer than 110 in RGB"
TAGS = "same tag"
Setting = tuple[str, float]  # a method and its dial
Lists = dict[Setting, np.ndarray]
WHOLE: Setting = ("whole", 0.0)


@dataclass(frozen=True)
class Relevance:
    """What the photos truly show. carries: the labels. looks: by photo and label (texture, red, green, blue), −1 where
    it is not worn; None where only tags are known. how: the rule by which two garments match, and `of` which photos it
    is known, in words; a photo of which nothing is known carries nothing.
    """

    carries: Bool[np.ndarray, "photos labels"]
    looks: Float[np.ndarray, "photos labels 4"] | None = None
    how: str = TAGS
    of: str = "test photos"

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


def relevance_of(profile: Profile, photos: Photos, seed: int, split: str = "test") -> Relevance:
    """The tags of the split's photos (clean ones of test photos), and on the wardrobe the fabric of each garment."""
    dataset, carries = dataset_of(profile, split, seed), photos.tags > 0
    if not isinstance(dataset, Wardrobe):
        return Relevance(carries)
    textures: dict[str, int] = {}
    looks = np.full((*carries.shape, 4), -1.0)
    for number in range(len(photos)):
        for product in dataset.scene(number).outfit.values():
            texture = textures.setdefault(product.fabric.texture, len(textures))
            looks[number, photos.labels.index(product.label)] = (texture, *product.fabric.colours[0])
    return Relevance(carries, looks, LOOKS)


def colours_under_masks(dataset: CCP) -> Relevance:
    """The labels of the photos that have masks, and each garment's mean colour; of its texture nothing is known."""
    carries = np.zeros((len(dataset), len(dataset.labels)), dtype=bool)
    looks = np.full((*carries.shape, 4), -1.0)
    for number in filter(dataset.masks, range(len(dataset))):
        sample = dataset[number]
        for label, mask in sample.masks.items():
            column = dataset.labels.index(label)
            carries[number, column] = True
            looks[number, column] = (0, *sample.image[mask].mean(axis=0))
    return Relevance(carries, looks, COLOURS, "test photos with masks")


def diversity(profile: Profile) -> list[Entry]:
    """Measure parts, whole picture, whole picture re-ranked, and chance; write the ledgers and return their entries.

    results/<profile>/diversity.json holds each method at one setting (plain for `whole` and `random`, the dial at 0.5
    for the others), paired with `whole`, and how many times more parts are covered at equal relevance;
    diversity_curve.json holds those with a dial at every setting, each paired with its rival. On CCP
    diversity_looks.json holds the same as the first, for photos with masks and matches in colour, too.
    """
    started, first = time.perf_counter(), [photos_of(profile, "test", profile.seeds[0])]
    seeds = [_measured(profile, seed) for seed in profile.seeds]
    plain = {**{(method, DIAL): WHOLE for method in DIALLED}, WHOLE: WHOLE, ("random", 0.0): WHOLE}
    curve = {(one, dial): (other, dial) for one, other in DIALLED.items() for dial in DIALS}
    written: list[Entry] = []
    for ledger, (_, truth, gallery) in seeds[0].items():
        runs = [seed[ledger][0] for seed in seeds]
        found = {ledger: _rows(runs, plain, truth, profile.resamples)}
        found[ledger] += [_ratio(runs, method, truth, profile.resamples) for method in DIALLED]
        if ledger == "diversity":
            found["diversity_curve"] = _rows(runs, curve, truth, profile.resamples)
        shared = {"n": len(runs[0][f"relevance@{K}"][WHOLE]), "counts": {"gallery": gallery}}
        for name, rows in found.items():
            written += record(profile, name, first, rows, **shared, seconds=time.perf_counter() - started)
    return written


Values = dict[str, dict[Setting, np.ndarray]]  # by metric and setting, one number per query


def _rows(runs: list[Values], pairs: dict[Setting, Setting], truth: Relevance, resamples: int) -> list[dict[str, Any]]:
    """Every metric at every setting, beside its difference to the setting that it is paired with."""
    rows = []
    for what, rival in pairs.items():
        dial = f"dial {what[1]:g}; " if what[0] in DIALLED else ""
        for metric, words in METRICS.items():
            own, other = ([(seed[metric][each],) for seed in runs] for each in (what, rival))
            versus = (rival[0], own, other) if what != rival else None
            found = measure(mean_value, own, versus=versus, resamples=resamples, centre=False)
            protocol = f"{dial}{words}; the other {truth.of} are the gallery; a match: {truth.how}"
            rows.append({**found, "method": what[0], "metric": metric, "protocol": protocol})
    return rows


def _ratio(runs: list[Values], method: str, truth: Relevance, resamples: int) -> dict[str, Any]:
    """How many times more parts than plain whole-picture look-alikes the method covers at equal relevance."""
    both = (f"relevance@{K}", f"part_coverage@{K}")
    stacked = []
    for seed in runs:
        columns = [seed[metric][WHOLE] for metric in both]
        columns += [seed[metric][method, dial] for metric in both for dial in DIALS]
        stacked.append((np.stack(columns, axis=1),))
    found = measure(at_equal_relevance, stacked, resamples=resamples, centre=False)
    words = "part coverage over that of `whole`, at its relevance, read off the curve of the dial"
    return {**found, "method": method, "metric": f"coverage_ratio@{K}", "protocol": f"{words}; a match: {truth.how}"}


def _measured(profile: Profile, seed: int) -> dict[str, tuple[Values, Relevance, int]]:
    """By ledger: every metric, what matches, and how many candidates a query has."""
    recommend, dataset = recommender(profile, seed=seed), dataset_of(profile, "test", seed)
    truths = {"diversity": relevance_of(profile, photos_of(profile, "test", seed), seed)}
    if isinstance(dataset, CCP):
        coloured = colours_under_masks(dataset)
        if coloured.carries.any():
            truths["diversity_looks"] = coloured
    found = {}
    for ledger, truth in truths.items():  # in the second, only photos that show a part are candidates
        shows = np.asarray(truth.carries.any(axis=1))
        asked = Asked(np.flatnonzero(shows), np.ones_like(shows) if ledger == "diversity" else shows)
        values = values_of(lists_of(recommend, asked, seed), asked, truth)
        found[ledger] = values, truth, int(asked.candidates.sum()) - 1
    return found


@dataclass(frozen=True)
class Asked:
    """Queries, by number, and which photos are candidates; a query is none of its own."""

    queries: Int[np.ndarray, " queries"]
    candidates: Bool[np.ndarray, " photos"]


def values_of(lists: Lists, asked: Asked, truth: Relevance) -> Values:
    """Every metric of `METRICS` of the lists."""
    found: Values = {metric: {} for metric in METRICS}
    apart, intents = truth.apart(), truth.carries[asked.queries]
    gallery = np.stack([truth.matches(query) for query in asked.queries.tolist()])
    gallery[np.arange(len(asked.queries)), asked.queries] = False  # the query itself is no candidate
    for what, chosen in lists.items():
        matches = np.take_along_axis(gallery, np.maximum(chosen, 0)[..., None], axis=1) & (chosen >= 0)[..., None]
        for metric, value in zip(METRICS, (
            relevance_at_k(matches, K), part_coverage_at_k(matches, intents, K), alpha_ndcg_at_k(matches, gallery, K),
            intra_list_distance_at_k(chosen, apart, K),
        ), strict=True):  # fmt: skip
            found[metric][what] = value
    return found


def lists_of(recommend: Recommender, asked: Asked, seed: int) -> Lists:
    """K photos per query, method and setting, −1 for an empty place: a method's list may be shorter."""
    settings = [WHOLE, ("random", 0.0), *((method, dial) for method in DIALLED for dial in DIALS)]
    lists = {setting: np.full((len(asked.queries), K), -1) for setting in settings}
    unit = torch.nn.functional.normalize(torch.from_numpy(recommend.whole_query), dim=1)
    apart = torch.cdist(unit, unit)
    seen = recommend.query
    for row, query in enumerate(asked.queries.tolist()):
        candidates, found = torch.from_numpy(asked.candidates.copy()), {}
        candidates[query] = False
        pools = [
            pool_of(seen, query, seen, [label], candidates, POOL * -(-K // PARTS))
            for label in parts_of(seen, query, MIN_SCORE)[:PARTS]
        ]  # fmt: skip
        order = torch.argsort(apart[query], stable=True)
        near = order[candidates[order]][: POOL * K]
        likely = {"together": _likely(seen, query, candidates),
                  "whole-together": _likely(recommend.whole_seen, query, candidates)}  # fmt: skip
        for dial in DIALS:
            turns = [pool.photos[pool.chosen(K, dial)].tolist() for pool in pools if len(pool.photos)]
            found["parts", dial] = by_turns(turns, K)
            found["whole-mmr", dial] = near[diversified(apart[query, near], apart[near][:, near], K, dial)].numpy()
            found |= {(name, dial): chosen_together(*each, K, dial) for name, each in likely.items()}
        found[WHOLE] = found["whole-mmr", 0.0]
        found["random", 0.0] = np.random.default_rng([seed, query]).permutation(np.flatnonzero(candidates))[:K]
        for setting, chosen in found.items():
            lists[setting][row, : len(chosen)] = chosen
    return lists


def _likely(seen: Collection, query: int, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """How likely each photo answers each part of the query, and how likely the query shows it."""
    labels = shown_in(seen, query, MIN_SCORE)
    return answers(seen, query, seen, labels, candidates)[1], torch.from_numpy(seen.scores[query, labels])
