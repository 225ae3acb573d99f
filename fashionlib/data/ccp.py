"""Clothing Co-Parsing: real street photos with tags, half of them with pixel masks.

W. Yang, P. Luo, L. Lin, "Clothing Co-Parsing by Joint Image Segmentation and Labeling", CVPR 2014; public in
the GitHub repository bearpaw/clothing-co-parsing (Apache-2.0). Expected layout: `photos/0001.jpg` …,
`annotations/pixel-level/0001.mat` (`groundtruth`, label indices by pixel), `annotations/image-level/1005.mat`
(`tags`), `label_list.mat`.
"""

from __future__ import annotations

import hashlib
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageFilter
from scipy.io import loadmat

from fashionlib.core.errors import InputError
from fashionlib.data.base import Box, Dataset, Sample, box_of, check_choice, lines_hash
from fashionlib.data.photos import read_photo

VERSION = 1  # raise it when the same files give other samples
SHOP_VERSION = 1  # raise it when the same photos give other garments or queries
LEFT_OUT = ("null", "skin", "hair")  # on nearly every photo: they would only flatter the scores
KINDS = {"pixel-level": "groundtruth", "image-level": "tags"}  # folders, and the array in each of their files
SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
GET_IT = "get it with: git clone https://github.com/bearpaw/clothing-co-parsing (see the book's data chapter)"

SHOP_SPLITS = ("c2s_query", "c2s_gallery")
MIN_AREA = 0.01  # of the photo's area, that a garment's mask covers: a belt's few pixels are no product
MARGIN = 0.1  # of a cut-out's height and width, left white around it
LIGHT, TINT = 0.3, 0.1  # brightness and contrast, and each colour, of a query change by up to this share
CROPPED, BLUR = 0.2, 0.004  # of a query's height and width: at most cut away, and the widest Gaussian


class CCP(Dataset):
    """One split of CCP.

    root: the folder that holds `photos`, `annotations` and `label_list.mat`.
    split: "train", "val" or "test": 70, 10 and 20 % of the photos, shuffled by `split_seed`; or "all" of them.

    Raises InputError where the folder is missing or holds no such data set.
    """

    name = "ccp"

    def __init__(self, root: str | Path, split: str = "train", *, split_seed: int = 0):
        check_choice(f"ccp has no split {split!r}", split, (*SHARES, "all"))
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
        if split != "all":
            shuffled, number = np.random.default_rng(split_seed).permutation(ids), list(SHARES).index(split)
            ends = np.round(np.cumsum([0, *SHARES.values()]) * len(ids)).astype(int)
            ids = sorted(map(str, shuffled[ends[number] : ends[number + 1]]))
        self.ids = tuple(ids)

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


def read_matlab(path: Path, key: str) -> np.ndarray:
    """The array `key` of a MATLAB file. Raises InputError where there is none."""
    if not path.is_file():
        raise InputError(f"{path}: missing; {GET_IT}")
    try:
        return np.asarray(loadmat(path)[key])
    except Exception as error:  # scipy raises half a dozen kinds on a damaged file
        raise InputError(f"{path}: no MATLAB file with the array {key!r}; {GET_IT}") from error


