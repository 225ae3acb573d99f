"""Files of our own that lie on a user's disk: what is damaged is told from what is whole, and nothing hangs.

A checksum is taken when a file is written, and again when its size or times are no longer those of that moment: a file
that was copied, restored or touched is read once; one that nobody touched is trusted, however large it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fashionlib.core.errors import InputError
from fashionlib.core.files import build_aside, say, written_aside
from fashionlib.core.threads import in_order

MOST_JSON = 1 << 30  # bytes; an endless file is not read to its end
SEAL = "seal.json"
_PIECE = 1 << 20
_HALF_MADE = r"\.{kind}-[0-9a-f]{{16}}-\w{{8}}"  # as `build_aside` calls a folder of a cache until it is whole
_YOUNG = 60  # seconds in which a half-made folder is left alone, whatever its lock says

Stat = tuple[int, int, int]  # bytes, and when contents and entry were changed last, in ns


class Damaged(ValueError):
    """A file is not what was written, or none that can be read; the message says how, without its name."""


@cache
def notice(text: str) -> None:
    """One line on standard error, once: what was found and is set right."""
    say(f"note: {text}")


def opened(path: Path, limit: int | None = None) -> io.BufferedReader:
    """A regular file of at most `limit` bytes, open to be read.

    Raises Damaged for folders, pipes, sockets and devices, which could block for ever, and OSError as `open` does.
    """
    state, file = os.stat(path), None
    if stat.S_ISREG(state.st_mode):  # what is put in its place meanwhile does not block
        file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
        state = os.fstat(file.fileno())
    kind = "a folder" if stat.S_ISDIR(state.st_mode) else "a pipe, socket or device"
    fault = "" if stat.S_ISREG(state.st_mode) else f"{kind}, no regular file"
    if limit is not None and state.st_size > limit:
        fault = f"{state.st_size / 1e6:,.0f} MB, more than {limit / 1e6:,.0f}"
    if file is not None and not fault:
        return file
    if file is not None:
        file.close()
    raise Damaged(fault)


def read_bytes(path: Path, limit: int = MOST_JSON) -> bytes:
    """All of a regular file. Raises Damaged where it is none or larger than `limit`, and OSError as `open` does."""
    with opened(path, limit) as file:
        return file.read(limit)


def stat_of(path: Path | str) -> Stat:
    """Changes when the file does, even where somebody sets its time back (but on Windows). Raises OSError."""
    state = os.stat(path)
    return (state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def content_hash(path: Path | str) -> str:
    """32 hex digits of a regular file's content. Raises Damaged where it is none, and OSError as `open` does."""
    digest = hashlib.blake2b(digest_size=16)
    with opened(Path(path)) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def content_hashes(paths: Iterable[Path]) -> Iterator[str]:
    """`content_hash` of each; "gone" where a file cannot be read."""

    def one(path: Path) -> str:
        try:
            return content_hash(path)
        except (OSError, Damaged):
            return "gone"

    return in_order(one, paths, ahead=64)


def bytes_hash(content: bytes) -> str:
    """`content_hash` of a file with this content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """A JSON object with its own checksum, in a folder of ours. Raises InputError where it cannot be written."""
    text = json.dumps(values, sort_keys=True)
    with written_aside(path, own=True) as file:
        file.write(f'{{"checksum": "{bytes_hash(text.encode())}", "values": {text}}}\n'.encode())


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote. Raises Damaged where it is anything else, and OSError as `open` does."""
    head, _, text = read_bytes(path).partition(b', "values": ')
    if head != b'{"checksum": "' + bytes_hash(text[:-2]).encode() + b'"' or text[-2:] != b"}\n":
        raise Damaged("its checksum does not fit")
    values = json.loads(text[:-2])  # of our own writing, and so neither nested too deep nor of other types
    if not isinstance(values, dict):
        raise Damaged("no JSON object")
    return values


def cached(folder: Path, build: Callable[[Path], None]) -> Path:
    """A folder of a cache, called KIND-KEY: made by `build` where it is not there, and again where it is damaged.

    What a killed run left half-made of this kind is removed. Raises InputError where the disk fails.
    """
    pattern = re.compile(_HALF_MADE.format(kind=re.escape(folder.name.partition("-")[0])))
    with contextlib.suppress(OSError):
        for path in [path for path in folder.parent.iterdir() if pattern.fullmatch(path.name)]:
            age = time.time() - path.stat().st_mtime
            with _handle(path) as handle:
                free = is_free(handle)
            if age > _YOUNG and (free or (free is None and age > 24 * 60 * 60)):
                shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(folder) and (fault := fault_of(folder)):
        notice(f"{folder}: damaged ({fault}); it is made again")
        shutil.rmtree(folder) if folder.is_dir() and not folder.is_symlink() else folder.unlink()

    def whole(aside: Path) -> None:
        with _handle(aside) as handle:  # locked while it is made, and no longer than the process lives
            is_free(handle)
            build(aside)
            files = sorted(path for path in aside.iterdir() if path.is_file())
            write_json(aside / SEAL, {path.name: [*stat_of(path), content_hash(path)] for path in files})

    return build_aside(folder, whole)


def fault_of(folder: Path) -> str:
    """What is wrong with a folder that `cached` made; empty where it is whole."""
    try:
        rows = read_json(folder / SEAL)
        now = {name: [*stat_of(folder / name), row[-1]] for name, row in rows.items()}
        for name in (name for name in rows if rows[name] != now[name]):
            if content_hash(folder / name) != rows[name][-1]:
                return f"{name}: its checksum does not fit"
    except (OSError, Damaged) as error:
        return getattr(error, "strerror", None) or str(error)
    if now != rows:  # copied or touched, and read now: that need not be done each time
        with contextlib.suppress(InputError):
            write_json(folder / SEAL, now)
    return ""


@contextlib.contextmanager
def _handle(folder: Path) -> Iterator[int | None]:
    """A folder, open; None where the system opens none, as Windows."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        handle = None
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def is_free(handle: int | None) -> bool | None:
    """Locks an open file or folder if no other process has; None where the system or the disk has no locks."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # pyright: ignore[reportArgumentType]
    except BlockingIOError:
        return False
    except (ImportError, OSError, TypeError):  # TypeError: no handle
        return None
    return True
