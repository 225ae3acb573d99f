"""Every loss of the paper and of its sources, one function each. All return a scalar and are differentiable.

[P] is the paper, §3 "Loss"; [W] Wang et al., ICCV 2017; [Z] Zhao et al., DVAN; [R] the paper's released code.
Shapes: b images, c labels, s steps; theta = (s_x, s_y, t_x, t_y), see `fashionlib.models.spatial_transformer`.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def euclidean(scores: Float[Tensor, "b c"], targets: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
    """Classification loss of [P] and [W]: mean over images of ‖softmax(z) − y/‖y‖₁‖²; without tags y stays 0."""
    shares = targets / targets.sum(1, keepdim=True).clamp(min=1)
    return (scores.softmax(1) - shares).square().sum(1).mean()


def logistic(scores: Float[Tensor, "b c"], targets: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
    """The modern rival of `euclidean`: binary cross-entropy, summed over labels, mean over images.

    targets: 1 shown, 0 absent; labels below 0 are unknown and left out.
    """
    known = (targets >= 0).to(scores.dtype)
    return F.binary_cross_entropy_with_logits(scores, targets.clamp(min=0), weight=known, reduction="sum") / len(scores)


def one_tag(scores: Float[Tensor, "b c"], targets: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
    """Cross-entropy over all labels of photos with one tag, whatever of the others is unknown; mean over all images.

    The tag is then to be the first, also before labels that the photo may carry, too.
    """
    one = (targets > 0).sum(1) == 1
    return F.cross_entropy(scores[one], targets[one].argmax(1), reduction="sum") / len(scores)


def scale(theta: Float[Tensor, "b s 4"], max_scale: float = 0.5) -> Float[Tensor, ""]:
    """Boxes no larger than α = 0.5: max(|s_x| − α, 0)² + max(|s_y| − α, 0)² [W]."""
    return F.relu(theta[..., :2].abs() - max_scale).square().sum(-1).mean()


def positive(theta: Float[Tensor, "b s 4"], min_scale: float = 0.1) -> Float[Tensor, ""]:
    """Boxes not mirrored and not vanishing: max(0, β − s_x) + max(0, β − s_y), β = 0.1 [W]."""
    return F.relu(min_scale - theta[..., :2]).sum(-1).mean()


def anchor(theta: Float[Tensor, "b s 4"], anchors: Float[Tensor, "s 2"]) -> Float[Tensor, ""]:
    """Each step near its own place: ½‖(t_x, t_y) − (c_x, c_y)‖² [W]."""
    return 0.5 * (theta[..., 2:] - anchors).square().sum(-1).mean()


def localisation(theta: Float[Tensor, "b s 4"], anchors: Float[Tensor, "s 2"]) -> Float[Tensor, ""]:
    """scale + 0.01 anchor + 0.1 positive [W]; [P] adds it to the classification loss with factor 1, [W] with 0.1."""
    return scale(theta) + 0.01 * anchor(theta, anchors) + 0.1 * positive(theta)


def divergence(maps: Float[Tensor, "b s n"]) -> Float[Tensor, ""]:
    """Correlation of the attention maps of neighbouring steps, Σ_n m_t(n) m_{t+1}(n), mean over pairs [P, Z].

    maps: each sums to 1 over its n cells. [P] gives it the factor 0.01.
    """
    return (maps[:, :-1] * maps[:, 1:]).sum(-1).mean()


def gram_divergence(features: Float[Tensor, "b s d"]) -> Float[Tensor, ""]:
    """What [R] computes for it, with the factor 100: the mean product of all steps' features, diagonal included."""
    return (features @ features.transpose(1, 2)).mean()
