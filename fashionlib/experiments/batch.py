"""The batch: a profile's notebooks through papermill, each a process of its own, started by Snakemake where needed."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

import nbformat

from fashionlib.core import memory
from fashionlib.core.code_hash import imported_modules, sources_hash
from fashionlib.core.console import guarded
from fashionlib.core.errors import InputError
from fashionlib.experiments.jobs import Job, jobs_of, ledgers_of, notices, usable
from fashionlib.experiments.profile import Profile, absolute, folder_of, load_profile, project_root


def fingerprints(profile_name: str, data: str, seeds: str) -> dict[str, str]:
    """By job, what changes with all that its output depends on: profile, data, seeds, cells, the code it imports.

    Each data set's folder is walked once, however many notebooks read it.
    """
    profile = load_profile(profile_name, data=data or None, seeds=seeds or None, check=False)
    states = {name: _data_state(profile, name) for name in (profile.data.name, *profile.others)}
    return {job.key: _fingerprint(profile, job, states) for job in jobs_of(profile)}


def _fingerprint(profile: Profile, job: Job, states: Mapping[str, str]) -> str:
    notebook = nbformat.read(_source(job), as_version=4)
    cells = "\n".join(cell.source for cell in notebook.cells)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    used, own = sources_hash(imported_modules(code)), sorted(job.parameters.items())
    part = profile.on(job.part)
    here = states if job.name == "topk" else {part.data.name: states[part.data.name]}
    if job.name != "topk":  # another data set that came to disk changes nothing here
        part = replace(part, tagging={}, retrieval={}, elsewhere={}, absent={}, lacking={})
    return hashlib.sha256(repr((part, here, cells, used, own)).encode()).hexdigest()[:16]


def _data_state(profile: Profile, dataset: str) -> str:
    """Names, sizes and times of the files of a data set that has a folder; links to folders are followed."""
    folder = folder_of(profile.root, dataset)
    rows = []
    for place, folders, _ in os.walk(folder, followlinks=True) if folder else ():
        folders.sort()
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_file():
                    state = entry.stat()
                    rows.append(f"{entry.path[len(str(folder)) :]} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(sorted(rows)).encode("utf-8", "surrogateescape")).hexdigest()


def _source(job: Job) -> Path:
    return project_root() / "notebooks" / f"{job.notebook}.ipynb"


def executed(profile: str, job: str) -> Path:
    """Where the book finds the executed notebook."""
    return project_root() / "book" / "runs" / profile / f"{job}.ipynb"


def run_job(profile_name: str, data: str, seeds: str, name: str) -> None:
    """Execute one notebook aside and move it to its place when every cell has run; else leave the last one as it is.

    Raises InputError where the notebook fails, with the error of its cell.
    """
    profile = load_profile(profile_name, data=data or None, seeds=seeds or None, check=False)
    job = next((job for job in jobs_of(profile) if job.key == name), None)
    if job is None:
        known = ", ".join(job.key for job in jobs_of(profile))
        raise InputError(f"profile {profile.name} has no notebook {name!r}: {known}")
    root, place = project_root(), executed(job.of(profile.name), job.name)
    aside = root / "runs" / profile.name / "notebooks" / f"{name}.ipynb"
    log = root / "runs" / profile.name / "logs" / f"{name}.log"
    for path in (aside, place):
        path.parent.mkdir(parents=True, exist_ok=True)
    parameters = {"profile": job.of(profile_name), "data": data, "seeds": seeds, **job.parameters}
    arguments = [word for key, value in parameters.items() for word in ("-r", key, value)]
    command = [sys.executable, "-m", "papermill", str(_source(job)), str(aside), *arguments,
               "--kernel", "python3", "--cwd", str(root), "--log-output", "--no-progress-bar"]  # fmt: skip
    quiet = {"PYTHONWARNINGS": "ignore", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    # a shell's own MPLBACKEND=agg would leave the notebooks without figures
    environment = {
        **os.environ,
        **quiet,
        **memory.ENVIRONMENT,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    started = time.perf_counter()
    with _held(log, f"notebook {name}") as file:
        file.truncate(0)
        aside.unlink(missing_ok=True)
        print(f"{name} …", flush=True)
        failed = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False).returncode
        if failed:
            raise InputError(f"notebook {name}: {_reason(aside, log)}; its log: {log.relative_to(root)}")
        _publish(aside, place, job)
    print(f"{name} done in {time.perf_counter() - started:.0f} s", flush=True)


def _held(path: Path, what: str) -> IO[str]:
    """The file, opened and locked until the last process that inherited it ends, even where its parents were killed.

    Waits for those that have it now.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{what} is still running from another call; waiting for its end", file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _reason(aside: Path, log: Path) -> str:
    """Why a notebook failed: the error of its cell, or the log's last line where no cell ran."""
    outputs = []
    if aside.is_file():
        outputs = [out for cell in nbformat.read(aside, as_version=4).cells for out in cell.get("outputs", [])]
    errors = [out for out in outputs if out.output_type == "error"]
    if errors:
        own = errors[0].ename == InputError.__name__  # says itself what is wrong and what to do
        return errors[0].evalue if own else f"{errors[0].ename}: {errors[0].evalue}"
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _publish(aside: Path, place: Path, job: Job) -> None:
    """The executed notebook without the noise that differs from run to run, moved to its place under its title."""
    notebook = nbformat.read(aside, as_version=4)
    own, *rest = notebook.cells[0].source.split("\n")
    title = f"# {job.title}" if job.title else own
    notebook.cells[0].source = "\n".join([f"{title} ({job.part})" if job.part else title, *rest])
    if any(output.output_type == "error" for cell in notebook.cells for output in cell.get("outputs", [])):
        raise InputError(f"{aside}: holds an error output and is not published")
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
        tags = {*cell.metadata.get("tags", [])}
        if tags & {"parameters", "injected-parameters"}:
            cell.metadata["tags"] = sorted({*tags, "remove-cell"})
        if "injected-parameters" in tags:  # a folder of this machine says nothing on another
            cell.source = "\n".join(line for line in cell.source.splitlines() if not line.startswith("data ="))
    nbformat.write(notebook, aside)
    os.replace(aside, place)


