"""From a profile to trained methods, their predictions, and the numbers measured on them."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from fashionlib.core.device import device_name
from fashionlib.core.errors import InputError
from fashionlib.core.sealed import Damaged, cached, content_hash, notice, read_json, write_json
from fashionlib.data import load
from fashionlib.data.annotations import (
    ANNOTATIONS_VERSION,
    landmarks_in_views,
    marks_of,
    point_names,
    products_by_label,
    verified_photos,
)
from fashionlib.data.augment import MIRRORED, PLAIN, View
from fashionlib.data.base import split_hash
from fashionlib.data.published.fashion550k import Fashion550k
from fashionlib.data.store import Joined, Photos, load_photos
from fashionlib.experiments.profile import Profile, project_root
from fashionlib.ledger.ledger import Entry, entry, write
from fashionlib.metrics.bootstrap import mean_interval
from fashionlib.models.backbones import frozen_trunk, weights_of
from fashionlib.models.spatial_transformer import boxes_of
from fashionlib.models.tagger import Tagger, load_model
from fashionlib.training import distributed
from fashionlib.training.feature_maps import MAPS_VERSION, trunk_maps
from fashionlib.training.inputs import ImageInputs, Inputs, MapInputs
from fashionlib.training.loop import TRAINING_VERSION, Predictions, load_best, predict, train
from fashionlib.training.options import TrainingOptions

Statistic = Callable[..., Any]
Runs = Sequence[tuple[Any, ...]]  # a statistic's arrays, one tuple per seed
RIVAL = "whole"  # every other method is compared with it, photo by photo
# some are compared with others, too: ours with what cannot look, cleaned labels with uncleaned, triplets with pairs
OTHERS = {
    "parser": ("fixed", "fixed-learned", "csra"), "triplet": ("siamese",),
    "veit": ("inoue-baseline", "veit-uncleaned"), "inoue": ("inoue-baseline", "veit-uncleaned"),
}  # fmt: skip
PREDICTIONS_VERSION = 1  # raise it when the same weights and photos give other predictions


def photos_of(profile: Profile, split: str, seed: int = 0) -> Photos:
    """The split's photos at the profile's size; decoded or drawn once and kept in runs/cache."""
    return load_photos(dataset_of(profile, split, seed), profile.image_size, cache=cache_folder())


def dataset_of(profile: Profile, split: str, seed: int = 0):
    """The split as samples, with boxes, masks and products where they are known."""
    options = dict(profile.data_options(seed))
    if profile.data.name == "wardrobe":
        options["size"] = profile.image_size
    return load(profile.data.name, profile.folder, split, **options)


def inputs_of(profile: Profile, photos: Photos, views: Sequence[View] = (PLAIN, MIRRORED)) -> Inputs:
    """What the profile's heads are fed: photos, or, with a frozen trunk, the maps it makes of them in each of `views`.

    Where seeds draw the splits, the maps are made and kept of all photos at once: the next split finds them. Photos
    that are not among all (queries and galleries made of them) have maps of their own.
    """
    if not profile.trunk.frozen:
        return ImageInputs(photos.images, views[0], photos.ids)  # mirror images and augmented copies it makes itself
    trunk = frozen_trunk(**profile.trunk_options())
    options = {"cache": cache_folder(), "precision": profile.trunk.precision}
    pool = photos_of(profile, "all") if profile.data.seed_splits else photos
    place = {id_: row for row, id_ in enumerate(pool.ids)}
    if pool is photos or not place.keys() >= {*photos.ids}:
        return MapInputs([trunk_maps(trunk, photos, view, **options) for view in views])
    rows = np.array([place[id_] for id_ in photos.ids])
    return MapInputs([trunk_maps(trunk, pool, view, **options) for view in views], rows)


def training_views(options: TrainingOptions) -> tuple[View, ...]:
    """The views of a training photo: plain, mirrored, and the augmented copies of a frozen trunk's photos."""
    copies = (View(shift=options.shift, seed=number + 1, augment=True) for number in range(options.copies))
    return (PLAIN, MIRRORED, *copies)


