"""Where things run and in which precision: decided here and nowhere else."""

from __future__ import annotations

import os

import torch

from fashionlib.errors import InputError

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


def device() -> torch.device:
    """The GPU where there is one, unless FASHIONLIB_DEVICE names another; in a torchrun process, that process's GPU."""
    chosen = os.environ.get("FASHIONLIB_DEVICE")
    if chosen:
        return torch.device(chosen)
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def device_name() -> str:
    """For the ledger: the GPU's name, or the processor's with the number of threads."""
    if device().type == "cuda":
        return torch.cuda.get_device_name(device())
    return f"CPU ({torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads)"


def autocast(precision: str) -> torch.autocast:
    """Mixed precision on the chosen device: "bf16", or "fp32" for none."""
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    dtype = PRECISIONS[precision]
    return torch.autocast(device().type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)
