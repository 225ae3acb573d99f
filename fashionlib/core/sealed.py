"""Files of our own that lie on a user's disk: what is damaged is told from what is whole, and nothing hangs.

A checksum is taken when a file is written, and again when its size or times are no longer those of that moment: a file
that was copied, restored or touched is read once; one that nobody touched is trusted, however large it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

from fashionlib.core.errors import InputError
from fashionlib.core.files import build_aside, readable, written_aside
from fashionlib.core.threads import in_order

MOST_JSON = 1 << 30  # bytes; an endless file is not read to its end
_PIECE = 1 << 20

Stat = tuple[int, int, int]  # bytes, and when contents and entry were changed last, in ns


class Damaged(ValueError):
    """A file of ours is not what was written; the message says how, without its name."""


@cache
def notice(text: str) -> None:
    """One line on standard error, once: what was found and is set right."""
    print(f"note: {readable(text)}", file=sys.stderr)


def opened(path: Path) -> IO[bytes]:
    """A regular file, open to be read. Raises Damaged for pipes, sockets and devices, which could block for ever."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise Damaged("no regular file")


def read_bytes(path: Path, limit: int = MOST_JSON) -> bytes:
    """All of a regular file. Raises Damaged where it is none or larger than `limit`, and OSError as `open` does."""
    with opened(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Damaged(f"larger than {limit:,} bytes")
    return content


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
    """A JSON object with its own checksum. Raises InputError where it cannot be written."""
    text = json.dumps(values, sort_keys=True)
    sealed = f'{{"checksum": "{bytes_hash(text.encode())}", "values": {text}}}\n'
    with written_aside(path) as file:
        file.write(sealed.encode())


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote. Raises Damaged where it is anything else, and OSError as `open` does."""
    head, _, text = read_bytes(path).partition(b', "values": ')
    if head != b'{"checksum": "' + bytes_hash(text[:-2]).encode() + b'"' or text[-2:] != b"}\n":
        raise Damaged("its checksum does not fit")
    values = json.loads(text[:-2])  # of our own writing, and so neither nested too deep nor of other types
    if not isinstance(values, dict):
        raise Damaged("no JSON object")
    return values


SEAL = "seal.json"
_HALF_MADE = r"\.{kind}-[0-9a-f]{{16}}-\w{{8}}"  # as `build_aside` calls a folder of a cache until it is whole
_YOUNG = 60  # seconds in which a half-made folder is left alone, whatever its lock says


def cached(folder: Path, build: Callable[[Path], None]) -> Path:
    """A folder of a cache, called KIND-KEY: made by `build` where it is not there, and again where it is damaged.

    What a killed run left half-made of this kind is removed. Raises InputError where the disk fails.
    """
    _remove_half_made(folder)
    if os.path.lexists(folder) and (fault := fault_of(folder)):
        notice(f"{folder}: damaged ({fault}); it is made again")
        shutil.rmtree(folder) if folder.is_dir() and not folder.is_symlink() else folder.unlink()

    def whole(aside: Path) -> None:
        with _locked(aside):
            build(aside)
            seal(aside)

    return build_aside(folder, whole)


def seal(folder: Path) -> None:
    """Write down what the files of a finished folder are. Raises InputError where that cannot be written."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SEAL)
    write_json(folder / SEAL, {path.name: [*stat_of(path), content_hash(path)] for path in files})


def fault_of(folder: Path) -> str:
    """What is wrong with a folder that `seal` was called on; empty where it is whole."""
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
def _locked(folder: Path) -> Iterator[None]:
    """While the block runs, and no longer than the process lives, others see that the folder is being made."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        yield
        return
    try:
        is_free(handle)
        yield
    finally:
        os.close(handle)


def is_free(handle: int) -> bool | None:
    """Locks an open file or folder if no other process has; None where the system or the disk has no locks."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def _remove_half_made(folder: Path) -> None:
    pattern = re.compile(_HALF_MADE.format(kind=re.escape(folder.name.partition("-")[0])))
    with contextlib.suppress(OSError):
        for path in [path for path in folder.parent.iterdir() if pattern.fullmatch(path.name)]:
            age = time.time() - path.stat().st_mtime
            handle = os.open(path, os.O_RDONLY)
            free = is_free(handle)
            os.close(handle)
            if age > _YOUNG and (free or (free is None and age > 24 * 60 * 60)):
                shutil.rmtree(path, ignore_errors=True)
