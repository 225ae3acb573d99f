"""What a photo's parts look like, step by step; and which labels name one part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fashionlib.core.errors import InputError
from fashionlib.metrics.localisation import intersection_over_union

SAME_PLACE = 0.5  # intersection over union from which on two regions are one place

_KINDS = {
    "upper": "blazer blouse bodysuit body bra cardigan coat cape hoodie intimate jacket jumper longsleeve outwear polo "
    "shirt suit sweater sweatshirt t-shirt top undershirt vest",
    "lower": "jeans leggings panties pants shorts skirt stockings tights",
    "full": "dress romper swimwear",
    "feet": "boots clogs flats heels loafers pumps sandals shoes sneakers wedges",
    "head": "hat",
    "eyes": "glasses sunglasses",
    "bags": "bag purse wallet",
}
KIND = {name: kind for kind, names in _KINDS.items() for name in names.split()}
_OVER = {"full": {"upper", "lower"}}  # a dress and a top in one place are one garment


@dataclass(frozen=True)
class PartFeatures:
    """A photo's features step by step, and which steps stand for which labels.

    features: one vector per step; step 0 is the whole picture. Any float precision, in memory or mapped from a file.
    best_step: the step at which each label scores highest.
    assigned: the labels that the photo is taken to carry, its top 6 in the paper.
    confidence: how sure the model is of each label, in 0..1. Where it is given, a label counts by the square root of it
    in both photos (their geometric mean) instead of by being assigned in both.

    Raises InputError on shapes that do not fit and on steps that have no features.
    """

    features: Float[Tensor, "photos steps channels"]
    best_step: Int[Tensor, "_photos _labels"]
    assigned: Bool[Tensor, "_photos _labels"]
    confidence: Float[Tensor, "_photos _labels"] | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 3 or self.best_step.shape != self.assigned.shape:
            raise InputError(
                f"Features, best steps and assignments have shapes {tuple(self.features.shape)}, "
                f"{tuple(self.best_step.shape)}, {tuple(self.assigned.shape)}: expected photos x steps x "
                "channels, and photos x labels twice."
            )
        photos, steps, _ = self.features.shape
        if len(self.best_step) != photos:
            raise InputError(f"There are features of {photos} photos and best steps of {len(self.best_step)}.")
        if self.best_step.numel() and not 0 <= int(self.best_step.min()) <= int(self.best_step.max()) < steps:
            raise InputError(f"A best step is outside 0 to {steps - 1}, the steps that have features.")

    def __len__(self) -> int:
        return len(self.features)

    def to(self, device: torch.device) -> PartFeatures:
        """The same on `device`."""
        confidence = None if self.confidence is None else self.confidence.to(device)
        return PartFeatures(self.features.to(device), self.best_step.to(device), self.assigned.to(device), confidence)

    def weights(self) -> Float[Tensor, "photos labels"]:
        """How much each label counts on this photo's side of a pair."""
        return self.assigned.float() if self.confidence is None else self.confidence.float().sqrt()

    def at(self, photos: Int[Tensor, " chosen"], steps: Int[Tensor, " chosen"]) -> Float[Tensor, "chosen channels"]:
        """The features of these photos at these steps, in single precision."""
        photos, steps = photos.to(self.features.device), steps.to(self.features.device)
        if self.features.is_contiguous():
            rows = photos * self.features.shape[1] + steps.long()  # whole rows are copied faster than picked numbers
            found = self.features.flatten(0, 1).index_select(0, rows)
        else:
            found = self.features[photos, steps.long()]
        return found.float()

    def of(self, photos: Int[Tensor, " chosen"], label: int) -> Float[Tensor, "chosen channels"]:
        """The features that stand for `label` in each of these photos."""
        return self.at(photos, self.best_step[photos, label])


def same_kind(a: str, b: str) -> bool:
    """Whether both names may be said of one garment; a name of no kind is a kind of its own."""
    one, other = KIND.get(a, a), KIND.get(b, b)
    return one == other or other in _OVER.get(one, ()) or one in _OVER.get(other, ())


def merged(
    labels: Sequence[int], names: Sequence[str], region: Callable[[int], tuple[float, float, float, float]]
) -> list[list[int]]:
    """Labels grouped into parts: each goes to the first part that it may be another name of, in the same place.

    A tagger gives several names to one garment (t-shirt, top, longsleeve); a part is called by the likeliest.
    labels: the likeliest first. region: of a label, where it is shown.
    """
    parts: list[list[int]] = []
    for label in labels:
        for part in parts:
            overlap = intersection_over_union(region(label), region(part[0]))
            if same_kind(names[label], names[part[0]]) and overlap >= SAME_PLACE:
                part.append(label)
                break
        else:
            parts.append([label])
    return parts
