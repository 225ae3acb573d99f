"""Figs. 1 and 4: what the test photos are recommended, part by part and as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fashionlib.core.errors import InputError
from fashionlib.data.augment import PLAIN
from fashionlib.data.store import Photos
from fashionlib.experiments.methods import fit, inputs_of, photos_of
from fashionlib.experiments.profile import Profile
from fashionlib.experiments.table1 import TOP
from fashionlib.experiments.topk import part_features
from fashionlib.metrics.tagging import top_k_assignments
from fashionlib.models.attention import boxes_of
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.recommend import (
    Answer,
    Collection,
    LookAlike,
    Region,
    Row,
    recommend_parts,
    recommend_together,
)
from fashionlib.retrieval.shown import recommend_whole
from fashionlib.training.loop import Predictions, predict


@dataclass(frozen=True)
class Recommender:
    """Test photos as queries and a gallery, seen by the parser and by the whole-image rival."""

    query: Collection
    gallery: Collection
    whole_query: np.ndarray
    whole_gallery: np.ndarray
    whole_seen: Collection  # the queries, as if the whole picture were the part of every label

    def parts(self, photo: int, *, per_part: int = 5, parts: int = 4) -> list[Row]:
        return recommend_parts(self.query, photo, self.gallery, per_part=per_part, parts=parts)

    def together(self, photo: int, *, k: int = 10, diversity: float = 0.5) -> list[Answer]:
        return recommend_together(self.query, photo, self.gallery, k=k, diversity=diversity)

    def asked(self, photo: int, answers: Sequence[Answer]) -> dict[str, Region]:
        """Where the query shows each label that one of the answers answers, the best label first."""
        answered = {look.label for each in answers for look in each.looks}
        order = np.argsort(-self.query.scores[photo], kind="stable").tolist()
        return {
            self.query.labels[label]: self.query.region(photo, label)
            for label in order
            if self.query.labels[label] in answered
        }

    def whole(self, photo: int, *, k: int = 5) -> list[LookAlike]:
        return recommend_whole(self.whole_query, photo, self.whole_gallery, k=k)


def recommender(
    profile: Profile, method: str = "parser", rival: str = "whole", *, seed: int | None = None, gallery: str = "train"
) -> Recommender:
    """Both methods, trained or loaded, on the profile's test photos as queries and those of the split `gallery`.

    seed: the profile's first one by default. Raises InputError where `method` sees the picture whole.
    """
    seed = profile.seeds[0] if seed is None else seed
    sides = [photos_of(profile, split, seed) for split in ("test", gallery)]
    inputs = [inputs_of(profile, side, [PLAIN]) for side in sides]
    model, whole = fit(profile, method, seed), fit(profile, rival, seed)
    seen = [predict(model, each, mirror=False) for each in inputs]
    query, shown = (_collection(photos, one, method) for photos, one in zip(sides, seen, strict=True))
    pooled = [predict(whole, each, mirror=False) for each in inputs]
    return Recommender(query, shown, *(one.features[:, 0] for one in pooled), _one_part(sides[0], pooled[0]))


def _one_part(photos: Photos, seen: Predictions) -> Collection:
    """Photos as a whole-image method sees them: one region, the picture, whose features are at length 1."""
    features = torch.nn.functional.normalize(torch.from_numpy(seen.features[:, :1]), dim=2)
    assigned = top_k_assignments(seen.scores, k=min(TOP, seen.scores.shape[1])).astype(bool)
    parts = PartFeatures(features, torch.zeros(seen.scores.shape, dtype=torch.long), torch.from_numpy(assigned))
    boxes = np.broadcast_to(np.array([0.0, 0.0, 1.0, 1.0], dtype=np.float32), (len(features), 1, 4))
    return Collection(seen.scores, parts, boxes, photos.labels, photos.ids)


def _collection(photos: Photos, seen: Predictions, method: str) -> Collection:
    if seen.theta is None:
        raise InputError(f"the method {method!r} sees the picture whole and has no parts; choose one of kind parser")
    theta = torch.from_numpy(seen.theta)
    boxes = boxes_of(theta.flatten(0, 1)).unflatten(0, theta.shape[:2]).numpy()
    images = np.asarray(photos.images)
    return Collection(seen.scores, part_features(seen), boxes, photos.labels, photos.ids, images)


def telling_queries(recommend: Recommender, count: int = 6, parts: int = 4) -> list[int]:
    """The first test photos whose best labels were won by the most different regions: where parts have most to say.

    Chosen by the network's own output alone, not by how good the answers look.
    """
    query = recommend.query
    top = np.argsort(-query.scores, axis=1)[:, :parts]
    steps = np.take_along_axis(query.parts.best_step.numpy(), top, axis=1)
    different = np.array([len(set(row)) for row in steps.tolist()])
    return np.argsort(-different, kind="stable")[:count].tolist()
