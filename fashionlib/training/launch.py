"""A method trained by several processes, one a GPU: how they are started, and what they tell each other.

`start` writes what is to be run into a file and calls torchrun with as many processes as there are GPUs, or as
FASHIONLIB_PROCESSES says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import gather_object
from torch import Tensor

from fashionlib.core.device import device
from fashionlib.core.errors import InputError

T = TypeVar("T")


def accelerator_here() -> Accelerator:
    """Accelerate's, on the chosen device; methods may leave weights unused in a step."""
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=device().type == "cpu", kwargs_handlers=[unused])


def summed(terms: Mapping[str, Tensor], accelerator: Accelerator) -> dict[str, float]:
    """Each term's sum over the processes, the same in all of them."""
    if accelerator.num_processes == 1:
        return {name: float(value) for name, value in terms.items()}
    names = sorted(terms)
    totals = accelerator.reduce(torch.stack([terms[name] for name in names]), "sum").tolist()
    return {name: dict(zip(names, totals, strict=True))[name] for name in terms}


def in_order(blocks: Sequence[T], accelerator: Accelerator) -> list[T]:
    """All processes' blocks, of which each made every n-th, in the order a single process makes them."""
    if accelerator.num_processes == 1:
        return list(blocks)
    rounds = zip_longest(*gather_object([list(blocks)]))
    return [block for block in chain.from_iterable(rounds) if block is not None]


def wanted(frozen: bool) -> int:
    """How many processes train a method: FASHIONLIB_PROCESSES, or one for each GPU there is.

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
    """Whether this process is the one that writes: the only one, or torchrun's number 0."""
    return os.environ.get("RANK", "0") == "0"


def start(count: int, module: str, run: Mapping[str, Any], folder: Path, home: Path) -> None:
    """Run `python -m module RUN.json` in `count` processes; `folder` takes their log.

    run: what the file says, such as profile, method and seed. home: the project's folder.

    Where one fails, torchrun ends the others. Raises InputError with what the failed one said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, log = folder / "processes.json", folder / "processes.log"
    file.write_text(json.dumps({**run, "parent": os.getpid()}))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}",
               "-m", module, str(file)]  # fmt: skip
    environment = {**os.environ, "FASHIONLIB_HOME": str(home)}
    with log.open("w") as output:
        failed = subprocess.run(command, stdout=output, stderr=output, env=environment, check=False).returncode
    if failed:
        lines = log.read_text(errors="replace").splitlines()
        said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        reason = said[0] if said else "see what they say"
        raise InputError(f"training in {count} processes failed: {reason}\n  their log: {log}")


def end_with_parents(asked_by: int) -> None:
    """End this process when torchrun, or whoever called that, is gone: nobody else would, where they were killed."""
    torchrun = os.getppid()

    def watch() -> None:
        while os.getppid() == torchrun and _runs(asked_by):
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, but there
        return True
    return True
