"""Any timm model with feature maps as a trunk: a convolutional network, or a transformer's patches on their grid."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import timm
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from fashionlib.core.errors import InputError


class TimmTrunk(nn.Module):
    """The feature maps of a timm model at several depths, laid on one grid.

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
        super().__init__()
        check_name(name, "trunk")
        strides = _created(name).feature_info.reduction()
        depths = sorted(set(strides))[-2:] if depths is None else sorted(depths)
        if unknown := [depth for depth in depths if depth not in strides]:
            known = ", ".join(map(str, sorted(set(strides))))
            raise InputError(f"trunk timm/{name} has no depth {unknown[0]}: choose from {known}")
        last = [-1 - strides[::-1].index(depth) for depth in depths]  # of each stride, counted from the end
        weights = _weights(name, pretrained) if isinstance(pretrained, str) else pretrained
        self.name, self.stride = name, stride or max(depths)
        self.body = _created(name, last, weights)
        self.depths = tuple(self.body.feature_info.channels())
        standard = getattr(self.body, "pretrained_cfg", {})
        for key in ("mean", "std"):
            values = torch.tensor(standard.get(key) or (0.5,) * 3)[:, None, None]
            self.register_buffer(key, values, persistent=False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d y x"]:
        """images: RGB in 0..1."""
        grid = (-(-images.shape[-2] // self.stride), -(-images.shape[-1] // self.stride))
        try:
            found = self.body((images - self.mean) / self.std)  # pyright: ignore[reportOperatorIssue]
        except AssertionError as error:  # a transformer for photos of one size
            raise InputError(
                f"trunk timm/{self.name} takes no photos of this size ({error}); set image_size"
            ) from error
        maps = [each if each.shape[1] == d else each.movedim(-1, 1) for each, d in zip(found, self.depths, strict=True)]
        return torch.cat([to_grid(each, grid) for each in maps], dim=1)

    def extra_repr(self) -> str:
        """What weights do not show, and the maps depend on."""
        return f"{self.name}, channels={self.depths}, stride={self.stride}"


def to_grid(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Maps averaged onto a coarser grid, or interpolated onto a finer one."""
    if maps.shape[-2] > grid[0]:
        return F.adaptive_avg_pool2d(maps, grid)
    if maps.shape[-2] < grid[0]:
        return F.interpolate(maps, size=grid, mode="bilinear", align_corners=False)
    return maps


def check_name(name: str, where: str) -> None:
    """Raises InputError, with close matches, where timm has no model called `name`."""
    plain = name.partition(".")[0]
    if not timm.is_model(plain):
        near = difflib.get_close_matches(plain, timm.list_models(), n=3)
        hint = f"; did you mean {' or '.join('timm/' + each for each in near)}?" if near else "; see timm.list_models()"
        raise InputError(f"{where}: timm has no model {name!r}{hint}")


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
        safe = Path(path).suffix == ".safetensors"
        found = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{where}: no such file") from error
    except Exception as error:  # whatever is in the file
        raise InputError(f"{where}: no weights can be read from it ({str(error).splitlines()[0]})") from error
    for key in ("state_dict", "model"):  # as training scripts wrap them
        found = found.get(key, found) if isinstance(found, Mapping) else found
    needed = timm.create_model(name, pretrained=False, num_classes=0).state_dict()
    missing = [key for key in needed if not isinstance(found, Mapping) or key not in found]
    if missing:
        raise InputError(
            f"{where}: the weights are of another model, {len(missing)} of {len(needed)} are missing, the first is "
            f"{missing[0]}"
        )
    return dict(found)  # pyright: ignore[reportArgumentType, reportReturnType]
