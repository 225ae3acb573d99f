"""Reads the lists and arrays in which data sets are published: what is not as published is named, file and line.

The format of a list's rows is a regular expression, put together of `photo()`, TEXT and NUMBER.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from fashionlib.core.findings import Findings, Report
from fashionlib.data.photos import SUFFIXES

TEXT, NUMBER = r"(?:\S+|\S.*\S)", r"-?\d{1,9}"
_ENDING = rf"(?i:{'|'.join(map(re.escape, sorted(SUFFIXES, reverse=True)))})(?!\S)"
_LONGEST = 8192  # characters of a row
_OUTSIDE = "{} leads out of the data set's folder; names are relative and hold no '..'"


def photo(name: str = "photo") -> str:
    """A photo's name, which may hold blanks: it ends at the first ending of photos. Taken once, without going back."""
    return rf"(?=(?P<{name}>\S+{_ENDING}|\S.*?{_ENDING}))(?P={name})"


PHOTO = photo()


def read_table(
    path: Path | None, row: str, columns: str, report: Report, *, photos: int = 0, named: bool | None = True,
    counted: bool = True, numbered: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """The rows of a list whose line 1 counts them and whose line 2 names the columns; none where `path` is None.

    row: the format of a row; its named groups become columns of text, and "line" is added. columns: the same in words.
    photos: how many of the first groups are photos' names. Rows are told apart by these, or by the first group.
    named: whether there is a line of names; None where a name would pass for a row. counted: whether there is a count.
    numbered: whether others refer to the rows by their number, so that a row that is there twice is an error.

    Windows line ends, blanks and tabs, blank lines and a byte order mark are read as if they were not there. A repeated
    row is read once. Reported: a row of another format, two rows of one key, a count that is not that of the rows,
    names that are missing or in another order, a file that is no text.
    """
    pattern = re.compile(rf"^[^\S\n]*{row}[^\S\n]*$", re.ASCII | re.MULTILINE)
    lines = _lines(path, columns, report) if path else []
    groups, head, rows = list(pattern.groupindex), lines[: int(counted)], _rows(pattern, lines)
    rows[: len(head)] = [None] * len(head)
    others = [n for n in range(len(head), len(lines)) if rows[n] is None and lines[n].strip()]
    start = next((n for n in range(len(head), len(lines)) if lines[n].strip()), None)
    if named is not False and start is not None:
        if named and rows[start]:
            report("lists", path, f"expected the line of names ({columns}), got a row; restore it", start + 1)
        else:
            rows[start], others = None, [n for n in others if n != start]
            expected = re.findall(r"\w+_\w+", columns)
            order = [expected.index(name) for name in lines[start].split() if name in expected]
            if order != sorted(order):  # read in this order, all rows would be wrong
                what = f"expected the columns {columns}, got {{}}; put them into this order"
                report("lists", path, what, start + 1, repr(lines[start].strip()[:120]), fatal=True)
    for n in others:
        report("lists", path, f"expected {columns}, got {{}}; correct the row", n + 1, repr(lines[n].strip()[:120]))
    table = pd.DataFrame([row for row in rows if row], columns=pd.Index(groups), dtype=object)
    table["line"] = np.flatnonzero([row is not None for row in rows]) + 1
    found, table = len(table) + len(others), _tidied(table, groups[:photos], lines, path, report)
    again = _repeated(table, groups[: max(photos, 1)], numbered, path, report)
    if head:
        _check_count(head[0].strip(), (found, found - int(again.sum())), path, report)
    return table.loc[~again].reset_index(drop=True)


def _rows(pattern: re.Pattern[str], lines: list[str]) -> list[tuple[str, ...] | None]:
    """By line, the groups of the pattern; None where a line is no row.

    The lines after the first two are matched as one text: a match covers whole lines, so as many matches as lines, none
    of which is blank, are one match each. Otherwise every line is matched by itself.
    """
    body, match, texts = lines[2 : len(lines) - (lines[-1:] == [""])], pattern.fullmatch, lines
    whole: list[tuple[str, ...]] = []
    if len(max(body, key=len, default="")) < _LONGEST and all(map(str.strip, body)):
        found = pattern.findall("\n".join(body))
        if len(found) == len(body):
            whole, texts = found if pattern.groups > 1 else [(one,) for one in found], lines[:2]
    rows = [found.groups() if len(line) < _LONGEST and (found := match(line)) else None for line in texts]
    return [*rows, *whole, *[None] * (len(lines) - len(rows) - len(whole))]


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


def _check_count(text: str, right: tuple[int, int], path: Path | None, report: Report) -> None:
    """right: the rows, with and without those that repeat another one."""
    if not (text.isdecimal() and len(text) < 10):
        report("lists", path, "expected the number of rows, got {}; fetch the file again", 1, repr(text[:60]))
    elif int(text) not in right:
        report("lists", path, f"says {int(text):,} rows, but {right[0]:,} follow; fetch the file again", 1)


def _repeated(
    table: pd.DataFrame, key: list[str], numbered: bool, path: Path | None, report: Report
) -> pd.Series:  # fmt: skip
    """Which rows have the key of one further up; they are reported."""
    again, first = table.duplicated(key), {}
    for row in table[table.duplicated(key, keep=False)].itertuples(index=False, name=None) if again.any() else ():
        known = first.setdefault(row[: len(key)], row)
        if known is not row:
            same = not numbered and " ".join(known[:-1]).split() == " ".join(row[:-1]).split()
            what = f"{{}} already{' (the same row, read once)' if same else '; keep one'}"
            told = f"{row[0] if len(key) == 1 else row[: len(key)]} stands in line {known[-1]}"
            report("duplicates", path, what, row[-1], told, **({"fatal": False} if same else {}))
    return again


def _tidied(
    table: pd.DataFrame, columns: list[str], lines: list[str], path: Path | None, report: Report
) -> pd.DataFrame:  # fmt: skip
    """The table with photos' names as `tidy` has them; names that lead out are reported and left out."""
    columns = [column for column in columns if _odd("\n".join(["", *table[column]]))]
    for column in columns:
        table[column] = np.array([tidy(name) for name in table[column]], dtype=object)
    outside = table[columns].isna().any(axis=1).to_numpy()
    for line in table.line[outside]:
        report("paths", path, _OUTSIDE, line, repr(lines[line - 1].strip()[:120]))
    return table.loc[~outside] if outside.any() else table


def _odd(text: str) -> bool:
    """Whether any of these lines may hold what `tidy` changes or refuses; all are looked through at once."""
    return any(one in text for one in ("//", "./", "\n/", "..", "\\", ":", "\0"))


def tidy(name: str) -> str | None:
    """A photo's name with slashes for back-slashes and no "./" before it; None where it leads out of its folder."""
    name = re.sub("(?!^)/+", "/", name.replace("\\", "/")).removeprefix("./")
    leads_out = name.startswith("/") or name[1:2] == ":" or "\0" in name or ".." in name.split("/")
    return None if leads_out else name


def numbers_of(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The whole numbers of these texts (digits, blanks and minus signs) one after the other, and how many each has:
    none where one is no number of at most nine digits.
    """
    joined = "\n".join([*texts, ""])
    numbers = np.fromstring(joined, dtype=np.int64, sep=" ") if texts and "-" not in joined else np.full(1, 10**9)
    if (numbers >= 10**9).any():
        plain = re.compile(rf"{NUMBER}(?:\s+{NUMBER})*", re.ASCII).fullmatch
        rows = [[int(one) for one in text.split()] if plain(text) else [] for text in texts]
        return np.array([one for row in rows for one in row], dtype=np.int64), np.array([len(row) for row in rows], int)
    values = np.frombuffer(joined.encode(), dtype=np.uint8)
    begins = np.flatnonzero(np.append(True, values[:-1] <= ord(" ")) & (values > ord(" ")))
    return numbers, np.diff(np.searchsorted(begins, np.flatnonzero(values == ord("\n"))), prepend=0)


def read_values(
    path: Path | None, rows: Mapping[str, int], count: int, report: Report, found: Findings, *, before: int = 0
) -> np.ndarray:  # fmt: skip
    """The attributes of the photos or items `rows` (by name, the number of their row): True where the list has 1.

    A row is a name and `count` values, 1 (has it), −1 (has it not) or 0 (unknown). The list of the attribute benchmark
    has 289 million of them, so many rows are read at a time, as bytes. Reported: rows that are something else, names
    that stand in two rows, and names that are missing. before: columns that are left free before those of the list.
    """
    table, lines = np.zeros((len(rows), before + count), dtype=bool), np.zeros(len(rows), dtype=np.int32)
    if path is None or not count:
        return table
    targets = table[:, before:]
    total = repeated = 0
    try:
        with path.open("rb", buffering=1 << 20) as file:
            head = file.readline().removeprefix(b"\xef\xbb\xbf").strip()
            number = 1
            while chunk := list(islice(file, 512)):
                kept = [(number + place, row) for place, line in enumerate(chunk, 1) if (row := line.strip())]
                if number == 1 and kept and _values_of(kept[0][1], count) is None:
                    kept = kept[1:]  # the names of the columns
                elif number == 1 and kept:
                    report("lists", path, "expected the line of names, got a row; restore it", kept[0][0])
                number, total = number + len(chunk), total + len(kept)
                repeated += _take_values(kept, path, rows, targets, lines, report)
    except OSError as error:
        report("layout", path, f"cannot be read ({error.strerror}); fetch the file again")
        return table
    _check_count(head.decode(errors="replace"), (total, total - repeated), path, report)
    lost = [name for name, row in rows.items() if not lines[row]]
    if lost and not found.blames(path):
        report("lists", path, f"no attributes for {len(lost):,} of {len(rows):,} names, such as {lost[0]}; fetch the "
                              "list again")  # fmt: skip
    return table


def _take_values(
    chunk: list[tuple[int, bytes]], path: Path, rows: Mapping[str, int], targets: np.ndarray, lines: np.ndarray,
    report: Report,
) -> int:  # fmt: skip
    """Put these rows into `targets`, and where they stand into `lines`; how many repeat another one."""
    repeated, count = 0, targets.shape[1]
    names, texts = zip(*(row.split(None, 1) if b" " in row or b"\t" in row else (row, b"") for _, row in chunk),
                       strict=True) if chunk else ((), ())  # fmt: skip
    values, numbers = _plain_values(texts, count), [rows.get(name.decode(errors="replace"), -1) for name in names]
    new = -1 not in numbers and len({*numbers}) == len(numbers) and not lines[numbers].any()
    if new and values is not None:  # all of them are photos of the list that had no row yet
        targets[numbers], lines[numbers] = values, [line for line, _ in chunk]
        return 0
    for place, (line, row) in enumerate(chunk):
        one = (names[place].decode(errors="replace"), values[place]) if values is not None else _values_of(row, count)
        if one is None:
            what = f"expected a name and {count} times 1, -1 or 0, got {{}}; fetch it again"
            report("lists", path, what, line, repr(row[:120].decode(errors="replace")))
            continue
        number = rows.get(tidy(one[0]) or "")
        if number is None:
            continue
        if not lines[number]:
            targets[number], lines[number] = one[1], line
            continue
        repeated += 1
        same = bool((targets[number] == one[1]).all())
        what = f"{{}} has attributes further up already{' (the same)' if same else '; keep one of the rows'}"
        report("duplicates", path, what, line, one[0], **({"fatal": False} if same else {}))
    return repeated


def _plain_values(rows: tuple[bytes, ...], count: int) -> np.ndarray | None:
    """rows × count, True where a row holds 1; None where one of the rows may be something else than `count` values.

    Nearly all values are -1, so only what differs from a row of these is looked at.
    """
    for even in (bytes, _evened):
        text = b"".join([even(row).rjust(3 * count) for row in rows])  # in three characters each, as published
        codes = np.frombuffer(text, dtype=np.uint8)
        if len(codes) != len(rows) * 3 * count:
            continue
        places = np.flatnonzero(codes.reshape(-1, 3 * count) != np.frombuffer(b" -1" * count, dtype=np.uint8))
        values, place, part = np.zeros(len(rows) * count, dtype=bool), places // 3, places % 3
        values[place[part == 1]] = True
        zeros = place[part == 2]
        if (codes[places] == np.frombuffer(b"\0 0", dtype=np.uint8)[part]).all() and values[zeros].all():
            values[zeros] = False
            return values.reshape(-1, count)
    return None


def _evened(row: bytes) -> bytes:
    """These values in three characters each, whatever stands between them."""
    return b" ".join([b"", *row.split()]).replace(b" 1", b"  1").replace(b" 0", b"  0")


def _values_of(row: bytes, count: int) -> tuple[str, np.ndarray] | None:
    """The name, which may hold blanks, and the values of one row; None where they are not that."""
    name, *values = row.decode(errors="replace").rsplit(maxsplit=count)
    if len(values) != count or not {"1", "-1", "0"}.issuperset(values) or name.split()[-1] in {"1", "-1", "0"}:
        return None
    return name, np.array([value == "1" for value in values])


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


def read_indices(path: Path | None, report: Report) -> np.ndarray:
    """Numbers of photos, one dimension, int64, each once. Numbers as text or as floats are read; the rest is
    reported."""
    array = read_array(path, report)
    if array is None:
        return np.zeros(0, dtype=np.int64)
    try:
        flat = np.ravel(array).astype(np.float64) if array.dtype.kind in "US" else np.ravel(array)
    except ValueError:
        flat = np.ravel(array)
    whole = flat.dtype.kind in "iuf" and bool((np.abs(flat) < 2**53).all()) and not (flat % 1).any()
    if not whole or max(array.shape, default=0) != flat.size:
        report("arrays", path, f"{array.dtype} of {array.shape}, expected a row of whole numbers; fetch it again")
        return np.zeros(0, dtype=np.int64)
    values, firsts, counts = np.unique(flat.astype(np.int64), return_index=True, return_counts=True)
    if len(values) < len(flat):
        repeated = values[counts > 1]
        report("duplicates", path, f"{len(repeated):,} photos stand in it more than once, such as {repeated[0]} (each "
                                   "is read once)", fatal=False)  # fmt: skip
    return flat[np.sort(firsts)].astype(np.int64)


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
