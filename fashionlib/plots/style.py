"""The one style of the book's figures: size, colours, a light and a dark theme, photos with boxes.

Figures are 4.6 inches wide with 9-point letters: at 150 dots an inch that fills a page's column, and a phone
that shrinks it to its own width leaves the letters readable. The first colours are those of Okabe and Ito,
which readers with any colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle

# the underscores let photos of different sizes stand in one call
Photo = Shaped[np.ndarray, "_height _width 3"]
Region = Sequence[float] | Shaped[np.ndarray, " 4"]  # x1, y1, x2, y2 in parts of the photo, origin at the top left
WIDTH = 4.6  # inches
LIGHT = {"ink": "#1f2328", "quiet": "#5f6670", "paper": "white", "grid": "#d8dce1"}
DARK = {"ink": "#e6e8eb", "quiet": "#a4abb5", "paper": "#14181e", "grid": "#3a414b"}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#B8860B", "#332288", "#117733", "#882255")
BRIGHT = ("#56B4E9", "#FF8C4A", "#2FC79A", "#E38FC0", "#E8C547", "#A79BE8", "#7BC98C", "#E07A95")
_styled: ContextVar[bool] = ContextVar("styled", default=False)


@contextmanager
def theme(dark: bool = False) -> Iterator[None]:
    """Draw the figures made inside for a light page, or a dark one."""
    tone = DARK if dark else LIGHT
    style: dict[Any, Any] = {
        "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5,
        "text.color": tone["ink"], "axes.labelcolor": tone["ink"], "axes.titlecolor": tone["ink"],
        "xtick.color": tone["quiet"], "ytick.color": tone["quiet"], "axes.edgecolor": tone["quiet"],
        "grid.color": tone["grid"], "grid.linewidth": 0.6, "axes.grid": True, "axes.axisbelow": True,
        "figure.facecolor": tone["paper"], "savefig.facecolor": tone["paper"], "axes.facecolor": "none",
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
        "axes.prop_cycle": cycler(color=BRIGHT if dark else COLOURS),
        "legend.frameon": False, "legend.fontsize": 8.5,
        "figure.dpi": 150, "savefig.dpi": 150, "svg.fonttype": "path", "svg.hashsalt": "fashionlib",
    }  # fmt: skip
    token = _styled.set(True)
    try:
        with mpl.rc_context(style):
            yield
    finally:
        _styled.reset(token)


def themed(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Give a figure the light style unless the caller has opened a theme."""

    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Figure:
        with nullcontext() if _styled.get() else theme():
            return draw(*args, **kwargs)

    return drawn


def colours() -> list[str]:
    """The colours of the open theme, in order."""
    return list(mpl.rcParams["axes.prop_cycle"].by_key()["color"])


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """A figure that pyplot does not keep; asking pyplot for it is what makes a notebook able to show it."""
    figure = plt.figure(figsize=(width, height), layout="constrained")
    plt.close(figure)
    return figure


def show_photo(
    axes: Axes, image: Photo, below: str = "", *, region: Region | None = None, colour: str = "",
    loc: Literal["left", "center"] = "center", **how: Any,
) -> None:  # fmt: skip
    """Show a photo alone, without ticks, frame or grid; words below it, and a region of it outlined."""
    axes.imshow(image, interpolation="antialiased")
    axes.set(xticks=[], yticks=[], anchor="N")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(below, fontsize=8.5, labelpad=2, loc=loc)
    if region is not None:
        outline(axes, image, region, colour, **how)


def note(axes: Axes, text: str, at: Any, offset: tuple[int, int], **how: Any) -> None:
    """Small letters at a point of the data, moved by so many points."""
    axes.annotate(text, at, offset, textcoords="offset points", fontsize=8.5, **how)


def panels(figure: FigureBase, used: int, columns: int, **how: Any) -> list[Axes]:
    """The first `used` axes of a grid of so many columns; what is left of its last row stays empty."""
    every = list(figure.subplots(-(-used // columns), columns, squeeze=False, **how).flat)
    for axes in every[used:]:
        axes.set_axis_off()
    return every[:used]


def tallness(image: Photo) -> float:
    """How many times as high as wide the photo is."""
    return image.shape[0] / image.shape[1]


def outline(axes: Axes, image: Photo, region: Region, colour: str, **how: Any) -> None:
    """Outline a region given as (x1, y1, x2, y2) in parts of the photo, kept visible at its edges."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = np.clip(np.asarray(region, dtype=float), 0.01, 0.99) * (width, height, width, height)
    style: dict[str, Any] = {"linewidth": 1.8} | how
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, **style))


def chip(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    """A number in the corner of its box; on every one of the dark or bright colours it stays legible."""
    ink = "black" if colour in BRIGHT else "white"
    place = {"facecolor": colour, "edgecolor": "none", "pad": 1.2}
    axes.text(x, y, text, fontsize=8.5, color=ink, va="top", ha="left", bbox=place)
