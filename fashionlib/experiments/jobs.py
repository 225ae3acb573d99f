"""Which notebooks a profile has, on which of its data sets, and what they leave in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fashionlib.core import names
from fashionlib.data.published.registry import PUBLISHED
from fashionlib.experiments.profile import Profile, project_root

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
    return [Job("data", "data", {}), *training,
            *(Job(name, name, {}, after) for name in measured if name not in cannot)]  # fmt: skip


def impossible(profile: Profile) -> dict[str, str]:
    """The notebooks that the profile's data set or methods cannot give what they need, and why."""
    kinds = {method: profile.method(method).kind for method in profile.methods}
    lacks: dict[str, str] = {}
    if "test" not in profile.splits:
        why = f"{profile.data.name} has no test photos with tags"
        lacks = dict.fromkeys(("table1", "recommend", "diversity", "attention"), why)
    if "parser" not in kinds or "whole" not in kinds:
        why = "it compares the methods `parser` and `whole`, and the profile lacks one"
        lacks = {**dict.fromkeys(("recommend", "diversity"), why), **lacks}
    if "parser" not in kinds:
        lacks.setdefault("attention", "it looks at the method `parser`, which the profile lacks")
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
