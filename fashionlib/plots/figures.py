"""Figures of photos and of training: contact sheet, curves of the loss, look-alikes.

Each function returns a matplotlib `Figure` that pyplot has already let go of, so that a notebook shows it
once and nothing has to be closed. Lines and dots carry their names, so that no figure leans on colour alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from fashionlib.core.errors import InputError
from fashionlib.core.names import METHODS
from fashionlib.data.base import Sample
from fashionlib.plots.style import (
    WIDTH,
    Photo,
    Region,
    chip,
    colours,
    new_figure,
    outline,
    panels,
    show_photo,
    tallness,
    themed,
)

Cell = Mapping[str, Any]
Row = Mapping[str, Any]
Regions = Mapping[str, Region]


@themed
def sample_sheet(samples: Sequence[Sample], names: Sequence[str] = (), columns: int = 4) -> Figure:
    """Contact sheet: each photo with the boxes known on it and its labels below.

    names: the data set's labels, in the order of `Sample.labels`; without them the boxes' labels stand below.
    Raises InputError when there is no sample.
    """
    if not samples:
        raise InputError("sample_sheet got no samples; hand it at least one, such as dataset[0]")
    below = []
    for sample in samples:
        words = list(sample.boxes)
        if sample.labels is not None and names:
            words = [name for name, on in zip(names, sample.labels, strict=True) if on]
        below.append(textwrap.fill(" · ".join(words), 76 // columns))
    lines, tall = max(text.count("\n") for text in below) + 1, max(tallness(sample.image) for sample in samples)
    figure = new_figure(-(-len(samples) // columns) * (0.95 * tall * WIDTH / columns + 0.1 + 0.125 * lines))
    for axes, sample, text in zip(panels(figure, len(samples), columns), samples, below, strict=True):
        show_photo(axes, sample.image, text, loc="left")
        for box, colour in zip(sample.boxes.values(), cycle(colours()), strict=False):
            parts = np.asarray(box) / np.tile(sample.image.shape[1::-1], 2)
            outline(axes, sample.image, parts, colour, linewidth=1)
    return figure


@themed
def history(runs: Mapping[str, str | Path | pd.DataFrame]) -> Figure:
    """Training curves: losses above, validation scores below, one line per method or seed.

    runs: by the name of the method or seed, the CSV that training leaves (a row per epoch: `epoch`, `seconds`, the
    terms of the loss, and validation scores named `val_…`) or its frame. Raises InputError when a CSV is missing.
    """
    frames = {}
    for method, run in runs.items():
        if not isinstance(run, pd.DataFrame) and not Path(run).is_file():
            raise InputError(f"{run}: no training history there; train the method first")
        frames[method] = run if isinstance(run, pd.DataFrame) else pd.read_csv(run)
    numbers = {name for frame in frames.values() for name in frame.select_dtypes("number").columns}
    scores = sorted(name for name in numbers if name.startswith("val_"))
    losses = sorted(numbers - {"epoch", "seconds", *scores})
    groups = [(title, names) for title, names in (("Loss", losses), ("Validation score", scores)) if names]
    figure = new_figure(0.5 + 1.9 * len(groups))
    for axes, (title, names) in zip(panels(figure, len(groups), 1, sharex=True), groups, strict=True):
        for colour, (method, frame) in zip(colours(), frames.items(), strict=False):
            for style, name in zip(("-", "--", ":", "-."), [name for name in names if name in frame], strict=False):
                label = f"{METHODS.get(method, method)} {name.removeprefix('val_')}"
                axes.plot(frame["epoch"], frame[name], style, color=colour, label=label, linewidth=1.5)
        axes.set_title(title)
        axes.legend()
    figure.axes[-1].set_xlabel("epoch")
    return figure


def beside_query(query: Photo, columns: int, query_lines: int, right: float) -> tuple[Figure, Axes, SubFigure]:
    """A figure with the query at the left, half as wide again as one of the `columns` of the part at its right.

    query_lines: of text below the query. right: the right part's height, in inches.
    """
    width = WIDTH / (columns + 1.8)
    figure = new_figure(max(1.5 * width * tallness(query) + 0.3 + 0.13 * query_lines, right))
    left, beside = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.5, columns))[0]
    asked = left.subplots()
    show_photo(asked, query)
    asked.set_title("query")
    return figure, asked, beside


@themed
def recommendation_grid(query_image: Photo, rows: Sequence[Row]) -> Figure:
    """Figs. 1 and 4: the query with its regions at the left, one row of look-alikes per part.

    rows: each has `label`, `region` (x1, y1, x2, y2 in parts of the photo; None for the whole of it) and
    `cells`; a cell has `image`, `distance` and `region`, the place that matched, and perhaps a `label`, and `match`
    where the truth is known, shown as ✓ or ✗. Raises InputError when there is no row, or a row without cells.
    """
    if not rows or not all(row["cells"] for row in rows):
        raise InputError("recommendation_grid needs at least one row, and at least one cell in each")
    columns, cells = max(len(row["cells"]) for row in rows), [cell for row in rows for cell in row["cells"]]
    lines = max(_words(cell).count("\n") for cell in cells) + 1
    tall = max(tallness(cell["image"]) for cell in cells)
    height = len(rows) * (WIDTH / (columns + 1.8) * tall + 0.27 + 0.14 * lines)
    figure, query, right = beside_query(query_image, columns, 0, height)
    bands = right.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for band, row, colour, style in zip(bands, rows, cycle(colours()), cycle(("-", "--", "-.", ":")), strict=False):
        if row.get("region") is not None:
            outline(query, query_image, row["region"], colour, linewidth=2.2, linestyle=style)
        band.suptitle(row["label"], color=colour, fontsize=9.5, fontweight="bold", x=0.02, ha="left")
        for axes, cell in zip(panels(band, len(row["cells"]), columns), row["cells"], strict=True):
            show_photo(axes, cell["image"], _words(cell), region=cell.get("region"), colour=colour)
    return figure


def _words(cell: Cell) -> str:
    label = f"{textwrap.fill(cell['label'], 12)}\n" if "label" in cell else ""
    return label + f"{cell['distance']:.2f}" + {True: " ✓", False: " ✗", None: ""}[cell.get("match")]


@themed
def compare_rows(query_image: Photo, whole: Sequence[Cell], parts: Sequence[Row]) -> Figure:
    """Fig. 1: the look-alikes of the whole picture in the first row, those of each part below it.

    whole: cells, and parts: rows, as in `recommendation_grid`. Raises InputError as it does.
    """
    return recommendation_grid(query_image, [{"label": "whole picture", "region": None, "cells": whole}, *parts])


@themed
def answers_grid(query: Photo, regions: Regions, cells: Sequence[Mapping[str, Any]], columns: int = 5) -> Figure:
    """The query with its parts numbered and outlined, and the photos that answer them between them, in order.

    regions: where the query shows each label (x1, y1, x2, y2 in parts of the photo); labels of one region are one part.
    cells: each with `image` and `regions`, where it shows the labels that it answers; each is outlined and numbered as
    the query's part. Raises InputError where there is no cell, or one answers a label that the query has no region for.
    """
    strangers = [label for cell in cells for label in cell["regions"] if label not in regions]
    if strangers or not cells:
        wrong = f"a cell answers {strangers[0]!r}, which has no region" if strangers else "there is no cell"
        raise InputError(f"answers_grid cannot be drawn: {wrong}; hand it the answers of one query and all its parts")
    places, palette = list(dict.fromkeys(regions.values())), colours()
    numbers = {label: places.index(region) for label, region in regions.items()}

    def words(shown: Regions, width: int) -> str:
        """A line per part: its number and its labels."""
        found: dict[int, list[str]] = {}
        for label in shown:
            found.setdefault(numbers[label], []).append(label)
        return "\n".join(textwrap.fill(f"{part + 1} {', '.join(found[part])}", width) for part in sorted(found))

    def number(axes: Axes, image: Photo, shown: Regions) -> None:
        """Outline each region once, in its corner the numbers of the parts that share it."""
        for region in dict.fromkeys(shown.values()):
            parts = sorted({numbers[label] for label, place in shown.items() if place == region})
            colour = palette[parts[0] % len(palette)]
            outline(axes, image, region, colour)
            x, y = max(region[0], 0.01) * image.shape[1], max(region[1], 0.01) * image.shape[0]
            chip(axes, x, y, ", ".join(str(part + 1) for part in parts), colour)

    legend, below = words(regions, 22), [words(cell["regions"], 16) for cell in cells]
    lines, tall = max(text.count("\n") for text in below) + 1, max(tallness(cell["image"]) for cell in cells)
    height = -(-len(cells) // columns) * (WIDTH / (columns + 1.8) * tall + 0.1 + 0.125 * lines)
    figure, asked, right = beside_query(query, columns, legend.count("\n") + 1, height)
    number(asked, query, regions)
    asked.set_xlabel(legend, fontsize=8.5, loc="left")
    for axes, cell, text in zip(panels(right, len(cells), columns), cells, below, strict=True):
        show_photo(axes, cell["image"], text, loc="left")
        number(axes, cell["image"], cell["regions"])
    return figure
