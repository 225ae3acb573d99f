"""What a process asks of the C library for speed. It concerns the whole process, so only a program asks for it."""

from __future__ import annotations

import ctypes
import sys

# the same for processes that are started: glibc reads it as they begin
ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_MMAP_MAX_": "0"}


def keep_freed_memory() -> None:
    """Let glibc keep what a tensor frees for the next one, instead of giving it back to the system page by page.

    Taking the pages again took most of the trunk's time: 10 photos a second at 576×384 became 25.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return
    trim_threshold, mmap_max = -1, -4  # malloc.h
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_max, 0)
