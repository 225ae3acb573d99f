"""One loop for every method."""

from __future__ import annotations

import csv
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from fashionlib.device import autocast, device
from fashionlib.errors import InputError
from fashionlib.inputs import ImageInputs, Inputs, moved
from fashionlib.lesson import Lesson
from fashionlib.metrics import average_precision_all, mean_average_precision
from fashionlib.profiles import TrainingOptions
from fashionlib.tagger import Tagger, load_model, save_model


@dataclass(frozen=True)
class Predictions:
    """What a model says of a split. p photos, c labels, s steps, f features; theta and steps where it has boxes."""

    scores: Float[np.ndarray, "p c"]
    features: Float[np.ndarray, "p s f"]
    steps: Float[np.ndarray, "p s c"] | None
    theta: Float[np.ndarray, "p s numbers"] | None


def train(
    model: Tagger, inputs: Inputs, targets: Float[np.ndarray, "p c"], validation: tuple[Inputs, np.ndarray],
    options: TrainingOptions, folder: Path, *, seed: int = 0, fingerprint: str = "",
    known: Mapping[str, np.ndarray] | None = None,
) -> Tagger:  # fmt: skip
    """Train and return the epoch that did best on the validation photos (mean of AP_all and mAP).

    folder: takes the best weights so far, `history.csv`, and the state of the last epoch, from which an interrupted
    run of the same `fingerprint` goes on; a run of another one starts anew. known: what the head learns from beyond
    tags, a row a photo, see `fashionlib.lesson`.

    Raises InputError where the loss stops being a number, or the head needs what is not known.
    """
    moves = isinstance(inputs, ImageInputs) and options.shift > 0
    lesson = Lesson(model.head, targets, known, moves=moves, mixes=options.mixup > 0)
    folder.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(cpu=device().type == "cpu")
    net = model.to(accelerator.device) if isinstance(inputs, ImageInputs) else model.head.to(accelerator.device)
    batches = -(-len(inputs) // options.batch)
    optimiser = _optimiser(net, options)
    schedule = _schedule(optimiser, options, batches)
    run, optimiser = accelerator.prepare(net, optimiser)
    state = _State(folder, fingerprint, net, optimiser, schedule)
    first, best, history = state.restore()
    with _progress() as progress:
        bar = progress.add_task("training", total=options.epochs * batches, completed=first * batches)
        for epoch in range(first, options.epochs):
            started, terms = time.perf_counter(), defaultdict(float)
            model.train()
            torch.manual_seed(seed * 100_003 + epoch)  # dropout repeats after a resume, too
            for photos, *batch in _batches(inputs, lesson, options, seed, epoch, accelerator):
                for name, value in _step(run, model, *batch, optimiser, accelerator, options).items():
                    terms[name] += value * photos / len(inputs)
                schedule.step()
                progress.advance(bar)
            row = {"epoch": epoch + 1, **_finite(terms, epoch), **_validate(model, validation, options)}
            history.append({**row, "seconds": time.perf_counter() - started})
            if accelerator.is_main_process:
                best = state.save(epoch + 1, best, history, model)
    return load_best(model, folder)


def _progress() -> Progress:
    """A bar in a terminal; nothing in logs and notebooks."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal or console.is_jupyter)


def _finite(terms: dict[str, float], epoch: int) -> dict[str, float]:
    if not np.isfinite(sum(terms.values())):
        raise InputError(f"epoch {epoch + 1}: the loss is {sum(terms.values())}; lower the learning rate")
    return terms


def _validate(model: Tagger, validation: tuple[Inputs, np.ndarray], options: TrainingOptions) -> dict[str, float]:
    scores = predict(model, validation[0], mirror=options.mirror_test).scores
    return {
        "val_ap_all": float(average_precision_all(scores, validation[1])),
        "val_map": float(mean_average_precision(scores, validation[1])),
    }


def load_best(model: Tagger, folder: Path) -> Tagger:
    """The best epoch's weights, in `model`."""
    model.load_state_dict(load_model(folder).state_dict())
    return model.eval()


def _optimiser(net: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    if options.optimiser not in kinds:
        raise InputError(f"unknown optimiser {options.optimiser!r}: choose one of {', '.join(kinds)}")
    wanted = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return kinds[options.optimiser](wanted, lr=options.learning_rate, weight_decay=options.weight_decay)


def _schedule(optimiser, options: TrainingOptions, batches: int) -> torch.optim.lr_scheduler.LRScheduler:
    if options.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    if options.schedule == "one-cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, options.learning_rate, total_steps=options.epochs * batches
        )
    raise InputError(f"unknown schedule {options.schedule!r}: choose one-cycle or constant")


def _batches(
    inputs: Inputs, lesson: Lesson, options: TrainingOptions, seed: int, epoch: int, accelerator: Accelerator,
) -> Iterator[tuple[int, Tensor, Tensor, dict[str, Any]]]:  # fmt: skip
    """The epoch's global batches, the same whatever the number of processes; each process takes every n-th photo.

    Yields how many photos they are, what the network is fed, its targets, and what else its loss takes.
    """
    draw = np.random.default_rng([seed, epoch])
    moves = torch.Generator().manual_seed(seed * 7_919 + epoch)
    targets, progress = lesson.targets, epoch / options.epochs
    order, views = lesson.order(draw, options.batch, progress), draw.integers(0, inputs.views, len(inputs))
    shift = options.shift if isinstance(inputs, ImageInputs) else 0.0  # maps are of photos that were moved
    for start in range(0, len(order), options.batch):
        photos = order[start : start + options.batch]
        others, share = draw.permutation(photos), draw.beta(options.mixup, options.mixup) if options.mixup else 1.0
        mine = slice(accelerator.process_index, None, accelerator.num_processes)
        photos, others = photos[mine], others[mine]
        if len(photos) < 2:  # batch norm needs two
            continue
        batch, tags = inputs.take(photos, views[photos]), targets[photos]
        if options.mixup:
            batch = share * batch + (1 - share) * inputs.take(others, views[others])
            tags = share * tags + (1 - share) * targets[others]
        more = lesson.of(photos, views[photos], progress, batch.device)
        tags = torch.as_tensor(tags, dtype=torch.float32, device=batch.device)
        yield len(photos), moved(batch, shift, moves), tags, more


def _step(run, model, batch, targets, more, optimiser, accelerator, options) -> dict[str, float]:
    with autocast(options.precision):
        output = run(batch)
    terms = model.head.loss(output, targets, **more)
    optimiser.zero_grad()
    accelerator.backward(sum(terms.values()))
    accelerator.clip_grad_norm_(run.parameters(), options.clip)
    optimiser.step()
    return {name: float(value.detach()) for name, value in terms.items()}


@torch.no_grad()
def predict(model: Tagger, inputs: Inputs, *, mirror: bool = True, batch: int = 128) -> Predictions:
    """The model's word on every photo; with `mirror`, scores are the mean over the photo and its mirror image."""
    model.eval()
    net = model if isinstance(inputs, ImageInputs) else model.head
    rows = []
    for start in range(0, len(inputs), batch):
        indices = np.arange(start, min(start + batch, len(inputs)))
        output = net(inputs.take(indices, np.zeros(len(indices), int)))
        scores = model.probabilities(output.scores)
        if mirror:
            other = net(inputs.take(indices, np.ones(len(indices), int)))
            scores = (scores + model.probabilities(other.scores)) / 2
        rows.append((scores, output.features, output.steps, output.theta))
    columns = zip(*rows, strict=True)
    scores, features, steps, theta = (None if c[0] is None else torch.cat(c).float().cpu().numpy() for c in columns)
    assert scores is not None
    assert features is not None
    return Predictions(scores, features, steps, theta)


class _State:
    """An interrupted run goes on from here: weights, optimiser, schedule and history of the last whole epoch."""

    def __init__(self, folder: Path, fingerprint: str, net: nn.Module, optimiser, schedule):
        self.path, self.folder, self.fingerprint = folder / "last.pt", folder, fingerprint
        self.parts = {"net": net, "optimiser": optimiser, "schedule": schedule}

    def restore(self) -> tuple[int, float, list[dict]]:
        """Epochs done, the best validation so far, the history."""
        if not self.path.exists():
            return 0, -1.0, []
        saved = torch.load(self.path, map_location="cpu", weights_only=True)
        if saved["fingerprint"] != self.fingerprint:
            return 0, -1.0, []
        for name, part in self.parts.items():
            part.load_state_dict(saved[name])
        return saved["epoch"], saved["best"], saved["history"]

    def save(self, epoch: int, best: float, history: list[dict], model: Tagger) -> float:
        """Keep the epoch, and the model if it is the best so far; returns the best validation."""
        value = (history[-1]["val_ap_all"] + history[-1]["val_map"]) / 2
        if value > best:
            save_model(model, self.folder)
        best = max(best, value)
        parts = {name: part.state_dict() for name, part in self.parts.items()}
        aside = self.path.with_suffix(".aside")
        torch.save({**parts, "epoch": epoch, "best": best, "history": history, "fingerprint": self.fingerprint}, aside)
        os.replace(aside, self.path)
        _write_history(history, self.folder / "history.csv")
        return best


def _write_history(history: list[dict], path: Path) -> None:
    aside = path.with_suffix(".aside")
    with aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[-1]))
        writer.writeheader()
        writer.writerows(history)
    os.replace(aside, path)
