"""The photos of an epoch in the order they are learned from, made ready ahead of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float, Int
from torch import Tensor

from fashionlib.core.threads import in_order
from fashionlib.data.augment import augmented
from fashionlib.data.supervision import Supervision
from fashionlib.training.inputs import ImageInputs, Inputs
from fashionlib.training.options import TrainingOptions

AHEAD = 2  # pieces made while the network works on the one before
Values = TypeVar("Values", np.ndarray, Tensor)


@dataclass(frozen=True)
class Piece:
    """What a process is fed at once: its share of a global batch, or a part of that share.

    share: of the global batch's photos; all pieces of all processes make 1. last: the weights are moved after it. more:
    what else the head's loss takes.
    """

    batch: Tensor
    targets: Float[Tensor, "b c"]
    share: float
    last: bool
    more: Mapping[str, Any]


@dataclass(frozen=True)
class _Plan:
    """A piece before its photos are read. others: the photos mixed in, with 1 − `weight`; empty for none."""

    photos: Int[np.ndarray, " b"]
    others: Int[np.ndarray, " mixed"]
    weight: float
    draws: Float[Tensor, "b 7"]
    share: float
    last: bool


def batches(
    inputs: Inputs, supervision: Supervision, options: TrainingOptions, seed: int, epoch: int, accelerator: Accelerator,
) -> Iterator[Piece]:  # fmt: skip
    """The epoch's global batches, the same whatever the number of processes; each process takes every n-th photo.

    A thread reads and augments them while the network computes.
    """
    draw = np.random.default_rng([seed, epoch])
    progress = epoch / options.epochs
    order, views = supervision.order(draw, options.batch, progress), draw.integers(0, inputs.views, len(inputs))
    moves = torch.Generator().manual_seed(seed * 7_919 + epoch)
    shift = options.shift if isinstance(inputs, ImageInputs) else 0.0  # maps are of photos that were moved

    def made(plan: _Plan) -> Piece:
        def mixed(of: Callable[[Int[np.ndarray, " b"]], Values]) -> Values:
            first = of(plan.photos)
            return plan.weight * first + (1 - plan.weight) * of(plan.others) if len(plan.others) else first

        batch = mixed(lambda rows: inputs.take(rows, views[rows]))
        tags = torch.as_tensor(mixed(lambda rows: supervision.targets[rows]), dtype=torch.float32, device=batch.device)
        if shift:  # moved and scaled anew, in another light
            draws = plan.draws.clone()
            draws[:, 3] = 1.0  # `take` has mirrored them already
            batch = augmented(batch, draws, shift)
        more = supervision.of(plan.photos, views[plan.photos], progress, batch.device)
        return Piece(batch, tags, plan.share, plan.last, more)

    plans = _plans(order, options, draw, moves, accelerator.process_index, accelerator.num_processes)
    return in_order(made, plans, AHEAD, 1)


def _plans(
    order: Int[np.ndarray, " p"], options: TrainingOptions, draw: np.random.Generator, moves: torch.Generator,
    process: int, processes: int,
) -> Iterator[_Plan]:  # fmt: skip
    """All that is drawn is drawn for the whole batch, and then shared out: the same for any number of processes.

    A last batch of one photo, or with fewer photos than processes, is left out: batch norm needs two, each process one.
    """
    for start in range(0, len(order), options.batch):
        photos = order[start : start + options.batch]
        others, weight = photos[:0], 1.0
        if options.mixup:
            others, weight = draw.permutation(photos), float(draw.beta(options.mixup, options.mixup))
        if len(photos) < max(2, processes):
            continue
        draws = torch.rand(len(photos), 7, generator=moves)
        mine = np.arange(process, len(photos), processes)
        parts, largest = 1, -(-len(photos) // processes)
        if options.micro_batch:  # in so many parts every process learns its share, of two photos at least
            parts = max(1, min(-(-largest // options.micro_batch), len(photos) // processes // 2))
        for part in range(parts):
            rows = mine[part::parts]
            share, mixed = len(rows) / len(photos), others[rows] if options.mixup else others
            yield _Plan(photos[rows], mixed, weight, draws[rows], share, last=part == parts - 1)
