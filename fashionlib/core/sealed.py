"""Files of our own that lie on a user's disk: what is damaged is told from what is whole, and nothing hangs.

A checksum is taken when a file is written, and again when its size or times are no longer those of that moment: a file
that was copied, restored or touched is read once; one that nobody touched is trusted, however large it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

from fashionlib.core.files import readable, written_aside

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


def read_bytes(path: Path, most: int = MOST_JSON) -> bytes:
    """All of a regular file. Raises Damaged where it is none or larger than `most`, and OSError as `open` does."""
    with opened(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Damaged(f"larger than {most:,} bytes")
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
    content = read_bytes(path).strip()
    head, _, text = content.partition(b', "values": ')
    if head != b'{"checksum": "' + bytes_hash(text[:-1]).encode() + b'"' or text[-1:] != b"}":
        raise Damaged("its checksum does not fit")
    values = json.loads(text[:-1])  # of our own writing, and so neither nested too deep nor of other types
    if not isinstance(values, dict):
        raise Damaged("no JSON object")
    return values


SEAL = "seal.json"


def seal(folder: Path) -> None:
    """Write down what the files of a finished folder are. Raises InputError where that cannot be written."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SEAL)
    write_json(folder / SEAL, {path.name: [*stat_of(path), content_hash(path)] for path in files})


def fault_of(folder: Path) -> str:
    """What is wrong with a folder that `seal` was called on; empty where it is whole."""
    try:
        rows = read_json(folder / SEAL)
        return next(filter(None, (_fault(folder / name, row) for name, row in rows.items())), "")
    except (OSError, Damaged) as error:
        return f"{SEAL}: {getattr(error, 'strerror', None) or error}"


def _fault(path: Path, row: Iterable[Any]) -> str:
    *was, digest = row
    try:
        if tuple(was) == stat_of(path) or digest == content_hash(path):
            return ""
        return f"{path.name}: its checksum does not fit"
    except (OSError, Damaged) as error:
        return f"{path.name}: {getattr(error, 'strerror', None) or error}"
