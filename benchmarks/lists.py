"""The lists that users get, part by part: how many of a query's parts they cover, and whether they lead to what goes
with it.

python -m benchmarks.lists --data FOLDER, where FOLDER holds `ccp` and `catalogue`
python -m benchmarks.lists --profile quick, or another one on drawn photos: coverage alone

Coverage: CCP's photos with masks ask each other; a match shares a tag and, under the masks, a colour. Drawn photos: a
label, a texture and a colour. The dial is chosen on validation photos, the numbers are of test photos. Links: main
photos of the catalogue's test half ask the others; a hit is a style that the shop links to the query's, shown among the
first ten styles.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from jaxtyping import Float, Int
from torch import Tensor

from benchmarks.features import models
from benchmarks.real_photos import CONTROL, Seen, look
from fashionlib.core.console import command, guarded
from fashionlib.data.base import split_hash
from fashionlib.data.catalogue import LINKS, Catalogue, half_of, style_of
from fashionlib.data.ccp import CCP
from fashionlib.experiments.diversity import (
    DIALS,
    Asked,
    Relevance,
    Values,
    colours_under_masks,
    relevance_of,
    values_of,
)
from fashionlib.experiments.diversity import K as LENGTH
from fashionlib.experiments.methods import compared, dataset_of, photos_of
from fashionlib.experiments.profile import Profile, load_profile, project_root
from fashionlib.gallery.extract import open_model
from fashionlib.gallery.gallery import threshold_of
from fashionlib.ledger.ledger import Entry, entry, write
from fashionlib.metrics.diversity import at_equal_relevance, mean_value
from fashionlib.models.pretrained import DEFAULT, model_folder
from fashionlib.models.tagger import Tagger
from fashionlib.retrieval.mmr import by_turns, diversified
from fashionlib.retrieval.recommend import POOL, Collection, recommend_parts, recommend_together

EXPERIMENT, PROFILE = "lists", "street-shop-closet"
RIVAL = "shipped-whole"  # nearest by the whole photo's features of the same model
PARTS, STYLES, SHOWN = 6, 10, 60
LISTS = ("shipped", "shipped-turns", "shipped-alone")
COVERAGE, RELEVANCE = f"part_coverage@{LENGTH}", f"relevance@{LENGTH}"


def lists_by_dial(seen: Seen, threshold: float) -> dict[tuple[str, float], Int[np.ndarray, "photos ranks"]]:
    """Each photo's list out of all others, by method and dial; −1 for an empty place.

    "shipped": the one list that users get. "shipped-alone": the same by its parts alone, without the whole photo.
    "shipped-turns": its parts in turn. The whole photo's: the nearest, diversified by MMR.
    """
    photos, found = seen.photos, {}
    alone = replace(photos, whole=None)
    vectors = {CONTROL: seen.controls[CONTROL], RIVAL: photos.whole}
    apart = {name: torch.cdist(each, each) for name, each in vectors.items() if each is not None}
    for dial in DIALS:
        made: dict[str, list[list[int]]] = {name: [] for name in (*LISTS, *apart)}
        for photo in range(len(seen.ids)):
            for name, collection in (("shipped", photos), ("shipped-alone", alone)):
                made[name].append(one_list(collection, photo, dial, threshold))
            made["shipped-turns"].append(by_turns(turns(photos, photo, photos, [photo], dial, threshold), LENGTH))
            for name, distances in apart.items():
                near = distances[photo].argsort(stable=True)
                near = near[near != photo][: POOL * LENGTH]
                chosen = diversified(distances[photo, near], distances[near][:, near], LENGTH, dial)
                made[name].append(near[chosen].tolist())
        found |= {(name, dial): np.array([padded(row) for row in rows]) for name, rows in made.items()}
    return found


def padded(row: Sequence[int]) -> list[int]:
    return [*row, *[-1] * (LENGTH - len(row))][:LENGTH]


def one_list(photos: Collection, photo: int, dial: float, threshold: float) -> list[int]:
    """The one list of all other photos."""
    found = recommend_together(photos, photo, photos, k=LENGTH, diversity=dial, exclude=[photo], min_score=threshold)
    return [each.photo for each in found]


def turns(
    query: Collection, photo: int, gallery: Collection, exclude: Sequence[int], dial: float, threshold: float,
    length: int = LENGTH,
) -> list[list[int]]:  # fmt: skip
    """The rows that users get, the best part first; photos by number."""
    rows = recommend_parts(
        query, photo, gallery, per_part=length, parts=PARTS, diversity=dial, exclude=exclude, min_score=threshold,
        merge=True,
    )  # fmt: skip
    return [[each.photo for each in row.looks] for row in rows]


def coverage_values(seen: Seen, truth: Relevance, threshold: float) -> Values:
    """Relevance and coverage by metric, method and dial, of the photos with masks among themselves."""
    masked = np.flatnonzero(truth.carries.any(1))
    rows = torch.from_numpy(masked)
    controls = {name: each[rows] for name, each in seen.controls.items()}
    some = Seen(seen.photos.of(rows), seen.features[rows], controls, tuple(seen.ids[row] for row in masked))
    assert truth.looks is not None
    known = replace(truth, carries=truth.carries[masked], looks=truth.looks[masked])
    asked = Asked(np.arange(len(masked)), np.ones(len(masked), dtype=bool))
    return values_of(lists_by_dial(some, threshold), asked, known)


def chosen_dial(values: Values, method: str) -> float:
    """The dial that covers most parts at no less than the rival's relevance; of equals the smaller; 0 where none is."""
    bound = values[RELEVANCE][RIVAL, 0.0].mean()
    fine = [dial for dial in DIALS if values[RELEVANCE][method, dial].mean() >= bound]
    return max(fine or [0.0], key=lambda dial: values[COVERAGE][method, dial].mean())


