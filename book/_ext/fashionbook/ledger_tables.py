"""Tables beyond methods by metrics: {budget-table}, {ablation-table}, {feature-rows} and {photo-rows}."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from fashionbook.directives import DASH, LedgerDirective, row_of, table_of, value_of
from fashionbook.text import duration, entries, hover, made, shown
from fashionlib.core import names
from fashionlib.core.options import build
from fashionlib.experiments.ablation import gains
from fashionlib.experiments.profile import Profile, load_profile
from fashionlib.ledger.ledger import Entry
from fashionlib.models.backbones import build_trunk
from fashionlib.models.tagger import HEADS

TRIALS = (("search", "search"), ("exploration", "notes"))  # runs of which every trial is in the ledger
KINDS = {"added": "gain in the paper's network", "removed": "loss in ours"}
HEADINGS = ("Profile", "Method", "Epochs", "Trained parameters", "Configurations in the ledger", "Seconds, all seeds")


class BudgetTable(LedgerDirective):
    """{budget-table} wardrobe ccp: one row per method of each profile: epochs, parameters, trials, seconds."""

    required_arguments, final_argument_whitespace = 1, True
    option_spec: ClassVar = {"optional": directives.unchanged}
    has_content = False

    def draw(self) -> list[nodes.Node]:
        table, body = table_of(HEADINGS)
        for name in self.arguments[0].split():
            if not made(self.env, name, ["table1"]):
                continue
            profile, ledger = load_profile(name, data="."), entries(self.env, name, "table1")
            for method in profile.methods:
                if profile.method(method).kind != "prior":
                    body += row_of(*self._cells(profile, method, ledger))
        return [table]

    def experiments(self) -> list[str]:
        return []

    def _cells(self, profile: Profile, method: str, ledger: list[Entry]) -> list[str]:
        own = [entry for entry in ledger if entry.method == method]
        count = parameters(profile, method, (own[0].counts or {})["labels"])
        return [
            f"{profile.name}, {names.dataset(profile.data.name)}", names.method(method),
            str(profile.training_of(method).epochs), f"{count / 1e6:.2f} M",
            str(self._trials(profile, method)), duration(max(entry.seconds for entry in own)),
        ]  # fmt: skip

    def _trials(self, profile: Profile, method: str) -> int:
        """Settings of the method that the ledger holds on this data set, the published one included."""
        tried = {method}
        for name, experiment in TRIALS if profile.data.name == "ccp" else ():
            if made(self.env, name, [experiment]):
                tried |= {f"{name} {entry.method}" for entry in entries(self.env, name, experiment)
                          if entry.method.partition("+")[0] == method}  # fmt: skip
        return len(tried)


def parameters(profile: Profile, method: str, labels: int) -> int:
    """How many numbers of the method's network are trained."""
    options = profile.method(method)
    make, options_of = HEADS[options.kind]
    depths = _depths(profile.trunk.name, json.dumps(profile.trunk.options))
    head = make(depths, labels, build(options_of, options.head, f"options of {options.kind}"))
    return sum(one.numel() for one in head.parameters())


@cache
def _depths(trunk: str, options: str) -> tuple[int, ...]:
    return tuple(build_trunk(trunk, **json.loads(options), pretrained=False).depths)  # pyright: ignore[reportArgumentType]


class AblationTable(LedgerDirective):
    """{ablation-table} PROFILE: one row per change, its gain in the paper's network and its loss in ours."""

    required_arguments = 1
    has_content = False

    @property
    def profile(self) -> str:
        return self.arguments[0]

    def experiments(self) -> list[str]:
        return ["ablation"]

    def draw(self) -> list[nodes.Node]:
        found = self.entries("ablation")
        by_metric = {metric: gains(found, metric) for metric in ("ap_all", "map")}
        headings = [f"{kind}, {names.metric(metric)}" for metric in by_metric for kind in KINDS.values()]
        table, body = table_of(["Change", *headings])
        for group in by_metric["ap_all"]:
            cells = [_points(of[group].get(kind)) for of in by_metric.values() for kind in KINDS]
            body += row_of(names.CHANGES.get(group, group), *cells)
        one = found[0]
        note = f"Points with 95% intervals; {names.dataset(one.dataset)}, n = {one.n}, {len(one.seeds)} seeds."
        return [table, nodes.paragraph("", note, classes=["ledger-source"])]


def _points(triple: tuple[float, float, float] | None) -> list[nodes.Node]:
    if triple is None:
        return [nodes.Text(DASH)]
    value, low, high = (f"{100 * part:+.1f}".replace("-", "−") for part in triple)
    return [nodes.Text(value), nodes.inline("", f"{low} to {high}", classes=["interval"])]


class FeatureRows(LedgerDirective):
    """{feature-rows}: texture encoding, attended features, both and the backbone, where the ledger has them."""

    has_content = False
    option_spec: ClassVar = {}

    def experiments(self) -> list[str]:
        return []

    def draw(self) -> list[nodes.Node]:
        root = (Path(self.env.srcdir) / self.config.fashionlib_root).resolve()
        self.env.note_reread()
        table, body = table_of(("Data", "Task", "Compared", "top 1", "top 20"))
        for path in sorted((root / "results").glob("*/topk_*.json")):
            found = entries(self.env, path.parent.name, path.stem)
            methods = dict.fromkeys(entry.method for entry in found)
            for method in [one for one in methods if one in names.FEATURES or one == "backbone"]:
                values = {entry.metric: entry for entry in found if entry.method == method}
                cells = [names.dataset(found[0].dataset), names.task(path.stem, found[0].dataset), names.method(method)]
                body += row_of(*cells, *([hover(values[m], shown(values[m]))] for m in ("top1", "top20")))
        if not body.children:
            words = "Each alone, and the untrained backbone, are not in the ledger: which of them helps is open."
            return [nodes.paragraph("", words, classes=["ledger-missing"])]
        return [table]


class PhotoRows(LedgerDirective):
    """{photo-rows} PROFILE EXPERIMENT DATASET: every number of the experiment on it, one row per metric and method."""

    required_arguments, final_argument_whitespace = 1, True
    has_content = False

    @property
    def profile(self) -> str:
        return self.arguments[0].split()[0]

    @property
    def may_lack(self) -> bool:
        return True

    def experiments(self) -> list[str]:
        return self.arguments[0].split()[1:2]

    def draw(self) -> list[nodes.Node]:
        dataset = self.arguments[0].split()[2]
        table, body = table_of(("Measure", "Method", "Value", "minus untrained backbone"))
        every = self.entries(self.experiments()[0])  # a gain stands beside its value
        found = [one for one in every if one.dataset == dataset and not one.metric.endswith("_gain")]
        for one in sorted(found, key=lambda each: (each.metric, -each.value)):
            words = names.metric(one.metric), names.method(one.method)
            versus = one.versus and (one.versus["value"], one.versus["low"], one.versus["high"])
            body += row_of(*words, value_of(one), _points(versus or None))  # pyright: ignore[reportArgumentType]
        return [table]
