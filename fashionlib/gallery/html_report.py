"""One HTML page of a photo's parts and their look-alikes that needs nothing but itself: no script, no request."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from PIL import Image

from fashionlib.core.files import readable, replaceable, written_aside
from fashionlib.data.photos import read_photo
from fashionlib.gallery.extract import jpeg
from fashionlib.gallery.gallery import Gallery
from fashionlib.retrieval.collection import Answer, LookAlike, Region, Row

# by part: Okabe and Ito's colours for the colour-blind; as outlines and as chips under black figures
COLOURS = ("#e69f00", "#56b4e9", "#2fb98d", "#f0e442", "#e78ac3", "#ff8a5c", "#b7a0e8", "#c9c9c9")
OURS = b'<meta name="generator" content="fashionlib">'

Outlines = list[tuple[Region, list[int]]]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("fashionlib.gallery", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["readable"] = readable
    return environment.get_template("page.html.j2")


def page(
    name: str, picture: bytes, rows: Sequence[Row], thumbnails: Mapping[int, bytes], skipped: Mapping[str, str], *,
    photos: int, diversity: float, together: Sequence[Answer] = (), root: str | Path | None = None,
    out: str | Path | None = None,
) -> str:  # fmt: skip
    """The page as text.

    name and picture: of the query, a JPEG. rows: its parts. thumbnails: JPEGs of all photos shown, by number. skipped:
    photos left out of the gallery, and why. photos: how many were searched. together: the one list for all parts. With
    the gallery's folder `root` and the page's own file `out`, each look-alike is a link from the page to its photo.
    """
    pictures = {"query": picture, **thumbnails}
    number = {row.label: place for place, row in enumerate(rows)}
    kept = [[look for look in one.looks if look.label in number] for one in together]
    return _template().render(
        name=name, rows=rows, together=together, skipped=skipped, photos=photos, diversity=diversity, colours=COLOURS,
        sizes={key: Image.open(io.BytesIO(one)).size for key, one in pictures.items()},
        pictures={key: base64.b64encode(one).decode() for key, one in pictures.items()},
        links={look.photo: _link(look.name, root, out) for row in [*rows, *together] for look in row.looks},
        outlines=outlines, query_outlines=outlines(rows, range(len(rows))),
        shown=[outlines(looks, [number[look.label] for look in looks]) for looks in kept],
    )  # fmt: skip


def outlines(parts: Sequence[Row | LookAlike], numbers: Sequence[int]) -> Outlines:
    """The regions to be drawn, each once, with the numbers of the parts that it stands for."""
    drawn: dict[Region, list[int]] = {}
    for part, number in zip(parts, numbers, strict=True):
        if part.region is not None:
            drawn.setdefault(part.region, []).append(number)
    return list(drawn.items())


def write_page(
    out: str | Path, photo: str | Path, rows: Sequence[Row], gallery: Gallery, *, diversity: float,
    together: Sequence[Answer] = (),
) -> Path:  # fmt: skip
    """Write the page of `photo` and its look-alikes in `gallery` to the file `out`.

    Raises InputError where that cannot be written or is no page of ours, or the photo cannot be read.
    """
    out = replaceable(Path(out), OURS)
    thumbnails = {look.photo: gallery.thumbnail(look.photo) for row in [*rows, *together] for look in row.looks}
    picture = jpeg(read_photo(photo, (960, 640)), (640, 960))
    text = page(
        Path(photo).name, picture, rows, thumbnails, gallery.skipped, photos=len(gallery), diversity=diversity,
        together=together, root=gallery.root, out=out,
    )  # fmt: skip
    with written_aside(out) as file:
        file.write(text.encode())
    return out


def _link(name: str, root: str | Path | None, out: str | Path | None) -> str | None:
    """From the page to the photo; None where there is no such path, such as to another drive."""
    if root is None or out is None:
        return None
    try:
        path = os.path.relpath(Path(root).resolve() / name, Path(out).resolve().parent)
    except ValueError:
        return None
    return quote(path.replace(os.sep, "/").encode("utf-8", "surrogateescape"), safe="/")
