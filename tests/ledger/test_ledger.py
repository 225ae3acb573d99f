"""The ledger: what is written is what is read, and what is wrong is refused."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

import fashionlib
from fashionlib import metrics
from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.ledger import ledger as results

GIVEN = {
    "experiment": "table1",
    "profile": "quick",
    "dataset": "wardrobe",
    "split": "test",
    "split_hash": "0123456789ab",
    "method": "parser",
    "metric": "ap_all",
    "value": 0.1 + 0.2,
    "low": 0.25,
    "high": 0.35,
    "seeds": [0],
    "n": 420,
    "protocol": "scores",
    "seconds": 12.5,
}


def entry(**changes):
    return results.entry(**{**GIVEN, "commit": "v1", "versions": {"python": "3"}, "device": "CPU"} | changes)


def test_an_entry_says_where_it_was_made():
    made = results.entry(**GIVEN)
    assert made.commit
    assert made.device
    assert made.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert made.versions["numpy"] == np.__version__
    wanted = {
        "processor",
        "python",
        "torch",
        "timm",
        "numpy",
        "pillow",
        "scipy",
        "accelerate",
        "onnxruntime",
        "fashionlib",
    }
    assert wanted <= made.versions.keys()
    assert "not installed" not in made.versions.values()


def test_what_is_written_is_read_back_exactly(tmp_path):
    versus = {"method": "whole", "value": 0.07, "low": 0.05, "high": np.float64(0.09)}
    whole = entry(method="whole", low=None, high=None)
    parser = entry(value=np.float32(0.3), versus=versus, per_seed=(0.3,), counts={"gallery": np.int64(9)})
    path = results.write([whole, parser], tmp_path, "quick", "table1")
    assert path == tmp_path / "results" / "quick" / "table1.json"
    assert results.read(tmp_path, "quick", "table1") == [parser, whole]
    assert parser.versus == versus
    assert whole.value == 0.30000000000000004


def test_a_ledger_is_stable_and_reads_line_by_line(tmp_path):
    entries = [entry(metric=f"top{k}", method=m) for k in (10, 2, 1, 50) for m in ("parser", "whole")]
    path = results.write(entries, tmp_path, "quick", "table1")
    first = path.read_bytes()
    assert results.write(entries[::-1], tmp_path, "quick", "table1").read_bytes() == first
    rows = json.loads(first)
    assert [row["metric"] for row in rows[:4]] == ["top1", "top2", "top10", "top50"]
    assert '\n    "value": 0.30000000000000004,\n' in first.decode()
    assert "null" not in first.decode()
    assert first.endswith(b"]\n")
    assert os.listdir(path.parent) == ["table1.json"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": float("nan")}, "value is nan: expected a finite number"),
        ({"per_seed": ["0.3"]}, r"key per_seed.0: expected a number, got '0.3'"),
        ({"n": None}, "key n: expected a whole number, got None"),
        ({"versus": {"method": "whole", "high": np.inf}}, "versus high is inf"),
        ({"value": "0.5"}, "key value: expected a number, got '0.5'"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"method": "../parser"}, "key method: expected a name of letters.* got '../parser'"),
        ({"profile": "a/b"}, "key profile: expected a name of letters.* got 'a/b'"),
        ({"metric": ""}, "key metric: expected a name of letters.* got ''"),
        ({"low": 0.4}, "expected low <= high"),
        ({"low": None}, "or None for both"),
        ({"seeds": {0}}, "seeds is a set"),
        ({"per_seed": [0.3, 0.3]}, "2 values of 1 seeds"),
    ],
)
def test_an_entry_that_would_not_hold_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        entry(**changes)


def test_missing_fields_are_named():
    with pytest.raises(InputError, match="the key split_hash is missing"):
        results.entry(**{name: v for name, v in GIVEN.items() if name not in ("value", "split_hash")})


def test_a_refused_ledger_leaves_the_old_one_whole(tmp_path):
    path = results.write([entry()], tmp_path, "quick", "table1")
    before = path.read_bytes()
    unfit = dataclasses.replace(entry(), value=float("nan"))
    for wrong in ([], [entry(), entry()], [entry(profile="ccp")], [unfit]):
        with pytest.raises(InputError):
            results.write(wrong, tmp_path, "quick", "table1")
    with pytest.raises(InputError, match=r"experiment is '\.\./table1'"):
        results.write([entry()], tmp_path, "quick", "../table1")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["table1.json"]


def test_ledgers_that_are_missing_or_damaged_are_named(tmp_path):
    with pytest.raises(InputError, match=r"table1\.json does not exist: .*make results PROFILE=quick"):
        results.read(tmp_path, "quick", "table1")
    path = results.write([entry()], tmp_path, "quick", "table1")
    whole = path.read_text()
    for text, message in (
        (whole[:-20], "is not JSON"),
        ("[" * 500_000, "is not JSON"),
        ("{}", "is not a list of entries"),
        ("[]", "is not a list of entries"),
        (json.dumps(json.loads(whole) * 2), "a ledger holds each number once"),
        (whole.replace('"n"', '"m"'), "table1.json: a ledger's entry: (unknown key 'm'|the key n is missing)"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            results.read(tmp_path, "quick", "table1")


def test_find_gives_the_one_entry_or_says_what_there_is():
    entries = [entry(metric="map"), entry(), entry(method="whole")]
    assert results.find(entries, method="parser", metric="map") is entries[0]
    with pytest.raises(InputError, match=r"0 ledger .* method=prior.* wardrobe test whole ap_all \(scores\)"):
        results.find(entries, method="prior")
    with pytest.raises(InputError, match="2 ledger entries have metric=ap_all"):
        results.find(entries, metric="ap_all")
    with pytest.raises(InputError, match="no field methods"):
        results.find(entries, methods="parser")


def test_scores_on_disk_give_the_metric_to_any_software(tmp_path):
    rng = np.random.default_rng(0)
    scores, targets = (
        rng.normal(size=(30, 4)).astype(np.float32),
        (rng.random((30, 4)) < 0.3).astype(np.uint8),
    )
    ids, labels = [f"photo {i} é" for i in range(30)], ("dress", "boots", "hat", "belt")
    path = results.write_scores(tmp_path / "parser", torch.tensor(scores), targets, ids, labels)
    with np.load(path, allow_pickle=False) as stored:
        assert sorted(stored) == ["ids", "labels", "scores", "targets"]
        assert stored["ids"].dtype.kind == "U"
        assert stored["scores"].dtype == np.float32
        expected = average_precision_score(stored["targets"].ravel(), stored["scores"].ravel())
        assert metrics.average_precision_all(stored["scores"], stored["targets"]) == pytest.approx(expected, abs=1e-12)
        assert stored["ids"].tolist() == ids
        assert tuple(stored["labels"]) == labels
    again = results.write_scores(tmp_path / "again", scores, targets, ids, labels)
    assert again.read_bytes() == path.read_bytes()


def test_half_precision_scores_are_kept_as_they_are(tmp_path):
    scores = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).bfloat16()
    path = results.write_scores(tmp_path, scores, np.ones((3, 2)), ["a", "b", "c"], ["x", "y"])
    with np.load(path, allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["scores"], scores.float().numpy())


def test_scores_that_do_not_fit_are_refused_and_leave_nothing(tmp_path):
    good = {"scores": np.ones((2, 2)), "targets": np.eye(2), "ids": ["a", "b"], "labels": ["x", "y"]}
    for change, message in (
        ({"ids": ["a"]}, "scores have shape"),
        ({"ids": ["a", "a"]}, "ids repeat"),
        ({"targets": np.ones((2, 3))}, "targets have shape"),
        ({"scores": np.full((2, 2), np.nan)}, "scores are not all finite"),
    ):
        with pytest.raises(InputError, match=message):
            results.write_scores(tmp_path, **(good | change))
    assert os.listdir(tmp_path) == []


def write_half(path):
    with written_aside(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_a_file_whose_writing_fails_is_not_seen(tmp_path):
    path = tmp_path / "kept.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["kept.json"]


def commit_of(root):
    """What a copy of the package in `root` says of its commit."""
    code = "from fashionlib.ledger.provenance import commit; print(commit())"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def git(root, *command):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(root), *identity, *command], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_that_of_the_sources_and_says_when_they_changed(tmp_path):
    package = tmp_path / "fashionlib"
    package.mkdir()
    for name in ("core/errors.py", "ledger/provenance.py"):
        (package / name).parent.mkdir()
        shutil.copy(Path(fashionlib.__path__[0]) / name, package / name)
    (package / "__init__.py").touch()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table1.json").write_text("[]")
    assert commit_of(tmp_path) == "unknown"
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path) == "unknown"  # somebody else's repository
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    git(tmp_path, "tag", "v1")
    assert commit_of(tmp_path) == "v1"
    (tmp_path / "results" / "table1.json").write_text("[1]")
    assert commit_of(tmp_path) == "v1"
    (package / "core" / "errors.py").write_text("changed = True\n")
    assert commit_of(tmp_path) == "v1+changes"


def test_a_value_far_outside_its_own_interval_is_refused():
    """Seen to be printed in the book: 0.999 with 0.760 to 0.783."""
    with pytest.raises(InputError, match="lies outside its interval"):
        entry(value=0.999, low=0.760, high=0.783)
