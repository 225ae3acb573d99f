"""The figure of the diversity dial: what it costs in relevance, and what it buys."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashionlib.core.errors import InputError
from fashionlib.core.names import LISTS
from fashionlib.ledger.ledger import Entry
from fashionlib.plots.style import colours, new_figure, themed

SHOWN = {"part_coverage": "part coverage", "intra_list": "intra-list distance"}


@themed
def dial_curves(entries: Sequence[Entry], k: int = 10) -> Figure:
    """Relevance against coverage and spread, a line a method with a dial, a dot for those without; 95% intervals.

    entries: of experiments "diversity" and "diversity_curve". Raises InputError where there is no curve among them.
    """
    curve = [entry for entry in entries if entry.experiment == "diversity_curve"]
    if not curve:
        raise InputError("no entry of diversity_curve to draw; run the experiment diversity first")
    figure = new_figure(3.2)
    panels = figure.subplots(1, len(SHOWN), sharex=True)
    for axes, (metric, title) in zip(panels, SHOWN.items(), strict=True):
        for method, colour in zip(LISTS, colours(), strict=False):
            source = curve if any(entry.method == method for entry in curve) else entries
            _method(axes, source, method, f"relevance@{k}", f"{metric}@{k}", colour)
        axes.set(xlabel=f"relevance of {k} look-alikes", title=title)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure


def _method(axes: Axes, entries: Sequence[Entry], method: str, across: str, up: str, colour: str) -> None:
    """One method: its settings of the dial joined by a line, the first and the last named."""
    along = {_setting(entry): entry for entry in entries if (entry.method, entry.metric) == (method, across)}
    upward = {_setting(entry): entry for entry in entries if (entry.method, entry.metric) == (method, up)}
    settings = [setting for setting in along if setting in upward]
    if not settings:
        return
    spans = {}
    for name, found in (("xerr", along), ("yerr", upward)):
        ends = [(found[s].value - _or(found[s].low, found[s]), _or(found[s].high, found[s]) - found[s].value)
                for s in settings]  # fmt: skip
        spans[name] = [[max(0.0, low) for low, _ in ends], [max(0.0, high) for _, high in ends]]
    x, y = [along[s].value for s in settings], [upward[s].value for s in settings]
    axes.errorbar(x, y, **spans, fmt="o-", color=colour, markersize=3.5, linewidth=1.5, elinewidth=0.7,
                  label=LISTS[method])  # fmt: skip
    for place in {0, len(settings) - 1} if len(settings) > 1 else ():
        axes.annotate(settings[place], (x[place], y[place]), (3, 3), textcoords="offset points", fontsize=8.5,
                      color=colour)  # fmt: skip


def _or(end: float | None, entry: Entry) -> float:
    return entry.value if end is None else end


def _setting(entry: Entry) -> str:
    """The dial's setting as the protocol begins with it; empty without a dial."""
    first = entry.protocol.partition(";")[0]
    return first.removeprefix("dial ") if first.startswith("dial ") else ""
