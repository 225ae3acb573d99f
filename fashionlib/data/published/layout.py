"""Where the files of a data set lie: as published, in other letters' case, or elsewhere, which is then said."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from fashionlib.data.published.findings import Report, too_many

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar")
_DEEP, _FOLDERS = 3, 400  # how far below a root files are looked for, and in how many folders


class _Folder(NamedTuple):
    path: str
    files: frozenset[str]
    folders: frozenset[str]


class Tree:
    """The folders below a root, each listed once; names match in any case of letters where none matches exactly.

    Links are followed: the data set's folder is its user's own.
    """

    def __init__(self, root: Path):
        self._listed: dict[str, _Folder | None] = {"": _listing(os.fspath(root))}
        self._folded: dict[tuple[str, bool], dict[str, str | None]] = {}
        self._prefix = f"{os.fspath(root)}/"

    def folder(self, name: str) -> _Folder | None:
        """The folder `name`, relative to the root; None where there is none."""
        known, new = name, []
        while known not in self._listed:
            new.append(known)
            known = known.rpartition("/")[0]
        for one in reversed(new):
            parent, _, last = one.rpartition("/")
            above = self._listed[parent]
            actual = self._match(above, last, folders=True) if above else None
            self._listed[one] = _listing(os.path.join(above.path, actual)) if above and actual else None
        return self._listed[name]

    def file(self, name: str) -> str | None:
        """The path, relative to the root, of the file that is called `name`."""
        parent, _, last = name.rpartition("/")
        folder = self.folder(parent)
        actual = self._match(folder, last, folders=False) if folder else None
        return None if folder is None or actual is None else f"{folder.path}/{actual}".removeprefix(self._prefix)

    def _match(self, folder: _Folder, name: str, *, folders: bool) -> str | None:
        names = folder.folders if folders else folder.files
        if name in names:
            return name
        key = (folder.path, folders)
        if key not in self._folded:
            folded: dict[str, str | None] = {}
            for one in names:
                folded[_fold(one)] = None if _fold(one) in folded else one  # two that differ in case alone: neither
            self._folded[key] = folded
        return self._folded[key].get(_fold(name))

    def below(self) -> Iterator[str]:
        """Names of folders, the nearest first."""
        level = [""]
        for _ in range(_DEEP):
            level = [
                f"{name}/{sub}".lstrip("/")
                for name in level
                for sub in sorted(getattr(self.folder(name), "folders", ()))
                if not sub.startswith((".", "__"))
            ][:_FOLDERS]
            yield from level


def _listing(path: str) -> _Folder | None:
    files, folders = [], []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                (folders if entry.is_dir() else files if entry.is_file() else []).append(entry.name)
    except OSError:  # a file, a link to nowhere, not to be read
        return None
    return _Folder(path, frozenset(files), frozenset(folders))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def find_file(tree: Tree, root: Path, names: Sequence[str], report: Report | None, hint: str) -> Path | None:
    """The first of these files that is there, in any case of letters; reported, as the first, where none is."""
    found = next((path for path in map(tree.file, names) if path), None)
    if found:
        return root / found
    if report is not None:
        what = "no regular file" if os.path.exists(root / names[0]) else "missing"
        report("layout", root / names[0], f"{what}; {_elsewhere(tree, root, names) or hint}")
    return None


def _elsewhere(tree: Tree, root: Path, names: Sequence[str]) -> str:
    """Where the file lies instead, "" where it is nowhere near."""
    for folder in tree.below():
        if any(tree.file(f"{folder}/{name}") for name in names):
            return f"it is in {root / folder}: name that folder"
    for parent in root.absolute().parents[:2]:
        if any((parent / name).is_file() for name in names):
            return f"it is in {parent}: name that folder"
    for folder in tree.below():
        path = tree.file(f"{folder}/{PurePosixPath(names[0]).name}")
        if path:
            return f"it is at {root / path}: move it there"
    packed = _archives(tree)
    return f"{root / packed} is not unpacked" if packed else ""


def _archives(tree: Tree) -> str:
    """An archive in the root or one of its folders, "" if none."""
    for folder in ("", *(name for name in tree.below() if "/" not in name)):
        for name in sorted(getattr(tree.folder(folder), "files", ())):
            if name.lower().endswith(_ARCHIVES):
                return f"{folder}/{name}".lstrip("/")
    return ""


def _broken_link(path: Path) -> str:
    """What is wrong with a folder's link: it leads nowhere, or was copied as a text; "" where it is neither."""
    if path.is_symlink() and not path.exists():
        return f"a link to {os.readlink(path)}, which is not there"
    if path.is_file() and path.stat().st_size < 4096:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        if text and "\0" not in text and os.path.isdir(path.parent / text):
            return f"a link that was copied as a text: make it a link to {text} again"
    return ""


class Base(NamedTuple):
    """Where the photos' names begin: in this folder, with so many of a name's first parts left out."""

    folder: str
    skipped: int

    def path(self, name: str) -> str:
        inner = name.split("/", self.skipped)[-1] if self.skipped else name
        return f"{self.folder}/{inner}" if self.folder else inner


def find_photos(
    tree: Tree, root: Path, names: Sequence[str], splits: Mapping[str, np.ndarray], report: Report, hint: str,
    places: Sequence[str],
) -> list[str | None]:  # fmt: skip
    """By photo, its path relative to the root; None for one that is missing.

    places: folders in which the names may begin, the published one first. Reported: photos that are nowhere, that are
    the high-resolution ones, and single ones that are missing (an error where they are too many of a split).
    """
    base = _base_of(tree, names, places)
    if base is None:
        if names:
            expected = root / places[0] / names[0].split("/")[0]
            link = next((path for path in (root / places[0], expected) if _broken_link(path)), None)
            packed = _archives(tree)
            what = f"{root / packed} is not unpacked (a password comes with the agreement)" if packed else "no photos"
            report("layout", link or expected, _broken_link(link) if link else f"missing, {what}; {hint}")
        return [None] * len(names)
    if "highres" in base.folder.lower():
        report("layout", root / base.folder, "these are the high-resolution photos, but boxes and landmarks are of the "
               "small ones: unpack img.zip beside it, or rename the folder to img and go without boxes")  # fmt: skip
    files = [tree.file(base.path(name)) for name in names]
    lost = np.array([file is None for file in files], dtype=bool)
    if lost.any():
        worst = max(splits, key=lambda split: lost[splits[split]].mean() if len(splits[split]) else 0, default="")
        share = f": {int(lost[splits[worst]].sum()):,} of {len(splits[worst]):,} photos of {worst!r}" if worst else ""
        fatal = any(too_many(int(lost[rows].sum()), len(rows)) for rows in splits.values())
        what = f"is listed but missing{share}; {'unpack the photos again' if fatal else 'left out'}"
        for number in np.flatnonzero(lost).tolist():
            report("photos", root, what, base.path(names[number]), fatal=fatal)
    return files


def _base_of(tree: Tree, names: Sequence[str], places: Sequence[str]) -> Base | None:
    """Where most of some photos are found, the published place before others."""
    sample = names[:: max(1, len(names) // 32)][:32]
    best, count = None, 0
    near = [Base(place, skipped) for skipped in (0, 1) for place in places]
    for base in (*near, *(Base(folder, skipped) for folder in tree.below() for skipped in (0, 1))):
        found = sum(tree.file(base.path(name)) is not None for name in sample)
        if found > count:
            best, count = base, found
        if found == len(sample):
            break
    return best
