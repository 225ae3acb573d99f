"""The boundary between a program and its terminal: every fault of input or disk is one line and an exit code."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fashionlib.core.errors import InputError, explained
from fashionlib.core.files import say

Item = TypeVar("Item")
# for processes that are started, what `keep_freed_memory` does in this one: glibc reads it as they begin
ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_MMAP_MAX_": "0"}


def guarded(work: Callable[[], object]) -> int:
    """Runs a program; returns its exit code: that of SystemExit, 0 after a return, 2 for bad input and a failing disk.

    What the output's code page lacks is printed as an escape, so that a name never ends the work. A reader that closes
    its pipe ends the program without a word, as with other programs.
    """
    output = sys.stdout  # None where there is none
    for stream in (output, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            result = work()
        except SystemExit as ended:
            result = ended.code
        if isinstance(result, str):
            raise InputError(result)
        if output is not None:
            output.flush()  # pyright: ignore[reportOptionalMemberAccess]
        return result if isinstance(result, int) else 0
    except InputError as error:
        complain(str(error))
        return 2
    except MemoryError:
        complain("not enough memory; close other programs, or take fewer or smaller photos")
        return 2
    except OSError as error:
        if error.errno != errno.EPIPE:
            complain(explained(error))
        with contextlib.suppress(OSError, ValueError, AttributeError):
            output.flush()  # pyright: ignore[reportOptionalMemberAccess]
        with contextlib.suppress(OSError, ValueError, AttributeError):  # or Python tries once more on its way out
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, output.fileno())  # pyright: ignore[reportOptionalMemberAccess]
            os.close(nowhere)
        return 1 if error.errno == errno.EPIPE else 2


def command(app: Any, words: list[str] | None = None) -> object:
    """Runs a typer app, or a function as the only command of one, with `words` or those of the command line.

    Raises InputError where they are wrong.
    """
    import typer

    if not isinstance(app, typer.Typer):
        function, app = app, typer.Typer(add_completion=False)
        app.command()(function)
    usage_error: Any = typer.BadParameter.__mro__[1]  # click's, which newer releases of typer bring along
    try:  # in standalone mode typer draws a box of several lines around what is wrong with the words
        return app(words, standalone_mode=False)
    except usage_error as error:
        said, called = error.format_message().rstrip("."), error.ctx.command_path if error.ctx else "fashionlib"
        see = " See" if said.endswith("?") else "; see"
        raise InputError(f"{called}: {said[:1].lower()}{said[1:]}{see} {called} --help") from error
    except typer.Abort:  # Ctrl-C, in older ones
        return 130


def complain(message: str) -> None:
    """One line on standard error."""
    say(f"error: {message}")


def tracked(items: Iterable[Item], what: str, total: int | None = None) -> Iterable[Item]:
    """`items`, with a progress bar on standard error where that is a terminal. total: how many, if they do not say."""
    from rich.console import Console
    from rich.progress import track

    aside = Console(stderr=True)
    return track(items, what, total, console=aside, transient=True, disable=not aside.is_terminal or aside.is_jupyter)


def keep_freed_memory() -> None:
    """Let glibc keep what a tensor frees for the next one, instead of giving it back to the system page by page.

    Taking the pages again took most of the trunk's time: 10 photos a second at 576×384 became 25. It concerns the whole
    process, so only a program asks for it.
    """
    with contextlib.suppress(OSError, AttributeError):  # another system or C library
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD of malloc.h
        mallopt(-4, 0)  # M_MMAP_MAX
