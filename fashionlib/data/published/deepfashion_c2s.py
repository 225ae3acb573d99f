"""DeepFashion's Consumer-to-shop Clothes Retrieval Benchmark: people's own photos and the shop's of the same item.

Format: README of the release (2016) and `fashionlib.data.published.deepfashion`. `Eval/list_eval_partition.txt` has
image_pair_name_1 (consumer), image_pair_name_2 (shop), item_id, evaluation_status (train, val or test); a photo stands
in as many rows as it has partners, and becomes one sample.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import fashionlib.data.published.deepfashion as release
from fashionlib.core.errors import InputError
from fashionlib.data.published.listed import Listed, Survey, checked_split, existing_root
from fashionlib.data.published.lists import PHOTO, Report, check_name, read_rows, refuse
from fashionlib.data.published.registry import PUBLISHED

NAME = "deepfashion_c2s"
SPLITS = ("train", "val", "query", "gallery")
GALLERIES = {"val+test": ("val", "test"), "test": ("test",)}
_ROW = re.compile(PHOTO + r"\s+" + PHOTO + r"\s+(\S.*?)\s+(train|val|test)")
_COLUMNS = "image_pair_name_1, image_pair_name_2, item_id, evaluation_status (train, val or test)"
_ATTRIBUTE = re.compile(r"\S+\s+(\S.*?)\s+\d+")  # the name in Chinese, in English, the type


class Pair(NamedTuple):
    """A consumer's photo and a shop's photo of the same item."""

    consumer: str
    shop: str
    item: str
    status: str
    where: str


class ConsumerToShop(Listed):
    """One split of the consumer-to-shop benchmark.

    root: the folder with `Anno`, `Eval` and `Img`.
    split: "train" (both sides of the training pairs), "val" (the consumers' photos to choose options with), "query"
        (the consumers' photos of the test) or "gallery" ("c2s_query" and "c2s_gallery" mean the same).
    gallery: "val+test", every shop photo of both, as the later description of the benchmark has it (mmfashion's), or
        "test", as the README of the release has it. Each photo is there once.
    crop: show only what is inside the photo's box. attributes: read the items' attributes as labels.

    A sample's box is called "upper", "lower" or "full"; its product is the item; its domain is "street" for consumers'
    photos and "shop" for shops'. Raises InputError where files are missing or not as published.
    """

    name = NAME

    def __init__(
        self, root: str | Path, split: str = "train", *, gallery: str = "val+test", crop: bool = False,
        attributes: bool = False,
    ):  # fmt: skip
        root, split = existing_root(root, PUBLISHED[NAME].hint), checked_split(NAME, split, SPLITS)
        if gallery not in GALLERIES:
            raise InputError(f"gallery={gallery!r}: choose one of {', '.join(GALLERIES)}")
        photos, domains = photos_of(read_pairs(root, refuse), split, gallery)
        base = release.photo_folder(root, NAME, refuse)
        known = release.marks_of(root, NAME, "_consumer2shop", photos, crop=crop)
        if attributes:
            items = [photo.item for photo in photos.values()]
            known["labels"], known["targets"] = release.item_attributes(root, NAME, _ATTRIBUTE, items, refuse)
        super().__init__(root, split, release.listing_of(photos, base, domains, **known), crop=crop)


def read_pairs(root: Path, report: Report) -> list[Pair]:
    """Every pair of the three splits, in the list's order; a pair that is there twice is reported."""
    path = release.anno_list(root, NAME, "list_eval_partition.txt", report, folder="Eval")
    pairs: dict[tuple[str, str], Pair] = {}
    for where, values in read_rows(path, _ROW, _COLUMNS, report):
        pair = Pair(*values, where)
        known = pairs.get(pair[:2])
        if known:
            report("duplicates", f"{where}: this pair stands in {known.where} already; keep one of the rows")
        elif check_name(pair.consumer, where, report) and check_name(pair.shop, where, report):
            pairs[pair[:2]] = pair
    return list(pairs.values())


def photos_of(pairs: list[Pair], split: str, gallery: str) -> tuple[dict[str, release.Photo], dict[str, str]]:
    """The photos of a split, each once, by name in the order of the pairs, and their domains.

    Raises InputError for a photo of two items.
    """
    consumers = {"train": ("train",), "val": ("val",), "query": ("test",), "gallery": ()}[split]
    shops = {"train": ("train",), "gallery": GALLERIES[gallery]}.get(split, ())
    photos: dict[str, release.Photo] = {}
    domains: dict[str, str] = {}
    firsts: dict[str, Pair] = {}
    for pair in pairs:
        for name, domain, wanted in ((pair.consumer, "street", consumers), (pair.shop, "shop", shops)):
            if pair.status not in wanted:
                continue
            first = firsts.setdefault(name, pair)
            if first.item != pair.item:
                raise InputError(f"{pair.where}: {_two_items(name, pair, first)}")
            photos[name], domains[name] = release.Photo(name, pair.item, pair.status, first.where), domain
    return photos, domains


def survey(root: Path, report: Report) -> Survey:
    """The whole benchmark, every fault of its lists reported; for `fashionlib doctor`."""
    pairs = read_pairs(root, report)
    names = {name: pair.where for pair in reversed(pairs) for name in (pair.shop, pair.consumer)}
    found = release.survey_of(root, NAME, names, report)
    found.counts = {"photos": len(names), "pairs": len(pairs), "items": len({pair.item for pair in pairs})}
    for status in ("train", "val", "test"):
        found.counts[f"{status} pairs"] = sum(pair.status == status for pair in pairs)
    found.counts["gallery photos"] = len({pair.shop for pair in pairs if pair.status != "train"})
    release.add_marks(found, names, (root, NAME, "_consumer2shop"), report)
    release.check_items(root, NAME, "_consumer2shop", _ATTRIBUTE, {pair.item: pair.where for pair in pairs}, report)
    _check_splits(pairs, report)
    return found


def _check_splits(pairs: list[Pair], report: Report) -> None:
    """An item belongs to one of train, val and test; a photo to one item, and to a consumer or to a shop."""
    homes: dict[str, Pair] = {}
    seen: dict[str, tuple[str, Pair]] = {}
    told: set[str] = set()

    def tell(about: str, pair: Pair, what: str) -> None:
        if about not in told:
            told.add(about)
            report("splits", f"{pair.where}: {what}")

    for pair in pairs:
        home = homes.setdefault(pair.item, pair)
        if home.status != pair.status:
            tell(pair.item, pair, f"item {pair.item} is also in {home.status} ({home.where}); it leaks, take one out")
        for name, side in ((pair.consumer, "consumer"), (pair.shop, "shop")):
            first_side, first = seen.setdefault(name, (side, pair))
            if first.item != pair.item:
                tell(name, pair, _two_items(name, pair, first))
            elif first_side != side:
                tell(name, pair, f"{name} is a {side}'s photo here, a {first_side}'s in {first.where}")


def _two_items(name: str, pair: Pair, first: Pair) -> str:
    return f"{name} shows item {pair.item}, but {first.item} in {first.where}; correct one of the rows"
