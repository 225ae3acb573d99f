"""The book's API reference: docstrings that are plain text, made safe for Sphinx, and buttons to a public copy."""

from __future__ import annotations

import os
import re

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

_CODE = re.compile(r"``?([^`]+)``?")
_MARKUP = re.compile(r"([*|_\\])")
INDENT = 4


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
