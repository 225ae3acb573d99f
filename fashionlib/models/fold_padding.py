"""The same maps of photos of one size in less time: what TensorFlow's padding and fresh memory cost is saved."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import get_same_padding
from torch import nn


@torch.inference_mode()
def swift(trunk: nn.Module, size: tuple[int, int]) -> nn.Module:
    """`trunk`, changed in place: for evaluation, on photos of `size` (height, width) alone.

    timm pads in front of a strided convolution by copying its whole input, one row and column more at the end than at
    the start. The convolution's own padding is even, so the kernel gets a first row and column of zeros instead: the
    products are the same, and nothing is copied. Activations overwrite their input.
    """
    pads: dict[str, tuple[int, int]] = {}

    def note(name: str):
        def hook(conv: nn.Conv2d, inputs: tuple[torch.Tensor, ...]) -> None:
            sides = zip(inputs[0].shape[-2:], conv.kernel_size, conv.stride, strict=True)
            rows, columns = (int(get_same_padding(side, kernel, stride, 1)) for side, kernel, stride in sides)
            pads[name] = (rows, columns)

        return hook

    modules = trunk.eval().named_modules()
    padded = {name: cast("nn.Conv2d", module) for name, module in modules if isinstance(module, Conv2dSame)}
    hooks = [module.register_forward_pre_hook(note(name)) for name, module in padded.items()]
    weight = next(trunk.parameters())
    trunk(torch.zeros(1, 3, *size, dtype=weight.dtype, device=weight.device))
    for hook in hooks:
        hook.remove()
    for name, conv in padded.items():
        trunk.set_submodule(name, _even(conv, pads[name]))
    for module in trunk.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.inplace = True
    return trunk


def _even(conv: nn.Conv2d, total: tuple[int, int]) -> nn.Conv2d:
    """`conv` with padding of its own; total: rows and columns that were put around its input."""
    rows, columns = (pad % 2 for pad in total)  # more at the end than at the start
    kernel = F.pad(conv.weight, (columns, 0, rows, 0))
    even = nn.Conv2d(
        conv.in_channels, conv.out_channels, (kernel.shape[-2], kernel.shape[-1]), (conv.stride[0], conv.stride[1]),
        ((total[0] + 1) // 2, (total[1] + 1) // 2), groups=conv.groups, bias=conv.bias is not None,
        device=kernel.device, dtype=kernel.dtype,
    )  # fmt: skip
    even.weight = nn.Parameter(kernel, requires_grad=False)
    if conv.bias is not None:
        even.bias = nn.Parameter(conv.bias.detach(), requires_grad=False)
    return even.eval()
