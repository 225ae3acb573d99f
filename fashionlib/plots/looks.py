"""Recommendations as the rows and cells that figures show.

image: gives the gallery's photo of a number, such as `Collection.image`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fashionlib.plots.style import Photo
from fashionlib.retrieval.collection import Answer, LookAlike, Row

Images = Callable[[int], Photo]


def grid_rows(rows: Sequence[Row], image: Images) -> list[dict]:
    """Rows as `fashionlib.plots.recommendation_grid` takes them."""
    return [
        {"label": f"{row.label} ({row.score:.2f})", "region": row.region, "cells": grid_cells(row.looks, image)}
        for row in rows
    ]


def grid_cells(looks: Sequence[LookAlike], image: Images) -> list[dict]:
    """Look-alikes as cells of that grid."""
    return [
        {"image": image(look.photo), "label": look.label, "distance": look.distance, "region": look.region}
        for look in looks
    ]


def answers_cells(found: Sequence[Answer], image: Images) -> list[dict]:
    """The one list as `fashionlib.plots.answers_grid` takes it."""
    return [{"image": image(each.photo), "regions": {look.label: look.region for look in each.looks}} for each in found]
