"""The book of one profile's results, and the check that a built book is whole."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from fashionlib.core.errors import InputError
from fashionlib.experiments.profile import project_root

PUBLISHED = "wardrobe"  # the profile whose executed notebooks are kept in the project
SOURCES = ("book/**/*", "results/**/*", "fashionlib/**/*", "notebooks/*", "profiles/*", "tests/**/*.py", "*.*")


def pages(contents: dict) -> list[str]:
    """Every page of a table of contents, without suffix."""
    chapters = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    return [contents["root"], *chapters]


def contents_of(profile: str) -> dict:
    """_toc.yml with `profile`'s executed notebooks instead of the published ones; those it has not run are left out."""
    contents = yaml.safe_load((project_root() / "_toc.yml").read_text())
    for part in contents["parts"]:
        kept = []
        for chapter in part["chapters"]:
            name = chapter["file"].replace(f"runs/{PUBLISHED}/", f"runs/{profile}/")
            if not name.startswith("runs/") or (project_root() / "book" / f"{name}.ipynb").exists():
                kept.append({**chapter, "file": name})
        if any(chapter["file"].startswith(f"runs/{profile}/") for chapter in kept):
            book = project_root() / "book"  # and the notebooks of the profile's other data sets
            paths = sorted(book.glob(f"runs/{profile}@*/*.ipynb"))
            kept += [{"file": path.relative_to(book).with_suffix("").as_posix()} for path in paths]
        part["chapters"] = kept
    return contents


def build(profile: str) -> None:
    """Build the book of `profile`'s results into book/_build/html. Raises InputError where it fails or is not whole.

    Nothing is done where the book that stands there was built from the same files.
    """
    root, contents = project_root(), contents_of(profile)
    place = root / "book" / "_build"
    built = place / "built.txt"
    if built.is_file() and built.read_text() == _state(contents):
        check(contents)
        print(f"the book of profile {profile} is up to date: book/_build/html/index.html")
        return
    from fashionbook.widget_export import refresh  # takes seconds to import

    refresh(profile)
    for stale in (place / "html" / "runs", place / ".doctrees"):
        shutil.rmtree(stale, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    toc = place / f"_toc.{profile}.yml"
    toc.write_text(yaml.safe_dump(contents, sort_keys=False))
    program = shutil.which("jupyter-book", path=str(Path(sys.executable).parent)) or "jupyter-book"
    command = [program, "build", "book", "--toc", str(toc), "-W", "--keep-going", "-q"]
    environment = {**os.environ, "FASHIONLIB_PROFILE": profile}
    failed = subprocess.run(command, cwd=root, env=environment, check=False).returncode
    if failed:
        raise InputError("the book was not built; the reasons stand above")
    check(contents)
    built.write_text(_state(contents))
    print(f"the book of profile {profile}: book/_build/html/index.html")


def _state(contents: dict) -> str:
    """Changes with the pages to be built, every file that they are made from, and the pages that stand there."""
    root = project_root()
    digest = hashlib.sha256(yaml.safe_dump(contents).encode())
    built = (root / "book" / "_build" / "html").glob("**/*.html")
    sources = (path for pattern in SOURCES for path in root.glob(pattern) if "_build" not in path.parts)
    for path in sorted({*built, *sources}):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def check(contents: dict) -> None:
    """Raises InputError where a page of the contents is missing from the built book, or shows an error output."""
    html = project_root() / "book" / "_build" / "html"
    missing = [page for page in pages(contents) if not (html / f"{page}.html").is_file()]
    if missing:
        raise InputError(f"the book lacks {', '.join(missing)}; see the warnings of the build")
    broken = [page for page in pages(contents) if "cell_output error" in (html / f"{page}.html").read_text()]
    if broken:
        raise InputError(f"error outputs stand in {', '.join(broken)}; run the profile again")


def main(arguments: list[str] | None = None) -> int:
    """`python -m fashionbook.site PROFILE`, or `--check` for the published book that is already built."""
    parser = argparse.ArgumentParser(description="Build the book of a profile's results.")
    parser.add_argument("profile", nargs="?", default=PUBLISHED)
    parser.add_argument("--check", action="store_true", help="only look whether every page was built")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            check(contents_of(options.profile))
        else:
            build(options.profile)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
