"""The loop: it learns, repeats itself to the bit, goes on after a kill, and says clearly what is wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fashionlib.core.device import compiled, device
from fashionlib.core.errors import InputError
from fashionlib.data.supervision import Supervision
from fashionlib.experiments.profile import load_profile
from fashionlib.models.tagger import Tagger, load_model, save_model
from fashionlib.training.checkpoint import Averaged
from fashionlib.training.inputs import ImageInputs, MapInputs
from fashionlib.training.loop import predict, train
from fashionlib.training.options import TrainingOptions

HEAD = {"steps": 2, "reduce": 8, "hidden": 8, "codewords": 2, "region": [2, 2]}


def tagger(seed=0, kind="parser", frozen=True, pretrained=False, **trunk):
    torch.manual_seed(seed)
    return Tagger(
        labels=["bag", "coat", "hat"], image_size=(64, 48), kind=kind, head=HEAD if kind == "parser" else {},
        trunk={"depths": [16], "stride": 16, **trunk} if trunk.get("name") != "paper" else trunk,
        frozen=frozen, pretrained=pretrained,
    )  # fmt: skip


def lesson(photos=48, channels=112):
    """Maps in which each label lights up its own channels, and its tags."""
    rng = np.random.default_rng(0)
    targets = (rng.random((photos, 3)) < 0.4).astype(np.float32)
    patterns = rng.normal(size=(3, channels))
    maps = (targets @ patterns)[:, :, None, None] + 0.3 * rng.normal(size=(photos, channels, 4, 3))
    return MapInputs([maps.astype(np.float16)]), targets


def teach(folder, epochs=3, seed=0, **options):
    inputs, targets = lesson()
    options = TrainingOptions(epochs=epochs, batch=16, **options)
    model = train(tagger(seed), inputs, targets, (inputs, targets), options, folder, seed=seed, fingerprint="lesson")
    return predict(model, inputs).scores


def test_training_learns_and_keeps_the_best_epoch(tmp_path):
    scores = teach(tmp_path, epochs=12, learning_rate=0.01)
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert float(rows[-1]["classification"]) < 0.6 * float(rows[0]["classification"])
    best = max(float(row["val_ap_all"]) + float(row["val_map"]) for row in rows)
    from fashionlib.metrics import average_precision_all, mean_average_precision

    targets = lesson()[1]
    assert average_precision_all(scores, targets) + mean_average_precision(scores, targets) == pytest.approx(best)


def test_a_heads_first_weights_are_the_seeds_however_many_models_were_made_before():
    first, second = (tagger(pretrained=True).head.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_is_kept_can_be_the_moving_average_of_the_weights(tmp_path):
    """Of one weight, followed by hand: shorter averages at first, the decay that was asked for later."""
    torch.manual_seed(0)
    model = tagger()
    kept = Averaged(model, model.head, 0.5)
    weight, values = model.head.score[0].bias, []
    for step in range(1, 21):
        with torch.no_grad():
            weight.fill_(float(step))
        kept.update()
        decay = min(0.5, step / (step + 9))
        values.append(values[-1] * decay + step * (1 - decay) if values else None)
        if values[-1] is None:
            values[-1] = float(kept.model.head.score[0].bias[0].detach())
    assert float(kept.model.head.score[0].bias[0].detach()) == pytest.approx(values[-1], rel=1e-5)
    assert float(weight[0].detach()) == 20.0
    assert kept.model is not model


def test_a_run_with_averaged_weights_repeats_itself_and_differs_from_one_without(tmp_path):
    averaged = teach(tmp_path / "a", average=0.9)
    assert averaged.tobytes() == teach(tmp_path / "b", average=0.9).tobytes()
    assert averaged.tobytes() != teach(tmp_path / "c").tobytes()


def test_an_interrupted_run_takes_its_averaged_weights_up_again(tmp_path):
    whole = teach(tmp_path / "whole", epochs=4, average=0.9, schedule="constant")
    teach(tmp_path / "half", epochs=2, average=0.9, schedule="constant")
    assert teach(tmp_path / "half", epochs=4, average=0.9, schedule="constant").tobytes() == whole.tobytes()


def test_the_same_seed_gives_the_same_scores_to_the_last_bit(tmp_path):
    assert teach(tmp_path / "a").tobytes() == teach(tmp_path / "b").tobytes()
    assert teach(tmp_path / "c", seed=1).tobytes() != teach(tmp_path / "d").tobytes()


def test_a_run_killed_in_the_middle_goes_on_to_the_same_result(tmp_path):
    script = "from test_loop import teach; from pathlib import Path; import sys; teach(Path(sys.argv[1]), epochs=400)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "killed")], env=environment)
    history = tmp_path / "killed" / "history.csv"
    deadline = time.monotonic() + 120
    while not history.exists() or len(history.read_text().splitlines()) < 4:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "no epoch in two minutes"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(history.read_text().splitlines()) - 1
    assert done < 400
    # the schedule spans all epochs, so the rest is not trained here: both runs end two epochs later
    assert resumed(tmp_path / "killed", done + 2) == resumed(tmp_path / "whole", done + 2)


def test_what_a_killed_run_left_half_written_is_removed_by_the_next(tmp_path):
    (tmp_path / ".last.pt.x1y2").write_bytes(b"half")
    teach(tmp_path, epochs=1)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "history.csv", "last.pt", "model.safetensors"]


class _Enough(Exception):
    """Ends a run after some epochs, as a kill would, from the outside of the loop."""


def resumed(folder, epochs):
    """The history's numbers (not its seconds) of the first epochs of a 400-epoch run, going on from `folder`."""
    from fashionlib.training import checkpoint as resume

    saved = resume.State.save

    def save(self, epoch, *rest):
        best = saved(self, epoch, *rest)
        if epoch == epochs:
            raise _Enough
        return best

    resume.State.save = save
    try:
        with pytest.raises(_Enough):
            teach(folder, epochs=400)
    finally:
        resume.State.save = saved
    with (folder / "history.csv").open() as file:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
    assert len(rows) == epochs
    return rows


