"""The book's directives on runs: where every number comes from, what was verified, what each notebook takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from fashionbook.directives import row_of, table_of
from fashionbook.text import build_errors, duration
from fashionlib.core import names
from fashionlib.core.errors import InputError
from fashionlib.experiments.batch import LEDGERS
from fashionlib.experiments.profile import read_profile
from fashionlib.ledger import ledger as results
from fashionlib.ledger.ledger import Entry
from fashionlib.ledger.receipts import FOLDER, Receipt, checksum, read_receipt

NOTEBOOK_OF = {ledger: notebook for notebook, ledgers in LEDGERS.items() for ledger in ledgers}
PARAMETER = re.compile(r"(?P<name>\w+) = (?P<default>[^#]+?)\s*#\s*(?P<meaning>.+)")


class RunsDirective(SphinxDirective):
    """What the three share. Their pages are read anew in every build: a file that is new changes them, too."""

    @property
    def root(self) -> Path:
        return (Path(self.env.srcdir) / self.config.fashionlib_root).resolve()

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        with build_errors(self.env):
            return self.draw()

    def draw(self) -> list[nodes.Node]:
        raise NotImplementedError

    def ledgers(self) -> Iterator[tuple[str, str]]:
        """(profile, experiment) of every ledger, the published profile's first."""
        folders = {path.parent.name for path in (self.root / "results").glob("*/*.json")} - {FOLDER}
        current = self.config.fashionlib_profile
        for profile in sorted(folders, key=lambda name: (name != current, name)):
            for path in sorted((self.root / "results" / profile).glob("*.json")):
                yield profile, path.stem


class LedgerRuns(RunsDirective):
    """{ledger-runs}: every run of the ledger with profile, data, device, duration, versions, notebook and checksum.

    A ledger that its profile no longer describes ends the build: it is stale.
    """

    def draw(self) -> list[nodes.Node]:
        table, body = table_of(("Run", "Of what", "Made on", "From and with"), "runs-table")
        for profile, experiment in self.ledgers():
            found = results.read(self.root, profile, experiment)
            _check_fresh(self.root, profile, experiment, found)
            one, longest = found[0], max(entry.seconds for entry in found)
            methods = {entry.method for entry in found}
            seeds = ", ".join(map(str, one.seeds))
            body += row_of(
                [nodes.strong("", f"{profile}: {experiment}")],
                lines(f"{len(found)} numbers of {len(methods)} methods",
                      f"{names.dataset(one.dataset)}, {one.split}, n = {one.n}",
                      f"seed{'s' * (len(one.seeds) > 1)} {seeds}"),
                lines(*sorted({entry.device for entry in found}), duration(longest),
                      *(f"commit {commit}" for commit in sorted({entry.commit for entry in found}))),
                [*self._notebook(profile, experiment), nodes.Text(", "), *software(one.versions),
                 *lines("", f"sha256 {checksum(self.root, profile, experiment)}")],
            )  # fmt: skip
        return [table]

    def _notebook(self, profile: str, experiment: str) -> list[nodes.Node]:
        name = NOTEBOOK_OF.get(experiment)
        if name is None:
            return [nodes.Text("no notebook")]
        page = f"runs/{profile}/{name}"
        if page not in self.env.found_docs:
            file = f"notebooks/{name}.ipynb"
            return [nodes.literal(file, file)]
        kind = {"reftype": "doc", "refdomain": "std", "refexplicit": True, "refwarn": True}
        link = addnodes.pending_xref("", reftarget=f"/{page}", refdoc=self.env.docname, **kind)
        link += nodes.inline("", f"notebook {name}", classes=["doc"])
        return [link]


