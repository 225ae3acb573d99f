"""Profiles: all that a run may vary, one YAML each in `profiles/`.

A profile has one data set of its own, in `data`. It may name more: in `tagging`, those of which Table 1 is made as
well; in `retrieval`, those in which products are looked for. Each of these that methods are trained on is a part of the
run: a profile by itself under the name `PROFILE@DATASET`, with its own folder of results.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from fashionlib.core.errors import InputError
from fashionlib.core.options import Count, FileName, Seed, build, choose, read_yaml
from fashionlib.data.published.registry import PUBLISHED
from fashionlib.training.options import TrainingOptions

_LEARNS_FROM = {
    **dict.fromkeys(("veit", "inoue"), "verified tags"),
    **dict.fromkeys(("siamese", "triplet", "wtbi", "darn", "fashionnet"), "products"),
}


@dataclass(frozen=True)
class DataOptions:
    """name: the data set. options: handed to it by `load`. seed_splits: each run's seed also draws its split."""

    name: str = "wardrobe"
    options: dict = field(default_factory=dict)
    seed_splits: bool = False


@dataclass(frozen=True)
class TrunkOptions:
    """name and options as in `build_trunk`. pretrained: true, false, or the file of a timm trunk's weights.

    frozen: features are computed once, in `precision`, and kept.
    """

    name: str = "lite0"
    pretrained: bool | str = True
    options: dict = field(default_factory=dict)
    frozen: bool = True
    precision: Literal["auto", "fp32", "bf16"] = "auto"


