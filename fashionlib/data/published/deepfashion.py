"""What the three DeepFashion benchmarks share: where their lists and photos lie, boxes, landmarks, attributes.

Z. Liu, P. Luo, S. Qiu, X. Wang, X. Tang, "DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
Annotations", CVPR 2016; the formats are those of the READMEs that come with the release (versions 1.0 and 1.1, 2016).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fashionlib.data.published.listed import BoxRow, Listing, PointsRow, Survey
from fashionlib.data.published.lists import PHOTO, Hearing, Report, check_name, first_file, read_rows, refuse
from fashionlib.data.published.registry import PUBLISHED

CLOTHES = {"1": "upper", "2": "lower", "3": "full"}
_SIDES = {
    "1": ("collar", "sleeve", "hem"),
    "2": ("waistline", "hem"),
    "3": ("collar", "sleeve", "waistline", "hem"),
}
LANDMARKS = {
    CLOTHES[kind]: tuple(f"{side} {part}" for part in parts for side in ("left", "right"))
    for kind, parts in _SIDES.items()
}
_FOLDERS = ("Anno", "Anno/attributes", "Anno_coarse", "anno", "")
_NUMBER = r"\s+(-?\d+)"
_BOX = re.compile(PHOTO + r"\s+([123])\s+([1-6])" + 4 * _NUMBER)
_PLAIN_BOX = re.compile(PHOTO + 4 * _NUMBER)
_POINTS = re.compile(PHOTO + r"\s+([123])\s+(\d+)\s+(-?\d[-\d\s]*)")
_ANY = re.compile(r"(\S.*)")
_VALUES = ("1", "-1", "0")


class Photo(NamedTuple):
    """A photo as `list_eval_partition.txt` has it; item is empty where the benchmark has none."""

    name: str
    item: str
    status: str
    where: str


def anno_list(root: Path, dataset: str, name: str, report: Report, *, folder: str = "Anno") -> Path | None:
    """The list `name`, in the folder of the release or in those in which copies of it keep it."""
    folders = ("Eval", "eval", "Anno", "") if folder == "Eval" else _FOLDERS
    names = [f"{place}/{name}" if place else name for place in folders]
    return first_file(root, names, report, PUBLISHED[dataset].hint)


def optional_list(root: Path, dataset: str, name: str, report: Report) -> Path | None:
    """The same, but a list that is missing is not a fault."""
    return anno_list(root, dataset, name, lambda check, message: report(check, message) if check != "layout" else None)


def photo_folder(root: Path, dataset: str, report: Report) -> str | None:
    """Where the names of the lists, which start with `img/`, begin, relative to the root; None where reported."""
    for place in ("Img", "", "Img/img", "img"):
        if (root / place / "img").is_dir():
            return f"{place}/" if place else ""
    packed = [path for path in (root / "Img/img.zip", root / "img.zip") if path.is_file()]
    what = f"{packed[0]} is not unpacked (its password comes with the agreement)" if packed else "no photos"
    report("layout", f"{root}/Img/img: missing, {what}; {PUBLISHED[dataset].hint}")
    return None


def read_photos(path: Path | None, pattern: re.Pattern[str], columns: str, report: Report) -> dict[str, Photo]:
    """A partition with one row a photo, by name; a photo that stands in it twice is reported.

    pattern: groups for the photo, the item (or none) and the status.
    """
    photos: dict[str, Photo] = {}
    for where, values in read_rows(path, pattern, columns, report):
        name, status = values[0], values[-1]
        if name in photos:
            report("duplicates", f"{where}: {name} stands in {photos[name].where} already; keep one of the rows")
        elif check_name(name, where, report):
            photos[name] = Photo(name, values[1] if len(values) == 3 else "", status, where)
    return photos


def read_boxes(
    path: Path | None, report: Report, *, labels: Mapping[str, str] | None = None, wanted: Collection[str] | None = None
) -> dict[str, BoxRow]:
    """Boxes by the photo's name.

    labels: by photo, what its box holds, for the list without a column for it; else "upper", "lower" or "full".
    wanted: the photos to keep, where not all of them.
    """
    columns = "image_name, clothes_type (1 to 3), pose_type or source_type, x_1, y_1, x_2, y_2"
    pattern, columns = (_BOX, columns) if labels is None else (_PLAIN_BOX, "image_name, x_1, y_1, x_2, y_2")
    boxes: dict[str, BoxRow] = {}
    for where, values in read_rows(path, pattern, columns, report):
        name, sides = values[0], tuple(int(value) for value in values[-4:])
        if name in boxes:
            report("duplicates", f"{where}: {name} has a box in {boxes[name].where} already; keep one of the rows")
        elif check_name(name, where, report) and (wanted is None or name in wanted):
            label = CLOTHES[values[1]] if labels is None else labels.get(name, "clothes")
            boxes[name] = BoxRow(sides, label, where)  # type: ignore[arg-type]
    return boxes


def read_landmarks(path: Path | None, report: Report, *, wanted: Collection[str] | None = None) -> dict[str, PointsRow]:
    """Landmarks by the photo's name: 6 points of upper, 4 of lower and 8 of full-body clothes (`LANDMARKS`)."""
    columns = "image_name, clothes_type (1 to 3), variation_type, then visibility, x and y of each landmark"
    points: dict[str, PointsRow] = {}
    for where, (name, kind, _, numbers) in read_rows(path, _POINTS, columns, report):
        values, names = numbers.split(), LANDMARKS[CLOTHES[kind]]
        if len(values) != 3 * len(names) or not {"0", "1", "2"}.issuperset(values[::3]):
            report("lists", f"{where}: {len(values)} numbers, expected {3 * len(names)} for {CLOTHES[kind]} clothes: "
                            "visibility (0, 1 or 2), x, y of each landmark")  # fmt: skip
        elif name in points:
            report("duplicates", f"{where}: {name} has landmarks in {points[name].where} already; keep one of the rows")
        elif check_name(name, where, report) and (wanted is None or name in wanted):
            points[name] = PointsRow(names, np.array(values, dtype=np.int32).reshape(-1, 3), where)
    return points


