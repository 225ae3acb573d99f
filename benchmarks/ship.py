"""From a trained parser to the model that comes with the package: features projected, scores calibrated.

python -m benchmarks.ship --data FOLDER --out weights/street-shop-closet

FOLDER holds `ccp` and `closet`. Training is the profile's own (`profiles/street-shop-closet.yaml`), taken up where it
was interrupted. Validation photos decide the epoch, the calibration and the threshold; then the classifiers of the
whole photo are made again with them. Test photos are not opened.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import timm
import torch
import torch.nn.functional as F
import typer
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks.calibration import best_threshold, platt
from fashionlib.core.console import command, guarded
from fashionlib.data.augment import MIRRORED, PLAIN, images_to_float
from fashionlib.data.store import Photos
from fashionlib.experiments.methods import dataset_of, fit, inputs_of, joined, photos_of, training_views
from fashionlib.experiments.profile import Profile, load_profile
from fashionlib.models.backbones import LITE0, packaged_weights
from fashionlib.models.descriptor import COLOUR_NUMBERS, NUMBERS, Colours, Descriptor, covered, histogram, shown
from fashionlib.models.losses import logistic
from fashionlib.models.parser import Parser
from fashionlib.models.tagger import Tagger, save_model
from fashionlib.training.inputs import ImageInputs, MapInputs
from fashionlib.training.loop import predict

PROFILE, METHOD = "street-shop-closet", "parser"
WHOLE, WHOLE_ALL = "csra", "csra-all"  # the classifier of the whole photo, the second with the validation photos
# Of the classifiers of the whole photo, chosen on validation photos, the last by five folds of training senders.
WHOLE_SHARE, ALONE_SHARE, GATE_DECAY, SHRINK = 0.5, 0.5, 0.01, 0.5
SHRINK_WITHIN = 0.1  # of the descriptor's within-photo covariance towards its mean variance
MOST = 2000  # training photos from which the projection is computed
BATCH = 32


def shipped(profile: Profile, method: str = METHOD) -> Tagger:
    """The profile's method of its first seed, trained where it is not, with projected features and calibrated."""
    seed = profile.seeds[0]
    trained = fit(profile, method, seed)
    model = with_descriptor(trained)
    photos = photos_of(profile, "train", seed)
    inputs = inputs_of(profile, photos, training_views(profile.training_of(method)))
    assert isinstance(inputs, MapInputs)
    project(model.head.descriptor, inputs, photos)  # pyright: ignore[reportArgumentType]
    alone = {*dataset_of(profile, "all", seed).closet.ids}  # pyright: ignore[reportAttributeAccessIssue]

    def with_whole(photos: Photos, method: str) -> Tagger:
        model.head.whole.worn.load_state_dict(fit(profile, method, seed).head.state_dict())  # pyright: ignore[reportArgumentType]
        inputs = inputs_of(profile, photos, (PLAIN, MIRRORED))
        fit_whole(model.head, inputs, photos, np.array([id_ in alone for id_ in photos.ids]))  # pyright: ignore[reportArgumentType]
        return model

    validation = photos_of(profile, "val", seed)
    scores, known = known_pairs(with_whole(photos, WHOLE), validation)
    model.calibration = platt(scores, known)
    model.threshold = best_threshold(model.probabilities(torch.from_numpy(scores)).numpy(), known)
    return with_whole(joined(photos, validation), WHOLE_ALL).eval()


def with_descriptor(trained: Tagger, whole_share: float = WHOLE_SHARE, alone_share: float = ALONE_SHARE) -> Tagger:
    """The same parser on a trunk that gives colours, too; the projection of its features is still to be computed."""
    head = asdict(replace(trained.options, compare="projected", whole_share=whole_share, alone_share=alone_share))
    trunk = {**trained.trunk_options, "colours": True}
    model = Tagger(labels=trained.labels, image_size=trained.image_size, kind="parser", head=head, trunk=trunk)
    model.head.load_state_dict(trained.head.state_dict(), strict=False)
    weight, bias = classifier_layer()
    with torch.no_grad():
        model.head.descriptor.lift.weight.copy_(weight)
        model.head.descriptor.lift.bias.copy_(bias)
    return model


