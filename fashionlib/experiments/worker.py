"""One of the processes that `fashionlib.training.launch.start` starts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from fashionlib.core.errors import InputError
from fashionlib.core.options import build
from fashionlib.experiments.methods import fit
from fashionlib.experiments.profile import Profile
from fashionlib.training.launch import end_with_parents


def main(arguments: Sequence[str]) -> int:
    """Train what the file that is named says: profile, method, seed, and the process that asked for it."""
    run = json.loads(Path(arguments[0]).read_text())
    end_with_parents(run["parent"])
    try:
        fit(build(Profile, run["profile"], arguments[0]), run["method"], run["seed"])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 2
    torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
