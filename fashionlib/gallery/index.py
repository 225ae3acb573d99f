"""What a model saw in a folder of photos, kept on disk and brought up to date for changed files only.

An index is a folder with `manifest.json`, which says where each photo's features are, and shards, safetensors files of
up to 128 photos. Shards are written aside and renamed; the manifest is replaced when all are there, so that a reader
finds the old index or the new one and never half of one. A shard also says of which photos it is, and the next run
takes up the shards that an interrupted one left.

Nothing here needs torch: finding out that nothing has changed takes a moment.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fashionlib.core.errors import InputError
from fashionlib.core.files import expanded, written_aside
from fashionlib.data.folder import Folder
from fashionlib.data.photos import PHOTOS_VERSION
from fashionlib.models.pretrained import QUICK, model_folder

FORMAT = 1
INDEX_VERSION = 1  # raise it when a model sees something else in the same photo (`fashionlib.gallery.extract`)
SHARD = 128  # photos; what a kill can cost
OWN_FOLDER = ".fashionlib"

Stamp = tuple[int, int]
NEVER: Stamp = (-1, -1)  # of no file: what is kept with it is looked at again by the next update


@dataclass(frozen=True)
class Place:
    """Where a photo's features are: the shard's file name and the row in it; stamp: the file's size and time (ns)."""

    stamp: Stamp
    shard: str
    row: int


@dataclass(frozen=True)
class Skipped:
    """Why a photo could not be read, when its file had this size and time."""

    stamp: Stamp
    reason: str


@dataclass(frozen=True)
class Manifest:
    """photos and skipped: by path below the folder, the parts joined with slashes. model: hash of what saw them."""

    model: str
    photos: dict[str, Place] = field(default_factory=dict)
    skipped: dict[str, Skipped] = field(default_factory=dict)

    def shards(self) -> list[str]:
        return sorted({place.shard for place in self.photos.values()})


@dataclass(frozen=True)
class Plan:
    """What an update has to do: `todo` are the photos to look at, `kept` is what is known of the others already.

    changed: whether a new manifest is due. left_out: by name, why a photo or sub-folder is not read at all; not kept.
    """

    kept: Manifest
    todo: dict[str, Stamp]
    changed: bool
    left_out: dict[str, str]


def model_hash(name: str | Path) -> str:
    """Changes with the model's weights, its options, and the versions of what makes features of a photo.

    Raises InputError where there is no model of that name.
    """
    folder, digest = model_folder(name), hashlib.sha256()
    for file in ("config.json", "model.safetensors"):
        try:
            digest.update((folder / file).read_bytes())
        except OSError as error:
            raise InputError(
                f"{folder}: no model here ({file} is missing); name a folder with config.json and model.safetensors"
            ) from error
    digest.update(f"{FORMAT} {INDEX_VERSION} {PHOTOS_VERSION}".encode())
    return digest.hexdigest()[:16]


def index_folder(folder: str | Path, index: str | Path | None, model: str | Path) -> Path:
    """`index`, or the sub-folder .fashionlib/NAME of the photos' own, with the model's name.

    So who tries another model does not wait again when they come back to the first.
    """
    return (
        expanded(Path(index)) if index is not None else expanded(Path(folder)) / OWN_FOLDER / Path(model).resolve().name
    )


def plan(folder: str | Path, place: Path, model: str) -> Plan:
    """Compare the folder's photos with what the index at `place` knows of them, by size and time of change.

    Raises InputError where the folder is missing or holds no photo.
    """
    there = Folder(folder)
    found = _stamps(there)
    manifest = read_manifest(place, model)
    known = manifest or Manifest(model)
    left_over = _left_over(place, known, model)
    photos = {**left_over.photos, **known.photos}
    skipped = {**left_over.skipped, **known.skipped}
    for name, left in left_over.photos.items():  # the manifest's own word may be about an older file
        if photos[name].stamp != found.get(name):
            photos[name] = left
    kept = Manifest(
        model,
        {name: one for name, one in photos.items() if found.get(name) == one.stamp},
        {name: one for name, one in skipped.items() if found.get(name) == one.stamp},
    )
    todo = {name: stamp for name, stamp in found.items() if name not in kept.photos and name not in kept.skipped}
    return Plan(kept, todo, manifest is None or bool(todo) or kept != known, there.left_out)


def _stamps(folder: Folder) -> dict[str, Stamp]:
    """Every photo of the folder with its size and time; one that vanishes meanwhile is no photo."""
    stamps = {}
    for name in folder.ids:
        with contextlib.suppress(OSError):
            stat = os.stat(folder.root / name)
            stamps[name] = (stat.st_size, stat.st_mtime_ns)
    return stamps


