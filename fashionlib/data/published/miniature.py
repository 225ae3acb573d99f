"""The wardrobe written in the formats of the published data sets: same files, same columns, drawn photos.

So every loader, every rule of `fashionlib doctor` and the runs on the paper's data can be tried from end to end where
the data themselves cannot be had. Numbers measured on a miniature say nothing about the data set it imitates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.core.files import build_aside
from fashionlib.data.base import Box, Sample
from fashionlib.data.published.listed import CUT_OFF, VISIBLE
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.data.wardrobe.drawing import Fabric
from fashionlib.data.wardrobe.outfits import COLOURS, LABELS, SLOTS, Product

UPPER, LOWER, FULL = 1, 2, 3
CLOTHES = {label: FULL if label == "dress" else LOWER if slot == "lower" else UPPER
           for label, slot in SLOTS.items() if slot in ("top", "outer", "lower")}  # fmt: skip
_TEXTURES = ("checks", "denim", "dots", "knit", "pinstripes", "plain", "print", "stripes")
ATTRIBUTES = (*_TEXTURES, *COLOURS, "long sleeve", "short sleeve")
_TYPES = (*[1] * len(_TEXTURES), *[5] * len(COLOURS), 4, 4)
_VIEWS = ("1_front", "2_side", "3_back", "4_full", "7_additional")
_POINTS = (f"landmark_visibility_{n} landmark_location_x_{n} landmark_location_y_{n}" for n in range(1, 9))
_POINT_NAMES = f"image_name clothes_type variation_type {' '.join(_POINTS)}"
_TYPED = [f"{name:<30} {kind}" for name, kind in zip(ATTRIBUTES, _TYPES, strict=True)]


def write_miniature(
    dataset: str, folder: str | Path, *, photos: int = 60, size: tuple[int, int] = (192, 128), seed: int = 0
) -> Path:
    """Write a miniature of `dataset` into `folder` and return it; the folder is whole or absent.

    dataset: "fashion144k", "fashion550k", "deepfashion_inshop", "deepfashion_c2s" or "deepfashion_attributes".
    photos: how many the largest split has, roughly; the others have a third to a half as many.
    size: height and width of each, in pixels, as in `Wardrobe`. The same seed writes the same miniature.

    Raises InputError for another name, fewer than 12 photos, or a folder that is there already.
    """
    if dataset not in WRITERS:
        raise InputError(f"no miniature of {dataset!r}: choose one of {', '.join(WRITERS)}")
    if photos < 12:
        raise InputError(f"photos={photos}: expected at least 12, so that every split has some")
    folder = Path(folder)
    if folder.exists():
        raise InputError(f"{folder}: is there already; remove it or name another folder")
    return build_aside(folder, lambda aside: WRITERS[dataset](aside, photos, size, seed))


def write_miniatures(folder: str | Path, *, photos: int = 60, seed: int = 0) -> list[Path]:
    """A miniature of each published data set, in a folder of its name below `folder`: what DATA= of `paper` expects.

    Raises InputError as `write_miniature` does, and writes none where one is there already.
    """
    for there in (Path(folder) / name for name in WRITERS):
        if there.exists():
            raise InputError(f"{there}: is there already; remove it or name another folder")
    return [write_miniature(name, Path(folder) / name, photos=photos, seed=seed) for name in WRITERS]


def _streets(photos: int, size: tuple[int, int], seed: int) -> Iterator[tuple[str, Sample, dict[str, Product]]]:
    """Photos of train, val and test: the split, the sample, and what is worn by label."""
    counts = {"train": photos, "val": max(4, photos // 3), "test": max(4, photos // 3)}
    for split in counts:
        wardrobe = Wardrobe(split, size=size, seed=seed, counts=counts)
        for index in range(len(wardrobe)):
            worn = {product.label: product for product in wardrobe.scene(index).outfit.values()}
            yield split, wardrobe[index], worn


def _write_tags(folder: Path, photos: int, size: tuple[int, int], seed: int, *, verified: bool) -> None:
    """Fashion144k, or Fashion550k with its verified tags: photos in an order drawn by the seed."""
    streets = list(_streets(photos, size, seed))
    streets = [streets[place] for place in np.random.default_rng(seed).permutation(len(streets))]
    if verified:
        streets += [("repeat", *street[1:]) for street in streets[:2]]  # posted twice, under another name
    names = [f"photos/{number:06d}.jpg" for number in range(1, len(streets) + 1)]
    for name, (_, sample, _) in zip(names, streets, strict=True):
        _save_photo(folder / name, sample.image)
    numbers = {one: np.flatnonzero([split == one for split, *_ in streets])
               for one in ("train", "val", "test", "repeat")}  # fmt: skip
    if verified:  # of the other training photos nobody checked the tags
        numbers["train"] = numbers["train"][: max(4, photos // 4)]
        np.save(folder / "duplicateids.npy", numbers["repeat"])
    for split, name in (("train", "trainids"), ("val", "validids"), ("test", "testids")):
        np.save(folder / f"{name}.npy", numbers[split])
    _write_lines(folder / "photos.txt", names)
    tagged = [{LABELS[place] for place in np.flatnonzero(sample.labels)} for _, sample, _ in streets]
    colours = [{_colour_name(worn[label].fabric) for label in sample.boxes} for _, sample, worn in streets]
    noisy = [tags | shown for tags, shown in zip(tagged, colours, strict=True)]
    if verified:
        true = [{*sample.boxes, *shown} for (_, sample, _), shown in zip(streets, colours, strict=True)]
        chosen = [true[number] for split in ("train", "val", "test") for number in numbers[split]]
        labels = (*COLOURS, *LABELS)
        _write_lines(folder / "annotation/labels.txt", labels)
        np.save(folder / "annotation/noisy.npy", _matrix(noisy, labels))
        np.save(folder / "annotation/verified.npy", _matrix(chosen, labels))
        return
    singles = sorted((*COLOURS, *LABELS), key=str.title)
    _write_lines(folder / "feat/singles.txt", [name.title() for name in singles])
    np.save(folder / "feat/feat_sin.npy", _matrix(noisy, singles))
    np.save(folder / "feat/singles_at_59.npy", _matrix(tagged, LABELS))


def _matrix(rows: Sequence[set], names: Sequence) -> np.ndarray:
    return np.array([[name in row for name in names] for row in rows], dtype=np.uint8)


class View(NamedTuple):
    """A photo on which one garment counts, under the name that the lists give it. third: a column of its box."""

    name: str
    product: Product
    sample: Sample
    third: str = ""


class _Items:
    """Item ids in the order in which products are first met, and how many photos each has so far."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.products: dict[str, Product] = {}
        self.photos: Counter[tuple[str, str]] = Counter()

    def number(self, product: Product, what: str = "") -> tuple[str, int]:
        """The product's id, and the number of this photo of it, from 1."""
        item = self.ids.setdefault(product.id, f"id_{len(self.ids) + 1:08d}")
        self.products[item] = product
        self.photos[item, what] += 1
        return item, self.photos[item, what]


