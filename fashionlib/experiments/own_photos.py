"""Anyone's own folder of photos as a gallery, and a drawn one where there is none at hand."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.core.files import build_aside, readable
from fashionlib.data.photos import read_photo
from fashionlib.data.wardrobe.dataset import VERSION, Wardrobe
from fashionlib.experiments.methods import cache_folder, fit, run_folder
from fashionlib.experiments.profile import Profile, text_of
from fashionlib.gallery.gallery import Gallery, open_gallery
from fashionlib.retrieval.recommend import Row

DRAWN = 120  # photos
SIZE = (384, 256)


def own_gallery(profile: Profile, folder: object = "", model: object = "") -> Gallery:
    """The photos of `folder` as `model` sees them.

    folder: empty for drawn photos. model: empty for the profile's parser with its first seed, trained where it is not.
    Both are taken as text: papermill's -p makes a number of a name such as 2024. Raises InputError as `open_gallery`
    does.
    """
    if isinstance(folder, (int, float)) and not os.path.isdir(str(folder)):
        raise InputError(f"{folder}: no such folder; a name that is a number, such as 007, is given with papermill -r")
    folder, model = text_of(folder), text_of(model)
    if not model:
        seed = profile.seeds[0]
        fit(profile, "parser", seed)
        model = run_folder(profile, "parser", seed)
    return open_gallery(folder or drawn_folder(DRAWN), model)


def drawn_folder(photos: int) -> Path:
    """A folder of drawn street photos, made once and kept in runs/cache."""

    def draw(folder: Path) -> None:
        wardrobe = Wardrobe("test", size=SIZE, counts={"test": photos})
        for number in range(photos):
            Image.fromarray(wardrobe[number].image).save(folder / f"street-{number + 1:03d}.png")

    return build_aside(cache_folder() / f"drawn-{VERSION}-{photos}", draw)


def query_photo(photo: object, gallery: Gallery) -> str:
    """The photo that was named, or the gallery's first."""
    return text_of(photo) or str(gallery.root / gallery.seen.names[0])


def picture(photo: str | Path) -> np.ndarray:
    """The photo at a size to look at. Raises InputError where it cannot be read."""
    image = Image.fromarray(read_photo(photo, (960, 640)))
    image.thumbnail((640, 960))
    return np.asarray(image)


def cells_of(rows: list[Row], gallery: Gallery) -> list[dict]:
    """Rows as `fashionlib.plots.recommendation_grid` takes them, with the gallery's small pictures."""
    return [
        {
            "label": f"{row.label} ({row.score:.2f})", "region": row.region,
            "cells": [
                {"image": np.asarray(Image.open(io.BytesIO(gallery.thumbnail(look.photo)))), "label": look.label,
                 "distance": look.distance, "region": look.region}
                for look in row.looks
            ],
        }
        for row in rows
    ]  # fmt: skip


def left_out_table(gallery: Gallery) -> pd.DataFrame:
    """The photos that could not be read, a row each."""
    skipped = sorted(gallery.skipped.items())
    return pd.DataFrame([{"photo": readable(name), "why": why} for name, why in skipped], columns=["photo", "why"])


def sentence_about_own(gallery: Gallery, rows: list[Row]) -> str:
    """How many photos were searched, for which parts, and with how many different answers."""
    if not rows:
        return f"None of the {len(gallery)} photos shares a label with this one."
    looks = [look for row in rows for look in row.looks]
    return (
        f"Out of {len(gallery)} photos, {len({look.photo for look in looks})} different ones answer for "
        f"**{', '.join(row.label for row in rows)}**; {len(gallery.skipped)} could not be read."
    )
