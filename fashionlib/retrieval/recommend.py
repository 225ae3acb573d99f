"""Look-alikes of a photo: of the whole of it, or one row for each of its parts (Figs. 1 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from fashionlib.core.errors import InputError
from fashionlib.retrieval.kinds import merged
from fashionlib.retrieval.likeness import likeness, relevance
from fashionlib.retrieval.mmr import check_dial, diversified
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.xquad import chosen_together, likely_answers

Region = tuple[float, float, float, float]
POOL = 10  # times as many as are wanted: among so many of the nearest the dial chooses
MIN_SCORE = 0.1  # a label below is no part of the photo, unless it is the only one
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
    """The look-alikes of one part of the query: its label, score and region; in the order of choice.

    also: other names of the same part, less likely ones.
    """

    label: str
    score: float
    region: Region | None
    looks: tuple[LookAlike, ...]
    also: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The label and the other names."""
        return f"{self.label} or {', '.join(self.also)}" if self.also else self.label


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

    def numbered(self, photos: Int[torch.Tensor, " some"]) -> Answer:
        """The same, found among these photos of a gallery."""
        looks = tuple(replace(look, photo=int(photos[look.photo])) for look in self.looks)
        return replace(self, photo=int(photos[self.photo]), looks=looks)


@dataclass(frozen=True)
class Collection:
    """Photos a model has seen: what to recommend from, or to ask about.

    scores: label scores in 0..1. parts: features step by step. boxes: where each step looked (x1, y1, x2, y2 in 0..1
    of the photo, not clipped to it). names: file names or ids, empty where nobody needs them. images: the photos, where
    they are at hand. whole: features of the photos as a whole, at length 1, where the model has them; the list for all
    parts then goes by `fashionlib.retrieval.likeness`.
    """

    scores: Float[np.ndarray, "photos labels"]
    parts: PartFeatures
    boxes: Float[np.ndarray, "photos steps 4"]
    labels: tuple[str, ...]
    names: tuple[str, ...] = ()
    images: UInt8[np.ndarray, "photos height width 3"] | None = None
    whole: Float[torch.Tensor, "photos channels"] | None = None

    def of(self, photos: Int[torch.Tensor, " some"]) -> Collection:
        """These photos alone, in this order; without images."""
        rows = photos.numpy()
        assert isinstance(self.parts.features, torch.Tensor)
        parts = PartFeatures(self.parts.features[photos], self.parts.best_step[photos], self.parts.assigned[photos])
        names = tuple(self.names[row] for row in rows.tolist()) if self.names else ()
        whole = None if self.whole is None else self.whole[photos]
        return Collection(self.scores[rows], parts, self.boxes[rows], self.labels, names, whole=whole)

    def region(self, photo: int, label: int) -> Region:
        """Where the photo's best step for that label looked, cut to the picture."""
        x1, y1, x2, y2 = self.boxes[photo, int(self.parts.best_step[photo, label])].clip(0, 1).tolist()
        return (x1, y1, x2, y2)


def recommend_parts(
    query: Collection, photo: int, gallery: Collection, *, per_part: int = 5, parts: int = 4, diversity: float = 0.0,
    pool: int | None = None, exclude: Iterable[int] = (), min_score: float = 0.0, merge: bool = False,
) -> list[Row]:  # fmt: skip
    """For each of the photo's `parts` best labels, `per_part` gallery photos whose own region for it is near.

    diversity: 0 gives the nearest, 1 the most spread-out among the `pool` nearest (ten times `per_part` by default),
    see `fashionlib.retrieval.mmr.diversified`.
    exclude: gallery photos that are no candidates, such as the query itself. min_score: labels with a lower score are
    left out, all but the best one. merge: labels that name one part (`fashionlib.retrieval.kinds.merged`) share a row.
    Only gallery photos that carry one of its labels among their own highest ones can be in a row; where there is none,
    there is no row.

    Raises InputError where query and gallery were tagged with different labels, and for a dial outside 0 to 1.
    """
    check_dial(diversity)
    if query.labels != gallery.labels:
        raise InputError("query and gallery were tagged with different labels: use one model for both")
    candidates = torch.ones(len(gallery.parts), dtype=torch.bool)
    candidates[list(exclude)] = False
    rows: list[Row] = []
    labels = parts_of(query, photo, min_score)
    for names in merged(labels, query.labels, partial(query.region, photo)) if merge else [[one] for one in labels]:
        if len(rows) < parts:
            row = _row(query, photo, gallery, names, candidates, per_part, diversity, pool or POOL * per_part)
            rows += [row] if row.looks else []
    return rows


