"""Figs. 1 and 4: what the test photos are recommended, part by part and as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fashionlib.experiments.topk import part_features
from fashionlib.profiles import Profile
from fashionlib.recommend import Collection, LookAlike, Row, recommend_parts, recommend_whole
from fashionlib.runs import fit, inputs_of, photos_of
from fashionlib.training import predict


@dataclass(frozen=True)
class Recommender:
    """Queries from the test split, a gallery from the training split, seen by the parser and by the whole-image rival."""

    query: Collection
    gallery: Collection
    whole_query: np.ndarray
    whole_gallery: np.ndarray

    def parts(self, photo: int, *, per_part: int = 5, parts: int = 4) -> list[Row]:
        return recommend_parts(self.query, photo, self.gallery, per_part=per_part, parts=parts)

    def whole(self, photo: int, *, most: int = 5) -> list[LookAlike]:
        return recommend_whole(self.whole_query, photo, self.whole_gallery, most=most)


def recommender(profile: Profile, method: str = "parser", rival: str = "whole") -> Recommender:
    """Both methods, trained or loaded with the profile's first seed, on its test and training photos."""
    seed = profile.seeds[0]
    sides = [photos_of(profile, split, seed) for split in ("test", "train")]
    inputs = [inputs_of(profile, side, mirror=False) for side in sides]
    model, whole = fit(profile, method, seed), fit(profile, rival, seed)
    seen = [predict(model, each, mirror=False) for each in inputs]
    collections = [
        Collection(np.asarray(photos.images), one.scores, part_features(one), one.theta, photos.labels)
        for photos, one in zip(sides, seen, strict=True)
    ]
    return Recommender(*collections, *[predict(whole, each, mirror=False).features[:, 0] for each in inputs])


def telling_queries(recommend: Recommender, count: int = 6, parts: int = 4) -> list[int]:
    """The first test photos whose best labels were won by the most different regions: where parts have most to say.

    Chosen by the network's own output alone, not by how good the answers look.
    """
    query = recommend.query
    top = np.argsort(-query.scores, axis=1)[:, :parts]
    steps = np.take_along_axis(query.parts.best_step.numpy(), top, axis=1)
    different = np.array([len(set(row)) for row in steps.tolist()])
    return np.argsort(-different, kind="stable")[:count].tolist()
