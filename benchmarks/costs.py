"""What a profile's network costs: its arithmetic, counted, and its time and memory here, measured."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from fashionlib.core.errors import InputError
from fashionlib.core.options import build
from fashionlib.data.photos import letterbox, read_photo
from fashionlib.experiments.methods import new_model
from fashionlib.experiments.profile import Profile
from fashionlib.training.inputs import ImageInputs
from fashionlib.training.loop import train
from fashionlib.training.options import TrainingOptions

LABELS = 59  # Fashion144k's items; the classifier is a thousandth of the arithmetic


@dataclass(frozen=True)
class Arithmetic:
    """Of one photo, in fp32: TFLOP and GB moved when it is read (forward) and trained on (forward, backward).

    kept_gb: tensors kept for its gradients. weights_gb: the network's.
    """

    reading_tflop: float
    training_tflop: float
    reading_gb: float
    training_gb: float
    kept_gb: float
    weights_gb: float


@dataclass(frozen=True)
class Measured:
    """training_s, reading_s: processor time of a photo in one thread. peak_gb: of a process that trains with `batch`.

    photos: how many were trained on for it. seconds: wall time of all measurements.
    """

    training_s: float
    reading_s: float
    decoded_photos_s: float
    cached_photos_s: float
    peak_gb: float
    batch: str
    photos: int
    seconds: float


class _Moved(TorchDispatchMode):
    """Counts the bytes that operations read and write; a view moves none."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not getattr(func, "is_view", False):
            tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return out


def arithmetic(profile: Profile, method: str) -> Arithmetic:
    """The method's, at the profile's size, for one photo; counted on two and halved, as batch norm needs two."""
    model = new_model(profile, method, tuple(f"label{number}" for number in range(LABELS)), 0)
    images, targets = torch.rand(2, 3, *profile.image_size), torch.ones(2, LABELS)
    with FlopCounterMode(display=False) as reading, _Moved() as read, torch.no_grad():
        model.eval()(images)
    model.train()
    kept: dict[int, int] = {}
    with FlopCounterMode(display=False) as training, _Moved() as trained, _keeping(kept, model):
        sum(model.head.loss(model(images), targets).values()).backward()  # pyright: ignore
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return Arithmetic(
        reading.get_total_flops() / 2e12, training.get_total_flops() / 2e12, read.bytes / 2e9, trained.bytes / 2e9,
        sum(kept.values()) / 2e9, weights / 1e9,
    )  # fmt: skip


def _keeping(kept: dict[int, int], model: nn.Module):
    """Notes what autograd keeps, each storage once and no weight of the model."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    return torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)


def measured(profile: Profile, method: str, folder: Path, photos: int = 64) -> Measured:
    """Time of the method's first step and of the photos in `folder`, and the memory of the step, in its own process."""
    started = time.perf_counter()
    decoded, cached = loading(profile, folder)
    training = profile.training_of(method)
    step = peak(profile, method, photos)
    batch = f"{photos} in parts of {training.micro_batch}" if training.micro_batch else str(photos)
    return Measured(
        step["training_s"], step["reading_s"], decoded, cached, step["peak_gb"], batch, photos,
        time.perf_counter() - started,
    )  # fmt: skip


def loading(profile: Profile, folder: Path, k: int = 200) -> tuple[float, float]:
    """Photos a second of processor time, decoded and resized, and read back from a file as the cache keeps them."""
    paths = sorted(folder.rglob("*.jpg"))[:k]
    if not paths:
        raise InputError(f"{folder}: no .jpg in it; name a folder with JPEG photos")
    began = time.process_time()
    images = np.stack([letterbox(read_photo(path), profile.image_size)[0] for path in paths])
    decoded = time.process_time() - began
    with tempfile.TemporaryDirectory() as scratch:
        np.save(Path(scratch) / "images.npy", images)
        order = np.random.default_rng(0).permutation(len(paths))
        began = time.process_time()
        kept = np.load(Path(scratch) / "images.npy", mmap_mode="r")
        for start in range(0, len(order), 16):
            np.ascontiguousarray(kept[order[start : start + 16]])
        cached = time.process_time() - began
    return len(paths) / decoded, len(paths) / cached


def peak(profile: Profile, method: str, photos: int) -> dict[str, float]:
    """Train on a batch of so many photos in a process of its own, which tells its times and its largest memory."""
    run = json.dumps({"profile": asdict(profile), "method": method, "photos": photos})
    command = [sys.executable, "-m", "benchmarks.costs", run]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"training {method} on {photos} photos failed: {done.stderr.strip().splitlines()[-1:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: Sequence[str]) -> None:
    """What `peak` calls: one epoch of one batch, through the loop that every method takes."""
    run = json.loads(arguments[0])
    profile, photos = build(Profile, run["profile"], "profile"), run["photos"]
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (photos, *profile.image_size, 3), dtype=np.uint8)
    targets = (rng.random((photos, LABELS)) < 0.1).astype(np.float32)
    model = new_model(profile, run["method"], tuple(f"label{number}" for number in range(LABELS)), 0)
    options = build(TrainingOptions, {**asdict(profile.training_of(run["method"])), "epochs": 1}, "training")
    few = ImageInputs(images[:8])
    began = time.process_time()
    with torch.no_grad():
        model.eval()(few.take(np.arange(8), np.zeros(8, int)))
    reading = (time.process_time() - began) / 8
    with tempfile.TemporaryDirectory() as scratch:
        began = time.process_time()
        train(model, ImageInputs(images), targets, (few, targets[:8]), options, Path(scratch))
    passes = 2 if options.mirror_test else 1
    training = (time.process_time() - began - 8 * passes * reading) / photos
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB on Linux
    print(json.dumps({"training_s": training, "reading_s": reading, "peak_gb": peak}))


if __name__ == "__main__":
    main(sys.argv[1:])
