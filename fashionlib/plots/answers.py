"""The figure of one list for all parts: which photos answer the query, and with what."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashionlib.core.errors import InputError
from fashionlib.plots.figures import beside_query
from fashionlib.plots.style import WIDTH, Photo, Region, chip, colours, outline, panels, show_photo, tallness, themed

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
        show_photo(axes, cell["image"])
        number(axes, cell["image"], cell["regions"])
        axes.set_xlabel(text, fontsize=8.5, labelpad=2, loc="left")
    return figure
