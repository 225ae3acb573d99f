"""What the people of the wardrobe wear: labels, products, and outfits in which some things go together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from fashionlib.data.wardrobe.drawing import RGB, Fabric, Number

# label, slot (the part of the outfit that it fills) and cut, in body units (a person is 100 high) | textures | shades
_TABLE = """
t-shirt     top    hem 45 54 ease 0.6 2.4 sleeve 0.22 0.5 neck 0 1              | plain 5 stripes 2 print 2 dots 1
shirt       top    hem 48 56 ease 0.8 2.4 sleeve 0.45 1 neck 0 1    | plain 4 checks 3 pinstripes 2 denim 1 dots 0.5
blouse      top    hem 44 53 ease 1.0 2.6 sleeve 0.4 1 neck 0 1 flare 1.0 2.4   | plain 4 dots 2 print 3 stripes 0.5
sweater     top    hem 47 54 ease 1.2 3.0 sleeve 0.95 1 neck 0 1                | knit 6 stripes 2 plain 1.5
hoodie      top    hem 48 55 ease 1.4 3.2 sleeve 0.95 1 neck 0 1                | plain 6 stripes 0.7 knit 0.7
dress       top    hem 60 88 ease 0.3 1.8 sleeve -0.3 1 neck 0 1 flare 0.2 9 \
    | plain 4 print 3 dots 1.5 stripes 1.2 checks 1 knit 0.6
