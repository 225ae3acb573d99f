"""Where the networks look: their boxes on the test photos, as they are and moved about, against the true garments."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from fashionlib.data.augment import PLAIN, View
from fashionlib.data.store import Photos
from fashionlib.experiments.methods import (
    Runs,
    boxes_seen,
    compared,
    dataset_of,
    fit,
    photos_of,
    predictions,
    record,
)
from fashionlib.experiments.profile import Profile
from fashionlib.ledger.ledger import Entry
from fashionlib.metrics import localisation
from fashionlib.metrics.attention import attention_statistics, following

MOST_TRUTHS = 600  # training photos whose masks are read for the labels' mean boxes
MOVED = View(shift=0.2, seed=20)  # scaled and moved at random by up to a fifth of the frame
CONTROLS = ("fixed", "fixed-learned")  # methods whose boxes are the same on every photo
FOLLOWS = 0.5  # a step follows the person when both slopes are at least this

_OVER = "mean over labels with 20 or more masked test photos"
_MOVED = "photos scaled and moved at random by up to 20% of the frame"
PROTOCOLS = {
    "pointing": f"centre of the winning step's box on the garment's mask, {_OVER}",
    "pointing_centre": f"the picture's centre on the garment's mask, {_OVER}",
    "pointing_mean_box": f"centre of the label's mean training box on the garment's mask, {_OVER}",
    "iou": f"intersection over union of the winning step's box with the garment's, {_OVER}",
    "theta_std": "standard deviation over photos of the box centre (map −1 … 1), mean over part steps and axes",
    "step_overlap": "mean intersection over union of every two part steps of a photo",
    "area": "mean share of the picture in a part step's box",
    "outside": "mean share of a part step's box that is off the picture",
    "centre_r": f"Pearson's r of the winning box's centre with the true one's, mean of both axes, {_OVER}",
    "follows_x": f"slope of the box centre against the true movement, left to right, mean over part steps; {_MOVED}",
    "follows_y": f"the same, up and down; {_MOVED}",
    "following_steps": f"share of part steps with both slopes at least {FOLLOWS}; {_MOVED}",
}


@dataclass(frozen=True)
class Looks:
    """Where a method looks on some photos.

    boxes: (x1, y1, x2, y2) in 0..1 of the canvas, by photo and part step (step 0, the whole picture, is left out).
    winners: by photo and label, the part step that gave the score; −1 where the whole picture did.
    label_boxes: by photo and label, the box of the winning step.
    """

    photos: Photos
    boxes: Float[np.ndarray, "photos steps 4"]
    winners: Int[np.ndarray, "photos labels"]
    label_boxes: Float[np.ndarray, "photos labels 4"]

    @property
    def centres(self) -> Float[np.ndarray, "photos steps 2"]:
        """In −1 … 1."""
        return self.boxes[..., :2] + self.boxes[..., 2:] - 1


def looks_of(
    profile: Profile, method: str = "parser", seed: int | None = None, view: View = PLAIN, split: str = "test"
) -> Looks:
    """Where the trained method looks on the split's photos in `view`; with the profile's first seed if none is named.

    Raises InputError for a method that sees the picture whole.
    """
    seed = profile.seeds[0] if seed is None else seed
    seen = predictions(profile, method, seed, split, view)
    boxes = boxes_seen(seen, method)
    assert seen.steps is not None
    winners = localisation.winning_steps(seen.steps)
    whole = boxes.shape[1] - fit(profile, method, seed).options.steps  # 1 where step 0 is scored, too
    return Looks(
        photos_of(profile, split, seed), boxes[:, whole:], winners - whole, localisation.winning_boxes(boxes, winners)
    )


def attention(profile: Profile) -> list[Entry]:
    """Measure every method that looks, with every seed: write results/<profile>/attention.json.

    A guess's pointing and overlap are measured on the photos as they are and, under the metric's name with `_moved`, on
    the photos moved about; there, a guess that never looks stays where it was.
    """
    started, methods = time.perf_counter(), [name for name in profile.methods if profile.method(name).kind == "parser"]
    runs, rows = [_measured(profile, methods, seed) for seed in profile.seeds], []
    for method in methods:
        rows += [{**row, "method": method} for row in averages([run.statistics[method] for run in runs])]
        rows += [*_guesses(method, runs, profile.resamples), *_guesses(method, runs, profile.resamples, "_moved")]
    return record(profile, "attention", [run.photos for run in runs], rows, seconds=time.perf_counter() - started)


def averages(seeds: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Fields of entries: the mean over seeds of each metric that every seed has, without an interval."""
    values = {metric: [numbers[metric] for numbers in seeds] for metric in seeds[0]}
    return [
        {"metric": metric, "protocol": PROTOCOLS[metric], "value": float(np.mean(own)), "low": None, "high": None,
         "per_seed": own}
        for metric, own in values.items() if np.isfinite(own).all()
    ]  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """Measurements of one seed. found: by guess, hits and overlaps by photo and label; statistics: by method."""

    photos: Photos
    found: dict[str, np.ndarray]
    statistics: dict[str, dict[str, float]]