def read_names(path: Path | None, pattern: re.Pattern[str], columns: str, report: Report) -> tuple[str, ...]:
    """The names of a list of categories or attributes, which may hold blanks: the pattern's one group.

    A name that is there twice is reported.
    """
    names: dict[str, str] = {}
    for where, (name,) in read_rows(path, pattern, columns, report):
        if name in names:
            report("duplicates", f"{where}: {name!r} is named in {names[name]} already; fetch the list again")
        names.setdefault(name, where)
    return tuple(names)


def read_values(path: Path | None, count: int, report: Report, *, wanted: Set[str]) -> dict[str, np.ndarray]:
    """Attributes of the photos or items `wanted`, eight to a byte: 1 where the list has 1; -1 (not) and 0 (unknown)
    become 0."""
    found: dict[str, np.ndarray] = {}
    seen: set[str] = set()
    for where, (text,) in read_rows(path, _ANY, f"a name and {count} values", report):
        name, *values = text.rsplit(maxsplit=count)  # from the right: the name may hold blanks
        whole = len(values) == count == sum(values.count(value) for value in _VALUES)
        if not whole or (name not in wanted and name.split()[-1] in _VALUES):
            report(
                "lists", f"{where}: expected a name and {count} times 1, -1 or 0, got {text[:120]!r}; fetch it again"
            )
        elif name in seen:
            report("duplicates", f"{where}: {name} has attributes further up already; keep one of the rows")
        elif check_name(name, where, report) and name in wanted:
            found[name] = np.packbits([value == "1" for value in values])
        seen.add(name)
    return found


def read_items(path: Path | None, report: Report) -> dict[str, str]:
    """Items by id, and where they are listed. This list has a count but no line of names."""
    items: dict[str, str] = {}
    for where, (item,) in read_rows(path, _ANY, "an item's id", report, named=False):
        if item in items:
            report("duplicates", f"{where}: item {item} is listed in {items[item]} already; keep one of the rows")
        items.setdefault(item, where)
    return items


def listing_of(photos: Mapping[str, Photo], base: str | None, domains: Mapping[str, str], **known) -> Listing:
    """The split of these photos: ids are the names of the lists, products the items."""
    return Listing(
        files={name: f"{base}{name}" for name in photos}, where={name: photo.where for name, photo in photos.items()},
        products={name: photo.item for name, photo in photos.items() if photo.item}, domains=domains, **known,
    )  # fmt: skip


