"""What `fashionlib doctor` looks at where there are few lists: CCP, closet, catalogue and a folder of photos."""

from __future__ import annotations

from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.core.findings import Findings
from fashionlib.data.catalogue import LINKS, Catalogue
from fashionlib.data.ccp import GET_IT, annotated_ids, annotation_of, label_names, photo_ids
from fashionlib.data.closet import read_rows
from fashionlib.data.folder import photos_below
from fashionlib.data.photos import SUFFIXES, open_photo
from fashionlib.data.published.listed import Contents

SMALL = (64, 64)  # a JPEG is unpacked at an eighth of its size, which finds the same faults in a fraction of the time


def size_or_fault(path: str | Path) -> tuple[tuple[int, int] | None, str]:
    """A photo's (height, width), and what is wrong with it; by the one reader that all of the package uses."""
    try:
        return open_photo(path, SMALL).size, ""
    except InputError as error:
        return None, str(error).removeprefix(f"{path}: ")


def read_ccp(root: Path, found: Findings) -> Contents:
    """Every photo, mask and tag file read; what is wrong with them is reported."""
    labels, ids, annotated = label_names(root), photo_ids(root), annotated_ids(root)
    contents = _of_files([f"photos/{id_}.jpg" for id_ in ids])
    contents.counts |= {"photos with masks": 0, "labels": len(labels)}
    for id_ in sorted(annotated - set(ids)):
        found.add("photos", root / "photos", f"missing, but annotated in {root}/annotations; {GET_IT}", f"{id_}.jpg")
    for id_ in ids:
        if id_ not in annotated:
            what = f"without an annotation in {root}/annotations; {GET_IT}"
            found.add("annotations", root / "photos", what, f"{id_}.jpg")
            continue
        try:
            kind, _ = annotation_of(root, id_, len(labels), size_or_fault(root / "photos" / f"{id_}.jpg")[0])
            contents.counts["photos with masks"] += kind == "pixel-level"
        except InputError as error:
            file, _, what = str(error).partition(": ")
            found.add("annotations", Path(file).parent, what, Path(file).name)
    return contents


def read_closet(root: Path, found: Findings) -> Contents:
    """Every listed photo."""
    rows = read_rows(root)
    contents = _of_files([f"images/{row.image}.jpg" for row in rows])
    contents.counts |= {"classes": len({row.label for row in rows}), "senders": len({row.sender for row in rows})}
    return contents


def read_catalogue(root: Path, found: Findings) -> Contents:
    """Every photo of a garment, and the lists of links."""
    catalogue = Catalogue(root)
    for kind in LINKS:
        try:
            catalogue.links(kind)
        except InputError as error:
            report(found, "lists", error)
    contents = _of_files([path.relative_to(root).as_posix() for path in catalogue.paths.values()])
    contents.counts["styles"] = len({*catalogue.products()})
    return contents


def read_folder(root: Path, found: Findings) -> Contents:
    """Every photo of the folder, and what is wrong with it as a whole."""
    photos, left_out = photos_below(root)
    for name, why in sorted(left_out.items()):
        found.lenient("photos", root, f"{why} (left out)", name)
    if not photos:
        found.add("layout", root, f"no photos in this folder; expected files ending in {' '.join(sorted(SUFFIXES))}")
    return _of_files(sorted(photos))


def report(found: Findings, check: str, error: InputError) -> None:
    """An error whose message begins with a file."""
    file, _, what = str(error).partition(": ")
    found.add(check, file, what)


def _of_files(names: list[str]) -> Contents:
    return Contents(names, files=[*names], counts={"photos": len(names)})


SURVEYS = {"ccp": read_ccp, "closet": read_closet, "catalogue": read_catalogue, "folder": read_folder}
