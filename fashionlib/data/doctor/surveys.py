"""What `fashionlib doctor` looks at where there are few lists: CCP, closet, catalogue and a folder of photos."""

from __future__ import annotations

from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.data import closet
from fashionlib.data.catalogue import LINKS, Catalogue
from fashionlib.data.ccp import GET_IT, label_names, read_matlab
from fashionlib.data.doctor.photo_check import look_at
from fashionlib.data.folder import photos_below
from fashionlib.data.photos import SUFFIXES
from fashionlib.data.published.listed import Survey
from fashionlib.data.published.lists import Report


def survey_ccp(root: Path, report: Report) -> Survey:
    """Every photo, mask and tag file read, every fault reported; for `fashionlib doctor`."""
    photos = sorted(path.name for path in (root / "photos").glob("*.jpg"))
    found = Survey(photos={f"photos/{name}": f"{root}/photos/{name}" for name in photos})
    if not photos:
        report("layout", f"{root}/photos: no photos; {GET_IT}")
    labels = 0
    try:
        labels = len(label_names(root))
    except InputError as error:
        report("layout", str(error))
    masked = {path.stem for path in (root / "annotations" / "pixel-level").glob("*.mat")}
    tagged = {path.stem for path in (root / "annotations" / "image-level").glob("*.mat")}
    for id_ in sorted({name.removesuffix(".jpg") for name in photos} - masked - tagged):
        report("annotations", f"{root}/photos/{id_}.jpg: no annotation for it in {root}/annotations; {GET_IT}")
    for id_ in sorted((masked | tagged) - {name.removesuffix(".jpg") for name in photos}) if photos else ():
        report("photos", f"{root}/photos/{id_}.jpg: missing, but there are annotations of it; {GET_IT}")
    for id_ in sorted(masked):
        _check_indices(root, "pixel-level", id_, labels, report)
    for id_ in sorted(tagged - masked):
        _check_indices(root, "image-level", id_, labels, report)
    found.counts = {"photos": len(photos), "photos with masks": len(masked), "labels": labels}
    return found


def _check_indices(root: Path, kind: str, id_: str, labels: int, report: Report) -> None:
    """Report a file that is no array, holds another label than the list's, or a mask of another size than its photo."""
    path = root / "annotations" / kind / f"{id_}.mat"
    try:
        indices = read_matlab(path, "groundtruth" if kind == "pixel-level" else "tags")
    except InputError as error:
        report("annotations", str(error))
        return
    if labels and indices.size and not 0 <= indices.min() <= indices.max() < labels:
        report("annotations", f"{path}: a label outside 0..{labels - 1}; it does not belong to this label list")
    size = look_at(root / "photos" / f"{id_}.jpg").size
    if kind == "pixel-level" and size and indices.shape != size[::-1]:
        report("annotations", f"{path}: mask of {indices.shape}, its photo has {size[::-1]}; fetch the file again")


def survey_closet(root: Path, report: Report) -> Survey:
    """Every listed photo; for `fashionlib doctor`."""
    try:
        rows = closet.read_rows(root)
    except InputError as error:
        report("layout", str(error))
        return Survey()
    found = Survey(photos={f"images/{row.image}.jpg": f"{root}/images.csv" for row in rows})
    classes, senders = {row.label for row in rows}, {row.sender for row in rows}
    found.counts = {"photos": len(rows), "classes": len(classes), "senders": len(senders)}
    return found


def survey_catalogue(root: Path, report: Report) -> Survey:
    """Every photo of a garment, and the lists of links; for `fashionlib doctor`."""
    try:
        catalogue = Catalogue(root)
    except InputError as error:
        report("layout", str(error))
        return Survey()
    for kind in LINKS:
        try:
            catalogue.links(kind)
        except InputError as error:
            report("lists", str(error))
    paths = [path.relative_to(root).as_posix() for path in catalogue.paths]
    found = Survey(photos={name: f"{root}/{name}" for name in paths})
    found.counts = {"photos": len(catalogue), "styles": len({*catalogue.products()})}
    return found


def survey_folder(root: Path, report: Report) -> Survey:
    """Every photo of the folder, and what is wrong with it as a whole; for `fashionlib doctor`."""
    below = photos_below(root)
    found = Survey(photos={name: str(root / name) for name in sorted(below.photos)})
    for name, why in sorted(below.left_out.items()):
        report("photos", f"{root / name}: {why}")
    if not found.photos:
        report("layout", f"{root}: no photos in this folder; expected files ending in {' '.join(sorted(SUFFIXES))}")
    found.counts = {"photos": len(found.photos)}
    return found