def read_manifest(place: Path, model: str) -> Manifest | None:
    """This model's index, without photos whose shard is gone; None where there is none, or one of another model."""
    try:
        values = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
        if values["format"] != FORMAT or values["model"] != model:
            return None
        there = {shard for shard in values["shards"] if (place / shard).is_file()}
        return Manifest(
            model,
            {
                name: Place((size, time), values["shards"][shard], row)
                for name, (size, time, shard, row) in values["photos"].items()
                if values["shards"][shard] in there
            },
            {name: Skipped((size, time), reason) for name, (size, time, reason) in values["skipped"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def write_manifest(place: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, and only then remove the shards that no photo is in any more."""
    shards = manifest.shards()
    number = {shard: position for position, shard in enumerate(shards)}
    values = {
        "format": FORMAT, "model": manifest.model, "shards": shards,
        "photos": {n: [*one.stamp, number[one.shard], one.row] for n, one in sorted(manifest.photos.items())},
        "skipped": {name: [*one.stamp, one.reason] for name, one in sorted(manifest.skipped.items())},
    }  # fmt: skip
    with written_aside(place / "manifest.json") as file:
        file.write(json.dumps(values).encode())
    for path in place.glob("*.safetensors"):
        if path.name not in number:
            path.unlink(missing_ok=True)


def write_shard(place: Path, arrays: Mapping[str, np.ndarray], part: Manifest) -> Manifest:
    """Write what a model saw of some photos, row by row, and why others were skipped; return both with their place.

    part: names and stamps; a photo's row is its position. The arrays' first axis is the photos, if there are any.
    """
    from safetensors.numpy import save

    name = f"{secrets.token_hex(8)}.safetensors"
    placed = {one: Place(place.stamp, name, row) for row, (one, place) in enumerate(part.photos.items())}
    about = {
        "model": part.model,
        "photos": json.dumps([[one, *place.stamp] for one, place in placed.items()]),
        "skipped": json.dumps([[one, *why.stamp, why.reason] for one, why in part.skipped.items()]),
    }
    with written_aside(place / name) as file:
        file.write(save(dict(arrays), about))
    return replace(part, photos=placed)


def _left_over(place: Path, known: Manifest, model: str) -> Manifest:
    """What shards of this model say that the manifest does not know of: an interrupted run wrote them."""
    from safetensors import SafetensorError, safe_open

    photos, skipped, used = {}, {}, set(known.shards())
    for path in sorted(place.glob("*.safetensors")):
        if path.name in used:
            continue
        try:
            with safe_open(path, "numpy") as file:
                about = file.metadata() or {}
        except (SafetensorError, OSError):
            continue
        if about.get("model") == model:
            for row, (name, size, time) in enumerate(json.loads(about["photos"])):
                photos[name] = Place((size, time), path.name, row)
            for name, size, time, reason in json.loads(about["skipped"]):
                skipped[name] = Skipped((size, time), reason)
    return Manifest(model, photos, skipped)


@contextlib.contextmanager
def held(place: Path) -> Iterator[None]:
    """The index for this process alone: another one that updates it waits. Made where it is not there.

    Raises InputError where the folder cannot be written to.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        file = (place / "lock").open("w")
    except OSError as error:
        raise InputError(
            f"{place}: cannot be written to ({error.strerror}); name another folder with --index"
        ) from None
    with file:
        with contextlib.suppress(ImportError):  # Windows has no fcntl; there two updates at a time are not kept apart
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        for aside in place.glob(".*"):  # what a killed run left half-written
            aside.unlink(missing_ok=True)
        yield


def update(folder: str | Path, model: str | Path = QUICK, index: str | Path | None = None) -> tuple[Manifest, int]:
    """Bring the folder's index up to date and return it, with the number of photos that were looked at for it.

    model: a folder, or the name of a model that comes with the package. index: a folder for the index, which is of one
    model; by default the sub-folder .fashionlib/NAME of the photos' own, with the model's name. Photos that cannot be
    read are left out and listed in `skipped`.

    Raises InputError where the folder is missing, holds no photo or none that can be read, where the model is missing,
    and where the index cannot be written.
    """
    place, hash_ = index_folder(folder, index, model), model_hash(model)
    what = plan(folder, place, hash_)
    if what.changed:
        with held(place):
            what = plan(folder, place, hash_)  # another process may have done it meanwhile
            if what.todo:
                from fashionlib.gallery.extract import look_at

                what = replace(what, kept=look_at(expanded(Path(folder)), place, what, model_folder(model)))
            write_manifest(place, what.kept)
    left_out = {name: Skipped(NEVER, why) for name, why in what.left_out.items()}
    manifest = replace(what.kept, skipped={**what.kept.skipped, **left_out})
    if not manifest.photos:
        name, why = next(iter(manifest.skipped.items()), ("", None))
        first = f"; the first: {name}: {why.reason}" if why else ""
        raise InputError(f"{folder}: none of the {len(manifest.skipped)} photos can be read{first}")
    return manifest, len(what.todo)
