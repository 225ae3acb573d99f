"""Reading the lists and arrays in which data sets are published: what is not as published is named, file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fashionlib.data.photos import SUFFIXES
from fashionlib.data.published.findings import Report

_ENDINGS = (*SUFFIXES, *map(str.upper, SUFFIXES))
_ENDING = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(SUFFIXES, reverse=True)))})(?=\s|$)", re.IGNORECASE)
_LARGE, _LONGEST = 10**9, 8192


class Row(NamedTuple):
    """One row of a list: the number of its line, and its columns."""

    line: int
    values: tuple


@dataclass(frozen=True)
class Bad:
    """What is wrong with a row, where "expected these columns" does not say it; `{}` stands for the row."""

    check: str
    text: str


Parse = Callable[[str], "tuple | Bad | None"]


def read_table(
    path: Path | None, parse: Parse, columns: str, report: Report, *, photos: int = 0, named: bool | None = True,
    counted: bool = True, numbered: bool = False,
) -> dict[Any, Row]:  # fmt: skip
    """The rows of a list whose line 1 counts them and whose line 2 names the columns; none where `path` is None.

    parse: the columns of a row, stripped; None or Bad where it is not as published. columns: the same in words.
    photos: how many columns before those are photos' names. The result is by them, or by the first column.
    named: whether there is a line of names; None where a name would pass for a row. counted: whether there is a count.
    numbered: whether others refer to the rows by their number, so that a row that is there twice is an error.
    Windows line ends, blanks and tabs, blank lines and a byte order mark are read as if they were not there. A repeated
    row is read once. Reported: a row that does not parse, two rows of one key, a count that is
    not that of the rows, names that are missing or in another order, a file that is no text.
    """
    lines = _lines(path, columns, report) if path else []
    declared = _declared(lines, path, report) if path and counted else None
    rows: dict[Any, Row] = {}
    found = repeated = 0
    for number, line in islice(enumerate(lines, 1), int(counted), None):
        if not (text := line.strip()):
            continue
        values = _values(text, photos, parse)
        if named is not False:
            is_row, named = named is True and isinstance(values, tuple), False
            if not is_row:
                _check_names(text, columns, path, report, number)
                continue
            report("lists", path, f"expected the line of names ({columns}), got a row; restore it", number)
        found += 1
        if not isinstance(values, tuple):
            _report_bad(values, columns, path, report, number, text)
            continue
        key = values[:photos] if photos > 1 else values[0]
        known = rows.setdefault(key, Row(number, values))
        if known.line != number:
            repeated += 1
            _report_repeated(known, known.values == values and not numbered, path, report, number, str(key))
    if declared is not None and declared not in (found, found - repeated):
        report("lists", path, f"says {declared:,} rows, but {found:,} follow; fetch the file again", 1)
    return rows


def _report_bad(bad: Bad | None, columns: str, path: Path | None, report: Report, number: int, text: str) -> None:
    bad = bad or Bad("lists", f"expected {columns}, got {{}}; correct the row")
    report(bad.check, path, bad.text, number, repr(text[:120]))


def _report_repeated(known: Row, same: bool, path: Path | None, report: Report, number: int, key: str) -> None:
    what = f"{{}} stands in line {known.line} already{' (the same row, read once)' if same else '; keep one'}"
    report("duplicates", path, what, number, key, **({"fatal": False} if same else {}))


def _values(text: str, photos: int, parse: Parse) -> tuple | Bad | None:
    if len(text) > _LONGEST:
        return None
    if not photos:
        return parse(text)
    taken = take_photos(text, photos)
    if not isinstance(taken, tuple):
        return taken
    rest = parse(taken[1])
    return (*taken[0], *rest) if isinstance(rest, tuple) else rest


def _check_names(text: str, columns: str, path: Path | None, report: Report, line: int) -> None:
    """Report a line of names in which the columns come in another order than the published one."""
    expected, names = re.findall(r"\w+_\w+", columns), text.split()
    places = [expected.index(name) for name in names if name in expected]
    if places != sorted(places):
        what = f"expected the columns {columns}, got {{}}; put them into this order"
        report("lists", path, what, line, repr(text[:120]), fatal=True)  # read in this order, all rows would be wrong


def _lines(path: Path, columns: str, report: Report) -> list[str]:
    try:
        content = path.read_bytes()
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        report("lists", path, f"not UTF-8 text, expected {columns}; fetch the file again or save it as UTF-8")
        return []
    except OSError as error:
        report("layout", path, f"cannot be read ({error.strerror}); fetch the file again")
        return []
    if not text.strip():
        report("lists", path, f"empty, expected {columns}; fetch the file again")
        return []
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _declared(lines: list[str], path: Path, report: Report) -> int | None:
    line = lines[0].strip() if lines else "0"
    if line.isdecimal() and len(line) < 10:
        return int(line)
    report("lists", path, "expected the number of rows, got {}; fetch the file again", 1, repr(line[:60]))
    return None


def take_photos(text: str, count: int = 1) -> tuple[list[str], str] | Bad | None:
    """The first `count` columns of a row, photos' names, and the rest of it. A name may hold blanks; it ends as photos
    do."""
    parts = text.split(None, count)
    names, rest = parts[:count], parts[count] if len(parts) > count else ""
    if len(names) != count or not all(map(_is_photo, names)):
        ends = [0, *(match.end() for match in islice(_ENDING.finditer(text), count))]
        if len(ends) <= count:
            return None
        names, rest = [text[a:b].strip() for a, b in pairwise(ends)], text[ends[-1] :].strip()
    tidied = [tidy(name) for name in names]
    return OUTSIDE if None in tidied else (tidied, rest)  # type: ignore[return-value]


def _is_photo(name: str) -> bool:
    return name.endswith(_ENDINGS)


OUTSIDE = Bad("paths", "{} leads out of the data set's folder; names are relative and hold no '..'")


def tidy(name: str) -> str | None:
    """A photo's name with slashes for back-slashes and no "./" before it; None where it leads out of its folder."""
    if "\\" in name or "//" in name or name.startswith("./"):
        name = re.sub("(?!^)/+", "/", name.replace("\\", "/")).removeprefix("./")
    leads_out = name.startswith("/") or name[1:2] == ":" or "\0" in name or (".." in name and ".." in name.split("/"))
    return None if leads_out else name


