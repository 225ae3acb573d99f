"""The batch: a profile's notebooks, what they leave in the ledger, and their runs through Snakemake and papermill."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from fashionlib.core import names
from fashionlib.core.code_hash import imported_modules, sources_hash
from fashionlib.core.console import ENVIRONMENT
from fashionlib.core.errors import InputError
from fashionlib.core.sealed import bytes_hash, notice
from fashionlib.data.published.registry import PUBLISHED
from fashionlib.experiments.profile import Profile, absolute, folder_of, load_profile, project_root
from fashionlib.plots.embedded import compact

try:
    import nbformat
except ImportError as error:
    raise InputError("notebooks come with the repository; to run them: pip install 'fashionlib[book]'") from error

HASHED = 1 << 29  # bytes of a data set up to which the contents of its files are compared
# what notebooks may leave in results/<profile>/
LEDGERS = {
    "table1": ("table1",), "topk": ("topk_inshop", "topk_c2s"), "attention": ("attention",),
    "diversity": ("diversity", "diversity_curve", "diversity_looks"), "ablation": ("ablation",),
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One executed notebook: its name in the book, its source, the parameters beside profile, data and seeds.

    after: the keys of the jobs that it needs. title: instead of the notebook's own, where one notebook becomes several
    pages. part: the data set, where it runs on another than the profile's own.
    """

    name: str
    notebook: str
    parameters: dict[str, str]
    after: tuple[str, ...] = ()
    title: str = ""
    part: str = ""

    @property
    def key(self) -> str:
        """The name by which the batch calls it: "table1", or "table1@fashion550k"."""
        return f"{self.name}@{self.part}" if self.part else self.name

    @property
    def source(self) -> Path:
        return project_root() / "notebooks" / f"{self.notebook}.ipynb"

    def of(self, profile: str) -> str:
        """The name of the profile, or of its part, whose results these are."""
        return f"{profile}@{self.part}" if self.part else profile

    def executed(self, profile: str) -> Path:
        """Where the book finds the executed notebook."""
        return project_root() / "book" / "runs" / self.of(profile) / f"{self.name}.ipynb"

    def stamp(self, profile: str) -> str:
        """What Snakemake sees of the job; kept apart from the notebook, because it deletes its outputs before a run."""
        return f"runs/{profile}/stamps/{self.key}.done"


def ledgers_of(profile: Profile, job: str) -> tuple[str, ...]:
    """The ledgers that this notebook leaves in results/<profile>/."""
    if job == "topk":
        return tuple(f"topk_{task}" for task in profile.retrieval)
    ledgers = LEDGERS.get(job, ())
    return ledgers if profile.data.name == "ccp" else tuple(ledger for ledger in ledgers if ledger != "diversity_looks")


def jobs_of(profile: Profile) -> list[Job]:
    """The notebooks of a profile: the data, one training each method, then what is measured with them.

    Those of its parts come first, whose models it may measure, too.
    """
    if profile.ablation:
        return [Job("ablation", "ablation", {})]
    found = [replace(job, part=part, after=tuple(f"{name}@{part}" for name in job.after))
             for part in profile.parts for job in _made_of(profile.on(part), ["table1"])]  # fmt: skip
    if not usable(profile):
        return found
    own = _made_of(profile, ["table1", *(["topk"] if profile.retrieval else []), "recommend", "diversity", "attention"])
    there = {profile.searched(task)[0] for task in profile.retrieval}
    needed = tuple(job.key for job in found if job.part in there and job.notebook == "train")
    return [*found, *(replace(job, after=job.after + needed) if job.name == "topk" else job for job in own)]


def _made_of(profile: Profile, measured: Sequence[str]) -> list[Job]:
    """The notebooks on one data set; of `measured`, those that it can give the photos for."""
    training = [
        Job(f"train-{name}", "train", {"method": name}, title=f"Run: training, {names.method(name)}")
        for name in profile.methods if profile.method(name).kind != "prior"
    ]  # fmt: skip
    after, cannot = tuple(job.name for job in training), impossible(profile)
    others = [Job(name, name, {}, after) for name in measured if name not in cannot]
    return [Job("data", "data", {}), *training, *others]


def impossible(profile: Profile) -> dict[str, str]:
    """The notebooks that the profile's data set or methods cannot give what they need, and why."""
    kinds, lacks = {profile.method(method).kind for method in profile.methods}, {}
    if "parser" not in kinds:
        lacks["attention"] = "it looks at the method `parser`, which the profile lacks"
    if not {"parser", "whole"} <= kinds:
        why = "it compares the methods `parser` and `whole`, and the profile lacks one"
        lacks |= dict.fromkeys(("recommend", "diversity"), why)
    if "test" not in profile.splits:
        why = f"{profile.data.name} has no test photos with tags"
        lacks |= dict.fromkeys(("table1", "recommend", "diversity", "attention"), why)
    return lacks


