"""What a ranking has to be before anything is measured on it: photos of the gallery, each once."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int

from fashionlib.core.errors import InputError
from fashionlib.metrics.arrays import as_array


def checked_ranking(ranking: Any, queries: int, gallery: int) -> Int[np.ndarray, "queries ranks"]:
    """The ranking as an array. Raises InputError, naming query and photo, where it is none of this gallery."""
    ranking = as_array(ranking)
    if ranking.ndim != 2 or len(ranking) != queries:
        raise InputError(f"The ranking has shape {ranking.shape}: expected a row for each of {queries} queries.")
    if ranking.size and ranking.dtype.kind not in "iu":
        raise InputError(f"The ranking is of {ranking.dtype}: expected gallery indices, which are whole numbers.")
    if ranking.size and not -1 <= ranking.min() <= ranking.max() < gallery:
        raise InputError(
            f"The ranking holds indices from {ranking.min()} to {ranking.max()}: expected gallery indices "
            f"from 0 to {gallery - 1}, or -1 for an empty place."
        )
    ranking = ranking.astype(np.int64)
    check_lists(ranking)
    return ranking


def check_lists(lists: Int[np.ndarray, "queries ranks"]) -> None:
    """Raises InputError, naming query and photo, where one stands twice in a list; -1 is an empty place."""
    ordered = np.sort(lists, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        query = int(np.flatnonzero(twice.any(axis=1))[0])
        photo = int(ordered[query, 1:][twice[query]][0])
        places = (np.flatnonzero(lists[query] == photo)[:2] + 1).tolist()
        raise InputError(
            f"query {query}: photo {photo} stands twice in its ranking, at {places[0]} and {places[1]}; rank it once"
        )


def without_own(
    ranking: Int[np.ndarray, "queries ranks"], own: Int[np.ndarray, " queries"]
) -> Int[np.ndarray, "queries ranks"]:
    """The ranking without each query's own index, the others moved up; -1 fills the last place."""
    itself = (ranking == own[:, None]) & (ranking >= 0)
    moved = np.take_along_axis(ranking, np.argsort(itself, axis=1, kind="stable"), axis=1)
    if moved.shape[1]:
        moved[:, -1] = np.where(itself.any(axis=1), -1, moved[:, -1])
    return moved


def product_codes(*products: Any) -> list[Int[np.ndarray, " photos"]]:
    """The same number for the same product, in all of the arrays; -1 where it is not known (-1, "", None, NaN).

    Compared as they are: no rounding, no text of numbers. Raises InputError where text meets numbers.
    """
    arrays = [as_array(each) for each in products]
    values = [array.tolist() for array in arrays]
    known = [one for column in values for one in column if not _unknown(one)]
    if len({isinstance(one, (str, bytes)) for one in known}) > 1:
        raise InputError("Products are text for some photos and numbers for others: give both in one kind.")
    codes = {value: number for number, value in enumerate(dict.fromkeys(known))}
    return [np.array([-1 if _unknown(one) else codes[one] for one in column], np.int64) for column in values]


def _unknown(product: Any) -> bool:
    return product is None or product != product or product in ("", b"", -1)
