"""Recommendations as lines of text and as cells of the book's grids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fashionlib.core.errors import InputError
from fashionlib.retrieval.recommend import Answer, Collection, LookAlike, Region, Row


def as_lines(rows: Sequence[Row]) -> list[str]:
    """Rows as text: each part with its look-alikes below it. Names are as they are, for `core.files.readable`."""
    lines = []
    for row in rows:
        lines.append(f"  {row.score:.2f}  {row.title}{_at(row.region)}")
        lines += [f"    {look.distance:.3f}  {look.name}{_at(look.region)}  {look.reason}" for look in row.looks]
    return lines


def answers_as_lines(found: Sequence[Answer]) -> list[str]:
    """The one list as text: each photo with the parts that it answers."""
    return [
        f"  {each.chance:.2f}  {each.name}  {', '.join(look.label for look in each.looks)}"
        + (f"  and {each.alike} like it" if each.alike else "")
        for each in found
    ]


def _at(region: Region | None) -> str:
    return "" if region is None else "  at " + ", ".join(f"{side:.2f}" for side in region)


def grid_rows(rows: list[Row], gallery: Collection) -> list[dict]:
    """Rows as `fashionlib.plots.recommendation_grid` takes them."""
    return [
        {"label": f"{row.label} ({row.score:.2f})", "region": row.region, "cells": grid_cells(list(row.looks), gallery)}
        for row in rows
    ]


def grid_cells(looks: list[LookAlike], gallery: Collection) -> list[dict]:
    """Look-alikes as cells of that grid. Raises InputError where the gallery's photos are not at hand."""
    images = _images(gallery)
    return [
        {"image": images[look.photo], "label": look.label, "distance": look.distance, "region": look.region}
        for look in looks
    ]


def answers_cells(found: list[Answer], gallery: Collection) -> list[dict]:
    """The one list as `fashionlib.plots.answers.answers_grid` takes it. Raises InputError as `grid_cells` does."""
    images = _images(gallery)
    return [
        {"image": images[each.photo], "regions": {look.label: look.region for look in each.looks}} for each in found
    ]


def _images(gallery: Collection) -> np.ndarray:
    if gallery.images is None:
        raise InputError(
            "this gallery has no images at hand: give Collection its images, or use a Gallery's thumbnails"
        )
    return gallery.images
