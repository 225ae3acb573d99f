"""The paper's trunk: a photo becomes a map of local features.

"A six-layered convolutional neural network" (§3): the first three blocks of StyleNet (Simo-Serra and Ishikawa, CVPR
2016).
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


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
