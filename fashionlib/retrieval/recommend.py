"""Look-alikes of a photo: one row for each of its parts (Figs. 1 and 4), or one list for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from fashionlib.core.errors import InputError
from fashionlib.retrieval.collection import Answer, Collection, LookAlike, Row
from fashionlib.retrieval.mmr import check_dial, diversified
from fashionlib.retrieval.part_features import merged
from fashionlib.retrieval.xquad import FAINT, chosen_together, likely_answers, likeness, relevance

POOL = 10  # times as many as are wanted: among so many of the nearest the dial chooses
MIN_SCORE = 0.1  # a label below is no part of the photo, unless it is the only one


def recommend_parts(
    query: Collection, photo: int, gallery: Collection, *, per_part: int = 5, parts: int = 4, diversity: float = 0.0,
    exclude: Iterable[int] = (), min_score: float = 0.0, merge: bool = False,
) -> list[Row]:  # fmt: skip
    """For each of the photo's `parts` best labels, `per_part` gallery photos whose own region for it is near.

    diversity: 0 gives the nearest, 1 the most spread-out among the nearest `POOL` times `per_part`, see
    `fashionlib.retrieval.mmr.diversified`.
    exclude: gallery photos that are no candidates, such as the query itself. min_score: labels with a lower score are
    left out, all but the best one. merge: labels that name one part (`fashionlib.retrieval.part_features.merged`) share
    a row. Only gallery photos that carry one of its labels among their own highest ones can be in a row; where there is
    none, there is no row.

    Raises InputError where query and gallery were tagged with different labels, and for a dial outside 0 to 1.
    """
    check_dial(diversity)
    candidates, rows = _candidates(query, gallery, exclude), []
    labels = parts_of(query, photo, min_score)
    for names in merged(labels, query.labels, partial(query.region, photo)) if merge else [[one] for one in labels]:
        if len(rows) == parts:
            break
        near = pool_of(query, photo, gallery, names, candidates, POOL * per_part)
        if not len(near.photos):
            continue
        there, title = likeliest(gallery, near.photos, names).tolist(), query.labels[names[0]]
        score, looks = float(query.scores[photo, names[0]]), []
        for place in near.chosen(per_part, diversity):
            found, distance = int(near.photos[place]), float(near.distances[place])
            looks.append(_look_alike(gallery, found, there[place], distance, place + 1, near.of, score, title))
        also = tuple(query.labels[other] for other in names[1:])
        rows.append(Row(title, score, query.region(photo, names[0]), tuple(looks), also))
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
    candidates, labels = _candidates(query, gallery, exclude), shown_in(query, photo, min_score)
    numbers, relevant = torch.arange(len(gallery.parts)), None
    if query.whole is not None and gallery.whole is not None:
        numbers, alike = likeness(query, photo, gallery, candidates)
        gallery, candidates, relevant = gallery.of(numbers), numbers >= 0, relevance(alike)
    distances, likely = answers(query, photo, gallery, labels, candidates)
    weights = torch.from_numpy(query.scores[photo, labels])
    ranks = distances.argsort(dim=0, stable=True).argsort(dim=0) + 1
    counts, found = distances.isfinite().sum(0).tolist(), []
    for row in chosen_together(likely, weights, k, diversity, relevant):
        own, looks, number = likely[row], [], int(numbers[row])
        shown = [part for part in own.argsort(descending=True, stable=True).tolist() if own[part] >= own.max() / 2]
        for part in [part for part in shown if distances[row, part].isfinite()] or [int(weights.argmax())]:
            look = _look_alike(gallery, row, labels[part], float(distances[row, part]), int(ranks[row, part]),
                               counts[part], float(weights[part]))  # fmt: skip
            looks.append(replace(look, photo=number))
        found.append(Answer(number, looks[0].name, float(1 - (1 - own).prod()), tuple(looks)))
    return found


def _candidates(query: Collection, gallery: Collection, exclude: Iterable[int]) -> Bool[torch.Tensor, " photos"]:
    if query.labels != gallery.labels:
        raise InputError("query and gallery were tagged with different labels: use one model for both")
    candidates = torch.ones(len(gallery.parts), dtype=torch.bool)
    candidates[list(exclude)] = False
    return candidates


def answers(
    query: Collection, photo: int, gallery: Collection, labels: Sequence[int], candidates: Bool[torch.Tensor, " photos"]
) -> tuple[Float[torch.Tensor, "photos parts"], Float[torch.Tensor, "photos parts"]]:
    """For each gallery photo and each of these labels of the query: the distance between the regions, infinite where
    the photo is no candidate or hardly shows the label, and how likely it is an answer.
    """
    scores = torch.from_numpy(gallery.scores[:, list(labels)])
    distances = torch.full(scores.shape, torch.inf)
    for part, label in enumerate(labels):
        carry = torch.nonzero(candidates & (scores[:, part] >= FAINT)).flatten()
        own = query.parts.of(torch.tensor([photo]), label)
        distances[carry, part] = (gallery.parts.of(carry, label) - own).norm(dim=1)
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
    if len(labels) == 1 or not len(photos):
        return torch.full_like(photos, labels[0])
    return torch.tensor(list(labels))[gallery.scores[photos.numpy()[:, None], list(labels)].argmax(1)]


def _look_alike(
    gallery: Collection, photo: int, label: int, distance: float, rank: int, of: int, score: float, here: str = ""
) -> LookAlike:
    """here: the query's name for the part, where it may differ from the gallery photo's."""
    name, own = gallery.labels[label], float(gallery.scores[photo, label])
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    nearest = "nearest" if rank == 1 else f"{rank}{ending} nearest"
    both = f"{name} in both (scores {score:.2f} and {own:.2f})"
    if here not in ("", name):
        both = f"{here} here ({score:.2f}), {name} there ({own:.2f})"
    file = gallery.names[photo] if gallery.names else ""
    reason = f"{both}; {nearest} of {of} photos with it"
    return LookAlike(photo, name, gallery.region(photo, label), distance, file, own, rank, reason)
