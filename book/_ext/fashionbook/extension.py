"""The book's Sphinx extension: every number, table, curve and verdict on a page is read from the ledger.

Roles: {ledger}, {published} and {page}. Directives: {ledger-table}, {ledger-figure}, {ledger-times}, {claims},
{ledger-runs}, {receipts}, {notebook-parameters} and those of `fashionbook.widgets`. A number that the ledger lacks,
or holds twice, ends the build with its name and page. A page is read again when a ledger file it used changes. The
profile that pages speak of is FASHIONLIB_PROFILE, or else "wardrobe".
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.domains.math import MathDomain
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import ReferenceRole, SphinxRole

from fashionbook import widgets as touchblocks
from fashionbook.directives import LedgerFigure, LedgerTable, LedgerTimes
from fashionbook.figures import FigureOf
from fashionbook.ledger_tables import AblationTable, BudgetTable, Claims, FeatureRows, PhotoRows
from fashionbook.run_directives import LedgerRuns, NotebookParameters, Receipts
from fashionbook.text import Number, build_errors, field, find, has, hover, interval, published, rounded, shown
from fashionlib.core.errors import InputError

DIRECTIVES = {
    "ledger-table": LedgerTable, "ledger-figure": LedgerFigure, "ledger-times": LedgerTimes, "claims": Claims,
    "budget-table": BudgetTable, "ablation-table": AblationTable, "feature-rows": FeatureRows, "photo-rows": PhotoRows,
    "figure-of": FigureOf, "ledger-runs": LedgerRuns, "receipts": Receipts, "notebook-parameters": NotebookParameters,
}  # fmt: skip
_CODE = re.compile(r"``?([^`]+)``?")
_MARKUP = re.compile(r"([*|_\\])")
INDENT = 4
_log = logging.getLogger(__name__)
_ICON_SCRIPT = re.compile(r"<script[^>]*scripts/fontawesome\.js[^>]*></script>\s*")


class LedgerRole(SphinxRole):
    """{ledger}`table1/parser/ap_all|interval` prints one number; its source shows on hover."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        with build_errors(self.env):
            number = Number.parse(self.text, self.config.fashionlib_profile)
            if "optional" in number.options and not has(self.env, number):
                return [nodes.Text("(not measured)")], []
            entry = find(self.env, number)
            if "field" in number.options:
                return [hover(entry, field(entry, number.options["field"]))], []
            if "percent" in number.options:
                return [hover(entry, f"{entry.value:.1%}")], []
            if "digits" in number.options:
                return [hover(entry, rounded(entry, number.options["digits"]))], []
            points = "points" in number.options
            limits = f" ({interval(entry, points)})" if "interval" in number.options else ""
            return [hover(entry, shown(entry, points)), nodes.Text(limits)], []


class PublishedRole(SphinxRole):
    """{published}`fashion144k/ap_all/StyleNet` prints a number of others, with its source on hover."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        with build_errors(self.env):
            names = self.text.split("/", 2)
            found = [r for r in published(self.env) if [r["dataset"], r["metric"], r["method"]] == names]
            if not found:
                raise InputError(f"published.csv has no row '{self.text}' (dataset/metric/method)")
            source = f"published: {found[0]['method']}, {found[0]['source']}"
            return [nodes.abbreviation("", found[0]["value"], explanation=source, classes=["published"])], []


class PageRole(ReferenceRole):
    """{page}`table1` links to that notebook of the profile the book is built for, or says that it was not run."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        profile = self.config.fashionlib_profile
        target = f"runs/{profile}/{self.target}"
        if target not in self.env.found_docs:
            with build_errors(self.env):
                self._check_name()
            words = self.title if self.has_explicit_title else f"the notebook {self.target}"
            return [nodes.Text(f"{words} (not run for {profile})")], []
        kind = {"reftype": "doc", "refdomain": "std", "refexplicit": self.has_explicit_title, "refwarn": True}
        link = addnodes.pending_xref("", reftarget=f"/{target}", refdoc=self.env.docname, **kind)
        link += nodes.inline("", self.title if self.has_explicit_title else "", classes=["doc"])
        self.set_source_info(link)
        return [link], []

    def _check_name(self) -> None:
        """A profile may leave a notebook out; the published contents hold them all."""
        contents = Path(self.env.srcdir) / "_toc.yml"
        known = {Path(page).name for page in _pages(contents) if page.startswith("runs/")}
        if self.target not in known:
            raise InputError(f"no notebook is called '{self.target}'; there are {', '.join(sorted(known)) or 'none'}")


def _pages(contents: Path) -> list[str]:
    from sphinx_external_toc.parsing import parse_toc_yaml

    return list(parse_toc_yaml(contents)) if contents.is_file() else []


