"""Files and folders that are whole or absent, and one clear error where they cannot be written."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fashionlib.core.errors import REMEDIES, InputError, explained


@contextmanager
def written_aside(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and vanishes when it does not.

    Raises InputError where it cannot be written.
    """
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:200]}.")
    try:
        with _told(path):
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


def build_aside(folder: Path, build: Callable[[Path], None]) -> Path:
    """`folder`, made by `build` if it is not there: written beside and renamed, so that it is whole or absent.

    Raises InputError where it cannot be written.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            with _told(folder):
                build(aside)
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
        many, room = f"{size / 1e9:.1f} GB", f"{free / 1e9:.1f}"
        raise InputError(f"{folder}: {many} are to be written here and {room} are free; {REMEDIES['ENOSPC']}")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(explained(error, path, "cannot be written")) from error


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
    if path.parts[:1] != ("~",) or os.path.lexists(path):
        return path
    return path.expanduser()
