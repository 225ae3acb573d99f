"""The wardrobe written in the formats of the published data sets: same files, same columns, drawn photos.

So every loader, every rule of `fashionlib doctor` and the runs on the paper's data can be tried from end to end where
the data themselves cannot be had. Numbers measured on a miniature say nothing about the data set it imitates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fashionlib.core.errors import InputError
from fashionlib.core.files import build_aside
from fashionlib.data.base import Sample
from fashionlib.data.published.miniature_deepfashion import write_attributes, write_c2s, write_inshop
from fashionlib.data.wardrobe.annotations import colour_name, save_photo
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.data.wardrobe.outfits import COLOURS, LABELS


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


class Street(NamedTuple):
    """A street photo of the wardrobe: its split, the sample, what is truly seen on it and in which colours."""

    split: str
    sample: Sample
    items: frozenset[str]
    colours: frozenset[tuple[str, str]]


def _streets(photos: int, size: tuple[int, int], seed: int) -> list[Street]:
    """Photos of train, val and test in one order drawn by the seed, so that no split lies in one piece."""
    counts = {"train": photos, "val": max(4, photos // 3), "test": max(4, photos // 3)}
    found = []
    for split in counts:
        wardrobe = Wardrobe(split, size=size, seed=seed, counts=counts)
        for index in range(len(wardrobe)):
            sample = wardrobe[index]
            worn = {product.label: product for product in wardrobe.scene(index).outfit.values()}
            colours = frozenset((colour_name(worn[label].fabric), label) for label in sample.boxes)
            found.append(Street(split, sample, frozenset(sample.boxes), colours))
    return [found[place] for place in np.random.default_rng(seed).permutation(len(found))]


def _write_streets(folder: Path, streets: Sequence[Street]) -> list[str]:
    names = [f"photos/{number:06d}.jpg" for number in range(1, len(streets) + 1)]
    for name, street in zip(names, streets, strict=True):
        save_photo(folder / name, street.sample.image)
    return names


def _numbers(streets: Sequence[Street], split: str) -> np.ndarray:
    return np.array([place for place, street in enumerate(streets) if street.split == split])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _matrix(rows: Sequence[Set[str]], names: Sequence[str]) -> np.ndarray:
    return np.array([[name in row for name in names] for row in rows], dtype=np.uint8)


def _tagged(sample: Sample) -> set[str]:
    assert sample.labels is not None
    return {label for label, tag in zip(LABELS, sample.labels, strict=True) if tag}


def _write_fashion144k(folder: Path, photos: int, size: tuple[int, int], seed: int) -> None:
    streets = _streets(photos, size, seed)
    _write_lines(folder / "photos.txt", _write_streets(folder, streets))
    for split, name in (("train", "trainids"), ("val", "validids"), ("test", "testids")):
        np.save(folder / f"{name}.npy", _numbers(streets, split))
    items = [{label.title() for label in _tagged(street.sample)} for street in streets]
    colours = [{f"{colour.title()}-{label.title()}" for colour, label in street.colours} for street in streets]
    singles = [
        tags | {colour.title() for colour, _ in street.colours} for tags, street in zip(items, streets, strict=True)
    ]
    names = sorted({label.title() for label in LABELS} | {colour.title() for colour in COLOURS})
    pairs = sorted(set().union(*colours))
    _write_lines(folder / "feat/singles.txt", names)
    _write_lines(folder / "feat/colours.txt", pairs)
    np.save(folder / "feat/feat_sin.npy", _matrix(singles, names))
    np.save(folder / "feat/feat_col.npy", _matrix(colours, pairs))
    np.save(folder / "feat/singles_at_59.npy", _matrix(items, [label.title() for label in LABELS]))


def _write_fashion550k(folder: Path, photos: int, size: tuple[int, int], seed: int) -> None:
    streets = _streets(photos, size, seed)
    repeated = streets[:2]  # posted twice, under another name
    streets = [*streets, *(street._replace(split="repeat") for street in repeated)]
    _write_lines(folder / "photos.txt", _write_streets(folder, streets))
    verified = {split: _numbers(streets, split) for split in ("train", "val", "test")}
    verified["train"] = verified["train"][: max(4, photos // 4)]  # of the others nobody checked the tags
    for split, name in (("train", "trainids"), ("val", "validids"), ("test", "testids")):
        np.save(folder / f"{name}.npy", verified[split])
    np.save(folder / "duplicateids.npy", _numbers(streets, "repeat"))
    names = [*COLOURS, *LABELS]
    colours = [{colour for colour, _ in street.colours} for street in streets]
    noisy = _matrix([_tagged(s.sample) | c for s, c in zip(streets, colours, strict=True)], names)
    clean = _matrix([s.items | c for s, c in zip(streets, colours, strict=True)], names)
    _write_lines(folder / "annotation/labels.txt", names)
    np.save(folder / "annotation/noisy.npy", noisy)
    np.save(folder / "annotation/verified.npy", clean[np.concatenate(list(verified.values()))])


WRITERS: dict[str, Callable[[Path, int, tuple[int, int], int], None]] = {
    "fashion144k": _write_fashion144k,
    "fashion550k": _write_fashion550k,
    "deepfashion_inshop": write_inshop,
    "deepfashion_c2s": write_c2s,
    "deepfashion_attributes": write_attributes,
}
