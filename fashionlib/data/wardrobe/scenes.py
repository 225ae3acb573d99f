"""Scenes of the wardrobe: who wears what, where, in which light, and how much of it the frame shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from PIL import Image

from fashionlib.data.wardrobe.drawing import SUPERSAMPLING, Canvas, Light, Number, plain
from fashionlib.data.wardrobe.garments import paint_person
from fashionlib.data.wardrobe.outfits import COLOURS, Product, draw_labels, make_product, weighted
from fashionlib.data.wardrobe.people import Figure, Person, draw_model, draw_person
from fashionlib.data.wardrobe.scenery import paint_obstacle, paint_street, paint_studio, street_light, studio_light

Frame = tuple[Number, Number, Number]  # x, y and scale of a person's body units
POOL = 240  # products of each label that the people of one split choose from
LEAST_SEEN = 8.0  # a label counts as seen from here on, in pixels of a picture 192 high
_ASKED_FOR = ("t-shirt 2 shirt 2 blouse 2 sweater 2 hoodie 1.4 dress 3 cardigan 1.2 jacket 2 blazer 1.2 coat 1.8 "
              "jeans 1.6 trousers 1.4 shorts 1.2 skirt 2 bag 1.4 boots 0.9 sneakers 0.9 scarf 0.8")  # fmt: skip
_GHOST = Person(skin=(198, 194, 190), arms=("down", "down"), loose=(2.2, 2.2, 0, 0, 1.2, 1.2, 0, 0))


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows, before it has a size."""

    seed: str
    person: Person
    outfit: dict[str, Product]
    frame: Frame
    light: Light
    place: str = "street"
    obstacles: int = 0

    @property
    def products(self) -> dict[str, str]:
        """By label, the identity of what is worn."""
        return {product.label: product.id for product in self.outfit.values()}

    def draw(self, size: tuple[int, int]) -> Canvas:
        """The person and what stands in front, as layers."""
        canvas = Canvas(size)
        canvas.place(*self.frame)
        paint_person(canvas, Figure(self.person), self.outfit, ghost=self.place == "ghost")
        rng = Random(f"{self.seed} obstacles")
        for _ in range(self.obstacles):
            paint_obstacle(canvas, rng)
        return canvas

    def background(self, size: tuple[int, int]) -> Image.Image:
        rng, feet = Random(f"{self.seed} background"), self.frame[1] + 100 * self.frame[2]
        if self.place == "street":
            return paint_street(size, rng, feet)
        return paint_studio(size, rng, feet if self.place == "studio" else None)


def product_asked_for(stream: str, number: int) -> Product:
    """Product `number` of a retrieval stream; three successive numbers look alike."""
    return make_product(stream, weighted(Random(f"{stream}-label-{number // 3}"), _ASKED_FOR), number)


def street_scene(seed: str, stream: str, wanted: Product | None = None) -> Scene:
    """Somebody on the street, in products of `stream`; with `wanted` among them, if there is one, and visible."""

    def compose(rng: Random, seed: str) -> Scene:
        outfit = _outfit(rng, stream, wanted)
        obstacles = int(weighted(rng, "0 5 1 3 2 0.7" if wanted is None else "0 6 1 2"))
        return Scene(seed, draw_person(rng), outfit, _frame(rng), street_light(rng), "street", obstacles)

    return compose(Random(seed), seed) if wanted is None else _with_view_of(wanted, seed, compose)


def studio_scene(seed: str, stream: str, wanted: Product) -> Scene:
    """A model in the studio who wears `wanted`; the rest of the outfit is often that of the product's other views."""

    def compose(rng: Random, seed: str) -> Scene:
        usual = _outfit(Random(f"{wanted.id} usual outfit"), stream, wanted)
        outfit = {slot: product if product is wanted or rng.random() < 0.65 else _of_pool(rng, stream, product.label)
                  for slot, product in usual.items()}  # fmt: skip
        scale = rng.uniform(1.55, 1.8) if rng.random() < 0.65 else rng.uniform(1.9, 2.4)
        low = wanted.slot in ("lower", "shoes", "legs") and scale > 1.85
        top = 186 - 100 * scale if low else rng.uniform(4, 10)
        return Scene(seed, draw_model(rng), outfit, (rng.uniform(-6, 6), top, scale), studio_light(rng), "studio")

    return _with_view_of(wanted, seed, compose)


