"""The baseline of Inoue, Simo-Serra, Yamasaki, Ishikawa, "Multi-Label Fashion Image Classification with Minimal Human
Supervision", ICCV Workshops 2017: a plain classifier that takes the noisy tags at their word.

Simplified: VGG16 there, the common trunk here. So it is the head `whole`, by the name that Table 1 gives it.
"""

from __future__ import annotations

from fashionlib.rivals.whole import WholeImage, WholeOptions

InoueBaselineOptions = WholeOptions


class InoueBaseline(WholeImage):
    """Scores from the pooled map; the pooled map is what retrieval compares."""
