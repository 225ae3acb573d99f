"""What retrieval compares: the whole photo and its parts as a few hundred numbers each.

Attended features of all depths and the classifier's 1,280 channels, each block standardised and at length 1, are
projected so that copies of one photo (mirrored, moved, in another light) lie near each other: principal components,
then whitening by the covariance within photos (WCCN; Hatch, Kajarekar, Stolcke, Interspeech 2006). Colours are a
histogram, square-rooted and reduced by principal components.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.models.baselines.csra import CSRA, CSRAOptions

LIFTED = 1280  # channels before the classifier of EfficientNet-lite0
NUMBERS, COLOUR_NUMBERS = 256, 64
COLOUR_SHARE = 0.6  # length of the colours beside features of length 1
LIGHTNESS = (10.0, 30.0, 50.0, 70.0, 90.0)
OPPONENT = (-45.0, -25.0, -10.0, 0.0, 10.0, 25.0, 45.0)  # of a (green to red) and b (blue to yellow), finer near grey
WIDTH = (10.0, 9.0, 9.0)  # standard deviations of the soft assignment, in L, a and b
FINE = 2  # pixels that stand for a cell, per side
LETTERBOX = 127 / 255  # the grey around a photo is no colour of it


class Descriptor(nn.Module):
    """Features under an attention map → NUMBERS + COLOUR_NUMBERS numbers of length 1.

    depths: channels of the trunk's depths, the deepest last. Its weights are not trained by gradients: `lift` is the
    trunk's own layer, the rest is computed from photos by `benchmarks.ship`.
    """

    numbers = NUMBERS + COLOUR_NUMBERS
    mean: Tensor
    deviation: Tensor
    centre: Tensor
    projection: Tensor
    colour_mean: Tensor
    colour_projection: Tensor

    def __init__(self, depths: Sequence[int]):
        super().__init__()
        self.blocks = (LIFTED, *depths)
        width = sum(self.blocks)
        self.lift = nn.Conv2d(depths[-1], LIFTED, 1).requires_grad_(False)
        shapes = {
            "mean": (width,), "deviation": (width,), "centre": (width,), "projection": (width, NUMBERS),
            "colour_mean": (Colours.channels,), "colour_projection": (Colours.channels, COLOUR_NUMBERS),
        }  # fmt: skip
        for name, shape in shapes.items():
            self.register_buffer(name, (torch.ones if name == "deviation" else torch.zeros)(shape))

    def forward(
        self, maps: Float[Tensor, "b d n"], colours: Float[Tensor, "b bins n"], attention: Float[Tensor, "b s n"]
    ) -> Float[Tensor, "b s numbers"]:
        """maps: of the trunk, not standardised. colours: see `Colours`; b 0 n where the trunk gives none."""
        standard = self.standardised(self.attended(maps, attention))
        features = F.normalize((standard - self.centre) @ self.projection, dim=-1)
        if not colours.shape[1]:
            return torch.cat([features, features.new_zeros(*features.shape[:2], COLOUR_NUMBERS)], -1)
        shades = F.normalize((histogram(colours, attention) - self.colour_mean) @ self.colour_projection, dim=-1)
        return torch.cat([features, COLOUR_SHARE * shades], -1) / math.sqrt(1 + COLOUR_SHARE**2)

    def attended(self, maps: Float[Tensor, "b d n"], attention: Float[Tensor, "b s n"]) -> Float[Tensor, "b s width"]:
        """Mean features under each attention map: of the lifted channels, then of every depth."""
        lifted = self.lift(maps[:, -self.blocks[-1] :, :, None])[..., 0].clamp(0, 6)  # ReLU6
        return attention @ torch.cat([lifted, maps], 1).transpose(1, 2)

    def pooled(self, maps: Float[Tensor, "b d n"], attention: Float[Tensor, "b 1 n"]) -> Float[Tensor, "b width"]:
        """Of the whole photo: the lifted channels' generalised mean (GeM, p = 3; Radenović, Tolias, Chum, TPAMI 2019),
        then the mean of every depth.
        """
        lifted = self.lift(maps[:, -self.blocks[-1] :, :, None])[..., 0].clamp(1e-6, 6)
        return torch.cat([(lifted.pow(3) * attention).sum(-1).pow(1 / 3), (maps * attention).sum(-1)], 1)

    def standardised(self, features: Float[Tensor, "*n width"]) -> Float[Tensor, "*n width"]:
        """Mean 0 and deviation 1 over photos, then each block at length 1."""
        scaled = (features - self.mean) / self.deviation
        return torch.cat([F.normalize(block, dim=-1) for block in scaled.split(self.blocks, dim=-1)], -1)


class WholePhoto(nn.Module):
    """Classifiers of a whole photo, trained or computed after the parts by `benchmarks.ship`.

    Class-specific residual attention scores all labels. A linear classifier names a garment photographed alone, on a
    floor or a hanger, which shows one of `classes` and no other; another tells whether a photo is such a one, and how
    much the first counts. Both read `Descriptor.pooled`.
    """

    FAINTEST = -8.0  # the least that a class of the second is scored

    classes: Tensor

    def __init__(self, depths: Sequence[int], labels: int, share: float, alone_share: float):
        super().__init__()
        self.share, self.alone_share = share, alone_share
        self.worn = CSRA(depths, labels, CSRAOptions())
        self.alone, self.gate = (nn.Linear(LIFTED + sum(depths), outputs) for outputs in (labels, 1))
        self.requires_grad_(False)
        self.register_buffer("classes", torch.zeros(labels))

    def forward(
        self, steps: Float[Tensor, "b s c"], maps: Float[Tensor, "b d y x"], pooled: Float[Tensor, "b width"]
    ) -> Float[Tensor, "b s c"]:
        """steps: scores of the parts, into which those of the whole photo are mixed."""
        mixed = torch.lerp(steps, self.worn(maps).scores.unsqueeze(1).expand_as(steps), self.share)
        hidden = self.alone(pooled).masked_fill(self.classes == 0, -torch.inf)
        alone = hidden.log_softmax(1).clamp(min=self.FAINTEST) if self.alone_share else torch.zeros_like(hidden)
        weight = self.alone_share * self.gate(pooled).sigmoid() * self.classes
        return torch.lerp(mixed, alone.unsqueeze(1).expand_as(steps), weight.unsqueeze(1).expand_as(steps))


def histogram(colours: Float[Tensor, "b bins n"], attention: Float[Tensor, "b s n"]) -> Float[Tensor, "b s bins"]:
    """Square roots of the shares of colours under each attention map."""
    shares = attention @ colours.transpose(1, 2)
    return (shares / shares.sum(-1, keepdim=True).clamp(min=1e-6)).sqrt()


def covered(colours: Float[Tensor, "b bins n"], cells: int) -> Float[Tensor, "b 1 n"]:
    """Attention to the whole photo, without the letterbox around it; to all cells where no colours tell."""
    if not colours.shape[1]:
        return colours.new_full((len(colours), 1, cells), 1 / cells)
    share = colours.sum(1, keepdim=True)
    return share / share.sum(-1, keepdim=True).clamp(min=1e-6)


class Colours(nn.Module):
    """RGB photos to soft histograms of CIELAB colours (D65), cell by cell; the letterbox's grey counts nothing.

    A cell's histogram sums to the share of the cell that the photo covers.
    """

    channels = len(LIGHTNESS) * len(OPPONENT) ** 2

    def __init__(self):
        super().__init__()
        centres = torch.cartesian_prod(torch.tensor(LIGHTNESS), torch.tensor(OPPONENT), torch.tensor(OPPONENT))
        self.register_buffer("centres", centres / torch.tensor(WIDTH), persistent=False)
        self.register_buffer("width", torch.tensor(WIDTH), persistent=False)

    centres: Tensor
    width: Tensor

    def forward(self, images: Float[Tensor, "b 3 h w"], grid: tuple[int, int]) -> Float[Tensor, "b bins y x"]:
        """images: RGB in 0..1."""
        images = images.float()
        covered = shown(images)
        fine = (grid[0] * FINE, grid[1] * FINE)
        share = F.adaptive_avg_pool2d(covered, fine)
        colour = F.adaptive_avg_pool2d(images * covered, fine) / share.clamp(min=1e-6)
        pixels = (to_lab(colour).flatten(2).transpose(1, 2) / self.width).flatten(0, 1)  # b·n 3
        near = torch.cdist(pixels, self.centres, compute_mode="use_mm_for_euclid_dist").square().div(-2).exp()
        near = near / near.sum(-1, keepdim=True).clamp(min=1e-9)
        bins = near.unflatten(0, (len(images), fine[0] * fine[1])).transpose(1, 2).unflatten(2, fine)
        return F.avg_pool2d(bins * share, FINE)


def shown(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """1 where the photo is, 0 where the letterbox is."""
    return ((images - LETTERBOX).abs().amax(1, keepdim=True) > 1e-3).float()


def to_lab(rgb: Float[Tensor, "b 3 *n"]) -> Float[Tensor, "b 3 *n"]:
    """sRGB in 0..1 to CIELAB under D65."""
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    to_xyz = rgb.new_tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    white = rgb.new_tensor([0.9505, 1.0, 1.089])
    x, y, z = (linear.transpose(1, -1) @ (to_xyz / white[:, None]).T).unbind(-1)
    x, y, z = (torch.where(t > 0.008856, t.clamp(min=1e-6) ** (1 / 3), 7.787 * t + 16 / 116) for t in (x, y, z))
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).transpose(1, -1)
