"""Tiny trainings that tests of many processes run as a script: `lessons.py FOLDER LESSONS`.

LESSONS: by name (a folder in FOLDER), in JSON, the kind, a key of `HEADS` or `TRAINED`, and options of TrainingOptions.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from fashionlib.core.errors import InputError
from fashionlib.models.tagger import Tagger
from fashionlib.training.distributed import accelerator_here
from fashionlib.training.inputs import ImageInputs, MapInputs
from fashionlib.training.loop import predict, train
from fashionlib.training.options import TrainingOptions

LABELS = ["bag", "coat", "hat"]
PARSER = {"steps": 2, "reduce": 8, "hidden": 8, "codewords": 2, "region": [2, 2], "dropout": 0.3,
          "localisation": 1.0, "divergence": 0.1}  # fmt: skip
# nothing in it depends on which photos a process has: no dropout, no batch norm before the scores
PLAIN = {**PARSER, "reduce": 0, "dropout": 0.0, "texture": "none", "compare": "attended"}
SMALL = {"size": 8, "hidden": 16}
# losses that compare photos, or trust some more
COMPARING = {
    "stylenet": ("stylenet", {**SMALL, "alone": 0.0, "similar": 0.6, "dissimilar": 0.1}),
    "siamese": ("siamese", SMALL),
    "triplet": ("triplet", SMALL),
    "wtbi": ("wtbi", {**SMALL, "metric": 4, "common": 0.4}),
    "darn": ("darn", SMALL),
    "fashionnet": ("fashionnet", {**SMALL, "reduce": 4, "landmarks": 2}),
    "veit": ("veit", {"hidden": 16, "embedding": 4, "trusted": 0.4, "alone": 0.4}),
    "inoue": ("inoue", {"hidden": 16, "embedding": 4, "trusted": 0.4, "alone": 0.4}),
}
# of a frozen trunk, with dropout
HEADS = {
    "maps": ("parser", PARSER),
    "plain": ("parser", PLAIN),
    "whole": ("whole", {"hidden": 16}),
    "csra": ("csra", {"hidden": 16}),
    **COMPARING,
}
TRAINED = {"photos": {"name": "paper"}, "lite0": {"depths": [16], "stride": 16}}


def model_of(kind: str) -> Tagger:
    torch.manual_seed(0)
    head, options = HEADS.get(kind, HEADS["maps"])
    trunk = TRAINED.get(kind, {"depths": [16], "stride": 16})
    return Tagger(
        labels=LABELS, image_size=(32, 24), kind=head, head=options, trunk=trunk, frozen=kind not in TRAINED,
        pretrained=False,
    )  # fmt: skip


def known_of(targets: np.ndarray) -> dict[str, np.ndarray]:
    """What heads may need to know of the photos of `lesson_of`: two of each product, every third one verified."""
    rng, photos = np.random.default_rng(1), len(targets)
    main = np.arange(photos) // 2
    return {
        "main": main, "products": np.where(targets > 0, main[:, None], -1), "clean": targets,
        "verified": np.arange(photos) % 3 == 0,
        "landmarks": rng.uniform(-1, 1, (2, photos, 2, 3)).astype(np.float32),
    }  # fmt: skip


def lesson_of(kind: str, photos: int = 21) -> tuple[ImageInputs | MapInputs, np.ndarray]:
    """21 photos: the last batch of 8 has 5, which two processes share as 3 and 2."""
    rng = np.random.default_rng(0)
    targets = (rng.random((photos, 3)) < 0.4).astype(np.float32)
    if kind in TRAINED:
        noise = rng.integers(0, 120, (photos, 32, 24, 3))
        return ImageInputs((noise + 130 * targets[:, None, None]).astype(np.uint8)), targets
    maps = (targets @ rng.normal(size=(3, 112)))[:, :, None, None] + 0.3 * rng.normal(size=(photos, 112, 4, 3))
    return MapInputs([maps.astype(np.float16), maps[..., ::-1].astype(np.float16)]), targets


def learn(folder: Path, kind: str, **options) -> dict[str, np.ndarray]:
    """Train, or go on, in `folder`; then what the trained model says, measured by all processes."""
    plan = TrainingOptions(**{"epochs": 3, "batch": 8, "learning_rate": 0.003, "average": 0.9, **options})
    inputs, targets = lesson_of(kind)
    model, checks = model_of(kind), (inputs, targets)
    model = train(model, inputs, targets, checks, plan, folder, fingerprint=kind, known=known_of(targets))
    seen = predict(model, inputs, batch=4)
    return {name: value for name, value in vars(seen).items() if value is not None}


def main(folder: Path, lessons: dict[str, tuple[str, dict]]) -> None:
    torch.set_num_threads(1)
    (folder / f"process-{os.environ['RANK']}").write_text(str(os.getpid()))
    for name, (kind, options) in lessons.items():
        seen = learn(folder / name, kind, **options)
        np.savez(folder / name / f"seen-{accelerator_here().process_index}.npz", **seen)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))


def learn_and_keep(folder: str, kinds: dict[str, tuple[str, dict]]) -> None:
    """As `main`, for `fashionlib.training.distributed.start`."""
    main(Path(folder), kinds)


def fail_in_one(folder: str) -> None:
    """Process 1 cannot read one of its photos."""
    inputs, targets = lesson_of("maps")
    inputs.take = _taking(inputs.take)  # type: ignore[method-assign]
    plan = TrainingOptions(epochs=50, batch=8)
    train(model_of("maps"), inputs, targets, None, plan, Path(folder), known=known_of(targets))


def _taking(take):
    def taking(indices, views):
        if os.environ["RANK"] == "1" and 20 in indices:
            raise InputError("disk gone")
        return take(indices, views)

    return taking
