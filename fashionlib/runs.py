"""From a profile to trained methods: what notebooks call."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from fashionlib.data import load
from fashionlib.data.store import Photos, load_photos
from fashionlib.features import trunk_maps
from fashionlib.inputs import ImageInputs, Inputs, MapInputs
from fashionlib.models.tagger import Tagger, load_model
from fashionlib.models.trunk import build_trunk
from fashionlib.profiles import Profile, project_root
from fashionlib.sources import sources_hash
from fashionlib.training import load_best, train


def photos_of(profile: Profile, split: str, seed: int = 0) -> Photos:
    """The split's photos at the profile's size; decoded or drawn once and kept in runs/cache."""
    dataset = dataset_of(profile, split, seed)
    return load_photos(dataset, profile.image_size, cache=cache_folder())


def dataset_of(profile: Profile, split: str, seed: int = 0):
    """The split as samples, with boxes, masks and products where they are known."""
    options = dict(profile.data_options(seed))
    if profile.data.name == "wardrobe":
        options["size"] = profile.image_size
    return load(profile.data.name, profile.root, split, **options)


def inputs_of(profile: Profile, photos: Photos, *, mirror: bool = True) -> Inputs:
    """What the profile's heads are fed: photos, or, with a frozen trunk, the maps it makes of them.

    mirror: whether the maps of mirror images are needed, too.
    """
    if not profile.trunk.frozen:
        return ImageInputs(photos.images)
    trunk = build_trunk(profile.trunk.name, **profile.trunk.options)
    views = (False, True) if mirror else (False,)
    options = {"cache": cache_folder(), "precision": profile.trunk.precision}
    return MapInputs(*[trunk_maps(trunk, photos, mirrored=view, **options) for view in views])


def cache_folder() -> Path:
    return project_root() / "runs" / "cache"


def run_folder(profile: Profile, method: str, seed: int) -> Path:
    """Where a trained method lies: weights, history, state."""
    return project_root() / "runs" / profile.name / "train" / f"{method}-{seed}"


def new_model(profile: Profile, method: str, labels: tuple[str, ...], seed: int) -> Tagger:
    """The method before training, its weights drawn from `seed`."""
    torch.manual_seed(seed)
    options = profile.method(method)
    trunk = {"name": profile.trunk.name, **profile.trunk.options}
    return Tagger(
        labels=labels, image_size=profile.image_size, kind=options.kind, head=options.head, trunk=trunk,
        frozen=profile.trunk.frozen,
    )  # fmt: skip


def fit(profile: Profile, method: str, seed: int = 0) -> Tagger:
    """The trained method: trained now, gone on with where a run was interrupted, or loaded where it is finished.

    A run is taken up again only where its data, options, seed and the code it depends on are the same.
    """
    training, validation = (photos_of(profile, split, seed) for split in ("train", "val"))
    folder = run_folder(profile, method, seed)
    fingerprint = _fingerprint(profile, method, seed, training, validation)
    if _finished(folder).get("fingerprint") == fingerprint:
        return load_model(folder)
    model = new_model(profile, method, training.labels, seed)
    started = time.perf_counter()
    train(
        model, inputs_of(profile, training), training.tags, (inputs_of(profile, validation), validation.tags),
        profile.training_of(method), folder, seed=seed, fingerprint=fingerprint,
    )  # fmt: skip
    _finish(folder, {"fingerprint": fingerprint, "seconds": time.perf_counter() - started})
    return load_best(model, folder)


def training_seconds(profile: Profile, method: str, seed: int = 0) -> float:
    """How long the last stretch of training took; 0 for a method that is not trained."""
    return _finished(run_folder(profile, method, seed)).get("seconds", 0.0)


def prior_scores(train_targets: np.ndarray, photos: int) -> np.ndarray:
    """The method `prior`: every photo gets each label's frequency in the training tags."""
    return np.tile(train_targets.mean(0), (photos, 1))


def _fingerprint(profile: Profile, method: str, seed: int, *photos: Photos) -> str:
    parts = [
        asdict(profile.method(method)), asdict(profile.training_of(method)), asdict(profile.trunk), profile.image_size,
        seed, [part.fingerprint for part in photos], sources_hash(["fashionlib.training", "fashionlib.inputs"]),
        torch.__version__,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _finished(folder: Path) -> dict:
    path = folder / "finished.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _finish(folder: Path, facts: dict) -> None:
    aside = folder / ".finished.json"
    aside.write_text(json.dumps(facts))
    os.replace(aside, folder / "finished.json")
