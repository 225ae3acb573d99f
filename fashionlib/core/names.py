"""The one table of display names: methods, lists of look-alikes, data sets, metrics, tasks and ablated options.

Every table, figure, verdict and alt text takes its names from here.
"""

from __future__ import annotations

from collections.abc import Iterable

METHODS = {
    "parser": "Parser (ours)", "parser-paper": "Paper's configuration",
    "parser-released": "Released code's configuration", "fixed-learned": "Learned layout",
    "fixed": "Fixed stripes", "csra": "CSRA", "whole": "Whole picture", "backbone": "Frozen backbone, pooled",
    "gem": "Frozen backbone, GeM", "stripes": "Frozen backbone, stripes", "shipped": "Packaged model",
    "shipped-row": "Packaged model, first row", "shipped-parts": "Packaged model, part by part",
    "shipped-turns": "Packaged model, parts in turn", "shipped-alone": "Packaged model, one list by parts alone",
    "shipped-others": "Packaged model, parts beside the best", "shipped-whole": "Packaged model, whole photo",
    "prior": "Label frequencies", "stylenet": "StyleNet", "inoue-baseline": "Inoue baseline", "inoue": "Inoue et al.",
    "veit": "Veit et al.", "veit-uncleaned": "Veit et al., uncleaned", "siamese": "Siamese", "triplet": "Triplet",
    "wtbi": "WTBI", "darn": "DARN", "fashionnet": "FashionNet",
}  # fmt: skip

LISTS = {
    "together": "One list for all parts", "parts": "Parts in turn", "whole": "Whole picture",
    "whole-together": "Whole picture, one list", "whole-mmr": "Whole picture, MMR", "random": "Random photos",
}  # fmt: skip

FEATURES = {
    "both": "texture encoding and attended ImageNet features", "texture": "texture encoding alone",
    "attended": "attended ImageNet features alone", "projected": "projected ImageNet features and colours",
}  # fmt: skip

DATASETS = {
    "wardrobe": "Wardrobe (synthetic)", "ccp": "CCP (real)", "closet": "Closet (real)",
    "catalogue": "Catalogue (real)", "folder": "your photos", "fashion144k": "Fashion144k",
    "fashion550k": "Fashion550k", "deepfashion_inshop": "DeepFashion, in-shop",
    "deepfashion_c2s": "DeepFashion, consumer to shop", "deepfashion_attributes": "DeepFashion, attributes",
}  # fmt: skip

METRICS = {
    "ap_all": "AP all", "map": "mAP", "ap_all_top6": "AP all, top 6", "map_top6": "mAP, top 6",
    **{f"top{k}": f"top {k}" for k in range(1, 51)},
    "pointing": "pointing", "pointing_moved": "pointing, shifted photos", "pointing_mean_box": "mean box",
    "pointing_centre": "picture's centre", "pointing_mean_box_moved": "mean box, shifted photos",
    "pointing_centre_moved": "picture's centre, shifted photos",
    "iou": "box IoU", "iou_moved": "box IoU, shifted photos",
    "theta_std": "standard deviation of box centres", "step_overlap": "IoU of two steps",
    "outside": "share of box outside",
    "area": "box area",
    "relevance@10": "relevance", "part_coverage@10": "part coverage",
    "intra_list@10": "intra-list distance", "alpha_ndcg@10": "α-nDCG", "coverage_ratio@10": "coverage ratio",
    "coverage_ratio_backbone@10": "coverage ratio to frozen backbone, pooled",
    "related": "style the shop calls related, in first ten", "upsell": "style the shop calls similar, in first ten",
    "first_tag": "first tag right", "precision10": "precision@10", "false_shoes": "shoes on tops",
    "ece": "calibration error",
    "centre_r": "r of box centres", "ap_all_moved": "AP all, shifted photos", "map_moved": "mAP, shifted photos",
    "follows_x": "slope, horizontal", "follows_y": "slope, vertical", "following_steps": "following steps",
}  # fmt: skip

TASKS = {"topk_inshop": "In-shop", "topk_c2s": "Consumer to shop"}
STAND_IN = "Consumer to shop, stand-in"  # CCP's: the same photo, cut out and augmented

# groups of options of the ablation: the paper's choice → ours
CHANGES = {
    "loss": "Loss: Euclidean → logistic",
    "losses on boxes": "Losses on boxes: on → off",
    "texture": "Texture encoding: before → beside classifier",
    "scores": "Scores: LSTM state → region and cells",
    "looking": "Boxes: from LSTM state → from attention map",
    "dropout": "Dropout: 0 → 0.3",
    "training": "Shifted copies, weight averaging: off → on",
    "all together": "All of these together",
}

VERSUS = ("_over_", "_gain")  # marks a paired difference in a metric's name


def method(name: str, data: str = "") -> str:
    """On drawn photos (data "wardrobe") the packaged model's rows are of the published parser, projected likewise."""
    shown = METHODS.get(name) or LISTS.get(name) or FEATURES.get(name) or name
    return shown.replace("Packaged model", "Projected parser") if data == "wardrobe" else shown


def ordered(present: Iterable[str]) -> list[str]:
    """These methods in the order of the table; unknown ones, such as baselines of one's own, come last."""
    found = dict.fromkeys(present)
    return [name for name in {**METHODS, **LISTS} if name in found] + [
        name for name in found if name not in METHODS and name not in LISTS
    ]


def dataset(name: str) -> str:
    return DATASETS.get(name, name)


def metric(name: str) -> str:
    """The metric's name; of a paired difference: what it is a difference of, and to what."""
    plain, _, control = name.removesuffix("_gain").partition("_over_")
    shown = METRICS.get(plain, plain)
    return f"{shown} − {method(control)}" if control else shown


def task(experiment: str, data: str) -> str:
    """The retrieval task of an experiment; CCP's consumer-to-shop is a stand-in and is always called so."""
    return STAND_IN if (experiment, data) == ("topk_c2s", "ccp") else TASKS.get(experiment, experiment)
