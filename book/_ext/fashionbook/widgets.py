"""The book's directives for interactive widgets: {touch-playground}, {touch-steps}, {touch-explorer}, {touch-curves}.

Each puts a still block on the page, made here and whole without scripts, and beside it the data from which a script of
book/_static/touch builds the one that moves. Labels may be anybody's words: all text is escaped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx

from fashionbook import widget_data
from fashionbook.directives import LedgerDirective, LedgerFigure
from fashionbook.text import entries, interval
from fashionlib.core import names
from fashionlib.ledger.ledger import Entry, find
from fashionlib.metrics.tagging import average_precision_all, mean_average_precision, top_k_assignments

Content = dict[str, Any]
TOP = 6  # the paper's "top 6 highest-ranked labels"
STRONG = ("parser", "whole")  # the curves that stand out at first
TONES = 6  # colours of lines in touch.css
MIN_SCORE = 0.1  # a label below is not said to be found


class Touch(LedgerDirective):
    """A block from results/<profile>/touch/<kind>.json; a note where the photos of the profile are not ours to show."""

    kind: ClassVar[str]
    has_content = False

    def experiments(self) -> list[str]:
        return [widget_data.KEPT["experiment"]]

    def draw(self) -> list[nodes.Node]:
        ledger = entries(self.env, self.profile, widget_data.KEPT["experiment"])
        if ledger[0].dataset != "wardrobe":
            words = f"Not shown for {self.profile}: its photos are not ours to publish."
            return [nodes.paragraph("", words, classes=["ledger-missing"])]
        root = (Path(self.env.srcdir) / self.config.fashionlib_root).resolve()
        self.env.note_dependency(str(widget_data.folder(root, self.profile) / f"{self.kind}.json"))
        content = widget_data.read(root, self.profile, self.kind)
        run = content.pop("run")
        widget_data.check_same_run(run, ledger)
        for sheet in (content[key] for key in ("sheet", "gallery") if key in content):
            sheet["file"] = f"{'../' * self.env.docname.count('/')}_images/{_published(self.profile, sheet['file'])}"
        source = f"Profile {run['profile']}, {run['n']} test photos, seed {run['seed']}, commit {run['commit']}."
        shown = block(self.kind, {**content, **self.more(content)}, self.still(content))
        return [shown, nodes.paragraph("", source, classes=["ledger-source"])]

    def more(self, content: Content) -> Content:
        """What the page's script needs beside the file."""
        return {}

    def still(self, content: Content) -> str:
        """The block without scripts, as HTML."""
        raise NotImplementedError


class Playground(Touch):
    """{touch-playground}: scores of a few photos, to be moved, and both kinds of average precision."""

    kind = "playground"

    def more(self, content: Content) -> Content:
        return {"k": TOP}

    def still(self, content: Content) -> str:
        scores, targets = np.array(content["scores"]), np.array(content["targets"])
        given = {"scores": scores, f"top {TOP}": top_k_assignments(scores, TOP)}
        measures = {"AP all": average_precision_all, "mAP": mean_average_precision}
        numbers = [[name, *(f"{one(each, targets):.3f}" for each in given.values())] for name, one in measures.items()]
        rows = [
            [label, *(f"{score:.2f}{' true' if true else ''}" for score, true in zip(own, tags, strict=True))]
            for label, own, tags in zip(content["labels"], scores.T, targets.T, strict=True)
        ]
        photos = [f"photo {number + 1}" for number in range(len(scores))]
        return table("Average precision of these photos alone", ["measure", *given], numbers) + table(
            "The network's scores", ["label", *photos], rows
        )


class Steps(Touch):
    """{touch-steps}: the boxes of the network, one step after the other."""

    kind = "steps"

    def still(self, content: Content) -> str:
        photo, sheet = content["photos"][0], content["sheet"]
        looks, figures = photo["plain"], []
        for step, box in enumerate(looks["boxes"]):
            name = "the whole picture" if content["whole"] and not step else f"step {step + content['first']}"
            won = [
                f"{label} {scores[step]:.2f}"
                for label, scores, winner in zip(photo["labels"], looks["scores"], looks["won"], strict=True)
                if winner == step and scores[step] >= MIN_SCORE
            ]
            words = f"{name}: {', '.join(won) or 'no label'}"
            figures.append(figure(picture(sheet, looks["tile"], f"A photo, {words}", box), words))
        return f'<div class="row">{"".join(figures)}</div>'


