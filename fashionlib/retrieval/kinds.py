"""Which names may mean the same part of a photo, and parts merged by them.

A tagger gives several names to one garment (t-shirt, top, longsleeve). Where their regions lie on each other they are
one part, called by the likeliest name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fashionlib.metrics.localisation import intersection_over_union

SAME_PLACE = 0.5  # intersection over union from which on two regions are one place

_KINDS = {
    "upper": "blazer blouse bodysuit body bra cardigan coat cape hoodie intimate jacket jumper longsleeve outwear polo "
    "shirt suit sweater sweatshirt t-shirt top undershirt vest",
    "lower": "jeans leggings panties pants shorts skirt stockings tights",
    "full": "dress romper swimwear",
    "feet": "boots clogs flats heels loafers pumps sandals shoes sneakers wedges",
    "head": "hat",
    "eyes": "glasses sunglasses",
    "bags": "bag purse wallet",
}
KIND = {name: kind for kind, names in _KINDS.items() for name in names.split()}
_OVER = {"full": {"upper", "lower"}}  # a dress and a top in one place are one garment


def same_kind(a: str, b: str) -> bool:
    """Whether both names may be said of one garment; a name of no kind is a kind of its own."""
    one, other = KIND.get(a, a), KIND.get(b, b)
    return one == other or other in _OVER.get(one, ()) or one in _OVER.get(other, ())


def merged(
    labels: Sequence[int], names: Sequence[str], region: Callable[[int], tuple[float, float, float, float]]
) -> list[list[int]]:
    """Labels grouped into parts: each goes to the first part that it may be another name of, in the same place.

    labels: the likeliest first. region: of a label, where it is shown.
    """
    parts: list[list[int]] = []
    for label in labels:
        for part in parts:
            overlap = intersection_over_union(region(label), region(part[0]))
            if same_kind(names[label], names[part[0]]) and overlap >= SAME_PLACE:
                part.append(label)
                break
        else:
            parts.append([label])
    return parts
