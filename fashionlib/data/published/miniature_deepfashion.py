"""The wardrobe in the formats of DeepFashion's three benchmarks; called by `fashionlib.data.published.miniature`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fashionlib.data.base import Sample
from fashionlib.data.wardrobe.annotations import (
    ATTRIBUTE_TYPES,
    ATTRIBUTES,
    CLOTHES,
    attributes_of,
    box_columns,
    colour_name,
    landmark_columns,
    save_photo,
)
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.data.wardrobe.outfits import Product

_VIEWS = ("1_front", "2_side", "3_back", "4_full", "7_additional")
_BOX_NAMES = "x_1 y_1 x_2 y_2"
_POINT_NAMES = "image_name clothes_type variation_type " + " ".join(
    f"landmark_visibility_{n} landmark_location_x_{n} landmark_location_y_{n}" for n in range(1, 9)
)


class View(NamedTuple):
    """A photo on which one garment counts, under the name that the lists give it."""

    name: str
    item: str
    product: Product
    sample: Sample

    @property
    def kind(self) -> int:
        return CLOTHES[self.product.label]


class _Items:
    """Item ids in the order in which products are first met, and how many photos each has so far."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.products: dict[str, Product] = {}
        self.photos: Counter[tuple[str, str]] = Counter()

    def id_of(self, product: Product) -> str:
        item = self.ids.setdefault(product.id, f"id_{len(self.ids) + 1:08d}")
        self.products[item] = product
        return item

    def number(self, item: str, what: str = "") -> int:
        self.photos[item, what] += 1
        return self.photos[item, what]


def _asked_for(
    split: str, counts: Mapping[str, int], size: tuple[int, int], seed: int
) -> Iterator[tuple[Sample, Product]]:
    """The photos of a retrieval split whose product is one of the three kinds of clothes and to be seen."""
    wardrobe = Wardrobe(split, size=size, seed=seed, counts=counts)
    for index in range(len(wardrobe)):
        sample = wardrobe[index]
        product = next(p for p in wardrobe.scene(index).outfit.values() if p.id == sample.product)
        if product.label in CLOTHES and product.label in sample.masks:
            yield sample, product


