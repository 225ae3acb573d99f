"""Where the files of a data set lie: as published, in other letters' case, or elsewhere, which is then said."""

from __future__ import annotations

import contextlib
import filecmp
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from fashionlib.core.findings import Findings, Report, too_many
from fashionlib.data.published.registry import PUBLISHED

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar")
_DEEP, _FOLDERS = 3, 400  # how far below a root files are looked for, and in how many folders


class _Folder(NamedTuple):
    """name: relative to the root, with a slash at its end."""

    name: str
    files: frozenset[str]
    folders: frozenset[str]


class Tree:
    """The folder of a data set, each folder below it listed once.

    Names match in any case of letters where none matches exactly. Links are followed: the data set's folder is its
    user's own. What is missing is reported to `found`.
    """

    def __init__(self, root: Path, dataset: str, found: Findings):
        self.root, self.found, self.hint = root, found, PUBLISHED[dataset].hint
        self._listed: dict[str, _Folder | None] = {"": self._listing("")}

    def _listing(self, name: str) -> _Folder | None:
        files, folders = [], []
        try:
            with os.scandir(f"{self.root}/{name}") as entries:
                for entry in entries:
                    (files if entry.is_file() else folders if entry.is_dir() else []).append(entry.name)
        except OSError:  # a file, a link to nowhere, not to be read
            return None
        return _Folder(name and f"{name}/", frozenset(files), frozenset(folders))

    def folder(self, name: str) -> _Folder | None:
        """The folder `name`, relative to the root; None where there is none."""
        if name not in self._listed:
            parent, _, last = name.rpartition("/")
            above = self.folder(parent)
            actual = _among(above.folders, last) if above else None
            self._listed[name] = self._listing(f"{above.name}{actual}") if above and actual else None
        return self._listed[name]

    def file(self, name: str) -> str | None:
        """The path, relative to the root, of the file that is called `name`."""
        parent, _, last = name.rpartition("/")
        folder = self._listed[parent] if parent in self._listed else self.folder(parent)
        actual = _among(folder.files, last) if folder else None
        return f"{folder.name}{actual}" if folder and actual else None

    def below(self) -> Iterator[str]:
        """Names of folders, the nearest first."""
        level = [""]
        for _ in range(_DEEP):
            pairs = ((name, sub) for name in level for sub in sorted(getattr(self.folder(name), "folders", ())))
            level = [f"{name}/{sub}".lstrip("/") for name, sub in pairs if not sub.startswith((".", "__"))][:_FOLDERS]
            yield from level

    def path(self, names: Sequence[str], report: Report | None) -> Path | None:
        """The first of these files that is there, in any case of letters; reported, as the first, where none is."""
        found = [self.root / path for path in map(self.file, names) if path]
        if not found and report is not None:
            what = "no regular file" if os.path.exists(self.root / names[0]) else "missing"
            report("layout", self.root / names[0], f"{what}; {self._elsewhere(names) or self.hint}")
        with contextlib.suppress(OSError):  # not to be read; the first one's reader tells it
            for other in (other for other in found[1:] if not filecmp.cmp(found[0], other, shallow=False)):
                self.found.lenient("layout", other, f"says something else than {found[0]}, which is read")
        return found[0] if found else None

    def _elsewhere(self, names: Sequence[str]) -> str:
        """Where the file lies instead, "" where it is nowhere near."""
        own = {_fold(name.split("/")[0]) for name in names if "/" in name}
        for folder in self.below():
            if _fold(folder.split("/")[0]) not in own and any(self.file(f"{folder}/{name}") for name in names):
                return f"it is in {self.root / folder}: name that folder"
        for parent in self.root.absolute().parents[:2]:
            if any((parent / name).is_file() for name in names):
                return f"it is in {parent}: name that folder"
        for folder in self.below():
            path = self.file(f"{folder}/{PurePosixPath(names[0]).name}")
            if path:
                return f"it is at {self.root / path}: move it there"
        packed = self._archive()
        return f"{self.root / packed} is not unpacked" if packed else ""

    def _archive(self) -> str:
        """An archive in the root or one of its folders, "" if none."""
        near = ("", *(name for name in self.below() if "/" not in name))
        files = (f"{name}/{file}".lstrip("/") for name in near for file in getattr(self.folder(name), "files", ()))
        return next((file for file in sorted(files) if file.lower().endswith(_ARCHIVES)), "")

    def photos(
        self, names: Sequence[str], splits: Mapping[str, np.ndarray], places: Sequence[str] = ("",)
    ) -> list[str | None]:
        """By photo, its path relative to the root; None for one that is missing.

        places: folders in which the names may begin, the published one first. Reported: photos that are nowhere, that
        are the high-resolution ones, and single ones that are missing (an error where they are too many of a split).
        """
        base, report = self._base(names, places), self.found.add
        if base is None and names:
            expected = self.root / places[0] / names[0].split("/")[0]
            link = next((path for path in (self.root / places[0], expected) if _broken_link(path)), None)
            packed, what = self._archive(), "no photos"
            if packed:
                what = f"{self.root / packed} is not unpacked (a password comes with the agreement)"
            report("layout", link or expected, _broken_link(link) if link else f"missing, {what}; {self.hint}")
        if base is None:
            return [None] * len(names)
        if "highres" in base[0].lower():
            what = "these are the high-resolution photos, but boxes and landmarks are of the small ones"
            what += ": unpack img.zip beside it, or rename the folder to img and go without boxes"
            report("layout", self.root / base[0], what)
        files = self._files(base, names)
        lost = np.array([file is None for file in files], dtype=bool)
        if lost.any():
            counts = {split: (int(lost[rows].sum()), len(rows)) for split, rows in splits.items() if len(rows)}
            worst = max(counts, key=lambda split: counts[split][0] / counts[split][1], default="")
            share = f": {counts[worst][0]:,} of {counts[worst][1]:,} photos of {worst!r}" if worst else ""
            fatal = any(too_many(*count) for count in counts.values())
            what = f"is listed but missing{share}; {'unpack the photos again' if fatal else 'left out'}"
            for number in np.flatnonzero(lost).tolist():
                report("photos", self.root, what, _under(base, names[number]), fatal=fatal)
        return files

    def _files(self, base: tuple[str, int], names: Sequence[str]) -> list[str | None]:
        """By name, what `file` answers; the folder of names that stand together is looked up once."""
        files: list[str | None] = []
        parent, folder = None, None
        for name in names:
            above, _, last = name.rpartition("/")
            if above != parent:
                parent, folder = above, self.folder(_under(base, name).rpartition("/")[0])
            actual = _among(folder.files, last) if folder else None
            files.append(f"{folder.name}{actual}" if folder and actual else None)
        return files

    def _base(self, names: Sequence[str], places: Sequence[str]) -> tuple[str, int] | None:
        """Where the photos' names begin: in which folder, and how many of a name's first parts are left out.

        The one where most of some photos are found, the published place before others.
        """
        sample = names[:: max(1, len(names) // 32)][:32]
        best, count = None, 0
        near = [(place, skipped) for skipped in (0, 1) for place in places]
        for base in (*near, *((folder, skipped) for folder in self.below() for skipped in (0, 1))):
            found = sum(self.file(_under(base, name)) is not None for name in sample)
            if found > count:
                best, count = base, found
            if found == len(sample):
                break
        return best


def _under(base: tuple[str, int], name: str) -> str:
    folder, skipped = base
    inner = name.split("/", skipped)[-1] if skipped else name
    return f"{folder}/{inner}" if folder else inner


def _among(names: frozenset[str], name: str) -> str | None:
    return name if name in names else _by_fold(names).get(_fold(name))


@lru_cache(maxsize=1024)  # photos come folder by folder
def _by_fold(names: frozenset[str]) -> dict[str, str | None]:
    folded: dict[str, str | None] = {}
    for name in names:
        folded[_fold(name)] = None if _fold(name) in folded else name  # two that differ in case alone: neither
    return folded


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _broken_link(path: Path) -> str:
    """What is wrong with a folder's link: it leads nowhere, or was copied as a text; "" where it is neither."""
    if path.is_symlink() and not path.exists():
        return f"a link to {os.readlink(path)}, which is not there"
    if path.is_file() and path.stat().st_size < 4096:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        if text and "\0" not in text and os.path.isdir(path.parent / text):
            return f"a link that was copied as a text: make it a link to {text} again"
    return ""
