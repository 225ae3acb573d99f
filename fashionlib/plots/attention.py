"""Figures of attention: where the steps look, how far they move, what they win, and how often they hit."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fashionlib.core.errors import InputError
from fashionlib.core.names import METHODS
from fashionlib.ledger.ledger import Entry
from fashionlib.plots.scores import dots
from fashionlib.plots.style import Photo, chip, colours, new_figure, outline, panels, show_photo, themed


@themed
def attention_sheet(
    images: Sequence[Photo], boxes: Float[np.ndarray, "photos steps 4"], names: Sequence[str],
    winners: Int[np.ndarray, "photos labels"], columns: int = 3,
) -> Figure:  # fmt: skip
    """Where each step looked, and which labels it decided.

    boxes: (x1, y1, x2, y2) in parts of the photo. names: the labels. winners: for each label the step with the
    highest score, −1 for a label that is not shown.
    """
    figure, palette = new_figure(-(-len(images) // columns) * 2.9), colours()
    grid = panels(figure, len(images), columns)
    for axes, image, steps, won in zip(grid, images, boxes, winners, strict=True):
        legend = []
        for step, box in enumerate(steps):
            labels = [names[int(label)] for label in np.flatnonzero(won == step)]
            outline(axes, image, box, palette[step % len(palette)], linewidth=2 if labels else 0.8)
            x, y = np.clip(box[:2], 0.01, 0.93) * np.array(image.shape[1::-1])
            chip(axes, x, y, f"{step + 1}", palette[step % len(palette)])
            legend += [f"{step + 1}: {', '.join(labels)}"] if labels else []
        show_photo(axes, image, "\n".join(textwrap.fill(line, 24) for line in legend), loc="left")
    return figure


@themed
def attention_spread(boxes: Float[np.ndarray, "photos steps 4"]) -> Figure:
    """How far each step moves from photo to photo: its box centres as dots, its mean box as an outline."""
    figure = new_figure(4.0, width=3.9)
    axes = figure.subplots()
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    for step, colour in zip(range(boxes.shape[1]), colours() * boxes.shape[1], strict=False):
        x1, y1, x2, y2 = boxes[:, step].mean(0)
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1.4))
        axes.plot(*centres[:, step].T, ".", color=colour, markersize=3, alpha=0.6)
        chip(axes, x1, y1, f"{step + 1}", colour)
        axes.text(1.06, 0.04 + 0.06 * step, f"step {step + 1}: ±{centres[:, step].std(0).mean():.2f}",
                  color=colour, fontsize=8.5, va="top")  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(1, 0), xlabel="across the photo", ylabel="down the photo", aspect=1.5)
    return figure


@themed
def wins_map(wins: Float[np.ndarray, "steps labels"], names: Sequence[str], counts: Sequence[int]) -> Figure:
    """Which step gives which label its score: a row for each of the 20 commonest labels, a column for each step."""
    shown = np.argsort(-np.asarray(counts), kind="stable")[:20]
    order = shown[np.argsort(wins[:, shown].argmax(0), kind="stable")]
    figure = new_figure(0.8 + 0.2 * len(order), width=4.2)
    axes = figure.subplots()
    axes.imshow(wins[:, order].T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.grid(False)
    axes.set_yticks(range(len(order)), [str(names[label]) for label in order.tolist()])
    axes.set_xticks(range(len(wins)), [f"{step + 1}" for step in range(len(wins))])
    axes.set_xlabel("step")
    for row, label in enumerate(order):
        for step in np.flatnonzero(wins[:, label] >= 0.1).tolist():
            share = wins[step, label]
            axes.text(step, row, f"{share:.0%}", ha="center", va="center", fontsize=8.5,
                      color="white" if share > 0.55 else "black")  # fmt: skip
    return figure


@themed
def pointing_figure(entries: Sequence[Entry]) -> Figure:
    """How often the centre of a guess lies on the garment, on the photos as they are and moved about; 95% intervals.

    Raises InputError where no entry tells.
    """
    rows = {method: method for method in METHODS if any(e.method == method and e.metric == "pointing" for e in entries)}
    if not rows:
        raise InputError("no entry 'pointing' to draw: too few masks, or the experiment attention has not run")
    first = next(iter(rows))
    guesses = [(METHODS[name], name, "pointing") for name in rows]
    guesses += [("label's mean box", first, "pointing_mean_box"), ("centre of the picture", first, "pointing_centre")]
    guesses, figure = guesses[::-1], new_figure(1.0 + 0.34 * len(guesses))
    for axes, (title, end) in zip(
        panels(figure, 2, 2, sharey=True, sharex=True), (("as they are", ""), ("moved about", "_moved")), strict=True
    ):
        axes.set_title(f"photos {title}")
        found = [
            (row, method if metric == "pointing" else "prior",
             next(e for e in entries if e.method == method and e.metric == metric + end))
            for row, (_, method, metric) in enumerate(guesses)
        ]  # fmt: skip
        dots(axes, [name for name, *_ in guesses], found, digits=2)
    return figure
