"""Look-alikes of closet photos, for the book: python -m fashionbook.closet_figure FOLDER, where the closet lies.

The photos are in the public domain (CC0), so the figure is kept in book/_static. The gallery holds the photos of the
training senders, the queries are of test senders. Queries are chosen by rule, not by how good the answers are: of each
class in `CLASSES` the photo whose name has the lowest SHA-256.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fashionlib import open_gallery
from fashionlib.data import load
from fashionlib.data.photos import read_photo
from fashionlib.experiments.profile import load_profile, project_root
from fashionlib.plots.style import WIDTH, colours, new_figure, outline, show_photo, theme
from fashionlib.retrieval import collection

CLASSES = ("dress", "shoes", "shirt", "hat")
LOOKS = 5
Row = tuple[np.ndarray, str, collection.Row, list[tuple[np.ndarray, collection.LookAlike, bool]]]


def rows_of(data: Path) -> list[Row]:
    """For each query: the photo, its class, its best part, and the photos nearest to it by that part."""
    seed = load_profile("street-shop-closet", data=data).seeds[0]
    asked, known = (load("closet", data, split, split_seed=seed) for split in ("test", "train"))
    class_of = {row.image: row.label for row in known.rows}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in known.ids:
            (Path(folder) / f"{name}.jpg").symlink_to((data / "images" / f"{name}.jpg").resolve())
        gallery = open_gallery(folder)
        for label in CLASSES:
            query = min((row.image for row in asked.rows if row.label == label), key=_hash)
            path = data / "images" / f"{query}.jpg"
            row = gallery.recommend(path, per_part=LOOKS)[0]
            looks = [
                (read_photo(Path(folder) / one.name), one, class_of[Path(one.name).stem] == label) for one in row.looks
            ]
            rows.append((read_photo(path), label, row, looks))
    return rows


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def draw(rows: list[Row]) -> Figure:
    """The queries in the first column, their look-alikes beside them; ✓ where the class is the query's."""
    columns, colour = LOOKS + 1, colours()[1]
    figure = new_figure(len(rows) * (WIDTH / columns * 1.3 + 0.5))
    for band, (photo, label, row, looks) in zip(
        figure.subfigures(len(rows), 1, squeeze=False)[:, 0], rows, strict=True
    ):
        axes = band.subplots(1, columns)
        band.suptitle(f"{label}: tagged {row.label} ({row.score:.2f})", fontsize=9.5, x=0.02, ha="left")
        for place, (image, region) in zip(
            axes, [(photo, row.region), *((one, look.region) for one, look, _ in looks)], strict=False
        ):
            show_photo(place, np.asarray(image))
            if region is not None:
                outline(place, np.asarray(image), region, colour)
        axes[0].set_xlabel("query", fontsize=8.5, labelpad=2)
        for place, (_, look, same) in zip(axes[1:], looks, strict=False):
            place.set_xlabel(f"{look.distance:.2f} {'✓' if same else '✗'}", fontsize=8.5, labelpad=2)
        for place in axes[len(looks) + 1 :]:
            place.set_axis_off()
    return figure


def main() -> None:
    """Writes closet-light.webp and closet-dark.webp."""
    rows = rows_of(Path(sys.argv[1]))
    for tone in ("light", "dark"):
        with theme(dark=tone == "dark"):
            draw(rows).savefig(project_root() / "book" / "_static" / f"closet-{tone}.webp", pil_kwargs={"quality": 80})


if __name__ == "__main__":
    main()
