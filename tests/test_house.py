"""The house itself: what is installed, what is tracked, how large things grew."""

import ast
import json
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "fashionlib").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_environment_yml_installs_what_pyproject_names():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *optional["book"], *optional["test"]]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    assert sorted(pip) == sorted([*wanted, "--editable=."])


def test_the_lock_holds_every_package_that_pyproject_names_in_the_versions_of_the_published_numbers():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 and "/" not in line for line in lines)  # no address of a registry or a machine
    pinned = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    for wanted in map(Requirement, [*project["dependencies"], *optional["book"], *optional["test"]]):
        assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), wanted
    made = json.loads((ROOT / "results" / "wardrobe" / "table1.json").read_text())[0]["versions"]
    for name in ("torch", "torchvision", "timm", "numpy"):
        assert pinned[name] == made[name]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_files_stay_under_350_lines_and_functions_under_50(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 50, f"{node.name} is too long"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_have_parameters_no_outputs_and_define_nothing_of_the_method(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].source.startswith("# ")
    assert "?" in notebook.cells[0].source  # the title is the field's name, or the question itself
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    assert tags.count("parameters") == 1
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}
            assert not kinds & {ast.ClassDef, ast.While}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_cell_that_trains_measures_or_writes_is_shown(path):
    writes = {"ablation", "attention", "diversity", "table1", "topk", "fit", "looks_of", "recommender", "own_gallery"}
    called = set()
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and {"hide-input", "remove-input"} & {*cell.metadata.get("tags", [])}:
            calls = (node.func for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call))
            called |= {call.id for call in calls if isinstance(call, ast.Name)}
    assert not called & writes


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_photo_no_large_file_and_no_machine_path_is_tracked():
    for path in tracked():
        assert path.suffix.lower() not in {".jpg", ".jpeg", ".pt", ".pth", ".pkl"}, path
        assert path.stat().st_size < 10_000_000, path
        if path.suffix in {".py", ".md", ".ipynb", ".json", ".yml", ".yaml", ".toml"} and path != Path(__file__):
            text = path.read_text()
            assert "/work/" not in text, path
            assert "/tmp/" not in text, path


def test_executed_notebooks_in_the_book_are_small_and_hold_no_error():
    for path in sorted((ROOT / "book" / "runs").glob("wardrobe/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error", path
                for kind, content in output.get("data", {}).items():
                    large = kind.startswith("image/") and len(content) > 1_400_000  # 1 MB in base64
                    assert not large, f"{path}: {kind}"


def test_make_clean_leaves_what_is_the_users(tmp_path):
    """Seen to remove a photo that lay in book/runs, and the ledger of a profile called paper-smoke-mine."""
    for name in ("Makefile", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    kept = {"results/paper-smoke-mine/a.json", "book/runs/mine/photo.jpg", "photo.jpg", "profiles/mine.yaml"}
    gone = {"results/paper-smoke@ccp/a.json", "results/smoke/a.json", "book/runs/my own/a b.ipynb", "runs/x/last.pt"}
    for name in kept | gone:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["make", "-s", "clean"], cwd=tmp_path, check=True)
    assert {name for name in kept | gone if (tmp_path / name).exists()} == kept
