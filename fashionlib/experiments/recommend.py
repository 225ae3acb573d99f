"""Figs. 1 and 4: what test photos are recommended, part by part and as a whole; the same of one's own folder."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.core.files import build_aside
from fashionlib.data.photos import read_photo
from fashionlib.data.wardrobe.dataset import VERSION, Wardrobe
from fashionlib.experiments.methods import boxes_seen, cache_folder, photos_of, predictions
from fashionlib.experiments.profile import Profile, text_of
from fashionlib.experiments.table1 import TOP
from fashionlib.experiments.topk import part_features
from fashionlib.gallery.gallery import Gallery, open_gallery
from fashionlib.metrics.tagging import top_k_assignments
from fashionlib.models.pretrained import DEFAULT
from fashionlib.plots.looks import grid_rows
from fashionlib.retrieval.collection import Answer, Collection, LookAlike, Region, Row
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.ranking import rank_whole
from fashionlib.retrieval.recommend import recommend_parts, recommend_together

DRAWN = 40  # photos of a gallery where no folder is at hand


@dataclass(frozen=True)
class Recommender:
    """Test photos, each a query and the others its gallery, seen by the parser and by the whole-image rival."""

    query: Collection
    whole_query: np.ndarray
    whole_seen: Collection  # as if the whole picture were the part of every label

    def parts(self, photo: int, *, parts: int = 4) -> list[Row]:
        return recommend_parts(self.query, photo, self.query, exclude=[photo], parts=parts)

    def together(self, photo: int, *, k: int = 10) -> list[Answer]:
        return recommend_together(self.query, photo, self.query, exclude=[photo], k=k)

    def asked(self, photo: int, answers: Sequence[Answer]) -> dict[str, Region]:
        """Where the query shows each label that one of the answers answers, the best label first."""
        answered = {look.label for each in answers for look in each.looks}
        order = np.argsort(-self.query.scores[photo], kind="stable").tolist()
        named = {self.query.labels[label]: label for label in order}
        return {name: self.query.region(photo, label) for name, label in named.items() if name in answered}

    def whole(self, photo: int) -> list[LookAlike]:
        """The five other photos nearest as a whole, by features at length 1."""
        unit = torch.nn.functional.normalize(torch.from_numpy(self.whole_query), dim=1)
        near = rank_whole(unit[photo : photo + 1], unit, k=min(6, len(unit)))
        pairs = zip(near.indices[0].tolist(), near.distances[0].tolist(), strict=True)
        return [LookAlike(one, "whole picture", None, distance) for one, distance in pairs if one != photo][:5]


def recommender(profile: Profile, *, seed: int | None = None) -> Recommender:
    """The methods `parser` and `whole`, trained or loaded, on the profile's test photos.

    seed: the profile's first one by default. Raises InputError where `parser` sees the picture whole.
    """
    seed = profile.seeds[0] if seed is None else seed
    photos = photos_of(profile, "test", seed)
    seen, pooled = (predictions(profile, name, seed, "test") for name in ("parser", "whole"))
    # as a whole-image method sees them: one region, the picture, whose features are at length 1
    features = torch.nn.functional.normalize(torch.from_numpy(pooled.features[:, :1]), dim=2)
    assigned = top_k_assignments(pooled.scores, k=min(TOP, pooled.scores.shape[1])).astype(bool)
    parts = PartFeatures(features, torch.zeros(pooled.scores.shape, dtype=torch.long), torch.from_numpy(assigned))
    boxes = np.broadcast_to(np.array([0.0, 0.0, 1.0, 1.0], dtype=np.float32), (len(features), 1, 4))
    whole = Collection(pooled.scores, parts, boxes, photos.labels, photos.ids)
    images = np.asarray(photos.images)
    parser = Collection(seen.scores, part_features(seen), boxes_seen(seen, "parser"), photos.labels, photos.ids, images)
    return Recommender(parser, pooled.features[:, 0], whole)


def telling_queries(recommend: Recommender, count: int) -> list[int]:
    """The first test photos whose four best labels were won by the most different regions, where parts differ most.

    Chosen by the network's own output alone, not by how good the answers look.
    """
    query = recommend.query
    top = np.argsort(-query.scores, axis=1)[:, :4]
    steps = np.take_along_axis(query.parts.best_step.numpy(), top, axis=1)
    different = np.array([len(set(row)) for row in steps.tolist()])
    return np.argsort(-different, kind="stable")[:count].tolist()


def own_gallery(folder: object = "", model: object = "") -> Gallery:
    """The photos of `folder` as `model` sees them; drawn photos, made once, and the packaged model by default.

    Both are taken as text: papermill's -p makes a number of a name such as 2024. Raises InputError as `open_gallery`.
    """
    if isinstance(folder, int | float) and not Path(str(folder)).is_dir():
        raise InputError(f"{folder}: no such folder; a name that is a number, such as 007, is given with papermill -r")

    def draw(aside: Path) -> None:
        wardrobe = Wardrobe("test", size=(384, 256), counts={"test": DRAWN})
        for number in range(DRAWN):
            Image.fromarray(wardrobe[number].image).save(aside / f"street-{number + 1:03d}.png")

    place = text_of(folder) or build_aside(cache_folder() / f"drawn-{VERSION}-{DRAWN}", draw)
    return open_gallery(place, text_of(model) or DEFAULT)


def picture(photo: object) -> np.ndarray:
    """The photo at a size to look at. Raises InputError where it cannot be read."""
    image = Image.fromarray(read_photo(text_of(photo), (960, 640)))
    image.thumbnail((640, 960))
    return np.asarray(image)


def cells_of(rows: list[Row], gallery: Gallery) -> list[dict]:
    """Rows as `fashionlib.plots.recommendation_grid` takes them, with the gallery's small pictures."""
    return grid_rows(rows, lambda photo: np.asarray(Image.open(io.BytesIO(gallery.thumbnail(photo)))))