def write_inshop(folder: Path, photos: int, size: tuple[int, int], seed: int) -> None:
    """Queries and gallery show the same products; those to train on are another seed's."""
    counts = {"inshop_query": photos // 2, "inshop_gallery": photos}
    items, views, rows = _Items(), [], []
    for status, split, drawn in (("train", "inshop_gallery", seed + 1), ("gallery", "inshop_gallery", seed),
                                 ("query", "inshop_query", seed)):  # fmt: skip
        for sample, product in _asked_for(split, counts, size, drawn):
            if status == "query" and product.id not in items.ids:  # not to be found: its gallery photos hide it
                continue
            item = items.id_of(product)
            series, view = divmod(items.number(item) - 1, len(_VIEWS))
            place = f"img/WOMEN/{_category(product)}/{item}/{series + 1:02d}_{_VIEWS[view]}.jpg"
            views.append(View(place, item, product, sample))
            rows.append(f"{place:<70} {item} {status:<10}")
    poses = [str(min(int(Path(view.name).stem.split("_")[1]), 5)) for view in views]
    _write_list(folder / "Eval/list_eval_partition.txt", "image_name item_id evaluation_status", rows)
    _write_views(folder, views, "_inshop", ("pose_type", poses))
    _write_items(folder, items, "_inshop", [f"{name:<30}" for name in ATTRIBUTES], "attribute_name")


def write_c2s(folder: Path, photos: int, size: tuple[int, int], seed: int) -> None:
    """Street photos against the catalogue; train, val and test are three seeds' products."""
    items, views, rows, sources = _Items(), [], [], []
    for drawn, (status, share) in enumerate((("train", 1), ("val", 3), ("test", 2))):
        counts = {"c2s_query": max(6, photos // share), "c2s_gallery": max(6, photos // (share + 1))}
        shops: dict[str, View] = {}
        for sample, product in _asked_for("c2s_gallery", counts, size, seed + drawn):
            shops[product.id] = View(_c2s_name(items, product, "shop"), items.id_of(product), product, sample)
        for sample, product in _asked_for("c2s_query", counts, size, seed + drawn):
            if product.id in shops:
                place, shop = _c2s_name(items, product, "comsumer"), shops[product.id]  # the release's own spelling
                views.append(View(place, shop.item, product, sample))
                sources.append("2")
                rows.append(f"{place:<70} {shop.name:<70} {shop.item} {status:<5}")
        views.extend(shops.values())
        sources.extend("1" * len(shops))
    names = "image_pair_name_1 image_pair_name_2 item_id evaluation_status"
    _write_list(folder / "Eval/list_eval_partition.txt", names, rows)
    _write_views(folder, views, "_consumer2shop", ("source_type", sources))
    lines = [
        f"属性{n} {name:<30} {kind}" for n, (name, kind) in enumerate(zip(ATTRIBUTES, ATTRIBUTE_TYPES, strict=True))
    ]
    _write_items(folder, items, "_consumer2shop", lines, "attribute_name_cn attribute_name attribute_type")


def write_attributes(folder: Path, photos: int, size: tuple[int, int], seed: int) -> None:
    """Street photos; the garment that shows most of itself is the one that the lists speak of."""
    counts = {"train": photos, "val": max(4, photos // 3), "test": max(4, photos // 3)}
    views, statuses, folders = [], [], Counter()
    for status in counts:
        wardrobe = Wardrobe(status, size=size, seed=seed, counts=counts)
        for index in range(len(wardrobe)):
            sample = wardrobe[index]
            worn = {product.label: product for product in wardrobe.scene(index).outfit.values()}
            label = max(set(sample.masks) & set(CLOTHES), key=lambda label: sample.masks[label].sum())
            product = worn[label]
            where = f"{product.fabric.texture}_{colour_name(product.fabric)}_{label}".title()
            folders[where] += 1
            views.append(View(f"img/{where}/img_{folders[where]:08d}.jpg", "", product, sample))
            statuses.append(status)
    names, anno = [view.name for view in views], folder / "Anno"
    rows = [f"{name:<70} {status:<5} " for name, status in zip(names, statuses, strict=True)]
    _write_list(folder / "Eval/list_eval_partition.txt", "image_name  evaluation_status", rows)
    _write_views(folder, views, "", None)
    categories = list(CLOTHES)
    rows = [f"{label.title():<20} {CLOTHES[label]}" for label in categories]
    _write_list(anno / "list_category_cloth.txt", "category_name  category_type", rows)
    rows = [f"{view.name:<70} {categories.index(view.product.label) + 1:>2} " for view in views]
    _write_list(anno / "list_category_img.txt", "image_name  category_label", rows)
    rows = [f"{name:<28} {kind}" for name, kind in zip(ATTRIBUTES, ATTRIBUTE_TYPES, strict=True)]
    _write_list(anno / "list_attr_cloth.txt", "attribute_name  attribute_type", rows)
    rows = [f"{view.name:<70} {_values(view.product)} " for view in views]
    _write_list(anno / "list_attr_img.txt", "image_name  attribute_labels", rows)


def _category(product: Product) -> str:
    return product.label.title().replace("-", "_")


def _c2s_name(items: _Items, product: Product, who: str) -> str:
    item = items.id_of(product)
    return f"img/CLOTHING/{_category(product)}/{item}/{who}_{items.number(item, who):02d}.jpg"


def _values(product: Product) -> str:
    """1 for each attribute that the product has, 0 (unknown) for sleeves of what has none, else -1."""
    has, bare = attributes_of(product), "sleeve" not in product.shape
    return " ".join(f"{1 if name in has else 0 if bare and 'sleeve' in name else -1:>2}" for name in ATTRIBUTES)


def _write_list(path: Path, names: str | None, rows: Sequence[str]) -> None:
    """A count, a line of names (some lists have none), and the rows, padded as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = [str(len(rows)), *([] if names is None else [names])]
    path.write_text("".join(f"{line}\n" for line in (*head, *rows)), encoding="utf-8")


def _write_views(folder: Path, views: Sequence[View], suffix: str, third: tuple[str, Sequence[str]] | None) -> None:
    """The photos, their boxes and their landmarks. third: name and values of the column before the box, if any."""
    boxes, points = [], []
    for place, view in enumerate(views):
        save_photo(folder / "Img" / view.name, view.sample.image)
        box, mask = view.sample.boxes[view.product.label], view.sample.masks[view.product.label]
        kinds = "" if third is None else f"{view.kind} {third[1][place]} "
        boxes.append(f"{view.name:<70} {kinds}{box_columns(box)} ")
        points.append(f"{view.name:<70} {view.kind} 1 {landmark_columns(np.asarray(mask), view.kind)} ")
    kinds = "" if third is None else f"clothes_type {third[0]} "
    _write_list(folder / f"Anno/list_bbox{suffix}.txt", f"image_name {kinds}{_BOX_NAMES}", boxes)
    _write_list(folder / f"Anno/list_landmarks{suffix}.txt", _POINT_NAMES, points)


def _write_items(folder: Path, items: _Items, suffix: str, attributes: Sequence[str], names: str) -> None:
    _write_list(folder / f"Anno/list_item{suffix}.txt", None, list(items.products))
    _write_list(folder / "Anno/list_attr_cloth.txt", names, attributes)
    rows = [f"{item} {_values(product)}" for item, product in items.products.items()]
    _write_list(folder / "Anno/list_attr_items.txt", "item_id attribute_labels", rows)
