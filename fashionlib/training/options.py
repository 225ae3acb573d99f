"""Training options: one budget for every method, overridden per method in a profile."""

from __future__ import annotations

from dataclasses import dataclass


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

    epochs: int = 30
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    optimiser: str = "adamw"
    schedule: str = "one-cycle"
    clip: float = 5.0
    precision: str = "fp32"
    mirror_test: bool = True
    shift: float = 0.0
    copies: int = 0
    mixup: float = 0.0
    average: float = 0.0
    micro_batch: int = 0
    compile: str = "no"
    hold_out: bool = True
