"""Batch norm over all processes' photos, so that a network learns the same from a batch however it is shared out.

PyTorch's own `SyncBatchNorm` runs on a GPU alone; this one runs anywhere, is what the tests compare, and takes timm's
norms, which hold their activation.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Standardised(torch.autograd.Function):
    """(x − mean) / √(variance + ε), both over the photos and cells of every process, however many each has.

    Returns it with the mean, the variance and how many values they are over, for the running ones.
    """

    @staticmethod
    def forward(ctx, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        values, axes = _exact(x), [0, *range(2, x.ndim)]
        count = values.new_tensor([values.numel() / values.shape[1]])
        total = _summed(torch.cat([values.sum(axes), count]))
        count = total[-1]
        mean = total[:-1] / count
        centred = values - _channels(mean, x)
        variance = _summed(centred.square().sum(axes)) / count  # of centred values: no large numbers cancel
        scale = (variance + eps).rsqrt()
        out = (centred * _channels(scale, x)).to(x.dtype)
        ctx.save_for_backward(out, scale, count)
        ctx.mark_non_differentiable(mean, variance, count)
        return out, mean, variance, count

    @staticmethod
    def backward(ctx, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        out, scale, count = ctx.saved_tensors
        values, given, axes = _exact(out), _exact(gradient), [0, *range(2, out.ndim)]
        sums = _summed(torch.stack([given.sum(axes), (given * values).sum(axes)])) / count
        inner = given - _channels(sums[0], out) - values * _channels(sums[1], out)
        return (inner * _channels(scale, out)).to(gradient.dtype), None


def _exact(x: Tensor) -> Tensor:
    """In fp32, as PyTorch's own statistics are, or finer."""
    return x if x.dtype == torch.float64 else x.float()


def _channels(vector: Tensor, like: Tensor) -> Tensor:
    return vector.view(1, -1, *[1] * (like.ndim - 2))


def _summed(tensor: Tensor) -> Tensor:
    dist.all_reduce(tensor)
    return tensor


class SharedBatchNorm(_BatchNorm):
    """A batch norm in whose place it stands: the same weights and names; in training, statistics of all processes."""

    def __init__(self, norm: _BatchNorm):
        nn.Module.__init__(self)
        self.__dict__.update({name: value for name, value in norm.__dict__.items() if not name.startswith("_")})
        for kind in ("_parameters", "_buffers", "_modules"):
            getattr(self, kind).update(getattr(norm, kind))
        if self.momentum is None or not self.track_running_stats:
            raise ValueError(f"{norm}: only running statistics with a momentum are shared")

    @torch.compiler.disable
    def forward(self, x: Float[Tensor, "b c *cells"]) -> Float[Tensor, "b c *cells"]:
        if self.training:
            out, mean, variance, count = _Standardised.apply(x, self.eps)
            with torch.no_grad():
                assert self.num_batches_tracked is not None  # __init__ saw to it
                assert self.running_mean is not None
                assert self.running_var is not None
                assert self.momentum is not None
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            if self.affine:
                out = out * _channels(self.weight, x).to(x) + _channels(self.bias, x).to(x)
        else:
            out = F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        for name in ("drop", "act"):  # of timm's norms, in timm's order
            out = getattr(self, name)(out) if name in self._modules else out
        return out


def share_norms(module: nn.Module) -> nn.Module:
    """`module` with each of its batch norms over all processes; the same weights under the same names."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
            setattr(module, name, SharedBatchNorm(child))
        else:
            share_norms(child)
    return module
