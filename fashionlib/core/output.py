"""What every head hands back, so that training, metrics, retrieval and figures take any of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass
class Output:
    """Scores, and where a head has them its named intermediates.

    scores: b c, before any sigmoid or softmax.
    features: b s f, what retrieval compares; s is 1 for a head that sees the picture whole.
    steps: b s c, the scores of each step; `scores` is their maximum (category-wise max pooling).
    theta: b s 4 (or 6), the box of each step, see `fashionlib.models.spatial_transformer`.
    attention: b s n, each step's map over the cells, summing to 1.
    texture_scores: b s c, of the texture head where it has one of its own.
    """

    scores: Float[Tensor, "b c"]
    features: Float[Tensor, "b s f"]
    steps: Float[Tensor, "b s c"] | None = None
    theta: Float[Tensor, "b s numbers"] | None = None
    attention: Float[Tensor, "b s n"] | None = None
    texture_scores: Float[Tensor, "b s c"] | None = None


Some = TypeVar("Some", bound=Output)


def in_single(output: Some) -> Some:
    """`output` with what mixed precision left in half of it converted to single precision."""
    halves = (torch.bfloat16, torch.float16)
    found = {field.name: getattr(output, field.name) for field in fields(output)}
    wide = {name: value.float() for name, value in found.items() if getattr(value, "dtype", None) in halves}
    return replace(output, **wide)
