"""The figure of the diversity dial: what it costs in relevance, and what it buys."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from fashionlib.core.errors import InputError
from fashionlib.core.names import LISTS
from fashionlib.ledger.ledger import Entry
from fashionlib.plots.scores import ends
from fashionlib.plots.style import colours, new_figure, themed

SHOWN = {"part_coverage": "part coverage", "intra_list": "intra-list distance"}


@themed
def dial_curves(entries: Sequence[Entry], k: int = 10) -> Figure:
    """Relevance against coverage and spread, a line per method with a dial, a dot for those without; 95% intervals.

    entries: of experiments "diversity" and "diversity_curve". Raises InputError where there is no curve among them.
    """
    curve = [entry for entry in entries if entry.experiment == "diversity_curve"]
    if not curve:
        raise InputError("no entry of diversity_curve to draw; run the experiment diversity first")
    figure = new_figure(3.2)
    panels = figure.subplots(1, len(SHOWN), sharex=True)
    for axes, (metric, title) in zip(panels, SHOWN.items(), strict=True):
        axes.set(xlabel=f"relevance of {k} look-alikes", title=title)
        for method, colour in zip(LISTS, colours(), strict=False):
            source = curve if any(entry.method == method for entry in curve) else entries
            along, up = ({_setting(e): e for e in source if (e.method, e.metric) == (method, f"{name}@{k}")}
                         for name in ("relevance", metric))  # fmt: skip
            settings = [setting for setting in along if setting in up]
            if not settings:
                continue
            x, y = ([found[setting].value for setting in settings] for found in (along, up))
            reach = [list(zip(*(_reach(found[setting]) for setting in settings), strict=True)) for found in (along, up)]
            axes.errorbar(x, y, xerr=reach[0], yerr=reach[1], fmt="o-", color=colour, markersize=3.5, linewidth=1.5,
                          elinewidth=0.7, label=LISTS[method])  # fmt: skip
            for place in {0, len(settings) - 1} if len(settings) > 1 else ():
                axes.annotate(settings[place], (x[place], y[place]), (3, 3), textcoords="offset points", fontsize=8.5,
                              color=colour)  # fmt: skip
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _reach(entry: Entry) -> tuple[float, float]:
    low, high = ends(entry)
    return max(0.0, entry.value - low), max(0.0, high - entry.value)


def _setting(entry: Entry) -> str:
    """The dial's setting as the protocol begins with it; empty without a dial."""
    first = entry.protocol.partition(";")[0]
    return first.removeprefix("dial ") if first.startswith("dial ") else ""
