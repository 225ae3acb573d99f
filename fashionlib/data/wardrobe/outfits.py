"""What the people of the wardrobe wear: labels, products, and outfits in which some things go together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from fashionlib.data.wardrobe.drawing import RGB, Fabric, Number

# by label: the part of the outfit that it fills, and how it looks. Ranges are in body units (a person is 100 high).
SLOTS = {
    "t-shirt": "top", "shirt": "top", "blouse": "top", "sweater": "top", "hoodie": "top", "dress": "top",
    "cardigan": "outer", "jacket": "outer", "blazer": "outer", "coat": "outer", "vest": "outer",
    "jeans": "lower", "trousers": "lower", "shorts": "lower", "skirt": "lower", "leggings": "lower",
    "tights": "legs", "socks": "legs",
    "boots": "shoes", "sneakers": "shoes", "heels": "shoes", "sandals": "shoes", "flats": "shoes",
    "sunglasses": "eyes", "glasses": "eyes", "hat": "head", "beanie": "head",
    "scarf": "neck", "tie": "neck", "necklace": "neck",
    "belt": "belt", "bag": "carry", "backpack": "carry", "watch": "wrist", "gloves": "hands",
}  # fmt: skip
LABELS = tuple(SLOTS)

_RANGES: dict[str, dict[str, tuple[Number, Number]]] = {
    "t-shirt": {"hem": (45, 54), "ease": (0.6, 2.4), "sleeve": (0.22, 0.5), "neck": (0, 1)},
    "shirt": {"hem": (48, 56), "ease": (0.8, 2.4), "sleeve": (0.45, 1), "neck": (0, 1)},
    "blouse": {"hem": (44, 53), "ease": (1.0, 2.6), "sleeve": (0.4, 1), "neck": (0, 1), "flare": (1.0, 2.4)},
    "sweater": {"hem": (47, 54), "ease": (1.2, 3.0), "sleeve": (0.95, 1), "neck": (0, 1)},
    "hoodie": {"hem": (48, 55), "ease": (1.4, 3.2), "sleeve": (0.95, 1), "neck": (0, 1)},
    "dress": {"hem": (60, 88), "ease": (0.3, 1.8), "sleeve": (-0.3, 1), "neck": (0, 1), "flare": (0.2, 9)},
    "cardigan": {"hem": (50, 66), "ease": (1.4, 2.8), "sleeve": (0.9, 1), "open": (0.25, 0.7)},
    "jacket": {"hem": (43, 52), "ease": (1.4, 3.0), "sleeve": (0.92, 1), "open": (0.0, 0.7)},
    "blazer": {"hem": (50, 56), "ease": (1.2, 2.2), "sleeve": (0.92, 1), "open": (0.1, 0.6)},
    "coat": {"hem": (60, 84), "ease": (2.0, 3.6), "sleeve": (0.95, 1), "open": (0.0, 0.6), "flare": (0, 4)},
    "vest": {"hem": (46, 54), "ease": (1.6, 3.0), "sleeve": (-1, -0.9), "open": (0.1, 0.6)},
    "jeans": {"hem": (88, 96), "ease": (0.3, 1.8), "rise": (40, 44), "flare": (-0.4, 1.6)},
    "trousers": {"hem": (87, 96), "ease": (0.4, 2.4), "rise": (38, 43), "flare": (-0.4, 2.2)},
    "shorts": {"hem": (58, 70), "ease": (0.8, 2.6), "rise": (39, 43), "flare": (0.2, 1.4)},
    "skirt": {"hem": (58, 86), "ease": (0.4, 1.4), "rise": (37, 41), "flare": (-0.6, 10)},
    "leggings": {"hem": (86, 95), "ease": (0.0, 0.25), "rise": (39, 43), "flare": (-0.6, -0.3)},
    "tights": {"hem": (97, 98), "ease": (0.0, 0.05), "sheer": (0.15, 0.75)},
    "socks": {"hem": (74, 91), "ease": (0.2, 0.5)},
    "boots": {"top": (74, 92), "heel": (0.4, 2.6), "toe": (0, 1)},
    "sneakers": {"top": (90, 94), "heel": (0.8, 1.8), "toe": (0, 1)},
    "heels": {"top": (94, 96), "heel": (2.2, 4.2), "toe": (0, 1)},
    "sandals": {"top": (92, 96), "heel": (0.4, 1.8), "toe": (0, 1)},
    "flats": {"top": (94, 96), "heel": (0.2, 0.8), "toe": (0, 1)},
    "sunglasses": {"round": (0, 1), "large": (0.9, 1.25)}, "glasses": {"round": (0, 1), "large": (0.9, 1.15)},
    "hat": {"brim": (7.5, 11.5), "crown": (4.5, 7.5)}, "beanie": {"crown": (0.8, 2.6), "bobble": (0, 1)},
    "scarf": {"wide": (1.6, 3.4), "long": (0, 26)}, "tie": {"wide": (0.9, 1.6)},
    "necklace": {"long": (6, 15), "pendant": (0, 1)},
    "belt": {"wide": (0.9, 1.7)}, "bag": {"wide": (5, 9), "high": (4.5, 9), "strap": (0, 1), "round": (0, 1)},
    "backpack": {"wide": (9, 12.5), "high": (17, 24)}, "watch": {"wide": (0.9, 1.4)}, "gloves": {"cuff": (0.5, 3)},
}  # fmt: skip

_TEXTURES = {
    "t-shirt": "plain 5 stripes 2 print 2 dots 1", "shirt": "plain 4 checks 3 pinstripes 2 denim 1 dots 0.5",
    "blouse": "plain 4 dots 2 print 3 stripes 0.5", "sweater": "knit 6 stripes 2 plain 1.5",
    "hoodie": "plain 6 stripes 0.7 knit 0.7", "dress": "plain 4 print 3 dots 1.5 stripes 1.2 checks 1 knit 0.6",
    "cardigan": "knit 6 plain 2 stripes 0.7", "jacket": "plain 5 denim 3 checks 0.6 print 0.3",
    "blazer": "plain 5 checks 1.5 pinstripes 1.5", "coat": "plain 6 checks 1.7 knit 0.5", "vest": "plain 3 stripes 3",
    "jeans": "denim 1", "trousers": "plain 6 pinstripes 1.5 checks 1.2", "shorts": "plain 3 denim 3 print 1 checks 1",
    "skirt": "plain 4 checks 2 print 2 dots 1 stripes 1 denim 1", "leggings": "plain 6 print 1",
    "tights": "plain 7 dots 1", "socks": "plain 3 stripes 2", "scarf": "plain 2 checks 3 knit 2 stripes 1 print 1",
    "beanie": "knit 4 plain 1 stripes 1", "hat": "plain 1", "tie": "plain 2 stripes 2 dots 1",
    "bag": "plain 6 checks 1 print 0.7", "backpack": "plain 5 checks 1 print 1", "gloves": "plain 3 knit 2",
}  # fmt: skip

COLOURS: dict[str, tuple[RGB, Number]] = {
    "black": ((34, 33, 37), 9), "white": ((240, 238, 233), 6), "grey": ((134, 135, 139), 5), "navy": ((37, 46, 82), 5),
    "beige": ((212, 190, 156), 4), "charcoal": ((70, 71, 77), 4), "blue": ((62, 104, 170), 3),
    "red": ((181, 41, 48), 3), "brown": ((111, 74, 50), 3), "cream": ((243, 229, 203), 3),
    "camel": ((187, 136, 82), 2.5), "olive": ((98, 101, 62), 2.5), "sky": ((151, 189, 221), 2.5),
    "pink": ((231, 164, 176), 2.5),
    "burgundy": ((105, 28, 44), 2), "green": ((52, 117, 80), 2), "mustard": ((208, 158, 48), 1.5),
    "teal": ((40, 120, 128), 1.5), "lilac": ((178, 160, 207), 1.2), "orange": ((221, 116, 50), 1),
    "yellow": ((240, 213, 89), 1), "coral": ((233, 119, 104), 1), "purple": ((98, 58, 122), 1),
}  # fmt: skip
_ANY = {name: weight for name, (_, weight) in COLOURS.items()}
_DENIM = {"navy": 3, "blue": 4, "sky": 2.5, "black": 2.5, "grey": 1, "charcoal": 1.5, "white": 0.6}
_LEATHER = {"black": 8, "brown": 4, "camel": 3, "beige": 2, "white": 2, "burgundy": 1, "navy": 1, "red": 1, "grey": 1}
_SHADES = {
    "jeans": _DENIM, "boots": _LEATHER, "heels": _LEATHER, "flats": _LEATHER, "sandals": _LEATHER, "belt": _LEATHER,
    "tights": {"black": 7, "charcoal": 3, "navy": 1.5, "burgundy": 1, "beige": 2, "white": 0.5},
    "leggings": {"black": 7, "charcoal": 3, "navy": 2, "grey": 2, "burgundy": 1, "olive": 1},
    "trousers": {"black": 6, "navy": 3, "charcoal": 3, "grey": 3, "beige": 3, "olive": 1.5, "white": 1, "burgundy": 1},
    "sunglasses": {"black": 6, "brown": 2, "charcoal": 2}, "glasses": {"black": 5, "brown": 3, "burgundy": 1},
    "necklace": {"mustard": 5, "grey": 2, "white": 2, "black": 1, "teal": 1}, "watch": _LEATHER,
}  # fmt: skip


@dataclass(frozen=True)
class Product:
    """One garment that can be bought: the same wherever its id is worn."""

    id: str
    label: str
    fabric: Fabric
    shape: Mapping[str, Number]

    @property
    def slot(self) -> str:
        return SLOTS[self.label]


@lru_cache(maxsize=8192)
def make_product(stream: str, label: str, number: int) -> Product:
    """Product `number` of `label` in an identity stream; a pure function of the three.

    Three successive numbers are a family: one cut and texture in other colours, lengths and scales, so that a
    product is never alone with its look.
    """
    kin, own = Random(f"{stream}-{label}-family-{number // 3}"), Random(f"{stream}-{label}-{number}")
    texture = weighted(kin, _TEXTURES.get(label, "plain 1"))
    shades = _DENIM if texture == "denim" else _SHADES.get(label, _ANY)
    names = [pick(kin, shades), pick(kin, _ANY), pick(kin, _ANY)]
    names = [pick(own, shades) if own.random() < 0.35 and not place else name for place, name in enumerate(names)]
    first, second, third = (_jittered(own, COLOURS[name][0]) for name in names)
    second, third = _apart(second, first), _apart(third, first)
    period = kin.uniform(*_PERIODS.get(texture, (2.5, 5.0))) * own.uniform(0.8, 1.25)
    angle = kin.choice((0.0, 0.0, 0.0, math.pi / 2 if texture == "stripes" else 0.0, math.pi / 4)) + own.gauss(0, 0.04)
    angle = 0.0 if texture in ("knit", "denim", "pinstripes") else angle
    if texture == "denim":
        second = (232, 232, 226) if sum(first) < 500 else (150, 150, 155)
    shape = {key: _nudged(kin, own, low, high) for key, (low, high) in _RANGES[label].items()}
    return Product(
        f"{stream}-{label}-{number:04d}", label, Fabric((first, second, third), texture, period, angle), shape
    )


_PERIODS = {"stripes": (2.6, 6), "pinstripes": (1.8, 3.2), "checks": (4, 8.5), "dots": (2.8, 5.5), "knit": (1.6, 2.8),
            "denim": (3, 4), "print": (3.0, 6.0)}  # fmt: skip


def weighted(rng: Random, choices: str) -> str:
    """One word of "word weight word weight …"."""
    words = choices.split()
    return rng.choices(words[::2], [float(weight) for weight in words[1::2]])[0]


def pick(rng: Random, weights: Mapping[str, Number]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _jittered(rng: Random, colour: RGB, spread: Number = 14) -> RGB:
    light = rng.uniform(-spread, spread)
    red, green, blue = (int(min(250, max(8, value + light + rng.uniform(-6, 6)))) for value in colour)
    return (red, green, blue)


def _apart(colour: RGB, other: RGB) -> RGB:
    """The colour, or black or white where it could hardly be told from the other."""
    if sum(abs(a - b) for a, b in zip(colour, other, strict=True)) >= 110:
        return colour
    return (238, 236, 230) if sum(other) < 380 else (40, 40, 48)


def _nudged(kin: Random, own: Random, low: Number, high: Number) -> Number:
    value = kin.uniform(low, high) + own.gauss(0, 0.08) * (high - low)
    return min(high, max(low, value))


def draw_labels(rng: Random) -> dict[str, str]:
    """By slot, what somebody wears: warm or cold weather, dressy or plain, formal or not hang together."""
    warm, soft, formal = rng.random(), rng.random(), rng.random()
    worn = {"top": _top(rng, warm, soft, formal)}
    if worn["top"] != "dress":
        worn["lower"] = weighted(rng, f"jeans {5 - 2 * formal} trousers {1 + 2.5 * formal} shorts {3.2 * warm**2} "
                                      f"skirt {3.4 * soft} leggings {1.3 * soft}")  # fmt: skip
    outer = {"t-shirt": 0.6, "shirt": 0.5, "blouse": 0.5, "sweater": 0.5, "hoodie": 0.35, "dress": 0.45}[worn["top"]]
    if rng.random() < outer * (1.5 - 1.2 * warm):
        worn["outer"] = weighted(rng, f"jacket 3.4 coat {3.5 * (1 - warm)} blazer {2.6 * formal} cardigan {2.8 * soft} "
                                      f"vest {1.2 * (1 - formal)}")  # fmt: skip
    bare = worn["top"] == "dress" or worn["lower"] in ("skirt", "shorts")
    worn["shoes"] = weighted(rng, f"sneakers {3.2 - 2 * formal} boots {3 * (1.1 - warm)} sandals {1.8 * warm**2} "
                                  f"heels {3.2 * soft * formal + 0.1} flats {0.9 + soft}")  # fmt: skip
    if bare and rng.random() < 0.65 - 0.55 * warm:
        worn["legs"] = "tights"
    elif (bare or worn.get("lower") == "leggings") and worn["shoes"] != "sandals" and rng.random() < 0.28:
        worn["legs"] = "socks"
    worn.update(_accessories(rng, worn, warm, soft, formal))
    return worn


def _top(rng: Random, warm: Number, soft: Number, formal: Number) -> str:
    return weighted(rng, f"t-shirt {1.2 + 2.4 * warm} shirt {1 + 1.4 * formal} blouse {2.4 * soft} "
                         f"sweater {2.6 * (1 - warm)} hoodie {2 * (1 - formal) * (1.2 - warm)} "
                         f"dress {3.1 * soft}")  # fmt: skip


def _accessories(rng: Random, worn: dict[str, str], warm: Number, soft: Number, formal: Number) -> dict[str, str]:
    chances = {
        "eyes": (0.4, f"sunglasses {1 + 2.5 * warm} glasses 1"),
        "head": (0.27, f"hat {0.6 + warm} beanie {1.4 * (1 - warm)}"),
        "neck": (0.46, f"scarf {1.6 * (1 - warm)} necklace {0.4 + 1.5 * soft} tie "
                       f"{1.6 * formal if worn['top'] == 'shirt' else 0}"),
        "carry": (0.5, "bag 3.4 backpack 0.8"),
        "wrist": (0.24, "watch 1"),
        "hands": (0.2 * (1 - warm), "gloves 1"),
        "belt": (0.36 if worn.get("lower") in ("jeans", "trousers", "shorts", "skirt") or worn["top"] == "dress" else 0,
                 "belt 1"),
    }  # fmt: skip
    return {slot: weighted(rng, kinds) for slot, (chance, kinds) in chances.items() if rng.random() < chance}
