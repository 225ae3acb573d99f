"""The package installed alone, without its repository: it recommends, and says what needs the repository."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from wardrobefolder import drawn_folder

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Calls the command line of a wheel built from the sources, in a folder where nothing of the repository is."""
    pytest.importorskip("setuptools")
    sources, place = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "fashionlib", sources / "fashionlib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    build = "from setuptools.build_meta import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, place], cwd=sources, check=True, capture_output=True)
    zipfile.ZipFile(next(place.glob("*.whl"))).extractall(place)
    shutil.rmtree(sources)
    environment = {name: value for name, value in os.environ.items() if name != "FASHIONLIB_HOME"}

    def call(*words, without=()):
        hidden = f"import sys; sys.modules.update(dict.fromkeys({without!r})); from fashionlib.cli import main; main()"
        command = [sys.executable, "-W", "ignore", "-c", hidden, *map(str, words)]
        environment["PYTHONPATH"] = str(place)
        return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)

    return call


def test_it_indexes_and_recommends_with_the_model_that_comes_with_it(installed, tmp_path):
    photos = drawn_folder(tmp_path / "photos", 3)
    done = installed("recommend", photos / "000.png", "--in", photos, "--out", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").stat().st_size > 10_000


@pytest.mark.parametrize("without", [(), ("nbformat", "papermill", "snakemake")], ids=["all", "no extras"])
@pytest.mark.parametrize("words", [("verify", "--profile", "quick"), ("results", "quick")], ids=["verify", "results"])
def test_what_needs_the_repository_says_so_in_one_line(installed, words, without):
    done = installed(*words, without=without)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "come with the repository" in done.stderr