class Explorer(Touch):
    """{touch-explorer}: look-alikes of each part, with a dial from the nearest to the most varied."""

    kind = "explorer"

    def more(self, content: Content) -> Content:
        curve = entries(self.env, self.profile, "diversity_curve")
        return {"measured": [_measured(curve, dial) for dial in content["dials"]]}

    def still(self, content: Content) -> str:
        query, gallery = content["queries"][0], content["gallery"]
        boxes, names = [part["box"] for part in query["parts"]], ", ".join(part["label"] for part in query["parts"])
        first = picture(content["sheet"], query["tile"], f"A query photo; parts outlined: {names}", *boxes)
        html = f'<div class="row">{figure(first, "the query")}</div>'
        rows = [*query["parts"], {**query["together"], "label": "all parts at once"}]
        for part in [*rows, {**query["whole"], "label": "the whole picture"}]:
            cards = ""
            for look in (part["looks"][place] for place in part["lists"][0]):
                own = [one["box"] for one in look.get("parts", [look]) if "box" in one]
                shown = picture(gallery, look["tile"], f"Look-alike for {part['label']}", *own)
                answers = ", ".join(one["label"] for one in look.get("parts", ()))
                cards += figure(shown, answers or f"distance {look['distance']:.3f}")
            html += f'<p>{escape(part["label"])}</p><div class="row">{cards}</div>'
        return html


class Curves(LedgerFigure):
    """{touch-curves} topk_inshop topk_c2s: the figure of {ledger-figure}, and every number of it to be read."""

    def draw(self) -> list[nodes.Node]:
        found = {name: self.entries(name) for name in self.experiments()}
        present = {entry.method for one in found.values() for entry in one}
        methods = names.ordered(sorted(present))
        strong = [name for name in STRONG if name in present] or methods[:1]
        ks = sorted({k for one in found.values() for entry in one if (k := _k(entry))})
        panels = [
            {"title": f"{names.task(name, one[0].dataset)}, {names.dataset(one[0].dataset)}",
             "methods": [row for method in methods if (row := _curve(one, method, ks))]}
            for name, one in found.items()
        ]  # fmt: skip
        order = [*strong, *(method for method in methods if method not in strong)]
        tones = {method: min(place, TONES - 1) for place, method in enumerate(order)}
        shown = block("curves", {"ks": ks, "strong": strong, "tones": tones, "panels": panels}, None)
        figures = super().draw()
        captions = [caption for one in figures for caption in one.findall(nodes.caption)]
        for caption in captions:  # it is of both
            caption.parent.remove(caption)
        shown.insert(0, nodes.container("", *figures, classes=["still"]))
        return [shown, *(nodes.paragraph("", "", *caption.children, classes=["ledger-source"]) for caption in captions)]


def block(kind: str, data: Content, still: str | None) -> nodes.container:
    """What a script of that kind looks for: the still block, and the data as JSON that cannot end its own element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    html = "" if still is None else f'<div class="still">{still}</div>'
    html += f'<script type="application/json">{text}</script>'
    return nodes.container("", nodes.raw("", html, format="html"), classes=["touch", f"touch-{kind}"])


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def figure(picture: str, words: str) -> str:
    return f"<figure>{picture}<figcaption>{escape(words)}</figcaption></figure>"


def picture(sheet: Content, tile: int, words: str, *boxes: Sequence[float]) -> str:
    """One picture of a sheet with outlines, as SVG; boxes (x1, y1, x2, y2) in parts of the picture."""
    width, height = sheet["width"], sheet["height"]
    x, y = (tile % sheet["columns"]) * width, (tile // sheet["columns"]) * height
    over = ""
    for x1, y1, x2, y2 in np.clip(np.array(boxes).reshape(-1, 4), 0, 1).tolist():
        place = f'x="{x + x1 * width:.1f}" y="{y + y1 * height:.1f}" '
        place += f'width="{(x2 - x1) * width:.1f}" height="{(y2 - y1) * height:.1f}"'
        over += f'<rect class="under" {place}/><rect class="over" {place}/>'
    whole = f'href="{escape(sheet["file"])}" width="{sheet["sheet"][0]}" height="{sheet["sheet"][1]}"'
    said = f'role="img" aria-label="{escape(words)}" focusable="false"'
    return f'<svg class="tile" viewBox="{x} {y} {width} {height}" {said}><image {whole}/>{over}</svg>'


def _k(entry: Entry) -> int:
    """The k of top1 … top50; 0 for another metric."""
    number = entry.metric.removeprefix("top")
    return int(number) if number != entry.metric and number.isdigit() else 0


def _curve(found: Sequence[Entry], method: str, ks: Sequence[int]) -> Content | None:
    """A method's value, low and high at each k; None where it lacks one."""
    by_k = {_k(entry): [entry.value, entry.low, entry.high] for entry in found if entry.method == method}
    if not all(k in by_k for k in ks):
        return None
    return {"method": method, "name": names.method(method), "values": [by_k[k] for k in ks]}


