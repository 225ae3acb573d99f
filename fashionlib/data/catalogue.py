"""A shop's studio photos: several views and colours of each style, and the shop's own links between styles.

The public repository magento/magento2-sample-data (Open Software License 3.0). Photos are called
`STYLE-COLOUR_VIEW.jpg`, with the views main, back and alt1 (a close-up). Expected layout, as in that repository:
`pub/media/catalog/product/m/h/mh01-black_main.jpg` and, for links, `**/related.csv` and `**/upsell.csv` (sku,
linked_sku); or the photos in `images`.
"""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.data.base import Dataset, Sample, check_choice, lines_hash
from fashionlib.data.photos import read_photo

NAME = re.compile(r"(?P<style>[mw][a-z]{1,2}\d\d)-(?P<colour>[a-z]+)_(?P<view>main|back|alt1)\.jpg", re.IGNORECASE)
FOLDERS = ("images", "pub/media/catalog/product", "media/catalog/product", "catalog/product")
VIEWS = {"inshop_query": ("back", "alt1"), "inshop_gallery": ("main",), "all": ("main", "back", "alt1")}
HALVES = ("val", "test", "all")
LINKS = ("related", "upsell")
GET_IT = "get it with: git clone https://github.com/magento/magento2-sample-data"


class Catalogue(Dataset):
    """Photos of the shop, without tags; a photo's product is its style.

    root: the folder of the data set. split: "inshop_query", the backs and close-ups, "inshop_gallery", the photos
    called main, or "all". half: styles for choosing options ("val") or for reporting ("test"), by `half_of`, or "all".
    paths: the files, by id.

    Some colours of a style are one photograph recoloured, so a colour is no second view of it.

    Raises InputError where the folder is missing or holds no such photos.
    """

    name = "catalogue"

    def __init__(self, root: str | Path, split: str = "all", *, half: str = "all"):
        check_choice(f"catalogue has no split {split!r}", split, VIEWS)
        check_choice(f"catalogue has no half {half!r}", half, HALVES)
        self.root, self.split, self.half = Path(root), split, half
        folder = next((self.root / name for name in FOLDERS if (self.root / name).is_dir()), None)
        found = {path: match for path in sorted(folder.rglob("*.jpg")) if (match := NAME.fullmatch(path.name))
                 } if folder else {}  # fmt: skip
        if not found:
            raise InputError(f"{root}: no photos such as mh01-black_main.jpg in {' or '.join(FOLDERS)}; {GET_IT}")
        wanted = {path.stem: path for path, match in found.items() if match["view"].lower() in VIEWS[split]
                  and half in ("all", half_of(match["style"]))}  # fmt: skip
        self.paths = dict(sorted(wanted.items()))
        self.ids = tuple(self.paths)

    def __getitem__(self, index: int) -> Sample:
        id_ = self.ids[index]
        return Sample(image=read_photo(self.paths[id_]), id=id_, product=style_of(id_), domain="shop")

    def targets(self) -> None:
        """The shop's categories are not tags of what a photo shows."""

    def products(self) -> tuple[str, ...]:
        """The style of each photo, without opening any."""
        return tuple(style_of(id_) for id_ in self.ids)

    def links(self, kind: str) -> dict[str, tuple[str, ...]]:
        """By style, the styles that the shop links to: "related" goes mostly to what goes with it, "upsell" to similar
        ones. Raises InputError where the list is missing.
        """
        path = next(iter(sorted(self.root.rglob(f"{kind}.csv"))), None)
        if kind not in LINKS or path is None:
            raise InputError(f"{self.root}: no list {kind}.csv of the shop's links; {GET_IT}")
        with path.open(newline="", encoding="utf-8") as file:
            pairs = [(row["sku"].lower(), row["linked_sku"].lower()) for row in csv.DictReader(file)]
        return {style: tuple(b for a, b in pairs if a == style) for style, _ in pairs}

    def fingerprint(self) -> str:
        """Changes when a photo is added, removed or changes its size."""
        return lines_hash(f"{id_} {path.stat().st_size}" for id_, path in self.paths.items())


def style_of(id_: str) -> str:
    """The style of a photo such as "mh01-black_main"."""
    return id_.split("-")[0].lower()


def half_of(style: str) -> str:
    """ "val" where the last hex digit of the SHA-1 of the style in lower case is below 8, else "test"."""
    return "val" if int(hashlib.sha1(style.lower().encode()).hexdigest()[-1], 16) < 8 else "test"
