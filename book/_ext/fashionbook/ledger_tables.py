"""Tables beyond methods by metrics: {claims}, {budget-table}, {ablation-table}, {feature-rows} and {photo-rows}."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml
from docutils import nodes
from docutils.parsers.rst import directives

from fashionbook.directives import DASH, LedgerDirective, row_of, table_of, value_of
from fashionbook.text import Number, duration, entries, find, hover, made, shown, sign, verdict
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
CONTROL = {"reproduced": "better", "partly": "better in part", "contradicted": "worse",
           "not reproduced": "no difference"}  # fmt: skip
WIDTHS = (17, 16, 24, 24, 19)
RIVALS = {"attended-parts": "attended alone:", "backbone": "backbone, pooled:"}  # of features by parts
MARKS = {1: "✓", 0: "○", -1: "✗"}


class Claims(LedgerDirective):
    """{claims}: one row per claim; its first two cells say what it is and what the paper prints.

    columns: the headings, separated by `|`. The content is YAML, a list of `claim`, `published` and `cells` (all may
    hold roles). A cell has a `profile` and its `evidence`, names of paired differences; or `instead`, words on why
    nothing was measured. `note` adds words. `control: true` marks a row that the paper does not claim; its verdicts are
    "better", "worse" and so on. A profile that was not run says so with the command that runs it.
    """

    option_spec: ClassVar = {"columns": directives.unchanged_required}

    def experiments(self) -> list[str]:
        return []

    def draw(self) -> list[nodes.Node]:
        headings = [heading.strip() for heading in self.options["columns"].split("|")]
        table, body = table_of(headings, "claims", widths=WIDTHS)
        for claim in yaml.safe_load("\n".join(self.content)):
            own = [nodes.strong("", "", *self._inline(claim["claim"]))]
            cells = [[nodes.paragraph("", "", *own)], [nodes.paragraph("", "", *self._inline(claim["published"]))]]
            cells += [self._cell(cell, claim.get("control", False)) for cell in claim["cells"]]
            for heading, cell in zip(headings[1:], cells[1:], strict=True):
                cell.insert(0, nodes.paragraph("", heading, classes=["claim-column"]))  # shown on phones alone
            body += nodes.row("", *(nodes.entry("", *cell) for cell in cells))
        return [table]

    def _inline(self, text: str) -> list[nodes.Node]:
        return self.parse_inline(text, lineno=self.lineno)[0]

    def _cell(self, cell: dict[str, Any], control: bool) -> list[nodes.Node]:
        if "instead" in cell:
            words = [nodes.Text(" "), *self._inline(cell["instead"])] if cell["instead"] else []
            return [nodes.paragraph("", "", _badge("not run"), *words)]
        profile = self.config.fashionlib_profile if cell["profile"] == "current" else cell["profile"]
        numbers = [Number.parse(text, profile) for text in cell["evidence"]]
        if not made(self.env, profile, [number.experiment for number in numbers]):
            command = f"make results PROFILE={profile}"
            return [nodes.paragraph("", "", _badge("not run"), nodes.Text(" "), nodes.literal(command, command))]
        found = [find(self.env, number) for number in numbers]
        word = verdict(found)
        lines = [nodes.paragraph("", "", _badge(word, CONTROL[word] if control else word))]
        lines += [nodes.paragraph("", "", *_evidence(entry), classes=["claim-evidence"]) for entry in found]
        if "note" in cell:
            lines.append(nodes.paragraph("", "", *self._inline(cell["note"]), classes=["claim-note"]))
        return lines  # pyright: ignore[reportReturnType]


def _evidence(entry: Entry) -> list[nodes.Node]:
    """✓ top 20, in-shop +15.3, in points; the mark says where the interval lies, the hover what it is."""
    what = names.metric(entry.metric)
    tasks = {"c2s_query": "topk_c2s", "inshop_query": "topk_inshop"} if entry.experiment == "features" else {}
    if (experiment := tasks.get(entry.split, entry.experiment)) in names.TASKS:
        task = names.task(experiment, entry.dataset).removeprefix("Consumer to shop, ")
        what = f"{what}, {task[0].lower()}{task[1:]}"
    if entry.versus and entry.versus.get("method") == "mean_box":
        what = f"{what} − {names.METRICS['pointing_mean_box']}"
    value = shown(entry, points=True).removesuffix(" points")
    return [nodes.Text(f"{MARKS[sign(entry)]} {what} "), hover(entry, value)]


def _badge(word: str, text: str | None = None) -> nodes.Node:
    return nodes.inline("", text or word, classes=["verdict", f"verdict-{word.replace(' ', '-')}"])


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
    """{feature-rows}: each kind of compared features by parts, by the whole photo and by both; then the controls."""

    has_content = False
    option_spec: ClassVar = {}
    WAYS: ClassVar = {"parts": "Parts", "whole": "Whole photo", "together": "Parts and whole photo"}

    def experiments(self) -> list[str]:
        return []

    def draw(self) -> list[nodes.Node]:
        root = (Path(self.env.srcdir) / self.config.fashionlib_root).resolve()
        self.env.note_reread()
        gain = "Parts, top 20: difference to"
        table, body = table_of(("Data", "Features", *(f"{way}, top 1 / top 20" for way in self.WAYS.values()), gain))
        for path in sorted((root / "results").glob("*/features.json")):
            found = entries(self.env, path.parent.name, path.stem)
            for dataset, split in dict.fromkeys((entry.dataset, entry.split) for entry in found):
                here = {(e.method, e.metric): e for e in found if (e.dataset, e.split) == (dataset, split)}
                task = names.task("topk_c2s" if split == "c2s_query" else "topk_inshop", dataset)
                body += self._rows(here, dataset, task)
        if not body.children:
            words = "Each alone, and the frozen backbone, are not in the ledger: which of them helps is open."
            return [nodes.paragraph("", words, classes=["ledger-missing"])]
        return [table]

    def _rows(self, here: dict[tuple[str, str], Entry], dataset: str, task: str) -> list[nodes.row]:
        profile = next(iter(here.values())).profile
        place, rows = f"{names.dataset(dataset)}: {task.lower()}; model {profile}", []
        for kind in [kind for kind in names.FEATURES if (f"{kind}-parts", "top1") in here]:
            versus = here[f"{kind}-parts", "top20"].versus
            gain = _points((versus["value"], versus["low"], versus["high"]) if versus else None)
            if versus:
                gain = [nodes.Text(f"{RIVALS.get(versus['method'], versus['method'])} "), *gain]
            rows.append(row_of(place, names.method(kind), *(_pair(here, f"{kind}-{way}") for way in self.WAYS), gain))
        for control in [one for one in ("backbone", "gem", "stripes") if (one, "top1") in here]:
            rows.append(row_of(place, names.method(control), DASH, _pair(here, control), DASH, DASH))
        return rows


def _pair(here: dict[tuple[str, str], Entry], method: str) -> list[nodes.Node]:
    one, other = (here[method, metric] for metric in ("top1", "top20"))
    return [hover(one, shown(one)), nodes.Text(" / "), hover(other, shown(other))]


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
        every = self.entries(self.experiments()[0])  # a gain stands beside its value
        found = [one for one in every if one.dataset == dataset and not one.metric.endswith("_gain")]
        rival = next((one.versus["method"] for one in found if one.versus), "backbone")
        rival = names.method(rival, dataset)
        table, body = table_of(("Measure", "Method", "Value", f"minus {rival[0].lower()}{rival[1:]}"))
        for one in sorted(found, key=lambda each: (each.metric, -each.value)):
            words = names.metric(one.metric), names.method(one.method, dataset)
            versus = one.versus and (one.versus["value"], one.versus["low"], one.versus["high"])
            body += row_of(*words, value_of(one), _points(versus or None))  # pyright: ignore[reportArgumentType]
        return [table]
