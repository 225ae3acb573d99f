"""The {figure-of} directive: figures drawn when the book is built, from ledger, network and drawn photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from docutils.parsers.rst import directives
from matplotlib.figure import Figure
from PIL import Image

from fashionbook import widget_data
from fashionbook.directives import LedgerFigure
from fashionbook.drawings import diagrams, pictures, scores
from fashionbook.text import entries, made, published
from fashionlib import plots
from fashionlib.core.errors import InputError
from fashionlib.data.augment import MIRRORED, PLAIN, View, images_to_float
from fashionlib.experiments.ablation import gains
from fashionlib.experiments.profile import load_profile
from fashionlib.models.backbones import build_trunk
from fashionlib.models.tagger import HEADS

LOOKS = 5
VARIANTS = (
    ("Paper's configuration", "paper", "parser-paper"),
    ("Published runs, wardrobe", "wardrobe", "parser"),
)  # title, profile, method


class FigureOf(LedgerFigure):
    """{figure-of} NAME: one of `FIGURES`, drawn for light and dark pages. Options: alt (required), profiles."""

    option_spec: ClassVar = {"alt": directives.unchanged_required, "profiles": directives.unchanged}

    def experiments(self) -> list[str]:
        return []

    def entries(self, experiment: str) -> list:
        return []

    @property
    def may_lack(self) -> bool:
        return False

    def figure(self, found: list) -> tuple[str, str, Callable[[], Figure]]:
        name = self.arguments[0]
        if name not in FIGURES:
            raise InputError(f"no figure is called '{name}'; there are {', '.join(FIGURES)}")
        draw, suffix = FIGURES[name]
        return name + self.options.get("profiles", "").replace(" ", "-"), suffix, lambda: draw(self)

    def ledger(self, experiment: str) -> list:
        """The experiment's entries of every profile named that has them."""
        profiles = self.options.get("profiles", "wardrobe").split()
        return [one for name in profiles if made(self.env, name, [experiment])
                for one in entries(self.env, name, experiment)]  # fmt: skip

    def touch(self, kind: str) -> dict[str, Any]:
        """The published profile's widget data, with its sheets of pictures."""
        root = (Path(self.env.srcdir) / self.config.fashionlib_root).resolve()
        content = widget_data.read(root, "wardrobe", kind)
        for key in ("sheet", "gallery"):
            if key in content:
                file = widget_data.folder(root, "wardrobe") / content[key]["file"]
                self.env.note_dependency(str(file))
                content[key]["pixels"] = np.asarray(Image.open(file).convert("RGB"))
        return content

    def photo(self) -> np.ndarray:
        return _tile(self.touch("steps")["sheet"], 0)


def _tile(sheet: dict[str, Any], number: int) -> np.ndarray:
    x, y = number % sheet["columns"] * sheet["width"], number // sheet["columns"] * sheet["height"]
    return sheet["pixels"][y : y + sheet["height"], x : x + sheet["width"]]


def _cell(content: dict[str, Any], look: dict[str, Any]) -> dict[str, Any]:
    return {"image": _tile(content["gallery"], look["tile"]), "region": look.get("box"),
            "distance": look["distance"], "match": look["match"]}  # fmt: skip


def _row(content: dict[str, Any], part: dict[str, Any], label: str | None = None) -> dict[str, Any]:
    """The nearest look-alikes of a part, or of the whole picture."""
    cells = [_cell(content, part["looks"][place]) for place in part["lists"][0][:LOOKS]]
    return {"label": label or part["label"], "region": part.get("box"), "cells": cells}


def _rows(page: FigureOf, number: int, whole: bool) -> Figure:
    content = page.touch("explorer")
    query = content["queries"][number]
    rows = [_row(content, query["whole"], "whole picture")] if whole else []
    rows += [_row(content, part) for part in query["parts"][: 3 if whole else 4]]
    return plots.recommendation_grid(_tile(content["sheet"], query["tile"]), rows)


