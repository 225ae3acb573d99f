"""Reading the lists and arrays in which data sets are published: what is not as published is named, file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from fashionlib.core.errors import InputError

# what happens to a fault: `check` is one of CHECKS, `message` names file and line, what was expected and what to do
Report = Callable[[str, str], None]
CHECKS = ("layout", "lists", "paths", "photos", "boxes", "landmarks", "arrays", "duplicates", "splits", "annotations")

PHOTO = r"(\S.*?\.(?i:jpe?g|png|webp|bmp|gif|tiff?))"  # a name may hold blanks; it ends with a photo's ending


def refuse(check: str, message: str) -> None:
    """The report of whoever needs the data: the first fault is an InputError."""
    raise InputError(message)


class Hearing:
    """A report that remembers what a list was blamed for, so that what follows from it is not blamed again."""

    MOST = 200  # of a list that is broken from end to end

    def __init__(self, report: Report):
        self.report, self.said = report, []

    def __call__(self, check: str, message: str) -> None:
        if len(self.said) < self.MOST:
            self.said.append((check, message))
        self.report(check, message)

    def unexplained(self, missing: Iterable[str]) -> list[str]:
        """Those of the names `missing` from the list that no fault of it accounts for: a row that could not be read
        holds the name, and a row whose name was refused stands for one of them."""
        left = [name for name in missing if not any(name in message for _, message in self.said)]
        return left if len(left) > sum(check == "paths" for check, _ in self.said) else []


class Row(NamedTuple):
    """One row of a list: where it stands ("…/list.txt, line 7") and the columns."""

    where: str
    values: tuple[str, ...]


def read_rows(
    path: Path | None,
    pattern: re.Pattern[str],
    columns: str,
    report: Report,
    *,
    named: bool = True,
    counted: bool = True,
) -> Iterator[Row]:
    """The rows of a list whose line 1 counts them and whose line 2 names the columns; none where `path` is None.

    pattern: one row, stripped, with a group a column; columns: the same in words, for the error.
    named, counted: whether there is a line of names, a line with the count.

    Windows line ends, blanks around columns, blank lines, a byte order mark and a missing last line end are read as
    if they were not there. Reported: a row that does not match, a count that is not a number or not the number of
    rows, missing names, a file that is missing or no text.
    """
    if path is None:  # its absence was reported
        return
    try:
        with path.open(encoding="utf-8-sig") as file:
            declared = _declared(file, path, report) if counted else None
            yield from _rows(file, path, pattern, columns, report, (named, counted, declared))
    except UnicodeDecodeError:
        report("lists", f"{path}: not UTF-8 text, expected {columns}; fetch the file again or save it as UTF-8")
    except OSError as error:
        report("layout", f"{path}: cannot be read ({error.strerror}); fetch the file again")


def _declared(file: TextIO, path: Path, report: Report) -> int | None:
    line = file.readline().strip()
    if line.isdecimal():
        return int(line)
    report("lists", f"{path}, line 1: expected the number of rows, got {line[:60]!r}; fetch the file again")
    return None


def _rows(
    file: TextIO, path: Path, pattern: re.Pattern[str], columns: str, report: Report,
    head: tuple[bool, bool, int | None],
) -> Iterator[Row]:  # fmt: skip
    named, counted, declared = head
    found = 0
    for number, line in enumerate(file, start=2 if counted else 1):
        text = line.strip()
        if not text:
            continue
        match = pattern.fullmatch(text)
        if named:
            named = False
            if not match or pattern.groups == 1:
                continue
            if declared is not None or not counted:
                report("lists", f"{path}, line {number}: expected the line of names ({columns}), got a row; restore it")
        found += 1
        if match:
            yield Row(f"{path}, line {number}", match.groups())
        else:
            report("lists", f"{path}, line {number}: expected {columns}, got {text[:120]!r}; correct the row")
    if declared is not None and declared != found:
        report("lists", f"{path}, line 1: says {declared:,} rows, but {found:,} follow; fetch the file again")


def is_inside(name: str) -> bool:
    """Whether a name from a list stays below the folder it is joined to: relative, without `..`, on any system."""
    # plain text, not pathlib: this is asked of every row
    leads_out = name.startswith("/") or name[1:2] == ":" or "\\" in name or "\0" in name
    return not leads_out and ".." not in name.split("/")


def check_name(name: str, where: str, report: Report) -> bool:
    """Whether the photo's name may be used; reported where it may not."""
    if is_inside(name):
        return True
    report("paths", f"{where}: {name!r} leads out of the data set's folder; names are relative and hold no '..'")
    return False