def usable(profile: Profile) -> bool:
    """Whether the profile's own data are there, or are all that it has."""
    return not profile.parts or Path(profile.folder or ".").is_dir()


def notices(profile: Profile) -> list[str]:
    """What will not be made, and why, a line a cause."""
    absent = dict(profile.absent)
    causes: dict[str, list[str]] = {}
    if not usable(profile):
        absent[profile.data.name] = f"no folder {profile.folder}; {PUBLISHED[profile.data.name].hint}"
    missing = [f"not on disk: {name}, and left out: {why}" for name, why in absent.items()]
    if profile.ablation or not usable(profile):
        return missing
    for method, what in profile.lacking.items():
        causes.setdefault(f"{profile.data.name} has no {what} to learn from", []).append(method)
    for notebook, why in sorted(impossible(profile).items()):
        causes.setdefault(why, []).append(notebook)
    return missing + [f"left out: {', '.join(each)}: {why}" for why, each in causes.items()]


def fingerprints(profile_name: str, data: str, seeds: str) -> dict[str, str]:
    """By job, what changes with all that its output depends on: profile, data, seeds, cells, the code it imports.

    Each data set's folder is walked once, however many notebooks read it.
    """
    profile = load_profile(profile_name, data=data or None, seeds=seeds or None, check=False)
    states = {name: _data_state(folder_of(profile.root, name)) for name in (profile.data.name, *profile.others)}
    found = {}
    for job in jobs_of(profile):
        cells = nbformat.read(job.source, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        part, here = profile.on(job.part), states
        if job.name != "topk":  # another data set that came to disk changes nothing here
            here = {part.data.name: states[part.data.name]}
            part = replace(part, tagging={}, retrieval={}, elsewhere={}, absent={}, lacking={})
        text = "\n".join(cell.source for cell in cells)
        what = (part, here, text, sources_hash(imported_modules(code)), sorted(job.parameters.items()))
        found[job.key] = hashlib.sha256(repr(what).encode()).hexdigest()[:16]
    return found


def _data_state(folder: str | None) -> str:
    """Changes with the files of a data set's folder; links to folders are followed.

    Up to HASHED bytes in all, names and contents tell; of more, names, sizes, times and the places on the disk.
    """
    rows: dict[str, os.stat_result] = {}
    for place, folders, _ in os.walk(folder, followlinks=True) if folder else ():
        folders.sort()
        with os.scandir(place) as entries:
            rows |= {entry.path: entry.stat() for entry in entries if entry.is_file()}
    small = sum(state.st_size for state in rows.values()) <= HASHED
    digest = hashlib.sha256()
    for path, state in sorted(rows.items()):
        what = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
        content = bytes_hash(Path(path).read_bytes()) if small else what
        digest.update(f"{path[len(str(folder)) :]} {content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def run_job(profile_name: str, data: str, seeds: str, name: str) -> None:
    """Execute one notebook aside and move it to its place when every cell has run; else leave the last one as it is.

    Raises InputError where the notebook fails, with the error of its cell.
    """
    profile = load_profile(profile_name, data=data or None, seeds=seeds or None, check=False)
    jobs = {job.key: job for job in jobs_of(profile)}
    if name not in jobs:
        raise InputError(f"profile {profile.name} has no notebook {name!r}: {', '.join(jobs)}")
    job, root = jobs[name], project_root()
    runs = root / "runs" / profile.name
    aside, log = runs / "notebooks" / f"{name}.ipynb", runs / "logs" / f"{name}.log"
    for path in (aside, job.executed(profile.name)):
        path.parent.mkdir(parents=True, exist_ok=True)
    parameters = {"profile": job.of(profile_name), "data": data, "seeds": seeds, **job.parameters}
    arguments = [word for key, value in parameters.items() for word in ("-r", key, value)]
    command = [sys.executable, "-m", "papermill", str(job.source), str(aside), *arguments,
               "--kernel", "python3", "--cwd", str(root), "--log-output", "--no-progress-bar"]  # fmt: skip
    # a shell's own MPLBACKEND=agg would leave the notebooks without figures
    own = {"PYTHONWARNINGS": "ignore", "PYDEVD_DISABLE_FILE_VALIDATION": "1", **ENVIRONMENT,
           "MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # fmt: skip
    started = time.perf_counter()
    with _held(log, f"notebook {name}") as file:
        aside.unlink(missing_ok=True)
        print(f"{name} …", flush=True)
        if run(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **own}):
            raise InputError(f"notebook {name}: {_reason(aside, log)}; its log: {log.relative_to(root)}")
        _publish(aside, job.executed(profile.name), job)
    print(f"{name} done in {time.perf_counter() - started:.0f} s", flush=True)


def run(command: Sequence[str], **options: Any) -> int:
    """The exit code of a command. Where this process is told to end, it and all that it started end at once.

    What they write is whole or absent, so none of them is asked. They ignore Ctrl-C themselves: their own words about
    it would hide the one line that is said here.
    """

    def end(number: int, _: object) -> None:
        import psutil

        seen: dict[int, psutil.Process] = {}
        while new := [one for one in psutil.Process().children(recursive=True) if one.pid not in seen]:
            seen |= {one.pid: one for one in new}
            for one in new:  # a process that stands still starts no other
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.suspend()
        for one in seen.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        print("stopped: what is done is kept, and the same command goes on from there", file=sys.stderr, flush=True)
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    heeded = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the command inherits
        with subprocess.Popen(command, **options) as process:
            for number in heeded:
                signal.signal(number, end)
            return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _held(path: Path, what: str) -> IO[str]:
    """The file, emptied and locked until the last process that inherited it ends, even where its parents were killed.

    Waits for those that have it now.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{what} is still running from another call; waiting for its end", file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)
    file.truncate(0)
    return file


def _reason(aside: Path, log: Path) -> str:
    """Why a notebook failed: the error of its cell, or the log's last line where no cell ran."""
    cells = nbformat.read(aside, as_version=4).cells if aside.is_file() else []
    errors = [out for cell in cells for out in cell.get("outputs", []) if out.output_type == "error"]
    if errors:
        own = errors[0].ename == InputError.__name__  # says itself what is wrong and what to do
        return errors[0].evalue if own else f"{errors[0].ename}: {errors[0].evalue}"
    return ["it said nothing", *log.read_text(errors="replace").strip().splitlines()][-1].strip()


def _publish(aside: Path, place: Path, job: Job) -> None:
    """The executed notebook without the noise that differs from run to run, moved to its place under its title."""
    notebook = nbformat.read(aside, as_version=4)
    own, *rest = notebook.cells[0].source.split("\n")
    title = f"# {job.title}" if job.title else own
    notebook.cells[0].source = "\n".join([f"{title} ({job.part})" if job.part else title, *rest])
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [compact(out) for out in cell.outputs if out.get("name") != "stderr"]
        tags = {*cell.metadata.get("tags", [])}
        if tags & {"parameters", "injected-parameters"}:
            cell.metadata["tags"] = sorted({*tags, "remove-cell"})
        if "injected-parameters" in tags:  # a folder of this machine says nothing on another
            cell.source = "\n".join(line for line in cell.source.splitlines() if not line.startswith("data ="))
    nbformat.write(notebook, aside)
    os.replace(aside, place)


def forget_missing(profile: Profile) -> None:
    """Remove the stamps of jobs whose notebook or ledger is gone or damaged, so that they are run again."""
    root = project_root()
    for job in jobs_of(profile):
        results = root / "results" / job.of(profile.name)
        ledgers = [results / f"{ledger}.json" for ledger in ledgers_of(profile.on(job.part), job.name)]
        stamp = root / job.stamp(profile.name)
        for path in (job.executed(profile.name), *ledgers):
            try:
                json.loads(path.read_bytes())
            except (OSError, ValueError, RecursionError):
                if path.exists() and stamp.exists():
                    notice(f"{path}: damaged; it is made again")
                stamp.unlink(missing_ok=True)


def make_results(name: str, data: str = "", seeds: str = "", only: str = "") -> int:
    """Run a profile's notebooks, only what changed, or `only` this one, whether it changed or not; the exit code.

    Snakemake's own words go to a log, those of the notebooks to the terminal. Raises InputError for what cannot be run.
    """
    from fashionlib.data import load  # Snakemake imports this module, too, and need not wait for the data sets

    data = absolute(data)
    profile = load_profile(name, data=data or None, seeds=seeds or None, check=not only)
    if only:
        run_job(name, data, seeds, only)
        return 0
    for part in [profile.data.name] * usable(profile) + [*profile.parts]:
        own = profile.on(part)
        if own.folder and not Path(own.folder).is_dir():
            raise InputError(f"DATA={own.folder}: no such folder; name the folder that holds the {part} data")
        load(part, own.folder, "train", **own.data_options(profile.seeds[0]))
    for line in notices(profile):
        print(line, flush=True)
    log = (root := project_root()) / "runs" / profile.name / "logs" / "batch.log"
    # our own lock instead of Snakemake's, which outlives a batch that was killed
    flags = ["--nolock", "--rerun-incomplete", "--rerun-triggers", "params", "--keep-going", "--cores=all", "--config"]
    command = [sys.executable, "-m", "snakemake", *flags, f"profile={name}", f"data={data}", f"seeds={seeds}"]
    with _held(log, f"the batch of profile {profile.name}") as file:
        forget_missing(profile)
        failed = run(command, cwd=root, stderr=file)
    if not failed:
        print(f"profile {profile.name}: every notebook is up to date")
        return 0
    missing = [job.key for job in jobs_of(profile) if not (root / job.stamp(profile.name)).exists()]
    rest = f"not up to date: {', '.join(missing) or 'unknown'}; see above and {log.relative_to(root)}"
    print(f"error: profile {profile.name}: {rest}", file=sys.stderr)
    return failed
