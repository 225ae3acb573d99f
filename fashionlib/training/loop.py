"""One loop for every method, in one process or in several."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from fashionlib.core.device import autocast, batch_of, compiled, device
from fashionlib.core.errors import InputError
from fashionlib.core.options import choose
from fashionlib.core.output import Output, in_single
from fashionlib.data.supervision import Supervision
from fashionlib.metrics.tagging import average_precision_all, mean_average_precision
from fashionlib.models.tagger import Tagger, load_model
from fashionlib.training.batches import Piece, batches
from fashionlib.training.checkpoint import Averaged, State
from fashionlib.training.distributed import accelerator_here, gathered, summed, synchronised
from fashionlib.training.inputs import ImageInputs, Inputs
from fashionlib.training.options import TrainingOptions

# raise it when the same photos, options and seed train other weights: in the loop, the batches, a head or a loss
TRAINING_VERSION = 1
PHOTOS_AT_ONCE = 32  # whose maps at full size stay within a GPU's memory when a trained trunk is asked


@dataclass(frozen=True)
class Predictions:
    """What a model says of a split. p photos, c labels, s steps, f features; theta and steps where it has boxes."""

    scores: Float[np.ndarray, "p c"]
    features: Float[np.ndarray, "p s f"]
    steps: Float[np.ndarray, "p s c"] | None
    theta: Float[np.ndarray, "p s numbers"] | None


def train(
    model: Tagger, inputs: Inputs, targets: Float[np.ndarray, "p c"], validation: tuple[Inputs, np.ndarray] | None,
    options: TrainingOptions, folder: Path, *, seed: int = 0, fingerprint: str = "",
    known: Mapping[str, np.ndarray] | None = None,
) -> Tagger:  # fmt: skip
    """Train and return the epoch that did best on the validation photos (mean of AP_all and mAP); the last without any.

    folder: takes the best weights so far, `history.csv`, and the state of the last epoch, from which an interrupted
    run of the same `fingerprint` goes on; a run of another one starts anew. known: what the head learns from beyond
    tags, one row per photo, see `fashionlib.data.supervision`.

    Of several processes each learns from its share of every batch. Losses that compare photos compare those of one
    process; batch norms are over all photos on GPUs, over each process's own on processors. One process writes.

    Raises InputError where the loss stops being a number, or the head needs what is not known.
    """
    moves = isinstance(inputs, ImageInputs) and options.shift > 0
    supervision = Supervision(model.head, targets, known, moves=moves, mixes=options.mixup > 0)
    folder.mkdir(parents=True, exist_ok=True)
    accelerator = accelerator_here()
    model.to(device())  # all of it, though a frozen trunk has made its maps already
    net = synchronised(model if isinstance(inputs, ImageInputs) else model.head, accelerator)
    steps = -(-len(inputs) // options.batch)
    schedule = _schedule(optimiser := _optimiser(net, options), options, steps)
    kept = Averaged(model, net, options.average)
    run, optimiser = accelerator.prepare(_WithLoss(net, model.head, options), optimiser)
    state = State(folder, fingerprint, net, optimiser, schedule, kept)
    first, best, history = state.restore()
    console = Console(stderr=True)  # a bar in a terminal; nothing in logs and notebooks
    hidden = not accelerator.is_main_process or not console.is_terminal or console.is_jupyter
    with Progress(console=console, transient=True, disable=hidden) as progress:
        bar = progress.add_task("training", total=options.epochs * steps, completed=first * steps)
        after = (schedule.step, kept.update, partial(progress.advance, bar))
        for epoch in range(first, options.epochs):
            started = time.perf_counter()
            model.train()  # and dropout repeats after a resume, too, and differs between processes
            torch.manual_seed(seed * 100_003 + epoch + accelerator.process_index * 1_000_000_007)
            pieces = batches(inputs, supervision, options, seed, epoch, accelerator)
            terms = _learn(run, pieces, len(inputs), after, optimiser, accelerator, options)
            if not np.isfinite(total := sum(terms.values())):
                raise InputError(f"epoch {epoch + 1}: the loss is {total}; lower the learning rate")
            row = {"epoch": epoch + 1, **terms, **_validate(kept.model, validation, options, accelerator)}
            history.append({**row, "seconds": time.perf_counter() - started})
            if accelerator.is_main_process:
                best = state.save(epoch + 1, best, history, kept.model)
    accelerator.wait_for_everyone()
    return load_best(model, folder)


class _WithLoss(nn.Module):
    """The network with its loss: whatever has weights in either is inside what processes share."""

    def __init__(self, net: nn.Module, head: nn.Module, options: TrainingOptions):
        super().__init__()
        self.net, self.head, self.precision = compiled(net, options.compile), head, options.precision

    def forward(self, batch: Tensor, targets: Tensor, **more: Any) -> dict[str, Tensor]:
        with autocast(self.precision):
            output = self.net(batch)
        output = in_single(output)  # a softmax over labels needs more than bf16's 8 bits
        return self.head.loss(output, targets, **more)


def _validate(
    model: Tagger, validation: tuple[Inputs, np.ndarray] | None, options: TrainingOptions, accelerator: Accelerator
) -> dict[str, float]:
    """AP_all and mAP; where labels are unknown (below 0), over the pairs that are known."""
    if validation is None:
        return {}
    blocks = _predicted(model, validation[0], options.mirror_test, 128, accelerator)
    scores = np.concatenate(gathered([scores.float().cpu().numpy() for _, scores, _ in blocks]))
    targets, known = validation[1], validation[1] >= 0
    if known.all():
        by_label = float(mean_average_precision(scores, targets))
    else:
        columns = [(scores[row, c], targets[row, c]) for c, row in enumerate(known.T) if (targets[:, c] > 0).any()]
        by_label = float(np.mean([average_precision_all(s[:, None], t[:, None]) for s, t in columns]))  # pyright: ignore[reportArgumentType]
    overall = average_precision_all(scores[known][:, None], targets[known][:, None])
    return {"val_ap_all": float(overall), "val_map": by_label}


def load_best(model: Tagger, folder: Path) -> Tagger:
    """The weights of the epoch that was kept, in `model`."""
    model.load_state_dict(load_model(folder).state_dict())
    return model.eval()


def _optimiser(net: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    choose(options.optimiser, kinds, "optimiser")
    wanted = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return kinds[options.optimiser](wanted, lr=options.learning_rate, weight_decay=options.weight_decay)


def _schedule(optimiser, options: TrainingOptions, batches: int) -> torch.optim.lr_scheduler.LRScheduler:
    choose(options.schedule, ("one-cycle", "constant"), "schedule")
    if options.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    return torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, total_steps=options.epochs * batches)


def _learn(
    run: nn.Module, pieces: Iterable[Piece], photos: int, after: Sequence[Callable[[], object]], optimiser,
    accelerator: Accelerator, options: TrainingOptions,
) -> dict[str, float]:  # fmt: skip
    """One epoch: the loss term by term, its mean over `photos`. after: called each time the weights were moved."""
    terms: defaultdict[str, Any] = defaultdict(float)
    exact = torch.float32 if device().type == "mps" else torch.float64  # which Apple's GPUs lack
    for piece in pieces:
        with nullcontext() if piece.last else accelerator.no_sync(run):
            losses = run(piece.batch, piece.targets, **piece.more)
            # processes' gradients are averaged: each piece counts by its photos among the whole batch's
            accelerator.backward(sum(losses.values()) * (piece.share * accelerator.num_processes))
        for name, value in losses.items():
            terms[name] = terms[name] + value.detach().to(exact) * (len(piece.targets) / photos)
        if piece.last:  # of a batch: its gradients are added up
            accelerator.clip_grad_norm_(run.parameters(), options.clip)
            optimiser.step()
            optimiser.zero_grad()
            for follow in after:
                follow()
    return summed(terms, accelerator)


def predict(model: Tagger, inputs: Inputs, *, mirror: bool = True, batch: int = 128) -> Predictions:
    """Predictions for all photos; with `mirror`, scores are the mean over the photo and its mirror image.

    Each batch goes into its place in the whole, so that no more than the whole and a batch are in memory.
    """
    found: dict[str, np.ndarray] = {}
    for rows, scores, output in _predicted(model, inputs, mirror, batch, None):
        for name in (field.name for field in fields(Predictions)):
            values = scores if name == "scores" else getattr(output, name)
            if values is not None:
                values = values.float().cpu().numpy()
                if name not in found:
                    found[name] = np.empty((len(inputs), *values.shape[1:]), values.dtype)
                found[name][rows] = values
    return Predictions(**{"steps": None, "theta": None, **found})


def _predicted(
    model: Tagger, inputs: Inputs, mirror: bool, batch: int, accelerator: Accelerator | None
) -> Iterator[tuple[np.ndarray, Tensor, Output]]:
    """Rows, their scores and the rest, batch by batch; of several processes, each makes every n-th batch."""
    model.to(device()).eval()
    batch = batch_of(min(batch, PHOTOS_AT_ONCE)) if isinstance(inputs, ImageInputs) else batch
    first, processes = (accelerator.process_index, accelerator.num_processes) if accelerator else (0, 1)
    for start in range(first * batch, len(inputs), batch * processes):
        rows = np.arange(start, min(start + batch, len(inputs)))
        with torch.no_grad():  # inside, as what asks for the batches may need gradients of its own
            output = model.head(inputs.encoded(model, rows, np.zeros(len(rows), int)))
            scores = model.probabilities(output.scores)
            if mirror:
                other = model.head(inputs.encoded(model, rows, np.ones(len(rows), int)))
                scores = (scores + model.probabilities(other.scores)) / 2
        yield rows, scores, output
