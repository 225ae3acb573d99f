"""Texture encoding: Zhang, Xue, Dana, "Deep TEN: Texture Encoding Network", CVPR 2017, eq. 2–4."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fashionlib.core.device import no_autocast


class TextureEncoding(nn.Module):
    """A bag of local features as its residuals to K learned codewords, whatever their order.

        r_ik = x_i − c_k
        a_ik = softmax over k of −s_k ‖r_ik‖²
        e_k  = Σ_i a_ik r_ik,  then all K·D numbers to length 1

    channels: D. codewords: K, 32 in the paper. The codewords start uniform in ±1/√(K·D), the smoothing
    factors s_k uniform in (0, 1), as in Deep TEN.
    """

    def __init__(self, channels: int, codewords: int = 32):
        super().__init__()
        bound = (codewords * channels) ** -0.5
        self.codewords = nn.Parameter(torch.empty(codewords, channels).uniform_(-bound, bound))
        self.smoothing = nn.Parameter(torch.empty(codewords).uniform_(0, 1))

    def forward(
        self, features: Float[Tensor, "b n d"], weights: Float[Tensor, "b s n"] | None = None
    ) -> Float[Tensor, "b *s encoded"]:
        """K·D numbers a bag. weights: how much each feature counts, such as an attention map; one bag for each row."""
        with no_autocast(features):  # squares and a softmax: not for bf16
            features = features if features.dtype == torch.float64 else features.float()
            return F.normalize(self.encode(features, weights).flatten(-2), dim=-1)

    def assignment(self, features: Float[Tensor, "b n d"]) -> Float[Tensor, "b n k"]:
        """a_ik. The square is expanded, so that no b·n·k·d residual is ever held."""
        distances = (
            features.square().sum(-1, keepdim=True)        # b n 1
            - 2 * features @ self.codewords.T              # b n k
            + self.codewords.square().sum(-1)              #     k
        )  # fmt: skip
        return torch.softmax(-self.smoothing * distances, dim=-1)

    def encode(
        self, features: Float[Tensor, "b n d"], weights: Float[Tensor, "b s n"] | None = None
    ) -> Float[Tensor, "b *s k d"]:
        """e_k, before normalisation: Σ_i a_ik x_i − (Σ_i a_ik) c_k, with w_i a_ik for a_ik where there are weights."""
        assignment = self.assignment(features).transpose(1, 2)  # b k n
        if weights is not None:
            assignment = weights.to(assignment).unsqueeze(2) * assignment.unsqueeze(1)  # b s k n
        sums = assignment.flatten(1, -2) @ features  # b (s·k) d: one product, the features are not repeated for each s
        return sums.view(*assignment.shape[:-1], -1) - assignment.sum(-1, keepdim=True) * self.codewords
