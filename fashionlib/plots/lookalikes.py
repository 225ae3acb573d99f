"""Look-alikes whose truth is known (Figs. 1 and 4, failures), and the network's steps on a photo."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fashionlib.core.errors import InputError
from fashionlib.plots.style import WIDTH, Photo, colours, new_figure, outline, show_photo, tallness, themed

Cell = Mapping[str, Any]
MARK = {True: "✓", False: "✗"}


@themed
def part_rows(query: Photo, rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The query with its regions, and one row of look-alikes per part, each with its distance, and ✓ or ✗.

    rows: each has `label`, `region` (x1, y1, x2, y2 in parts of the photo, or None) and `cells` with `image`, `region`,
    `distance` and `match`. Raises InputError where a row has no cell.
    """
    if not rows or not all(row["cells"] for row in rows):
        raise InputError("part_rows needs at least one row, and at least one look-alike in each")
    columns = max(len(row["cells"]) for row in rows)
    tall = max(tallness(cell["image"]) for row in rows for cell in row["cells"])
    width = WIDTH / (columns + 1.6)
    figure = new_figure(len(rows) * (width * tall + 0.5))
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.5, columns))[0]
    asked = left.subplots()
    show_photo(asked, query)
    asked.set_title("query")
    bands = right.subfigures(len(rows), 1, squeeze=False)[:, 0]
    palette = colours()
    for number, (band, row) in enumerate(zip(bands, rows, strict=True)):
        colour = palette[number % len(palette)]
        if row["region"] is not None:
            outline(asked, query, row["region"], colour, linewidth=2.2, linestyle=("-", "--", "-.", ":")[number % 4])
        band.suptitle(row["label"], color=colour, fontsize=9.5, fontweight="bold", x=0.02, ha="left")
        for axes, cell in zip(band.subplots(1, columns, squeeze=False)[0], row["cells"], strict=False):
            show_photo(axes, cell["image"])
            if cell["region"] is not None:
                outline(axes, cell["image"], cell["region"], colour)
            axes.set_xlabel(f"{cell['distance']:.2f} {MARK[cell['match']]}", fontsize=8.5, labelpad=2)
    return figure


@themed
def failure_pairs(pairs: Sequence[Mapping[str, Any]], columns: int = 3) -> Figure:
    """Queries beside the look-alikes that were ranked first and do not match, both regions outlined.

    pairs: each has `label`, `query`, `region`, `cell` as in `part_rows`. Raises InputError where there is none.
    """
    if not pairs:
        raise InputError("failure_pairs got no pair; every first look-alike matches")
    rows = -(-len(pairs) // columns)
    width = WIDTH / (2 * columns)
    figure = new_figure(rows * (width * max(tallness(pair["query"]) for pair in pairs) + 0.45))
    colour = colours()[1]
    for band, pair in zip(figure.subfigures(rows, columns, squeeze=False).flat, pairs, strict=False):
        band.suptitle(pair["label"], fontsize=8.5)
        left, right = band.subplots(1, 2)
        show_photo(left, pair["query"])
        outline(left, pair["query"], pair["region"], colour)
        show_photo(right, pair["cell"]["image"])
        if pair["cell"]["region"] is not None:
            outline(right, pair["cell"]["image"], pair["cell"]["region"], colour, linestyle="--")
        left.set_xlabel("query", fontsize=8.5, labelpad=2)
        right.set_xlabel(f"{pair['cell']['distance']:.2f} ✗", fontsize=8.5, labelpad=2)
    return figure


@themed
def step_strip(views: Sequence[tuple[str, Photo, Sequence[Mapping[str, Any]]]], columns: int = 4) -> Figure:
    """What each step looks at, one block of photos per view: attention as brightness, the box, the labels that it wins.

    views: (title, photo, steps); a step has `title`, `box` (x1, y1, x2, y2 in parts of the photo), `attention`
    (rows × columns) and `labels`.
    """
    rows = [-(-len(steps) // columns) for _, _, steps in views]
    tall = max(tallness(image) for _, image, _ in views)
    figure = new_figure(sum(rows) * (WIDTH / columns * tall + 0.62) + 0.2 * len(views))
    blocks = figure.subfigures(len(views), 1, squeeze=False, height_ratios=rows)[:, 0]
    for block, (title, image, steps), count in zip(blocks, views, rows, strict=True):
        block.suptitle(title, fontsize=9.5, x=0.02, ha="left")
        grid = block.subplots(count, columns, squeeze=False).flat
        for axes, step in zip(grid, steps, strict=False):
            show_photo(axes, dimmed(image, np.asarray(step["attention"], dtype=float)))
            outline(axes, image, step["box"], colours()[1])
            axes.set_title(step["title"], fontsize=8.5)
            words = "\n".join(textwrap.wrap(", ".join(step["labels"]) or "–", 14)[:3])
            axes.set_xlabel(words, fontsize=8.5, labelpad=2)
        for axes in list(block.axes)[len(steps) :]:
            axes.set_axis_off()
    return figure


def dimmed(image: Photo, attention: np.ndarray, min_light: float = 0.35) -> np.ndarray:
    """The photo, dark where the attention is low."""
    rows, columns = attention.shape
    at = (
        (np.arange(image.shape[0]) * rows // image.shape[0])[:, None],
        np.arange(image.shape[1]) * columns // image.shape[1],
    )
    light = min_light + (1 - min_light) * (attention / attention.max())[at]
    return (image * light[..., None]).astype(np.uint8)
