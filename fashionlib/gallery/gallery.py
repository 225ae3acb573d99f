"""A folder of photos as a gallery: indexed once (`fashionlib.gallery.index`), then asked for look-alikes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fashionlib.core.errors import InputError
from fashionlib.core.files import expanded
from fashionlib.gallery.copies import Copies
from fashionlib.gallery.extract import decode, open_model, see, thumbnail
from fashionlib.gallery.index import index_folder, model_hash, update
from fashionlib.gallery.store import Manifest, read_manifest
from fashionlib.metrics.tagging import top_k_assignments
from fashionlib.models.pretrained import DEFAULT, model_folder
from fashionlib.models.tagger import Tagger
from fashionlib.retrieval import recommend as lookalikes
from fashionlib.retrieval.collection import Answer, Collection, Row
from fashionlib.retrieval.mmr import check_dial
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.recommend import MIN_SCORE, recommend_parts

COMPARED = 200
TOP = 6  # labels that a photo is taken to carry (§5 of the paper)


@dataclass(frozen=True)
class Gallery:
    """A folder's photos as a model saw them.

    seen: scores, features and regions; names are paths below `root`. skipped: photos that could not be read, and why.
    cells: colours of a grid over each photo, which tell copies.
    by_stamp: the numbers of the photos whose files have that size and time.
    """

    root: Path
    model: Tagger
    seen: Collection
    skipped: dict[str, str]
    cells: UInt8[np.ndarray, "photos 16 16 3"]
    by_stamp: dict[tuple[int, int], list[int]]

    def __len__(self) -> int:
        return len(self.seen.names)

    def thumbnail(self, photo: int) -> bytes:
        """A small JPEG of the gallery's photo of that number. Raises InputError where it cannot be read any more."""
        return thumbnail(self.root / self.seen.names[photo])

    def recommend(self, photo: object, *, per_part: int = 5, diversity: float = 0.5, parts: int = 6) -> list[Row]:
        """The photo's parts, each with `per_part` look-alikes; see `recommend`."""
        return self.answer(photo, per_part=per_part, k=0, diversity=diversity, parts=parts)[0]

    def together(self, photo: object, *, k: int = 10, diversity: float = 0.5) -> list[Answer]:
        """One list of photos for all of the photo's parts; see `recommend_together`."""
        return self.answer(photo, per_part=0, k=k, diversity=diversity, parts=0)[1]

    def answer(
        self, photo: object, *, per_part: int, k: int, diversity: float, parts: int
    ) -> tuple[list[Row], list[Answer]]:
        """Both `recommend` and `together`, of a photo that is looked at once.

        Of photos that are copies of each other (`fashionlib.gallery.copies`) one is shown, and says how many are like
        it; that is found out for the first `COMPARED` photos shown.
        """
        seen, hidden, alike = self.look(photo), {*self._itself(photo)}, dict[int, int]()
        while True:
            same = {"diversity": diversity, "exclude": hidden, "min_score": threshold_of(self.model)}
            rows = []
            if per_part:
                rows = recommend_parts(seen, 0, self.seen, per_part=per_part, parts=parts, merge=True, **same)
            found = lookalikes.recommend_together(seen, 0, self.seen, k=k, **same) if k else []
            shown = dict.fromkeys([look.photo for row in rows for look in row.looks] + [one.photo for one in found])
            for one in list(shown)[:COMPARED]:
                if one not in alike and one not in hidden:
                    copies = {*self.copies.of(one)} - hidden - alike.keys()
                    hidden |= copies
                    alike[one] = len(copies)
            if hidden.isdisjoint(shown):
                break
        rows = [replace(row, looks=tuple(look.like(alike.get(look.photo, 0)) for look in row.looks)) for row in rows]
        return rows, [replace(one, alike=alike.get(one.photo, 0)) for one in found]

    @cached_property
    def copies(self) -> Copies:
        return Copies(self.cells)

    def look(self, photo: object) -> Collection:
        """One photo as this gallery's model sees it. Raises InputError where it cannot be read."""
        seen = see(self.model, [decode(photo, self.model.image_size)])
        tensors = {name: torch.from_numpy(array) for name, array in seen.items()}
        return collection_of(tensors, self.model, ())

    def _itself(self, photo: object) -> list[int]:
        """The numbers of the gallery's names of this very file, links and hard links among them."""
        if not isinstance(photo, (str, os.PathLike)):
            return []
        path = expanded(Path(photo))
        try:
            state = os.stat(path)
            names = self.by_stamp.get((state.st_size, state.st_mtime_ns), [])
            return [number for number in names if os.path.samefile(path, self.root / self.seen.names[number])]
        except OSError:  # removed meanwhile
            return []


