"""Training in several processes, one per GPU: how they are started, and what they exchange."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import gather_object
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn

from fashionlib.core.device import device
from fashionlib.core.errors import InputError

T = TypeVar("T")


def accelerator_here() -> Accelerator:
    """Accelerate's, which leaves it to us what is on which device; methods may leave weights unused in a step."""
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=device().type == "cpu", device_placement=False, kwargs_handlers=[unused])


def synchronised(net: nn.Module, accelerator: Accelerator) -> nn.Module:
    """`net` with its batch norms over all processes' photos, which PyTorch offers on GPUs only."""
    several = accelerator.num_processes > 1 and device().type == "cuda"
    return convert_sync_batchnorm(net) if several else net


def summed(terms: Mapping[str, Tensor], accelerator: Accelerator) -> dict[str, float]:
    """Each term's sum over the processes, the same in all of them."""
    totals = accelerator.reduce({name: terms[name] for name in sorted(terms)}, "sum")
    return {name: float(totals[name]) for name in terms}


def gathered(blocks: Iterable[T]) -> list[T]:
    """All processes' blocks, of which each made every n-th, in the order a single process makes them."""
    rounds = zip_longest(*gather_object([list(blocks)]))
    return [block for block in chain.from_iterable(rounds) if block is not None]


def wanted(frozen: bool) -> int:
    """How many processes train a method: FASHIONLIB_PROCESSES, or one per GPU.

    1 on a processor, in one of several processes, and over a frozen trunk, whose heads train in less time than
    processes take to start. Raises InputError where FASHIONLIB_PROCESSES is no number.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return 1
    named = os.environ.get("FASHIONLIB_PROCESSES")
    if named:
        if not named.isdigit() or int(named) < 1:
            raise InputError(f"FASHIONLIB_PROCESSES={named}: expected how many processes are to train, such as 2")
        return int(named)
    one = frozen or device().type != "cuda" or "FASHIONLIB_DEVICE" in os.environ
    return 1 if one else torch.cuda.device_count()


def first() -> bool:
    """Whether this process is the one that writes: the only one, or number 0 of several."""
    return os.environ.get("RANK", "0") == "0"


def start(count: int, function: Callable[..., object], *arguments: Any) -> None:
    """Call `function(*arguments)` in `count` processes on this machine, as torchrun does.

    Both have to be picklable. Where one process fails, the others are ended; they end, too, when this one does.
    Raises InputError with the reason of the first failure.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=count, run_id=secrets.token_hex(4), max_restarts=0,
        rdzv_backend="c10d", rdzv_endpoint="localhost:0",
    )  # fmt: skip
    try:
        elastic_launch(config, _call)(function, arguments)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        message: Any = failure.message  # the error's own words, out of what torchrun keeps of it
        if isinstance(message, str) and message.startswith("{"):
            message = json.loads(message)
        while isinstance(message, Mapping):
            message = message.get("message", "no reason given")
        reason = str(message).removeprefix("InputError: ")
        raise InputError(f"training in {count} processes failed: {reason}") from error


def _call(function: Callable[..., object], arguments: Sequence[Any]) -> None:
    function(*arguments)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