cardigan    outer  hem 50 66 ease 1.4 2.8 sleeve 0.9 1 open 0.25 0.7            | knit 6 plain 2 stripes 0.7
jacket      outer  hem 43 52 ease 1.4 3.0 sleeve 0.92 1 open 0.0 0.7            | plain 5 denim 3 checks 0.6 print 0.3
blazer      outer  hem 50 56 ease 1.2 2.2 sleeve 0.92 1 open 0.1 0.6            | plain 5 checks 1.5 pinstripes 1.5
coat        outer  hem 60 84 ease 2.0 3.6 sleeve 0.95 1 open 0.0 0.6 flare 0 4  | plain 6 checks 1.7 knit 0.5
vest        outer  hem 46 54 ease 1.6 3.0 sleeve -1 -0.9 open 0.1 0.6           | plain 3 stripes 3
jeans       lower  hem 88 96 ease 0.3 1.8 rise 40 44 flare -0.4 1.6             | denim 1 | denim
trousers    lower  hem 87 96 ease 0.4 2.4 rise 38 43 flare -0.4 2.2 | plain 6 pinstripes 1.5 checks 1.2 | sober
shorts      lower  hem 58 70 ease 0.8 2.6 rise 39 43 flare 0.2 1.4              | plain 3 denim 3 print 1 checks 1
skirt       lower hem 58 86 ease 0.4 1.4 rise 37 41 flare -0.6 10 | plain 4 checks 2 print 2 dots 1 stripes 1 denim 1
leggings    lower  hem 86 95 ease 0.0 0.25 rise 39 43 flare -0.6 -0.3           | plain 6 print 1 | leggings
tights      legs   hem 97 98 ease 0.0 0.05 sheer 0.15 0.75                      | plain 7 dots 1 | tights
socks       legs   hem 74 91 ease 0.2 0.5                                       | plain 3 stripes 2
boots       shoes  top 74 92 heel 0.4 2.6 toe 0 1                               | plain 1 | leather
sneakers    shoes  top 90 94 heel 0.8 1.8 toe 0 1                               | plain 1
heels       shoes  top 94 96 heel 2.2 4.2 toe 0 1                               | plain 1 | leather
sandals     shoes  top 92 96 heel 0.4 1.8 toe 0 1                               | plain 1 | leather
flats       shoes  top 94 96 heel 0.2 0.8 toe 0 1                               | plain 1 | leather
sunglasses  eyes   round 0 1 large 0.9 1.25                                     | plain 1 | sunglasses
glasses     eyes   round 0 1 large 0.9 1.15                                     | plain 1 | glasses
hat         head   brim 7.5 11.5 crown 4.5 7.5                                  | plain 1
beanie      head   crown 0.8 2.6 bobble 0 1                                     | knit 4 plain 1 stripes 1
scarf       neck   wide 1.6 3.4 long 0 26                           | plain 2 checks 3 knit 2 stripes 1 print 1
tie         neck   wide 0.9 1.6                                                 | plain 2 stripes 2 dots 1
necklace    neck   long 6 15 pendant 0 1                                        | plain 1 | necklace
belt        belt   wide 0.9 1.7                                                 | plain 1 | leather
bag         carry  wide 5 9 high 4.5 9 strap 0 1 round 0 1                      | plain 6 checks 1 print 0.7
backpack    carry  wide 9 12.5 high 17 24                                       | plain 5 checks 1 print 1
watch       wrist  wide 0.9 1.4                                                 | plain 1 | leather
gloves      hands  cuff 0.5 3                                                   | plain 3 knit 2
"""
COLOURS: dict[str, tuple[RGB, Number]] = {  # by name, and how common each is
    "black": ((34, 33, 37), 9), "white": ((240, 238, 233), 6), "grey": ((134, 135, 139), 5), "navy": ((37, 46, 82), 5),
    "beige": ((212, 190, 156), 4), "charcoal": ((70, 71, 77), 4), "blue": ((62, 104, 170), 3),
    "red": ((181, 41, 48), 3), "brown": ((111, 74, 50), 3), "cream": ((243, 229, 203), 3),
    "camel": ((187, 136, 82), 2.5), "olive": ((98, 101, 62), 2.5), "sky": ((151, 189, 221), 2.5),
    "pink": ((231, 164, 176), 2.5), "burgundy": ((105, 28, 44), 2), "green": ((52, 117, 80), 2),
    "mustard": ((208, 158, 48), 1.5), "teal": ((40, 120, 128), 1.5), "lilac": ((178, 160, 207), 1.2),
    "orange": ((221, 116, 50), 1), "yellow": ((240, 213, 89), 1), "coral": ((233, 119, 104), 1),
    "purple": ((98, 58, 122), 1),
}  # fmt: skip
_SHADES = {
    "any": " ".join(f"{name} {weight}" for name, (_, weight) in COLOURS.items()),
    "denim": "navy 3 blue 4 sky 2.5 black 2.5 grey 1 charcoal 1.5 white 0.6",
    "leather": "black 8 brown 4 camel 3 beige 2 white 2 burgundy 1 navy 1 red 1 grey 1",
    "tights": "black 7 charcoal 3 navy 1.5 burgundy 1 beige 2 white 0.5",
    "leggings": "black 7 charcoal 3 navy 2 grey 2 burgundy 1 olive 1",
    "sober": "black 6 navy 3 charcoal 3 grey 3 beige 3 olive 1.5 white 1 burgundy 1",
    "sunglasses": "black 6 brown 2 charcoal 2", "glasses": "black 5 brown 3 burgundy 1",
    "necklace": "mustard 5 grey 2 white 2 black 1 teal 1",
}  # fmt: skip
_PERIODS = {"stripes": (2.6, 6), "pinstripes": (1.8, 3.2), "checks": (4, 8.5), "dots": (2.8, 5.5), "knit": (1.6, 2.8),
            "denim": (3, 4), "print": (3.0, 6.0), "plain": (2.5, 5.0)}  # fmt: skip
_CUTS: dict[str, tuple[str, dict[str, tuple[float, float]], str, str]] = {}
for _row in _TABLE.strip().splitlines():
    _cut, _textures, *_shades = _row.split("|")
    _label, _slot, *_words = _cut.split()
    _ranges = {_words[at]: (float(_words[at + 1]), float(_words[at + 2])) for at in range(0, len(_words), 3)}
    _CUTS[_label] = (_slot, _ranges, _textures, _shades[0].strip() if _shades else "any")
SLOTS = {label: slot for label, (slot, *_) in _CUTS.items()}
LABELS = tuple(SLOTS)


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
    _, ranges, textures, shades = _CUTS[label]
    texture = weighted(kin, textures)
    shades = _SHADES["denim" if texture == "denim" else shades]
    names = [weighted(kin, shades), weighted(kin, _SHADES["any"]), weighted(kin, _SHADES["any"])]
    names = [weighted(own, shades) if own.random() < 0.35 and not place else name for place, name in enumerate(names)]
    colours = []
    for name in names:
        light = own.uniform(-14, 14)
        red, green, blue = (int(min(250, max(8, value + light + own.uniform(-6, 6)))) for value in COLOURS[name][0])
        colours.append((red, green, blue))
    first = colours[0]
    for place in (1, 2):  # black or white where it could hardly be told from the first
        if sum(abs(a - b) for a, b in zip(colours[place], first, strict=True)) < 110:
            colours[place] = (238, 236, 230) if sum(first) < 380 else (40, 40, 48)
    period = kin.uniform(*_PERIODS[texture]) * own.uniform(0.8, 1.25)
    angle = kin.choice((0.0, 0.0, 0.0, math.pi / 2 if texture == "stripes" else 0.0, math.pi / 4)) + own.gauss(0, 0.04)
    angle = 0.0 if texture in ("knit", "denim", "pinstripes") else angle
    if texture == "denim":
        colours[1] = (232, 232, 226) if sum(first) < 500 else (150, 150, 155)
    shape = {}
    for key, (low, high) in ranges.items():
        shape[key] = min(high, max(low, kin.uniform(low, high) + own.gauss(0, 0.08) * (high - low)))
    fabric = Fabric((first, colours[1], colours[2]), texture, period, angle)
    return Product(f"{stream}-{label}-{number:04d}", label, fabric, shape)


def weighted(rng: Random, choices: str) -> str:
    """One word of "word weight word weight …"."""
    words = choices.split()
    return rng.choices(words[::2], [float(weight) for weight in words[1::2]])[0]


def draw_labels(rng: Random) -> dict[str, str]:
    """By slot, what somebody wears: warm or cold weather, dressy or plain, formal or not hang together."""
    warm, soft, formal = rng.random(), rng.random(), rng.random()
    top = weighted(rng, f"t-shirt {1.2 + 2.4 * warm} shirt {1 + 1.4 * formal} blouse {2.4 * soft} sweater "
                        f"{2.6 * (1 - warm)} hoodie {2 * (1 - formal) * (1.2 - warm)} dress {3.1 * soft}")  # fmt: skip
    worn = {"top": top}
    if top != "dress":
        worn["lower"] = weighted(rng, f"jeans {5 - 2 * formal} trousers {1 + 2.5 * formal} shorts {3.2 * warm**2} "
                                      f"skirt {3.4 * soft} leggings {1.3 * soft}")  # fmt: skip
    outer = {"t-shirt": 0.6, "shirt": 0.5, "blouse": 0.5, "sweater": 0.5, "hoodie": 0.35, "dress": 0.45}[top]
    if rng.random() < outer * (1.5 - 1.2 * warm):
        worn["outer"] = weighted(rng, f"jacket 3.4 coat {3.5 * (1 - warm)} blazer {2.6 * formal} cardigan {2.8 * soft} "
                                      f"vest {1.2 * (1 - formal)}")  # fmt: skip
    lower = worn.get("lower")
    bare = lower in (None, "skirt", "shorts")
    worn["shoes"] = weighted(rng, f"sneakers {3.2 - 2 * formal} boots {3 * (1.1 - warm)} sandals {1.8 * warm**2} "
                                  f"heels {3.2 * soft * formal + 0.1} flats {0.9 + soft}")  # fmt: skip
    if bare and rng.random() < 0.65 - 0.55 * warm:
        worn["legs"] = "tights"
    elif (bare or lower == "leggings") and worn["shoes"] != "sandals" and rng.random() < 0.28:
        worn["legs"] = "socks"
    accessories = {
        "eyes": (0.4, f"sunglasses {1 + 2.5 * warm} glasses 1"),
        "head": (0.27, f"hat {0.6 + warm} beanie {1.4 * (1 - warm)}"),
        "neck": (0.46, f"scarf {1.6 * (1 - warm)} necklace {0.4 + 1.5 * soft} "
                       f"tie {1.6 * formal if top == 'shirt' else 0}"),
        "carry": (0.5, "bag 3.4 backpack 0.8"), "wrist": (0.24, "watch 1"), "hands": (0.2 * (1 - warm), "gloves 1"),
        "belt": (0.36 if lower in (None, "jeans", "trousers", "shorts", "skirt") else 0, "belt 1"),
    }  # fmt: skip
    return worn | {slot: weighted(rng, kinds) for slot, (chance, kinds) in accessories.items() if rng.random() < chance}
