"""Profiles: all that a run may vary, one YAML each in `profiles/`."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import yaml

from fashionlib.core.errors import InputError
from fashionlib.core.options import build
from fashionlib.training.options import TrainingOptions

RETRIEVAL = ("inshop", "c2s")  # where products may be looked for


@dataclass(frozen=True)
class DataOptions:
    """name: the data set. options: handed to it by `load`. seed_splits: each run's seed also draws its split."""

    name: str = "wardrobe"
    options: dict = field(default_factory=dict)
    seed_splits: bool = False


@dataclass(frozen=True)
class TrunkOptions:
    """name and options as in `build_trunk`. frozen: features are computed once, in `precision`, and kept."""

    name: str = "lite0"
    options: dict = field(default_factory=dict)
    frozen: bool = True
    precision: str = "auto"


@dataclass(frozen=True)
class MethodOptions:
    """kind: a head of `fashionlib.models.tagger.HEADS`, or "prior". head: its options."""

    kind: str
    head: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """A run: its data, sizes, methods and seeds. See the fields' own classes.

    retrieval: where products are looked for, too: "inshop", "c2s" or both. ablation: the way from `parser-paper` to
    `parser` is all that is measured.
    """

    name: str
    data: DataOptions
    methods: dict
    image_size: tuple[int, int] = (192, 128)
    seeds: tuple[int, ...] = (0,)
    trunk: TrunkOptions = field(default_factory=TrunkOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    retrieval: tuple[str, ...] = ()
    ablation: bool = False
    resamples: int = 1000
    root: str | None = None

    def method(self, name: str) -> MethodOptions:
        """Raises InputError where the profile has no such method."""
        if name not in self.methods:
            raise InputError(f"profile {self.name} has no method {name!r}: choose one of {', '.join(self.methods)}")
        return build(MethodOptions, self.methods[name], f"profile {self.name}, method {name}")

    def training_of(self, method: str) -> TrainingOptions:
        """The common budget, with what this method overrides."""
        own = self.method(method).training
        return build(TrainingOptions, {**asdict(self.training), **own}, f"profile {self.name}, training of {method}")

    def data_options(self, seed: int) -> dict:
        """For `load`, beside name, root and split."""
        return {**self.data.options, **({"split_seed": seed} if self.data.seed_splits else {})}


def project_root() -> Path:
    """The folder with `profiles/`: FASHIONLIB_HOME, the working folder or one above it, or where the package lies."""
    named = os.environ.get("FASHIONLIB_HOME")
    here = Path.cwd()
    candidates = [Path(named)] if named else [here, *here.parents, Path(__file__).resolve().parents[2]]
    for folder in candidates:
        if (folder / "profiles").is_dir():
            return folder
    raise InputError(f"no folder profiles/ in {here} or above; run from the project's folder or set FASHIONLIB_HOME")


def load_profile(name: str, *, data: str | Path | None = None, seeds: str | None = None) -> Profile:
    """The profile `name` of `profiles/`, or the YAML file `name`.

    data: the folder of a data set that has one. seeds: such as "0,1,2", instead of the profile's.

    Raises InputError for an unknown profile, key or type of value.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else project_root() / "profiles" / f"{name}.yaml"
    if not path.is_file():
        known = sorted(found.stem for found in path.parent.glob("*.yaml"))
        raise InputError(f"{path}: no such profile; choose one of {', '.join(known) or 'none here'}")
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of options, got {values!r}")
    profile = build(Profile, {"name": path.stem, **values}, str(path))
    if unknown := {*profile.retrieval} - {*RETRIEVAL}:
        raise InputError(f"{path}, key retrieval: unknown {sorted(unknown)[0]!r}; choose of {', '.join(RETRIEVAL)}")
    for method in profile.methods:
        profile.training_of(method)  # so that a wrong key shows before anything is trained
    if data:
        profile = replace(profile, root=str(data))
    if seeds:
        profile = replace(profile, seeds=_seeds(seeds))
    if profile.data.name != "wardrobe" and not profile.root:
        raise InputError(f"profile {profile.name} needs its data: add DATA=folder (or -p data folder with papermill)")
    return profile


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in str(text).split(","))
    except ValueError as error:
        raise InputError(f"seeds {text!r}: expected whole numbers with commas between, such as 0,1,2") from error