@dataclass(frozen=True)
class MethodOptions:
    """kind: a head of `fashionlib.models.tagger.HEADS`, or "prior". head: its options.

    data: the data sets that the method is trained on, each by itself; all that the profile tags where none is named.
    """

    kind: str
    head: dict = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """A run: its data, sizes, methods and seeds. See the fields' own classes.

    methods: those trained on `data`; elsewhere: those trained on the profile's other data sets alone.
    tagging: other data sets that Table 1 is made of, by name, each with its options for `load`.
    retrieval: where products are looked for, by task ("inshop", "c2s"): the data set as `data` and its options for
    `load`; the profile's own where nothing is named.
    ablation: the way from `parser-paper` to `parser` is all that is measured.
    root: the folder of the data set; or one that holds a folder for each; or "NAME=folder,NAME=folder".
    absent: the other data sets that are not on disk, with where to ask for them.
    lacking: the methods that the data set has nothing to teach, and what they learn from.
    """

    name: FileName
    data: DataOptions
    methods: Annotated[dict[FileName, dict], Field(min_length=1)]
    image_size: tuple[Count, Count] = (192, 128)
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    trunk: TrunkOptions = field(default_factory=TrunkOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    tagging: dict[str, dict] = field(default_factory=dict)
    retrieval: dict[Literal["inshop", "c2s"], dict | None] = field(default_factory=dict)
    ablation: bool = False
    resamples: Count = 1000
    root: str | None = None
    elsewhere: dict[str, dict] = field(default_factory=dict)
    absent: dict = field(default_factory=dict)
    lacking: dict = field(default_factory=dict)

    def method(self, name: str) -> MethodOptions:
        """Raises InputError where the profile has no such method."""
        if name not in self.methods:
            raise InputError(f"profile {self.name} has no method {name!r}: choose one of {', '.join(self.methods)}")
        return build(MethodOptions, self.methods[name], f"profile {self.name}, method {name}")

    def training_of(self, method: str) -> TrainingOptions:
        """The common budget, with what this method overrides."""
        own = self.method(method).training
        return build(TrainingOptions, {**asdict(self.training), **own}, f"profile {self.name}, training of {method}")

    def trunk_options(self) -> dict:
        """For `build_trunk`: the name and everything else that is set."""
        plain = {"name": self.trunk.name, **self.trunk.options}
        return plain if self.trunk.pretrained is True else {**plain, "pretrained": self.trunk.pretrained}

    def data_options(self, seed: int) -> dict:
        """For `load`, beside name, root and split."""
        usual = PUBLISHED[self.data.name].options if self.data.name in PUBLISHED else {}
        return {**usual, **self.data.options, **({"split_seed": seed} if self.data.seed_splits else {})}

    @property
    def splits(self) -> tuple[str, ...]:
        """What the data set can give of train, val and test."""
        return PUBLISHED[self.data.name].splits if self.data.name in PUBLISHED else ("train", "val", "test")

    @property
    def folder(self) -> str | None:
        """Where the profile's data set lies."""
        return folder_of(self.root, self.data.name)

    @cached_property
    def others(self) -> dict[str, dict]:
        """The options of the data sets beside the profile's own, by name."""
        found = {name: dict(options) for name, options in self.tagging.items()}
        for task in self.retrieval:
            found.setdefault(*self.searched(task))
        return {name: options for name, options in found.items() if name != self.data.name}

    @property
    def parts(self) -> tuple[str, ...]:
        """The other data sets that methods are trained on."""
        return tuple(name for name in self.others if self._trained_on(name))

    def searched(self, task: str) -> tuple[str, dict]:
        """The data set in which this task looks for products, and its options."""
        options = dict(self.retrieval[task] or {})  # pyright: ignore[reportArgumentType]
        if "data" not in options:
            return self.data.name, dict(self.data.options)
        return options.pop("data"), options

    def on(self, dataset: str) -> Profile:
        """The part of the run that is made of `dataset` alone; all of it for the profile's own, or "".

        Raises InputError where the profile has no such data set.
        """
        if dataset in ("", self.data.name):
            return self
        if dataset not in self.others:
            known = ", ".join(self.others) or "no other data set"
            raise InputError(f"profile {self.name} has no data set {dataset!r}: it has {known}")
        return replace(
            self, name=f"{self.name}@{dataset}", data=DataOptions(dataset, self.others[dataset]),
            methods=self._trained_on(dataset), tagging={}, retrieval={}, elsewhere={},
        )  # fmt: skip

    def retrieving(self, task: str) -> Profile:
        """This profile with the data in which `task` looks for products; as it is where those are its own."""
        name, options = self.searched(task)
        return self if name == self.data.name else replace(self, data=DataOptions(name, options))

    def rankers(self, task: str) -> dict[str, Profile]:
        """The methods whose features find products, and the profile that trains each.

        Those of the profile are trained on its own data alone. Where products are looked for in another data set, those
        that are trained on that one's training photos rank, too.
        """
        there, trained = self.searched(task)[0], dict.fromkeys(self.methods, self)
        if there in self.parts:
            trained = {**trained, **dict.fromkeys(self.on(there).methods, self.on(there)), **trained}
        return {method: trainer for method, trainer in trained.items() if trainer.method(method).kind != "prior"}

    def _trained_on(self, dataset: str) -> dict:
        """The methods that are trained on it."""
        default, every = (self.data.name, *self.tagging), {**self.methods, **self.elsewhere}
        return {name: options for name, options in every.items() if dataset in (options.get("data") or default)}


def folder_of(root: str | None, dataset: str) -> str | None:
    """Where `root` has the data set: what it names for it, or the folder of its name below; `root` itself where it
    holds no data set's folder, and for a data set that is made of several of them.
    """
    if root is None or dataset == "wardrobe":
        return None
    if named := named_folders(root):
        return named.get(dataset)
    shared = any((Path(root) / name).is_dir() for name in PUBLISHED if name != "folder")
    return str(Path(root) / dataset) if shared and dataset in PUBLISHED and dataset != "folder" else root


def named_folders(root: str) -> dict[str, str]:
    """Folders by data set out of "NAME=folder,NAME=folder"; none where `root` is one folder."""
    pairs = [part.partition("=") for part in root.split(",")]
    return {name: folder for name, _, folder in pairs} if all(name in PUBLISHED for name, _, _ in pairs) else {}


def absolute(root: str) -> str:
    """The same folder or folders, from the root of the disk."""
    if named := named_folders(root):
        return ",".join(f"{name}={Path(folder).resolve()}" for name, folder in named.items())
    return str(Path(root).resolve()) if root else ""


def project_root() -> Path:
    """The folder with `profiles/`: FASHIONLIB_HOME, the working folder or one above it, or where the package lies."""
    named = os.environ.get("FASHIONLIB_HOME")
    here = Path.cwd()
    for folder in [Path(named)] if named else [here, *here.parents, Path(__file__).resolve().parents[2]]:
        if (folder / "profiles").is_dir():
            return folder
    raise InputError(
        f"no folder profiles/ in {named or here}{'' if named else ' or above'}: profiles and notebooks come with the "
        "repository, not with the installed package; run in its folder, or name that in FASHIONLIB_HOME"
    )


def load_profile(name: object, *, data: object = None, seeds: object = None, check: bool = True) -> Profile:
    """The profile `name` of `profiles/`, or the YAML file `name`; with @DATASET after it, its part on that data set.

    data: the folder of a data set that has one, see `Profile.root`. seeds: such as "0,1,2", instead of the profile's.
    Other data sets than the profile's own that are not on disk are left out; see `Profile.absent`. check: whether the
    options of the trunk and of every method's head are checked, for which torch is imported.

    All are taken as text: `papermill -p data 2024` hands over a number.

    Raises InputError for an unknown profile, key, type of value or choice.
    """
    name, data, seeds = str(name), text_of(data), text_of(seeds)
    name, _, part = name.rpartition("@") if "@" in name and not Path(name).is_file() else (name, "", "")
    profile, numbers = read_profile(name, check), [each.strip() for each in seeds.split(",")]
    if seeds and not all(each.isascii() and each.isdigit() and len(each) < 10 for each in numbers):
        raise InputError(f"seeds {seeds!r}: expected whole numbers below 10⁹ with commas between, such as 0,1,2")
    own = tuple(map(int, numbers)) if seeds else profile.seeds
    profile = replace(profile, root=data or profile.root, seeds=own)
    if len({*own}) < len(own):
        raise InputError(f"profile {profile.name}: seeds {own} name one twice; name each once")
    if profile.data.name != "wardrobe" and not profile.root:
        raise InputError(f"profile {profile.name} needs its data: add DATA=folder (or -p data folder with papermill)")
    profile = profile.on(part) if part else _present(profile)
    if profile.data.name not in PUBLISHED:
        return profile
    wanted = {method: _LEARNS_FROM.get(profile.method(method).kind) for method in profile.methods}
    lacking = {m: what for m, what in wanted.items() if what and what not in PUBLISHED[profile.data.name].knows}
    kept = {method: options for method, options in profile.methods.items() if method not in lacking}
    return replace(profile, methods=kept, lacking=lacking)


def text_of(parameter: object) -> str:
    """A notebook's parameter as text; empty for None. `papermill -p` makes numbers of names such as 2024."""
    return "" if parameter is None else str(parameter)


def _present(profile: Profile) -> Profile:
    """The profile without those of its other data sets that have no folder; `absent` says where to ask for them."""
    lost = {}
    for name in profile.others:
        folder = folder_of(profile.root, name)
        if name != "wardrobe" and not (folder and Path(folder).is_dir()):
            lost[name] = f"no folder {folder or f'named for it in {profile.root}'}; {PUBLISHED[name].hint}"
    tagging = {name: options for name, options in profile.tagging.items() if name not in lost}
    tasks = {task: options for task, options in profile.retrieval.items() if profile.searched(task)[0] not in lost}
    return replace(profile, tagging=tagging, retrieval=tasks, absent=lost)


def read_profile(name: str, check: bool = True) -> Profile:
    """The same without the data: everything the file names, on disk or not."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else project_root() / "profiles" / f"{name}.yaml"
    values = _values(path)
    if isinstance(values.get("retrieval"), list):
        values["retrieval"] = {str(task): {} for task in values["retrieval"]}
    profile = build(Profile, {"name": path.stem, **values}, str(path))
    for task, options in profile.retrieval.items():
        if options and not isinstance(options.get("data"), str):
            raise InputError(f"{path}, key retrieval, {task}: name the data set, such as data: deepfashion_{task}")
    _check(profile, str(path), check)
    for method in profile.methods:
        for wanted in profile.method(method).data:
            choose(wanted, [profile.data.name, *profile.others], f"{path}, method {method}, key data")
    own = profile._trained_on(profile.data.name)
    return replace(profile, methods=own, elsewhere={k: v for k, v in profile.methods.items() if k not in own})


def _values(path: Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the file says, on top of the profile that it is `like`. above: those that are like it."""
    known = sorted(found.stem for found in path.parent.glob("*.yaml"))
    if not path.is_file():
        raise InputError(f"{path}: no such profile; choose one of {', '.join(known) or 'none here'}")
    try:
        values = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8 ({error.reason}); save it as such") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of options, got {values!r}")
    if "like" in values:
        above = (*above, path.stem)
        choose(like := values.pop("like"), [name for name in known if name not in above], f"{path}, key like")
        return _merged(_values(path.with_name(f"{like}.yaml"), above), values)
    return values


def _merged(old: Mapping, new: Mapping) -> dict:
    """`old` with what `new` says instead, mapping by mapping."""
    both = [key for key in new if isinstance(new[key], dict) and isinstance(old.get(key), dict)]
    return {**old, **new, **{key: _merged(old[key], new[key]) for key in both}}


def _check(profile: Profile, where: str, heads: bool) -> None:
    """Every option of every method, so that a wrong one shows before anything is trained or read."""
    for name, values in profile.methods.items():
        method = build(MethodOptions, values, f"{where}, methods.{name}")
        build(TrainingOptions, {**asdict(profile.training), **method.training}, f"{where}, training of {name}")
        if heads:
            from fashionlib.models.tagger import HEADS

            choose(method.kind, ["prior", *HEADS], f"{where}, methods.{name}, key kind")
            if method.kind != "prior":
                build(HEADS[method.kind][1], method.head, f"{where}, head of {name}")
    if heads:
        from fashionlib.data import NAMES
        from fashionlib.models.backbones import trunk_options

        choose(profile.data.name, NAMES, f"{where}, key data.name")
        for name in profile.others:
            choose(name, NAMES, f"{where}, data set of tagging or retrieval")
        trunk_options(profile.trunk_options(), f"{where}, trunk")