def check_contents(app: Sphinx) -> None:
    """End the build where a page of the contents does not exist or a notebook holds an error."""
    for page in _pages(Path(app.srcdir) / getattr(app.config, "external_toc_path", "_toc.yml")):
        files = [Path(app.srcdir) / f"{page}{suffix}" for suffix in ("", ".md", ".ipynb", ".rst")]
        found = [file for file in files if file.is_file()]
        if not found:
            command = f"make results PROFILE={app.config.fashionlib_profile}"
            raise ExtensionError(f"the contents list {page}, and no such page exists; run `{command}`")
        try:
            errors = [*_error_outputs(found[0])]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            command = f"make results PROFILE={Path(page).parent.name}"
            raise ExtensionError(f"{found[0]}: no whole notebook; `{command}` makes it again") from error
        for error in errors:
            raise ExtensionError(f"{page}: the notebook holds an error ({error}); run it again")


def _error_outputs(path: Path) -> Iterator[str]:
    if path.suffix == ".ipynb":
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                if output["output_type"] == "error":
                    yield f"{output['ename']}: {output['evalue']}"


def check_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Warn of a picture that has no words for those who cannot see it."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt", "").strip():
            _log.warning("picture %s has no alt text", image.get("uri"), location=image)


def tidy_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Leave each script out of a page where it has nothing to do or stands already.

    Jupyter Book adds scripts twice (a console error each), Thebe although it is off, and MathJax, two megabytes,
    to pages without a formula.
    """
    math = cast(MathDomain, app.env.get_domain("math"))
    formulas = math.data["has_equations"].get(page, False)  # `has_equations` counts those of pages below it, too
    kept, seen = [], set()
    for script in context["script_files"]:
        body = script.attributes.get("body") or ""
        name = str(script.filename or body)
        thebe = "thebe" in name.lower()
        if name not in seen and not thebe and (formulas or not ("mathjax" in name or "MathJax" in name)):
            kept.append(script)
        seen.add(name)
    context["script_files"] = kept


def drop_icon_script(app: Sphinx, exception: Exception | None) -> None:
    """Take the theme's script of all of Font Awesome, 1.5 MB, out of the site: its style sheet draws the same icons."""
    if exception or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        if _ICON_SCRIPT.search(text):
            page.write_text(_ICON_SCRIPT.sub("", text), encoding="utf-8")
    for script in Path(app.outdir, "_static", "scripts").glob("fontawesome.js*"):
        script.unlink()


def plain_docstring(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings hold formulas and shapes, which are no markup: escape them, but keep `code` and indented blocks."""
    safe: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        indented = line.startswith(" " * INDENT)
        starts = indented and not inside and (number == 0 or not lines[number - 1].strip())
        if starts:
            safe += ["::", ""]
        inside = starts or (inside and (indented or not line.strip()))
        if inside:
            safe.append(line)
            continue
        if safe and safe[-1].startswith(" " * INDENT):
            safe.append("")
        # a definition's second line is indented by Python's habit alone
        safe.append(_escaped(line.strip()))
    lines[:] = safe


def _escaped(line: str) -> str:
    """reStructuredText that reads as `line` does, with what stands in backquotes as code."""
    parts = _CODE.split(line)
    texts = [f"``{part}``" if place % 2 else _MARKUP.sub(r"\\\1", part) for place, part in enumerate(parts)]
    return "".join(texts)


def add_buttons(app: Sphinx, config: Config) -> None:
    """Buttons to the repository at FASHIONLIB_REPOSITORY, and from notebooks to Binder and Colab; none without it."""
    url = os.environ.get("FASHIONLIB_REPOSITORY", "").rstrip("/")
    if not url:
        return
    if not re.fullmatch(r"https://[\w.-]*(github|gitlab|bitbucket)[\w.-]*/[\w.-]+/[\w.-]+", url):  # the theme's
        raise ExtensionError(f"FASHIONLIB_REPOSITORY={url}: expected https://github.com/OWNER/NAME, or nothing")
    options = {
        "repository_url": url,
        "repository_branch": os.environ.get("FASHIONLIB_BRANCH") or "main",
        "path_to_docs": "book",
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
            "notebook_interface": "jupyterlab",
        },
    }
    config.html_theme_options = {**config.html_theme_options, **options}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all of it with Sphinx."""
    app.add_config_value("fashionlib_profile", os.environ.get("FASHIONLIB_PROFILE") or "wardrobe", "env", (str,))
    app.add_config_value("fashionlib_root", "..", "env", (str,))
    for name, role in {"ledger": LedgerRole(), "published": PublishedRole(), "page": PageRole()}.items():
        app.add_role(name, role)
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    touchblocks.setup(app)
    app.connect("config-inited", add_buttons)
    app.connect("builder-inited", check_contents)
    app.connect("doctree-read", check_pictures)
    app.connect("html-page-context", tidy_scripts, priority=900)
    app.connect("build-finished", drop_icon_script)
    if "autodoc-process-docstring" in app.events.events:
        app.connect("autodoc-process-docstring", plain_docstring)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
