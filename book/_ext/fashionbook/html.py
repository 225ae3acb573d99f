"""The HTML of the book's still blocks. All text is escaped: labels may be anybody's words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from docutils import nodes

Content = dict[str, Any]


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
