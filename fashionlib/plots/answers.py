"""The figure of one list for all parts: which photos answer the query, and with what."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashionlib.core.errors import InputError
from fashionlib.plots.style import (
    WIDTH,
    Photo,
    Region,
    chip,
    colours,
    new_figure,
    outline,
    show_photo,
    tallness,
    themed,
)

Regions = Mapping[str, Region]


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
    places = list(dict.fromkeys(regions.values()))
    numbers = {label: places.index(region) for label, region in regions.items()}
    below = [_words(cell["regions"], numbers, 16) for cell in cells]
    rows, lines = -(-len(cells) // columns), max(text.count("\n") for text in below) + 1
    legend, width = _words(regions, numbers, 22), WIDTH / (columns + 1.8)
    tall = max(tallness(cell["image"]) for cell in cells)
    left_height = 1.5 * width * tallness(query) + 0.35 + 0.13 * (legend.count("\n") + 1)
    figure = new_figure(max(left_height, rows * (width * tall + 0.1 + 0.125 * lines)))
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.5, columns))[0]
    asked = left.subplots()
    _numbered(asked, query, regions, numbers)
    asked.set_title("query")
    asked.set_xlabel(legend, fontsize=8.5, loc="left")
    grid = right.subplots(rows, columns, squeeze=False).flat
    for axes, cell, words in zip(grid, cells, below, strict=False):
        _numbered(axes, cell["image"], cell["regions"], numbers)
        axes.set_xlabel(words, fontsize=8.5, labelpad=2, loc="left")
    for axes in list(right.axes)[len(cells) :]:
        axes.set_axis_off()
    return figure


def _numbered(axes: Axes, image: Photo, regions: Regions, numbers: Mapping[str, int]) -> None:
    """The photo, each region outlined once, in its corner the numbers of the parts that share it."""
    show_photo(axes, image)
    palette = colours()
    for region in dict.fromkeys(regions.values()):
        parts = sorted({numbers[label] for label, place in regions.items() if place == region})
        colour = palette[parts[0] % len(palette)]
        outline(axes, image, region, colour)
        x, y = max(region[0], 0.01) * image.shape[1], max(region[1], 0.01) * image.shape[0]
        chip(axes, x, y, ", ".join(str(part + 1) for part in parts), colour)


def _words(regions: Regions, numbers: Mapping[str, int], width: int) -> str:
    """A line a part: its number and its labels."""
    found: dict[int, list[str]] = {}
    for label in regions:
        found.setdefault(numbers[label], []).append(label)
    return "\n".join(textwrap.fill(f"{part + 1} {', '.join(found[part])}", width) for part in sorted(found))
