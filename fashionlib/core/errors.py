"""The one error that bad input raises, and the one line that a fault of the system becomes."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator


class InputError(ValueError):
    """Something handed to fashionlib is wrong.

    The message names the file, row or value, says what was expected and what to do next; the command
    line prints it alone, without a traceback.
    """


class PassingError(InputError):
    """The disk or the memory failed while a file was read: the file itself may be sound, so nobody remembers it as
    damaged, and the next run reads it again.
    """


_ELSEWHERE = "(FASHIONLIB_HOME for runs, --index for an index, --out for a page)"
_LARGER = f"take a folder on a larger disk {_ELSEWHERE}"
_RIGHTS = f"check its rights, or take a folder of your own {_ELSEWHERE}"
_TAKEN = f"a part of its path is a file, or a folder has its name; take another {_ELSEWHERE}"
_DISK = "the disk or the network has a fault: check it, then start again"
REMEDIES = {
    "ENOSPC": f"make room, or {_LARGER}", "EDQUOT": f"make room, or {_LARGER}",
    "EFBIG": f"the file is larger than the disk or the shell (ulimit -f) permits; {_LARGER}",
    "EROFS": _RIGHTS, "EACCES": _RIGHTS, "EPERM": _RIGHTS, "EIO": _DISK, "ESTALE": _DISK, "ETIMEDOUT": _DISK,
    "EMFILE": "raise the number of open files (ulimit -n)", "ENAMETOOLONG": "take a shorter name",
    "ENOMEM": "close other programs", "ELOOP": "links lead in a circle: remove one of them",
    "ENOENT": "check the name", "ENOTDIR": _TAKEN, "EISDIR": _TAKEN, "EEXIST": _TAKEN,
}  # fmt: skip
_REASONS = {"ENOSPC": "the disk is full", "EROFS": "the disk is read-only"}


def explained(error: OSError, path: str | os.PathLike | None = None, what: str = "cannot be used") -> str:
    """One line: the file, the system's reason and what to do. path: where the error names no file of its own."""
    file = path if path is not None else error.filename
    name = os.fsdecode(file) if isinstance(file, (str, bytes, os.PathLike)) else "input or output"
    code = errno.errorcode.get(error.errno or 0, "")
    reason = _REASONS.get(code) or error.strerror or str(error) or type(error).__name__
    return f"{name}: {what}, {reason}; {REMEDIES.get(code, 'check it and its folder')}"


@contextlib.contextmanager
def told(path: str | os.PathLike, what: str = "cannot be written") -> Iterator[None]:
    """An OSError in this block becomes an InputError of one line that names `path`."""
    try:
        yield
    except OSError as error:
        raise InputError(explained(error, path, what)) from error
