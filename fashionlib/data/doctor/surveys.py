"""What `fashionlib doctor` looks at where there are few lists: CCP, closet, catalogue and a folder of photos."""

from __future__ import annotations

from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.data import closet
from fashionlib.data.catalogue import LINKS, Catalogue
from fashionlib.data.ccp import GET_IT, annotated_ids, annotation_of, label_names, photo_ids
from fashionlib.data.doctor.photo_check import look_at
from fashionlib.data.folder import photos_below
from fashionlib.data.photos import SUFFIXES
from fashionlib.data.published.findings import Findings
from fashionlib.data.published.listed import Contents


def read_ccp(root: Path, found: Findings) -> Contents:
    """Every photo, mask and tag file read; what is wrong with them is reported."""
    try:
        labels, ids = label_names(root), photo_ids(root)
    except InputError as error:
        _add(found, "layout", error)
        return Contents([])
    annotated = annotated_ids(root)
    names = [f"photos/{id_}.jpg" for id_ in ids]
    contents = Contents(names, files=list(names))
    contents.counts = {"photos": len(ids), "photos with masks": 0, "labels": len(labels)}
    for id_ in sorted(annotated - set(ids)):
        found.add("photos", root / "photos", f"missing, but annotated in {root}/annotations; {GET_IT}", f"{id_}.jpg")
    for id_ in ids:
        if id_ not in annotated:
            what = f"without an annotation in {root}/annotations; {GET_IT}"
            found.add("annotations", root / "photos", what, f"{id_}.jpg")
            continue
        try:
            size = look_at(root / "photos" / f"{id_}.jpg").size
            kind, _ = annotation_of(root, id_, len(labels), (size[1], size[0]) if size else None)
            contents.counts["photos with masks"] += kind == "pixel-level"
        except InputError as error:
            file, _, what = str(error).partition(": ")
            found.add("annotations", Path(file).parent, what, Path(file).name)
    return contents


def read_closet(root: Path, found: Findings) -> Contents:
    """Every listed photo; those that are missing are reported."""
    try:
        rows = closet.read_rows(root)
    except InputError as error:
        _add(found, "layout", error)
        return Contents([])
    contents = Contents([f"images/{row.image}.jpg" for row in rows])
    contents.files = [name if (root / name).is_file() else None for name in contents.names]
    for name, file in zip(contents.names, contents.files, strict=True):
        if file is None:
            found.add("photos", root, f"listed in images.csv but missing; {closet.GET_IT}", name)
    classes, senders = {row.label for row in rows}, {row.sender for row in rows}
    contents.counts = {"photos": len(rows), "classes": len(classes), "senders": len(senders)}
    return contents


def read_catalogue(root: Path, found: Findings) -> Contents:
    """Every photo of a garment, and the lists of links."""
    try:
        catalogue = Catalogue(root)
    except InputError as error:
        _add(found, "layout", error)
        return Contents([])
    for kind in LINKS:
        try:
            catalogue.links(kind)
        except InputError as error:
            _add(found, "lists", error)
    contents = Contents([path.relative_to(root).as_posix() for path in catalogue.paths])
    contents.files = list(contents.names)
    contents.counts = {"photos": len(catalogue), "styles": len({*catalogue.products()})}
    return contents


def _add(found: Findings, check: str, error: InputError) -> None:
    file, _, what = str(error).partition(": ")
    found.add(check, file, what)


def read_folder(root: Path, found: Findings) -> Contents:
    """Every photo of the folder, and what is wrong with it as a whole."""
    below = photos_below(root)
    contents = Contents(sorted(below.photos))
    for name, why in sorted(below.left_out.items()):
        found.lenient("photos", root, f"{why} (left out)", name)
    if not contents.names:
        found.add("layout", root, f"no photos in this folder; expected files ending in {' '.join(sorted(SUFFIXES))}")
    contents.files = list(contents.names)
    contents.counts = {"photos": len(contents.names)}
    return contents
