"""A folder's index: what a model saw in its photos, brought up to date for changed files only.

`fashionlib.gallery.store` knows its files. Nothing here needs torch: finding out that nothing has changed takes a
moment.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.core.files import expanded
from fashionlib.core.sealed import Damaged, Stat, content_hash, stat_of
from fashionlib.data.folder import Folder
from fashionlib.data.photos import PHOTOS_VERSION
from fashionlib.gallery.store import (
    FORMAT,
    NEVER,
    Manifest,
    Place,
    Skipped,
    held,
    left_over,
    read_manifest,
    write_manifest,
)
from fashionlib.models.pretrained import DEFAULT, model_folder

INDEX_VERSION = 3  # raise it when a model sees something else in the same photo (`fashionlib.gallery.extract`)
SHARD = 128  # photos; what a kill can cost
OWN_FOLDER = ".fashionlib"


@dataclass(frozen=True)
class Plan:
    """What an update has to do: `todo` are the photos to look at, `kept` is what is known of the others already.

    changed: whether a new manifest is due; touched: whether it would say nothing new but files' times, which may wait.
    left_out: by name, why a photo or sub-folder is not read at all; not kept.
    """

    kept: Manifest
    todo: dict[str, Stat]
    changed: bool
    touched: bool
    left_out: dict[str, str]


def model_hash(name: str | Path) -> str:
    """Changes with the model's weights, its options, and the versions of what makes features of a photo.

    Raises InputError where there is no model of that name.
    """
    folder, digest = model_folder(name), hashlib.sha256()
    for file in ("config.json", "model.safetensors"):
        try:
            digest.update(content_hash(folder / file).encode())
        except (OSError, Damaged) as error:
            why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
            raise InputError(
                f"{folder}: no model here ({file} {why}); name a folder with config.json and model.safetensors"
            ) from error
    digest.update(f"{FORMAT} {INDEX_VERSION} {PHOTOS_VERSION}".encode())
    return digest.hexdigest()[:16]


def index_folder(folder: str | Path, index: str | Path | None, model: str | Path) -> Path:
    """`index`, or the sub-folder .fashionlib/NAME of the photos' own, with the model's name.

    So who tries another model does not wait again when they come back to the first.
    """
    own = expanded(Path(folder)) / OWN_FOLDER / Path(model).resolve().name
    return own if index is None else expanded(Path(index))


def plan(folder: str | Path, place: Path, model: str) -> Plan:
    """Compare the folder's photos with what the index at `place` knows of them: by size and times, then by content.

    Raises InputError where the folder is missing or holds no photo.
    """
    there = Folder(folder)
    found = _stamps(there)
    manifest = read_manifest(place, model)
    known = manifest or Manifest(model)
    more = left_over(place, known)  # later than what is known
    photos, skipped, places, faults = {}, {}, {**known.photos, **more.photos}, {**known.skipped, **more.skipped}
    for name, stamp in found.items():
        if name in places and (one := _recognised(there.root / name, stamp, places[name])) is not None:
            photos[name] = one
        elif name in faults and faults[name].stamp == stamp:
            skipped[name] = faults[name]
    kept = Manifest(model, photos, skipped, {**known.shards, **more.shards})
    todo = {name: stamp for name, stamp in found.items() if name not in photos and name not in skipped}
    changed = manifest is None or bool(todo or more.shards) or _said(kept) != _said(known)
    return Plan(kept, todo, changed, kept != known, there.left_out)


def _recognised(path: Path, stamp: Stat, known: Place) -> Place | None:
    """Where the features of the photo at `path` are, if those `known` are of this file or of one with its content."""
    if known.stamp == stamp:
        return known
    with contextlib.suppress(OSError, Damaged):
        if known.stamp[0] == stamp[0] and known.content == content_hash(path):
            return replace(known, stamp=stamp)
    return None


def _said(manifest: Manifest) -> tuple:
    """What a manifest says, whenever files were touched."""
    return {name: (one.shard, one.row) for name, one in manifest.photos.items()}, manifest.skipped


def _stamps(folder: Folder) -> dict[str, Stat]:
    """Every photo of the folder with its size and times; one that vanishes meanwhile is no photo."""
    stamps = {}
    for name in folder.ids:
        with contextlib.suppress(OSError):
            stamps[name] = stat_of(folder.root / name)
    return stamps


def update(folder: str | Path, model: str | Path = DEFAULT, index: str | Path | None = None) -> tuple[Manifest, int]:
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
    elif what.touched:
        with contextlib.suppress(InputError), held(place):  # only spares the next run a look at these files
            write_manifest(place, what.kept)
    left_out = {name: Skipped(NEVER, why) for name, why in what.left_out.items()}
    manifest = replace(what.kept, skipped={**what.kept.skipped, **left_out})
    if not manifest.photos:
        name, why = next(iter(manifest.skipped.items()), ("", None))
        first = f"; the first: {name}: {why.reason}" if why else ""
        raise InputError(f"{folder}: none of the {len(manifest.skipped)} photos can be read{first}")
    return manifest, len(what.todo)
