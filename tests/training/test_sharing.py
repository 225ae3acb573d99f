"""What processes draw for all photos is what one process draws; what they compare together is what one compares."""

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from fashionlib.core.output import Output
from fashionlib.training.sharing import Share, share_dropouts, together


def shared(dropout, share):
    return share_dropouts(nn.Sequential(dropout), share)[0]


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_each_of_three_processes_has_its_rows_of_the_dropout_that_one_draws(memory):
    x = torch.rand(8, 5, 4, 3).contiguous(memory_format=memory)
    torch.manual_seed(1)
    first, second = F.dropout(x, 0.4), F.dropout(x, 0.4)
    assert not torch.equal(first, second)
    for process in range(3):
        dropout = shared(nn.Dropout(0.4), Share(process, 3, together=8))
        torch.manual_seed(1)
        for whole in (first, second):
            own = x[process::3].contiguous(memory_format=memory)
            torch.testing.assert_close(dropout(own), whole[process::3], rtol=0, atol=1e-6)


def test_out_of_training_and_at_zero_nothing_is_dropped():
    x = torch.rand(2, 3)
    assert shared(nn.Dropout(0.4), Share(0, 2, 4)).eval()(x) is x
    assert shared(nn.Dropout(0.4).eval(), Share(0, 2, 4))(x) is x
    assert shared(nn.Dropout(0.0), Share(0, 2, 4))(x) is x


def test_dropouts_within_modules_are_found_and_weights_keep_their_names():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.1), nn.Linear(2, 1)))
    names = [*net.state_dict()]
    share = Share(0, 2)
    assert share_dropouts(net, share)[1][0].share is share
    assert [*net.state_dict()] == names


@pytest.fixture
def alone(tmp_path):
    """A group of one process."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_rows_stand_where_one_process_has_them_and_their_gradient_is_their_own(alone):
    """This process has the second, fourth and sixth of six rows; nobody is there to give the others."""
    scores = torch.rand(3, 4, dtype=torch.bfloat16, requires_grad=True)
    features, targets = torch.rand(3, 1, 2), torch.rand(3, 4)
    known = {"main": torch.tensor([5, -1, 7]), "verified": torch.tensor([True, False, True]), "progress": 0.5}
    output, tags, more = together(Output(scores=scores, features=features), targets, known, Share(1, 2, together=6))
    assert output.scores.dtype == torch.bfloat16
    torch.testing.assert_close(output.scores[1::2], scores)
    torch.testing.assert_close(output.features[1::2], features)
    torch.testing.assert_close(tags[1::2], targets)
    assert more["main"].tolist() == [0, 5, 0, -1, 0, 7]
    assert more["verified"].tolist() == [False, True, False, False, False, True]
    assert more["progress"] == 0.5
    assert output.steps is None
    weights = torch.rand(6, 4, dtype=torch.bfloat16)
    (output.scores * weights).sum().backward()
    torch.testing.assert_close(scores.grad, weights[1::2])