def marks_of(
    root: Path, dataset: str, suffix: str, photos: Collection[str], *, crop: bool,
    labels: Mapping[str, str] | None = None,
) -> dict:  # fmt: skip
    """Boxes and landmarks of these photos from `list_bbox<suffix>.txt` and `list_landmarks<suffix>.txt`, if there.

    Raises InputError where `crop` needs boxes that are missing.
    """
    find = anno_list if crop else optional_list
    boxes = find(root, dataset, f"list_bbox{suffix}.txt", refuse)
    points = optional_list(root, dataset, f"list_landmarks{suffix}.txt", refuse)
    return {
        "boxes": read_boxes(boxes, refuse, labels=labels, wanted=photos),
        "landmarks": read_landmarks(points, refuse, wanted=photos),
    }


def read_targets_of(path: Path | None, keys: Collection[str], count: int, report: Report) -> np.ndarray:
    """The attributes of each key (a photo or its item) from the list, keys × count, bool.

    Keys that the list leaves out are reported, as one.
    """
    hearing = Hearing(report)
    rows = read_values(path, count, hearing, wanted=set(keys))
    lost = hearing.unexplained(key for key in dict.fromkeys(keys) if key not in rows) if path else []
    if lost:
        more = f" and {len(lost) - 1:,} others" if len(lost) > 1 else ""
        report("lists", f"{path}: no attributes for {lost[0]}{more}; fetch the list again")
    nothing = np.packbits(np.zeros(count, dtype=bool))
    packed = np.stack([rows.get(key, nothing) for key in keys]) if keys else np.zeros((0, len(nothing)), np.uint8)
    return np.unpackbits(packed, axis=1, count=count).astype(bool)


def item_attributes(
    root: Path, dataset: str, pattern: re.Pattern[str], items: Collection[str], report: Report
) -> tuple[tuple[str, ...], np.ndarray]:
    """The attributes' names, and the attributes of each item (items × names, bool), from `list_attr_*.txt`."""
    names = read_names(anno_list(root, dataset, "list_attr_cloth.txt", report), pattern, "an attribute's name", report)
    path = anno_list(root, dataset, "list_attr_items.txt", report)
    return names, read_targets_of(path, items, len(names), report)


def check_items(
    root: Path, dataset: str, suffix: str, pattern: re.Pattern[str], items: Mapping[str, str], report: Report
) -> None:
    """Report items of the partition (by id, where) that `list_item<suffix>.txt` or the attributes, if there, lack."""
    hearing = Hearing(report)
    path = anno_list(root, dataset, f"list_item{suffix}.txt", report)
    listed = read_items(path, hearing)
    for item in hearing.unexplained(item for item in items if item not in listed) if path else ():
        report("lists", f"{items[item]}: item {item} is not in {path}; correct the row or fetch the list again")
    if optional_list(root, dataset, "list_attr_items.txt", report):
        item_attributes(root, dataset, pattern, items, report)


def survey_of(root: Path, dataset: str, photos: Mapping[str, str], report: Report) -> Survey:
    """A survey of these photos (by name, where they are listed); empty where their folder is missing."""
    base = photo_folder(root, dataset, report)
    return Survey(photos={} if base is None else {base + name: where for name, where in photos.items()})


def add_marks(
    found: Survey, photos: Collection[str], files: tuple[Path, str, str], report: Report,
    labels: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Put boxes and landmarks into the survey, and report photos that the lists leave out.

    files: the root, the data set and the ending of the lists' names.
    """
    root, dataset, suffix = files
    hearing = {"bbox": Hearing(report), "landmarks": Hearing(report)}
    paths = {kind: anno_list(root, dataset, f"list_{kind}{suffix}.txt", report) for kind in hearing}
    boxes = read_boxes(paths["bbox"], hearing["bbox"], labels=labels)
    points = read_landmarks(paths["landmarks"], hearing["landmarks"])
    base = photo_folder(root, dataset, lambda check, message: None) or ""
    found.boxes = {base + name: row for name, row in boxes.items()}
    found.landmarks = {base + name: row for name, row in points.items()}
    for kind, rows, check in (("bbox", boxes, "boxes"), ("landmarks", points, "landmarks")):
        lost = [name for name in photos if name not in rows] if paths[kind] else []
        for name in hearing[kind].unexplained(lost):
            report(check, f"{paths[kind]}: no row for {name}, which the partition names; fetch the list again")
