"""The book's directives: tables, figures and verdicts drawn from the ledger when the book is built."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from matplotlib.figure import Figure
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from fashionbook.drawings.scores import PAPER, topk_beside_paper
from fashionbook.text import build_errors, duration, entries, hover, interval, made, published, shown
from fashionlib import plots
from fashionlib.core import names
from fashionlib.core.errors import InputError
from fashionlib.ledger import ledger as results
from fashionlib.ledger.ledger import Entry
from fashionlib.plots import style as plotstyle

PRINTED = ("Table 1", "Section 5")  # places in the paper; the copy of published numbers has other sources too
FEW = 4  # protocols that a table names below it
SHARED = {
    "profile": directives.unchanged, "protocol": directives.unchanged_required, "optional": directives.unchanged,
}  # fmt: skip
DASH = "–"


class LedgerDirective(SphinxDirective):
    """What the directives share: the profile, and the note that stands in for a run that was not made."""

    option_spec: ClassVar = {"profile": directives.unchanged, "optional": directives.unchanged}
    has_content = True

    @property
    def profile(self) -> str:
        name = self.options.get("profile", "current")
        return self.config.fashionlib_profile if name == "current" else name

    @property
    def may_lack(self) -> bool:
        """Whether the page stands without these runs of the profile."""
        return self.profile in (self.options.get("optional", "none").split() or [self.profile])

    def run(self) -> list[nodes.Node]:
        with build_errors(self.env):
            if self.may_lack and not made(self.env, self.profile, self.experiments()):
                return [nodes.paragraph("", "", *not_run(self.profile), classes=["ledger-missing"])]
            return self.draw()

    def experiments(self) -> list[str]:
        return self.arguments[0].split()

    def entries(self, experiment: str) -> list[Entry]:
        wanted = self.options.get("protocol")
        return [e for e in entries(self.env, self.profile, experiment) if wanted in (None, e.protocol)]

    def draw(self) -> list[nodes.Node]:
        raise ExtensionError(f"{type(self).__name__} draws nothing")


def not_run(profile: str) -> list[nodes.Node]:
    """The words for a run that the ledger does not hold, with the command that would make it."""
    command = f"make results PROFILE={profile}"
    return [nodes.Text("Not run here: "), nodes.literal(command, command), nodes.Text(".")]


class LedgerTable(LedgerDirective):
    """{ledger-table} table1: methods by metrics, and published values beside them in columns of their own.

    Options: metrics (required), methods, profile, published (a data set of published.csv), gain (adds the
    paired difference of parts and whole picture, in all metrics or in those it names), optional.
    """

    required_arguments = 1
    option_spec: ClassVar = {
        **SHARED,
        "metrics": directives.unchanged_required, "methods": directives.unchanged,
        "published": directives.unchanged, "gain": directives.unchanged,
    }  # fmt: skip

    def draw(self) -> list[nodes.Node]:
        metrics = self.options["metrics"].split()
        ours = self._ours(metrics)
        theirs = self._published(metrics)
        used = [entry for row in ours.values() for entry in row if entry]
        above = [("", 1), (f"Here: {names.dataset(used[0].dataset)}", len(metrics))]
        titles = [names.metric(metric) for metric in metrics]
        if "published" in self.options:
            above.append((f"Published: {names.dataset(self.options['published'])}", len(metrics)))
            titles += titles
        table, body = table_of(["Method", *titles], above=above)
        for method in [*ours, *(one for one in theirs if one != PAPER or "parser" not in ours)]:
            own = [value_of(entry) if entry else DASH for entry in ours.get(method, [None] * len(metrics))]
            row = row_of(names.method(method) if method in ours else method, *own)
            values = theirs.get(PAPER if method == "parser" else method, {})  # our `parser` is the paper's network
            row += [nodes.entry("", nodes.paragraph("", values.get(metric, DASH)), classes=["published"])
                    for metric in metrics if theirs]  # fmt: skip
            body += row
        return [table, self._source(used)]

    def _ours(self, metrics: Sequence[str]) -> dict[str, list[Entry | None]]:
        """By method, in the order of the rows, one entry a metric; the paired difference last."""
        found = self.entries(self.arguments[0])
        known = names.ordered(entry.method for entry in found if names.VERSUS[0] not in entry.metric)
        rows: dict[str, list[Entry | None]] = {
            method: [results.find(found, method=method, metric=metric) for metric in metrics]
            for method in self.options.get("methods", " ".join(known)).split()
        }
        if not rows:
            raise InputError(f"{self.arguments[0]} of {self.profile} has no entry for this table")
        if "gain" in self.options:
            wanted = self.options["gain"].split() or metrics
            rows["Parser (ours) − Whole picture, paired"] = [
                results.find(found, method="parser", metric=f"{metric}_gain") if metric in wanted else None
                for metric in metrics
            ]
        return rows

    def _published(self, metrics: Sequence[str]) -> dict[str, dict[str, str]]:
        """By method and metric, what the paper prints for the data set; its own method first."""
        rows: dict[str, dict[str, str]] = {}
        for row in published(self.env) if "published" in self.options else []:
            here = row["dataset"] == self.options["published"] and row["metric"] in metrics
            if here and row["source"].startswith(PRINTED):
                rows.setdefault(row["method"], {}).setdefault(row["metric"], row["value"])
        if "published" in self.options and not rows:
            raise InputError(f"published.csv prints none of {list(metrics)} for '{self.options['published']}'")
        return rows

    def _source(self, used: Sequence[Entry]) -> nodes.Node:
        entry, protocols = used[0], sorted({entry.protocol for entry in used})
        words = f"protocol {' and '.join(protocols)}" if len(protocols) <= FEW else "protocol on hover over each number"
        seeds = f"{len(entry.seeds)} seed{'s' * (len(entry.seeds) > 1)}"
        text = (
            f"Here: profile {entry.profile}, {entry.split} split of {names.dataset(entry.dataset)}, n = {entry.n}, "
            f"{seeds}, {words}, {entry.device}, commit {entry.commit}; below each value its 95% interval."
        )
        if "published" in self.options:
            text += " Published: as the paper prints it, on other data and with other protocols."
        return nodes.paragraph("", text, classes=["ledger-source"])


def table_of(
    headings: Sequence[str], kind: str = "ledger-table", *, above: Sequence[tuple[str, int]] = (),
    widths: Sequence[int] = (),
) -> tuple[nodes.table, nodes.tbody]:  # fmt: skip
    """An empty table and the body to put rows in.

    above: a row of (heading, columns it spans) over the headings. widths: of the columns, where they differ.
    """
    head, body = nodes.thead(), nodes.tbody()
    if above:
        spans = (nodes.entry("", nodes.paragraph("", text), morecols=span - 1) for text, span in above)
        head += nodes.row("", *spans)
    head += row_of(*headings)
    columns = [nodes.colspec(colwidth=width) for width in widths or [1] * len(headings)]
    group = nodes.tgroup("", *columns, head, body, cols=len(columns))
    return nodes.table("", group, classes=[kind]), body


def row_of(*cells: str | Sequence[nodes.Node]) -> nodes.row:
    """A row of a table; a cell is text, or what stands in its paragraph."""
    inside = ([nodes.Text(cell)] if isinstance(cell, str) else cell for cell in cells)
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in inside))


def value_of(entry: Entry) -> list[nodes.Node]:
    """A number with its 95% interval."""
    return [hover(entry, shown(entry)), nodes.inline("", interval(entry), classes=["interval"])]


class LedgerTimes(LedgerDirective):
    """{ledger-times} table1 topk_inshop: wall time and device of each run, one row per method."""

    required_arguments, final_argument_whitespace = 1, True

    def draw(self) -> list[nodes.Node]:
        table, body = table_of(("Run", "Method", "Wall time", "On"))
        for experiment in self.experiments():
            found = self.entries(experiment)
            for method in dict.fromkeys(entry.method for entry in found):
                slowest = max((e for e in found if e.method == method), key=lambda entry: entry.seconds)
                body += row_of(experiment, names.method(method), duration(slowest.seconds), slowest.device)
        return [table]


class LedgerFigure(LedgerDirective):
    """{ledger-figure} table1, or topk_inshop topk_c2s: drawn for light and dark pages at build time.

    Options: alt (required), profile, published (draw the paper's curves in panels of their own), optional.
    """

    required_arguments, final_argument_whitespace = 1, True
    option_spec: ClassVar = {**SHARED, "alt": directives.unchanged_required, "published": directives.flag}

    def experiments(self) -> list[str]:
        """Where some may be missing, those that were made, if any was: a panel each."""
        named = super().experiments()
        there = [name for name in named if self.may_lack and made(self.env, self.profile, [name])]
        return there or named

    def draw(self) -> list[nodes.Node]:
        if not self.options.get("alt"):
            raise InputError(f"the figure of {self.arguments[0]} has no :alt:; say in words what it shows")
        found = [entry for name in self.experiments() for entry in self.entries(name)]
        # the theme hides a caption that stands beside a picture for the other tone: keep them apart
        pictures = nodes.container()
        for tone in ("light", "dark"):
            path = self._drawn(found, tone)
            page = Path(self.env.doc2path(self.env.docname))
            place = Path(os.path.relpath(path, page.parent)).as_posix()
            pictures += nodes.image("", uri=place, alt=self.options["alt"], classes=[f"only-{tone}"])
        figure = nodes.figure("", pictures, classes=["ledger-figure"])
        if self.content:
            figure += nodes.caption("", "", *self.parse_inline(" ".join(self.content), lineno=self.lineno)[0])
        return [figure]

    def _drawn(self, found: list[Entry], tone: str) -> Path:
        folder = Path(self.env.doctreedir) / "ledger-figures"
        folder.mkdir(parents=True, exist_ok=True)
        name, suffix, draw = self.figure(found)
        path = folder / f"{name}-{tone}.{suffix}"
        with plotstyle.theme(dark=tone == "dark"):
            draw().savefig(path, transparent=True, metadata={"Date": None} if suffix == "svg" else None)
        return path

    def figure(self, found: list[Entry]) -> tuple[str, str, Callable[[], Figure]]:
        """The picture's name among the book's, its suffix, and what draws it."""
        name = "-".join([self.profile, *self.experiments(), *(["published"] if "published" in self.options else [])])
        if self.experiments() == ["table1"]:
            return name, "svg", lambda: plots.table1_figure(found)
        if "published" in self.options:
            return name, "svg", lambda: topk_beside_paper(found, published(self.env))
        return name, "svg", lambda: plots.topk_curves(found)
