"""The profile `paper` from end to end on miniatures of all its data sets, and what is where when some are missing."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from project import ROOT

from fashionlib.core.errors import InputError
from fashionlib.data import load
from fashionlib.data.published.miniature import write_miniatures
from fashionlib.experiments.batch import jobs_of, make_results, notices
from fashionlib.experiments.methods import fit, inputs_of, photos_of, run_folder
from fashionlib.experiments.profile import load_profile
from fashionlib.ledger import ledger
from fashionlib.models.tagger import load_model
from fashionlib.training.loop import predict

TAGGERS = {"prior", "inoue-baseline", "stylenet", "whole", "csra", "parser-paper", "parser-released", "parser"}
BY_PRODUCT = {"siamese", "triplet", "wtbi", "darn", "fashionnet"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One root with a miniature of every published set."""
    return write_miniatures(tmp_path_factory.mktemp("root"), photos=24)[0].parent


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A project in which the notebooks of every job of `paper-smoke` ran."""
    home = tmp_path_factory.mktemp("paper")
    for name in ("notebooks", "profiles"):
        shutil.copytree(ROOT / name, home / name)
    command = [sys.executable, ROOT / "tests" / "notebooks_at_once.py", "paper-smoke", data]
    environment = {**os.environ, "FASHIONLIB_HOME": str(home), "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return home


@pytest.fixture
def paper(run, data, monkeypatch):
    monkeypatch.setenv("FASHIONLIB_HOME", str(run))
    return load_profile("paper-smoke", data=data)


def test_table_1_has_every_row_on_both_tagging_sets(run):
    with_verified = TAGGERS | {"veit", "inoue"}
    for name, dataset, methods in (
        ("paper-smoke", "fashion144k", TAGGERS), ("paper-smoke@fashion550k", "fashion550k", with_verified),
    ):  # fmt: skip
        entries = ledger.read(run, name, "table1")
        assert {entry.dataset for entry in entries} == {dataset}
        assert {entry.method for entry in entries} == methods


@pytest.mark.parametrize(("task", "dataset"), [("inshop", "deepfashion_inshop"), ("c2s", "deepfashion_c2s")])
def test_fig_3_has_what_was_trained_on_fashion144k_beside_what_was_trained_on_deepfashion(run, task, dataset):
    entries = ledger.read(run, "paper-smoke", f"topk_{task}")
    assert {entry.dataset for entry in entries} == {dataset}
    trained = {entry.method: entry.protocol.rpartition("; trained on ")[2] for entry in entries}
    assert trained == {**dict.fromkeys(TAGGERS - {"prior"}, "fashion144k"), **dict.fromkeys(BY_PRODUCT, dataset)}


@pytest.mark.parametrize("task", ["inshop", "c2s"])
def test_hits_of_every_method_are_those_of_a_loop_over_all_photos(run, paper, task):
    """Features as the model gives them; distances, ranks and hits by hand."""
    where = paper.retrieving(task)
    query, gallery = (photos_of(where, f"{task}_{side}") for side in ("query", "gallery"))
    entries = ledger.read(run, "paper-smoke", f"topk_{task}")
    measured = {(entry.method, entry.metric): entry.value for entry in entries}
    for method, trainer in paper.rankers(task).items():
        model = fit(trainer, method)
        ours, theirs = (predict(model, inputs_of(trainer, side), mirror=False) for side in (query, gallery))
        ranks = [first_ranks(ours, theirs, row, query.products[row], gallery.products) for row in range(len(query))]
        for k in (1, 3, 10, 20):
            low, high = (np.mean(np.array(each) <= k) for each in zip(*ranks, strict=True))
            assert high - 1e-9 <= measured[method, f"top{k}"] <= low + 1e-9, (method, k)


def first_ranks(query, gallery, row, product, products):
    """Of the first right photo: where all that are as far away, to four digits, stand behind it, and before it."""
    apart = np.array([distance(query, gallery, row, other) for other in range(len(products))])
    right = np.array([other == product for other in products])
    if not right.any():
        return np.inf, np.inf
    nearest, others = apart[right].min(), apart[~right]
    return 1 + (others < nearest * (1 - 1e-4)).sum(), 1 + (others <= nearest * (1 + 1e-4)).sum()


def distance(query, gallery, row, other):
    if query.steps is None:
        ours, theirs = query.features[row, 0].astype(float), gallery.features[other, 0].astype(float)
        return np.linalg.norm(ours / np.linalg.norm(ours) - theirs / np.linalg.norm(theirs))
    total = weights = 0.0
    for label in range(query.scores.shape[1]):
        ours = query.features[row, query.steps[row, :, label].argmax()].astype(float)
        theirs = gallery.features[other, gallery.steps[other, :, label].argmax()].astype(float)
        weight = (float(query.scores[row, label]) * float(gallery.scores[other, label])) ** 0.5
        total, weights = total + weight * np.linalg.norm(ours - theirs), weights + weight
    return total / weights


def test_what_ranks_deepfashion_learned_from_fashion144k_alone(data, tmp_path, monkeypatch, paper):
    """Trained where there is no photo of DeepFashion, it has the same weights, bit by bit."""
    shutil.copytree(data / "fashion144k", tmp_path / "root" / "fashion144k", copy_function=shutil.copy2)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    trained = load_model(run_folder(paper, "parser-paper", 0)).state_dict()
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    alone = load_profile("paper-smoke", data=tmp_path / "root")
    assert alone.absent.keys() == {"fashion550k", "deepfashion_inshop", "deepfashion_c2s"}
    again = fit(alone, "parser-paper").state_dict()
    assert all((again[name] == weights).all() for name, weights in trained.items())


def test_items_to_validate_with_are_none_that_are_trained_on(data):
    root = data / "deepfashion_inshop"
    whole, train, val = (
        load("deepfashion_inshop", root, split, **options)
        for split, options in (("train", {}), ("train", {"held_out": 0.3}), ("val", {"held_out": 0.3}))
    )
    items = [{one[number].product for number in range(len(one))} for one in (whole, train, val)]
    assert sorted([*train.ids, *val.ids]) == sorted(whole.ids)
    assert not items[1] & items[2]
    assert len(items[2]) == round(0.3 * len(items[0]))
    with pytest.raises(InputError, match="no split 'val'"):
        load("deepfashion_inshop", root, "val")


def test_what_is_not_on_disk_is_named_with_where_to_ask_and_the_rest_is_made(data, tmp_path):
    for name in ("fashion550k", "deepfashion_c2s"):
        (tmp_path / name).symlink_to(data / name)
    profile = load_profile("paper-smoke", data=tmp_path)
    reported = notices(profile)
    assert len(reported) == 2
    assert all(one.startswith("not on disk: ") and "ask for the data at http" in one for one in reported)
    assert {job.part for job in jobs_of(profile)} == {"fashion550k", "deepfashion_c2s"}
    named = ",".join(f"{name}={data / name}" for name in ("fashion144k", "deepfashion_inshop"))
    profile = load_profile("paper-smoke", data=named)
    assert Path(profile.folder) == data / "fashion144k"
    assert {*profile.retrieval} == {"inshop"}
    assert {job.part for job in jobs_of(profile)} == {"", "deepfashion_inshop"}


def test_what_a_data_set_cannot_give_is_left_out_before_anything_is_trained(data, tmp_path):
    profile = replace(load_profile("paper-smoke", data=data).on("deepfashion_inshop"), retrieval={"inshop": {}})
    assert [job.name for job in jobs_of(profile) if job.notebook != "train"] == ["data", "topk"]
    reported = notices(profile)
    assert reported == [
        "left out: attention, diversity, recommend, table1: deepfashion_inshop has no test photos with tags"
    ]


def test_methods_that_a_data_set_has_nothing_to_teach_are_left_out_and_said(data, tmp_path):
    path = tmp_path / "mine.yaml"
    kinds = ("whole", "veit", "inoue", "wtbi", "fashionnet")
    methods = ", ".join(f"{kind}: {{kind: {kind}}}" for kind in kinds)
    reported = {}
    for name in ("fashion144k", "fashion550k", "deepfashion_c2s"):
        path.write_text(f"data: {{name: {name}}}\nmethods: {{{methods}}}\n")
        profile = load_profile(str(path), data=data)
        reported[name] = {*profile.methods}, notices(profile)[0] if profile.lacking else ""
    assert reported["fashion144k"][0] == {"whole"}
    assert reported["fashion550k"][0] == {"whole", "veit", "inoue"}
    assert reported["deepfashion_c2s"][0] == {"whole", "wtbi", "fashionnet"}
    assert reported["deepfashion_c2s"][1] == "left out: veit, inoue: deepfashion_c2s has no verified tags to learn from"


def test_a_part_is_a_profile_by_itself(data):
    part = load_profile("paper-smoke@fashion550k", data=data)
    assert part == load_profile("paper-smoke", data=data).on("fashion550k")
    assert {*part.methods} == TAGGERS | {"veit", "inoue"}
    with pytest.raises(InputError, match="has no data set 'ccp'"):
        load_profile("paper-smoke@ccp", data=data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retrieval: {inshop: {crop: true}}", "name the data set, such as data: deepfashion_inshop"),
        ("methods: {x: {kind: whole, data: [ccp]}}", "method x, key data: got 'ccp'; choose one of wardrobe"),
        ("like: nothing", "key like: got 'nothing'; there are none here"),
    ],
)
def test_a_wrong_data_set_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text("data: {name: wardrobe}\n" + ("" if "methods" in text else "methods: {y: {kind: whole}}\n") + text)
    with pytest.raises(InputError, match=re.escape(message)):
        make_results(str(path))
