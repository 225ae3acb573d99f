"""Shapes and types of fashionlib's functions are checked while tests run, and only then."""

import os
from pathlib import Path

from jaxtyping import install_import_hook

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("FASHIONLIB_HOME", str(Path(__file__).resolve().parents[1]))
hook = install_import_hook("fashionlib", "beartype.beartype")

import pytest  # noqa: E402
from project import Project  # noqa: E402

CCP = Path(__file__).resolve().parents[2] / "shared" / "data" / "ccp"


@pytest.fixture
def ccp_root() -> Path:
    """The real photos, where they are at hand."""
    root = Path(os.environ.get("FASHIONLIB_CCP", CCP))
    if not root.is_dir():
        pytest.skip("the CCP photos are not here; set FASHIONLIB_CCP to their folder")
    return root


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Project:
    """A copy of the project whose profile `smoke` was run: killed in the middle, then called again."""
    project = Project(tmp_path_factory.mktemp("project") / "home")
    project.start_and_kill()
    project.second_call = project.batch("smoke")
    return project
