"""The boundary between a program and its terminal: every fault of input or disk is one line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable

from fashionlib.core.errors import InputError, explained
from fashionlib.core.files import readable


def guarded(work: Callable[[], object]) -> int:
    """Runs a program; returns its exit code: that of SystemExit, 0 after a return, 2 for bad input and a failing disk.

    What the output's code page lacks is printed as an escape, so that a name never ends the work. A reader that closes
    its pipe ends the program without a word, as with other programs.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _code(work)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except InputError as error:
        complain(str(error))
    except OSError as error:
        if error.errno == errno.EPIPE:
            _drop_output()
            return 1
        complain(explained(error))
        _drop_output()
    return 2


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"error: {readable(message)}", file=sys.stderr)


def _code(work: Callable[[], object]) -> int:
    try:
        result = work()
    except SystemExit as ended:
        result = ended.code
    if isinstance(result, str):
        raise InputError(result)
    return result if isinstance(result, int) else 0


def _drop_output() -> None:
    """What is still to be written goes nowhere, or Python would try once more on its way out."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
