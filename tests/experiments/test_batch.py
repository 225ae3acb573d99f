"""The batch on real notebooks: it runs what changed and nothing else, and survives kills, failures and wrong calls."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import nbformat
import numpy as np
import psutil
import pytest
from project import ROOT
from sklearn.metrics import average_precision_score

from fashionlib.cli import main
from fashionlib.core import code_hash as sources
from fashionlib.experiments.batch import _data_state, fingerprints, forget_missing, jobs_of, ledgers_of
from fashionlib.experiments.profile import load_profile

ALL = {"data", "train-whole", "train-fixed", "train-parser", "table1", "topk", "recommend", "diversity", "attention"}
PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.yaml"))
FIRST_CELL = '"from IPython.display import Markdown'


def test_a_batch_that_was_killed_is_completed_by_the_next_call(smoke):
    assert smoke.second_call.returncode == 0, smoke.second_call.stderr
    assert smoke.notebooks().keys() == ALL
    assert smoke.before_the_kill
    assert smoke.before_the_kill.items() <= smoke.notebooks().items(), "what had been done was done again"


def test_executed_notebooks_hold_figures_and_no_error_and_no_path(smoke):
    for name in ALL:
        text = (smoke.executed / f"{name}.ipynb").read_text()
        notebook = nbformat.reads(text, as_version=4)
        outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
        assert any({"image/png", "image/jpeg"} & {*out.get("data", {})} for out in outputs), name
        assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"], name
        assert str(smoke.home) not in text, name
        assert "papermill" not in text, name


def test_every_experiment_leaves_its_ledger(smoke):
    assert smoke.ledgers().keys() == {
        "table1", "topk_inshop", "topk_c2s", "attention", "diversity", "diversity_curve",
    }  # fmt: skip
    entries = json.loads(smoke.ledgers()["topk_c2s"])
    assert {entry["metric"] for entry in entries} == {*(f"top{k}" for k in range(1, 51)), "top20_over_fixed"}
    value = {(entry["method"], entry["metric"]): entry["value"] for entry in entries}
    gained = value["parser", "top20"] - value["fixed", "top20"]
    assert value["parser", "top20_over_fixed"] == pytest.approx(gained, abs=1e-9)


@pytest.mark.parametrize("method", ["prior", "whole", "parser"])
def test_scikit_learn_recomputes_the_ledger_from_the_kept_scores(smoke, method):
    path = smoke.home / "runs" / "smoke" / "table1" / method / "scores.npz"
    with np.load(path, allow_pickle=False) as kept:
        scores, targets = kept["scores"], kept["targets"]
    entries = json.loads(smoke.ledgers()["table1"])
    value = {entry["metric"]: entry["value"] for entry in entries if entry["method"] == method}
    each = [average_precision_score(t, s) for t, s in zip(targets.T, scores.T, strict=True) if t.any()]
    assert value["ap_all"] == pytest.approx(average_precision_score(targets.ravel(), scores.ravel()), abs=1e-6)
    assert value["map"] == pytest.approx(np.mean(each), abs=1e-6)


@pytest.mark.parametrize("metric", ["ap_all", "map"])
def test_what_ours_gains_over_fixed_regions_is_the_difference_of_their_rows(smoke, metric):
    entries = json.loads(smoke.ledgers()["table1"])
    value = {(entry["method"], entry["metric"]): entry["value"] for entry in entries}
    gained = value["parser", metric] - value["fixed", metric]
    assert value["parser", f"{metric}_over_fixed"] == pytest.approx(gained, abs=1e-9)


def test_a_second_call_runs_nothing_even_where_files_were_touched(smoke):
    before = smoke.notebooks()
    for folder in ("notebooks", "profiles", "fashionlib"):
        for path in (smoke.home / folder).rglob("*.*"):
            os.utime(path)
    done = smoke.batch("smoke")
    assert done.returncode == 0
    assert done.stdout.split("\n")[0] == "profile smoke: every notebook is up to date"
    assert smoke.notebooks() == before


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("profiles/smoke.yaml", "resamples: 50", "resamples: 51", ALL),
        ("notebooks/attention.ipynb", "## The answer", "## An answer", {"attention"}),
        ("notebooks/train.ipynb", "## The curves", "## Curves", ALL - {"data"}),
        ("fashionlib/experiments/topk.py", "def topk(", "# new\ndef topk(", {"topk", "recommend", "diversity"}),
        ("fashionlib/experiments/profile.py", "def load_profile(", "# new\ndef load_profile(", ALL),
        ("fashionlib/cli.py", "def tag(", "# new\ndef tag(", set()),
    ],
    ids=["profile", "notebook", "notebook-others-need", "experiment", "shared-code", "code-of-no-notebook"],
)
def test_what_changed_is_run_again_and_nothing_else(smoke, name, old, new, expected):
    with smoke.edited(name, old, new):
        assert smoke.outdated() == expected


def test_a_missing_notebook_or_ledger_is_made_again(smoke):
    ledger, notebook = smoke.home / "results" / "smoke" / "table1.json", smoke.executed / "data.ipynb"
    aside = [path.rename(path.with_suffix(".aside")) for path in (ledger, notebook)]
    stamps = smoke.home / "runs" / "smoke" / "stamps"
    kept = {path.name: path for path in stamps.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHIONLIB_HOME", str(smoke.home))
        forget_missing(load_profile("smoke"))
    gone = {name for name in kept if not kept[name].exists()}
    for path, back in zip(aside, (ledger, notebook), strict=True):
        path.rename(back)
    for name in gone:
        kept[name].touch()
    assert gone == {"table1.done", "data.done"}


def test_a_failed_notebook_fails_the_batch_alone_and_is_run_again_once_repaired(smoke):
    before, ledgers = smoke.notebooks(), smoke.ledgers()
    with (
        smoke.edited(
            "notebooks/table1.ipynb", FIRST_CELL, "\"raise ValueError('broken on purpose')\\n\",\n    " + FIRST_CELL
        ),
        smoke.edited("notebooks/data.ipynb", "## The answer", "## An answer"),
    ):
        done = smoke.batch("smoke")
        assert done.returncode not in (0, None)
        assert "error: notebook table1: ValueError: broken on purpose; its log: " in done.stdout
        assert done.stderr.startswith("error: profile smoke: not up to date: table1; see above")
        assert "Traceback" not in done.stdout + done.stderr
        after = smoke.notebooks()
        assert {name for name in ALL if after[name] != before[name]} == {"data"}
        assert "## An answer" in (smoke.executed / "data.ipynb").read_text()
        assert smoke.ledgers() == ledgers
    with smoke.edited("notebooks/data.ipynb", "## The answer", "## An answer"):
        assert smoke.batch("smoke").returncode == 0
    repaired = smoke.notebooks()
    assert {name for name in ALL if repaired[name] != after[name]} == {"table1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["smokey"],
            f"profiles/smokey.yaml: no such profile; choose one of {', '.join(PROFILES)}",
        ),
        (["ccp"], "profile ccp needs its data: add DATA=folder"),
        (["ccp", "--data", "nowhere"], "nowhere: no such folder"),
        (["ccp", "--data", "empty"], "empty"),
        (["smoke", "--seeds", "one"], "seeds 'one': expected whole numbers"),
        (["smoke", "--only", "tabel1"], "no notebook 'tabel1': data, train-whole"),
    ],
    ids=["profile", "no-data", "missing-data", "empty-data", "seeds", "notebook"],
)
def test_a_wrong_call_ends_in_one_line_and_leaves_nothing(tmp_path, monkeypatch, capfd, arguments, message):
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("sys.argv", ["fashionlib", "results", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("hashed", [1 << 29, 0], ids=["small", "large"])
def test_a_photo_that_changes_changes_what_depends_on_the_data(tmp_path, monkeypatch, hashed):
    """Another photo of the same size and time, too, as a copy that keeps times leaves it."""
    monkeypatch.setattr("fashionlib.experiments.batch.HASHED", hashed)
    (tmp_path / "photos").mkdir()
    photo = tmp_path / "photos" / "0001.jpg"
    photo.write_bytes(b"a")
    first = fingerprints("ccp", str(tmp_path), "")
    assert fingerprints("ccp", str(tmp_path), "") == first
    assert fingerprints("ccp", str(tmp_path), "3")["data"] != first["data"]
    state = photo.stat()
    (tmp_path / "other.jpg").write_bytes(b"b")
    os.utime(tmp_path / "other.jpg", ns=(state.st_atime_ns, state.st_mtime_ns))
    os.replace(tmp_path / "other.jpg", photo)
    assert photo.stat().st_mtime_ns == state.st_mtime_ns
    assert fingerprints("ccp", str(tmp_path), "")["data"] != first["data"]


def test_a_small_data_set_that_was_copied_runs_nothing_again(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0001.jpg").write_bytes(b"a")
        os.utime(tmp_path / name / "0001.jpg", ns=(len(name), hash(name)))
    one, two = (load_profile("ccp", data=tmp_path / name) for name in ("one", "two"))
    assert _data_state(one.folder) == _data_state(two.folder)


def test_a_truncated_notebook_or_ledger_is_named_and_made_again(smoke, monkeypatch, capsys):
    monkeypatch.setenv("FASHIONLIB_HOME", str(smoke.home))
    stamps = smoke.home / "runs" / "smoke" / "stamps"
    for path, job in ((smoke.executed / "data.ipynb", "data"), (smoke.home / "results/smoke/table1.json", "table1")):
        whole = path.read_bytes()
        path.write_bytes(whole[:200])
        forget_missing(load_profile("smoke"))
        path.write_bytes(whole)
        assert not (stamps / f"{job}.done").exists()
        assert capsys.readouterr().err == f"note: {path}: damaged; it is made again\n"
        (stamps / f"{job}.done").touch()


CHILD = """
import signal, sys
from fashionlib.experiments.batch import run
for number in (signal.SIGINT, signal.SIGHUP):  # which the tests themselves may have been told to ignore
    signal.signal(number, signal.SIG_DFL)