def _failures(page: FigureOf) -> Figure:
    """One first-ranked look-alike that does not match for each query that has one; of its true parts."""
    content, pairs = page.touch("explorer"), []
    for query in content["queries"]:
        for part in query["parts"]:
            first = part["looks"][part["lists"][0][0]]
            if part["true"] and not first["match"]:
                pairs.append({"label": part["label"], "query": _tile(content["sheet"], query["tile"]),
                              "region": part["box"], "cell": _cell(content, first)})  # fmt: skip
                break
    return pictures.failure_pairs(pairs[:6])


def _steps(page: FigureOf) -> Figure:
    content = page.touch("steps")
    photo, views = content["photos"][0], []
    for title, key in (("as it is", "plain"), ("scaled and shifted", "moved")):
        seen, steps = photo[key], []
        for step, box in enumerate(seen["boxes"]):
            won = [label for label, winner, scores in zip(photo["labels"], seen["won"], seen["scores"], strict=True)
                   if winner == step and scores[step] >= 0.5]  # fmt: skip
            name = "whole map" if content["whole"] and not step else f"step {step + content['first']}"
            attention = np.array(seen["maps"][step], dtype=float).reshape(content["grid"])
            steps.append({"title": name, "box": box, "attention": attention, "labels": won})
        views.append((title, _tile(content["sheet"], seen["tile"]), steps))
    return pictures.step_strip(views)


def _shapes(title: str, profile_name: str, method: str) -> diagrams.Shapes:
    """The sizes of a profile's network, read off its options and its backbone."""
    profile = load_profile(profile_name, data=".")
    height, width = profile.image_size
    trunk = build_trunk(profile.trunk.name, **profile.trunk.options, pretrained=False)
    stride = profile.trunk.options.get("stride", 16)
    options = HEADS["parser"][1](**profile.method(method).head)
    before = options.texture == "scores"
    channels = sum(trunk.depths)  # pyright: ignore[reportArgumentType]
    reduced = options.reduce or channels
    return diagrams.Shapes(
        title, (height, width), channels, reduced, (height // stride, width // stride), options.steps,
        options.codewords, reduced if before else trunk.depths[0], options.hidden, before,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


def _fig3(page: FigureOf) -> Figure:
    tasks = ("topk_inshop", "topk_c2s")
    return scores.topk_beside_paper([one for task in tasks for one in page.ledger(task)], published(page.env))


def _box(page: FigureOf) -> Figure:
    """The box of the step that won the most labels of the first photo."""
    seen = page.touch("steps")["photos"][0]["plain"]
    x1, y1, x2, y2 = seen["boxes"][max(set(seen["won"]) - {0}, key=seen["won"].count)]
    return diagrams.sampling_grid(page.photo(), (x2 - x1, y2 - y1, x1 + x2 - 1, y1 + y2 - 1))


def _views(page: FigureOf) -> Figure:
    photo = images_to_float(page.photo()[None])
    views = {"plain": PLAIN, "mirrored": MIRRORED}
    views |= {f"copy {number}": View(shift=0.2, seed=number, augment=True) for number in (1, 2, 3)}
    shown = {name: view(photo, view.draws(["photo"]))[0] for name, view in views.items()}
    return diagrams.view_strip(
        {name: (one.permute(1, 2, 0).numpy() * 255).astype(np.uint8) for name, one in shown.items()}
    )


FIGURES: dict[str, tuple[Callable[[FigureOf], Figure], str]] = {
    "fig1": (lambda page: _rows(page, 0, whole=True), "png"),
    "fig2": (lambda page: diagrams.architecture([_shapes(*one) for one in VARIANTS]), "svg"),
    "fig3": (_fig3, "svg"),
    "fig4": (lambda page: _rows(page, 1, whole=False), "png"),
    "failures": (_failures, "png"),
    "steps": (_steps, "png"),
    "cells": (lambda page: diagrams.map_cells(page.photo(), [(24, 16), (6, 4)]), "png"),
    "box": (_box, "png"),
    "views": (_views, "png"),
    "deep-ten": (lambda page: diagrams.texture_encoding(), "svg"),
    "losses": (lambda page: diagrams.loss_curves(), "svg"),
    "mmr": (lambda page: diagrams.mmr_choice(), "svg"),
    "all-methods": (lambda page: scores.all_methods(page.ledger("table1")), "svg"),
    "ablation": (lambda page: plots.ablation_figure(gains(page.ledger("ablation"))), "svg"),
}  # fmt: skip