def test_a_run_of_another_fingerprint_starts_anew(tmp_path):
    teach(tmp_path, epochs=2)
    inputs, targets = lesson()
    options = TrainingOptions(epochs=1, batch=16)
    train(tagger(), inputs, targets, (inputs, targets), options, tmp_path, fingerprint="another")
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 2


def test_a_loss_that_is_no_number_stops_with_the_epoch_named(tmp_path):
    inputs, targets = lesson()
    inputs.maps[0][:] = np.nan
    with pytest.raises(InputError, match="epoch 1: the loss is nan"):
        train(tagger(), inputs, targets, (inputs, targets), TrainingOptions(epochs=1), tmp_path)


def test_the_papers_trunk_trains_from_photos(tmp_path):
    rng = np.random.default_rng(0)
    targets = (rng.random((16, 3)) < 0.5).astype(np.float32)
    images = np.zeros((16, 64, 48, 3), np.uint8)
    images[:] = (targets * 255)[:, None, None]  # a label is a colour
    inputs = ImageInputs(images)
    model = tagger(frozen=False, name="paper", dropout=0.0)
    before = model.trunk.blocks[0].weight.detach().clone()
    options = TrainingOptions(epochs=4, batch=8, learning_rate=3e-3, shift=0.1)
    train(model, inputs, targets, (inputs, targets), options, tmp_path)
    with (tmp_path / "history.csv").open() as file:
        losses = [float(row["classification"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0]
    assert not torch.equal(before, model.trunk.blocks[0].weight)
    assert any(name.startswith("trunk.") for name in load_model(tmp_path).state_dict())


def test_mixup_adds_photos_and_tags_in_the_same_shares():
    """Each photo's map is its own number and its tags say which: a batch's maps must be their tags' numbers."""
    from accelerate import Accelerator

    from fashionlib.training.batches import batches

    targets = np.eye(6, dtype=np.float32)
    inputs = MapInputs([np.arange(6, dtype=np.float16)[:, None, None, None]])
    lesson = Supervision(nn.Identity(), targets)
    options, alone = TrainingOptions(batch=6, mixup=0.4), Accelerator(cpu=True)
    mixed = [piece for epoch in range(20) for piece in batches(inputs, lesson, options, 0, epoch, alone)]
    for piece in mixed:
        assert len(piece.targets) == 6
        assert piece.more == {}
        torch.testing.assert_close(piece.targets.sum(1), torch.ones(6))
        torch.testing.assert_close(piece.batch.flatten(), piece.targets @ torch.arange(6.0))
    assert any(((piece.targets > 0.1) & (piece.targets < 0.9)).any() for piece in mixed)


def test_bf16_autocast_trains_too(tmp_path):
    assert np.isfinite(teach(tmp_path, epochs=2, precision="bf16")).all()


@pytest.mark.parametrize("method", ["parser-paper", "parser-released"])
def test_the_papers_methods_train_in_bf16_with_finite_losses(tmp_path, method):
    """With the heads of profiles/paper.yaml on the paper's trunk, which hands its maps on channels-last."""
    profile = load_profile("paper", data="somewhere")
    rng = np.random.default_rng(0)
    images, targets = rng.integers(0, 256, (8, 64, 48, 3), np.uint8), (rng.random((8, 3)) < 0.5).astype(np.float32)
    options = replace(profile.training, epochs=1, batch=4, micro_batch=0, precision="bf16", compile="no")
    for seed in range(3):
        torch.manual_seed(seed)
        trunk, head = (
            {"name": "paper", **profile.trunk.options},
            {**profile.method(method).head, "steps": 2, "codewords": 4},
        )
        model = Tagger(
            labels=["bag", "coat", "hat"], image_size=(64, 48), kind="parser", head=head, trunk=trunk, frozen=False
        )
        train(model, ImageInputs(images), targets, None, options, tmp_path / str(seed), seed=seed)
        with (tmp_path / str(seed) / "history.csv").open() as file:
            assert all(np.isfinite(float(value)) for row in csv.DictReader(file) for value in row.values())


def test_a_network_is_compiled_where_that_is_asked_for():
    net = torch.nn.Linear(2, 2)
    assert compiled(net, "no") is net
    assert (compiled(net, "gpu") is net) == (device().type != "cuda")
    assert compiled(net, "yes") is not net
    with pytest.raises(InputError, match="compile: got 'maybe'; choose one of no, gpu, yes"):
        compiled(net, "maybe")


def test_maps_are_taken_in_the_view_asked_for_and_plain_where_there_is_none():
    plain, mirrored = (np.full((4, 1, 1, 1), value, np.float16) for value in (0, 1))
    plain[:, 0, 0, 0] = np.arange(4)
    inputs = MapInputs([plain, mirrored], rows=np.array([3, 1]))
    assert len(inputs) == 2
    assert inputs.take(np.array([0, 1, 1]), np.array([0, 1, 2])).flatten().tolist() == [3, 1, 1]


def test_a_method_sees_every_view_of_its_photos(tmp_path):
    """Copies with other tags' patterns: a method that never drew them would not learn them."""
    inputs, targets = lesson()
    seen = set()

    class Watched(MapInputs):
        def take(self, indices, views):
            seen.update(views.tolist())
            return super().take(indices, views)

    watched = Watched([inputs.maps[0]] * 4)
    train(tagger(), watched, targets, (inputs, targets), TrainingOptions(epochs=2, batch=16), tmp_path)
    assert seen == {0, 1, 2, 3}


def saved(folder, **options):
    return save_model(tagger(**options), folder)


def test_a_saved_model_tags_as_before(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (90, 70, 3), dtype=np.uint8)
    torch.manual_seed(0)
    trunk = {"depths": [16], "stride": 16}
    model = Tagger(labels=["bag", "coat"], image_size=(64, 48), kind="parser", head=HEAD, trunk=trunk)
    save_model(model, tmp_path)
    before, after = model.tag(image)[0], load_model(tmp_path).tag([image])[0]
    assert before == after
    assert {tag.label for tag in after} == {"bag", "coat"}
    for tag in after:
        x1, y1, x2, y2 = tag.box
        assert 0 <= x1 < x2 <= 70
        assert 0 <= y1 < y2 <= 90


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "config.json").unlink(), r"config\.json: no model here"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json: not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "not a model configuration"),
        (lambda f: (f / "model.safetensors").unlink(), r"model\.safetensors: missing"),
        (lambda f: (f / "model.safetensors").write_bytes(b"abc"), r"model\.safetensors: damaged"),
    ],
    ids=["no-config", "no-json", "list", "no-weights", "damaged"],
)
def test_a_damaged_checkpoint_is_named(tmp_path, harm, message):
    harm(saved(tmp_path))
    with pytest.raises(InputError, match=message):
        load_model(tmp_path)


