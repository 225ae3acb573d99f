"""Anyone's photos: a folder, with or without sub-folders, and nothing known about them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.core.files import expanded
from fashionlib.core.sealed import content_hashes, stat_of
from fashionlib.data.base import Dataset, Sample, lines_hash
from fashionlib.data.photos import SUFFIXES, UNREAD, read_photo, why_unread

_LITTER = frozenset(
    {"@eadir", "#recycle", "@recycle", "__macosx", "$recycle.bin", "system volume information", "lost+found"}
)
_ENDINGS = SUFFIXES | UNREAD.keys()


class Folder(Dataset):
    """Every photo below `root`, by path; see `photos_below` for links and what is passed over.

    left_out: by name, why a photo or a sub-folder is not read here. `dataset[i]` raises InputError where that photo
    cannot be read; `fashionlib.data.store.load_photos` skips such photos and reports them.

    Raises InputError where the folder is missing or holds no file with a photo's ending.
    """

    name = "folder"
    split = "all"

    def __init__(self, root: str | Path):
        self.root = expanded(Path(root))
        if not os.path.isdir(self.root):
            raise InputError(f"{self.root}: no such folder; name a folder with photos")
        photos, self.left_out = photos_below(self.root)
        self.ids = tuple(sorted(photos))
        if not self.ids:
            what = f"no photos in this folder; expected files ending in {' '.join(sorted(SUFFIXES))}"
            for name, why in sorted(self.left_out.items())[:1]:
                what = f"none of the {len(self.left_out)} photos can be read; the first: {name}: {why}"
            raise InputError(f"{self.root}: {what}")

    def __getitem__(self, index: int) -> Sample:
        id_ = self.ids[index]
        return Sample(image=read_photo(self.root / id_), id=id_)

    def targets(self) -> None:
        """Nobody tagged them."""

    def fingerprint(self) -> str:
        """Changes when a photo is added, removed or changed (size or times)."""
        return self._hash(map(self._state, self.ids))

    def content_fingerprint(self) -> str:
        """Changes when a photo is added, removed, or changed in its content; reads every photo."""
        return self._hash(content_hashes(self.root / id_ for id_ in self.ids))

    def _hash(self, states: Iterable[object]) -> str:
        return lines_hash(f"{id_!r} {state}" for id_, state in zip(self.ids, states, strict=True))

    def _state(self, id_: str) -> str:
        try:
            return repr(stat_of(self.root / id_))
        except OSError:  # removed meanwhile
            return "gone"


def photos_below(root: Path) -> tuple[list[str], dict[str, str]]:
    """Every file with a photo's ending below `root`, by its name relative to it; and why others are not read, by name.

    Links are followed, to files and to folders, wherever they lead: a file or folder that can be reached on several
    ways is taken once, by its own name rather than by a link's. A link to a folder that holds `root` itself is left
    out. Passed over are hidden folders (such as .git, .Trash and our own .fashionlib), what systems and network disks
    keep beside photos (@eaDir, __MACOSX, $RECYCLE.BIN …) and the files ._NAME of macOS.
    """
    walk = _Walk(os.path.realpath(root))
    walk.below("", os.fspath(root))
    while walk.links:  # own names came first; a linked folder may hold more links
        walk.follow(*walk.links.popleft())
    return walk.photos, walk.left_out


class _Walk:
    def __init__(self, home: str):
        self.photos, self.left_out, self.links = list[str](), dict[str, str](), deque[tuple[str, str]]()
        self.seen = {home}  # the real paths of files and folders
        self.above = {home, *map(str, Path(home).parents)}

    def below(self, prefix: str, folder: str) -> None:
        """Takes what lies in `folder` and below it; links are put on the list."""
        waiting = [(prefix, folder, os.path.realpath(folder))]
        while waiting:
            prefix, folder, real = waiting.pop()
            try:
                with os.scandir(folder) as scanned:
                    entries = sorted(scanned, key=lambda entry: entry.name)
            except OSError as error:
                self.left_out[prefix or "."] = f"this folder cannot be read ({error.strerror}); check its rights"
                continue
            for entry in entries:
                if entry.is_symlink():
                    self.links.append((prefix + entry.name, entry.path))
                elif not entry.is_dir(follow_symlinks=False):
                    self.take(prefix + entry.name, os.path.join(real, entry.name))
                elif self.enters(entry.name, os.path.join(real, entry.name)):
                    waiting.append((f"{prefix}{entry.name}/", entry.path, os.path.join(real, entry.name)))

    def follow(self, name: str, path: str) -> None:
        """Takes the file or the folder that a link leads to."""
        try:
            target = os.path.realpath(path)
        except OSError:  # gone meanwhile, or the system does not say where it leads
            target = path
        if not os.path.isdir(path):
            why = "" if os.path.exists(target) else "a link that leads to no file; put the photo there"
            self.take(name, target, why)
        elif target in self.above:
            self.left_out[name] = "a link to a folder that holds this one is not followed"
        elif self.enters(os.path.basename(name), target):
            self.below(f"{name}/", path)

    def enters(self, name: str, target: str) -> bool:
        """Whether a folder of this name is one of photos, and comes for the first time."""
        if name.startswith(".") or name.lower() in _LITTER or target in self.seen:
            return False
        self.seen.add(target)
        return True

    def take(self, name: str, target: str, why: str = "") -> None:
        """Takes a file that is a photo by its name, if it comes for the first time; why: it cannot be read."""
        if os.path.splitext(name)[1].lower() not in _ENDINGS or "/._" in f"/{name}" or target in self.seen:
            return
        self.seen.add(target)
        why = why or why_unread(name)
        if why:
            self.left_out[name] = why
        else:
            self.photos.append(name)
