"""Makes the data of the book's interactive widgets from a run: drawn photos with the network's predictions.

`PYTHONPATH=book/_ext python -m fashionbook.widget_export PROFILE` writes results/<profile>/touch/, as `make book` does.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from fashionbook import widget_data
from fashionlib.core.device import device
from fashionlib.core.errors import InputError
from fashionlib.data import load
from fashionlib.data.augment import PLAIN, View, images_to_float
from fashionlib.data.store import Photos
from fashionlib.experiments.attention import MOVED
from fashionlib.experiments.diversity import DIALS, Relevance, relevance_of
from fashionlib.experiments.methods import fit, inputs_of, photos_of
from fashionlib.experiments.profile import Profile, load_profile, project_root
from fashionlib.experiments.recommend import Recommender, recommender, telling_queries
from fashionlib.ledger.ledger import read
from fashionlib.metrics.tagging import average_precision_all
from fashionlib.models.spatial_transformer import boxes_of
from fashionlib.models.tagger import Tagger
from fashionlib.retrieval.mmr import diversified
from fashionlib.retrieval.recommend import MIN_SCORE, POOL, parts_of, pool_of, recommend_together
from fashionlib.training.loop import predict

QUERIES, PARTS, LOOKS, TOGETHER = 8, 4, 5, 10
LABELS = 10  # of a photo, shown step by step
PLAYED = 4  # photos of the playground
LARGE, SMALL = (384, 256), (192, 128)  # height and width in pixels of the queries, and at most of what answers them


@dataclass(frozen=True)
class Shown:
    """What every part of the export needs: the run, its test photos, the queries' numbers among them."""

    profile: Profile
    seed: int
    photos: Photos
    model: Tagger
    queries: list[int]

    @property
    def labels(self) -> list[str]:
        return list(self.photos.labels)


def export(profile: Profile) -> Path | None:
    """Write the files of the profile's first seed; None, and nothing written, where the photos are not ours to show."""
    if profile.data.name != "wardrobe":
        return None
    seed, root = profile.seeds[0], project_root()
    recommend = recommender(profile, seed=seed)
    queries = telling_queries(recommend, QUERIES)
    shown = Shown(profile, seed, photos_of(profile, "test", seed), fit(profile, "parser", seed), queries)
    mirror = profile.training_of("parser").mirror_test  # as Table 1 measures
    scores = predict(shown.model, inputs_of(profile, shown.photos), mirror=mirror).scores
    kept = average_precision_all(scores, shown.photos.tags)
    run = widget_data.stamp(profile.name, profile.data.name, seed, shown.photos.ids, float(kept))
    sheet = widget_data.write_sheet(widget_data.folder(root, profile.name) / "photos.webp", _drawn(shown), QUERIES, 70)
    widget_data.write(root, "playground", run, {"sheet": sheet, **_playground(shown, scores)})
    widget_data.write(root, "steps", run, {"sheet": sheet, **_steps(shown)})
    explorer, used = _explorer(shown, recommend, relevance_of(profile, shown.photos, seed))
    small = [_small(np.asarray(shown.photos.images[photo])) for photo in used]  # pyright: ignore[reportArgumentType]
    gallery = widget_data.write_sheet(widget_data.folder(root, profile.name) / "gallery.webp", small, 20, 50)
    widget_data.write(root, "explorer", run, {"sheet": sheet, "gallery": gallery, **explorer})
    return widget_data.folder(root, profile.name)


def refresh(name: str) -> None:
    """Export the profile again where its files are missing or of another run than its ledger.

    Does nothing where the photos may not be shown, or where no ledger was made yet.
    """
    root = project_root()
    try:
        ledger = read(root, name, widget_data.KEPT["experiment"])
    except InputError:
        return
    if not ledger or ledger[0].dataset != "wardrobe":
        return
    try:
        for widget in widget_data.NAMES:
            widget_data.check_same_run(widget_data.read(root, name, widget)["run"], ledger)
    except InputError:
        export(load_profile(name, seeds=",".join(map(str, ledger[0].seeds))))


def _drawn(shown: Shown) -> list[UInt8[np.ndarray, "height width 3"]]:
    """The queries drawn anew, larger than the network saw them; then the same, moved about."""
    options = {**shown.profile.data_options(shown.seed), "size": LARGE}
    dataset = load(shown.profile.data.name, shown.profile.root, "test", **options)
    plain = np.stack([dataset[photo].image for photo in shown.queries])
    moved = MOVED(images_to_float(plain), MOVED.draws([shown.photos.ids[photo] for photo in shown.queries]))
    moved = (moved.permute(0, 2, 3, 1).cpu().numpy() * 255).round().astype(np.uint8)
    return [*plain, *moved]


