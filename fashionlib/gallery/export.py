"""The parts of a folder's photos as one Parquet file that any vector database loads (the extra `export`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fashionlib.core.errors import InputError
from fashionlib.core.files import replaceable, written_aside
from fashionlib.gallery.gallery import Gallery

if TYPE_CHECKING:
    import pyarrow

_AT_ONCE = 4096  # photos; their rows are a row group of the file
_OURS = b"fashionlib.parts"  # a key of the file's metadata


def parts_file(path: str | Path) -> Path:
    """`path`, if `write_parts` can write there. Raises InputError where it would replace what is not its own, and
    where pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise InputError("a Parquet file is written by pyarrow: pip install 'fashionlib[export]'") from error
    return replaceable(Path(path), _OURS)


def write_parts(path: str | Path, gallery: Gallery) -> int:
    """Write a row per part of each photo, that is per label that the photo carries, and return the number of rows.

    Columns: `photo`, its path below the gallery's folder; `label`; `box`, with x0, y0, x1 and y1 in 0..1 of the photo;
    `score`, in 0..1; `vector`, the region's features in single precision. Euclidean distances between vectors of one
    label are those of `recommend`. Raises InputError as `parts_file` does, and where the file cannot be written.
    """
    path = parts_file(path)
    from pyarrow import parquet

    photos = torch.arange(len(gallery))
    with written_aside(path) as file, parquet.ParquetWriter(file, _table(gallery, photos[:0]).schema) as writer:
        for some in photos.split(_AT_ONCE):
            writer.write_table(_table(gallery, some))
    return int(gallery.seen.parts.assigned.sum())


def _table(gallery: Gallery, photos: torch.Tensor) -> pyarrow.Table:
    """The rows of these photos."""
    import pyarrow

    seen = gallery.seen
    where, label = seen.parts.assigned[photos].nonzero(as_tuple=True)
    photo = photos[where]
    step = seen.parts.best_step[photo, label]
    vectors, corners = seen.parts.at(photo, step).numpy(), seen.boxes[photo, step].clip(0, 1).T
    # a name that is no UTF-8 keeps its bytes as escapes
    names = [seen.names[one].encode("utf-8", "backslashreplace").decode() for one in photo.tolist()]
    columns = {
        "photo": pyarrow.array(names, pyarrow.string()),
        "label": pyarrow.array([seen.labels[one] for one in label.tolist()], pyarrow.string()),
        "box": pyarrow.StructArray.from_arrays(list(corners), ["x0", "y0", "x1", "y1"]),
        "score": seen.scores[photo, label],
        "vector": pyarrow.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
    }
    return pyarrow.table(columns, metadata={_OURS: b"1"})
