"""Figures of the ledger: Table 1, Fig. 3, the ablation and the diversity dial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fashionlib.core import names
from fashionlib.core.errors import InputError
from fashionlib.ledger.ledger import Entry
from fashionlib.plots.style import colours, new_figure, note, panels, themed

TABLE1 = {
    "ap_all": "AP all, on scores", "map": "mAP, on scores",
    "ap_all_top6": "AP all, top 6 labels", "map_top6": "mAP, top 6 labels",
}  # fmt: skip
K_AXIS: dict[str, Any] = {"xlabel": "k nearest photos", "xticks": (1, 10, 20, 30, 40, 50)}
STRONG = ("parser", "whole")  # ours and the whole picture, which stand out
DIALLED = {"part_coverage": "part coverage", "intra_list": "intra-list distance"}  # against relevance


def dots(axes: Axes, labels: Sequence[str], found: Iterable[tuple[int, str, Entry]], digits: int = 3) -> None:
    """A row per label: values as dots with their numbers, 95% intervals as lines.

    found: (row, method, entry). Ours and the whole picture have the first two colours, as in every figure; the others
    are quiet.
    """
    strong: dict[str, str] = dict(zip(STRONG, colours(), strict=False))
    axes.grid(axis="y", visible=False)
    for row, method, entry in found:
        colour = strong.get(method, str(mpl.rcParams["xtick.color"]))
        axes.plot(ends(entry), (row, row), color=colour, linewidth=2.2)
        axes.plot(entry.value, row, "D" if method == "parser" else "o", color=colour, markersize=5.5)
        note(axes, f"{entry.value:.{digits}f}", (entry.value, row), (0, 6), ha="center")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(-0.5, len(labels) - 0.35)
    axes.margins(x=0.2)


def method_dots(axes: Axes, entries: Sequence[Entry], methods: Sequence[str]) -> None:
    """`dots` with a row per method."""
    rows = [(methods.index(entry.method), entry.method, entry) for entry in entries]
    dots(axes, [names.method(method) for method in methods], rows)


def ends(entry: Entry) -> tuple[float, float]:
    """The 95% interval, or the value twice where there is none."""
    low, high = (entry.value if end is None else end for end in (entry.low, entry.high))
    return low, high


@themed
def table1_figure(entries: Sequence[Entry]) -> Figure:
    """Dots and 95% intervals: one panel per metric, one row per method. Differences are left out.

    Raises InputError when no entry is one of Table 1's metrics.
    """
    wanted = [entry for entry in entries if entry.metric in TABLE1]
    metrics = [metric for metric in TABLE1 if any(entry.metric == metric for entry in wanted)]
    methods = names.ordered(entry.method for entry in wanted)[::-1]
    if not wanted:
        raise InputError(f"no entry of {list(TABLE1)} to draw; run the experiment table1 first")
    figure = new_figure(0.25 + -(-len(metrics) // 2) * (0.65 + 0.4 * len(methods)))
    for axes, metric in zip(panels(figure, len(metrics), min(2, len(metrics)), sharey=True), metrics, strict=True):
        axes.set_title(TABLE1[metric])
        method_dots(axes, [entry for entry in wanted if entry.metric == metric], methods)
    figure.suptitle(names.dataset(wanted[0].dataset), fontsize=9.5, x=0.01, ha="left")
    return figure


@themed
def topk_curves(entries: Sequence[Entry]) -> Figure:
    """Top-k accuracy over k with 95% bands, one panel per experiment.

    Raises InputError when no entry has a metric top1 … top50.
    """
    experiments = retrieval_experiments(entries)
    figure = new_figure(2.7)
    row = [*figure.subplots(1, len(experiments), sharex=True, squeeze=False)[0]]
    curve_panels(row, entries, experiments)
    for axes in row:
        axes.set(**K_AXIS)
    return figure


def retrieval_experiments(entries: Sequence[Entry]) -> list[str]:
    """Those that the entries are of. Raises InputError where there is none."""
    found = [name for name in names.TASKS if any(e.experiment == name for e in entries)]
    if not found:
        raise InputError(f"no entry of {list(names.TASKS)} to draw; run one of these experiments first")
    return found


def curve_panels(row: Sequence[Axes], entries: Sequence[Entry], experiments: Sequence[str]) -> None:
    """The curves of each experiment in its panel, under the task's name."""
    for axes, name in zip(row, experiments, strict=True):
        of = [entry for entry in entries if entry.experiment == name]
        _curves(axes, of)
        axes.set_title(f"{names.task(name, of[0].dataset)}\nhere: {names.dataset(of[0].dataset)}")
    row[0].set_ylabel("top-k accuracy")


