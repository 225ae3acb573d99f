"""The photos of an epoch in the order they are learned from, read ahead of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float, Int
from torch import Tensor

from fashionlib.data.supervision import Supervision
from fashionlib.training.inputs import ImageInputs, Inputs, moved
from fashionlib.training.options import TrainingOptions

AHEAD = 2  # pieces read while the network works on the one before


@dataclass(frozen=True)
class Piece:
    """What a process is fed at once: its share of a global batch, or a part of that share.

    photos: how many they are. share: of the global batch's; all pieces of all processes make 1. last: the weights are
    moved after it. more: what else the head's loss takes.
    """

    batch: Tensor
    targets: Float[Tensor, "b c"]
    photos: int
    share: float
    last: bool
    more: Mapping[str, Any] = field(default_factory=dict)


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
    """The epoch's global batches, the same whatever the number of processes; each process takes every n-th photo."""
    draw = np.random.default_rng([seed, epoch])
    targets, progress = supervision.targets, epoch / options.epochs
    order, views = supervision.order(draw, options.batch, progress), draw.integers(0, inputs.views, len(inputs))
    moves = torch.Generator().manual_seed(seed * 7_919 + epoch)
    shift = options.shift if isinstance(inputs, ImageInputs) else 0.0  # maps are of photos that were moved
    plans = _plans(order, options, draw, moves, accelerator.process_index, accelerator.num_processes)
    for plan, raw, other in _read_ahead(inputs, views, plans):
        batch, tags = inputs.ready(raw, plan.photos, views[plan.photos]), targets[plan.photos]
        if other is not None:
            mixed = inputs.ready(other, plan.others, views[plan.others])
            batch = plan.weight * batch + (1 - plan.weight) * mixed
            tags = plan.weight * tags + (1 - plan.weight) * targets[plan.others]
        tags = torch.as_tensor(tags, dtype=torch.float32, device=batch.device)
        more = supervision.of(plan.photos, views[plan.photos], progress, batch.device)
        count = len(plan.photos)
        yield Piece(moved(batch, shift, plan.draws), tags, count, plan.share, plan.last, more)


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


def _read_ahead(
    inputs: Inputs, views: Int[np.ndarray, " p"], plans: Iterator[_Plan]
) -> Iterator[tuple[_Plan, Tensor, Tensor | None]]:
    """Each plan with its photos, which a thread reads (on a GPU's machine, into pinned memory) while others train."""

    def read(plan: _Plan) -> tuple[_Plan, Tensor, Tensor | None]:
        raw = inputs.read(plan.photos, views[plan.photos])
        return plan, raw, inputs.read(plan.others, views[plan.others]) if len(plan.others) else None

    with ThreadPoolExecutor(1, "reading") as pool:
        waiting = deque(pool.submit(read, plan) for plan in islice(plans, AHEAD))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(read, plan) for plan in islice(plans, 1))
            yield done
