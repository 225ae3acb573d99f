"""Which files of the package a piece of code uses, so that a change re-runs what depends on it and nothing else."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def imported_modules(source: str, package: str = "") -> set[str]:
    """The modules of fashionlib named by imports anywhere in `source`; notebook magics are passed over.

    package: the package of which `source` is the `__init__`; its lazily imported modules count.
    """
    return {name for name in _imports(source, package) if name.split(".")[0] == PACKAGE.name and _file(name)}


@lru_cache(maxsize=512)  # a batch asks for the same files again and again
def _imports(source: str, package: str = "") -> frozenset[str]:
    """Every name that `source` imports; of the `__init__` of `package`, the modules that it imports lazily, too."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    found: set[str] = set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        lazy = isinstance(node, ast.keyword) and node.arg == "submod_attrs"  # of lazy_loader.attach
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(names)
            if not all(_file(name) for name in names):  # something of the module itself, not modules in it alone
                found.add(node.module)
        elif lazy and package:
            keys = getattr(node.value, "keys", ())  # only these: the names beside them may be computed
            found.update(f"{package}.{key.value}" for key in keys if isinstance(key, ast.Constant))
    if "iter_modules" in source:  # whatever lies in the packages that it imports
        for name in [name for name in found if (path := _file(name)) and path.name == "__init__.py"]:
            found.update(f"{name}.{path.stem}" for path in PACKAGE.joinpath(*name.split(".")[1:]).glob("*.py"))
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
        waiting.extend(imported_modules(path.read_text(), module if path.name == "__init__.py" else ""))
    return sorted(set(seen.values()))


def sources_hash(modules: Iterable[str]) -> str:
    """Changes with the text of any file in `files_used(modules)`."""
    digest = hashlib.sha256()
    for path in files_used(modules):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
