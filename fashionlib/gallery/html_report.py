"""One HTML page of a photo's parts and their look-alikes that needs nothing but itself: no script, no request."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from fashionlib.core.errors import InputError
from fashionlib.core.files import readable, written_aside
from fashionlib.data.photos import read_photo
from fashionlib.gallery.extract import jpeg
from fashionlib.gallery.gallery import Gallery
from fashionlib.retrieval.recommend import Answer, LookAlike, Region, Row

# by part: Okabe and Ito's colours for the colour-blind; as outlines and as chips under black figures
COLOURS = ("#e69f00", "#56b4e9", "#2fb98d", "#f0e442", "#e78ac3", "#ff8a5c", "#b7a0e8", "#c9c9c9")

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #55555e; --ground: #ffffff; --card: #f3f3f6; --line: #c9c9d2;
  --link: #0b57b0; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf1; --soft: #b4b4c0; --ground: #141417; --card: #202026;
  --line: #44444f; --link: #8ab8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; color: var(--ink); background: var(--ground);
  font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 0; }
p { margin: .3rem 0; } .soft { color: var(--soft); } a { color: var(--link); }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -99rem; } .skip:focus { position: static; }
.top { display: grid; gap: 1.2rem; grid-template-columns: minmax(12rem, 20rem) 1fr; margin: 1rem 0; }
.photo { position: relative; align-self: start; }
.photo img { display: block; width: 100%; height: auto; border-radius: 6px; }
.photo .chips { position: absolute; display: flex; font-size: .8rem; line-height: 1.3; }
.photo .chips .chip { border-radius: 0; min-width: 1.3em; padding: 0 .2em; }
.photo svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; pointer-events: none; }
rect { fill: none; vector-effect: non-scaling-stroke; }
.under { stroke: #000; stroke-width: 4.5px; } .over { stroke-width: 2.5px; }
.chip { display: inline-block; min-width: 1.6em; padding: 0 .35em; border-radius: 4px; color: #000; text-align: center;
  font-weight: 700; }
.parts { list-style: none; margin: .6rem 0; padding: 0; } .parts li { margin: .35rem 0; }
.part { border-top: 1px solid var(--line); padding: 1rem 0; scroll-margin-top: .5rem; }
.part:target h2 { text-decoration: underline; }
.looks { list-style: none; margin: .7rem 0 0; padding: 0; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
.looks li { background: var(--card); border-radius: 8px; padding: .6rem; max-width: 16rem; }
.looks p { font-size: .88rem; margin: .35rem 0 0; } .name { font-weight: 600; }
.left-out { border-top: 1px solid var(--line); padding: 1rem 0; }
@media (max-width: 40rem) { .top { grid-template-columns: 1fr; }
  .looks { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media print { .skip { display: none; } }
"""

ALL = '<li><a href="#together">all parts at once</a></li>'

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Look-alikes of {name}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#parts">Skip to the look-alikes</a>
<header>
<h1>Look-alikes of {name}, part by part</h1>
<p class="soft">{count}</p>
</header>
<div class="top">
{query}
<nav aria-label="Parts found">
<h2>Parts found</h2>
<ol class="parts">
{contents}
</ol>
<p class="soft">An outline is where the network looked when it named the part. Distances are between the features of
the two outlined regions: 0 is the same, and only those of one row compare.</p>
</nav>
</div>
<main id="parts">
{parts}
{left_out}
</main>
</body>
</html>
"""


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
    count = f"{photos:,} photos searched; diversity {diversity:g} from 0 (the nearest) to 1 (the most varied)."
    links = {look.photo: _link(look.name, root, out) for row in [*rows, *together] for look in row.looks}
    parts = [_part(number, row, thumbnails, links) for number, row in enumerate(rows)]
    parts += [_together(together, rows, thumbnails, links)] if together else []
    return PAGE.format(
        name=escaped(name), style=STYLE, count=count, query=_query(name, picture, rows),
        contents="\n".join([*(_entry(number, row) for number, row in enumerate(rows)), *([ALL] if together else [])]),
        parts="\n".join(parts) or "<p>No photo of the folder shares a label with this one.</p>",
        left_out=_left_out(skipped),
    )  # fmt: skip


def write_page(
    out: str | Path, photo: str | Path, rows: Sequence[Row], gallery: Gallery, *, diversity: float,
    together: Sequence[Answer] = (),
) -> Path:  # fmt: skip
    """Write the page of `photo` and its look-alikes in `gallery` to the file `out`.

    Raises InputError where that cannot be written, or the photo cannot be read.
    """
    out = Path(out)
    thumbnails = {look.photo: gallery.thumbnail(look.photo) for row in [*rows, *together] for look in row.looks}
    picture = jpeg(read_photo(photo, (960, 640)), (640, 960))
    text = page(
        Path(photo).name, picture, rows, thumbnails, gallery.skipped, photos=len(gallery), diversity=diversity,
        together=together, root=gallery.root, out=out,
    )  # fmt: skip
    try:
        with written_aside(out) as file:
            file.write(text.encode())
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); name another file with --out") from error
    return out


def escaped(name: str) -> str:
    """Text for HTML, also in attributes; bytes of a file name that are no text show as �."""
    return html.escape(readable(name), quote=True)


def _query(name: str, picture: bytes, rows: Sequence[Row]) -> str:
    found = ", ".join(row.label for row in rows) or "none"
    return _photo(picture, f"The photo {name}; parts outlined: {found}", [row.region for row in rows], range(len(rows)))


def _entry(number: int, row: Row) -> str:
    return f'<li>{_chip(number)} <a href="#part-{number + 1}">{escaped(row.label)}</a> ' \
           f'<span class="soft">score {row.score:.2f}</span></li>'  # fmt: skip


def _part(number: int, row: Row, thumbnails: Mapping[int, bytes], links: Mapping[int, str | None]) -> str:
    looks = [
        _card(place, look, thumbnails[look.photo], links[look.photo], number) for place, look in enumerate(row.looks)
    ]
    return (
        f'<section class="part" id="part-{number + 1}" aria-labelledby="name-{number + 1}">\n'
        f'<h2 id="name-{number + 1}">{_chip(number)} {escaped(row.label)} '
        f'<span class="soft">score {row.score:.2f}</span></h2>\n<ol class="looks">\n' + "\n".join(looks) +
        "\n</ol>\n</section>"
    )  # fmt: skip


def _together(
    found: Sequence[Answer], rows: Sequence[Row], thumbnails: Mapping[int, bytes], links: Mapping[int, str | None]
) -> str:
    """The one list: each photo with all parts that it answers, those with a row outlined in the row's colour."""
    number = {row.label: place for place, row in enumerate(rows)}
    cards = []
    for place, one in enumerate(found):
        labels, name = ", ".join(look.label for look in one.looks), escaped(one.name)
        drawn = [(look.region, number[look.label]) for look in one.looks if look.label in number]
        regions, parts = [region for region, _ in drawn], [part for _, part in drawn]
        photo = _photo(thumbnails[one.photo], f"Photo {place + 1} for all parts: {one.name}; {labels}", regions, parts)
        named = name if (link := links[one.photo]) is None else f'<a href="{link}">{name}</a>'
        cards.append(f'<li>{photo}\n<p class="name">{named}</p>\n<p>{escaped(labels)}</p></li>')
    return (
        '<section class="part" id="together" aria-labelledby="name-together">\n'
        '<h2 id="name-together">All parts at once</h2>\n<p class="soft">Photos that answer several parts, and parts '
        'that none before them did.</p>\n<ol class="looks">\n' + "\n".join(cards) + "\n</ol>\n</section>"
    )  # fmt: skip