sys.exit(run([sys.executable, "-c", "import subprocess, sys, time\\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\\n"
    "print('started', flush=True); time.sleep(60)"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_signals_to_end_say_one_line_and_leave_no_child(number):
    """Sent to the whole group, as a terminal sends it; a notebook's kernel has a session of its own."""
    process = subprocess.Popen([sys.executable, "-c", CHILD], stdout=-1, stderr=-1, text=True, start_new_session=True)
    assert process.stdout.readline() == "started\n"
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2
    sent = time.monotonic()
    os.killpg(process.pid, signal.SIGINT) if number == signal.SIGINT else process.send_signal(number)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert told == "stopped: what is done is kept, and the same command goes on from there\n"
    _gone, alive = psutil.wait_procs(children, timeout=5)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    assert time.monotonic() - sent < 8


def test_a_profile_without_products_has_no_retrieval_notebook(tmp_path):
    profile = load_profile("ccp", data=tmp_path)
    everything = ALL | {"train-csra", "train-fixed-learned"}
    assert {job.name for job in jobs_of(profile)} == everything
    assert ledgers_of(profile, "topk") == ("topk_c2s",)  # nobody knows of a second photo of a garment in a shop
    assert {job.name for job in jobs_of(replace(profile, retrieval={}))} == everything - {"topk"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that hashes are taken of."""
    shutil.copytree(ROOT / "fashionlib", tmp_path / "fashionlib", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "PACKAGE", tmp_path / "fashionlib")
    return tmp_path / "fashionlib"


TABLE1 = "from fashionlib import plots\nfrom fashionlib.experiments.table1 import table1"


def test_a_change_of_the_figures_runs_the_notebooks_that_draw_them_again_and_no_others(package):
    asked = {"table1": sources.imported_modules(TABLE1), "training": ["fashionlib.training.loop"]}
    before = {name: sources.sources_hash(modules) for name, modules in asked.items()}
    with (package / "plots" / "figures.py").open("a") as file:
        file.write("# a change\n")
    assert sources.sources_hash(asked["table1"]) != before["table1"]
    assert sources.sources_hash(asked["training"]) == before["training"]
    with (package / "models" / "losses.py").open("a") as file:
        file.write("# a change\n")
    assert sources.sources_hash(asked["training"]) != before["training"]


def test_the_files_used_are_followed_through_imports_inside_functions_and_packages(package):
    (package / "one.py").write_text("def f():\n    from fashionlib.two import g\n    return g\n")
    (package / "two.py").write_text("import numpy, fashionlib.data.base\n")
    used = {path.relative_to(package).as_posix() for path in sources.files_used(["fashionlib.one"])}
    assert used == {"one.py", "two.py", "data/base.py", "core/errors.py"}
    cell = "%matplotlib inline\n!ls\nfrom fashionlib.one import f"
    assert sources.imported_modules(cell) == {"fashionlib.one"}
    assert sources.imported_modules("from fashionlib import one, two") == {"fashionlib.one", "fashionlib.two"}
    assert sources.imported_modules("from fashionlib import one, load_model") == {"fashionlib.one", "fashionlib"}


def test_lazy_exports_are_followed_whatever_their_names_are_computed_from():
    source = "attach(__name__, submod_attrs={'one': ['f', *NAMES], **more, 'two': names()})"
    assert sources._imports(source, "fashionlib.plots") == {"fashionlib.plots.one", "fashionlib.plots.two"}


def test_every_notebook_of_a_profile_has_a_fingerprint():
    assert fingerprints("smoke", "", "").keys() == ALL
