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
KINDS = {"pixel-level": "groundtruth", "image-level": "tags"}  # folders, and the array in each of their files
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
        self._names = len(names)
        self._kept = [index for index, name in enumerate(names) if name not in LEFT_OUT]
        self.labels = tuple(names[index] for index in self._kept)
        ids = photo_ids(self.root)
        annotated = annotated_ids(self.root)
        for id_ in sorted(annotated ^ set(ids)):  # without one photo all splits would be others
            what = f"missing, but annotated in {root}/annotations" if id_ in annotated else "without an annotation"
            raise InputError(f"{root}/photos/{id_}.jpg: {what}; {GET_IT}")
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
            for path in (self.root / "photos" / f"{id_}.jpg", *annotations_of(self.root, id_)):
                digest.update(f"{path.relative_to(self.root)} {_content(path, path.stat().st_mtime_ns)}\n".encode())
        return digest.hexdigest()[:12]

    def masks(self, index: int) -> dict[str, np.ndarray]:
        """Where each garment of photo `index` is, by label; none where nobody drew them. Opens no photo."""
        return self._masks_of(self.ids[index])

    def has_masks(self, id_: str) -> bool:
        """Whether somebody drew that photo's masks."""
        return (self.root / "annotations" / "pixel-level" / f"{id_}.mat").exists()

    def _targets_of(self, id_: str) -> np.ndarray:
        present = set(np.unique(annotation_of(self.root, id_, self._names)[1]))
        return np.array([index in present for index in self._kept], dtype=np.float32)

    def _masks_of(self, id_: str, shape: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
        """shape: the photo's, which the masks must have."""
        kind, indices = annotation_of(self.root, id_, self._names, shape)
        present = np.unique(indices) if kind == "pixel-level" else ()
        return {n: indices == i for n, i in zip(self.labels, self._kept, strict=True) if i in present}


def box_of(mask: np.ndarray) -> Box:
    """The smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def label_names(root: Path) -> list[str]:
    """The names of all labels, "null" first. Raises InputError where the folder or the list is missing or no list."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; {GET_IT}")
    cells = [np.ravel(cell) for cell in read_matlab(root / "label_list.mat", "label_list").ravel()]
    names = [str(cell[0]) for cell in cells if cell.size == 1 and isinstance(cell[0], str)]
    if not names or len(names) != len(cells):
        raise InputError(f"{root}/label_list.mat: expected a row of names, got something else; {GET_IT}")
    return names


def annotated_ids(root: Path) -> set[str]:
    """The photos that have an annotation."""
    return {path.stem for kind in KINDS for path in (root / "annotations" / kind).glob("[!.]*.mat")}


def annotations_of(root: Path, id_: str) -> list[Path]:
    """The photo's files of annotations, the mask first."""
    files = (root / "annotations" / kind / f"{id_}.mat" for kind in KINDS)
    return [path for path in files if path.exists()]


def annotation_of(root: Path, id_: str, labels: int, shape: tuple[int, int] | None = None) -> tuple[str, np.ndarray]:
    """The kind of the photo's annotation, and the numbers of its labels: of each pixel, or of the whole photo.

    labels: how many there are. shape: of the photo, where its mask is to be held against it.
    Raises InputError where the file holds no such numbers, or those of another label list or photo.
    """
    path = (annotations_of(root, id_) or [root / "annotations" / "image-level" / f"{id_}.mat"])[0]
    kind = path.parent.name
    indices = read_matlab(path, KINDS[kind])
    if indices.dtype.kind not in "iu" and not (indices.dtype.kind == "f" and (indices % 1 == 0).all()):
        raise InputError(f"{path}: {indices.dtype}, expected the numbers of labels; {GET_IT}")
    if indices.size and not 0 <= indices.min() <= indices.max() < labels:
        raise InputError(f"{path}: a label outside 0..{labels - 1}; the file does not belong to this label list")
    if kind == "pixel-level" and shape and indices.shape != shape:
        raise InputError(f"{path}: mask of {indices.shape}, its photo has {shape}; fetch the file again")
    return kind, indices


@lru_cache(maxsize=3 * 2098)  # splits share photos; an open book asks again and again
def _content(path: Path, changed: int) -> str:
    """The checksum of a file that was last changed at `changed`."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def photo_ids(root: Path) -> list[str]:
    """The names of the photos without their ending, in order. Raises InputError where there is none."""
    ids = sorted(path.stem for path in (root / "photos").glob("[!.]*.jpg"))  # "._0001.jpg" is what a Mac leaves
    if not ids:
        below = next(root.glob("*/photos/[!.]*.jpg"), None)
        where = f"it is in {below.parents[1]}: name that folder" if below else GET_IT
        raise InputError(f"{root}/photos: no photos; {where}")
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
        return np.asarray(loadmat(path)[key])
    except Exception as error:  # scipy raises half a dozen kinds on a damaged file
        raise InputError(f"{path}: no MATLAB file with the array {key!r}; {GET_IT}") from error