def cache_folder() -> Path:
    return project_root() / "runs" / "cache"


def run_folder(profile: Profile, method: str, seed: int) -> Path:
    """Where a trained method lies: weights, history, state, predictions."""
    return project_root() / "runs" / profile.name / "train" / f"{method}-{seed}"


def new_model(profile: Profile, method: str, labels: tuple[str, ...], seed: int) -> Tagger:
    """The method before training, its weights drawn from `seed`."""
    torch.manual_seed(seed)
    options = profile.method(method)
    head = options.head
    if options.kind == "fashionnet" and "landmarks" not in head:
        head = {**head, "landmarks": len(point_names(dataset_of(profile, "train", seed)))}
    return Tagger(
        labels=labels, image_size=profile.image_size, kind=options.kind, head=head,
        trunk=profile.trunk_options(), frozen=profile.trunk.frozen,
    )  # fmt: skip


def fit(profile: Profile, method: str, seed: int = 0) -> Tagger:
    """The trained method: trained now, gone on with where a run was interrupted, or loaded where it is finished.

    A run is taken up again only where its data, options, seed and the versions of what it depends on are the same.
    """
    training, validation = (photos_of(profile, split, seed) for split in ("train", "val"))
    options, folder = profile.training_of(method), run_folder(profile, method, seed)
    fingerprint = _fingerprint(profile, method, seed, training, validation)
    if _finished(folder).get("fingerprint") == fingerprint:
        try:
            return load_model(folder)
        except InputError as error:
            notice(f"{error} (which is done now)")
    checks = (inputs_of(profile, validation), validation.tags) if options.hold_out else None
    training = training if options.hold_out else joined(training, validation)
    inputs = inputs_of(profile, training, training_views(options))
    count = distributed.wanted(profile.trunk.frozen)
    if count > 1:  # they find photos and maps made
        distributed.start(count, fit, profile, method, seed)
        return load_model(folder)
    model = new_model(profile, method, training.labels, seed)
    if not options.hold_out and (needs := _needs(model.head)):
        raise InputError(
            f"profile {profile.name}: {method} learns from what is known of the training photos alone "
            f"({', '.join(sorted(needs))}); set hold_out: true in its training"
        )
    known = known_of(profile, model.head, training, training_views(options), seed)
    started = time.perf_counter()
    train(model, inputs, training.tags, checks, options, folder, seed=seed, fingerprint=fingerprint, known=known)
    if distributed.first():
        write_json(folder / "finished.json", {"fingerprint": fingerprint, "seconds": time.perf_counter() - started})
    return load_best(model, folder)


def predictions(
    profile: Profile, method: str, seed: int, split: str = "test", view: View = PLAIN, mirror: bool = False
) -> Predictions:
    """What the trained method says of a split's photos in `view`; `mirror`: scores are the mean with mirror images.

    Those of the test photos, which several experiments read, are made once and kept beside the weights.
    """
    model, photos = fit(profile, method, seed), photos_of(profile, split, seed)

    def made() -> Predictions:
        return predict(model, inputs_of(profile, photos, [view, *[MIRRORED] * mirror]), mirror=mirror)

    if split != "test":
        return made()
    folder = run_folder(profile, method, seed)
    what = (photos.fingerprint, view, mirror, profile.trunk, device_name(), MAPS_VERSION, PREDICTIONS_VERSION)
    weights, rest = content_hash(folder / "model.safetensors")[:8], hashlib.sha256(repr(what).encode()).hexdigest()[:8]
    for old in {*folder.glob("predictions-*")} - {*folder.glob(f"predictions-{weights}*")}:
        shutil.rmtree(old, ignore_errors=True)

    def write_arrays(aside: Path) -> None:
        for name, array in vars(made()).items():
            if array is not None:
                np.save(aside / f"{name}.npy", array)

    kept = {
        path.stem: np.load(path) for path in cached(folder / f"predictions-{weights}{rest}", write_arrays).glob("*.npy")
    }
    return Predictions(**{field.name: kept.get(field.name) for field in fields(Predictions)})  # pyright: ignore[reportArgumentType]


