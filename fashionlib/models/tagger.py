"""A trunk and a head with their labels: what is trained, saved, loaded and asked for tags.

A file of `models/baselines` that defines `HEADS = {"name": (Head, HeadOptions)}` is a baseline, by that name in a
profile; nothing else has to name it.
"""

import contextlib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save
from torch import Tensor, nn

from fashionlib.core.device import autocast, batch_of, device, on_every_core
from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.core.options import build, choose
from fashionlib.core.output import Output
from fashionlib.data.augment import images_to_float
from fashionlib.data.base import Box
from fashionlib.data.photos import letterbox, open_photo
from fashionlib.models import baselines
from fashionlib.models.backbones import OnnxBackbone, PackagedTrunk, build_trunk, fold, frozen_trunk, is_packaged
from fashionlib.models.parser import Parser, ParserOptions
from fashionlib.models.pretrained import DEFAULT, model_folder
from fashionlib.models.saved import CONFIG, WEIGHTS, building, read_config, read_weights, sealed_config
from fashionlib.models.spatial_transformer import boxes_of

HEADS: dict[str, tuple[type[nn.Module], type]] = {"parser": (Parser, ParserOptions)}
for _module in pkgutil.iter_modules(baselines.__path__, f"{baselines.__name__}."):
    HEADS.update(getattr(importlib.import_module(_module.name), "HEADS", {}))


@dataclass(frozen=True)
class Tag:
    """A label, its score in 0..1, and the box that scored it (x1, y1, x2, y2, pixels of the photo), if there is one."""

    label: str
    score: float
    box: Box | None