class CCPShop(Dataset):
    """Garments of CCP's masked test photos, and the photos to find them by: street to shop on real photos.

    The gallery holds every garment of the masked test photos by itself on white; a query is the street photo that it
    was cut out of, cropped, mirrored, in another light and blurred. Easier than DeepFashion's consumer-to-shop, for the
    same threads are on both photos, in one pose; harder, for a cut-out has the holes that hair, hands and other
    garments left, no body that says what it is, and blue jeans by the dozen beside it that only the cut tells apart.

    root, split_seed: as in `CCP`. split: "c2s_query", a photo for each garment, or "c2s_gallery", the garments. Both
    are in the same order; a garment is a product, called by its photo and its label.

    Raises InputError where the folder holds no such data set, or no masked test photo.
    """

    name = "ccp"

    def __init__(self, root: str | Path, split: str = "c2s_query", *, split_seed: int = 0):
        check_choice(f"ccp has no split {split!r} of garments", split, SHOP_SPLITS)
        self.split, self.photos = split, CCP(root, "test", split_seed=split_seed)
        self.labels = self.photos.labels
        self._garments = [
            (number, label) for number in range(len(self.photos))
            for label, mask in self.photos.masks(number).items() if mask.mean() >= MIN_AREA
        ]  # fmt: skip
        if not self._garments:
            raise InputError(f"{root}/annotations/pixel-level: no masks of test photos, so no garments to cut out")
        self.ids = tuple(f"{self.photos.ids[number]}-{label}" for number, label in self._garments)

    def __getitem__(self, index: int) -> Sample:
        number, label = self._garments[index]
        photo = self.photos[number]
        mask, product = photo.masks[label], self.ids[index]
        if self.split == "c2s_gallery":
            image, labels = cut_out(photo.image, mask), self._tagged(label)
            return Sample(image=image, id=product, labels=labels, product=product, domain="shop")
        image = taken_again(photo.image, box_of(mask), product)
        return Sample(image=image, id=product, labels=photo.labels, product=product, domain="street")

    def targets(self) -> Float[np.ndarray, "photos labels"]:
        """A street photo's tags are the photo's, a cut-out's is the garment's own."""
        if self.split == "c2s_gallery":
            return np.stack([self._tagged(label) for _, label in self._garments])
        return self.photos.targets()[[number for number, _ in self._garments]]

    def fingerprint(self) -> str:
        """Changes with the test photos and their masks, and with how garments and queries are made of them."""
        made = (SHOP_VERSION, self.split, MIN_AREA, MARGIN, LIGHT, TINT, CROPPED, BLUR)
        return lines_hash([f"{self.photos.fingerprint()} {made}"])

    def _tagged(self, label: str) -> Float[np.ndarray, " labels"]:
        return np.array([name == label for name in self.labels], dtype=np.float32)


def cut_out(
    image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "_rows _columns 3"]:
    """What the mask covers, in the middle of a white picture of the photo's proportions."""
    left, top, right, bottom = (int(side) for side in box_of(mask))
    garment = np.where(mask[..., None], image, 255).astype(np.uint8)[top:bottom, left:right]
    scale = (1 + 2 * MARGIN) * max((bottom - top) / image.shape[0], (right - left) / image.shape[1])
    height, width = np.maximum(np.round(np.array(image.shape[:2]) * scale).astype(int), garment.shape[:2])
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    down, along = (height - garment.shape[0]) // 2, (width - garment.shape[1]) // 2
    canvas[down : down + garment.shape[0], along : along + garment.shape[1]] = garment
    return canvas


def taken_again(
    image: UInt8[np.ndarray, "height width 3"], shows: Box, name: str
) -> UInt8[np.ndarray, "_rows _columns 3"]:
    """The photo cropped around the box `shows`, mirrored or not, in another light and blurred, drawn from `name`."""
    draw = np.random.default_rng(zlib.crc32(name.encode()))
    columns = _kept(draw, image.shape[1], shows[0], shows[2])
    rows = _kept(draw, image.shape[0], shows[1], shows[3])
    values = image[rows, columns].astype(np.float32)
    bright, contrast = 1 + LIGHT * draw.uniform(-1, 1, 2)
    mean = values.mean()
    values = ((values - mean) * contrast + mean * bright) * (1 + TINT * draw.uniform(-1, 1, 3))
    photo = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    photo = photo.filter(ImageFilter.GaussianBlur(BLUR * max(image.shape[:2]) * draw.random()))
    again = np.asarray(photo)
    return np.ascontiguousarray(again[:, ::-1] if draw.random() < 0.5 else again)


def _kept(draw: np.random.Generator, side: int, first: float, last: float) -> slice:
    """What is left of a side when up to `CROPPED` of it is cut away at its two ends, but nothing of first to last."""
    away = side * CROPPED * draw.random()
    before = away * draw.random()
    return slice(int(min(before, first)), int(np.ceil(max(side - (away - before), last))))
