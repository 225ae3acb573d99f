"""Look-alikes of a photo: of the whole of it, or one row for each of its parts (Figs. 1 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from fashionlib.core.errors import InputError
from fashionlib.retrieval.mmr import check_dial, diversified
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.ranking import rank_whole
from fashionlib.retrieval.xquad import chosen_together, likely_answers

Region = tuple[float, float, float, float]
POOL = 10  # times as many as are wanted: among so many of the nearest the dial chooses
LEAST_SCORE = 0.1  # a label below is no part of the photo, unless it is the only one
FAINT = 0.05  # a photo with a lower score for a label is not taken to show it at all


@dataclass(frozen=True)
class LookAlike:
    """A recommended photo and why.

    photo: its number in the gallery; name: its file, or its id. label: what it shares with the query, and region where
    it shows it (x1, y1, x2, y2 in 0..1 of the photo). distance: between the features of both regions. score: how sure
    the model is that it carries the label. rank: its place among the gallery's photos with that label, from 1. alike:
    how many copies of it the gallery holds beside it.
    """

    photo: int
    label: str
    region: Region | None
    distance: float
    name: str = ""
    score: float | None = None
    rank: int | None = None
    reason: str = ""
    alike: int = 0

    def like(self, alike: int) -> LookAlike:
        """The same with so many copies, which the reason says."""
        return replace(self, alike=alike, reason=f"{self.reason}; and {alike} like it") if alike else self


@dataclass(frozen=True)
class Row:
    """The look-alikes of one part of the query: its label, score and region; in the order of choice."""

    label: str
    score: float
    region: Region | None
    looks: tuple[LookAlike, ...]


@dataclass(frozen=True)
class Answer:
    """A photo of the one list for all parts: its number, its file or id, how likely it answers at least one part of the
    query, and the parts it answers, the likeliest first; alike: how many copies of it the gallery holds beside it.
    """

    photo: int
    name: str
    chance: float
    looks: tuple[LookAlike, ...]
    alike: int = 0


@dataclass(frozen=True)
class Collection:
    """Photos a model has seen: what to recommend from, or to ask about.

    scores: label scores in 0..1. parts: features step by step. boxes: where each step looked (x1, y1, x2, y2 in 0..1
    of the photo, not clipped to it). names: file names or ids, empty where nobody needs them. images: the photos, where
    they are at hand.
    """

    scores: Float[np.ndarray, "photos labels"]
    parts: PartFeatures
    boxes: Float[np.ndarray, "photos steps 4"]
    labels: tuple[str, ...]
    names: tuple[str, ...] = ()
    images: UInt8[np.ndarray, "photos height width 3"] | None = None

    def region(self, photo: int, label: int) -> Region:
        """Where the photo's best step for that label looked, cut to the picture."""
        x1, y1, x2, y2 = self.boxes[photo, int(self.parts.best_step[photo, label])].clip(0, 1).tolist()
        return (x1, y1, x2, y2)


def recommend_parts(
    query: Collection, photo: int, gallery: Collection, *, per_part: int = 5, parts: int = 4, diversity: float = 0.0,
    pool: int | None = None, without: Iterable[int] = (), least: float = 0.0,
) -> list[Row]:  # fmt: skip
    """For each of the photo's `parts` best labels, `per_part` gallery photos whose own region for it is near.

    diversity: 0 gives the nearest, 1 the most spread-out among the `pool` nearest (ten times `per_part` by default),
    see `fashionlib.retrieval.mmr.diversified`.
    without: gallery photos that are no candidates, such as the query itself. least: labels with a lower score are left
    out, all but the best one. Only gallery photos that carry the label among their own highest ones can be in its row;
    a label that none of them carries gives no row.

    Raises InputError where query and gallery were tagged with different labels, and for a dial outside 0 to 1.
    """
    check_dial(diversity)
    if query.labels != gallery.labels:
        raise InputError("query and gallery were tagged with different labels: use one model for both")
    left = torch.ones(len(gallery.parts), dtype=torch.bool)
    left[list(without)] = False
    rows: list[Row] = []
    for label in parts_of(query, photo, least):
        if len(rows) < parts:
            row = _row(query, photo, gallery, label, left, per_part, diversity, pool or POOL * per_part)
            rows += [row] if row.looks else []
    return rows


def recommend_together(
    query: Collection, photo: int, gallery: Collection, *, most: int = 10, diversity: float = 0.5,
    without: Iterable[int] = (), least: float = LEAST_SCORE,
) -> list[Answer]:  # fmt: skip
    """One list of at most `most` gallery photos for all that the photo shows, see `fashionlib.retrieval.xquad`.

    diversity: 0 takes those that answer most of the parts, 1 those that answer what none before them did. without: as
    in `recommend_parts`. least: every label with that score is a part, and the best one in any case; each counts by its
    score. Raises InputError as `recommend_parts` does.
    """
    if query.labels != gallery.labels:
        raise InputError("query and gallery were tagged with different labels: use one model for both")
    left = torch.ones(len(gallery.parts), dtype=torch.bool)
    left[list(without)] = False
    labels = shown_in(query, photo, least)
    distances, likely = answers(query, photo, gallery, labels, left)
    weights = torch.from_numpy(query.scores[photo, labels])
    ranks = distances.argsort(dim=0, stable=True).argsort(dim=0) + 1
    found = []
    for number in chosen_together(likely, weights, most, diversity):
        own = likely[number]
        shown = [place for place in own.argsort(descending=True, stable=True).tolist() if own[place] >= own.max() / 2]
        looks = tuple(
            _look(gallery, number, labels[place], float(distances[number, place]), int(ranks[number, place]),
                  int(distances[:, place].isfinite().sum()), float(weights[place])) for place in shown
        )  # fmt: skip
        found.append(Answer(number, looks[0].name, float(1 - (1 - own).prod()), looks))
    return found