class Tagger(nn.Module):
    """kind: a key of `HEADS`. image_size: (height, width) that photos are letterboxed to.

    trunk: its name and options, see `fashionlib.models.backbones.build_trunk`. frozen: the trunk keeps its weights;
    those of a package are then left out of the saved file. pretrained: False where weights are filled in afterwards.
    calibration: slope and offset by which scores become probabilities (Platt), fitted on validation photos; None where
    nobody fitted them. threshold: probability from which on a label counts as shown, chosen on the same photos.
    """

    def __init__(
        self, *, labels: Sequence[str], image_size: Sequence[int], kind: str, head: dict | None = None,
        trunk: dict | None = None, frozen: bool = True, pretrained: bool = True,
        calibration: Sequence[float] | None = None, threshold: float = 0.0,
    ):  # fmt: skip
        super().__init__()
        choose(kind, HEADS, "kind of head")
        self.labels, self.image_size = tuple(labels), (image_size[0], image_size[1])
        self.kind, self.frozen, self.threshold = kind, frozen, threshold
        make, options_of = HEADS[kind]
        self.options = build(options_of, head or {}, f"options of {kind}")
        self.trunk_options = {"name": "lite0", **(trunk or {})}
        self.packaged = is_packaged(self.trunk_options, frozen)
        made = self.trunk_options if pretrained else {**self.trunk_options, "pretrained": False}
        with torch.random.fork_rng(devices=[]):  # the head's first weights do not hang on what the trunk drew or found
            body = fold(frozen_trunk(**made)) if frozen else build_trunk(**made)
        body.requires_grad_(not frozen)
        self.trunk = body.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.head = make(self.trunk.depths, len(self.labels), self.options)
        self.calibration = None if calibration is None else (float(calibration[0]), float(calibration[1]))

    def train(self, mode: bool = True) -> "Tagger":
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self

    def encode(self, images: Float[Tensor, "b 3 h w"], precision: str = "fp32") -> Float[Tensor, "b d y x"]:
        """The trunk's maps of RGB photos in 0..1. Without gradients, each core computes those of its own photos.

        precision: "fp32", "bf16" or "auto"; where a gradient is kept, the caller's.
        """
        if torch.is_grad_enabled():
            return self.trunk(images)

        def maps(part: Tensor) -> Tensor:
            with torch.no_grad(), autocast(precision):
                return self.trunk(part)

        in_onnx = isinstance(getattr(self.trunk, "body", None), OnnxBackbone)
        parts = images.split(1 if in_onnx else batch_of(len(images)))
        return maps(images) if len(parts) == 1 else torch.cat([*on_every_core(maps, parts)])

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Output:
        """`head(encode(images))`; who has kept the maps calls `head` alone."""
        return self.head(self.encode(images))

    def accelerated(self) -> "Tagger":
        """This model with its trunk in ONNX Runtime where that is faster (a CPU, lite0); for evaluation alone."""
        if device().type == "cpu" and isinstance(self.trunk, PackagedTrunk):
            with contextlib.suppress(Exception):  # an exporter of another version: torch gives the same, slower
                self.trunk.body = OnnxBackbone(self.trunk.body, self.image_size)
        return self

    def probabilities(self, scores: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """Scores as the loss reads them: through a softmax over labels ("euclidean") or a sigmoid each, calibrated."""
        if self.calibration is not None:
            return (self.calibration[0] * scores + self.calibration[1]).sigmoid()
        return scores.softmax(-1) if self.options.classification == "euclidean" else scores.sigmoid()

    def config(self) -> dict:
        """Everything needed to build this model again, as plain JSON values."""
        trunk = dict(self.trunk_options)
        if isinstance(trunk.get("pretrained"), str):  # a file of this machine; what it held is saved
            trunk["pretrained"] = False
        return {
            "format": 1, "kind": self.kind, "head": asdict(self.options), "trunk": trunk,
            "frozen": self.frozen, "image_size": list(self.image_size), "labels": list(self.labels),
            **({"calibration": list(self.calibration), "threshold": self.threshold} if self.calibration else {}),
        }  # fmt: skip

    def tag(self, images: object, *, k: int = 6) -> list[list[Tag]]:
        """The `k` best labels of each photo, best first, each with the region that won it.

        Labels below the model's threshold are left out, but for the best one.

        images: a photo as `fashionlib.data.photos.open_photo` takes it, or a list of them.

        Raises InputError for the first photo that cannot be read; `tag_many` tags the others.
        """
        many = images if isinstance(images, (list, tuple)) else [images]
        return [self._tag(image, k) for image in many]

    def tag_many(self, images: Iterable[object], *, k: int = 6) -> Iterator[list[Tag] | InputError]:
        """For each photo in turn its tags as `tag` gives them, or the error that says why it cannot be read."""
        for image in images:
            try:
                yield self._tag(image, k)
            except InputError as error:
                yield error

    @torch.no_grad()
    def _tag(self, image: object, k: int) -> list[Tag]:
        photo, size = open_photo(image, self.image_size)
        canvas, placement = letterbox(photo, self.image_size)
        output = self.to(device()).eval()(images_to_float(canvas[None]))
        full = (size[1] / photo.shape[1], size[0] / photo.shape[0])  # the photo may have been opened reduced

        def box(label: int) -> Box | None:
            """Of the step that scored the label highest, in pixels of the photo."""
            if output.theta is None or output.steps is None:
                return None
            step, (height, width) = int(output.steps[0, :, label].argmax()), self.image_size
            sides = boxes_of(output.theta[:, step])[0].tolist()
            x1, y1, x2, y2 = placement.to_photo(tuple(s * e for s, e in zip(sides, (width, height) * 2, strict=True)))
            x1, y1, x2, y2 = max(x1, 0.0), max(y1, 0.0), min(x2, float(photo.shape[1])), min(y2, float(photo.shape[0]))
            return (x1 * full[0], y1 * full[1], x2 * full[0], y2 * full[1])

        scores, best = self.probabilities(output.scores)[0].topk(min(k, len(self.labels)))
        pairs = [*zip(scores.tolist(), best.tolist(), strict=True)]
        shown = [pair for rank, pair in enumerate(pairs) if not rank or pair[0] >= self.threshold]
        return [Tag(self.labels[label], score, box(label)) for score, label in shown]


def save_model(model: Tagger, folder: str | Path, *, half: bool = False) -> Path:
    """`model.safetensors` (with `half`, in half precision) and `config.json` in `folder`, written aside and renamed."""
    folder = Path(folder)
    weights = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in saved_weights(model).items()
    }
    content = save(weights)
    for name, text in ((WEIGHTS, content), (CONFIG, sealed_config(model.config(), content))):
        with written_aside(folder / name, own=True) as file:
            file.write(text)
    return folder


def saved_weights(model: Tagger) -> dict[str, Tensor]:
    """The model's weights, but for those of a package."""
    state = model.state_dict()
    return {n: tensor for n, tensor in state.items() if not (model.packaged and n.startswith("trunk."))}


def load_model(folder: str | Path = DEFAULT) -> Tagger:
    """The model saved in `folder`, ready to tag; or, by its name, one that comes with the package.

    "street-shop-closet", the default, is for street, shop and closet photos. "ccp" tags street photos better, and
    "ccp-small" is faster than "ccp".

    Raises InputError where the folder, its configuration or its weights are missing, damaged or of another model.
    """
    folder = model_folder(folder)
    config = read_config(folder)
    weights = read_weights(folder, config.pop("weights"))
    with building(folder, weights):
        packaged = is_packaged({"name": "lite0", **config["trunk"]}, config["frozen"])
        model = Tagger(**config, pretrained=packaged)
    wanted = saved_weights(model)
    wrong = [name for name in wanted if name not in weights or weights[name].shape != wanted[name].shape]
    wrong += weights.keys() - wanted.keys()
    if wrong:
        raise InputError(
            f"{folder / WEIGHTS} belongs to another model than {folder / CONFIG}: {len(wrong)} weights do not fit, the "
            f"first is {wrong[0]}"
        )
    model.load_state_dict(weights, strict=False)
    return model.to(device()).eval()