def numbers_of(text: str) -> list[int] | None:
    """Whole numbers between blanks, each of at most nine digits; None where there is something else, or nothing."""
    if not text or len(text) > 1000:
        return None
    try:
        numbers = list(map(int, text.split()))
    except ValueError:
        return None
    return numbers if max(numbers) < _LARGE and min(numbers) > -_LARGE else None


def read_array(path: Path | None, report: Report) -> np.ndarray | None:
    """A NumPy array, memory-mapped; objects, which could run code, are refused. None where it was reported."""
    if path is None:
        return None
    try:
        array = np.load(path, allow_pickle=False, mmap_mode="r")
    except Exception as error:  # a damaged header raises half a dozen kinds
        why = "Python objects" if re.search("pickle|objects", str(error)) else "no whole array"
        report("arrays", path, f"holds {why}, expected numbers in NumPy's format; fetch the file again")
        return None
    if isinstance(array, np.ndarray):
        return array
    report("arrays", path, "an archive of arrays, expected one array; fetch the file again")
    return None


def read_indices(path: Path | None, report: Report) -> np.ndarray | None:
    """Numbers of photos, one dimension, int64, each once. Numbers as text or as floats are read; the rest is
    reported."""
    array = read_array(path, report)
    if array is None:
        return None
    flat = _as_numbers(np.ravel(array))
    if flat is None or max(array.shape, default=0) != flat.size or not (np.abs(flat) < 2**53).all() or (flat % 1).any():
        report("arrays", path, f"{array.dtype} of {array.shape}, expected a row of whole numbers; fetch it again")
        return None
    values, firsts, counts = np.unique(flat.astype(np.int64), return_index=True, return_counts=True)
    if len(values) < len(flat):
        repeated = values[counts > 1]
        report("duplicates", path, f"{len(repeated):,} photos stand in it more than once, such as {repeated[0]} (each "
                                   "is read once)", fatal=False)  # fmt: skip
    return flat[np.sort(firsts)].astype(np.int64)


def _as_numbers(array: np.ndarray) -> np.ndarray | None:
    if array.dtype.kind in "iuf":
        return array
    try:
        return array.astype(np.float64) if array.dtype.kind in "US" else None
    except ValueError:
        return None


def read_targets(path: Path | None, shape: tuple[int, int], report: Report) -> np.ndarray | None:
    """A matrix of 0 and 1 (numbers or booleans), photos × labels, memory-mapped. Reported: anything else."""
    array = read_array(path, report)
    if array is None:
        return None
    if array.shape != shape or array.dtype.kind not in "iufb":
        report("arrays", path, f"{array.dtype} of {array.shape}, expected 0 and 1 of {shape} (photos, labels); "
                               "it does not belong to these lists")  # fmt: skip
        return None
    wrong: list[int] = []
    for start in range(0, len(array), 65536):  # in parts: the whole comparison would not fit into memory
        part = array[start : start + 65536]
        wrong += (start + np.flatnonzero(((part != 0) & (part != 1)).any(axis=1))).tolist()
    if wrong:
        report("arrays", path, f"{len(wrong)} rows hold something else than 0 and 1, such as row {wrong[0]}")
        return None
    return array
