"""Where the network looks: its boxes on the test photos, and whether they lie on what it names."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch

from fashionlib.data.base import Box, split_hash
from fashionlib.data.photos import placement_of
from fashionlib.data.store import Photos
from fashionlib.errors import InputError
from fashionlib.localisation import (
    Finding,
    hit,
    intersection_over_union,
    mean_over_labels,
    step_overlap,
    theta_std,
    winning_steps,
)
from fashionlib.models.attention import boxes_of
from fashionlib.profiles import Profile, project_root
from fashionlib.results import Entry, entry, write
from fashionlib.runs import dataset_of, fit, inputs_of, photos_of
from fashionlib.training import predict

MOST_TRUTHS = 300  # photos whose masks are read for the labels' mean boxes


@dataclass(frozen=True)
class Looks:
    """photos; boxes (x1, y1, x2, y2 in 0..1 of the canvas) by photo and step; the winning step by photo and label."""

    photos: Photos
    boxes: np.ndarray
    theta: np.ndarray
    winners: np.ndarray


def looks_of(profile: Profile, method: str = "parser") -> Looks:
    """Where the trained method looks on the test photos, with the profile's first seed.

    Raises InputError for a method that sees the picture whole.
    """
    seed = profile.seeds[0]
    photos = photos_of(profile, "test", seed)
    seen = predict(fit(profile, method, seed), inputs_of(profile, photos, mirror=False), mirror=False)
    if seen.theta is None or seen.steps is None:
        raise InputError(f"the method {method!r} sees the picture whole and looks nowhere; choose one of kind parser")
    theta = torch.from_numpy(seen.theta)
    boxes = boxes_of(theta.flatten(0, 1)).unflatten(0, theta.shape[:2]).numpy()
    return Looks(photos, boxes, seen.theta, winning_steps(seen.steps))


def attention(profile: Profile, looks: Looks, method: str = "parser") -> list[Entry]:
    """Attention health of the profile's first seed: write results/<profile>/attention.json."""
    started, seed = time.perf_counter(), profile.seeds[0]
    findings = _findings(profile, looks, seed)
    values = {"theta_std": theta_std(looks.theta[:, 1:]), "step_overlap": step_overlap(looks.boxes[:, 1:])}
    for metric, guess in (("pointing", "network"), ("pointing_centre", "centre"), ("pointing_mean_box", "mean box")):
        values[metric] = mean_over_labels(findings, [float(hit(f.mask, f.guesses[guess])) for f in findings])
    overlaps = [intersection_over_union(f.box, f.guesses["network"]) for f in findings]
    values["iou"] = mean_over_labels(findings, overlaps)
    entries = [
        entry(
            experiment="attention", profile=profile.name, dataset=profile.data.name, split="test",
            split_hash=split_hash(looks.photos.ids), method=method, metric=metric, value=value, low=None, high=None,
            seeds=[seed], n=len(looks.photos), protocol=PROTOCOLS[metric], seconds=time.perf_counter() - started,
            counts={"findings": len(findings)},
        )
        for metric, value in values.items() if np.isfinite(value)
    ]  # fmt: skip
    write(entries, project_root(), profile.name, "attention")
    return entries


_OVER = "mean over labels with 20 or more masked test photos"
PROTOCOLS = {
    "theta_std": "standard deviation over photos of the box centre (map −1 … 1), mean over part steps and axes",
    "step_overlap": "mean intersection over union of every two part steps of a photo",
    "pointing": f"centre of the winning step's box on the garment's mask, {_OVER}",
    "pointing_centre": f"the picture's centre on the garment's mask, {_OVER}",
    "pointing_mean_box": f"centre of the label's mean training box on the garment's mask, {_OVER}",
    "iou": f"intersection over union of the winning step's box with the garment's, {_OVER}",
}


def _findings(profile: Profile, looks: Looks, seed: int) -> list[Finding]:
    """Every label that a test photo carries and has a mask of, with the three guesses."""
    labels, mean_boxes = looks.photos.labels, _mean_boxes(profile, seed)
    height, width = profile.image_size
    findings = []
    for number, sample in enumerate(_masked(dataset_of(profile, "test", seed))):
        if sample is None:
            continue
        shape = sample.image.shape
        place = placement_of(shape, profile.image_size)
        for label in set(sample.masks) & set(mean_boxes):
            step = looks.winners[number, labels.index(label)]
            box = looks.boxes[number, step] * [width, height, width, height]
            mean = tuple(np.asarray(mean_boxes[label]) * [shape[1], shape[0], shape[1], shape[0]])
            whole = (0.0, 0.0, float(shape[1]), float(shape[0]))
            guesses = {"network": place.to_photo(tuple(box)), "centre": whole, "mean box": mean}
            findings.append(Finding(label, sample.masks[label], sample.boxes[label], guesses))
    return findings


def _masked(dataset):
    """The samples one by one; None for one without masks."""
    for number in range(len(dataset)):
        sample = dataset[number]
        yield sample if sample.masks else None


def _mean_boxes(profile: Profile, seed: int) -> dict[str, Box]:
    """Each label's mean box over masked training photos, in 0..1 of the photo."""
    boxes, photos = defaultdict(list), 0
    for sample in _masked(dataset_of(profile, "train", seed)):
        if sample is not None:
            height, width = sample.image.shape[:2]
            for label, box in sample.boxes.items():
                boxes[label].append(np.asarray(box) / [width, height, width, height])
            photos += 1
        if photos >= MOST_TRUTHS:
            break
    return {label: tuple(np.mean(found, axis=0)) for label, found in boxes.items()}