def answers(
    query: Collection, photo: int, gallery: Collection, labels: Sequence[int], left: Bool[torch.Tensor, " photos"]
) -> tuple[Float[torch.Tensor, "photos parts"], Float[torch.Tensor, "photos parts"]]:
    """For each gallery photo and each of these labels of the query: the distance between the regions, infinite where
    the photo is not `left` or hardly shows the label, and how likely it is an answer.
    """
    scores = torch.from_numpy(gallery.scores[:, list(labels)])
    distances = torch.full(scores.shape, torch.inf)
    for place, label in enumerate(labels):
        carry = torch.nonzero(left & (scores[:, place] >= FAINT)).flatten()
        own = query.parts.of(torch.tensor([photo]), label)
        distances[carry, place] = (gallery.parts.of(carry, label) - own).norm(dim=1)
    return distances, likely_answers(distances, scores)


def parts_of(query: Collection, photo: int, least: float) -> list[int]:
    """The labels assigned to the photo, the best first; without those scored below `least`, but for the best."""
    scores = query.scores[photo]
    best = sorted(np.flatnonzero(query.parts.assigned[photo].numpy()).tolist(), key=lambda label: -scores[label])
    return [label for label in best if scores[label] >= min(least, scores[best].max())]


def shown_in(query: Collection, photo: int, least: float) -> list[int]:
    """All labels of the photo that are scored `least` or more, the best first; the best one in any case."""
    order = np.argsort(-query.scores[photo], kind="stable")
    return order[: max(1, int((query.scores[photo] >= least).sum()))].tolist()


@dataclass(frozen=True)
class Pool:
    """The nearest photos with a label, the nearest first: numbers, distances from the query and from each other.

    of: how many photos have the label.
    """

    photos: Int[torch.Tensor, " near"]
    distances: Float[torch.Tensor, " near"]
    between: Float[torch.Tensor, "near near"]
    of: int

    def chosen(self, most: int, diversity: float) -> list[int]:
        """Places in the pool, in the order of choice, see `fashionlib.retrieval.mmr.diversified`."""
        return diversified(self.distances, self.between, most, diversity)


def pool_of(
    query: Collection, photo: int, gallery: Collection, label: int, left: Bool[torch.Tensor, " photos"], size: int
) -> Pool:
    """The `size` gallery photos out of `left` that carry the label and are nearest in it."""
    carry = torch.nonzero(gallery.parts.assigned[:, label] & left).flatten()
    vectors = gallery.parts.of(carry, label)
    distances = (vectors - query.parts.of(torch.tensor([photo]), label)).norm(dim=1)
    near = torch.argsort(distances, stable=True)[:size]
    return Pool(carry[near], distances[near], torch.cdist(vectors[near], vectors[near]), len(carry))


def _row(
    query: Collection, photo: int, gallery: Collection, label: int, left: torch.Tensor, most: int, diversity: float,
    pool: int,
) -> Row:  # fmt: skip
    name, score, region = query.labels[label], float(query.scores[photo, label]), query.region(photo, label)
    near = pool_of(query, photo, gallery, label, left, max(pool, most))
    looks = [
        _look(gallery, int(near.photos[place]), label, float(near.distances[place]), place + 1, near.of, score)
        for place in near.chosen(most, diversity)
    ]
    return Row(name, score, region, tuple(looks))


def _look(gallery: Collection, photo: int, label: int, distance: float, rank: int, of: int, score: float) -> LookAlike:
    name, own = gallery.labels[label], float(gallery.scores[photo, label])
    place = "nearest" if rank == 1 else f"{_ordinal(rank)} nearest"
    reason = f"{name} in both (scores {score:.2f} and {own:.2f}); {place} of {of} photos with it"
    named = gallery.names[photo] if gallery.names else ""
    return LookAlike(photo, name, gallery.region(photo, label), distance, named, own, rank, reason)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def as_lines(rows: Sequence[Row]) -> list[str]:
    """Rows as text: each part with its look-alikes below it. Names are as they are, for `core.files.readable`."""
    lines = []
    for row in rows:
        lines.append(f"  {row.score:.2f}  {row.label}{_at(row.region)}")
        lines += [f"    {look.distance:.3f}  {look.name}{_at(look.region)}  {look.reason}" for look in row.looks]
    return lines


def answers_as_lines(found: Sequence[Answer]) -> list[str]:
    """The one list as text: each photo with the parts that it answers."""
    return [
        f"  {each.chance:.2f}  {each.name}  {', '.join(look.label for look in each.looks)}"
        + (f"  and {each.alike} like it" if each.alike else "")
        for each in found
    ]


def _at(region: Region | None) -> str:
    return "" if region is None else "  at " + ", ".join(f"{side:.2f}" for side in region)


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
    """Look-alikes as cells of that grid. Raises InputError where the gallery's photos are not at hand."""
    images = _images(gallery)
    return [
        {"image": images[look.photo], "label": look.label, "distance": look.distance, "region": look.region}
        for look in looks
    ]


def answers_cells(found: list[Answer], gallery: Collection) -> list[dict]:
    """The one list as `fashionlib.plots.answers.answers_grid` takes it. Raises InputError as `grid_cells` does."""
    images = _images(gallery)
    return [
        {"image": images[each.photo], "regions": {look.label: look.region for look in each.looks}} for each in found
    ]


def _images(gallery: Collection) -> np.ndarray:
    if gallery.images is None:
        raise InputError(
            "this gallery has no images at hand: give Collection its images, or use a Gallery's thumbnails"
        )
    return gallery.images
