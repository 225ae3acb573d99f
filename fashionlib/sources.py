"""Which files of the package a piece of code uses, so that a change re-runs what depends on it and nothing else."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parent


def imported_modules(source: str) -> set[str]:
    """The modules of fashionlib named by imports anywhere in `source`; notebook magics are passed over."""
    return {name for name in _imports(source) if name.split(".")[0] == PACKAGE.name and _file(name)}


@lru_cache(maxsize=256)  # a batch asks for the same files again and again
def _imports(source: str) -> frozenset[str]:
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    found: set[str] = set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(names)
            if not all(_file(name) for name in names):  # something of the module itself, not modules in it alone
                found.add(node.module)
    return frozenset(found)


def _file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py") if path != PACKAGE else PACKAGE, path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def files_used(modules: Iterable[str]) -> list[Path]:
    """The files of `modules` and of all of fashionlib that they import, directly or not."""
    seen: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path is None or module in seen:
            continue
        seen[module] = path
        waiting.extend(imported_modules(path.read_text()))
    return sorted(set(seen.values()))


def sources_hash(modules: Iterable[str]) -> str:
    """Changes with the text of any file in `files_used(modules)`."""
    digest = hashlib.sha256()
    for path in files_used(modules):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