def recommend_together(
    query: Collection, photo: int, gallery: Collection, *, k: int = 10, diversity: float = 0.5,
    exclude: Iterable[int] = (), min_score: float = MIN_SCORE,
) -> list[Answer]:  # fmt: skip
    """One list of at most `k` gallery photos for all that the photo shows, see `fashionlib.retrieval.xquad`.

    diversity: 0 takes those that answer most of the parts, 1 those that answer what none before them did. exclude: as
    in `recommend_parts`. min_score: every label with that score is a part, and the best one in any case; each counts
    by its score. Raises InputError as `recommend_parts` does.
    """
    if query.labels != gallery.labels:
        raise InputError("query and gallery were tagged with different labels: use one model for both")
    candidates = torch.ones(len(gallery.parts), dtype=torch.bool)
    candidates[list(exclude)] = False
    labels = shown_in(query, photo, min_score)
    if query.whole is not None and gallery.whole is not None:
        near, alike = likeness(query, photo, gallery, candidates)
        found = _together(query, photo, gallery.of(near), labels, near >= 0, relevance(alike), k, diversity)
        return [one.numbered(near) for one in found]
    return _together(query, photo, gallery, labels, candidates, None, k, diversity)


def _together(
    query: Collection, photo: int, gallery: Collection, labels: list[int], candidates: torch.Tensor,
    relevant: torch.Tensor | None, k: int, diversity: float,
) -> list[Answer]:  # fmt: skip
    distances, likely = answers(query, photo, gallery, labels, candidates)
    weights = torch.from_numpy(query.scores[photo, labels])
    ranks = distances.argsort(dim=0, stable=True).argsort(dim=0) + 1
    found = []
    for number in chosen_together(likely, weights, k, diversity, relevant):
        own = likely[number]
        shown = [place for place in own.argsort(descending=True, stable=True).tolist() if own[place] >= own.max() / 2]
        shown = [place for place in shown if distances[number, place].isfinite()] or [int(weights.argmax())]
        looks = tuple(
            _look(gallery, number, labels[place], float(distances[number, place]), int(ranks[number, place]),
                  int(distances[:, place].isfinite().sum()), float(weights[place])) for place in shown
        )  # fmt: skip
        found.append(Answer(number, looks[0].name, float(1 - (1 - own).prod()), looks))
    return found


def answers(
    query: Collection, photo: int, gallery: Collection, labels: Sequence[int], candidates: Bool[torch.Tensor, " photos"]
) -> tuple[Float[torch.Tensor, "photos parts"], Float[torch.Tensor, "photos parts"]]:
    """For each gallery photo and each of these labels of the query: the distance between the regions, infinite where
    the photo is no candidate or hardly shows the label, and how likely it is an answer.
    """
    scores = torch.from_numpy(gallery.scores[:, list(labels)])
    distances = torch.full(scores.shape, torch.inf)
    for place, label in enumerate(labels):
        carry = torch.nonzero(candidates & (scores[:, place] >= FAINT)).flatten()
        own = query.parts.of(torch.tensor([photo]), label)
        distances[carry, place] = (gallery.parts.of(carry, label) - own).norm(dim=1)
    return distances, likely_answers(distances, scores)


