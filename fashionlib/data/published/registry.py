"""The data sets as their authors give them out: how many, under which terms, where to ask, what goes where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Published:
    """A data set as its authors give it out.

    counts: by what is counted, the published number. layout: the files that are read, below the data set's folder.
    ask: where the data are to be had, and what has to be known to unpack them.
    splits: which of train, val and test a run has of it. options: how a run loads it. parts: whether it says where each
    label's garment is on a photo. knows: what else methods may learn from, "products" or "verified tags".
    """

    title: str
    licence: str
    ask: str
    layout: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    splits: tuple[str, ...] = ("train", "val", "test")
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: bool = False
    knows: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        """One line for an error: where to ask."""
        if not self.ask.startswith("http"):
            return "name a folder with photos"
        return f"ask for the data at {self.ask.split(maxsplit=1)[0]} (`fashionlib doctor` says what goes where)"


_CUHK = (
    "Non-commercial research and education only; the photos belong to their owners (the release's README). Not to be "
    "passed on."
)
_PASSWORD = (
    "\nSign the agreement on that page; its form, or a mail to the address in the README, brings the password of "
    "img.zip (of the high-resolution photos for in-shop). The lists in Anno and Eval need none."
)

PUBLISHED: dict[str, Published] = {
    "ccp": Published(
        title="Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014)",
        licence="Apache-2.0; the people on the photos were not asked, so measure with them and publish none.",
        ask="https://github.com/bearpaw/clothing-co-parsing\nNo password: git clone it, and name the clone.",
        layout=("photos/0001.jpg …", "annotations/pixel-level/0001.mat …", "annotations/image-level/1005.mat …",
                "label_list.mat"),
        counts={"photos": 2098, "photos with masks": 1004, "labels": 59},
        parts=True,
    ),
    "closet": Published(
        title="Clothing dataset: clothes at home (Grigorev, 2020)",
        licence="CC0 1.0: free for any use.",
        ask="https://github.com/alexeygrigorev/clothing-dataset\nNo password: git clone it, and name the clone.",
        layout=("images.csv", "images/….jpg"),
    ),
    "catalogue": Published(
        title="Magento 2 sample data: a shop's studio photos",
        licence="Open Software License 3.0: keep it beside the photos and whatever is derived from them.",
        ask="https://github.com/magento/magento2-sample-data\nNo password: git clone it, and name the clone.",
        layout=("pub/media/catalog/product/m/h/mh01-black_main.jpg …, or images/mh01-black_main.jpg …",
                "related.csv and upsell.csv, anywhere below"),
    ),
    "folder": Published(
        title="anyone's photos",
        licence="Whatever the photos came under.",
        ask="nobody: the folder is yours.",
        layout=("*.jpg, *.png, *.webp …",),
    ),
    "fashion144k": Published(
        title="Fashion144k, StyleNet's cleaned version (Simo-Serra, Ishikawa, CVPR 2016)",
        licence="Its page states the terms; the photos are those of chictopia.com's users and not ours to pass on.",
        ask="https://esslab.jp/~ess/en/data/fashion144k_stylenet/\nNo password; the 59 item labels of the paper come "
            "with its released code (feat/singles_at_59.npy, under \"Modified labels\" in its README).",
        layout=("photos.txt", "photos/…", "trainids.npy", "validids.npy", "testids.npy", "feat/feat_sin.npy",
                "feat/singles.txt", "feat/singles_at_59.npy (the paper's labels)"),
        counts={"single tags": 123, "train photos": 80554, "val photos": 8948},
    ),
    "fashion550k": Published(
        title="Fashion550k (Inoue, Simo-Serra, Yamasaki, Ishikawa, ICCV Workshops 2017)",
        licence="Its page states the terms; the photos are those of the people who posted them, not ours to pass on.",
        ask="https://esslab.jp/~ess/en/data/fashion550k/\nNo password.",
        layout=("photos.txt", "the photos that it names", "trainids.npy", "validids.npy", "testids.npy",
                "duplicateids.npy", "annotation/noisy.npy", "annotation/verified.npy",
                "annotation/labels.txt (names of the 66 labels, one a line)"),
        counts={"photos": 550661, "labels": 66, "verified train photos": 3000, "val photos": 300, "test photos": 2000},
        knows=("verified tags",),
    ),
    "deepfashion_inshop": Published(
        title="DeepFashion, In-shop Clothes Retrieval Benchmark (Liu and others, CVPR 2016)",
        licence=_CUHK,
        ask="http://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html" + _PASSWORD,
        layout=("Eval/list_eval_partition.txt", "Anno/list_bbox_inshop.txt", "Anno/list_landmarks_inshop.txt",
                "Anno/list_item_inshop.txt", "Anno/list_attr_cloth.txt and Anno/list_attr_items.txt (attributes)",
                "Img/img/WOMEN/… (img.zip, unpacked in Img)"),
        counts={"photos": 52712, "items": 7982, "train photos": 25882, "train items": 3997, "query photos": 14218,
                "gallery photos": 12612, "query items": 3985, "gallery items": 3985},
        splits=("train", "val"), options={"held_out": 0.1}, knows=("products",),
    ),
    "deepfashion_c2s": Published(
        title="DeepFashion, Consumer-to-shop Clothes Retrieval Benchmark (Liu and others, CVPR 2016)",
        licence=_CUHK,
        ask="http://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/Consumer2ShopRetrieval.html" + _PASSWORD,
        layout=("Eval/list_eval_partition.txt", "Anno/list_bbox_consumer2shop.txt",
                "Anno/list_landmarks_consumer2shop.txt", "Anno/list_item_consumer2shop.txt",
                "Anno/list_attr_cloth.txt and Anno/list_attr_items.txt (attributes)",
                "Img/img/CLOTHING/… (img.zip, unpacked in Img)"),
        counts={"photos": 239557, "pairs": 195540},
        splits=("train", "val"), knows=("products",),
    ),
    "deepfashion_attributes": Published(
        title="DeepFashion, Category and Attribute Prediction Benchmark (Liu and others, CVPR 2016)",
        licence=_CUHK,
        ask="http://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/AttributePrediction.html" + _PASSWORD,
        layout=("Eval/list_eval_partition.txt", "Anno/list_category_cloth.txt", "Anno/list_category_img.txt",
                "Anno/list_attr_cloth.txt", "Anno/list_attr_img.txt", "Anno/list_bbox.txt", "Anno/list_landmarks.txt",
                "Img/img/Sheer_Pleated-Front_Blouse/… (img.zip, unpacked in Img)"),
        counts={"photos": 289222, "categories": 50, "attributes": 1000, "train photos": 209222, "val photos": 40000,
                "test photos": 40000},
    ),
}  # fmt: skip
