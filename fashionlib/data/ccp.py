"""Clothing Co-Parsing: real street photos with tags, half of them with pixel masks.

W. Yang, P. Luo, L. Lin, "Clothing Co-Parsing by Joint Image Segmentation and Labeling", CVPR 2014; public in
the GitHub repository bearpaw/clothing-co-parsing (Apache-2.0). Expected layout: `photos/0001.jpg` …,
`annotations/pixel-level/0001.mat` (`groundtruth`, label indices by pixel), `annotations/image-level/1005.mat`
(`tags`), `label_list.mat`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.io import loadmat

from fashionlib.core.errors import InputError
from fashionlib.data.base import Box, Sample
from fashionlib.data.photos import read_photo

VERSION = 1  # raise it when the same files give other samples
LEFT_OUT = ("null", "skin", "hair")  # on nearly every photo: they would only flatter the scores
SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
GET_IT = "get it with: git clone https://github.com/bearpaw/clothing-co-parsing (see the book's data chapter)"


class CCP:
    """One split of CCP.

    root: the folder that holds `photos`, `annotations` and `label_list.mat`.
    split: "train", "val" or "test": 70, 10 and 20 % of the photos, shuffled by `split_seed`; or "all" of them.

    Raises InputError where the folder is missing or holds no such data set.
    """

    name = "ccp"

    def __init__(self, root: str | Path, split: str = "train", *, split_seed: int = 0):
        if split not in (*SHARES, "all"):
            raise InputError(f"ccp has no split {split!r}: choose one of {', '.join(SHARES)}, all")
        self.root, self.split, self.split_seed = Path(root), split, split_seed
        names = label_names(self.root)
        self._kept = [index for index, name in enumerate(names) if name not in LEFT_OUT]
        self.labels = tuple(names[index] for index in self._kept)
        ids = _photo_ids(self.root)
        self.ids = tuple(ids) if split == "all" else _split(ids, split, split_seed)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        id_ = self.ids[index]
        image = read_photo(self.root / "photos" / f"{id_}.jpg")
        masks = self._masks_of(id_, image.shape[:2])
        return Sample(
            image=image, id=id_, labels=self._targets_of(id_), domain="street",
            masks=masks, boxes={label: box_of(mask) for label, mask in masks.items()},
        )  # fmt: skip

    def targets(self) -> Float[np.ndarray, "photos labels"]:
        """The tags of the whole split, without opening a photo."""
        return np.stack([self._targets_of(id_) for id_ in self.ids])

    def fingerprint(self) -> str:
        """Changes when a photo or an annotation of the split does; not with where or when the files were copied."""
        digest = hashlib.sha256(f"{VERSION}".encode())
        for id_ in self.ids:
            for path in (self.root / "photos" / f"{id_}.jpg", *_annotations(self.root, id_)):
                digest.update(f"{path.relative_to(self.root)} {_content(path, path.stat().st_mtime_ns)}\n".encode())
        return digest.hexdigest()[:12]

    def masks(self, index: int) -> dict[str, np.ndarray]:
        """Where each garment of photo `index` is, by label; none where nobody drew them. Opens no photo."""
        return self._masks_of(self.ids[index])

    def has_masks(self, id_: str) -> bool:
        """Whether somebody drew that photo's masks."""
        return (self.root / "annotations" / "pixel-level" / f"{id_}.mat").exists()

    def _targets_of(self, id_: str) -> np.ndarray:
        masked = self.root / "annotations" / "pixel-level" / f"{id_}.mat"
        present = set(np.unique(read_matlab(masked, "groundtruth")) if masked.exists() else self._tags(id_))
        return np.array([index in present for index in self._kept], dtype=np.float32)

    def _tags(self, id_: str) -> np.ndarray:
        path = self.root / "annotations" / "image-level" / f"{id_}.mat"
        tags = read_matlab(path, "tags").ravel()
        if tags.size and (tags.min() < 0 or tags.max() > max(self._kept)):
            raise InputError(f"{path}: a tag outside 0..{max(self._kept)}; the file does not belong to this label list")
        return tags

    def _masks_of(self, id_: str, shape: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
        """shape: the photo's, which the masks must have."""
        path = self.root / "annotations" / "pixel-level" / f"{id_}.mat"
        if not path.exists():
            return {}
        indices = read_matlab(path, "groundtruth")
        if shape and indices.shape != shape:
            raise InputError(f"{path}: mask of {indices.shape}, its photo has {shape}; fetch the file again")
        present = np.unique(indices)
        return {n: indices == i for n, i in zip(self.labels, self._kept, strict=True) if i in present}


def box_of(mask: np.ndarray) -> Box:
    """The smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def label_names(root: Path) -> list[str]:
    """The names of all labels, "null" first. Raises InputError where the folder or the list is missing."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; {GET_IT}")
    return [str(name[0]) for name in read_matlab(root / "label_list.mat", "label_list").ravel()]


def _annotations(root: Path, id_: str) -> list[Path]:
    files = (root / "annotations" / kind / f"{id_}.mat" for kind in ("pixel-level", "image-level"))
    return [path for path in files if path.exists()]


@lru_cache(maxsize=3 * 2098)  # splits share photos; an open book asks again and again
def _content(path: Path, changed: int) -> str:
    """The checksum of a file that was last changed at `changed`."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _photo_ids(root: Path) -> list[str]:
    ids = sorted(path.stem for path in (root / "photos").glob("*.jpg"))
    if not ids:
        raise InputError(f"{root}/photos: no photos; {GET_IT}")
    for id_ in ids:
        if not _annotations(root, id_):
            raise InputError(f"{root}/photos/{id_}.jpg: no annotation for it in {root}/annotations; {GET_IT}")
    return ids


def _split(ids: list[str], split: str, split_seed: int) -> tuple[str, ...]:
    shuffled = np.random.default_rng(split_seed).permutation(ids)
    ends = np.round(np.cumsum(list(SHARES.values())) * len(ids)).astype(int)
    number = list(SHARES).index(split)
    return tuple(sorted(str(id_) for id_ in shuffled[[0, *ends][number] : ends[number]]))


def read_matlab(path: Path, key: str) -> np.ndarray:
    """The array `key` of a MATLAB file. Raises InputError where there is none."""
    if not path.is_file():
        raise InputError(f"{path}: missing; {GET_IT}")
    try:
        return loadmat(path)[key]
    except Exception as error:  # scipy raises half a dozen kinds on a damaged file
        raise InputError(f"{path}: no MATLAB file with the array {key!r}; {GET_IT}") from error