def coverage_rows(validation: Values, test: Values, resamples: int) -> list[dict[str, Any]]:
    """Entries: each list at its chosen dial, and how many times more parts it covers at equal relevance."""
    made, options = [], {"resamples": resamples, "centre": False}
    for method in (*LISTS, RIVAL, CONTROL):
        dial = chosen_dial(validation, method) if method in LISTS else 0.0
        words = f"dial {dial:g}, chosen on validation photos" if method in LISTS else "the nearest"
        for metric in (RELEVANCE, COVERAGE):
            runs = {method: [(test[metric][method, dial],)], RIVAL: [(test[metric][RIVAL, 0.0],)]}
            made += compared(method, runs, {metric: (words, mean_value)}, rival=RIVAL, **options)
        for rival, metric in ((RIVAL, "coverage_ratio@10"), (CONTROL, "coverage_ratio_backbone@10")):
            if method not in LISTS:
                continue
            columns = [test[metric_][rival, 0.0] for metric_ in (RELEVANCE, COVERAGE)]
            columns += [test[metric_][method, dial] for metric_ in (RELEVANCE, COVERAGE) for dial in DIALS]
            words = f"part coverage over that of {rival}, at its relevance, read off the curve of the dial"
            runs = {method: [(np.stack(columns, 1),)]}
            made += compared(method, runs, {metric: (words, at_equal_relevance)}, rival=rival, **options)
    return made


def linked(
    query: Seen, gallery: Seen, links: dict[str, tuple[str, ...]], threshold: float
) -> tuple[dict[str, Float[np.ndarray, " queries"]], tuple[str, ...]]:
    """By list, whether one of its first STYLES styles is linked to each query's; and the queries' ids.

    Queries without a link into the gallery are left out, and so are photos of the query's own style.
    """
    styles, found, ids = np.array([style_of(id_) for id_ in gallery.ids]), {}, []
    for photo, id_ in enumerate(query.ids):
        own = style_of(id_)
        wanted = {*links.get(own, ())} & {*styles}
        if not wanted:
            continue
        ids.append(id_)
        hidden = np.flatnonzero(styles == own).tolist()
        for name, numbers in candidates(query, photo, gallery, hidden, threshold).items():
            shown = list(dict.fromkeys(styles[numbers].tolist()))[:STYLES]
            found.setdefault(name, []).append(float(not wanted.isdisjoint(shown)))
    return {name: np.array(each) for name, each in found.items()}, tuple(ids)


