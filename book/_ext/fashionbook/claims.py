"""The {claims} directive: the paper's claims as a table, with one verdict per claim and network."""

from __future__ import annotations

from typing import Any, ClassVar

import yaml
from docutils import nodes
from docutils.parsers.rst import directives

from fashionbook.directives import LedgerDirective, table_of
from fashionbook.text import Number, find, hover, made, shown, sign, verdict
from fashionlib.core import names
from fashionlib.ledger.ledger import Entry

CONTROL = {"reproduced": "better", "partly": "better in part", "contradicted": "worse",
           "not reproduced": "no difference"}  # fmt: skip
WIDTHS = (17, 16, 24, 24, 19)
MARKS = {1: "✓", 0: "○", -1: "✗"}


class Claims(LedgerDirective):
    """{claims}: one row per claim; its first two cells say what it is and what the paper prints.

    columns: the headings, separated by `|`. The content is YAML, a list of `claim`, `published` and `cells` (all may
    hold roles). A cell has a `profile` and its `evidence`, names of paired differences; or `instead`, words on why
    nothing was measured. `note` adds words. `control: true` marks a row that the paper does not claim; its verdicts are
    "better", "worse" and so on. A profile that was not run says so with the command that runs it.
    """

    option_spec: ClassVar = {"columns": directives.unchanged_required}

    def experiments(self) -> list[str]:
        return []

    def draw(self) -> list[nodes.Node]:
        headings = [heading.strip() for heading in self.options["columns"].split("|")]
        table, body = table_of(headings, "claims", widths=WIDTHS)
        for claim in yaml.safe_load("\n".join(self.content)):
            own = [nodes.strong("", "", *self._inline(claim["claim"]))]
            cells = [[nodes.paragraph("", "", *own)], [nodes.paragraph("", "", *self._inline(claim["published"]))]]
            cells += [self._cell(cell, claim.get("control", False)) for cell in claim["cells"]]
            for heading, cell in zip(headings[1:], cells[1:], strict=True):
                cell.insert(0, nodes.paragraph("", heading, classes=["claim-column"]))  # shown on phones alone
            body += nodes.row("", *(nodes.entry("", *cell) for cell in cells))
        return [table]

    def _inline(self, text: str) -> list[nodes.Node]:
        return self.parse_inline(text, lineno=self.lineno)[0]

    def _cell(self, cell: dict[str, Any], control: bool) -> list[nodes.Node]:
        if "instead" in cell:
            words = [nodes.Text(" "), *self._inline(cell["instead"])] if cell["instead"] else []
            return [nodes.paragraph("", "", _badge("not run"), *words)]
        profile = self.config.fashionlib_profile if cell["profile"] == "current" else cell["profile"]
        numbers = [Number.parse(text, profile) for text in cell["evidence"]]
        if not made(self.env, profile, [number.experiment for number in numbers]):
            command = f"make results PROFILE={profile}"
            return [nodes.paragraph("", "", _badge("not run"), nodes.Text(" "), nodes.literal(command, command))]
        found = [find(self.env, number) for number in numbers]
        word = verdict(found)
        lines = [nodes.paragraph("", "", _badge(word, CONTROL[word] if control else word))]
        lines += [nodes.paragraph("", "", *_evidence(entry), classes=["claim-evidence"]) for entry in found]
        if "note" in cell:
            lines.append(nodes.paragraph("", "", *self._inline(cell["note"]), classes=["claim-note"]))
        return lines  # pyright: ignore[reportReturnType]


def _evidence(entry: Entry) -> list[nodes.Node]:
    """✓ top 20, in-shop +15.3, in points; the mark says where the interval lies, the hover what it is."""
    what = names.metric(entry.metric)
    if entry.experiment in names.TASKS:
        task = names.task(entry.experiment, entry.dataset).removeprefix("Consumer to shop, ")
        what = f"{what}, {task[0].lower()}{task[1:]}"
    if entry.versus and entry.versus.get("method") == "mean_box":
        what = f"{what} − {names.METRICS['pointing_mean_box']}"
    value = shown(entry, points=True).removesuffix(" points")
    return [nodes.Text(f"{MARKS[sign(entry)]} {what} "), hover(entry, value)]


def _badge(word: str, text: str | None = None) -> nodes.Node:
    return nodes.inline("", text or word, classes=["verdict", f"verdict-{word.replace(' ', '-')}"])
