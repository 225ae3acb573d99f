"""The ledger: one small JSON per run from which the book reads every number, and what is kept beside it."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "ledger": ["Entry", "entry", "find", "read", "sort_key", "words", "write", "write_scores"],
        "provenance": ["commit", "versions"],
        "receipts": ["Receipt", "read_receipt", "write_receipt"],
    },
)
