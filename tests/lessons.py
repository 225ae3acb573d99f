"""Tiny trainings that tests of many processes run as a script: `lessons.py FOLDER LESSONS`.

LESSONS: by name (a folder in FOLDER), in JSON, the kind, a key of `TRUNKS`, and options of TrainingOptions.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from fashionlib.inputs import ImageInputs, MapInputs
from fashionlib.processes import accelerator_here, end_with_parents
from fashionlib.profiles import TrainingOptions
from fashionlib.tagger import Tagger
from fashionlib.training import predict, train

LABELS = ["bag", "coat", "hat"]
# dropout draws each process's own: without it
PARSER = {"steps": 2, "reduce": 8, "hidden": 8, "codewords": 2, "region": [2, 2], "dropout": 0.0,
          "localisation": 1.0, "divergence": 0.1}  # fmt: skip
WHOLE = {"hidden": 16, "dropout": 0.0, "input_dropout": 0.0}
TRUNKS = {
    "maps": {"depths": [16], "stride": 16},
    "photos": {"name": "paper", "dropout": 0.0},
    "lite0": {"depths": [16], "stride": 16},
    "whole": {"depths": [16], "stride": 16},
}


def model_of(kind: str) -> Tagger:
    torch.manual_seed(0)
    head = ("whole", WHOLE) if kind == "whole" else ("parser", PARSER)
    frozen = kind in ("maps", "whole")
    return Tagger(
        labels=LABELS, image_size=(32, 24), kind=head[0], head=head[1], trunk=TRUNKS[kind], frozen=frozen,
        pretrained=False,
    )  # fmt: skip


def lesson_of(kind: str, photos: int = 21) -> tuple[ImageInputs | MapInputs, np.ndarray]:
    """21 photos: the last batch of 8 has 5, which two processes share as 3 and 2."""
    rng = np.random.default_rng(0)
    targets = (rng.random((photos, 3)) < 0.4).astype(np.float32)
    if kind in ("photos", "lite0"):
        noise = rng.integers(0, 120, (photos, 32, 24, 3))
        return ImageInputs((noise + 130 * targets[:, None, None]).astype(np.uint8)), targets
    maps = (targets @ rng.normal(size=(3, 112)))[:, :, None, None] + 0.3 * rng.normal(size=(photos, 112, 4, 3))
    return MapInputs([maps.astype(np.float16), maps[..., ::-1].astype(np.float16)]), targets


class Exact(ImageInputs):
    """Photos in double precision."""

    def ready(self, raw, indices, views):
        return super().ready(raw, indices, views).double()


def learn(folder: Path, kind: str, *, exact: bool = False, **options) -> dict[str, np.ndarray]:
    """Train, or go on, in `folder`; then what the trained model says, measured by all processes.

    exact: in double precision.
    """
    if exact:
        torch.set_default_dtype(torch.float64)
    try:
        return _learn(folder, kind, exact, options)
    finally:
        torch.set_default_dtype(torch.float32)


def _learn(folder: Path, kind: str, exact: bool, options: dict) -> dict[str, np.ndarray]:
    plan = TrainingOptions(**{"epochs": 3, "batch": 8, "learning_rate": 0.003, "average": 0.9, **options})
    inputs, targets = lesson_of(kind)
    inputs, targets = (Exact(inputs.images), targets.astype(float)) if exact else (inputs, targets)
    model = train(model_of(kind), inputs, targets, (inputs, targets), plan, folder, fingerprint=kind)
    seen = predict(model, inputs, batch=4, accelerator=accelerator_here())
    return {name: value for name, value in vars(seen).items() if value is not None}


def main(folder: Path, lessons: dict[str, tuple[str, dict]]) -> None:
    torch.set_num_threads(1)
    end_with_parents(os.getppid())
    (folder / f"process-{os.environ['RANK']}").write_text(str(os.getpid()))
    for name, (kind, options) in lessons.items():
        seen = learn(folder / name, kind, **options)
        np.savez(folder / name / f"seen-{accelerator_here().process_index}.npz", **seen)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
