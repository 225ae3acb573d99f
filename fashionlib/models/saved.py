"""What a saved model's two files say, checked before anything is built of them: config.json and model.safetensors.

Nothing in them can make the program hang, take more memory than the weights do, or tag with what is no number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fashionlib.core.errors import InputError, explained
from fashionlib.core.options import Finite, build
from fashionlib.core.sealed import Damaged, bytes_hash, read_bytes

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_MOST_CONFIG, _MOST_WEIGHTS = 10_000_000, 8 << 30  # bytes
_MOST_NUMBER = 65_536
_ALWAYS = 16_000_000  # numbers that a tensor may have, whatever the file holds: trunks come without theirs
_AGAIN = "train the model again, or copy its folder anew"
Side = Annotated[int, Field(ge=16, le=4_096)]


@dataclass(frozen=True)
class Config:
    """config.json: what `Tagger` is made with, and the checksum of the weights (none in old models)."""

    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    image_size: tuple[Side, Side]
    kind: str
    head: dict[str, Any] = field(default_factory=dict)
    trunk: dict[str, Any] = field(default_factory=dict)
    frozen: bool = True
    calibration: tuple[Finite, Finite] | None = None
    threshold: Finite = 0.0
    weights: str | None = None


def sealed_config(config: Mapping[str, Any], weights: bytes) -> bytes:
    """config.json's text: the configuration with the checksum of the weights and its own."""
    values = {**config, "weights": bytes_hash(weights)}
    return json.dumps({**values, "checksum": _checksum(values)}, indent=1).encode()


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration's values, see `Config`.

    Raises InputError where it is missing, damaged or describes no model that can be.
    """
    path = folder / CONFIG
    try:
        config = json.loads(read_bytes(path, _MOST_CONFIG))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no model here; name a folder with {CONFIG} and {WEIGHTS}") from error
    except OSError as error:
        raise InputError(explained(error, path, "cannot be read")) from error
    except Damaged as error:
        raise InputError(f"{path}: {error}; {_AGAIN}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); {_AGAIN}") from error
    if not isinstance(config, dict) or config.pop("format", None) != 1:
        raise InputError(f"{path}: not a model configuration of format 1; {_AGAIN}")
    if config.pop("checksum", None) not in (None, _checksum({"format": 1, **config})):
        raise InputError(f"{path}: its checksum does not fit: it is damaged, or was changed by hand; {_AGAIN}, or "
                         "remove its entry checksum if the change is meant")  # fmt: skip
    for where, number in _numbers(config, ""):
        if not math.isfinite(number) or abs(number) > _MOST_NUMBER:
            raise InputError(f"{path}: {where} is {str(number)[:20]}, expected up to {_MOST_NUMBER:,}; {_AGAIN}")
    try:
        found = build(Config, config, str(path))
    except InputError as error:
        raise InputError(f"{error}; {_AGAIN}") from error
    if len({*found.labels}) < len(found.labels):
        raise InputError(f"{path}: labels names one twice; {_AGAIN}")
    return asdict(found)


def _checksum(values: Mapping[str, Any]) -> str:
    return bytes_hash(json.dumps(values, sort_keys=True).encode())


def _numbers(value: Any, where: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield where, value if isinstance(value, float) or value.bit_length() < 64 else math.inf
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from _numbers(one, f"{where}.{key}".lstrip("."))


def read_weights(folder: Path, checksum: str | None = None) -> dict[str, Tensor]:
    """The tensors. Raises InputError where the file is missing, damaged, or holds what is no number."""
    path = folder / WEIGHTS
    try:
        content = read_bytes(path, _MOST_WEIGHTS)
        if checksum not in (None, bytes_hash(content)):
            raise Damaged(f"or belongs to another model than {CONFIG}: its checksum does not fit")
        weights = load(content)
    except FileNotFoundError as error:
        raise InputError(f"{path}: missing; {_AGAIN}") from error
    except OSError as error:
        raise InputError(explained(error, path, "cannot be read")) from error
    except (Damaged, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged ({' '.join(str(error).split())}); {_AGAIN}") from error
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{path}: {name} holds what is no number (nan or infinite); {_AGAIN}")
    return weights


@contextmanager
def building(folder: Path, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """A model is built in this block: the caller's random state stays, and no tensor is far larger than the weights.

    Raises InputError where the configuration describes no model.
    """
    most = max([_ALWAYS, *(tensor.numel() for tensor in weights.values())])
    try:
        with torch.random.fork_rng(devices=[]), _Bounded(most):
            yield
    except InputError as error:
        raise InputError(f"{folder / CONFIG}: {error}; {_AGAIN}") from error
    except Exception as error:  # whatever numbers and names of a stranger's file make of a network
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{folder / CONFIG}: does not describe a model of this version: {why}; {_AGAIN}") from error


class _Bounded(TorchDispatchMode):
    """Refuses to make a tensor of more than `most` numbers."""

    def __init__(self, most: int):
        super().__init__()
        self.most = most

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        shape = args[0] if args and isinstance(args[0], (list, tuple)) else ()
        if all(isinstance(side, int) for side in shape) and math.prod(shape) > self.most:
            raise InputError(f"a tensor of {' × '.join(map(str, shape))} numbers is more than its weights hold")
        return func(*args, **(kwargs or {}))
