"""The files of an index: which there are, what they hold, and which of them may be removed.

`fashionlib-manifest.json` says where each photo's features are; shards, `fashionlib-CHECKSUM.safetensors`, hold what a
model saw in up to 128 photos, and say themselves of which. `fashionlib-lock` marks the folder as an index: only where
it does, and only files that have our names, is anything ever removed. Everything is written aside and renamed.

Locks, rights and times are a courtesy here: a disk that lacks them holds the same index.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.core.sealed import (
    Damaged,
    Stat,
    bytes_hash,
    content_hash,
    is_free,
    notice,
    read_bytes,
    read_json,
    stat_of,
    write_json,
)

FORMAT = 2
MANIFEST, LOCK = "fashionlib-manifest.json", "fashionlib-lock"
_MARK = b"This folder holds an index of fashionlib, which removes files called fashionlib-... from it.\n"
_OURS = re.compile(r"fashionlib-[0-9a-f]{32}\.safetensors|\.fashionlib-.{1,60}\.[a-z0-9_]{8}")

NEVER: Stat = (-1, -1, -1)  # of no file: what is kept with it is looked at again by the next update


@dataclass(frozen=True)
class Place:
    """Where a photo's features are: the shard's file name and the row in it.

    stamp: the file's size and times; content: its checksum, so that a file that was only touched or copied is known.
    """

    stamp: Stat
    content: str
    shard: str
    row: int


@dataclass(frozen=True)
class Skipped:
    """Why a photo could not be read, when its file had this size and these times."""

    stamp: Stat
    reason: str


@dataclass(frozen=True)
class Manifest:
    """photos and skipped: by path below the folder, the parts joined with slashes. model: hash of what saw them.

    shards: by file name, its size and times when it was last read whole.
    """

    model: str
    photos: dict[str, Place] = field(default_factory=dict)
    skipped: dict[str, Skipped] = field(default_factory=dict)
    shards: dict[str, Stat] = field(default_factory=dict)

    def used(self) -> list[str]:
        """The shards that a photo is in."""
        return sorted({place.shard for place in self.photos.values()})


def read_manifest(place: Path, model: str) -> Manifest | None:
    """This model's index, without the photos of shards that are gone or damaged; None where there is none of it."""
    try:
        values = read_json(place / MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise InputError(f"{place / MANIFEST}: cannot be read; check its rights, or name another --index") from error
    except (OSError, Damaged) as error:
        notice(f"{place / MANIFEST}: damaged ({getattr(error, 'strerror', None) or error}); it is made again")
        return None
    if values["format"] != FORMAT or values["model"] != model:
        return None
    shards = {name: _sound(place, name, (bytes_, changed, entry)) for name, bytes_, changed, entry in values["shards"]}
    numbered = list(shards)
    photos = {
        name: Place((size, changed, entry), content, numbered[shard], row)
        for name, size, changed, entry, content, shard, row in values["photos"]
        if shards[numbered[shard]] is not None
    }
    skipped = {name: Skipped((size, changed, entry), why) for name, size, changed, entry, why in values["skipped"]}
    return Manifest(model, photos, skipped, {name: one for name, one in shards.items() if one is not None})


def _sound(place: Path, name: str, known: Stat | None) -> Stat | None:
    """The shard's size and times, if it holds what its name says; read only where they are not those `known`."""
    path = place / name
    try:
        now = stat_of(path)
        if now == known or f"fashionlib-{content_hash(path)}.safetensors" == name:
            return now
        why = "its checksum does not fit"
    except (FileNotFoundError, NotADirectoryError):
        why = "it is gone"
    except (OSError, Damaged) as error:
        why = getattr(error, "strerror", None) or str(error)
    notice(f"{path}: damaged ({why}); its photos are looked at again")
    return None


def write_manifest(place: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, and only then remove the shards that no photo is in any more.

    Raises InputError where it cannot be written.
    """
    shards = manifest.used()
    number = {shard: position for position, shard in enumerate(shards)}
    stats = {name: manifest.shards.get(name) or stat_of(place / name) for name in shards}
    values = {
        "format": FORMAT, "model": manifest.model, "shards": [[name, *stats[name]] for name in shards],
        "photos": [
            [name, *one.stamp, one.content, number[one.shard], one.row] for name, one in sorted(manifest.photos.items())
        ],
        "skipped": [[name, *one.stamp, one.reason] for name, one in sorted(manifest.skipped.items())],
    }  # fmt: skip
    write_json(place / MANIFEST, values)
    _remove(place, keep={*shards})


def write_shard(place: Path, arrays: Mapping[str, np.ndarray], part: Manifest) -> Manifest:
    """Write what a model saw of some photos, row by row, and why others were skipped; return both with their place.

    part: names and stamps; a photo's row is its position. The arrays' first axis is the photos, if there are any.
    """
    from safetensors.numpy import save

    about = {
        "model": part.model,
        "photos": [[name, *one.stamp, one.content] for name, one in part.photos.items()],
        "skipped": [[name, *why.stamp, why.reason] for name, why in part.skipped.items()],
    }
    content = save(dict(arrays), {"about": json.dumps(about)})  # one text: safetensors writes several in any order
    name = f"fashionlib-{bytes_hash(content)}.safetensors"
    with written_aside(place / name, own=True) as file:
        file.write(content)
    placed = {one: replace(where, shard=name, row=row) for row, (one, where) in enumerate(part.photos.items())}
    return replace(part, photos=placed, shards={name: stat_of(place / name)})


def left_over(place: Path, known: Manifest) -> Manifest:
    """What shards of this model say that the manifest does not know of: an interrupted run wrote them."""
    found = Manifest(known.model)
    for path in sorted(place.glob("fashionlib-*.safetensors")):
        about = {} if path.name in known.shards else _about(path)
        stamp = _sound(place, path.name, None) if about.get("model") == known.model else None
        if stamp is None:
            continue
        found.shards[path.name] = stamp
        for row, (name, size, changed, entry, content) in enumerate(about["photos"]):
            found.photos[name] = Place((size, changed, entry), content, path.name, row)
        for name, size, changed, entry, why in about["skipped"]:
            found.skipped[name] = Skipped((size, changed, entry), why)
    return found


def _about(path: Path) -> dict[str, Any]:
    """What a shard says of itself; nothing where it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            with safe_open(path, "numpy") as file:
                about = json.loads((file.metadata() or {}).get("about", "{}"))
                return about if isinstance(about, dict) else {}
    except (SafetensorError, OSError, ValueError):
        pass
    return {}


@contextlib.contextmanager
def held(place: Path) -> Iterator[None]:
    """The index for this process alone: another one that updates it waits. Made where it is not there.

    Raises InputError where the folder cannot be written to.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        no_link = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | no_link, 0o666)
    except OSError as error:
        raise InputError(
            f"{place}: cannot be written to ({error.strerror}); name another folder with --index"
        ) from None
    with os.fdopen(handle, "r+b", buffering=0) as file:
        _lock(file.fileno(), place)
        if not os.fstat(handle).st_size:
            with contextlib.suppress(OSError):  # a full disk is told by what is written next
                file.write(_MARK)
        _remove(place, keep=None)
        yield


def _lock(handle: int, place: Path) -> None:
    if is_free(handle) is False:
        notice(f"{place}: another process is bringing this index up to date; waiting for its end")
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)


def _remove(place: Path, keep: set[str] | None) -> None:
    """Remove what a killed run left half-written and, with `keep`, shards that are not among these.

    Only in a folder that is marked as ours.
    """
    try:
        ours = read_bytes(place / LOCK, len(_MARK)) == _MARK
    except (OSError, Damaged):
        ours = False
    for path in place.iterdir() if ours else ():
        old = path.name.startswith(".") or (keep is not None and path.name not in keep)
        if old and _OURS.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()
