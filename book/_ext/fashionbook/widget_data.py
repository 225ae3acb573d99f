"""Files of the book's interactive widgets: results/<profile>/touch/ holds small JSON files and sheets of pictures.

A file says which run it is of, and repeats one number of that run's ledger: where the two differ, the ledger was made
anew and the files were not, and the book is not built.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.data.base import split_hash
from fashionlib.ledger import ledger as results
from fashionlib.ledger.ledger import Entry
from fashionlib.ledger.provenance import commit, device, versions

NAMES = ("playground", "steps", "explorer")
KEPT = {"experiment": "table1", "method": "parser", "metric": "ap_all"}  # the number that every file repeats
TOLERANCE = 1e-4  # the same network on another device; another network differs by more
_FORMAT = 1


def folder(root: str | Path, profile: str) -> Path:
    """Where the files of a profile lie in the project's folder `root`."""
    return Path(root) / "results" / profile / "touch"


def stamp(profile: str, dataset: str, seed: int, ids: Sequence[str], value: float) -> dict[str, Any]:
    """What a file says of its run. value: the run's `KEPT` number, with that seed."""
    return {
        "profile": profile, "dataset": dataset, "split": "test", "split_hash": split_hash(ids), "n": len(ids),
        "seed": seed, "kept": value, "commit": commit(), "device": device(), "versions": versions(),
    }  # fmt: skip


def write(root: str | Path, name: str, run: dict[str, Any], content: dict[str, Any]) -> Path:
    """Write touch/`name`.json of the run's profile: one line for each item of a list, so that a change can be read."""
    path = folder(root, run["profile"]) / f"{name}.json"
    with written_aside(path) as file:
        file.write(_lines({"format": _FORMAT, "run": run, **content}).encode())
    return path


def _lines(content: dict[str, Any]) -> str:
    def one(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    rows = []
    for key, value in content.items():
        many = isinstance(value, list) and value and not isinstance(value[0], (int, float, str))
        rows.append(f"{one(key)}: " + ("[\n" + ",\n".join(map(one, value)) + "\n]" if many else one(value)))
    return "{\n" + ",\n".join(rows) + "\n}\n"


def read(root: str | Path, profile: str, name: str) -> dict[str, Any]:
    """The file's content. Raises InputError where it is missing or is no such file."""
    path = folder(root, profile) / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: make it with `{command(profile)}`") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}): make it again with `{command(profile)}`") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT or "run" not in content:
        raise InputError(f"{path} is not of format {_FORMAT}: make it again with `{command(profile)}`")
    return content


def check_same_run(run: dict[str, Any], entries: Sequence[Entry]) -> None:
    """Raises InputError where the ledger's `entries` are of another run than the file with this stamp."""
    entry = results.find(entries, **KEPT)
    values = dict(zip(entry.seeds, entry.per_seed or [entry.value], strict=False))
    same = entry.split_hash == run["split_hash"] or len(entry.seeds) > 1  # several seeds share one hash
    if not same or not math.isclose(values.get(run["seed"], math.nan), run["kept"], abs_tol=TOLERANCE):
        raise InputError(
            f"results/{run['profile']}/touch is of another run than the ledger ({KEPT['metric']} {run['kept']:.6f}, "
            f"there {values.get(run['seed'])}): make it again with `{command(run['profile'])}`"
        )


def command(profile: str) -> str:
    """What makes a profile's files, once its notebooks have run."""
    return f"PYTHONPATH=book/_ext python -m fashionbook.widget_export {profile}"


def write_sheet(
    path: Path, pictures: Sequence[UInt8[np.ndarray, "height width 3"]], columns: int, quality: int
) -> dict[str, Any]:
    """Pictures of one size, side by side in rows, as one WebP file; what a page needs to find them in it."""
    height, width = pictures[0].shape[:2]
    sheet = Image.new("RGB", (width * min(columns, len(pictures)), height * -(-len(pictures) // columns)))
    for number, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), (width * (number % columns), height * (number // columns)))
    with written_aside(path) as file:
        sheet.save(file, "WEBP", quality=quality, method=6)
    return {
        "file": path.name, "width": width, "height": height, "columns": columns,
        "sheet": [sheet.width, sheet.height],
    }  # fmt: skip