def classifier_layer() -> tuple[Float[Tensor, "1280 320 1 1"], Float[Tensor, " 1280"]]:
    """Weight and bias of EfficientNet-lite0's last 1×1 convolution (320 to 1,280 channels), its batch norm folded in.

    A ReLU6 and the average over the map follow it: the features that are usually taken from an untouched backbone.
    """
    model = timm.create_model(LITE0, pretrained=False)
    model.load_state_dict(packaged_weights())
    fused = fuse_conv_bn_eval(model.eval().conv_head, model.bn2)  # pyright: ignore[reportArgumentType]
    assert fused.bias is not None
    return fused.weight.detach(), fused.bias.detach()


@torch.inference_mode()
def project(descriptor: Descriptor, inputs: MapInputs, photos: Photos) -> None:
    """Compute the descriptor's projection from at most MOST of the photos and their views in `inputs`."""
    chosen = np.unique(np.linspace(0, len(photos) - 1, min(MOST, len(photos))).astype(int))
    colours, rows = Colours(), [[] for _ in range(inputs.views + 1)]
    for start in range(0, len(chosen), BATCH):
        indices = chosen[start : start + BATCH]
        maps = [inputs.take(indices, np.full(len(indices), view)).cpu() for view in range(inputs.views)]
        grid = (maps[0].shape[-2], maps[0].shape[-1])
        shades = colours(images_to_float(photos.images[indices]).cpu(), grid)
        whole = covered(shades.flatten(2), grid[0] * grid[1])
        mirrored = whole.unflatten(2, grid).flip(-1).flatten(2)
        moved = torch.full_like(whole, 1 / whole.shape[2])  # where an augmented copy shows the photo is not kept
        for view, attention in enumerate([whole, mirrored, *[moved] * (inputs.views - 2)]):
            rows[view].append(descriptor.attended(maps[view].flatten(2), attention)[:, 0])
        rows[-1].append(histogram(shades.flatten(2), whole)[:, 0])
    plain, *copies, found = (torch.cat(each) for each in rows)
    fit_descriptor(descriptor, plain, copies, found)


@torch.no_grad()
def fit_descriptor(
    descriptor: Descriptor, plain: Float[Tensor, "p width"], copies: Sequence[Float[Tensor, "p width"]],
    colours: Float[Tensor, "p bins"],
) -> None:  # fmt: skip
    """Compute the projection from photos.

    plain: attended features of whole photos. copies: of the same photos mirrored or augmented. colours: histograms.
    """
    descriptor.mean.copy_(plain.mean(0))
    descriptor.deviation.copy_(plain.std(0) + 1e-4)
    features = descriptor.standardised(plain)
    descriptor.centre.copy_(features.mean(0))
    components = _components(features, NUMBERS)
    within = torch.cat([descriptor.standardised(copy) - features for copy in copies]) @ components
    variances, axes = torch.linalg.eigh(within.T @ within / len(within))
    whitening = axes / (variances + SHRINK_WITHIN * variances.mean()).sqrt() @ axes.T
    descriptor.projection.copy_(components @ whitening)
    descriptor.colour_mean.copy_(colours.mean(0))
    descriptor.colour_projection.copy_(_components(colours, COLOUR_NUMBERS))


def _components(rows: Float[Tensor, "p width"], k: int) -> Float[Tensor, "width k"]:
    """The principal components with the largest variances."""
    centred = rows - rows.mean(0)
    return torch.linalg.eigh(centred.T @ centred / len(rows)).eigenvectors[:, -k:]


def fit_whole(head: Parser, inputs: MapInputs, photos: Photos, alone: Bool[np.ndarray, " photos"]) -> None:
    """Fit the linear classifiers of whole photos to the photos and their mirror images.

    alone: which photos show one garment photographed alone, and nothing but their one tag.
    """
    pooled = torch.cat([_pooled(head, inputs, photos, view) for view in (0, 1)])
    tags, single = torch.from_numpy(np.tile(photos.tags, (2, 1))), torch.from_numpy(np.tile(alone, 2))
    mean, deviation = pooled.mean(0), pooled.std(0) + 1e-3
    pooled = (pooled - mean) / deviation
    whole, classes = head.whole, tags[single].argmax(1)
    _set(whole.gate, *_minimised(pooled, single.float()[:, None], GATE_DECAY), mean, deviation)
    _set(whole.alone, *discriminant(pooled[single], classes, tags.shape[1]), mean, deviation)
    whole.classes.copy_((torch.bincount(classes, minlength=tags.shape[1]) > 0).float())


