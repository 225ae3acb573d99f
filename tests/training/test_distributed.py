"""Several processes, really started: they learn, measure as one does, go on after a kill, and none hangs."""

import csv
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import lessons
import numpy as np
import pytest
import torch
from torch import nn

from fashionlib.core.errors import InputError
from fashionlib.data.supervision import Supervision
from fashionlib.experiments.methods import fit, run_folder
from fashionlib.experiments.profile import load_profile
from fashionlib.training.batches import _plans, batches
from fashionlib.training.checkpoint import State
from fashionlib.training.distributed import accelerator_here, start, wanted
from fashionlib.training.loop import _WithLoss
from fashionlib.training.options import TrainingOptions

TESTS = Path(__file__).parents[1]
PATH = os.pathsep.join([str(TESTS.parent), str(TESTS)])
KINDS = {
    "plain": ("plain", {}),
    "maps": ("maps", {"mixup": 0.4}),
    "photos": ("photos", {"shift": 0.2, "learning_rate": 1e-4}),  # trained trunks
    "lite0": ("lite0", {"learning_rate": 1e-4}),
    "parts": ("whole", {"micro_batch": 2}),
    **{name: (name, {}) for name in lessons.HEADS if name not in ("maps", "plain")},
}


@pytest.fixture(scope="module", autouse=True)
def as_in_processes():
    """One thread, as in the processes that are started, which find the tests' helpers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PATH)
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


def history(folder):
    with (folder / "history.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def two(tmp_path_factory, as_in_processes):
    """A folder in which two processes learned every kind."""
    folder = tmp_path_factory.mktemp("two")
    start(2, lessons.learn_and_keep, str(folder), KINDS)
    return folder


def test_two_processes_learn_as_one_does_where_nothing_depends_on_who_has_which_photo(two, tmp_path):
    lessons.learn(tmp_path, "plain")
    one, both = history(tmp_path), history(two / "plain")
    assert len(one) == len(both)
    assert one[-1]["classification"] < one[0]["classification"]
    for row, again in zip(one, both, strict=True):
        assert row == pytest.approx(again, abs=1e-5)


@pytest.mark.parametrize("name", [name for name in KINDS if name not in lessons.COMPARING])
def test_two_processes_learn_tags_with_every_kind_of_head_and_trunk(two, name):
    rows = history(two / name)
    assert rows[-1]["classification"] < rows[0]["classification"]


@pytest.mark.parametrize("name", [*KINDS])
def test_two_processes_measure_the_same_weights_exactly_as_one_does(two, name):
    """One process finds the run finished and only measures; it and each of the two have all photos, in order."""
    kind, options = KINDS[name]
    alone = lessons.learn(two / name, kind, **options)
    for number in range(2):
        both = np.load(two / name / f"seen-{number}.npz")
        assert set(both) == set(alone)
        for what in alone:
            np.testing.assert_array_equal(alone[what], both[what])


def test_a_run_of_two_that_was_killed_leaves_no_process_and_goes_on_in_one(tmp_path, monkeypatch):
    epochs = 400
    code = (
        "import lessons\n"
        "from fashionlib.training.distributed import start\n"
        "if __name__ == '__main__':\n"
        f"    kinds = {{'killed': ('maps', {{'epochs': {epochs}}})}}\n"
        f"    start(2, lessons.learn_and_keep, {str(tmp_path)!r}, kinds)\n"
    )
    script = tmp_path / "start.py"
    script.write_text(code)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, str(script)], stderr=log)
    rows, deadline = tmp_path / "killed" / "history.csv", time.monotonic() + 300
    while not rows.exists() or len(rows.read_text().splitlines()) < 4:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline, "no epoch in five minutes"
        time.sleep(0.02)
    process.kill()
    process.wait()
    workers = [int((tmp_path / f"process-{number}").read_text()) for number in range(2)]
    while any(runs(worker) for worker in workers):
        assert time.monotonic() < deadline + 60, "orphans go on"
        time.sleep(0.1)
    done = len(history(tmp_path / "killed"))
    assert done < epochs
    monkeypatch.setattr(State, "save", ending_after(done + 2))
    with pytest.raises(_Enough):
        lessons.learn(tmp_path / "killed", "maps", epochs=epochs)
    assert len(history(tmp_path / "killed")) == done + 2


def runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")  # one that ended and was not waited for is still there on Linux, as Z
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


class _Enough(Exception):
    """Ends a run after some epochs: the schedule spans all of them, and the rest is not trained here."""


def ending_after(epochs):
    saved = State.save

    def save(self, epoch, *rest):
        best = saved(self, epoch, *rest)
        if epoch == epochs:
            raise _Enough
        return best

    return save


def test_no_process_hangs_where_another_fails(tmp_path):
    with pytest.raises(InputError, match=r"^training in 2 processes failed: disk gone$"):
        start(2, lessons.fail_in_one, str(tmp_path))


def profile_in(home, monkeypatch):
    """A project in `home` that has one tiny profile."""
    (home / "profiles").mkdir(parents=True)
    smoke = (TESTS.parent / "profiles" / "smoke.yaml").read_text()
    (home / "profiles" / "smoke.yaml").write_text(smoke.replace("train: 64, val: 32", "train: 20, val: 10"))
    monkeypatch.setenv("FASHIONLIB_HOME", str(home))
    monkeypatch.setenv("FASHIONLIB_PROCESSES", "2")
    return load_profile("smoke")


def test_a_profiles_method_is_fitted_by_as_many_processes_as_asked_for(tmp_path, monkeypatch):
    profile = profile_in(tmp_path, monkeypatch)
    model = fit(profile, "whole")
    assert len(history(run_folder(profile, "whole", 0))) == profile.training.epochs
    monkeypatch.setenv("FASHIONLIB_PROCESSES", "1")
    again = fit(profile, "whole")  # finished: one process finds it so
    for weight, other in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=0)


def test_what_failed_in_a_process_is_said_in_one_line(tmp_path, monkeypatch):
    profile = profile_in(tmp_path, monkeypatch)
    profile = replace(profile, training=replace(profile.training, learning_rate=1e30))
    with pytest.raises(InputError, match=r"^training in 2 processes failed: .*nan.*$"):
        fit(profile, "whole")


def test_a_number_of_processes_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("FASHIONLIB_PROCESSES", "two")
    with pytest.raises(InputError, match="FASHIONLIB_PROCESSES=two: expected"):
        wanted(frozen=True)
    monkeypatch.setenv("FASHIONLIB_PROCESSES", "3")
    assert wanted(frozen=True) == 3
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one of several")
    assert wanted(frozen=False) == 1


@pytest.mark.parametrize("micro", [0, 3, 5])
@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_every_process_learns_in_the_same_number_of_parts_and_all_photos_are_learned_from_once(micro, processes):
    order, options = np.arange(43), TrainingOptions(batch=16, micro_batch=micro)
    plans = [
        list(_plans(order, options, np.random.default_rng(0), torch.Generator().manual_seed(0), number, processes))
        for number in range(processes)
    ]
    assert len({len(own) for own in plans}) == 1
    assert len({tuple(plan.last for plan in own) for own in plans}) == 1
    flat = [plan for own in plans for plan in own]
    assert sorted(np.concatenate([plan.photos for plan in flat])) == order.tolist()
    assert sum(plan.share for plan in flat) == pytest.approx(3)
    assert sum(plan.last for plan in flat) == 3 * processes
    if processes == 1 and micro:
        assert all(2 <= len(plan.photos) <= micro for plan in flat)
    for plan in flat:  # what is drawn goes with the photo, whoever learns it
        whole = torch.rand(43, 7, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(plan.draws, whole[plan.photos])


def gradients(micro, *, norms):
    """Of one batch of 16, learned in parts; norms: whether batch norms are in training."""
    inputs, targets = lessons.lesson_of("photos", 16)
    options = TrainingOptions(batch=16, micro_batch=micro)
    model = lessons.model_of("photos").train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):  # is drawn anew for each part
            module.eval()
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train(norms)
    lesson = _WithLoss(model, model.head, options)
    pieces = list(batches(inputs, Supervision(model.head, targets), options, 0, 0, accelerator_here()))
    assert len(pieces) == (-(-16 // micro) if micro else 1)
    for piece in pieces:
        (sum(lesson(piece.batch, piece.targets).values()) * piece.share).backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


def test_a_batch_learned_in_parts_gives_the_whole_batchs_gradients_but_for_batch_norm():
    torch.testing.assert_close(gradients(5, norms=False), gradients(0, norms=False), atol=1e-5, rtol=0)
    apart = (gradients(5, norms=True) - gradients(0, norms=True)).abs().max()
    assert apart > 1e-3  # a norm in training standardises by the part alone
