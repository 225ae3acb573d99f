"""Work in threads, and what threads share: a budget of memory, and silence of one module's warnings."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], ahead: int, threads: int | None = None,
    start: Callable[[], object] | None = None,
) -> Iterator[Result]:  # fmt: skip
    """`work` of each item in order, done by threads that are at most `ahead` items in front of the one asked for.

    threads: how many; by default a few more than there are processors. start: called in each as it begins.
    """
    with ThreadPoolExecutor(threads, initializer=start) as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # nobody asks for the rest
            for one in waiting:
                one.cancel()


class Budget:
    """At most `total` pixels are held by all threads together; one that wants more than that holds all of it."""

    def __init__(self, total: int):
        self.total = total
        self._reset()
        if hasattr(os, "register_at_fork"):  # threads that the child does not have may have been inside
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._left, self._changed = self.total, threading.Condition()

    @contextlib.contextmanager
    def held(self, pixels: int) -> Iterator[None]:
        share = min(pixels, self.total)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= share)
            self._left -= share
        try:
            yield
        finally:
            with self._changed:
                self._left += share
                self._changed.notify_all()


class QuietModule:
    """A context in which the warnings of one module are ignored, by any number of threads at a time.

    `warnings.catch_warnings` is not for threads: one that ends late would restore what another had set for the moment.
    """

    def __init__(self, module: str):
        self.module = module.replace(".", r"\.")
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock, self._users, self._changed = threading.Lock(), 0, []

    def __enter__(self) -> None:
        with self._lock:
            warnings.filterwarnings("ignore", module=self.module)
            self._users += 1
            self._changed.append((warnings.filters, warnings.filters[0]))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                for filters, ours in self._changed:
                    for each in (filters, warnings.filters):
                        while ours in each:
                            each.remove(ours)
                self._changed.clear()
