"""Which chapters the book of a profile has."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fashionbook import site, widget_data
from fashionbook.site import contents_of

from fashionlib.ledger import ledger as results

ROOT = Path(__file__).parents[2]

CHAPTERS = ("method", "runs/wardrobe/table1", "runs/wardrobe/topk", "runs/ablation-ccp/ablation")


def test_a_profiles_book_has_its_own_runs_and_those_published_of_no_other_in_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    (tmp_path / "profiles").mkdir()
    chapters = [{"file": name} for name in CHAPTERS]
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump({"root": "index", "parts": [{"chapters": chapters}]}))
    for run in ("quick/table1", "ablation-ccp/ablation"):  # quick has no topk
        path = tmp_path / "book" / "runs" / f"{run}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    kept = [chapter["file"] for chapter in contents_of("quick")["parts"][0]["chapters"]]
    assert kept == ["method", "runs/quick/table1", "runs/ablation-ccp/ablation"]


@pytest.fixture
def quick(tmp_path) -> Path:
    """The project with the ledger of `quick` as `make book` leaves it; its photos to touch are the wardrobe's."""
    without = shutil.ignore_patterns("_build", "__pycache__", "quick")
    for name in ("book", "fashionlib", "notebooks", "profiles", "results", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=without)
    for path in (path for path in ROOT.iterdir() if path.is_file()):
        shutil.copy(path, tmp_path)
    there = tmp_path / "results" / "quick"
    shutil.copytree(ROOT / "results" / "quick", there, ignore=shutil.ignore_patterns("touch"))
    shutil.copytree(ROOT / "results" / "wardrobe" / "touch", there / "touch")
    ledger = results.find(results.read(tmp_path, "quick", widget_data.KEPT["experiment"]), **widget_data.KEPT)
    for path in (there / "touch").glob("*.json"):
        content = json.loads(path.read_text())
        content["run"].update(profile="quick", split_hash=ledger.split_hash, kept=ledger.value, seed=ledger.seeds[0])
        path.write_text(json.dumps(content))
    return tmp_path


def test_the_book_of_the_small_run_is_built_without_a_warning_and_once(quick, monkeypatch):
    """As `make book` does it: every page stands without the methods and runs that only the published profile has."""
    pytest.importorskip("jupyter_book", reason="the extra 'book' is not installed")
    command = [sys.executable, "-m", "fashionbook.site", "quick"]
    environment = {
        **os.environ,
        "FASHIONLIB_HOME": str(quick),
        "PYTHONPATH": f"{quick}{os.pathsep}{quick / 'book' / '_ext'}",
    }
    done = subprocess.run(command, cwd=quick, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    front = quick / "book/_build/html/index.html"
    assert "not run" in front.read_text()
    before = front.stat().st_mtime_ns
    again = subprocess.run(command, cwd=quick, env=environment, capture_output=True, text=True, check=True)
    assert "up to date" in again.stdout
    assert front.stat().st_mtime_ns == before
    monkeypatch.setenv("FASHIONLIB_HOME", str(quick))
    built, contents = (quick / "book/_build/built.txt").read_text(), contents_of("quick")
    assert site._state(contents) == built
    for changed in (quick / "book/glossary.md", quick / "results/quick/table1.json", front):
        text = changed.read_text()
        changed.write_text(text + "\n")
        assert site._state(contents) != built, changed
        changed.write_text(text)
