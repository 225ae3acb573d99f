"""What a photo's parts look like: features step by step, in memory or mapped from files in half precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fashionlib.core.errors import InputError

_AT_ONCE = 1 << 27  # numbers that are looked through at a time


class Stack:
    """Vectors that lie in several arrays, read as one array of photos × steps × channels.

    pieces: each photos × steps × channels, typically mapped from files. rows: which of their photos, one after the
    other, and in which order; all of them by default.

    Raises InputError where there is no piece, or pieces differ in steps or channels.
    """

    ndim = 3

    def __init__(self, pieces: Sequence[Tensor], rows: Int[Tensor, " photos"] | None = None):
        if not pieces or len({piece.shape[1:] for piece in pieces}) != 1 or pieces[0].ndim != 3:
            shapes = [tuple(piece.shape) for piece in pieces]
            raise InputError(f"features come in pieces of shapes {shapes}: expected photos × steps × channels alike")
        self.pieces = tuple(pieces)
        self.ends = torch.tensor([len(piece) for piece in pieces]).cumsum(0)
        self.rows = torch.arange(int(self.ends[-1])) if rows is None else rows.long()
        self.shape = (len(self.rows), *pieces[0].shape[1:])
        self.device = pieces[0].device

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: tuple[Tensor, Tensor]) -> Tensor:
        """The vectors at these photos and steps, in single precision."""
        photos, steps = at
        rows = self.rows[photos]
        lies_in = torch.searchsorted(self.ends, rows, right=True)
        found = torch.empty(len(rows), self.shape[2])
        for number in lies_in.unique().tolist():
            here = lies_in == number
            start = int(self.ends[number]) - len(self.pieces[number])
            found[here] = self.pieces[number][rows[here] - start, steps[here]].float()
        return found


@dataclass(frozen=True)
class PartFeatures:
    """A photo's features step by step, and which steps stand for which labels.

    features: one vector a step; step 0 is the whole picture. Any float precision; half precision mapped from a file
    (`mapped_features`) is read as it is needed.
    best_step: the step at which each label scores highest.
    assigned: the labels that the photo is taken to carry, its top 6 in the paper.
    confidence: how sure the model is of each label, in 0..1. Where it is given, a label counts by the square root of it
    in both photos (their geometric mean) instead of by being assigned in both.
    """

    features: Float[Tensor, "photos steps channels"] | Stack
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
        """The same on `device`; what is mapped from files stays in the host's memory."""
        if isinstance(self.features, Stack):
            return self
        return PartFeatures(
            self.features.to(device), self.best_step.to(device), self.assigned.to(device),
            None if self.confidence is None else self.confidence.to(device),
        )  # fmt: skip

    def weights(self) -> Float[Tensor, "photos labels"]:
        """How much each label counts on this photo's side of a pair."""
        return self.assigned.float() if self.confidence is None else self.confidence.float().sqrt()

    def at(self, photos: Int[Tensor, " chosen"], steps: Int[Tensor, " chosen"]) -> Float[Tensor, "chosen channels"]:
        """The features of these photos at these steps, in single precision."""
        photos, steps = photos.to(self.features.device), steps.to(self.features.device)
        if isinstance(self.features, Tensor) and self.features.is_contiguous():
            rows = photos * self.features.shape[1] + steps.long()  # whole rows are copied faster than picked numbers
            return self.features.flatten(0, 1).index_select(0, rows).float()
        return self.features[photos, steps.long()].float()

    def of(self, photos: Int[Tensor, " chosen"], label: int) -> Float[Tensor, "chosen channels"]:
        """The features that stand for `label` in each of these photos."""
        return self.at(photos, self.best_step[photos, label])

    def whole(self, photos: Int[Tensor, " chosen"]) -> Float[Tensor, "chosen channels"]:
        """The features of step 0, the whole picture."""
        return self.at(photos, torch.zeros_like(photos))


def first_not_finite(features: Tensor | Stack) -> tuple[int, int] | None:
    """The first photo with a feature that is no number, and how many such photos there are; None without one.

    Looked through piece by piece, so that features mapped from a file are never in memory whole. What an index
    stacks was checked when it was written.
    """
    if isinstance(features, Stack):
        return None
    bad: list[int] = []
    for start, block in _blocks(features):
        if _may_hold_a_bad_number(block):
            bad += ((~block.isfinite()).flatten(1).any(dim=1).nonzero().flatten() + start).tolist()
    return (bad[0], len(bad)) if bad else None


def _may_hold_a_bad_number(block: Tensor) -> bool:
    """Whether any exponent is all ones, as infinities and nan have it: ten times faster than asking each number."""
    as_bits = {
        torch.float16: (torch.int16, 0x7C00), torch.bfloat16: (torch.int16, 0x7F80),
        torch.float32: (torch.int32, 0x7F800000),
    }.get(block.dtype)  # fmt: skip
    if as_bits is None or not block.numel():
        return True
    return int((block.contiguous().view(as_bits[0]) & as_bits[1]).max()) == as_bits[1]


def _blocks(features: Tensor) -> Iterator[tuple[int, Tensor]]:
    photos = max(1, _AT_ONCE // max(1, features[:1].numel()))
    for start in range(0, len(features), photos):
        yield start, features[start : start + photos]


def save_features(path: str | Path, features: Float[Tensor, "photos steps channels"]) -> Path:
    """Write features as a .npy file in half precision (float16); `mapped_features` reads it without loading it.

    Raises InputError where a feature is no number, or too large for half precision (65,504).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (features.shape[0], features.shape[1], features.shape[2])
    aside = path.with_name(f".{path.name}")
    file = np.lib.format.open_memmap(aside, "w+", np.float16, shape)
    for start, block in _blocks(features):
        half = block.half()
        if not half.isfinite().all():
            aside.unlink()
            raise InputError(f"{path}: a feature is not finite or beyond 65,504; scale the features first")
        file[start : start + len(block)] = half.cpu().numpy()
    file.flush()
    aside.replace(path)
    return path


def mapped_features(path: str | Path) -> Float[Tensor, "photos steps channels"]:
    """The features of a .npy file, mapped: what is read of them comes from the file when it is needed.

    Raises InputError where the file is missing or holds no float array of photos × steps × channels.
    """
    try:
        array = np.load(path, mmap_mode="c", allow_pickle=False)  # copy on write: torch wants memory it may write to
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; write it with save_features") from error
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: no array of features ({error}); write it again with save_features") from error
    if array.ndim != 3 or array.dtype not in (np.float16, np.float32):
        raise InputError(
            f"{path}: {array.dtype} of shape {array.shape}; expected float16 or float32 of photos × steps × channels"
        )
    return torch.from_numpy(array)
