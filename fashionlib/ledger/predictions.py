"""A run's scores on disk, so that anyone can recompute its metrics with other software."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside

_KEYS = ("scores", "targets", "ids", "labels")


@dataclass(frozen=True)
class Scores:
    """Scores and 0/1 targets of images × labels, the images' ids and the labels' names."""

    scores: Shaped[np.ndarray, "images labels"]
    targets: Shaped[np.ndarray, "images labels"]
    ids: Shaped[np.ndarray, " images"]
    labels: Shaped[np.ndarray, " labels"]


def write_scores(
    folder: str | Path,
    scores: Shaped[Any, "_images _labels"],
    targets: Shaped[Any, "_images _labels"],
    ids: Sequence[str],
    labels: Sequence[str],
) -> Path:
    """Write `folder`/scores.npz (scores, targets, ids, labels; no pickle) and return its path.

    The same content gives the same bytes. Raises InputError on shapes that do not fit together, ids or
    labels that repeat, and scores that are not finite.
    """
    path = Path(folder) / "scores.npz"
    arrays = {
        "scores": _numbers(scores),
        "targets": _numbers(targets),
        "ids": np.asarray(ids, dtype=np.str_),
        "labels": np.asarray(labels, dtype=np.str_),
    }
    _check(arrays, path)
    with written_aside(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return path


def read_scores(folder: str | Path) -> Scores:
    """The scores that `write_scores` wrote; InputError where there are none or they are damaged."""
    path = Path(folder) / "scores.npz"
    if not path.is_file():
        raise InputError(f"{path} does not exist: run the experiment that makes it, with `make results`.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in _KEYS}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is damaged ({error}): remove it and run the experiment again.") from None
    _check(arrays, path)
    return Scores(**arrays)


def _numbers(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        # numpy has no bfloat16; single precision holds every half-precision number exactly
        values = values.float() if values.is_floating_point() and values.element_size() < 4 else values
    return np.asarray(values)


def _check(arrays: dict[str, np.ndarray], path: Path) -> None:
    expected = (arrays["ids"].size, arrays["labels"].size)
    for key in ("scores", "targets"):
        if arrays[key].shape != expected:
            raise InputError(
                f"{path}: {key} have shape {arrays[key].shape}, and there are {expected[0]} ids and "
                f"{expected[1]} labels: expected ids x labels."
            )
        if not np.isfinite(arrays[key]).all():
            raise InputError(f"{path}: {key} are not all finite: look at the training run that gave them.")
    for key in ("ids", "labels"):
        if len(np.unique(arrays[key])) != arrays[key].size:
            raise InputError(f"{path}: {key} repeat: expected each once.")