def stays_inside(path: Path, root: Path) -> bool:
    """Whether `path`, all links followed, lies below `root`."""
    return path.resolve().is_relative_to(root.resolve())


def first_file(root: Path, names: Sequence[str], report: Report, hint: str) -> Path | None:
    """The first of these files that is there; reported, as the first, where none is or it leads out of `root`."""
    for name in names:
        if (root / name).is_file():
            if stays_inside(root / name, root):
                return root / name
            report("paths", f"{root / name}: a link that leads out of {root}; put the file itself there")
            return None
    report("layout", f"{root / names[0]}: missing; {hint}")
    return None


def read_array(path: Path | None, report: Report) -> np.ndarray | None:
    """A NumPy array, memory-mapped; objects, which could run code, are refused. None where it was reported."""
    if path is None:
        return None
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        why = "Python objects" if re.search("pickle|objects", str(error)) else "no whole array"
        report("arrays", f"{path}: holds {why}, expected numbers in NumPy's format; fetch the file again")
        return None
    if isinstance(array, np.ndarray):
        return array
    report("arrays", f"{path}: an archive of arrays, expected one array; fetch the file again")
    return None


def read_indices(path: Path | None, size: int, report: Report, *, repeats: bool = False) -> np.ndarray | None:
    """Numbers of photos, counted from 0, below `size`; one dimension, int64.

    repeats: whether a number may stand twice. Reported: anything else, a repeat once a number.
    """
    array = read_array(path, report)
    if array is None:
        return None
    flat = np.ravel(array)
    if flat.dtype.kind not in "iuf" or max(array.shape, default=0) != flat.size or (flat != np.floor(flat)).any():
        report("arrays", f"{path}: {array.dtype} of {array.shape}, expected a row of whole numbers; fetch it again")
        return None
    outside = flat[(flat < 0) | (flat >= size)]
    if outside.size:
        report("arrays", f"{path}: {outside.size} numbers outside 0..{size - 1}, such as {outside[0]}; "
                         "it does not belong to this list of photos")  # fmt: skip
    flat = flat[(flat >= 0) & (flat < size)].astype(np.int64)
    values, counts = np.unique(flat, return_counts=True)
    if not repeats:
        for value in values[counts > 1]:
            report("duplicates", f"{path}: photo {value} stands in it more than once; fetch the file again")
    return flat


def read_targets(path: Path | None, shape: tuple[int, int], report: Report) -> np.ndarray | None:
    """A matrix of 0 and 1 (numbers or booleans), photos × labels, memory-mapped. Reported: anything else."""
    array = read_array(path, report)
    if array is None:
        return None
    if array.shape != shape or array.dtype.kind not in "iufb":
        report("arrays", f"{path}: {array.dtype} of {array.shape}, expected 0 and 1 of {shape} (photos, labels); "
                         "it does not belong to these lists")  # fmt: skip
        return None
    wrong: list[int] = []
    for start in range(0, len(array), 65536):  # in parts: the whole comparison would not fit into memory
        part = array[start : start + 65536]
        wrong += (start + np.flatnonzero(((part != 0) & (part != 1)).any(axis=1))).tolist()
    if wrong:
        report("arrays", f"{path}: {len(wrong)} rows hold something else than 0 and 1, such as row {wrong[0]}")
        return None
    return array