def boxes_seen(seen: Predictions, method: str) -> Float[np.ndarray, "photos steps 4"]:
    """Where each step looked: x1, y1, x2, y2 in 0..1 of the photo. Raises InputError where the method has no steps."""
    if seen.theta is None:
        raise InputError(f"the method {method!r} sees the picture whole and has no parts; choose one of kind parser")
    theta = torch.from_numpy(seen.theta)
    return boxes_of(theta.flatten(0, 1)).unflatten(0, theta.shape[:2]).numpy()


def tag_scores(profile: Profile, method: str, seed: int, split: str = "test") -> np.ndarray:
    """The method's score of every label for each photo of the split; `prior` gives each label's training frequency."""
    if profile.method(method).kind == "prior":
        return np.tile(photos_of(profile, "train", seed).tags.mean(0), (len(photos_of(profile, split, seed)), 1))
    return predictions(profile, method, seed, split, mirror=profile.training_of(method).mirror_test).scores


def measure(
    statistic: Statistic, runs: Runs, *, minus: Runs | None = None, versus: tuple[str, Runs, Runs] | None = None,
    **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """Fields of a ledger's entry: value and 95% interval of the mean over runs (one per seed), and each run's value.

    minus: another method's runs; all numbers are then of the paired difference. versus: a name, and the runs of which
    the paired difference is kept beside the value. options: `resamples` and `centre` of `mean_interval`.
    """
    found = asdict(mean_interval(statistic, runs, minus=minus, **options))
    values, others = ([float(statistic(*run)) for run in each or ()] for each in (runs, minus))
    found["per_seed"] = [own - other for own, other in zip(values, others, strict=True)] if minus else values
    if versus:
        name, ours, theirs = versus
        found["versus"] = {"method": name, **asdict(mean_interval(statistic, ours, minus=theirs, **options))}
    return found


def compared(
    method: str, runs: Mapping[str, Runs], metrics: Mapping[str, tuple[str, Statistic]], *, over: Sequence[str] = (),
    rival: str = RIVAL, others: Sequence[str] = (), **options: Any,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Fields of the entries of one method, see `measure`: each metric, with the paired difference to `rival` beside it;
    then, named `<metric>_over_<other>`, the difference in the metrics `over` to those of `others` that have runs.

    metrics: by name, the protocol in words and the statistic.
    """
    versus = (rival, runs[method], runs[rival]) if rival in runs and rival != method else None
    for metric, (protocol, statistic) in metrics.items():
        found = measure(statistic, runs[method], versus=versus, **options)
        yield {"method": method, "metric": metric, "protocol": protocol, **found}
    for other, metric in product((other for other in others if other in runs and other != method), over):
        protocol, statistic = metrics[metric]
        found = measure(statistic, runs[method], minus=runs[other], **options)
        words = f"paired difference to {other}: {protocol}"
        yield {"method": method, "metric": f"{metric}_over_{other}", "protocol": words, **found}


def record(
    profile: Profile, experiment: str, photos: Sequence[Photos], rows: Iterable[dict[str, Any]], **shared: Any
) -> list[Entry]:
    """Write results/<profile>/<experiment>.json, see `entries_of`; the entries."""
    entries = entries_of(profile, experiment, photos, rows, **shared)
    write(entries, project_root(), profile.name, experiment)
    return entries


def entries_of(
    profile: Profile, experiment: str, photos: Sequence[Photos], rows: Iterable[dict[str, Any]], **shared: Any
) -> list[Entry]:
    """An entry per row. photos: those measured on, for each seed. shared: fields that rows have in common, instead of
    the profile's; a row's own count more.
    """
    common = {
        "experiment": experiment, "profile": profile.name, "dataset": profile.data.name, "split": "test",
        "split_hash": split_hash([id_ for each in photos for id_ in each.ids]), "seeds": list(profile.seeds),
        "n": len(photos[0]), **shared,
    }  # fmt: skip
    return [entry(**{**common, **row}) for row in rows]


def joined(*splits: Photos) -> Photos:
    """The photos of all splits as one, in the files in which they are."""
    return replace(
        splits[0], images=Joined([split.images for split in splits]),  # pyright: ignore[reportArgumentType]
        targets=np.concatenate([split.tags for split in splits]),
        ids=tuple(id_ for split in splits for id_ in split.ids),
        products=tuple(product for split in splits for product in split.products),
        skipped={photo: why for split in splits for photo, why in split.skipped.items()},
        fingerprint=hashlib.sha256("".join(split.fingerprint for split in splits).encode()).hexdigest()[:16],
    )  # fmt: skip


def known_of(
    profile: Profile, head: Any, photos: Photos, views: Sequence[View], seed: int = 0
) -> dict[str, np.ndarray]:  # fmt: skip
    """What the head needs to know of the training photos beyond their tags, see `fashionlib.data.supervision`.

    Raises InputError where the data set does not know it.
    """
    needs, name = _needs(head), profile.data.name
    if not needs:
        return {}
    if "clean" in needs and name == "fashion550k":  # the part `verified` holds the photos that people looked at
        part = dataset_of(profile, "verified", seed)
        assert isinstance(part, Fashion550k)
        rows = {id_: row for row, id_ in enumerate(part.ids)}
        verified = np.array([id_ in rows for id_ in photos.ids])
        clean = part.targets()[[rows.get(id_, 0) for id_ in photos.ids]]
        return {"verified": verified, "clean": np.where(verified[:, None], clean, 0).astype(np.float32)}
    if "clean" in needs and name != "wardrobe":
        raise InputError(f"{name} has no verified tags beside noisy ones: leave this method out")
    dataset = dataset_of(profile, "train", seed)
    place = {id_: row for row, id_ in enumerate(dataset.ids)}
    rows = [place[id_] for id_ in photos.ids]  # without the photos that could not be read
    known = {what: rows_of[rows] for what, rows_of in marks_of(dataset, profile.image_size, cache_folder()).items()}
    if "clean" in needs:
        known["verified"] = verified_photos(len(photos), head.options.verified)
        known["clean"] = np.where(known["verified"][:, None], known["shown"], 0).astype(np.float32)
    if needs & {"products", "main"} and (known["main"] < 0).all():
        raise InputError(f"{name} says of no two photos that they show the same product: leave this method out")
    if "products" in needs and known["products"].shape[1] == 1:
        known["products"] = products_by_label(known["products"][:, 0], photos.tags)
    if "landmarks" in needs:
        if (known["landmarks"][..., 2] < 0).all():
            raise InputError(f"{name} knows no landmark and no part of any photo: leave this method out")
        known["landmarks"] = landmarks_in_views(known["landmarks"], point_names(dataset), photos.ids, views)
    return known


def _needs(head: Any) -> set[str]:
    """What a head learns from beyond tags; how far training is, the loop itself knows."""
    return {*getattr(head, "needs", ())} - {"progress"}


def training_seconds(profile: Profile, method: str) -> list[float]:
    """How long the last stretch of training took, for each seed; 0 for a method that is not trained."""
    return [_finished(run_folder(profile, method, seed)).get("seconds", 0.0) for seed in profile.seeds]


def seconds_since(started: float, profile: Profile, method: str) -> float:
    """Seconds since `started`, or those of the method's training where that was done before."""
    return max(time.perf_counter() - started, sum(training_seconds(profile, method)))


def _fingerprint(profile: Profile, method: str, seed: int, *photos: Photos) -> str:
    parts = [
        asdict(profile.method(method)), asdict(profile.training_of(method)),
        {**asdict(profile.trunk), "pretrained": weights_of(profile.trunk_options())}, profile.image_size,
        seed, [part.fingerprint for part in photos],
        TRAINING_VERSION, MAPS_VERSION, ANNOTATIONS_VERSION, torch.__version__,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _finished(folder: Path) -> dict:
    """What is written of a finished run; nothing where there is none or it is damaged: the run is then gone on with."""
    try:
        return read_json(folder / "finished.json")
    except (OSError, Damaged):
        return {}
