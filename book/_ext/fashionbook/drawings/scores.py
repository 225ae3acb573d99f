"""Figures of several profiles, and of the ledger beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashionlib.core import names
from fashionlib.core.errors import InputError
from fashionlib.ledger.ledger import Entry
from fashionlib.plots.scores import K_AXIS, TABLE1, curve_panels, method_dots, name_line, retrieval_experiments
from fashionlib.plots.style import colours, new_figure, themed

Row = Mapping[str, Any]

PUBLISHED_CURVES = {"topk_inshop": "deepfashion_inshop", "topk_c2s": "deepfashion_c2s"}
PAPER = "Semantic parsing (the paper)"


@themed
def all_methods(entries: Sequence[Entry], metric: str = "ap_all") -> Figure:
    """Every method on every profile in one dot plot: one panel per profile, one row per method, 95% intervals.

    entries: of experiment table1, of several profiles. Raises InputError where none has the metric.
    """
    wanted = [entry for entry in entries if entry.metric == metric]
    if not wanted:
        raise InputError(f"no entry of {metric} to draw; run the experiment table1 first")
    profiles = list(dict.fromkeys(entry.profile for entry in wanted))
    methods = {profile: names.ordered(e.method for e in wanted if e.profile == profile)[::-1] for profile in profiles}
    figure = new_figure(0.4 + sum(0.55 + 0.27 * len(rows) for rows in methods.values()))
    grid = figure.subplots(len(profiles), 1, sharex=True, squeeze=False,
                           height_ratios=[1.5 + len(methods[profile]) for profile in profiles])[:, 0]  # fmt: skip
    for axes, profile in zip(grid, profiles, strict=True):
        of = [entry for entry in wanted if entry.profile == profile]
        axes.set_title(f"{names.dataset(of[0].dataset)}, profile {profile}")
        method_dots(axes, of, methods[profile])
    grid[-1].set_xlabel(TABLE1[metric])
    return figure


@themed
def topk_beside_paper(entries: Sequence[Entry], published: Sequence[Row]) -> Figure:
    """`fashionlib.plots.topk_curves`, and the points of the paper's Fig. 3 in panels of their own below.

    The paper's points are never among the measured lines, because the data differ. published: rows of published.csv.
    """
    experiments = retrieval_experiments(entries)
    figure = new_figure(5.4)
    above, below = ([*row] for row in figure.subplots(2, len(experiments), sharex=True, squeeze=False))
    curve_panels(above, entries, experiments)
    for axes, name in zip(below, experiments, strict=True):
        _published_curves(axes, [row for row in published if row["dataset"] == PUBLISHED_CURVES[name]])
        axes.set_title(f"{names.TASKS[name]}\npaper's Fig. 3: DeepFashion")
        axes.set(**K_AXIS)
    below[0].set_ylabel("top-k accuracy")
    return figure


def _published_curves(axes: Axes, rows: Sequence[Row]) -> None:
    """The points of the paper's Fig. 3: its own and FashionNet's named, the others grey."""
    paper, rival = colours()[:2]
    known = {PAPER: ("the paper", paper, "D-"), "FashionNet": ("FashionNet", rival, "o--")}
    plotted = [row for row in rows if row["source"].startswith("Fig. 3")]
    for method in dict.fromkeys(row["method"] for row in plotted):
        points = sorted((int(r["metric"][3:]), float(r["value"])) for r in plotted if r["method"] == method)
        label, colour, style = known.get(method, ("", mpl.rcParams["axes.edgecolor"], "o:"))
        axes.plot(*zip(*points, strict=True), style, color=colour, markersize=3, linewidth=1.2,
                  alpha=1 if label else 0.4)  # fmt: skip
        name_line(axes, label, *points[-1], label == "the paper", colour)
    axes.set_ylim(0, 1.14 * axes.get_ylim()[1])
