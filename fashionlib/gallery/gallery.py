"""A folder of photos as a gallery: indexed once (`fashionlib.gallery.index`), then asked for look-alikes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fashionlib.core.errors import InputError
from fashionlib.core.files import expanded
from fashionlib.gallery.extract import decode, open_model, see
from fashionlib.gallery.index import index_folder, model_hash, update
from fashionlib.gallery.store import Manifest, read_manifest
from fashionlib.metrics import top_k_assignments
from fashionlib.models.pretrained import QUICK, model_folder
from fashionlib.models.tagger import Tagger
from fashionlib.retrieval import recommend as lookalikes
from fashionlib.retrieval.mmr import check_dial
from fashionlib.retrieval.part_features import PartFeatures, Stack
from fashionlib.retrieval.recommend import LEAST_SCORE, Answer, Collection, Row, recommend_parts

TOP = 6  # labels that a photo is taken to carry (§5 of the paper)


@dataclass(frozen=True)
class Gallery:
    """A folder's photos as a model saw them.

    seen: scores, parts and regions; names are paths below `root`. skipped: photos that could not be read, and why.
    thumbnails: for each shard its pictures' bytes and where each of them ends. places: shard and row of each photo.
    """

    root: Path
    model: Tagger
    seen: Collection
    skipped: dict[str, str]
    thumbnails: tuple[tuple[Tensor, Tensor], ...]
    places: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.places)

    def thumbnail(self, photo: int) -> bytes:
        """A small JPEG of the gallery's photo of that number."""
        shard, row = self.places[photo]
        pictures, ends = self.thumbnails[shard]
        start = int(ends[row - 1]) if row else 0
        return pictures[start : int(ends[row])].numpy().tobytes()

    def recommend(
        self, photo: str | Path | np.ndarray, *, per_part: int = 5, diversity: float = 0.5, parts: int = 6
    ) -> list[Row]:
        """The photo's parts, each with `per_part` look-alikes; see `recommend`."""
        return self.answer(photo, per_part=per_part, most=0, diversity=diversity, parts=parts)[0]

    def together(
        self, photo: str | Path | np.ndarray, *, most: int = 10, diversity: float = 0.5
    ) -> list[Answer]:  # fmt: skip
        """One list of photos for all of the photo's parts; see `recommend_together`."""
        return self.answer(photo, per_part=0, most=most, diversity=diversity, parts=0)[1]

    def answer(
        self, photo: str | Path | np.ndarray, *, per_part: int, most: int, diversity: float, parts: int
    ) -> tuple[list[Row], list[Answer]]:
        """Both `recommend` and `together`, of a photo that is looked at once."""
        seen, without = self.look(photo), self._itself(photo)
        same = {"diversity": diversity, "without": without, "least": LEAST_SCORE}
        rows = recommend_parts(seen, 0, self.seen, per_part=per_part, parts=parts, **same) if per_part else []
        found = lookalikes.recommend_together(seen, 0, self.seen, most=most, **same) if most else []
        return rows, found

    def look(self, photo: str | Path | np.ndarray) -> Collection:
        """One photo as this gallery's model sees it. Raises InputError where it cannot be read."""
        seen = see(self.model, [decode(photo, self.model.image_size)])
        tensors = {name: torch.from_numpy(array) for name, array in seen.items()}
        return _collection(tensors, tensors["features"], self.model.labels, ())

    def _itself(self, photo: str | Path | np.ndarray) -> list[int]:
        """The photo's own number, where it lies in the gallery."""
        root = self.root.resolve()
        if isinstance(photo, np.ndarray) or not Path(photo).resolve().is_relative_to(root):
            return []
        name = Path(photo).resolve().relative_to(root).as_posix()
        return [self.seen.names.index(name)] if name in self.seen.names else []


def recommend(
    photo: str | Path | UInt8[np.ndarray, "height width 3"],
    gallery: str | Path | Gallery,
    per_part: int = 5,
    diversity: float = 0.5,
    *,
    parts: int = 6,
    model: str | Path = QUICK,
    index: str | Path | None = None,
) -> list[Row]:
    """The parts of a photo, each with `per_part` look-alikes from a folder of photos.

    photo: a file, or an array in RGB. gallery: a folder, indexed first where it is not, with the `model` named and
    kept in its sub-folder .fashionlib or in the folder `index`; or a `Gallery` opened before
    (`fashionlib.open_gallery`), which answers without loading anything again. diversity: from 0, the nearest, to 1,
    the most varied among ten times as many of the nearest. parts: at most so many.

    A photo that lies in the gallery itself is not recommended to itself. Raises InputError where photo, folder or model
    are missing or cannot be read, and for a dial outside 0 to 1.
    """
    check_dial(diversity)
    if isinstance(gallery, (str, Path)):
        gallery = open_gallery(gallery, model=model, index=index)
    return gallery.recommend(photo, per_part=per_part, diversity=diversity, parts=parts)


def recommend_together(
    photo: str | Path | UInt8[np.ndarray, "height width 3"],
    gallery: str | Path | Gallery,
    most: int = 10,
    diversity: float = 0.5,
    *,
    model: str | Path = QUICK,
    index: str | Path | None = None,
) -> list[Answer]:
    """One list of at most `most` photos of a folder that answer a photo's parts between them.

    diversity: from 0, photos that answer most of the parts, to 1, photos that answer what none before them did. The
    rest as for `recommend`. Raises InputError as that does.
    """
    check_dial(diversity)
    if isinstance(gallery, (str, Path)):
        gallery = open_gallery(gallery, model=model, index=index)
    return gallery.together(photo, most=most, diversity=diversity)


def open_gallery(folder: str | Path, model: str | Path = QUICK, index: str | Path | None = None) -> Gallery:
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
    number = {shard: position for position, shard in enumerate(shards)}
    places = tuple((number[manifest.photos[name].shard], manifest.photos[name].row) for name in names)
    starts = np.cumsum([0, *(len(piece["scores"]) for piece in pieces)])
    rows = torch.tensor([int(starts[shard]) + row for shard, row in places])
    loaded = {key: torch.cat([piece[key] for piece in pieces])[rows] for key in ("scores", "best_step", "boxes")}
    seen = _collection(loaded, Stack([piece["features"] for piece in pieces], rows), model.labels, names)
    thumbnails = tuple((piece["thumbnails"], piece["thumbnail_ends"]) for piece in pieces)
    skipped = {name: why.reason for name, why in manifest.skipped.items()}
    return Gallery(folder, model, seen, skipped, thumbnails, places)


def _collection(
    tensors: dict[str, Tensor], features: Tensor | Stack, labels: tuple[str, ...], names: tuple[str, ...]
) -> Collection:
    scores = tensors["scores"].numpy()
    assigned = torch.from_numpy(top_k_assignments(scores, k=min(TOP, len(labels))).astype(bool))
    parts = PartFeatures(features, tensors["best_step"].long(), assigned)
    return Collection(scores, parts, tensors["boxes"].numpy(), labels, names)


def _open_shard(path: Path) -> dict[str, Tensor]:
    """The arrays of a shard, mapped: what is not read stays on disk."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged ({error}); remove its folder and index the photos again") from error
