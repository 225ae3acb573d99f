"""Several processes, really started: they learn and measure as one does, go on after a kill, and none hangs."""

import csv
import json
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
from fashionlib.data.supervision import Lesson
from fashionlib.experiments.methods import fit, run_folder
from fashionlib.experiments.profile import load_profile
from fashionlib.training.batches import _plans, batches
from fashionlib.training.checkpoint import State
from fashionlib.training.launch import accelerator_here, wanted
from fashionlib.training.loop import _Taught
from fashionlib.training.options import TrainingOptions
from fashionlib.training.sharing import Share

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}", "OMP_NUM_THREADS": "1"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
KINDS = {
    "maps": ("maps", {"mixup": 0.4}),  # of a frozen trunk; the parser's norm is 2d and has no weights
    "whole": ("whole", {}),  # a 1d norm with weights
    # Trained trunks: the paper's, photos moved about, and timm's norms, which hold their activation. In single
    # precision and at a usual rate their curves part in the fourth digit of the first epoch: rounding errors, which
    # Adam, moving a weight by its whole rate whichever way it points, makes large. Not so in double precision.
    "photos": ("photos", {"shift": 0.2, "learning_rate": 1e-6}),
    "lite0": ("lite0", {"learning_rate": 1e-6}),
    "photos-exact": ("photos", {"shift": 0.2, "exact": True}),
    "lite0-exact": ("lite0", {"exact": True}),
    "parts": ("whole", {"micro_batch": 2}),
    **{name: (name, {}) for name in lessons.HEADS if name not in ("maps", "whole")},
}


@pytest.fixture(autouse=True)
def one_thread():
    """As in the processes that are started: another number of threads adds up in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def command(folder, **kinds):
    return [*TORCHRUN, str(HERE / "lessons.py"), str(folder), json.dumps(kinds)]


def history(folder):
    with (folder / "history.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def assert_same_curve(one, other, *, validation=1e-5):
    assert len(one) == len(other)
    for row, again in zip(one, other, strict=True):
        for name in row:
            assert row[name] == pytest.approx(again[name], abs=validation if name.startswith("val_") else 1e-5), name


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A folder in which two processes learned every kind."""
    folder = tmp_path_factory.mktemp("two")
    done = subprocess.run(command(folder, **KINDS), env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", [name for name in KINDS if name != "parts"])
def test_two_processes_learn_as_one_does(two, tmp_path, name):
    kind, options = KINDS[name]
    lessons.learn(tmp_path, kind, **options)
    one, compares = history(tmp_path), name in lessons.COMPARING
    if compares:  # what they rank shapes the descriptor; tags may get worse meanwhile
        assert one[-1]["classification"] != pytest.approx(one[0]["classification"], abs=1e-3)
    elif options.get("learning_rate") != 1e-6:
        assert one[-1]["classification"] < one[0]["classification"]
    # AP jumps where two scores that are nearly equal change places, as those of some descriptors do
    assert_same_curve(one, history(two / name), validation=1e-2 if compares else 1e-5)


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


def test_a_run_of_two_that_was_killed_goes_on_in_one_process(tmp_path, monkeypatch):
    epochs = 400
    with (tmp_path / "log").open("w") as log:
        words = command(tmp_path, killed=("maps", {"epochs": epochs}))
        process = subprocess.Popen(words, env=ENVIRONMENT, stderr=log)
    rows, deadline = tmp_path / "killed" / "history.csv", time.monotonic() + 300
    while not rows.exists() or len(rows.read_text().splitlines()) < 4:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline, "no epoch in five minutes"
        time.sleep(0.02)
    process.kill()  # torchrun alone: its processes have a session of their own, and notice by themselves
    process.wait()
    workers = [int((tmp_path / f"process-{number}").read_text()) for number in range(2)]
    while any(runs(worker) for worker in workers):
        assert time.monotonic() < deadline + 60, "orphans go on"
        time.sleep(0.1)
    done = len(history(tmp_path / "killed"))
    assert done < epochs
    monkeypatch.setattr(State, "save", ending_after(done + 2))
    for name in ("killed", "whole"):
        with pytest.raises(_Enough):
            lessons.learn(tmp_path / name, "maps", epochs=epochs)
    assert len(history(tmp_path / "killed")) == done + 2
    assert_same_curve(history(tmp_path / "whole"), history(tmp_path / "killed"))


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
    script = tmp_path / "fails.py"
    script.write_text(
        "import os, sys, lessons\n"
        "from pathlib import Path\n"
        "from fashionlib.training.inputs import MapInputs\n"
        "class Broken(MapInputs):\n"
        "    def read(self, indices, views):\n"
        "        if os.environ['RANK'] == '1' and 20 in indices: raise OSError('disk gone')\n"
        "        return super().read(indices, views)\n"
        "make = lessons.lesson_of\n"
        "lessons.lesson_of = lambda kind: (Broken(make(kind)[0].maps), make(kind)[1])\n"
        "lessons.main(Path(sys.argv[1]), {'fails': ('maps', {'epochs': 50})})\n"
    )
    words = [*TORCHRUN, str(script), str(tmp_path)]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0
    assert "disk gone" in done.stderr


def profile_in(home, monkeypatch):
    """A project in `home` that has one tiny profile."""
    (home / "profiles").mkdir(parents=True)
    smoke = (HERE.parent / "profiles" / "smoke.yaml").read_text()
    (home / "profiles" / "smoke.yaml").write_text(smoke.replace("train: 64, val: 32", "train: 20, val: 10"))
    monkeypatch.setenv("FASHIONLIB_HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    monkeypatch.setenv("FASHIONLIB_PROCESSES", "2")
    return load_profile("smoke")


def test_a_profiles_method_is_fitted_by_as_many_processes_as_asked_for(tmp_path, monkeypatch):
    profile = profile_in(tmp_path, monkeypatch)
    model = fit(profile, "whole")
    folder = run_folder(profile, "whole", 0)
    assert len(history(folder)) == profile.training.epochs
    assert (folder / "processes.log").exists()
    monkeypatch.setenv("FASHIONLIB_PROCESSES", "1")
    (folder / "processes.log").unlink()
    again = fit(profile, "whole")  # finished: one process finds it so
    for weight, other in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=0)


def test_what_failed_in_a_process_is_said_in_one_line(tmp_path, monkeypatch):
    profile = profile_in(tmp_path, monkeypatch)
    profile = replace(profile, training=replace(profile.training, learning_rate=1e30))
    with pytest.raises(InputError, match=r"training whole in 2 processes failed: .*nan"):
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
    for pieces in zip(*plans, strict=True):  # what all processes are fed at once
        assert {piece.together for piece in pieces} == {sum(len(piece.photos) for piece in pieces)}
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
    lesson = _Taught(model, model.head, options, False, Share(0, 1))
    pieces = list(batches(inputs, Lesson(model.head, targets), options, 0, 0, accelerator_here()))
    assert len(pieces) == (-(-16 // micro) if micro else 1)
    for piece in pieces:
        (sum(lesson(piece.batch, piece.targets).values()) * piece.share).backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


def test_a_batch_learned_in_parts_gives_the_whole_batchs_gradients_but_for_batch_norm():
    torch.testing.assert_close(gradients(5, norms=False), gradients(0, norms=False), atol=1e-5, rtol=0)
    apart = (gradients(5, norms=True) - gradients(0, norms=True)).abs().max()
    assert apart > 1e-3  # a norm in training standardises by the part alone


def test_a_run_in_parts_learns(two):
    rows = history(two / "parts")
    assert rows[-1]["classification"] < rows[0]["classification"]