def _small(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "small_height small_width 3"]:
    """The photo as the network saw it, or smaller."""
    if image.shape[0] <= SMALL[0]:
        return image
    return np.asarray(Image.fromarray(image).resize((SMALL[1], SMALL[0]), Image.Resampling.LANCZOS))


def _playground(shown: Shown, scores: Float[np.ndarray, "photos labels"]) -> dict:
    """Scores of a few photos, rounded to what a slider can be set to; true labels come before surmised ones."""
    photos = shown.queries[:PLAYED]
    own, true = scores[photos].round(2), shown.photos.tags[photos]
    weight = true.sum(0) * 2 + own.max(0)
    labels = sorted(np.argsort(-weight, kind="stable")[: LABELS + 2].tolist())
    return {
        "labels": [shown.photos.labels[label] for label in labels],
        "photos": [{"id": shown.photos.ids[photo], "tile": tile} for tile, photo in enumerate(photos)],
        "scores": [_rounded(row, 2) for row in own[:, labels]],
        "targets": [row.astype(int).tolist() for row in true[:, labels]],
    }


def _steps(shown: Shown) -> dict:
    """Step by step, as the photo is and moved about: box, attention map and the scores of the labels that matter."""
    views = {"plain": PLAIN, "moved": MOVED}
    seen = {name: _seen(shown, view) for name, view in views.items()}
    photos = []
    for place, photo in enumerate(shown.queries):
        best = shown.model.probabilities(torch.from_numpy(seen["plain"]["steps"][place])).numpy().max(0)
        true = shown.photos.tags[photo]
        chosen = np.argsort(-best - 1.0 * (true > 0), kind="stable")[:LABELS]  # the true ones, then the best others
        labels = chosen[np.argsort(-best[chosen], kind="stable")].tolist()
        looks = {name: _looks(shown, one, place, labels) for name, one in seen.items()}
        looks["plain"]["tile"], looks["moved"]["tile"] = place, place + len(shown.queries)
        photos.append({
            "id": shown.photos.ids[photo], "labels": [shown.photos.labels[label] for label in labels],
            "true": [int(true[label]) for label in labels], **looks,
        })  # fmt: skip
    rows, columns = seen["plain"]["grid"]
    whole = getattr(shown.model.options, "score_whole", False)  # then step 0 sees the whole picture
    return {"grid": [rows, columns], "whole": whole, "first": 0 if whole else 1, "photos": photos}


