"""Shapes and types of fashionlib's functions are checked while tests run, and only then."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from jaxtyping import install_import_hook

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("FASHIONLIB_HOME", str(Path(__file__).resolve().parents[1]))
hook = install_import_hook("fashionlib", "beartype.beartype")

import pytest  # noqa: E402
from handmade import write_ccp  # noqa: E402
from project import Project  # noqa: E402

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CCP = Path(__file__).resolve().parents[2] / "shared" / "data" / "ccp"


def pytest_collection_modifyitems(items):
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU"))


@pytest.fixture
def call(monkeypatch, capsys):
    """The command with these words: exit code, standard output, standard error."""
    from fashionlib.cli import main

    def called(*words):
        monkeypatch.setattr(sys, "argv", ["fashionlib", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return called


@pytest.fixture
def ccp_root() -> Path:
    """The real photos, where they are at hand."""
    root = Path(os.environ.get("FASHIONLIB_CCP", CCP))
    if not root.is_dir():
        pytest.skip("the CCP photos are not here; set FASHIONLIB_CCP to their folder")
    return root


@pytest.fixture
def ccp(tmp_path) -> Path:
    """A hand-made CCP of 20 photos: 10 with masks (skin above, dress below), 10 with tags (bag)."""
    return write_ccp(tmp_path)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Project:
    """A copy of the project whose profile `smoke` was run: killed in the middle, then called again."""
    project = Project(tmp_path_factory.mktemp("project") / "home")
    project.start_and_kill()
    project.second_call = project.batch("smoke")
    return project


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The published book, built once from what is tracked, into a folder of its own."""
    pytest.importorskip("jupyter_book", reason="the extra 'book' is not installed")
    parsing = pytest.importorskip("sphinx_external_toc.parsing")
    runs = [page for page in parsing.parse_toc_yaml(ROOT / "_toc.yml") if page.startswith("runs/")]
    missing = [page for page in runs if not (ROOT / "book" / f"{page}.ipynb").is_file()]
    if missing:
        pytest.skip(f"not executed yet: {', '.join(missing)}; make results PROFILE=wardrobe")
    out = tmp_path_factory.mktemp("book")
    command = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        ROOT / "book",
        "-W",
        "--keep-going",
        "--path-output",
        out,
    ]
    environment = {name: value for name, value in os.environ.items() if name != "FASHIONLIB_PROFILE"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out / "_build" / "html"


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the extra 'test' is not installed")
    if not CHROMIUM:
        pytest.skip("no Chromium is installed: apt-get install chromium, or brew install chromium")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()