def _measured(profile: Profile, methods: list[str], seed: int) -> _Run:
    looks = {method: looks_of(profile, method, seed) for method in methods}
    moved = {method: looks_of(profile, method, seed, MOVED) for method in methods}
    photos, size = looks[methods[0]].photos, profile.image_size
    theta = MOVED.theta(photos.ids)
    guesses = {method: looks[method].label_boxes for method in methods}
    guesses |= {f"{method}_moved": _back(moved[method].label_boxes, theta) for method in methods}
    constant = {"centre": np.array([0.25, 0.25, 0.75, 0.75]), "mean_box": _mean_boxes(profile, seed, photos.labels)}
    for name, box in constant.items():
        guesses[name] = np.broadcast_to(box, guesses[methods[0]].shape)
        guesses[f"{name}_moved"] = _back(guesses[name], theta)
    truths = list(_garment_truths(profile, "test", seed))
    true = np.full((len(truths), len(photos.labels), 4), np.nan)  # where the photo has no such mask
    for photo, truth in enumerate(truths):
        for label in truth.boxes:
            true[photo, photos.labels.index(label)] = localisation.on_canvas(truth, label, size)
    statistics = {}
    for method, one in looks.items():
        state = attention_statistics(one.boxes, one.winners, photos.tags)
        slopes = following(one.centres, moved[method].centres, theta)
        statistics[method] = {
            "theta_std": state.movement, "step_overlap": state.overlap, "area": state.area, "outside": state.outside,
            "centre_r": localisation.centre_correlation(one.label_boxes, true), **following_numbers(slopes),
        }  # fmt: skip
    return _Run(photos, localisation.compare(truths, photos.labels, size, guesses), statistics)


def following_numbers(slopes: Float[np.ndarray, "steps 2"]) -> dict[str, float]:
    """By metric, how far the steps follow photos that are moved about."""
    return {
        "follows_x": float(slopes[:, 0].mean()),
        "follows_y": float(slopes[:, 1].mean()),
        "following_steps": float((slopes >= FOLLOWS).all(1).mean()),
    }


def _back(boxes: Float[np.ndarray, "photos labels 4"], theta: Float[np.ndarray, "photos 4"]) -> np.ndarray:
    """Boxes on moved photos, as boxes of the photos: point p of a moved one shows point s·p + t, in −1 … 1."""
    scale, shift = np.tile(theta[:, None, :2], 2), np.tile(theta[:, None, 2:], 2)
    return (scale * (2 * boxes - 1) + shift + 1) / 2


def _garment_truths(profile: Profile, split: str, seed: int) -> Iterator[localisation.GarmentTruth]:
    dataset = dataset_of(profile, split, seed)
    place = {id_: number for number, id_ in enumerate(dataset.ids)}  # photos that cannot be read are left out
    return (
        localisation.garment_truth(dataset[place[id_]], profile.image_size)
        for id_ in photos_of(profile, split, seed).ids
    )


def _mean_boxes(profile: Profile, seed: int, labels: tuple[str, ...]) -> Float[np.ndarray, "labels 4"]:
    """Each label's mean box over masked training photos; the middle half of the picture where there is none."""
    boxes, photos = defaultdict(list), 0
    for truth in _garment_truths(profile, "train", seed):
        for label in truth.boxes:
            boxes[label].append(localisation.on_canvas(truth, label, profile.image_size))
        photos += bool(truth.boxes)
        if photos >= MOST_TRUTHS:
            break
    return np.array([np.mean(boxes.get(label, [[0.25, 0.25, 0.75, 0.75]]), axis=0) for label in labels])


def _guesses(method: str, runs: list[_Run], resamples: int, end: str = "") -> list[dict[str, Any]]:
    """Pointing and overlap of the method, and of the guesses beside it that never look; `end`: "" or "_moved"."""
    if not np.isfinite(localisation.mean_over_labels(runs[0].found[method][0])):
        return []  # too few masks
    words, guesses = f"; {_MOVED}" if end else "", (method, "mean_box", "centre", *CONTROLS)
    hits, overlaps = ({guess: [(run.found[guess + end][row],) for run in runs] for guess in guesses
                       if guess in runs[0].found} for row in (0, 1))  # fmt: skip

    def rows(guess: str, metric: str, of: Mapping[str, Runs], **options: Any) -> Iterator[dict[str, Any]]:
        metrics = {metric + end: (PROTOCOLS[metric] + words, localisation.mean_over_labels)}
        for row in compared(guess, of, metrics, resamples=resamples, **options):
            yield {**row, "method": method, "per_seed": None}

    return [
        *rows(method, "pointing", hits, rival="mean_box", others=CONTROLS, over=[f"pointing{end}"]),
        *rows("centre", "pointing_centre", hits), *rows("mean_box", "pointing_mean_box", hits),
        *rows(method, "iou", overlaps),
    ]  # fmt: skip