def stamp(profile: str, job: str) -> str:
    """What Snakemake sees of a job; kept apart from the notebook, because it deletes its outputs before a run."""
    return f"runs/{profile}/stamps/{job}.done"


def forget_missing(profile: Profile) -> None:
    """A stamp whose notebook or ledger is gone says nothing: remove it, so that the notebook is run again."""
    root = project_root()
    for job in jobs_of(profile):
        name = job.of(profile.name)
        ledger_files = [
            root / "results" / name / f"{ledger}.json" for ledger in ledgers_of(profile.on(job.part), job.name)
        ]
        if not all(path.exists() for path in (executed(name, job.name), *ledger_files)):
            (root / stamp(profile.name, job.key)).unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """`python -m fashionlib.experiments.batch PROFILE [--data FOLDER] [--seeds 0,1] [--only NOTEBOOK]`"""
    parser = argparse.ArgumentParser(description="Run a profile's notebooks; only what changed runs again.")
    parser.add_argument("profile")
    parser.add_argument("--data", default="")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--only", help="run this one notebook now, whether it changed or not")
    options = parser.parse_args(arguments)
    return guarded(lambda: _checked_run(options))


def _checked_run(options: argparse.Namespace) -> int:
    from fashionlib.data import load  # Snakemake reads this module, too, and need not wait for the data sets

    data = absolute(options.data)
    profile = load_profile(options.profile, data=data or None, seeds=options.seeds or None, check=not options.only)
    if options.only:
        run_job(options.profile, data, options.seeds, options.only)
        return 0
    for part in [profile.data.name] * usable(profile) + [*profile.parts]:
        run = profile.on(part)
        if run.folder and not Path(run.folder).is_dir():
            raise InputError(f"DATA={run.folder}: no such folder; name the folder that holds the {part} data")
        load(part, run.folder, "train", **run.data_options(profile.seeds[0]))
    for line in notices(profile):
        print(line, flush=True)
    return _run(profile, options.profile, data, options.seeds)


def _run(profile: Profile, name: str, data: str, seeds: str) -> int:
    """Snakemake over the profile's notebooks, with its own words in a log; theirs go to the terminal."""
    root = project_root()
    log = root / "runs" / profile.name / "logs" / "batch.log"
    program = shutil.which("snakemake", path=str(Path(sys.executable).parent)) or "snakemake"
    # our own lock instead of Snakemake's, which outlives a batch that was killed
    command = [program, "--nolock", "--rerun-incomplete", "--rerun-triggers", "params", "--keep-going",
               "--cores", "all", "--config", f"profile={name}", f"data={data}", f"seeds={seeds}"]  # fmt: skip
    with _held(log, f"the batch of profile {profile.name}") as file:
        file.truncate(0)
        forget_missing(profile)
        failed = subprocess.run(command, cwd=root, stderr=file, check=False).returncode
    if failed:
        missing = [job.key for job in jobs_of(profile) if not (root / stamp(profile.name, job.key)).exists()]
        rest = f"not up to date: {', '.join(missing) or 'unknown'}; see above and {log.relative_to(root)}"
        print(f"error: profile {profile.name}: {rest}", file=sys.stderr)
    else:
        print(f"profile {profile.name}: every notebook is up to date")
    return failed


if __name__ == "__main__":
    sys.exit(main())
