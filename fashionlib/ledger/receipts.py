"""Receipts of `fashionlib verify`: which ledger was run again, when, on what, and whether it came out the same.

One JSON per profile in results/receipts/, a row per experiment, tracked like the ledger and shown in the book.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside

FOLDER = "receipts"


@dataclass(frozen=True)
class Receipt:
    """One experiment, run again.

    ledger: the checksum of the ledger that it was held against. when: UTC. rule: "exact" or "tolerance",
    see `fashionlib.experiments.verify`. numbers: entries compared. largest: difference of two values. differing: in
    words, those that did not come out again. seconds: of the whole verification. commit, versions, device: of the
    new run.
    """

    experiment: str
    ledger: str
    when: str
    rule: str
    numbers: int
    largest: float
    differing: list[str]
    seconds: float
    commit: str
    versions: dict[str, str]
    device: str

    @property
    def agrees(self) -> bool:
        return not self.differing


def checksum(root: str | Path, profile: str, experiment: str) -> str:
    """Changes with any byte of the ledger's file."""
    path = Path(root) / "results" / profile / f"{experiment}.json"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def read_receipt(root: str | Path, profile: str) -> list[Receipt]:
    """None of them where the profile was never verified. Raises InputError where the file is not a list of receipts."""
    path = Path(root) / "results" / FOLDER / f"{profile}.json"
    if not path.is_file():
        return []
    try:
        return [Receipt(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (TypeError, ValueError, RecursionError) as error:
        command = f"fashionlib verify --profile {profile}"
        raise InputError(f"{path} holds no receipts ({error}): remove it and run `{command}`.") from None


def write_receipt(root: str | Path, profile: str, receipts: Sequence[Receipt]) -> None:
    """The receipts, beside those of the profile's other experiments that were not verified this time."""
    named = {one.experiment: one for one in [*read_receipt(root, profile), *receipts]}
    text = json.dumps([asdict(named[name]) for name in sorted(named)], indent=2, ensure_ascii=False)
    with written_aside(Path(root) / "results" / FOLDER / f"{profile}.json") as file:
        file.write(text.encode() + b"\n")