def parts_of(query: Collection, photo: int, min_score: float) -> list[int]:
    """The labels assigned to the photo, the best first; without those scored below `min_score`, but for the best."""
    scores = query.scores[photo]
    best = sorted(np.flatnonzero(query.parts.assigned[photo].numpy()).tolist(), key=lambda label: -scores[label])
    return [label for label in best if scores[label] >= min(min_score, scores[best].max())]


def shown_in(query: Collection, photo: int, min_score: float) -> list[int]:
    """All labels of the photo that are scored `min_score` or more, the best first; the best one in any case."""
    order = np.argsort(-query.scores[photo], kind="stable")
    return order[: max(1, int((query.scores[photo] >= min_score).sum()))].tolist()


@dataclass(frozen=True)
class Pool:
    """The nearest photos with a label, the nearest first: numbers, distances from the query and from each other.

    of: how many photos have the label.
    """

    photos: Int[torch.Tensor, " near"]
    distances: Float[torch.Tensor, " near"]
    between: Float[torch.Tensor, "near near"]
    of: int

    def chosen(self, k: int, diversity: float) -> list[int]:
        """Places in the pool, in the order of choice, see `fashionlib.retrieval.mmr.diversified`."""
        return diversified(self.distances, self.between, k, diversity)


def pool_of(
    query: Collection, photo: int, gallery: Collection, labels: Sequence[int],
    candidates: Bool[torch.Tensor, " photos"], size: int,
) -> Pool:  # fmt: skip
    """The `size` candidates that carry one of the labels of a part and are nearest in it.

    labels: the part's names, the query's own first. A gallery photo is compared where it shows the likeliest of them.
    """
    carry = torch.nonzero(gallery.parts.assigned[:, list(labels)].any(1) & candidates).flatten()
    vectors = gallery.parts.at(carry, gallery.parts.best_step[carry, likeliest(gallery, carry, labels)])
    distances = (vectors - query.parts.of(torch.tensor([photo]), labels[0])).norm(dim=1)
    near = torch.argsort(distances, stable=True)[:size]
    return Pool(carry[near], distances[near], torch.cdist(vectors[near], vectors[near]), len(carry))


def likeliest(
    gallery: Collection, photos: Int[torch.Tensor, " some"], labels: Sequence[int]
) -> Int[torch.Tensor, " some"]:
    """The label, of these, that each photo scores highest."""
    scores = torch.from_numpy(gallery.scores[photos.numpy()][:, list(labels)])
    return torch.tensor(list(labels))[scores.argmax(1)] if len(photos) else photos


def _row(
    query: Collection, photo: int, gallery: Collection, names: Sequence[int], candidates: torch.Tensor, k: int,
    diversity: float, pool: int,
) -> Row:  # fmt: skip
    label = names[0]
    score, region = float(query.scores[photo, label]), query.region(photo, label)
    near = pool_of(query, photo, gallery, names, candidates, max(pool, k))
    there = likeliest(gallery, near.photos, names).tolist()
    looks = [
        _look(
            gallery, int(near.photos[place]), there[place], float(near.distances[place]), place + 1, near.of, score,
            query.labels[label],
        )
        for place in near.chosen(k, diversity)
    ]  # fmt: skip
    return Row(query.labels[label], score, region, tuple(looks), tuple(query.labels[other] for other in names[1:]))


def _look(
    gallery: Collection, photo: int, label: int, distance: float, rank: int, of: int, score: float, here: str = ""
) -> LookAlike:
    """here: the query's name for the part, where it may differ from the gallery photo's."""
    name, own = gallery.labels[label], float(gallery.scores[photo, label])
    place = "nearest" if rank == 1 else f"{_ordinal(rank)} nearest"
    both = f"{name} in both (scores {score:.2f} and {own:.2f})"
    if here not in ("", name):
        both = f"{here} here ({score:.2f}), {name} there ({own:.2f})"
    reason = f"{both}; {place} of {of} photos with it"
    named = gallery.names[photo] if gallery.names else ""
    return LookAlike(photo, name, gallery.region(photo, label), distance, named, own, rank, reason)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
