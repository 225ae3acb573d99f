"""What makes a network learn the same from a batch in any number of processes: dropout drawn for all of its photos, and
all of them at hand where a loss compares photos with each other. The norms' part: `fashionlib.training.norms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from fashionlib.core.output import Output

Module = TypeVar("Module", bound=nn.Module)


@dataclass
class Share:
    """Which of the photos that all processes learn from at once are this one's: every `processes`-th of `together`,
    from number `process` on. The training loop says before each piece how many they are.
    """

    process: int
    processes: int
    together: int = 0

    def of(self, rows: Shaped[Tensor, "together ..."]) -> Shaped[Tensor, "b ..."]:
        return rows[self.process :: self.processes]


class SharedDropout(nn.Dropout):
    """A dropout in whose place it stands; each process draws for all photos and keeps what is of its own.

    So it needs the same state of the random generator in every process, and leaves the same.
    """

    def __init__(self, dropout: nn.Dropout, share: Share):
        super().__init__(dropout.p)
        self.share = share
        self.train(dropout.training)

    @torch.compiler.disable
    def forward(self, input: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
        if not self.training or not self.p:
            return input
        return input * self.share.of(F.dropout(_ones_like(input, self.share.together), self.p))


def _ones_like(input: Tensor, rows: int) -> Tensor:
    """Ones of the input's shape but for its rows, in its order in memory, in which random numbers are drawn."""
    ones = input.new_ones(rows, *input.shape[1:])
    if input.ndim == 4 and not input.is_contiguous() and input.is_contiguous(memory_format=torch.channels_last):
        return ones.contiguous(memory_format=torch.channels_last)
    return ones


def share_dropouts(module: Module, share: Share) -> Module:
    """`module` with each of its dropouts drawn for all processes."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, SharedDropout(child, share))
        else:
            share_dropouts(child, share)
    return module


class _Together(torch.autograd.Function):
    """The rows of all processes in the batch's order; each process's loss of them adds to every row's gradient."""

    @staticmethod
    def forward(ctx, rows: Tensor, share: Share) -> Tensor:
        ctx.share = share
        # bfloat16 and booleans are summed exactly, too: every row comes from one process
        wide = rows.new_zeros(share.together, *rows.shape[1:], dtype=_summable(rows))
        share.of(wide).copy_(rows)
        dist.all_reduce(wide)
        return wide.to(rows.dtype)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        wide = gradient.to(_summable(gradient), copy=True).contiguous()
        dist.all_reduce(wide)
        return ctx.share.of(wide).to(gradient.dtype), None


def _summable(rows: Tensor) -> torch.dtype:
    if rows.dtype in (torch.float64, torch.int64):
        return rows.dtype
    return torch.float32 if rows.is_floating_point() else torch.int64


@torch.compiler.disable
def together(
    output: Output, targets: Float[Tensor, "b c"], more: Mapping[str, Any], share: Share
) -> tuple[Output, Float[Tensor, "together c"], dict[str, Any]]:
    """A piece's output, targets and whatever else is known of its photos (tensors, a row a photo), with those of the
    other processes between them, as one process has them.
    """

    def whole(value: Any) -> Any:
        return _Together.apply(value, share) if isinstance(value, Tensor) else value

    found = {field.name: whole(getattr(output, field.name)) for field in fields(output)}
    return replace(output, **found), whole(targets), {name: whole(value) for name, value in more.items()}