def _measured(curve: Sequence[Entry], dial: float) -> str:
    """One sentence on what the dial's setting costs and buys over all test photos."""
    here = [entry for entry in curve if entry.protocol.startswith(f"dial {dial:g};")]
    words = []
    for method, name in (
        ("parts", "part by part"), ("together", "in the one list"), ("whole-mmr", "by the whole picture")
    ):  # fmt: skip
        relevance, coverage = (
            find(here, method=method, metric=f"{what}@10") for what in ("relevance", "part_coverage")
        )
        words.append(
            f"{name}, {relevance.value:.1%} of ten look-alikes match a part of the query "
            f"({interval(relevance, True)}), and {coverage.value:.1%} of its parts are matched by one "
            f"({interval(coverage, True)})"
        )
    return f"Over {here[0].n} test photos at this setting: {'; '.join(words)}."


def _published(profile: str, sheet: str) -> str:
    """A sheet's name among the book's pictures."""
    return f"touch-{profile}-{sheet}"


def copy_sheets(app: Sphinx, error: Exception | None) -> None:
    """Put the profile's sheets among the built book's pictures."""
    if error is None and app.builder.format == "html":
        root = (Path(app.srcdir) / app.config.fashionlib_root).resolve()
        for sheet in sorted(widget_data.folder(root, app.config.fashionlib_profile).glob("*.webp")):
            place = Path(app.outdir) / "_images" / _published(app.config.fashionlib_profile, sheet.name)
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(sheet, place)


def kinds_on(doctree: nodes.document | None) -> list[str]:
    """The kinds of blocks on a page."""
    found = doctree.findall(nodes.container) if doctree else ()
    names = {name for one in found for name in one["classes"] if name.startswith("touch-")}
    return sorted(name.removeprefix("touch-") for name in names)


def add_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give each page the scripts and the style of the blocks on it."""
    kinds = kinds_on(doctree)
    for name in ["common", *kinds] if kinds else ():
        app.add_js_file(f"touch/{name}.js", loading_method="defer")
    if kinds:
        app.add_css_file("touch/touch.css")


def drop_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Take away what Jupyter Book adds: every file of _static on every page, and no script deferred."""
    ours = "_static/touch/"
    context["script_files"] = [
        one for one in context["script_files"] if not str(one.filename).startswith(ours) or "defer" in one.attributes
    ]
    styles = {str(one.filename): one for one in context["css_files"] if str(one.filename).startswith(ours)}
    context["css_files"] = [one for one in context["css_files"] if str(one.filename) not in styles]
    context["css_files"] += styles.values() if kinds_on(doctree) else []


def setup(app: Sphinx) -> None:
    """Register the directives; called by `fashionbook.extension`."""
    app.add_directive("touch-playground", Playground)
    app.add_directive("touch-steps", Steps)
    app.add_directive("touch-explorer", Explorer)
    app.add_directive("touch-curves", Curves)
    app.connect("html-page-context", add_scripts)
    app.connect("html-page-context", drop_scripts, priority=800)  # before `tidy_scripts`
    app.connect("build-finished", copy_sheets)
