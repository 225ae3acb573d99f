"""Every figure of the book, in one style."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attention": ["attention_sheet", "attention_spread", "pointing_figure", "wins_map"],
        "figures": ["answers_grid", "compare_rows", "history", "recommendation_grid", "sample_sheet"],
        "looks": ["answers_cells", "grid_cells", "grid_rows"],
        "scores": ["ablation_figure", "dial_curves", "table1_figure", "topk_curves"],
    },
)