def catalogue_scene(seed: str, wanted: Product) -> Scene:
    """The shop's picture of `wanted`: mostly alone, at times on a model in neutral clothes."""

    def compose(rng: Random, seed: str) -> Scene:
        around = {"top": "t-shirt", "lower": weighted(rng, "trousers 1 leggings 1 jeans 1"), "shoes": "flats"}
        neutral, stream = plain(COLOURS[weighted(rng, "black 3 white 2 grey 1 beige 1")][0]), f"{wanted.id}-neutral"
        outfit = {slot: replace(_of_pool(rng, stream, label), fabric=neutral) for slot, label in around.items()}
        outfit, person = _with(rng, stream, outfit, wanted), draw_model(rng)
        frame = _close_up(person, alone, rng.uniform(0.6, 0.9))
        return Scene(seed, person, outfit, frame, studio_light(rng), "studio")

    rng, alone = Random(seed), {wanted.slot: wanted}
    if rng.random() < 0.25:
        return _with_view_of(wanted, seed, compose)
    loose = tuple(value + rng.gauss(0, 0.3) for value in _GHOST.loose)
    person = replace(_GHOST, loose=loose, lean=rng.gauss(0, 0.5))
    if wanted.slot == "shoes":  # side by side
        person = replace(person, loose=(*loose[:4], -2.2, -2.2, 0.0, 0.0), hips=6.4)
    return Scene(seed, person, alone, _close_up(person, alone, rng.uniform(0.85, 1.0)), studio_light(rng), "ghost")


def _with_view_of(wanted: Product, seed: str, compose: Callable[[Random, str], Scene]) -> Scene:
    """The first of a few scenes in which the product wanted is not hidden (the last at worst)."""
    for attempt in range(12):
        scene = compose(Random(f"{seed} {attempt}"), f"{seed} {attempt}")
        if scene.draw((96, 64)).seen().get(wanted.label, 0) >= 7 * LEAST_SEEN:
            break
    return scene


def _outfit(rng: Random, stream: str, wanted: Product | None) -> dict[str, Product]:
    worn = {slot: _of_pool(rng, stream, label) for slot, label in draw_labels(rng).items()}
    return worn if wanted is None else _with(rng, stream, worn, wanted)


def _with(rng: Random, stream: str, worn: dict[str, Product], wanted: Product) -> dict[str, Product]:
    """The outfit with `wanted` in its slot, and without what cannot be worn with it or would hide it."""
    worn = {**worn, wanted.slot: wanted}
    if wanted.label == "dress":
        worn.pop("lower", None)
    elif worn["top"].label == "dress" and wanted.slot == "lower":
        worn["top"] = _of_pool(rng, stream, "t-shirt")
    elif worn["top"].label != "dress" and "lower" not in worn:
        worn["lower"] = _of_pool(rng, stream, "jeans")
    if wanted.slot == "top" and rng.random() < 0.7:
        worn.pop("outer", None)
    if "neck" in worn and worn["neck"].label == "tie" and worn["top"].label != "shirt":
        worn.pop("neck")
    return worn


def _of_pool(rng: Random, stream: str, label: str) -> Product:
    return make_product(stream, label, rng.randrange(POOL))


def _frame(rng: Random) -> Frame:
    """Where the person stands: whole, or cut off at the feet, at the head or at the hips."""
    crop = weighted(rng, "none 7 feet 2 head 0.6 half 0.7")
    tall = {"none": (138, 184), "feet": (195, 245), "head": (180, 225), "half": (260, 320)}[crop]
    height = rng.uniform(*tall)
    top = {"none": rng.uniform(4, 8) + max(0.0, 186 - height) * rng.random(), "feet": rng.uniform(5, 18),
           "head": -height * rng.uniform(0.09, 0.2), "half": rng.uniform(6, 20)}[crop]  # fmt: skip
    if crop == "none":
        top = min(max(top, 4.0), 188 - height)
    return (rng.uniform(-1, 1) * (30 if crop == "none" else 16), top, height / 100)


def _close_up(person: Person, outfit: dict[str, Product], share: Number) -> Frame:
    """The frame in which this outfit alone fills that share of the picture."""
    canvas = Canvas((192, 192))
    canvas.place(0, 46, 1)
    paint_person(canvas, Figure(person), outfit, ghost=True)
    x1, y1, x2, y2 = (side / SUPERSAMPLING for side in canvas.map.getbbox() or (0, 0, *canvas.map.size))
    x1, y1, x2, y2 = x1 - 96, y1 - 46, x2 - 96, y2 - 46
    scale = min(5.0, share * min(180 / (y2 - y1), 118 / (x2 - x1)))
    return (-scale * (x1 + x2) / 2, 96 - scale * (y1 + y2) / 2, scale)