def recommend(
    photo: object,
    gallery: str | Path | Gallery,
    per_part: int = 5,
    diversity: float = 0.5,
    *,
    parts: int = 6,
    model: str | Path = DEFAULT,
    index: str | Path | None = None,
) -> list[Row]:
    """The parts of a photo, each with `per_part` look-alikes from a folder of photos.

    photo: a file, a PIL image, or an array in RGB (`fashionlib.data.photos.open_photo`). gallery: a folder, indexed
    first where it is not, with the `model` named and kept in its sub-folder .fashionlib or in the folder `index`; or a
    `Gallery` opened before (`fashionlib.open_gallery`), which answers without loading anything again. diversity: from
    0, the nearest, to 1, the most varied among ten times as many of the nearest. parts: at most so many.

    A photo that lies in the gallery itself is not recommended to itself, and of copies only one is. Raises InputError
    where photo, folder or model are missing or cannot be read, and for a dial outside 0 to 1.
    """
    check_dial(diversity)
    if isinstance(gallery, (str, Path)):
        gallery = open_gallery(gallery, model=model, index=index)
    return gallery.recommend(photo, per_part=per_part, diversity=diversity, parts=parts)


def recommend_together(
    photo: object,
    gallery: str | Path | Gallery,
    k: int = 10,
    diversity: float = 0.5,
    *,
    model: str | Path = DEFAULT,
    index: str | Path | None = None,
) -> list[Answer]:
    """One list of at most `k` photos of a folder that answer a photo's parts between them.

    diversity: from 0, photos that answer most of the parts, to 1, photos that answer what none before them did. The
    rest as for `recommend`. Raises InputError as that does.
    """
    check_dial(diversity)
    if isinstance(gallery, (str, Path)):
        gallery = open_gallery(gallery, model=model, index=index)
    return gallery.together(photo, k=k, diversity=diversity)


def open_gallery(folder: str | Path, model: str | Path = DEFAULT, index: str | Path | None = None) -> Gallery:
    """The folder's photos as `model` saw them; indexed first, or brought up to date, where that is due.

    model: a folder, or the name of a model that comes with the package. index: where the index is kept, by default
    the sub-folder .fashionlib/NAME, with the model's name.

    Raises InputError where folder or model are missing, where no photo can be read, or the index is damaged.
    """
    place = index_folder(folder, index, model)
    manifest, _ = update(folder, model, index)
    try:
        return _open(expanded(Path(folder)), place, manifest, open_model(model_folder(model)))
    except FileNotFoundError:  # another process brought the index up to date meanwhile
        manifest = read_manifest(place, model_hash(model)) or manifest
        return _open(expanded(Path(folder)), place, manifest, open_model(model_folder(model)))


def _open(folder: Path, place: Path, manifest: Manifest, model: Tagger) -> Gallery:
    shards, names = manifest.used(), tuple(sorted(manifest.photos))
    pieces = [_open_shard(place / shard) for shard in shards]
    starts = dict(zip(shards, np.cumsum([0, *(len(piece["scores"]) for piece in pieces)]).tolist(), strict=False))
    rows = torch.tensor([starts[one.shard] + one.row for one in (manifest.photos[name] for name in names)])
    tensors = {key: torch.cat([piece[key] for piece in pieces])[rows] for key in pieces[0]}
    skipped = {name: why.reason for name, why in manifest.skipped.items()}
    by_stamp: dict[tuple[int, int], list[int]] = {}
    for one, name in enumerate(names):
        by_stamp.setdefault(manifest.photos[name].stamp[:2], []).append(one)
    cells = tensors["cells"].numpy()
    return Gallery(folder, model, collection_of(tensors, model, names), skipped, cells, by_stamp)


def collection_of(tensors: dict[str, Tensor], model: Tagger, names: tuple[str, ...]) -> Collection:
    """What `see` found as recommendations need it; a photo carries its six best labels from the threshold on."""
    scores = tensors["scores"].float().numpy()
    assigned = top_k_assignments(scores, k=min(TOP, len(model.labels))).astype(bool)
    assigned &= (scores >= threshold_of(model)) | (scores == scores.max(1, keepdims=True))
    parts = PartFeatures(tensors["features"], tensors["best_step"].long(), torch.from_numpy(assigned))
    boxes = tensors["boxes"].float().numpy()
    return Collection(scores, parts, boxes, model.labels, names, whole=tensors["whole"].float())


def threshold_of(model: Tagger) -> float:
    """The score from which on a label is a part of a photo: the model's own, or, where nobody chose it, MIN_SCORE."""
    return model.threshold or MIN_SCORE


def _open_shard(path: Path) -> dict[str, Tensor]:
    """The arrays of a shard, mapped: what is not read stays on disk."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged ({error}); remove its folder and index the photos again") from error
