"""nbval over every notebook as it stands, and strictly over the one whose outputs must repeat."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SANITISE = ROOT / "tests" / "nbval_sanitise.cfg"


def run(*arguments, home=ROOT):
    environment = {
        **os.environ,
        "PYTHONWARNINGS": "ignore",
        "FASHIONLIB_HOME": str(home),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=environment, text=True, capture_output=True, check=False
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project folder of its own, so that testing writes nothing into this one."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("profiles", "notebooks"):
        (folder / name).symlink_to(ROOT / name)
    return folder


NBVAL = ("pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider", "--override-ini=addopts=")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_with_its_default_parameters(home, path):
    result = run(*NBVAL, "--nbval-lax", str(path), home=home)
    assert result.returncode == 0, result.stdout[-3000:]
    assert "passed" in result.stdout


def test_the_data_notebook_gives_the_same_output_again(home, tmp_path):
    executed = tmp_path / "data.ipynb"
    first = run("papermill", str(ROOT / "notebooks" / "data.ipynb"), str(executed), "--no-progress-bar", home=home)
    assert first.returncode == 0, first.stderr[-3000:]
    again = run(*NBVAL, "--nbval", "--nbval-sanitize-with", str(SANITISE), str(executed), home=home)
    assert again.returncode == 0, again.stdout[-3000:]
