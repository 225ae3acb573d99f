"""Where things run and in which precision: decided here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TypeVar, cast

import torch
from torch import nn

from fashionlib.core.errors import InputError
from fashionlib.core.options import choose
from fashionlib.core.threads import in_order

X = TypeVar("X")
Y = TypeVar("Y")


def device() -> torch.device:
    """The GPU where there is one, unless FASHIONLIB_DEVICE names another; in a torchrun process, that process's GPU.

    Raises InputError where this machine has no device of that name.
    """
    named = os.environ.get("FASHIONLIB_DEVICE")
    return _usable(named) if named else torch.device(_gpu() if torch.cuda.is_available() else "cpu")


def _gpu() -> str:
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


@cache
def _usable(name: str) -> torch.device:
    try:
        found = torch.device(_gpu() if name == "cuda" else name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:  # no such word; no such device
        reason = str(error).splitlines()[0]
        raise InputError(
            f"FASHIONLIB_DEVICE={name}: cannot be used here ({reason}); name cpu, cuda, cuda:1 or mps, or leave it out"
        ) from error
    return found


def device_name() -> str:
    """For the ledger: the GPU's name, or the processor's with the number of threads."""
    here = device()
    if here.type == "cuda":
        return torch.cuda.get_device_name(here)
    if here.type != "cpu":
        return str(here)
    return f"CPU ({torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads)"


def resolved(precision: str) -> str:
    """ "fp32" or "bf16": "auto" is bf16 where the device computes in it, which an older processor only imitates.

    Raises InputError for any other word.
    """
    choose(precision, ("auto", "fp32", "bf16"), "precision")
    if precision != "auto":
        return precision
    return "bf16" if _computes_bf16(device().type) else "fp32"


@cache
def _computes_bf16(kind: str) -> bool:
    """Measured on an AVX2 processor, imitated bf16 is eleven times slower than fp32."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return kind == "cpu" and any(ask is not None and ask() for ask in asked)


def autocast(precision: str) -> AbstractContextManager:
    """Mixed precision on the chosen device: "bf16", "fp32" for none, or "auto"."""
    return _autocast(device().type, resolved(precision) == "bf16")


def no_autocast(like: torch.Tensor) -> AbstractContextManager:
    """No mixed precision, on the device where `like` is: for what needs more than bf16's 8 bits."""
    return _autocast(like.device.type, False)


def _autocast(kind: str, enabled: bool) -> AbstractContextManager:
    there = torch.amp.is_autocast_available(kind)
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=enabled) if there else nullcontext()


def compiled(net: nn.Module, wanted: str) -> nn.Module:
    """`net` through torch.compile, with the same weights, or as it is. wanted: "no", "gpu" (on one alone) or "yes".

    Raises InputError for any other word.
    """
    choose(wanted, ("no", "gpu", "yes"), "compile")
    pays = wanted == "yes" or (wanted == "gpu" and device().type == "cuda")
    return cast(nn.Module, torch.compile(net)) if pays else net


def batch_of(images: int) -> int:
    """How many photos a frozen trunk is best given at once.

    On a processor the fewest from which on torch takes the fast convolutions in one thread, too.
    """
    return images if device().type == "cuda" else min(images, 16)


def on_every_core(work: Callable[[X], Y], items: Iterable[X]) -> Iterator[Y]:
    """What `work` makes of each item, in order: as many threads as torch computes with work on an item each.

    Each of them computes with one thread: two cores do half as much again that way as when they share an item. On a GPU
    some threads read files while it computes.
    """
    threads = 4 if device().type == "cuda" else torch.get_num_threads()
    return in_order(work, items, 2 * threads, threads, lambda: torch.set_num_threads(1))
