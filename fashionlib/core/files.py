"""The one way to write a file or a folder, whole or not at all and over nothing of others, and names to be printed."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fashionlib.core.errors import REMEDIES, InputError, told

_HEAD, _TAIL = 1_000, 4_000  # bytes of a file in which the mark of what is ours is looked for
_ANOTHER = "name another file (for a page with --out)"


@contextmanager
def written_aside(path: Path, *, own: bool = False) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and vanishes when it does not.

    own: `path` lies in a folder of this program, so that whatever lies there is replaced. Raises InputError where it
    cannot be written, or would replace a link, a folder, a device, a pipe or a socket that is not its own.
    """
    if not own:
        replaceable(path)
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}.")
    try:
        with told(path):
            with os.fdopen(handle, "wb") as file:
                yield file
            umask = os.umask(0)
            os.umask(umask)
            with suppress(OSError):  # mkstemp's files are for their owner alone; some disks refuse to change that
                os.chmod(aside, 0o666 & ~umask)
            os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def replaceable(path: Path, mark: bytes = b"") -> Path:
    """`path`, if a file can be written there that replaces nothing of others; a leading ~ is the home folder.

    mark: what stands in the first or last bytes of files of ours; a file that is not empty and lacks it is not ours.
    Raises InputError.
    """
    path = expanded(path)
    with suppress(OSError):  # not there; or whoever writes it is told what is wrong
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
            raise InputError(f"{path}: {kind} is not replaced; {_ANOTHER}")
        if mark:
            with open(path, "rb") as file:
                ends = [file.read(_HEAD)]
                file.seek(max(0, os.path.getsize(path) - _TAIL))
                ends.append(file.read())
            if ends[0] and not any(mark in each for each in ends):
                raise InputError(f"{path}: is there already and not of our making, so it is not replaced; {_ANOTHER}")
    return path


def build_aside(folder: Path, build: Callable[[Path], None]) -> Path:
    """`folder`, made by `build` if it is not there: written beside and renamed, so that it is whole or absent.

    Raises InputError where it cannot be written.
    """
    if folder.exists():
        return folder
    with told(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with told(folder):
            build(aside)
            try:
                os.replace(aside, folder)
            except OSError:
                if not folder.exists():  # otherwise another process made the same folder first
                    raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def room_for(size: int, folder: Path) -> None:
    """Raises InputError where so many bytes do not fit onto the disk that `folder` is on.

    Asked before a file is mapped into memory: the first write beyond a full disk's end would kill the process.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        sizes = f"{size / 1e9:.1f} GB are to be written here and {free / 1e9:.1f} are free"
        raise InputError(f"{folder}: {sizes}; {REMEDIES['ENOSPC']}")


def say(line: str) -> None:
    """One line on standard error; where that is closed or full, the work goes on without it."""
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            print(readable(line), file=sys.stderr, flush=True)


def readable(name: str) -> str:
    """A file's name, or an error's line, that can be printed: bytes that are no UTF-8, and characters that would end
    the line, steer a terminal or change the direction of writing, become �.
    """
    text = str(name).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def expanded(path: Path) -> Path:
    """The path with a leading ~ as the home folder, unless there is something of that very name."""
    return path if path.parts[:1] != ("~",) or os.path.lexists(path) else path.expanduser()
