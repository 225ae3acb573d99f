"""Recommendations as lines of text, for a terminal. Names are as they are, for `core.files.readable`."""

from __future__ import annotations

from collections.abc import Sequence

from fashionlib.retrieval.collection import Answer, Region, Row


def as_lines(rows: Sequence[Row]) -> list[str]:
    """Rows as text: each part with its look-alikes below it."""

    def at(region: Region | None) -> str:
        return "" if region is None else "  at " + ", ".join(f"{side:.2f}" for side in region)

    lines = []
    for row in rows:
        lines.append(f"  {row.score:.2f}  {row.title}{at(row.region)}")
        lines += [f"    {look.distance:.3f}  {look.name}{at(look.region)}  {look.reason}" for look in row.looks]
    return lines


def answers_as_lines(found: Sequence[Answer]) -> list[str]:
    """The one list as text: each photo with the parts that it answers."""
    return [
        f"  {each.chance:.2f}  {each.name}  {', '.join(look.label for look in each.looks)}"
        + (f"  and {each.alike} like it" if each.alike else "")
        for each in found
    ]
