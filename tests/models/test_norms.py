"""A batch norm over processes is PyTorch's own where there is one process, weights, gradients and running values."""

import copy

import pytest
import torch
import torch.distributed as dist
from timm.layers import BatchNormAct2d
from torch import nn

from fashionlib.training.norms import SharedBatchNorm, share_norms

NORMS = {
    "1d": (lambda: nn.BatchNorm1d(3), (5, 3)),
    "2d": (lambda: nn.BatchNorm2d(3, affine=False), (5, 3, 4, 2)),
    "timm": (lambda: BatchNormAct2d(3, eps=1e-3, momentum=0.01), (5, 3, 4, 2)),
}


@pytest.fixture
def alone(tmp_path):
    """A group of one process."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def results(norm, x, weights):
    """Two steps in training, one out of it: outputs, gradients, state."""
    x = x.clone().requires_grad_()
    outputs = [norm(x), norm(2 * x + 1), norm.eval()(x)]
    sum((weights * out).sum() for out in outputs).backward()
    return [*outputs, x.grad, *(weight.grad for weight in norm.parameters()), *norm.state_dict().values()]


@pytest.mark.parametrize("name", [*NORMS])
def test_it_computes_what_pytorchs_own_does(alone, name):
    torch.manual_seed(0)
    make, shape = NORMS[name]
    own = make().double()
    with torch.no_grad():
        for weight in own.parameters():
            weight.uniform_(0.5, 2)
    shared = share_norms(nn.Sequential(copy.deepcopy(own)))[0]
    assert isinstance(shared, SharedBatchNorm)
    assert [*shared.state_dict()] == [*own.state_dict()]
    x, weights = torch.randn(2, *shape, dtype=torch.float64)
    for ours, theirs in zip(results(shared, 3 * x + 7, weights), results(own, 3 * x + 7, weights), strict=True):
        torch.testing.assert_close(ours, theirs)
