"""Figures of the published run's photos: look-alikes that do not match, and what each step of the network looks at."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fashionlib.core.errors import InputError
from fashionlib.plots.style import WIDTH, Photo, colours, new_figure, panels, show_photo, tallness, themed


@themed
def failure_pairs(pairs: Sequence[Mapping[str, Any]], columns: int = 3) -> Figure:
    """Queries beside the look-alikes that were ranked first and do not match, both regions outlined.

    pairs: each has `label`, `query`, `region`, `cell` as in `recommendation_grid`. Raises InputError where there is
    none.
    """
    if not pairs:
        raise InputError("failure_pairs got no pair; every first look-alike matches")
    rows, tall = -(-len(pairs) // columns), max(tallness(pair["query"]) for pair in pairs)
    figure, colour = new_figure(rows * (WIDTH / (2 * columns) * tall + 0.45)), colours()[1]
    for band, pair in zip(figure.subfigures(rows, columns, squeeze=False).flat, pairs, strict=False):
        band.suptitle(pair["label"], fontsize=8.5)
        (left, right), cell = band.subplots(1, 2), pair["cell"]
        show_photo(left, pair["query"], "query", region=pair["region"], colour=colour)
        words = f"{cell['distance']:.2f} ✗"
        show_photo(right, cell["image"], words, region=cell["region"], colour=colour, linestyle="--")
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
    for block, (title, image, steps) in zip(blocks, views, strict=True):
        block.suptitle(title, fontsize=9.5, x=0.02, ha="left")
        for axes, step in zip(panels(block, len(steps), columns), steps, strict=True):
            attention = np.asarray(step["attention"], dtype=float)
            y, x = (np.arange(side) * cells // side for side, cells in zip(image.shape, attention.shape, strict=False))
            light = 0.35 + (1 - 0.35) * (attention / attention.max())[y[:, None], x]
            words = "\n".join(textwrap.wrap(", ".join(step["labels"]) or "–", 14)[:3])
            dimmed = (image * light[..., None]).astype(np.uint8)
            show_photo(axes, dimmed, words, region=step["box"], colour=colours()[1])
            axes.set_title(step["title"], fontsize=8.5)
    return figure
