"""Large galleries: nearest neighbours with faiss (the extra `faiss`), saved to files and mapped from them.

"flat" is exact; "hnsw" walks a graph (Malkov, Yashunin, TPAMI 2020) and is nearly so; "ivfpq" searches the nearest
cells of product-quantised vectors (Jégou et al., TPAMI 2011) and takes a fraction of the memory. Candidates found this
way part by part are ranked again by their exact distances.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fashionlib.core.errors import InputError
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.ranking import Ranking

KINDS = ("flat", "hnsw", "ivfpq")
_NEIGHBOURS = 32  # of a photo in the graph of "hnsw"
_LEAST_FOR_PQ = 256  # centroids that each sub-quantiser learns
_ROWS_AT_ONCE = 16_384


def build_index(
    path: str | Path, vectors: Float[Tensor, "photos channels"], kind: str = "flat",
    numbers: Int[Tensor, " photos"] | None = None,
) -> Path:  # fmt: skip
    """Write an index of the vectors to `path`, aside and renamed, and return it.

    kind: "flat", "hnsw" or "ivfpq". numbers: what a search answers for each vector; its position by default.
    Raises InputError for another kind, without the package faiss, without vectors, and for "ivfpq" of fewer than 256.
    """
    faiss, path = _faiss(), Path(path)
    if not len(vectors):
        raise InputError(f"{path}: there are no vectors to index")
    index = _empty(faiss, kind, len(vectors), vectors.shape[1])
    if kind == "ivfpq":
        index.train(_numpy(vectors[:: max(1, len(vectors) // 100_000)]))
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        index.add(_numpy(vectors[start : start + _ROWS_AT_ONCE]))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    faiss.write_index(index, str(aside))
    if numbers is not None:
        np.save(path.with_suffix(".npy"), numbers.numpy())
    aside.replace(path)
    return path


def open_index(path: str | Path) -> Any:
    """The faiss index of a file, mapped where its kind allows it. Raises InputError where the file is none."""
    faiss, path = _faiss(), Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such index; write it with build_index")
    for flag in (getattr(faiss, "IO_FLAG_MMAP_IFC", 0), faiss.IO_FLAG_MMAP, 0):  # flat and hnsw; ivfpq; older versions
        with contextlib.suppress(RuntimeError):
            return faiss.read_index(str(path), flag)
    raise InputError(f"{path}: no faiss index, or damaged; write it again with build_index")


def search(index: Any, queries: Float[Tensor, "queries channels"], k: int) -> Ranking:
    """The k nearest of each query, with Euclidean distances; −1 and inf where the index gives fewer.

    Of equal distances among them the lower number comes first. Raises InputError on other channels than the index's.
    """
    if queries.shape[1] != index.d:
        raise InputError(f"the queries have {queries.shape[1]} channels, the index {index.d}: take both from one model")
    squared, found = index.search(_numpy(queries), k)
    distances = np.where(found < 0, np.inf, np.sqrt(np.maximum(squared, 0)))
    order = np.lexsort((np.where(found < 0, np.iinfo(np.int64).max, found), distances), axis=1)
    found, distances = (np.take_along_axis(each, order, axis=1) for each in (found, distances))
    return Ranking(torch.from_numpy(found), torch.from_numpy(distances.astype(np.float32)))


def build_part_indexes(folder: str | Path, gallery: PartFeatures, kind: str = "flat") -> Path:
    """One index a label, of the features that stand for it in the photos that carry it.

    Labels with too few photos for "ivfpq" get a flat one. Errors as in `build_index`.
    """
    for label in range(gallery.assigned.shape[1]):
        there = gallery.assigned[:, label].nonzero().flatten()
        if len(there):
            own = "flat" if kind == "ivfpq" and len(there) < _LEAST_FOR_PQ else kind
            build_index(Path(folder) / f"label-{label:04d}.faiss", gallery.of(there, label), own, there)
    return Path(folder)


def rank_parts_in(
    folder: str | Path, query: PartFeatures, gallery: PartFeatures, k: int, per_label: int = 100
) -> Ranking:
    """As `rank_parts`, but only among the `per_label` nearest of each of the query's labels.

    folder: what `build_part_indexes` wrote. The candidates' distances are exact: means over all shared labels.
    """
    candidates = [set() for _ in range(len(query))]
    for label in range(query.assigned.shape[1]):
        here, path = query.assigned[:, label].nonzero().flatten(), Path(folder) / f"label-{label:04d}.faiss"
        if len(here) and path.is_file():
            numbers = np.load(path.with_suffix(".npy"))
            found = search(open_index(path), query.of(here, label), min(per_label, len(numbers))).indices.numpy()
            for row, near in zip(here.tolist(), found, strict=True):
                candidates[row].update(numbers[near[near >= 0]].tolist())
    indices, distances = torch.full((len(query), k), -1), torch.full((len(query), k), torch.inf)
    for row, some in enumerate(candidates):
        near = sorted(_distances(query, row, gallery, sorted(some)))[:k]
        for rank, (distance, photo) in enumerate(near):
            indices[row, rank], distances[row, rank] = photo, distance
    return Ranking(indices, distances)


def _distances(query: PartFeatures, row: int, gallery: PartFeatures, photos: list[int]) -> Iterator[tuple[float, int]]:
    """The mean distance over shared labels of one query and some gallery photos."""
    there = torch.tensor(photos, dtype=torch.long)
    shared = gallery.assigned[there] & query.assigned[row]
    total = torch.zeros(len(there))
    for label in query.assigned[row].nonzero().flatten().tolist():
        both = shared[:, label].nonzero().flatten()
        if len(both):
            apart = gallery.of(there[both], label) - query.of(torch.tensor([row]), label)
            total[both] += apart.norm(dim=1)
    return zip((total / shared.sum(1)).tolist(), photos, strict=True)


def _empty(faiss: Any, kind: str, photos: int, channels: int) -> Any:
    if kind == "flat":
        return faiss.IndexFlatL2(channels)
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(channels, _NEIGHBOURS)
        index.hnsw.efConstruction, index.hnsw.efSearch = 200, 128
        return index
    if kind != "ivfpq":
        raise InputError(f"unknown kind of index {kind!r}: choose one of {', '.join(KINDS)}")
    if photos < _LEAST_FOR_PQ:
        raise InputError(f"an ivfpq index needs {_LEAST_FOR_PQ} vectors or more, there are {photos}: choose flat")
    cells = max(1, min(round(4 * math.sqrt(photos)), photos // 39))
    codes = max(size for size in range(1, min(max(1, channels // 2), 128) + 1) if channels % size == 0)
    index = faiss.IndexIVFPQ(faiss.IndexFlatL2(channels), channels, cells, codes, 8)
    index.nprobe = max(1, cells // 4)
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1  # or it complains on standard error
    return index


def _faiss() -> Any:
    """Imported when first used, after torch: the other way round the two can clash on macOS."""
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise InputError("faiss is not installed: pip install 'fashionlib[faiss]'") from error


def _numpy(vectors: Tensor) -> np.ndarray:
    return np.ascontiguousarray(vectors.float().cpu().numpy())