def _curves(axes: Axes, entries: Sequence[Entry]) -> None:
    """Parser and whole picture, each named at its right end; the other methods thin and grey."""
    lines: dict[str, dict[int, Entry]] = {name: {} for name in names.ordered(entry.method for entry in entries)}
    for entry in (entry for entry in entries if entry.metric[3:].isdigit()):
        if lines[entry.method].setdefault(int(entry.metric[3:]), entry) is not entry:
            raise InputError(f"two values of {entry.method} at one k: draw one protocol at a time")
    lines = {name: dict(sorted(line.items())) for name, line in lines.items() if line}
    strong = [name for name in lines if name in STRONG] or list(lines)
    last = {name: [*line.values()][-1] for name, line in lines.items()}
    best = max(strong, key=lambda name: last[name].value)
    for name in lines.keys() - set(strong):  # these lines lie too near each other for names
        axes.plot([*lines[name]], [entry.value for entry in lines[name].values()],
                  color=mpl.rcParams["xtick.color"], linewidth=0.8, alpha=0.7)  # fmt: skip
    for name, colour, style in zip(strong, colours(), ("-", "--", "-.", ":") * len(strong), strict=False):
        ks, line = [*lines[name]], lines[name].values()
        axes.plot(ks, [entry.value for entry in line], style, color=colour, linewidth=1.8)
        low, high = zip(*map(ends, line), strict=True)
        axes.fill_between(ks, low, high, color=colour, alpha=0.22, linewidth=0)
        name_line(axes, names.method(name), ks[-1], (high if name == best else low)[-1], name == best, colour)
    axes.set_ylim(0, 1.14 * axes.get_ylim()[1])


def name_line(axes: Axes, name: str, x: int, y: float, above: bool, colour: str) -> None:
    """A line's name at its right end, above or below it."""
    note(axes, name, (x, y), (0, 3 if above else -6), color=colour, ha="right", va="bottom" if above else "top")


@themed
def ablation_figure(gains: Mapping[str, Mapping[str, tuple[float, float, float]]], metric: str = "ap_all") -> Figure:
    """Two bars with 95% intervals per change: the gain when it is made to the paper's network, and the loss when it is
    undone in ours, in points. Each row says what was changed to what.

    gains: see `fashionlib.experiments.ablation.gains`.
    """
    groups = list(gains)[::-1]
    figure = new_figure(0.9 + 0.5 * len(groups))
    axes = figure.subplots()
    words = {"added": "gain when made to the paper's network", "removed": "loss when undone in ours"}
    for (kind, label), colour, hatch, place in zip(words.items(), colours(), ("", "////"), (0.19, -0.19), strict=False):
        shown = {row + place: gains[name][kind] for row, name in enumerate(groups) if kind in gains[name]}
        value, low, high = 100 * np.array([*shown.values()]).reshape(-1, 3).T
        axes.barh([*shown], value, 0.36, color=colour, label=label, hatch=hatch,
                  edgecolor=mpl.rcParams["figure.facecolor"], linewidth=0, xerr=(value - low, high - value),
                  error_kw={"ecolor": mpl.rcParams["xtick.color"], "linewidth": 1.2})  # fmt: skip
        for row, points, end in zip(shown, value, high, strict=True):
            note(axes, f"{points:+.1f}".replace("-", "−"), (max(end, 0), row), (4, 0), va="center")
    axes.axvline(0, color=mpl.rcParams["xtick.color"], linewidth=0.8)
    axes.set_yticks(range(len(groups)), [names.CHANGES.get(name, name).replace(": ", ":\n") for name in groups])
    axes.set_xlabel(f"points of {names.metric(metric)}")
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.14)
    figure.legend(loc="outside upper left", ncols=1)
    return figure


@themed
def dial_curves(entries: Sequence[Entry]) -> Figure:
    """Relevance against coverage and spread of ten look-alikes, one line per method with a dial, a dot for those
    without; 95% intervals.

    entries: of experiments "diversity" and "diversity_curve". Raises InputError where there is no curve among them.
    """
    curve = [entry for entry in entries if entry.experiment == "diversity_curve"]
    if not curve:
        raise InputError("no entry of diversity_curve to draw; run the experiment diversity first")
    figure = new_figure(3.2)
    both = panels(figure, 2, 2, sharex=True)
    for axes, (metric, title) in zip(both, DIALLED.items(), strict=True):
        axes.set(xlabel="relevance of 10 look-alikes", title=title)
        for method, colour in zip(names.LISTS, colours(), strict=False):
            of = [e for e in curve if e.method == method] or [e for e in entries if e.method == method]
            along, up = ({_setting(e): e for e in of if e.metric == f"{name}@10"} for name in ("relevance", metric))
            if not (settings := [setting for setting in along if setting in up]):
                continue
            (x, across), (y, upright) = (_reach([found[setting] for setting in settings]) for found in (along, up))
            axes.errorbar(x, y, xerr=across, yerr=upright, fmt="o-", color=colour, markersize=3.5, linewidth=1.5,
                          elinewidth=0.7, label=names.LISTS[method])  # fmt: skip
            for place in {0, len(x) - 1} if len(x) > 1 else ():
                note(axes, settings[place], (x[place], y[place]), (3, 3), color=colour)
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _reach(found: Sequence[Entry]) -> tuple[Float[np.ndarray, " entries"], Float[np.ndarray, "2 entries"]]:
    """Values, and how far their intervals reach below and above them."""
    value, low, high = np.array([(one.value, *ends(one)) for one in found]).T
    return value, np.maximum([value - low, high - value], 0)


def _setting(entry: Entry) -> str:
    """The dial's setting as the protocol begins with it; empty without a dial."""
    return entry.protocol.partition(";")[0].removeprefix("dial ") if entry.protocol.startswith("dial ") else ""