def _seen(shown: Shown, view: View) -> dict[str, np.ndarray]:
    """What the network says of the queries in `view`: scores, boxes and maps of each step, the map's grid."""
    inputs = inputs_of(shown.profile, shown.photos, [view])
    model = shown.model.eval().to(device())
    with torch.no_grad():
        output = model.head(inputs.encoded(model, np.array(shown.queries), np.zeros(len(shown.queries), int)))
    assert output.steps is not None
    assert output.theta is not None
    assert output.attention is not None
    boxes = boxes_of(output.theta.flatten(0, 1)).unflatten(0, output.theta.shape[:2])
    height, width = shown.profile.image_size
    cells = output.attention.shape[-1]
    columns = round((cells * width / height) ** 0.5)
    found: dict[str, Tensor] = {"steps": output.steps, "boxes": boxes, "maps": output.attention}
    return {name: one.float().cpu().numpy() for name, one in found.items()} | {
        "grid": np.array([cells // columns, columns]).tolist()
    }


def _looks(shown: Shown, seen: dict[str, np.ndarray], place: int, labels: list[int]) -> dict:
    """One photo's steps. maps: each cell's share of the map's highest, 0 to 99. won: by label, the winning step."""
    raw, maps = seen["steps"][place], seen["maps"][place]
    scores = shown.model.probabilities(torch.from_numpy(raw)).numpy()
    peak = maps.max(axis=1, keepdims=True)
    return {
        "boxes": [_rounded(box) for box in seen["boxes"][place]],
        "maps": (99 * maps / peak).round().astype(int).tolist(),
        "scores": [_rounded(row, 2) for row in scores[:, labels].T],
        "won": raw.argmax(0)[labels].tolist(),
    }


def _explorer(shown: Shown, recommend: Recommender, truth: Relevance) -> tuple[dict, list[int]]:
    """For each query its parts, all of them at once, and the whole picture, with what is recommended at each setting of
    the dial; and the numbers of the photos that are.

    A part's `looks` are all that any setting shows; `lists` has a row of their places for each setting.
    """
    unit = torch.nn.functional.normalize(torch.from_numpy(recommend.whole_query), dim=1)
    queries = []
    for tile, photo in enumerate(shown.queries):
        matches = truth.matches(photo)
        candidates = torch.ones(len(shown.photos), dtype=torch.bool)
        candidates[photo] = False
        labels = parts_of(recommend.query, photo, MIN_SCORE)
        parts = [_part(recommend, photo, label, candidates, matches, truth.carries[photo]) for label in labels]
        queries.append({
            "id": shown.photos.ids[photo], "tile": tile, "parts": [part for part in parts if part["looks"]][:PARTS],
            "worn": int(truth.carries[photo].sum()), "together": _one_list(recommend, photo, matches),
            "whole": _whole(unit, photo, np.asarray(matches.any(axis=1))),
        })  # fmt: skip
    every = [row for query in queries for row in [*query["parts"], query["together"], query["whole"]]]
    used = sorted({look["photo"] for row in every for look in row["looks"]})
    for look in (look for row in every for look in row["looks"]):
        look["tile"] = used.index(look["photo"])
        look["photo"] = shown.photos.ids[look["photo"]]
    return {"dials": list(DIALS), "queries": queries, "match": truth.how}, used


def _part(
    recommend: Recommender, photo: int, label: int, candidates: Tensor, matches: np.ndarray, true: np.ndarray
) -> dict:  # fmt: skip
    """One part of a query: the label, its score and region, and the look-alikes among the pool of the nearest."""
    seen = recommend.query
    pool = pool_of(seen, photo, seen, [label], candidates, POOL * LOOKS)
    lists = [pool.chosen(LOOKS, dial) for dial in DIALS]
    looks = {
        place: {
            "photo": int(pool.photos[place]), "distance": round(float(pool.distances[place]), 3), "rank": place + 1,
            "score": round(float(seen.scores[int(pool.photos[place]), label]), 2),
            "box": _rounded(seen.region(int(pool.photos[place]), label)),
            "match": bool(matches[int(pool.photos[place]), label]),
        }
        for place in sorted({place for chosen in lists for place in chosen})
    }  # fmt: skip
    return {
        "label": seen.labels[label], "score": round(float(seen.scores[photo, label]), 2),
        "true": bool(true[label]), "box": _rounded(seen.region(photo, label)), "of": pool.of, **_listed(looks, lists),
    }  # fmt: skip


def _one_list(recommend: Recommender, photo: int, matches: np.ndarray) -> dict:
    """The one list for all parts. A photo's `parts` are those it answers to the network, the likeliest first, and
    `truly` those it answers.
    """
    seen = recommend.query
    found = [recommend_together(seen, photo, seen, k=TOGETHER, diversity=dial, exclude=[photo]) for dial in DIALS]
    answers = {each.photo: each for chosen in found for each in chosen}
    looks = {
        number: {
            "photo": number, "chance": round(each.chance, 2),
            "parts": [
                {"label": look.label, "box": _rounded(seen.region(number, seen.labels.index(look.label)))}
                for look in each.looks
            ],
            "truly": [seen.labels[label] for label in np.flatnonzero(matches[number])],
            "match": bool(matches[number].any()),
        }
        for number, each in answers.items()
    }  # fmt: skip
    return _listed(looks, [[each.photo for each in chosen] for chosen in found])


def _whole(unit: Float[Tensor, "photos channels"], photo: int, matches: np.ndarray) -> dict:
    """The same for the whole picture, by the rival's features."""
    distances = (unit - unit[photo]).norm(dim=1)
    order = torch.argsort(distances, stable=True)
    near = order[order != photo][: POOL * LOOKS]
    between = torch.cdist(unit[near], unit[near])
    lists = [diversified(distances[near], between, LOOKS, dial) for dial in DIALS]
    looks = {
        place: {
            "photo": int(near[place]), "distance": round(float(distances[near[place]]), 3), "rank": place + 1,
            "match": bool(matches[int(near[place])]),
        }
        for place in sorted({place for chosen in lists for place in chosen})
    }  # fmt: skip
    return {"of": len(unit) - 1, **_listed(looks, lists)}


def _listed(looks: dict[int, dict], lists: list[list[int]]) -> dict:
    """Look-alikes by place in the pool, and lists of such places, as a list and places in it."""
    number = {place: position for position, place in enumerate(looks)}
    return {"lists": [[number[place] for place in chosen] for chosen in lists], "looks": list(looks.values())}


def _rounded(values, digits: int = 3) -> list[float]:
    return [round(float(value), digits) for value in values]


def main(arguments: list[str] | None = None) -> int:
    """`PYTHONPATH=book/_ext python -m fashionbook.widget_export PROFILE [--data FOLDER] [--seeds 0]`"""
    parser = argparse.ArgumentParser(description="Write the data of the book's interactive widgets, from a run.")
    parser.add_argument("profile")
    parser.add_argument("--data", default="")
    parser.add_argument("--seeds", default="")
    options = parser.parse_args(arguments)
    try:
        profile = load_profile(options.profile, data=options.data or None, seeds=options.seeds or None)
        place = export(profile)
        if place is None:
            raise InputError(f"the photos of {profile.data.name} are not ours to show; only drawn ones are exported")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in place.iterdir())
    print(f"results/{profile.name}/touch: {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
