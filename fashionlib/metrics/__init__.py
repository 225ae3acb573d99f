"""What the book measures: tagging (AP_all, mAP), retrieval (hit@k), diversity, attention, localisation, intervals."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attention": ["AttentionStatistics", "attention_statistics", "following"],
        "bootstrap": ["Interval", "Weights", "mean_interval"],
        "diversity": [
            *("alpha_ndcg_at_k", "at_equal_relevance", "intra_list_distance_at_k", "mean_value", "part_coverage_at_k"),
            "relevance_at_k",
        ],
        "localisation": [
            *("GarmentTruth", "MIN_PHOTOS", "centre_correlation", "compare", "garment_truth", "hit"),
            *("intersection_over_union", "mean_over_labels", "on_canvas", "winning_boxes", "winning_steps"),
        ],
        "retrieval": ["NEVER", "TOP_K", "first_hit_ranks", "hit_rate", "recall_fraction_at_k", "top_k_accuracy"],
        "tagging": ["average_precision_all", "mean_average_precision", "top_k_assignments"],
    },
)
