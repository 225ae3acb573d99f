"""The one shape in which every data set hands over its photos."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from fashionlib.core.errors import InputError

Box = tuple[float, float, float, float]
Landmark = tuple[float, float, bool]


@dataclass(frozen=True)
class Sample:
    """One photo and what is known about it.

    image: height × width × 3, RGB.
    id: unique in the data set, and stable from run to run.
    labels: 1 for each label of the data set that the photo carries; None where nobody tagged it.
    boxes: by label, (x1, y1, x2, y2) in pixels of `image`, origin at the top left, x2 and y2 exclusive.
    masks: by label, where that label's garment is visible.
    products: by label, the identity of that garment.
    product: the identity that a retrieval query asks for.
    domain: "street" or "shop".
    landmarks: by name ("left collar", "right hem" …), x, y in pixels of `image` and whether the point is seen.
    """

    image: UInt8[np.ndarray, "height width 3"]
    id: str
    labels: Float[np.ndarray, " labels"] | None = None
    boxes: dict[str, Box] = field(default_factory=dict)
    masks: dict[str, Bool[np.ndarray, "height width"]] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)
    product: str | None = None
    domain: str | None = None
    landmarks: dict[str, Landmark] = field(default_factory=dict)


@runtime_checkable
class Dataset(Protocol):
    """What a data set is: labels with names, samples by number, and a text that changes with what they hold."""

    name: str
    split: str
    labels: tuple[str, ...] = ()
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample: ...

    def fingerprint(self) -> str: ...


def box_of(mask: Bool[np.ndarray, "height width"]) -> Box:
    """The smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def split_hash(ids: Iterable[str]) -> str:
    """Twelve hex digits that name a split: the SHA-256 of its sorted ids, one a line."""
    return lines_hash(sorted(ids))


def lines_hash(lines: Iterable[str]) -> str:
    """The first twelve hex digits of the SHA-256 of these lines."""
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def check_choice(what: str, value: str, choices: Collection[str]) -> None:
    """Raises InputError where the value is none of the choices; what: the beginning of the message."""
    if value not in choices:
        raise InputError(f"{what}: choose one of {', '.join(choices)}")
