"""Photos a model has seen, and what is recommended from them: look-alikes by part, and one list for all parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from fashionlib.core.errors import InputError
from fashionlib.retrieval.part_features import PartFeatures

Region = tuple[float, float, float, float]


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


@dataclass(frozen=True)
class Collection:
    """Photos a model has seen: what to recommend from, or to ask about.

    scores: label scores in 0..1. parts: features step by step. boxes: where each step looked (x1, y1, x2, y2 in 0..1
    of the photo, not clipped to it). names: file names or ids, empty where nobody needs them. images: the photos, where
    they are at hand. whole: features of the photos as a whole, at length 1, where the model has them; the list for all
    parts then goes by `fashionlib.retrieval.xquad.likeness`.
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
        parts = PartFeatures(self.parts.features[photos], self.parts.best_step[photos], self.parts.assigned[photos])
        names = tuple(self.names[row] for row in rows.tolist()) if self.names else ()
        whole = None if self.whole is None else self.whole[photos]
        return Collection(self.scores[rows], parts, self.boxes[rows], self.labels, names, whole=whole)

    @cached_property
    def unit_roots(self) -> Float[torch.Tensor, "photos labels"]:
        """The square roots of the scores, at length 1: their product says how far two photos' labels agree."""
        roots = torch.from_numpy(self.scores).sqrt()
        return roots / roots.norm(dim=1, keepdim=True).clamp(min=1e-6)

    def image(self, photo: int) -> UInt8[np.ndarray, "height width 3"]:
        """Raises InputError where the photos are not at hand."""
        if self.images is None:
            raise InputError(
                "this gallery has no images at hand: give Collection its images, or use a Gallery's thumbnails"
            )
        return self.images[photo]

    def region(self, photo: int, label: int) -> Region:
        """Where the photo's best step for that label looked, cut to the picture."""
        x1, y1, x2, y2 = self.boxes[photo, int(self.parts.best_step[photo, label])].clip(0, 1).tolist()
        return (x1, y1, x2, y2)
