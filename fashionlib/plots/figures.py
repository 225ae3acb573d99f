"""Every figure of the book, in one style.

Each function returns a matplotlib `Figure` that pyplot has already let go of, so that a notebook shows it
once and nothing has to be closed. Lines and dots carry their names, so that no figure leans on colour alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashionlib.core.errors import InputError
from fashionlib.data.base import Sample
from fashionlib.ledger.ledger import Entry
from fashionlib.plots.style import WIDTH, Photo, colours, new_figure, outline, show_photo, tallness, themed

Cell = Mapping[str, Any]
Row = Mapping[str, Any]

METHODS = {
    "parser": "by parts", "parser-paper": "by parts, as the paper", "parser-released": "by parts, as released",
    "fixed-learned": "learned layout", "fixed": "fixed stripes", "csra": "CSRA", "whole": "whole picture",
    "prior": "label frequencies", "stylenet": "StyleNet", "inoue-baseline": "Inoue baseline", "inoue": "Inoue et al.",
    "veit": "Veit et al.", "veit-uncleaned": "Veit et al., uncleaned", "siamese": "Siamese", "triplet": "Triplet",
    "wtbi": "WTBI", "darn": "DARN", "fashionnet": "FashionNet",
}  # fmt: skip
METRICS = {
    "ap_all": "AP$_{all}$, all scores",
    "map": "mAP, all scores",
    "ap_all_top6": "AP$_{all}$, top 6 labels",
    "map_top6": "mAP, top 6 labels",
}
EXPERIMENTS = {"topk_inshop": "In-shop", "topk_c2s": "Consumer to shop"}
PUBLISHED_CURVES = {"topk_inshop": "deepfashion_inshop", "topk_c2s": "deepfashion_c2s"}


@themed
def sample_sheet(samples: Sequence[Sample], names: Sequence[str] = (), columns: int = 4) -> Figure:
    """Contact sheet: each photo with the boxes known on it and its labels below.

    names: the data set's labels, in the order of `Sample.labels`; without them the boxes' labels stand below.
    Raises InputError when there is no sample.
    """
    if not samples:
        raise InputError("sample_sheet got no samples; hand it at least one, such as dataset[0]")
    rows = -(-len(samples) // columns)
    below = [textwrap.fill(" · ".join(_words(sample, names)), 76 // columns) for sample in samples]
    lines = max(text.count("\n") for text in below) + 1
    tall = max(tallness(sample.image) for sample in samples)
    figure = new_figure(rows * (0.95 * tall * WIDTH / columns + 0.1 + 0.125 * lines))
    palette = colours()
    for axes in figure.subplots(rows, columns, squeeze=False).flat[len(samples) :]:
        axes.set_axis_off()
    for axes, sample, text in zip(figure.axes, samples, below, strict=False):
        show_photo(axes, sample.image)
        for number, box in enumerate(sample.boxes.values()):
            parts = np.asarray(box) / np.tile(sample.image.shape[1::-1], 2)
            outline(axes, sample.image, parts, palette[number % len(palette)], linewidth=1)
        axes.set_xlabel(text, fontsize=7, loc="left")
    return figure


def _words(sample: Sample, names: Sequence[str]) -> list[str]:
    if sample.labels is None or not names:
        return list(sample.boxes)
    return [name for name, on in zip(names, sample.labels, strict=True) if on]


@themed
def history(source: str | Path | pd.DataFrame | Mapping[str, str | Path | pd.DataFrame]) -> Figure:
    """Training curves: losses above, validation scores below, one line a method.

    source: the CSV that training leaves (a row an epoch: `epoch`, `seconds`, the terms of the loss, and validation
    scores named `val_…`) or its frame; or several of them by the name of the method or seed.
    Raises InputError when a CSV is missing or has no column `epoch`.
    """
    runs = dict(source) if isinstance(source, Mapping) else {"": source}
    frames = {method: _history_frame(run) for method, run in runs.items()}
    numbers = {name for frame in frames.values() for name in frame.select_dtypes("number").columns}
    scores = sorted(name for name in numbers if name.startswith("val_"))
    losses = sorted(numbers - {"epoch", "seconds", *scores})
    groups = [(title, names) for title, names in (("Loss", losses), ("Validation score", scores)) if names]
    figure = new_figure(0.5 + 1.9 * len(groups))
    styles = ("-", "--", ":", "-.")
    for axes, (title, names) in zip(np.ravel(figure.subplots(len(groups), 1, sharex=True)), groups, strict=True):
        for colour, (method, frame) in zip(colours(), frames.items(), strict=False):
            for style, name in zip(styles, [name for name in names if name in frame], strict=False):
                label = f"{METHODS.get(method, method)} {name.removeprefix('val_')}".strip()
                axes.plot(frame["epoch"], frame[name], style, color=colour, label=label, linewidth=1.5)
        axes.set_title(title)
        axes.legend(frameon=False, fontsize=7.5)
    figure.axes[-1].set_xlabel("epoch")
    return figure


def _history_frame(source: str | Path | pd.DataFrame) -> pd.DataFrame:
    if not isinstance(source, pd.DataFrame):
        if not Path(source).is_file():
            raise InputError(f"{source}: no training history there; train the method first")
        source = pd.read_csv(source)
    if "epoch" not in source:
        raise InputError(f"training history has columns {list(source)}, expected one named 'epoch'")
    return source


def method_colours() -> dict[str, str]:
    """Ours and the whole picture in the first two colours, as in every figure; the others quiet."""
    ours, whole = colours()[:2]
    return {**dict.fromkeys(METHODS, str(mpl.rcParams["xtick.color"])), "parser": ours, "whole": whole}


@themed
def table1_figure(entries: Sequence[Entry]) -> Figure:
    """Dots and 95% intervals: a panel a metric, a row a method. Differences are left out.

    Raises InputError when no entry is one of Table 1's metrics.
    """
    wanted = [entry for entry in entries if entry.metric in METRICS]
    metrics = [metric for metric in METRICS if any(entry.metric == metric for entry in wanted)]
    methods = [name for name in METHODS if any(entry.method == name for entry in wanted)][::-1]
    if not wanted:
        raise InputError(f"no entry of {list(METRICS)} to draw; run the experiment table1 first")
    rows = -(-len(metrics) // 2)
    figure = new_figure(rows * (0.65 + 0.4 * len(methods)))
    grid = figure.subplots(rows, min(2, len(metrics)), sharey=True, squeeze=False)
    palette = method_colours()
    for axes, metric in zip(grid.flat, metrics, strict=False):
        axes.set_title(METRICS[metric])
        axes.grid(axis="y", visible=False)
        for entry in wanted:
            if entry.metric == metric:
                row = methods.index(entry.method)
                axes.plot([entry.low, entry.high], [row, row], color=palette[entry.method], linewidth=2.2)
                axes.plot(entry.value, row, "o", color=palette[entry.method], markersize=6)
                axes.annotate(f"{entry.value:.3f}", (entry.value, row), (0, 6), textcoords="offset points",
                              ha="center", fontsize=8)  # fmt: skip
        axes.set_yticks(range(len(methods)), [METHODS[name] for name in methods])
        axes.set_ylim(-0.5, len(methods) - 0.35)
        axes.margins(x=0.18)
    for axes in grid.flat[len(metrics) :]:
        axes.set_axis_off()
    return figure


@themed
def topk_curves(entries: Sequence[Entry], published: Sequence[Row] | None = None) -> Figure:
    """Top-k accuracy over k with 95% bands, a panel an experiment.

    published: rows of published.csv; what the paper's Fig. 3 plots is then drawn in panels of its own, never
    among the measured lines, because the data are others.
    Raises InputError when no entry has a metric top1 … top50.
    """
    experiments = [name for name in EXPERIMENTS if any(e.experiment == name for e in entries)]
    if not experiments:
        raise InputError(f"no entry of {list(EXPERIMENTS)} to draw; run one of these experiments first")
    rows = 2 if published is not None else 1
    figure = new_figure(2.6 * rows)
    grid = figure.subplots(rows, len(experiments), sharex=True, squeeze=False)
    for column, name in enumerate(experiments):
        _curves(grid[0, column], [e for e in entries if e.experiment == name])
        dataset = next(e.dataset for e in entries if e.experiment == name)
        grid[0, column].set_title(f"{EXPERIMENTS[name]},\n{dataset}")
        if published is not None:
            _published_curves(grid[1, column], [r for r in published if r["dataset"] == PUBLISHED_CURVES[name]])
            grid[1, column].set_title(f"{EXPERIMENTS[name]},\npublished for DeepFashion")
        grid[-1, column].set(xlabel="k nearest products", xticks=(1, 10, 20, 30, 40, 50))
    for axes in grid[:, 0]:
        axes.set_ylabel("queries answered")
    return figure


def _curves(axes: Axes, entries: Sequence[Entry]) -> None:
    """Parts and whole picture, each named at its right end, the better above its band; the controls thin and grey."""
    lines = {}
    for name in METHODS:
        found = [(int(e.metric[3:]), e) for e in entries if e.method == name and e.metric[3:].isdigit()]
        lines |= {name: [e for _, e in sorted(found, key=lambda pair: pair[0])]} if found else {}
        if len({k for k, _ in found}) < len(found):
            raise InputError(f"two values of {name} at one k: draw one protocol at a time")
    named = [name for name in lines if name in ("parser", "whole")] or list(lines)
    for name in lines.keys() - set(named):  # the controls: their lines lie too near each other for names
        axes.plot([int(e.metric[3:]) for e in lines[name]], [e.value for e in lines[name]],
                  color=mpl.rcParams["xtick.color"], linewidth=0.8, alpha=0.7)  # fmt: skip
    best = max(named, key=lambda name: lines[name][-1].value)
    for name, colour in zip(named, colours(), strict=False):
        line = lines[name]
        ks = [int(e.metric[3:]) for e in line]
        low, high = ([getattr(e, end) or e.value for e in line] for end in ("low", "high"))
        axes.plot(ks, [e.value for e in line], color=colour, linewidth=1.8)
        axes.fill_between(ks, low, high, color=colour, alpha=0.22, linewidth=0)
        above = name == best
        axes.annotate(METHODS[name], (ks[-1], high[-1] if above else low[-1]), (0, 2 if above else -8),
                      textcoords="offset points", color=colour, ha="right", fontsize=8,
                      va="bottom" if above else "top")  # fmt: skip
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])


def _published_curves(axes: Axes, rows: Sequence[Row]) -> None:
    """What the paper's Fig. 3 plots: its own line and FashionNet's named, the others grey."""
    paper, rival = colours()[:2]
    named = {"Semantic parsing (the paper)": ("the paper", paper), "FashionNet": ("FashionNet", rival)}
    plotted = [row for row in rows if row["source"].startswith("Fig. 3")]
    for method in dict.fromkeys(row["method"] for row in plotted):
        points = sorted((int(r["metric"][3:]), float(r["value"])) for r in plotted if r["method"] == method)
        label, colour = named.get(method, (None, mpl.rcParams["axes.edgecolor"]))
        axes.plot(*zip(*points, strict=True), "o--", color=colour, markersize=2.5, linewidth=1.2,
                  alpha=1 if label else 0.4)  # fmt: skip
        if label:
            above = label == "the paper"
            axes.annotate(label, points[-1], (0, 3 if above else -5), textcoords="offset points", color=colour,
                          ha="right", va="bottom" if above else "top", fontsize=8)  # fmt: skip
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])


@themed
def recommendation_grid(query_image: Photo, rows: Sequence[Row]) -> Figure:
    """Fig. 4: the query with its regions at the left, one row of look-alikes a part.

    rows: each has `label`, `region` (x1, y1, x2, y2 in parts of the photo; None for the whole of it) and
    `cells`; a cell has `image`, `label`, `distance` and `region`, the place that matched.
    Raises InputError when there is no row, or a row without cells.
    """
    if not rows or not all(row["cells"] for row in rows):
        raise InputError("recommendation_grid needs at least one row, and at least one cell in each")
    columns = max(len(row["cells"]) for row in rows)
    width = WIDTH / (columns + 1.8)  # inches; the query is half as wide again
    cells = [cell for row in rows for cell in row["cells"]]
    lines = max(_cell_words(cell).count("\n") for cell in cells) + 1
    tall = max(tallness(cell["image"]) for cell in cells)
    figure = new_figure(
        max(1.5 * width * tallness(query_image) + 0.3, len(rows) * (width * tall + 0.27 + 0.14 * lines))
    )
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.5, columns))[0]
    query = left.subplots()
    show_photo(query, query_image)
    query.set_title("query")
    bands = right.subfigures(len(rows), 1, squeeze=False)[:, 0]
    palette = colours()
    for number, (band, row) in enumerate(zip(bands, rows, strict=True)):
        colour = palette[number % len(palette)]
        if row.get("region") is not None:
            outline(query, query_image, row["region"], colour, linewidth=2.2)
        band.suptitle(row["label"], color=colour, fontsize=9.5, fontweight="bold", x=0.02, ha="left")
        _cells(band.subplots(1, columns, squeeze=False)[0], row["cells"], colour)
    return figure


def _cells(axes: Shaped[np.ndarray, " columns"], cells: Sequence[Cell], colour: str) -> None:
    """One row of look-alikes: the matched region outlined, label and distance below."""
    for place in axes[len(cells) :]:
        place.set_axis_off()
    for place, cell in zip(axes, cells, strict=False):
        show_photo(place, cell["image"])
        if cell.get("region") is not None:
            outline(place, cell["image"], cell["region"], colour)
        place.set_xlabel(_cell_words(cell), fontsize=7.5, labelpad=2)


def _cell_words(cell: Cell) -> str:
    return f"{textwrap.fill(cell['label'], 12)}\n{cell['distance']:.2f}"


@themed
def compare_rows(query_image: Photo, whole: Sequence[Cell], parts: Sequence[Row]) -> Figure:
    """Fig. 1: the look-alikes of the whole picture in the first row, those of each part below it.

    whole: cells, and parts: rows, as in `recommendation_grid`. Raises InputError as it does.
    """
    return recommendation_grid(query_image, [{"label": "whole picture", "region": None, "cells": whole}, *parts])


@themed
def ablation_figure(gains: Mapping[str, Mapping[str, tuple[float, float, float]]], metric: str = "ap_all") -> Figure:
    """Two bars with 95% intervals for each group of options: what it gains the paper's network, and what ours loses
    without it, in points.

    gains: see `fashionlib.experiments.ablation.gains`.
    """
    names = list(gains)[::-1]
    figure = new_figure(0.7 + 0.42 * len(names))
    axes = figure.subplots()
    words = {"added": "added to the paper's network", "removed": "taken from ours"}
    for (kind, label), colour, place in zip(words.items(), colours(), (0.19, -0.19), strict=False):
        shown = [(row + place, [100 * part for part in gains[name][kind]])
                 for row, name in enumerate(names) if kind in gains[name]]  # fmt: skip
        rows, triples = [row for row, _ in shown], [triple for _, triple in shown]
        reach = [[value - low for value, low, _ in triples], [high - value for value, _, high in triples]]
        axes.barh(rows, [value for value, _, _ in triples], 0.36, color=colour, label=label,
                  xerr=reach, error_kw={"ecolor": mpl.rcParams["xtick.color"], "linewidth": 1.2})  # fmt: skip
        for row, (value, _, high) in shown:
            axes.annotate(
                f"{value:+.1f}", (max(high, 0), row), (4, 0), textcoords="offset points", va="center", fontsize=7.5
            )
    axes.axvline(0, color=mpl.rcParams["xtick.color"], linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(f"points of {METRICS[metric].split(',')[0]} gained by our choice")
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
    figure.legend(loc="outside upper left", frameon=False, fontsize=8, ncols=2)
    return figure