def candidates(query: Seen, photo: int, gallery: Seen, hidden: list[int], threshold: float) -> dict[str, list[int]]:
    """Gallery photos by list, best first: of the parts beside the best one, of all parts, and of the whole photo."""
    rows = turns(query.photos, photo, gallery.photos, hidden, 0.0, threshold, SHOWN)
    assert query.photos.whole is not None
    assert gallery.photos.whole is not None
    likeness = {
        CONTROL: gallery.controls[CONTROL] @ query.controls[CONTROL][photo],
        RIVAL: gallery.photos.whole @ query.photos.whole[photo],
    }
    whole = {name: [each for each in ordered(alike) if each not in hidden] for name, alike in likeness.items()}
    chance = np.random.default_rng(photo).permutation(len(gallery.ids)).tolist()
    return {
        "shipped-others": by_turns(rows[1:], SHOWN * PARTS), "shipped-turns": by_turns(rows, SHOWN * PARTS), **whole,
        "random": [each for each in chance if each not in hidden],
    }  # fmt: skip


def ordered(alike: Float[Tensor, " photos"]) -> list[int]:
    return alike.argsort(descending=True, stable=True).tolist()


def coverage_of(profile: Profile, model: Tagger, split: str) -> tuple[Values, tuple[str, ...]]:
    """`coverage_values` of a split's photos, and the ids of those that are asked."""
    seed = profile.seeds[0]
    photos = dataset_of(profile, split, seed)
    if isinstance(photos, CCP):
        truth = colours_under_masks(photos)
    else:
        truth = relevance_of(profile, photos_of(profile, split, seed), seed, split)
    asked = tuple(photos.ids[row] for row in np.flatnonzero(truth.carries.any(axis=1)))
    return coverage_values(look(model, photos), truth, threshold_of(model)), asked


def measure(profile: Profile, data: Path | None, name: str = DEFAULT, resamples: int = 1000) -> list[Entry]:
    """All numbers of the model `name`, or, on drawn photos, of the profile's parser with projected features."""
    started, made, drawn = time.perf_counter(), [], profile.data.name == "wardrobe"
    model = models(profile)[-1] if drawn else open_model(model_folder(name))

    def add(dataset: str, ids: Sequence[str], **row: Any) -> None:
        about = {"experiment": EXPERIMENT, "profile": profile.name, "dataset": dataset, "split": "test"}
        about |= {"seeds": [profile.seeds[0]], "split_hash": split_hash(ids), "n": len(ids)}
        made.append(entry(**about, **row, seconds=time.perf_counter() - started))
        print(dataset, row["method"], row["metric"], round(row["value"], 3), row.get("versus"), flush=True)

    where = profile if drawn or data is None else load_profile("ccp", data=str(data / "ccp"))
    (chosen, _), (values, ids) = (coverage_of(where, model, split) for split in ("val", "test"))
    for row in coverage_rows(chosen, values, resamples):
        add(where.data.name, ids, **row)
    if data is not None:
        mains = Catalogue(data / "catalogue", "inshop_gallery")
        gallery = look(model, mains)
        for kind in LINKS:
            hits, ids = linked(of_half(gallery, "test"), gallery, mains.links(kind), threshold_of(model))
            for row in link_rows(hits, kind, resamples):
                add("catalogue", ids, **row)
    write(made, project_root(), profile.name, EXPERIMENT)
    return made


def of_half(seen: Seen, half: str) -> Seen:
    """The photos of one half of the styles."""
    rows = torch.tensor([row for row, id_ in enumerate(seen.ids) if half_of(style_of(id_)) == half])
    controls = {name: each[rows] for name, each in seen.controls.items()}
    return Seen(seen.photos.of(rows), seen.features[rows], controls, tuple(seen.ids[row] for row in rows.tolist()))


def link_rows(hits: dict[str, np.ndarray], kind: str, resamples: int) -> list[dict[str, Any]]:
    """An entry per list, paired with the whole photo's."""
    runs = {method: [(each,)] for method, each in hits.items()}
    words = f"one of the first {STYLES} styles is among the shop's {kind} links of the query's"
    how = {"rival": RIVAL, "resamples": resamples, "centre": False}
    return [row for method in hits for row in compared(method, runs, {kind: (words, mean_value)}, **how)]


def main(
    profile: Annotated[str, typer.Option(help="A name in profiles/; of a packaged model, its own.")] = PROFILE,
    data: Annotated[Path | None, typer.Option(help="The folder that holds `ccp` and `catalogue`.")] = None,
) -> None:
    """Measure, print, and write the ledger."""
    measure(load_profile(profile, data=str(data or "")), data)


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(main)))
