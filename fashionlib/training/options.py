"""Training options: one budget for every method, overridden per method in a profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from fashionlib.core.options import BelowOne, Count, NotNegative, Positive, Whole


@dataclass(frozen=True)
class TrainingOptions:
    """One budget for every method.

    learning_rate: peak of the one-cycle schedule, or the constant rate. clip: largest gradient norm.
    mirror_test: scores are the mean over the photo and its mirror image.
    shift: photos are moved and scaled at random by up to this share of the frame, and shown in another light.
    copies: with a frozen trunk, how many such copies of each photo are made once and kept, beside it and its mirror
    image; a trained trunk is shown another one each time.
    mixup: α of Beta(α, α), the shares in which a batch and its shuffle are added up, tags and all (Zhang et al., ICLR
    2018); 0 for none.
    average: what is validated and kept is an exponential moving average of the weights, of this decay a step; 0 for the
    weights as they are.
    micro_batch: a batch is learned from in parts of at most so many photos, whose gradients are added up; 0 for all at
    once. The same sums, except that a batch norm in training standardises by the part alone.
    compile: the network through torch.compile: "no", "gpu" (where it runs on one) or "yes".
    hold_out: the epoch that does best on the validation photos is kept. Without, options and epochs being settled, the
    validation photos are trained on like the others, and the last epoch is kept.
    """

    epochs: Count = 30
    batch: Annotated[int, Field(ge=2)] = 64
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.01
    optimiser: Literal["adamw", "adam"] = "adamw"
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    clip: Positive = 5.0
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    mirror_test: bool = True
    shift: BelowOne = 0.0
    copies: Whole = 0
    mixup: NotNegative = 0.0
    average: BelowOne = 0.0
    micro_batch: Whole = 0
    compile: Literal["no", "gpu", "yes"] = "no"
    hold_out: bool = True