class Receipts(RunsDirective):
    """{receipts}: what `fashionlib verify` found, experiment by experiment; a ledger changed since then says so."""

    def draw(self) -> list[nodes.Node]:
        table, body = table_of(("Run", "Verified", "Numbers", "On"), "runs-table")
        for profile in dict.fromkeys(profile for profile, _ in self.ledgers()):
            receipts = {receipt.experiment: receipt for receipt in read_receipt(self.root, profile)}
            experiments = [experiment for name, experiment in self.ledgers() if name == profile]
            for experiment in experiments:
                if experiment in receipts:
                    body += self._row(profile, receipts[experiment])
            if not receipts and any(experiment in NOTEBOOK_OF for experiment in experiments):
                command = f"fashionlib verify --profile {profile}"
                body += row_of([nodes.strong("", profile)], "not yet", [nodes.literal(command, command)], [])
        return [table]

    def _row(self, profile: str, receipt: Receipt) -> nodes.Node:
        fresh = receipt.ledger == checksum(self.root, profile, receipt.experiment)
        word = "differs" if receipt.differing else "agrees" if fresh else "older than the ledger"
        same = receipt.numbers - len({line.partition(": ")[0] for line in receipt.differing})
        return row_of(
            [nodes.strong("", f"{profile}: {receipt.experiment}")],
            [nodes.strong("", word), *lines("", f"{receipt.when} UTC")],
            lines(f"{same} of {receipt.numbers} came out again", f"rule: {receipt.rule}",
                  f"largest difference {receipt.largest:.2g}"),
            [*lines(receipt.device, f"commit {receipt.commit}, in {duration(receipt.seconds)}"), nodes.Text(", "),
             *software(receipt.versions)],
        )  # fmt: skip


class NotebookParameters(RunsDirective):
    """{notebook-parameters}: each notebook's question and parameters, read from its parameters cell.

    Notebooks that take the same ones share a table.
    """

    def draw(self) -> list[nodes.Node]:
        alike: dict[tuple[tuple[str, str, str], ...], list[nodes.Node]] = {}
        for path in sorted((self.root / "notebooks").glob("*.ipynb")):
            question = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
            name = f"notebooks/{path.name}"
            words = nodes.paragraph("", "", nodes.literal(name, name), nodes.Text(f": {question}"))
            alike.setdefault(tuple(parameters_of(path)), []).append(nodes.list_item("", words))
        drawn: list[nodes.Node] = []
        for parameters, notebooks in alike.items():
            table, body = table_of(("Parameter", "Default", "Is"), "runs-table")
            for parameter, default, meaning in parameters:
                body += row_of([nodes.literal(parameter, parameter)], [nodes.literal(default, default)], lines(meaning))
            drawn += [nodes.bullet_list("", *notebooks), table]
        return drawn


def parameters_of(path: Path) -> list[tuple[str, str, str]]:
    """(name, default, meaning) of each parameter of a notebook, in the order of its cell.

    Raises InputError where there is no such cell, or a line of it is not `name = default  # meaning`.
    """
    cells = nbformat.read(path, as_version=4).cells
    found = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(found) != 1:
        raise InputError(f"{path.name}: {len(found)} cells have the tag 'parameters'; papermill needs one")
    rows = []
    for line in filter(str.strip, found[0].splitlines()):
        parts = PARAMETER.fullmatch(line.strip())
        if parts is None:
            raise InputError(f"{path.name}: '{line}' is not a parameter; write `name = default  # what it is`")
        rows.append((parts["name"], parts["default"], parts["meaning"]))
    return rows


def _check_fresh(root: Path, profile: str, experiment: str, found: Sequence[Entry]) -> None:
    """Raises InputError where the profile's file names other data or methods than the ledger holds."""
    name, _, part = profile.partition("@")
    path = root / "profiles" / f"{name}.yaml"
    if experiment not in NOTEBOOK_OF or not path.is_file():
        return
    described, task = read_profile(str(path)).on(part), experiment.removeprefix("topk_")
    place, command = f"results/{profile}/{experiment}.json", f"make results PROFILE={profile}"
    dataset = described.searched(task)[0] if task in described.retrieval else described.data.name
    if found[0].dataset != dataset:
        raise InputError(f"{place} is stale: its data are {found[0].dataset}, the profile's {dataset}; run `{command}`")
    if experiment == "table1":
        ledger, methods = {entry.method for entry in found}, set(described.methods)
        other = ", ".join(sorted(ledger ^ methods))
        if other:
            raise InputError(f"{place} is stale: ledger and profile do not both have {other}; run `{command}`")


def software(versions: dict[str, str]) -> list[nodes.Node]:
    """The versions, folded into a word with the list on hover."""
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    if not listed:
        return [nodes.Text("versions unknown")]
    return [nodes.abbreviation("", f"torch {versions.get('torch', '?')} …", explanation=listed, classes=["ledger"])]


def lines(*texts: str) -> list[nodes.Node]:
    """Text with a line break between each two."""
    drawn: list[nodes.Node] = []
    for number, text in enumerate(texts):
        if number:
            drawn.append(nodes.raw("", "<br>", format="html"))
        drawn.append(nodes.Text(text))
    return drawn
