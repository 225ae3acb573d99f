"""From a trained parser to the model that comes with the package: features projected, scores calibrated.

python -m benchmarks.ship --data FOLDER --out weights/street-shop-closet

FOLDER holds `ccp` and `closet`. Training is the profile's own (`profiles/street-shop-closet.yaml`), taken up where it
was interrupted. Validation photos decide the epoch, the calibration and the threshold; test photos are not opened.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from jaxtyping import Bool, Float
from torch import Tensor, nn

from benchmarks.calibration import best_threshold, platt
from fashionlib.data.augment import images_to_float
from fashionlib.data.store import Photos
from fashionlib.experiments.methods import fit, inputs_of, photos_of, training_views
from fashionlib.experiments.profile import Profile, load_profile
from fashionlib.models.backbones import classifier_layer
from fashionlib.models.descriptor import Colours, Descriptor, covered, fit_descriptor, histogram, shown
from fashionlib.models.losses import logistic
from fashionlib.models.parser import Parser
from fashionlib.models.tagger import Tagger, save_model
from fashionlib.training.inputs import ImageInputs, MapInputs
from fashionlib.training.loop import predict

PROFILE, METHOD = "street-shop-closet", "parser"
WHOLE_SHARE, DECAY, EPOCHS, RATE = 0.4, 0.03, 12, 1e-3  # of the whole photo's classifier, chosen on validation photos
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
    fit_whole(model.head, inputs, photos)  # pyright: ignore[reportArgumentType]
    validation = photos_of(profile, "val", seed)
    scores, known = known_pairs(model, validation)
    model.calibration = platt(scores, known)
    model.threshold = best_threshold(model.probabilities(torch.from_numpy(scores)).numpy(), known)
    return model.eval()


def with_descriptor(trained: Tagger) -> Tagger:
    """The same parser on a trunk that gives colours, too; the projection of its features is still to be computed."""
    head = asdict(replace(trained.options, compare="projected", whole_share=WHOLE_SHARE))
    trunk = {**trained.trunk_options, "colours": True}
    model = Tagger(labels=trained.labels, image_size=trained.image_size, kind="parser", head=head, trunk=trunk)
    model.head.load_state_dict(trained.head.state_dict(), strict=False)
    weight, bias = classifier_layer()
    with torch.no_grad():
        model.head.descriptor.lift.weight.copy_(weight)
        model.head.descriptor.lift.bias.copy_(bias)
    return model


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


def fit_whole(head: Parser, inputs: MapInputs, photos: Photos) -> None:
    """Fit the linear classifier of whole photos to all views, with a penalty of DECAY · ‖weights‖²."""
    pooled = torch.cat([_pooled(head, inputs, photos, view) for view in range(inputs.views)])
    targets = torch.from_numpy(np.tile(photos.tags, (inputs.views, 1))).float()
    mean, deviation = pooled.mean(0), pooled.std(0) + 1e-4
    torch.manual_seed(0)
    linear = nn.Linear(pooled.shape[1], targets.shape[1])
    nn.init.zeros_(linear.weight)
    nn.init.constant_(linear.bias, -3.0)
    optimiser = torch.optim.AdamW(linear.parameters(), lr=RATE, weight_decay=0)
    for batch in (batch for _ in range(EPOCHS) for batch in torch.randperm(len(pooled)).split(128)):
        scores = linear((pooled[batch] - mean) / deviation)
        loss = logistic(scores, targets[batch]) + DECAY * linear.weight.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():  # the standardisation goes into the weights
        head.whole.weight.copy_(linear.weight / deviation)
        head.whole.bias.copy_(linear.bias - head.whole.weight @ mean)


@torch.no_grad()
def _pooled(head: Parser, inputs: MapInputs, photos: Photos, view: int) -> Float[Tensor, "photos lifted"]:
    """The pooled channels of all photos in a view; without the letterbox, but in augmented copies."""
    rows = []
    for start in range(0, len(photos), BATCH):
        indices = np.arange(start, min(start + BATCH, len(photos)))
        maps = inputs.take(indices, np.full(len(indices), view)).cpu()
        share = torch.ones(len(maps), 1, *maps.shape[-2:])
        if view < 2:
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
    typer.run(main)
