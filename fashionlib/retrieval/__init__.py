"""From features to rankings and recommendations; arrays in, arrays out."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "mmr": ["by_turns", "check_dial", "diversified"],
        "part_features": ["PartFeatures", "Stack"],
        "ranking": ["Ranking", "rank_parts", "rank_whole", "same_category"],
        "recommend": [
            "Answer",
            "Collection",
            "FAINT",
            "MIN_SCORE",
            "LookAlike",
            "POOL",
            "Pool",
            "Row",
            "answers",
            "parts_of",
            "pool_of",
            "recommend_parts",
            "recommend_together",
            "shown_in",
        ],
        "shown": ["answers_as_lines", "answers_cells", "as_lines", "grid_cells", "grid_rows"],
        "xquad": ["NEAR", "chosen_together", "likely_answers"],
    },
)