def test_weights_saved_in_half_precision_tag_almost_as_before(tmp_path):
    model = tagger()
    full, half = save_model(model, tmp_path / "full"), save_model(model, tmp_path / "half", half=True)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (full, half)]
    assert sizes[1] < 0.6 * sizes[0]
    maps = torch.randn(2, 112, 4, 3)
    torch.testing.assert_close(load_model(half).head(maps).scores, model.eval().head(maps).scores, atol=0.02, rtol=0)


def test_a_checkpoint_of_another_model_is_named(tmp_path):
    saved(tmp_path / "a"), saved(tmp_path / "b", kind="whole")
    (tmp_path / "b" / "model.safetensors").replace(tmp_path / "a" / "model.safetensors")
    with pytest.raises(InputError, match="belongs to another model"):
        load_model(tmp_path / "a")


def test_a_configuration_with_an_unknown_option_is_named(tmp_path):
    folder = saved(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["head"]["stepps"] = 3
    del config["checksum"]  # as somebody would who changed it on purpose
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="unknown key 'stepps'; did you mean steps"):
        load_model(folder)


@pytest.mark.parametrize("name", ["last.pt", "model.safetensors", "config.json"])
@pytest.mark.parametrize("harm", ["bit", "cut", "empty", "pipe"])
def test_a_damaged_state_is_said_in_one_line_and_the_run_starts_anew(tmp_path, name, harm, capsys):
    """Seen to end in a traceback, or to go on from other weights."""
    teach(tmp_path / "whole", epochs=2)
    teach(tmp_path / "harmed", epochs=2)
    path = tmp_path / "harmed" / name
    content = path.read_bytes()
    place = len(content) // 2
    if harm == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        bit = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        path.write_bytes({"bit": bit, "cut": content[:place], "empty": b""}[harm])
    teach(tmp_path / "harmed", epochs=2)
    said = [line for line in capsys.readouterr().err.splitlines() if "trained from its start" in line]
    assert len(said) == 1
    assert name in said[0]
    for saved in ("model.safetensors", "config.json"):
        assert (tmp_path / "harmed" / saved).read_bytes() == (tmp_path / "whole" / saved).read_bytes()