def _minimised(x: Tensor, targets: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Weights and biases of the least logistic + decay · ‖weights‖²."""
    weight, bias = torch.zeros(targets.shape[1], x.shape[1]), torch.full((targets.shape[1],), -3.0)
    for each in (weight, bias):
        each.requires_grad_()
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=80, history_size=8, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = logistic(F.linear(x, weight, bias), targets) + decay * weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return weight.detach(), bias.detach()


def discriminant(
    x: Float[Tensor, "p width"], classes: Int[Tensor, " p"], labels: int
) -> tuple[Float[Tensor, "labels width"], Float[Tensor, " labels"]]:
    """Linear discriminant analysis: weights and biases of the log posterior of Gaussian classes of one covariance.

    The covariance is shrunk by SHRINK towards its mean variance. A label that is no photo's has weights and bias 0.
    """
    counts = torch.bincount(classes, minlength=labels)
    means = torch.zeros(labels, x.shape[1]).index_add_(0, classes, x) / counts.clamp(min=1)[:, None]
    apart = x - means[classes]
    covariance = (1 - SHRINK) * apart.T @ apart / len(x)
    covariance.diagonal().add_(SHRINK / (1 - SHRINK) * covariance.diagonal().mean())
    weight = torch.linalg.solve(covariance, means.T).T
    return weight, torch.where(counts > 0, (counts / len(x)).log() - 0.5 * (means * weight).sum(1), 0)


def _set(linear: nn.Linear, weight: Tensor, bias: Tensor, mean: Tensor, deviation: Tensor) -> None:
    """The classifier of standardised features as one of features as they are."""
    with torch.no_grad():
        linear.weight.copy_(weight / deviation)
        linear.bias.copy_(bias - linear.weight @ mean)


@torch.no_grad()
def _pooled(head: Parser, inputs: MapInputs, photos: Photos, view: int) -> Float[Tensor, "photos width"]:
    """The pooled channels of all photos or their mirror images (view 1), without the letterbox."""
    rows = []
    for start in range(0, len(photos), BATCH):
        indices = np.arange(start, min(start + BATCH, len(photos)))
        maps = inputs.take(indices, np.full(len(indices), view)).cpu()
        share = F.adaptive_avg_pool2d(shown(images_to_float(photos.images[indices]).cpu()), maps.shape[-2:])  # pyright: ignore[reportArgumentType]
        attention = (share.flip(-1) if view == 1 else share).flatten(2)
        rows.append(head.descriptor.pooled(maps.flatten(2), attention / attention.sum(-1, keepdim=True)))
    return torch.cat(rows)


def known_pairs(model: Tagger, photos: Photos) -> tuple[Float[np.ndarray, " pairs"], Bool[np.ndarray, " pairs"]]:
    """Scores before the sigmoid of all pairs of photo and label that are known, and which of them are shown."""
    chances = torch.from_numpy(predict(model, ImageInputs(photos.images), mirror=False).scores).double()
    known = photos.tags >= 0
    return chances.clamp(1e-7, 1 - 1e-7).logit().numpy()[known], photos.tags[known] > 0


def main(
    data: Annotated[str, typer.Option(help="The folder that holds `ccp` and `closet`.")],
    out: Annotated[Path, typer.Option(help="Where config.json and model.safetensors are written.")],
    profile: Annotated[str, typer.Option(help="A name in profiles/, or a YAML file.")] = PROFILE,
) -> None:
    """Train, project, calibrate and save."""
    model = shipped(load_profile(profile, data=data))
    save_model(model, out, half=True)
    print(f"{out}: calibration {model.calibration}, threshold {model.threshold}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(main)))
