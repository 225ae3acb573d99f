"""Figures of photos and of training: contact sheet, curves of the loss, rows of look-alikes.

Each function returns a matplotlib `Figure` that pyplot has already let go of, so that a notebook shows it
once and nothing has to be closed. Lines and dots carry their names, so that no figure leans on colour alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped
from matplotlib.figure import Figure

from fashionlib.core.errors import InputError
from fashionlib.core.names import METHODS
from fashionlib.data.base import Sample
from fashionlib.plots.style import WIDTH, Photo, colours, new_figure, outline, show_photo, tallness, themed

Cell = Mapping[str, Any]
Row = Mapping[str, Any]


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
        axes.set_xlabel(text, fontsize=8.5, loc="left")
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
        axes.legend(frameon=False, fontsize=8.5)
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
        place.set_xlabel(_cell_words(cell), fontsize=8.5, labelpad=2)


def _cell_words(cell: Cell) -> str:
    return f"{textwrap.fill(cell['label'], 12)}\n{cell['distance']:.2f}"


@themed
def compare_rows(query_image: Photo, whole: Sequence[Cell], parts: Sequence[Row]) -> Figure:
    """Fig. 1: the look-alikes of the whole picture in the first row, those of each part below it.

    whole: cells, and parts: rows, as in `recommendation_grid`. Raises InputError as it does.
    """
    return recommendation_grid(query_image, [{"label": "whole picture", "region": None, "cells": whole}, *parts])
