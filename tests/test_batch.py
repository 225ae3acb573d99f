"""The batch, run for real on the profile `smoke` in a project folder of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from fashionlib.sources import files_used, imported_modules, sources_hash

ROOT = Path(__file__).parents[1]


def project(folder):
    folder.mkdir(exist_ok=True)
    for name in ("profiles", "notebooks"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Snakefile", folder)
    return folder


def command(folder, *arguments, **options):
    environment = {**os.environ, "FASHIONLIB_HOME": str(folder), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-m", "fashionlib.batch", *arguments], cwd=folder, env=environment, text=True,
        capture_output=True, check=False, timeout=600, **options,
    )  # fmt: skip


def times(folder):
    return {path.stem: path.stat().st_mtime_ns for path in (folder / "book" / "runs" / "smoke").glob("*.ipynb")}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A project in which the batch has run once: killed in the middle at first, then completed."""
    folder = project(tmp_path_factory.mktemp("project"))
    environment = {**os.environ, "FASHIONLIB_HOME": str(folder), "PYTHONWARNINGS": "ignore"}
    arguments = [sys.executable, "-m", "fashionlib.batch", "smoke"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(arguments, cwd=folder, env=environment, start_new_session=True, **quiet)
    deadline = time.monotonic() + 300
    while not times(folder):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    result = command(folder, "smoke")
    assert result.returncode == 0, result.stderr
    return folder


def test_a_killed_batch_completes_and_every_notebook_and_ledger_is_there(done):
    assert set(times(done)) == {"data", "train-whole", "train-parser", "table1", "topk", "recommend", "attention"}
    ledgers = {path.stem for path in (done / "results" / "smoke").glob("*.json")}
    assert ledgers == {"table1", "topk_inshop", "topk_c2s", "attention"}
    for path in (done / "book" / "runs" / "smoke").glob("*.ipynb"):
        assert not any(
            out.output_type == "error" for cell in nbformat.read(path, 4).cells for out in cell.get("outputs", [])
        )
        assert str(done) not in path.read_text()


def test_scikit_learn_gets_the_ledgers_numbers_from_the_scores(done):
    entries = json.loads((done / "results" / "smoke" / "table1.json").read_text())
    for entry in entries:
        with np.load(done / "runs" / "smoke" / "table1" / entry["method"] / "scores.npz") as file:
            scores, targets = file["scores"], file["targets"]
        if entry["metric"] == "ap_all":
            expected = average_precision_score(targets.ravel(), scores.ravel())
        elif entry["metric"] == "map":
            occurring = targets.any(0)
            expected = average_precision_score(targets[:, occurring], scores[:, occurring], average="macro")
        else:
            continue
        assert entry["value"] == pytest.approx(expected, abs=1e-6)


def test_a_second_run_runs_nothing_and_a_touched_file_neither(done):
    before = times(done)
    (done / "notebooks" / "data.ipynb").touch()
    (done / "profiles" / "smoke.yaml").touch()
    assert command(done, "smoke").returncode == 0
    assert times(done) == before


def test_a_changed_cell_runs_its_notebook_alone_and_a_failing_one_leaves_the_last_output(done):
    path, before = done / "notebooks" / "data.ipynb", times(done)
    original = path.read_text()
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].source += "\nraise RuntimeError('planted')"
    nbformat.write(notebook, path)
    failed = command(done, "smoke")
    assert failed.returncode != 0
    assert "planted" in failed.stdout + failed.stderr
    assert times(done) == before
    path.write_text(original.replace("How often each label occurs", "How often does each label occur"))
    assert command(done, "smoke").returncode == 0
    after = times(done)
    assert {name for name in after if after[name] != before[name]} == {"data"}
    assert "How often does each label occur" in (done / "book" / "runs" / "smoke" / "data.ipynb").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nope",), "no such profile"),
        (("ccp",), "add DATA=folder"),
        (("ccp", "--data", "missing"), "no such folder"),
        (("smoke", "--seeds", "x"), "whole numbers"),
    ],
)
def test_bad_calls_end_in_one_line_and_write_nothing(tmp_path, arguments, message):
    folder = project(tmp_path / "project")
    result = command(folder, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert {path.name for path in folder.iterdir()} == {"profiles", "notebooks", "Snakefile"}


def names(module):
    return {path.stem for path in files_used([module])}


def test_training_depends_on_the_model_and_losses_but_not_on_figures():
    used = names("fashionlib.training")
    assert {"parser", "losses", "texture", "training", "profiles"} <= used
    assert not {"plots", "retrieval", "recommend", "bookext"} & used


def test_imports_of_a_notebook_cell_are_found_and_magics_passed_over():
    found = imported_modules("%matplotlib inline\nfrom fashionlib import plots\nimport numpy\nimport fashionlib.losses")
    assert found == {"fashionlib", "fashionlib.plots", "fashionlib.losses"}
    assert sources_hash(["fashionlib.losses"]) != sources_hash(["fashionlib.plots"])
