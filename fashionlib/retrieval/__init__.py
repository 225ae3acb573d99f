"""From features to rankings and recommendations; arrays in, arrays out."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "collection": ["Answer", "Collection", "LookAlike", "Row"],
        "mmr": ["by_turns", "check_dial", "diversified"],
        "part_features": ["PartFeatures", "merged", "same_kind"],
        "ranking": ["Ranking", "rank_parts", "rank_whole"],
        "recommend": [
            *("MIN_SCORE", "POOL", "Pool", "answers", "parts_of", "pool_of", "recommend_parts", "recommend_together"),
            "shown_in",
        ],
        "xquad": ["FAINT", "chosen_together", "likely_answers", "likeness", "relevance"],
    },
)