def _card(place: int, look: LookAlike, picture: bytes, link: str | None, number: int) -> str:
    name = escaped(look.name)
    photo = _photo(picture, f"Look-alike {place + 1} for {look.label}: {look.name}", [look.region], [number])
    named = name if link is None else f'<a href="{link}">{name}</a>'
    return (
        f'<li>{photo}\n<p class="name">{named}</p>\n<p>{escaped(look.label)} · distance {look.distance:.3f}</p>\n'
        f'<p class="soft">{escaped(look.reason)}</p></li>'
    )


def _photo(picture: bytes, alt: str, regions: Sequence[Region | None], numbers: Sequence[int]) -> str:
    """The picture with an outline a region, and the numbers of the parts that it stands for in its corner."""
    by_region: dict[Region, list[int]] = {}
    for region, number in zip(regions, numbers, strict=True):
        if region is not None:
            by_region.setdefault(region, []).append(number)
    drawn = "".join(_outline(region, _colour(shared[0])) for region, shared in by_region.items())
    chips = "".join(_corner(region, shared) for region, shared in by_region.items()) if len(numbers) > 1 else ""
    source = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    return (
        f'<div class="photo"><img src="{source}" alt="{escaped(alt)}"><svg viewBox="0 0 100 100" '
        f'preserveAspectRatio="none" aria-hidden="true" focusable="false">{drawn}</svg>{chips}</div>'
    )


def _outline(region: Region, colour: str) -> str:
    """Drawn twice, so that it shows on light and dark."""
    x1, y1, x2, y2 = (100 * side for side in region)
    place = f'x="{x1:.2f}" y="{y1:.2f}" width="{max(0, x2 - x1):.2f}" height="{max(0, y2 - y1):.2f}"'
    return f'<rect class="under" {place}/><rect class="over" stroke="{colour}" {place}/>'


def _corner(region: Region, numbers: Sequence[int]) -> str:
    chips = "".join(_chip(number) for number in numbers)
    place = f"left:{100 * region[0]:.2f}%;top:{100 * region[1]:.2f}%"
    return f'<span class="chips" aria-hidden="true" style="{place}">{chips}</span>'


def _chip(number: int) -> str:
    return f'<span class="chip" style="background:{_colour(number)}">{number + 1}</span>'


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _link(name: str, root: str | Path | None, out: str | Path | None) -> str | None:
    """From the page to the photo; None where there is no such path, such as to another drive."""
    if root is None or out is None:
        return None
    try:
        path = os.path.relpath(Path(root).resolve() / name, Path(out).resolve().parent)
    except ValueError:
        return None
    return escaped(quote(path.replace(os.sep, "/").encode("utf-8", "surrogateescape"), safe="/"))


def _left_out(skipped: Mapping[str, str]) -> str:
    if not skipped:
        return ""
    rows = "\n".join(f"<li>{escaped(name)}: {escaped(reason)}</li>" for name, reason in sorted(skipped.items()))
    return (
        f'<section class="left-out" aria-labelledby="left-out">\n<h2 id="left-out">Left out: {len(skipped)} '
        f"{'file' if len(skipped) == 1 else 'files'}</h2>\n<ul>\n{rows}\n</ul>\n</section>"
    )