def _asked_for(
    split: str, counts: Mapping[str, int], size: tuple[int, int], seed: int
) -> Iterator[tuple[Sample, Product]]:
    """The photos of a retrieval split whose product is one of the three kinds of clothes and to be seen."""
    wardrobe = Wardrobe(split, size=size, seed=seed, counts=counts)
    for index in range(len(wardrobe)):
        sample = wardrobe[index]
        product = next(one for one in wardrobe.scene(index).outfit.values() if one.id == sample.product)
        if product.label in CLOTHES and product.label in sample.masks:
            yield sample, product


def _write_inshop(folder: Path, photos: int, size: tuple[int, int], seed: int) -> None:
    """Queries and gallery show the same products; those to train on are another seed's."""
    counts = {"inshop_query": photos // 2, "inshop_gallery": photos}
    items, views, rows = _Items(), [], []
    for status, split, drawn in (("train", "inshop_gallery", seed + 1), ("gallery", "inshop_gallery", seed),
                                 ("query", "inshop_query", seed)):  # fmt: skip
        for sample, product in _asked_for(split, counts, size, drawn):
            if status == "query" and product.id not in items.ids:  # not to be found: its gallery photos hide it
                continue
            item, number = items.number(product)
            series, view = divmod(number - 1, len(_VIEWS))
            name = f"img/WOMEN/{_category(product)}/{item}/{series + 1:02d}_{_VIEWS[view]}.jpg"
            views.append(View(name, product, sample, str(min(int(_VIEWS[view][0]), 5))))
            rows.append(f"{name:<70} {item} {status:<10}")
    _write_list(folder / "Eval/list_eval_partition.txt", "image_name item_id evaluation_status", rows)
    _write_views(folder, views, "_inshop", "pose_type")
    _write_items(folder, items, "_inshop", [f"{name:<30}" for name in ATTRIBUTES], "attribute_name")


def _write_c2s(folder: Path, photos: int, size: tuple[int, int], seed: int) -> None:
    """Street photos against the catalogue; train, val and test are three seeds' products."""
    items, views, rows = _Items(), [], []
    for drawn, (status, share) in enumerate((("train", 1), ("val", 3), ("test", 2))):
        counts = {"c2s_query": max(6, photos // share), "c2s_gallery": max(6, photos // (share + 1))}
        shops: dict[str, View] = {}
        for split, who in (("c2s_gallery", "shop"), ("c2s_query", "comsumer")):  # the release's own spelling
            for sample, product in _asked_for(split, counts, size, seed + drawn):
                if who == "comsumer" and product.id not in shops:
                    continue
                item, number = items.number(product, who)
                name = f"img/CLOTHING/{_category(product)}/{item}/{who}_{number:02d}.jpg"
                if who == "shop":
                    shops[product.id] = View(name, product, sample, "1")
                else:
                    views.append(View(name, product, sample, "2"))
                    rows.append(f"{name:<70} {shops[product.id].name:<70} {item} {status:<5}")
        views.extend(shops.values())
    names = "image_pair_name_1 image_pair_name_2 item_id evaluation_status"
    _write_list(folder / "Eval/list_eval_partition.txt", names, rows)
    _write_views(folder, views, "_consumer2shop", "source_type")
    lines = [f"属性{number} {line}" for number, line in enumerate(_TYPED)]
    _write_items(folder, items, "_consumer2shop", lines, "attribute_name_cn attribute_name attribute_type")


def _write_attributes(folder: Path, photos: int, size: tuple[int, int], seed: int) -> None:
    """Street photos; the garment that shows most of itself is the one that the lists speak of."""
    views, rows, folders, categories = [], [], Counter(), list(CLOTHES)
    for status, sample, worn in _streets(photos, size, seed):
        product = worn[max(CLOTHES.keys() & sample.masks, key=lambda label: (sample.masks[label].sum(), label))]
        where = f"{product.fabric.texture}_{_colour_name(product.fabric)}_{product.label}".title()
        folders[where] += 1
        views.append(View(f"img/{where}/img_{folders[where]:08d}.jpg", product, sample))
        rows.append(f"{views[-1].name:<70} {status:<5} ")
    _write_list(folder / "Eval/list_eval_partition.txt", "image_name  evaluation_status", rows)
    _write_views(folder, views, "", "")
    numbers = [f"{view.name:<70} {categories.index(view.product.label) + 1:>2} " for view in views]
    values = [f"{view.name:<70} {_values(view.product)} " for view in views]
    for name, head, lines in (
        ("category_cloth", "category_name  category_type", [f"{one.title():<20} {CLOTHES[one]}" for one in categories]),
        ("category_img", "image_name  category_label", numbers),
        ("attr_cloth", "attribute_name  attribute_type", _TYPED),
        ("attr_img", "image_name  attribute_labels", values),
    ):
        _write_list(folder / f"Anno/list_{name}.txt", head, lines)


def _category(product: Product) -> str:
    return product.label.title().replace("-", "_")


def _values(product: Product) -> str:
    """1 for each attribute that the product has, 0 (unknown) for sleeves of what has none, else -1."""
    has, bare = _attributes_of(product), "sleeve" not in product.shape
    return " ".join(f"{1 if name in has else 0 if bare and 'sleeve' in name else -1:>2}" for name in ATTRIBUTES)


def _write_lines(path: Path, lines: Iterator[str] | Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_list(path: Path, names: str, rows: Sequence[str]) -> None:
    """A count, a line of names (some lists have none), and the rows, padded as they are."""
    _write_lines(path, [str(len(rows)), *([names] if names else []), *rows])


def _write_views(folder: Path, views: Sequence[View], suffix: str, third: str) -> None:
    """The photos, their boxes and their landmarks. third: what the column before the box is, if any."""
    boxes, points = [], []
    for view in views:
        kind, label = CLOTHES[view.product.label], view.product.label
        _save_photo(folder / "Img" / view.name, view.sample.image)
        boxes.append(
            f"{view.name:<70} {f'{kind} {view.third} ' if third else ''}{_box_columns(view.sample.boxes[label])} "
        )
        points.append(f"{view.name:<70} {kind} 1 {_landmark_columns(np.asarray(view.sample.masks[label]), kind)} ")
    names = f"image_name {f'clothes_type {third} ' if third else ''}x_1 y_1 x_2 y_2"
    _write_list(folder / f"Anno/list_bbox{suffix}.txt", names, boxes)
    _write_list(folder / f"Anno/list_landmarks{suffix}.txt", _POINT_NAMES, points)


def _write_items(folder: Path, items: _Items, suffix: str, attributes: Sequence[str], names: str) -> None:
    _write_list(folder / f"Anno/list_item{suffix}.txt", "", list(items.products))
    _write_list(folder / "Anno/list_attr_cloth.txt", names, attributes)
    rows = [f"{item} {_values(product)}" for item, product in items.products.items()]
    _write_list(folder / "Anno/list_attr_items.txt", "item_id attribute_labels", rows)


def _colour_name(fabric: Fabric) -> str:
    """The name of the colour nearest to the fabric's first one."""
    first = fabric.colours[0]
    return min(COLOURS, key=lambda name: math.dist(COLOURS[name][0], first))


def _attributes_of(product: Product) -> set[str]:
    """Which of ATTRIBUTES the product has."""
    found = {product.fabric.texture, _colour_name(product.fabric)}
    sleeve = product.shape.get("sleeve")
    if sleeve is not None and sleeve > 0:
        found.add("long sleeve" if sleeve > 0.85 else "short sleeve")
    return found


def _box_columns(box: Box) -> str:
    """x_1 y_1 x_2 y_2 as the lists have them: counted from 1, both ends inside, padded to three digits."""
    x1, y1, x2, y2 = (int(side) for side in box)
    return f"{x1 + 1:03d} {y1 + 1:03d} {x2:03d} {y2:03d}"


def _landmark_columns(mask: Bool[np.ndarray, "height width"], kind: int) -> str:
    """Visibility, x and y of each landmark of upper, lower or full-body clothes, read off the garment's outline.

    A point on the picture's edge counts as cut off there.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, waist, hem = rows[0], rows[len(rows) // 2], rows[-1]
    parts = {"collar": top, "waistline": top if kind == LOWER else waist, "hem": hem}
    shown = {UPPER: ("collar", "sleeve", "hem"), LOWER: ("waistline", "hem"),
             FULL: ("collar", "sleeve", "waistline", "hem")}[kind]  # fmt: skip
    found = []
    for part in shown:
        for end in (0, -1):
            x = int(columns[end] if part == "sleeve" else np.flatnonzero(mask[parts[part]])[end])
            y = int(np.flatnonzero(mask[:, x])[0] if part == "sleeve" else parts[part])
            cut = x in (0, mask.shape[1] - 1) or y in (0, mask.shape[0] - 1)
            found.append(f"{CUT_OFF} 000 000" if cut else f"{VISIBLE} {x + 1:03d} {y + 1:03d}")
    return " ".join(found)


def _save_photo(path: Path, image: UInt8[np.ndarray, "height width 3"]) -> None:
    """As a JPEG of a quality at which the drawing's textures survive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=92)


WRITERS = {
    "fashion144k": lambda *wanted: _write_tags(*wanted, verified=False),
    "fashion550k": lambda *wanted: _write_tags(*wanted, verified=True),
    "deepfashion_inshop": _write_inshop,
    "deepfashion_c2s": _write_c2s,
    "deepfashion_attributes": _write_attributes,
}
