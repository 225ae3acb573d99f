"""Receipts of `fashionlib verify`: which ledger was run again, when, on what, and whether it came out the same.

One JSON a profile in results/receipts/, a row an experiment, tracked like the ledger and shown in the book.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from fashionlib.core.errors import InputError
from fashionlib.core.files import written_aside
from fashionlib.ledger.ledger import Entry

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

    @classmethod
    def of(
        cls, run: Entry, ledger: str, seconds: float, *, rule: str, numbers: int, largest: float, differing: list[str]
    ) -> Receipt:
        """run: any entry of the new run."""
        return cls(
            experiment=run.experiment, ledger=ledger, when=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M"),
            rule=rule, numbers=numbers, largest=largest, differing=differing, seconds=seconds,
            commit=run.commit, versions=run.versions, device=run.device,
        )  # fmt: skip


def checksum(root: str | Path, profile: str, experiment: str) -> str:
    """Changes with any byte of the ledger's file."""
    path = Path(root) / "results" / profile / f"{experiment}.json"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def receipt_file(root: str | Path, profile: str) -> Path:
    return Path(root) / "results" / FOLDER / f"{profile}.json"


def read_receipt(root: str | Path, profile: str) -> list[Receipt]:
    """None of them where the profile was never verified. Raises InputError where the file is not a list of receipts."""
    path = receipt_file(root, profile)
    if not path.is_file():
        return []
    try:
        return [Receipt(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (TypeError, ValueError) as error:
        command = f"fashionlib verify --profile {profile}"
        raise InputError(f"{path} holds no receipts ({error}): remove it and run `{command}`.") from None


def write_receipt(root: str | Path, profile: str, receipts: Sequence[Receipt]) -> Path:
    """The receipts, beside those of the profile's other experiments that were not verified this time."""
    named = {one.experiment: one for one in [*read_receipt(root, profile), *receipts]}
    text = json.dumps([asdict(named[name]) for name in sorted(named)], indent=2, ensure_ascii=False)
    path = receipt_file(root, profile)
    with written_aside(path) as file:
        file.write(text.encode() + b"\n")
    return path
