"""Look-alikes of a photo: of the whole of it, or one row for each of its parts (Figs. 1 and 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from fashionlib.errors import InputError
from fashionlib.models.attention import boxes_of
from fashionlib.retrieval import PartFeatures, rank_whole

Region = tuple[float, float, float, float]


@dataclass(frozen=True)
class LookAlike:
    """A recommended photo and why: the label it shares, where it shows it (x1, y1, x2, y2 in 0..1), how near it is."""

    photo: int
    label: str
    region: Region | None
    distance: float


@dataclass(frozen=True)
class Row:
    """The look-alikes of one part of the query: its label, score and region; the nearest first."""

    label: str
    score: float
    region: Region | None
    looks: tuple[LookAlike, ...]


@dataclass(frozen=True)
class Collection:
    """Photos a model has seen: what to recommend from, or to ask about.

    images: the photos. scores: label scores. parts: features step by step. theta: the steps' boxes.
    """

    images: UInt8[np.ndarray, "photos height width 3"]
    scores: Float[np.ndarray, "photos labels"]
    parts: PartFeatures
    theta: Float[np.ndarray, "photos steps numbers"]
    labels: tuple[str, ...]

    def region(self, photo: int, label: int) -> Region:
        """Where the photo's best step for that label looked, cut to the picture."""
        step = int(self.parts.best_step[photo, label])
        box = boxes_of(torch.from_numpy(self.theta[photo, step][None]))[0].clamp(0, 1)
        return tuple(box.tolist())  # type: ignore[return-value]


def recommend_parts(
    query: Collection, photo: int, gallery: Collection, *, per_part: int = 5, parts: int = 4
) -> list[Row]:
    """For each of the photo's `parts` best labels, the `per_part` gallery photos whose own region for it is nearest.

    Only gallery photos that carry the label among their own highest ones can be in its row; a label that none of them
    carries gives no row. Raises InputError where query and gallery were tagged with different labels.
    """
    if query.labels != gallery.labels:
        raise InputError("query and gallery were tagged with different labels: use one model for both")
    assigned = np.flatnonzero(query.parts.assigned[photo].numpy())
    best = sorted(assigned, key=lambda label: -query.scores[photo, label])
    rows = [_row(query, photo, gallery, int(label), per_part) for label in best]
    return [row for row in rows if row.looks][:parts]


def _row(query: Collection, photo: int, gallery: Collection, label: int, most: int) -> Row:
    carry = torch.nonzero(gallery.parts.assigned[:, label]).flatten()
    looks: tuple[LookAlike, ...] = ()
    if len(carry):
        here = query.parts.of(torch.tensor([photo]), label)
        near = rank_whole(here, gallery.parts.of(carry, label), k=min(most, len(carry)))
        looks = tuple(
            LookAlike(int(carry[i]), query.labels[label], gallery.region(int(carry[i]), label), float(distance))
            for i, distance in zip(near.indices[0].tolist(), near.distances[0].tolist(), strict=True)
        )
    return Row(query.labels[label], float(query.scores[photo, label]), query.region(photo, label), looks)


def recommend_whole(
    query: Float[np.ndarray, "queries f"], photo: int, gallery: Float[np.ndarray, "photos f"], *, most: int = 5
) -> list[LookAlike]:
    """The `most` gallery photos nearest as a whole; features at length 1."""
    unit = [
        torch.nn.functional.normalize(torch.from_numpy(side), dim=1) for side in (query[photo : photo + 1], gallery)
    ]
    near = rank_whole(*unit, k=min(most, len(gallery)))
    pairs = zip(near.indices[0].tolist(), near.distances[0].tolist(), strict=True)
    return [LookAlike(index, "whole picture", None, distance) for index, distance in pairs]


def grid_rows(rows: list[Row], gallery: Collection) -> list[dict]:
    """Rows as `fashionlib.plots.recommendation_grid` takes them."""
    return [
        {"label": f"{row.label} ({row.score:.2f})", "region": row.region, "cells": grid_cells(list(row.looks), gallery)}
        for row in rows
    ]


def grid_cells(looks: list[LookAlike], gallery: Collection) -> list[dict]:
    """Look-alikes as cells of that grid."""
    return [
        {"image": gallery.images[look.photo], "label": look.label, "distance": look.distance, "region": look.region}
        for look in looks
    ]
