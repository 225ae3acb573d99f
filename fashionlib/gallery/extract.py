"""Photos to what a model sees in them, as fast as the machine allows: decoded in threads while the network runs."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from fashionlib.core.console import tracked
from fashionlib.core.device import on_every_core
from fashionlib.core.errors import InputError, PassingError
from fashionlib.core.output import Output
from fashionlib.core.sealed import Damaged, content_hash
from fashionlib.core.threads import in_order
from fashionlib.data.augment import images_to_float
from fashionlib.data.photos import letterbox, placement_of, read_photo
from fashionlib.gallery.copies import cells
from fashionlib.gallery.index import SHARD, Plan
from fashionlib.gallery.store import NEVER, Manifest, Place, Skipped, write_shard
from fashionlib.models.spatial_transformer import boxes_of
from fashionlib.models.tagger import Tagger, load_model

BATCH = 16
THUMBNAIL = (320, 320)  # the largest width and height of the small pictures, in pixels
_AHEAD = 3 * BATCH  # photos decoded before the network asks for them


@dataclass(frozen=True)
class Decoded:
    """A photo as the network takes it, its height and width as decoded, and a grid of colours that tells copies."""

    canvas: UInt8[np.ndarray, "height width 3"]
    shape: tuple[int, int]
    cells: UInt8[np.ndarray, "16 16 3"]


def decode(photo: object, size: tuple[int, int]) -> Decoded:
    """A photo, as `open_photo` takes it, fitted into `size` (height, width). Raises InputError as that does."""
    image = read_photo(photo, size)
    return decoded(image, size)


def decoded(image: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]) -> Decoded:
    """`decode` of an array."""
    return Decoded(letterbox(image, size)[0], image.shape[:2], cells(image))


def thumbnail(path: Path) -> bytes:
    """A small JPEG of the photo, made when it is shown. Raises InputError where the photo cannot be read any more."""
    return jpeg(read_photo(path, (THUMBNAIL[1], THUMBNAIL[0])), THUMBNAIL)


def jpeg(image: UInt8[np.ndarray, "height width 3"], largest: tuple[int, int]) -> bytes:
    """The photo as a JPEG no wider and no higher than `largest` (width, height, in pixels)."""
    small, file = Image.fromarray(image), io.BytesIO()
    small.thumbnail(largest, Image.Resampling.BILINEAR, reducing_gap=1.0)  # twice as fast, as good at this size
    small.save(file, "JPEG", quality=80)
    return file.getvalue()


def open_model(folder: str | Path) -> Tagger:
    """The model, laid out for speed. Raises InputError where it is missing, damaged, or sees pictures whole."""
    model = load_model(folder)
    if model.kind != "parser":
        raise InputError(f"{folder}: this model sees pictures whole and finds no parts; name one of kind parser")
    return model.accelerated()


@torch.no_grad()
def see(model: Tagger, photos: Sequence[Decoded]) -> dict[str, np.ndarray]:
    """What the model says of each photo (first axis), as an index keeps it.

    scores: photos × labels, 0..1. whole: photos × channels. features: photos × steps × channels. best_step: photos ×
    labels. boxes: photos × steps × (x1, y1, x2, y2) in 0..1 of the photo, not clipped to it. All in half precision.

    Raises InputError where a feature is no number.
    """
    return see_maps(model, trunk_maps_of(model, photos), photos)[0]


def trunk_maps_of(model: Tagger, photos: Sequence[Decoded]) -> Float[Tensor, "b d y x"]:
    """The trunk's maps of the photos, in single precision."""
    return model.encode(images_to_float(np.stack([photo.canvas for photo in photos])), "auto").float()


def see_maps(
    model: Tagger, maps: Float[Tensor, "b d y x"], photos: Sequence[Decoded]
) -> tuple[dict[str, np.ndarray], Output]:
    """What `see` gives, and the head's own output. photos: whose maps they are."""
    output = model.head(maps)  # as it was trained: the head's own numbers need all their digits
    assert output.steps is not None
    assert output.theta is not None
    whole, features = (each.half().cpu().numpy() for each in model.head.separated(output.features))
    if not (np.isfinite(features).all() and np.isfinite(whole).all()):
        raise InputError("the model's features are not finite: train it again with a lower learning rate")
    steps = output.theta.shape[:2]
    boxes = boxes_of(output.theta.flatten(0, 1)).unflatten(0, steps).cpu().numpy()
    found = {
        "scores": model.probabilities(output.scores).half().cpu().numpy(),
        "whole": whole,
        "cells": np.stack([photo.cells for photo in photos]),
        "features": features,
        "best_step": output.steps.argmax(1).to(torch.uint8).cpu().numpy(),
        "boxes": np.stack(
            [_of_photo(box, one.shape, model.image_size) for box, one in zip(boxes, photos, strict=True)]
        ).astype(np.float16),
    }
    return found, output


def _of_photo(boxes: np.ndarray, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Boxes in 0..1 of the canvas as boxes in 0..1 of the photo that lies on it."""
    place = placement_of(shape, size)
    corner = np.array([place.left, place.top] * 2)
    extent = place.scale * np.array([shape[1], shape[0]] * 2)
    return ((boxes * np.array([size[1], size[0]] * 2) - corner) / extent).astype(np.float32)


def look_at(folder: Path, place: Path, what: Plan, model: str | Path) -> Manifest:
    """Look at the plan's photos, write shards of them to the index at `place`; return all that is known then.

    Raises InputError where the model cannot be used.
    """
    tagger, known = open_model(model), what.kept
    known = Manifest(known.model, dict(known.photos), dict(known.skipped), dict(known.shards))
    decoded = in_order(lambda name: _read(folder, name, tagger.image_size), what.todo, ahead=_AHEAD)
    photos = iter(tracked(decoded, "looking at photos", len(what.todo)))
    for _ in range(0, len(what.todo), SHARD):
        part, arrays = _look(islice(photos, SHARD), what, tagger)
        part = write_shard(place, arrays, part)
        known.photos.update(part.photos)
        known.skipped.update(part.skipped)
        known.shards.update(part.shards)
    return known


def _look(
    read: Iterator[tuple[str, str, Decoded | InputError]], what: Plan, model: Tagger
) -> tuple[Manifest, dict[str, np.ndarray]]:
    """Photos as `_read` gives them, seen batch by batch: those seen and those skipped, and the arrays of a shard."""
    found = Manifest(what.kept.model)

    def sound() -> Iterator[Decoded]:
        for name, content, one in read:
            if isinstance(one, Decoded):
                found.photos[name] = Place(what.todo[name], content, "", 0)
                yield one
            else:  # a fault that passes is kept for no file that there can be
                stamp = NEVER if isinstance(one, PassingError) else what.todo[name]
                found.skipped[name] = Skipped(stamp, str(one))

    photos = sound()
    batches = iter(lambda: [*islice(photos, BATCH)], [])
    # a batch is one core's from pixels to boxes: while cores share a batch, some wait for others
    rows = [*on_every_core(lambda batch: see(model, batch), batches)]
    return found, {key: np.concatenate([row[key] for row in rows]) for key in rows[0]} if rows else {}


def _read(folder: Path, name: str, size: tuple[int, int]) -> tuple[str, str, Decoded | InputError]:
    """The name, the checksum of the photo's file, and the photo, or why it cannot be read."""
    content, path = "", folder / name
    # before it is decoded: what replaces it meanwhile is looked at again
    with contextlib.suppress(OSError, Damaged):
        content = content_hash(path)
    try:
        return name, content, decode(path, size)
    except InputError as error:
        return name, content, type(error)(str(error).removeprefix(f"{path}: "))
