"""What a saved model's two files say, checked before anything is built of them: config.json and model.safetensors.

Nothing in them can make the program hang, take more memory than the weights do, or tag with what is no number.
"""

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
    with _reading(path, f"no model here; name a folder with {CONFIG} and {WEIGHTS}", "not JSON"):
        config = json.loads(read_bytes(path, _MOST_CONFIG))
        if not isinstance(config, dict) or config.pop("format", None) != 1:
            raise Damaged("not a model configuration of format 1")
        if config.pop("checksum", None) not in (None, _checksum({"format": 1, **config})):
            raise Damaged("its checksum does not fit: it is damaged, or was changed by hand; if the change is meant, "
                          "remove its entry checksum")  # fmt: skip
        for where, number in _numbers(config, ""):
            if not math.isfinite(number) or abs(number) > _MOST_NUMBER:
                raise Damaged(f"{where} is {str(number)[:20]}, expected up to {_MOST_NUMBER:,}")
    found = build(Config, config, str(path))
    if len({*found.labels}) < len(found.labels):
        raise InputError(f"{path}: labels names one twice; {_AGAIN}")
    return asdict(found)


@contextmanager
def _reading(path: Path, missing: str, damaged: str) -> Iterator[None]:
    """What is wrong with the file that is read in this block becomes an InputError of one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path}: {missing}") from error
    except OSError as error:
        raise InputError(explained(error, path, "cannot be read")) from error
    except Damaged as error:
        raise InputError(f"{path}: {error}; {_AGAIN}") from error
    except (SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: {damaged} ({' '.join(str(error).split())}); {_AGAIN}") from error


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
    with _reading(path, f"missing; {_AGAIN}", "damaged"):
        content = read_bytes(path, _MOST_WEIGHTS)
        if checksum not in (None, bytes_hash(content)):
            raise Damaged(f"damaged, or belongs to another model than {CONFIG}: its checksum does not fit")
        weights = load(content)
        for name, tensor in weights.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise Damaged(f"{name} holds what is no number (nan or infinite)")
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
    except Exception as error:  # whatever numbers and names of a stranger's file make of a network
        why = " ".join(str(error).split()) or type(error).__name__
        why = why if isinstance(error, InputError) else f"does not describe a model of this version: {why[:200]}"
        raise InputError(f"{folder / CONFIG}: {why}; {_AGAIN}") from error


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
