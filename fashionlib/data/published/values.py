"""The lists of attributes: a name, then 1 (has it), −1 (has it not) or 0 (unknown) for each of 1,000 attributes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from fashionlib.data.published.findings import Findings, Report
from fashionlib.data.published.lists import tidy

_VALUES = frozenset({"1", "-1", "0"})
_BLANK, _MINUS, _ONE, _ZERO = 32, ord("-"), ord("1"), ord("0")


def read_values(path: Path | None, rows: Mapping[str, int], count: int, report: Report, found: Findings) -> np.ndarray:
    """The attributes of the photos or items `rows` (by name, the number of their row): True where the list has 1.

    The list of the attribute benchmark has 289 million values, so whole rows are read as bytes, many at a time.
    Reported: rows that are not a name and `count` values, names that stand in two rows, and names that are missing.
    """
    targets = np.zeros((len(rows), count), dtype=bool)
    lines = np.zeros(len(rows), dtype=np.int32)
    if path is None or not count:
        return targets
    total = repeated = declared = 0
    try:
        with path.open("rb") as file:
            head = file.readline().removeprefix(b"\xef\xbb\xbf").strip()
            declared = int(head) if head.isdigit() and len(head) < 10 else -1
            number = 1
            while chunk := list(islice(file, 2048)):
                kept = [(number + place, row) for place, line in enumerate(chunk, 1) if (row := line.strip())]
                if number == 1 and kept and _values_of(kept[0][1], count) is None:
                    kept = kept[1:]  # the names of the columns
                elif number == 1 and kept:
                    report("lists", path, "expected the line of names, got a row; restore it", kept[0][0])
                number += len(chunk)
                total += len(kept)
                repeated += _take(kept, path, rows, targets, lines, count, report)
    except OSError as error:
        report("layout", path, f"cannot be read ({error.strerror}); fetch the file again")
        return targets
    if declared not in (total, total - repeated):
        what = f"says {declared:,} rows, but {total:,} follow" if declared >= 0 else "expected the number of rows"
        report("lists", path, f"{what}; fetch the file again", 1)
    lost = [name for name, row in rows.items() if not lines[row]]
    if lost and not found.blames(path):
        report("lists", path, f"no attributes for {len(lost):,} of {len(rows):,} names, such as {lost[0]}; fetch the "
                              "list again")  # fmt: skip
    return targets


def _take(
    chunk: list[tuple[int, bytes]], path: Path, rows: Mapping[str, int], targets: np.ndarray, lines: np.ndarray,
    count: int, report: Report,
) -> int:  # fmt: skip
    """Put these rows into `targets`, and where they stand into `lines`; how many repeat another one."""
    repeated = 0
    parts = [row.split(None, 1) for _, row in chunk]
    values = _many([part[-1] for part in parts], count)
    for place, (line, row) in enumerate(chunk):
        name, known = parts[place][0].decode(errors="replace"), values
        has = None if known is None else known[place]
        if has is None:
            read = _values_of(row, count)
            if read is None:
                what = f"expected a name and {count} times 1, -1 or 0, got {{}}; fetch it again"
                report("lists", path, what, line, repr(row[:120].decode(errors="replace")))
                continue
            name, has = read
        tidied = tidy(name)
        number = rows.get(tidied) if tidied else None
        if number is None:
            continue
        if lines[number]:
            same = bool((targets[number] == has).all())
            what = f"{{}} has attributes further up already{' (the same)' if same else '; keep one of the rows'}"
            report("duplicates", path, what, line, name, **({"fatal": False} if same else {}))
            repeated += 1
            continue
        targets[number], lines[number] = has, line
    return repeated


def _many(rows: list[bytes], count: int) -> np.ndarray | None:
    """rows × count, True where a row holds 1; None where one of the rows is something else than `count` values."""
    text = np.frombuffer(b" ".join(rows) + b" ", dtype=np.uint8)
    blank = text <= _BLANK
    ends = np.flatnonzero(blank[1:] & ~blank[:-1])  # of the values, each of which ends with a 1 or a 0
    lengths = np.array([len(row) + 1 for row in rows])
    whole = count * np.arange(1, len(rows) + 1)
    if len(ends) != len(rows) * count or (np.searchsorted(ends, np.cumsum(lengths)) != whole).any():
        return None
    last, before = text[ends], np.where(ends > 0, text[ends - 1], _BLANK)
    starts = np.concatenate([[0], np.flatnonzero(blank[:-1] & ~blank[1:]) + 1])
    negative = before == _MINUS
    plain = (last == _ZERO) | (last == _ONE)
    if not (plain & (starts == ends - negative) & ~(negative & (last == _ZERO))).all():
        return None
    return ((last == _ONE) & ~negative).reshape(len(rows), count)


def _values_of(row: bytes, count: int) -> tuple[str, np.ndarray] | None:
    """The name, which may hold blanks, and the values of one row; None where they are not that."""
    name, *values = row.decode(errors="replace").rsplit(maxsplit=count)
    if len(values) != count or not _VALUES.issuperset(values) or name.split()[-1] in _VALUES:
        return None
    return name, np.array([value == "1" for value in values])
