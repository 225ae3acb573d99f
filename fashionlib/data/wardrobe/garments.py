"""How each garment of the wardrobe is cut, and in what order an outfit is put on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from fashionlib.data.wardrobe import accessories
from fashionlib.data.wardrobe.accessories import cloth, detail
from fashionlib.data.wardrobe.drawing import Canvas, Fabric, Number, Point, mixed, plain
from fashionlib.data.wardrobe.outfits import Product
from fashionlib.data.wardrobe.people import (
    Figure,
    paint_arm,
    paint_hair_behind,
    paint_hand,
    paint_head,
    paint_legs,
    paint_torso,
)  # fmt: skip

Outfit = Mapping[str, Product]


def paint_person(canvas: Canvas, figure: Figure, outfit: Outfit, *, ghost: bool = False) -> None:
    """Somebody wearing an outfit (product by slot), from the back to the front; a ghost is the clothes alone."""
    outfit = _layered(outfit)
    body: Callable[..., None] = (lambda *_: None) if ghost else (lambda paint, *rest: paint(canvas, figure, *rest))
    body(paint_hair_behind)
    _put_on(canvas, figure, outfit, "carry", {"backpack": accessories.backpack})
    body(paint_legs)
    _put_on(canvas, figure, outfit, "legs", {"tights": _tights, "socks": _socks})
    lower, shoes = outfit.get("lower"), outfit.get("shoes")
    over = lower is not None and lower.label in ("jeans", "trousers", "leggings") and lower.shape["flare"] < 0.5
    boots_over = over and shoes is not None and shoes.label == "boots"
    if not boots_over:
        _put_on(canvas, figure, outfit, "shoes", _SHOES)
    body(paint_torso)
    tucked = figure.person.tucked and "top" in outfit and outfit["top"].label not in ("sweater", "hoodie")
    for slot in ("top", "lower", "belt") if tucked else ("lower", "belt", "top"):
        _put_on(canvas, figure, outfit, slot, _UPPER | _LOWER | {"belt": accessories.belt})
    if boots_over:
        _put_on(canvas, figure, outfit, "shoes", _SHOES)
    _put_on(canvas, figure, outfit, "neck", {"tie": accessories.tie, "necklace": accessories.necklace})
    if "top" in outfit and outfit["top"].label == "dress":
        _put_on(canvas, figure, outfit, "belt", {"belt": accessories.belt})
    if ghost and "outer" in outfit:
        _lining(canvas, figure, outfit["outer"])
    _put_on(canvas, figure, outfit, "outer", _OUTER)
    body(paint_head)
    _put_on(canvas, figure, outfit, "neck", {"scarf": accessories.scarf})
    _put_on(canvas, figure, outfit, "eyes", {"sunglasses": accessories.eyewear, "glasses": accessories.eyewear})
    _put_on(canvas, figure, outfit, "head", {"hat": accessories.hat, "beanie": accessories.beanie})
    _put_on(canvas, figure, outfit, "carry", {"backpack": accessories.straps, "bag": accessories.bag_strap})
    for index in (0, 1):
        body(paint_arm, index)
        _arm_clothes(canvas, figure, outfit, index, body)
    _put_on(canvas, figure, outfit, "carry", {"bag": accessories.bag})


def _layered(outfit: Outfit) -> Outfit:
    """The outfit with a top that fits under what is worn over it."""
    if "outer" not in outfit or "top" not in outfit:
        return outfit
    top, over = outfit["top"], outfit["outer"].shape
    fitted = {**top.shape, "ease": min(top.shape["ease"], over["ease"] - 0.6)}
    if over["sleeve"] > 0.5:
        fitted["sleeve"] = -1.0
    return {**outfit, "top": replace(top, shape=fitted)}


def _put_on(canvas: Canvas, figure: Figure, outfit: Outfit, slot: str, painters: dict[str, Callable]) -> None:
    product = outfit.get(slot)
    if product is not None and product.label in painters:
        painters[product.label](canvas, figure, product)


def _arm_clothes(canvas: Canvas, figure: Figure, outfit: Outfit, index: int, body: Callable[..., None]) -> None:
    for slot in ("top", "outer"):
        product = outfit.get(slot)
        if product is not None and product.shape["sleeve"] > 0.05:
            _sleeve(canvas, figure, product, index)
    body(paint_hand, index)
    if "hands" in outfit:
        accessories.glove(canvas, figure, outfit["hands"], index)
    if index == 1 and "wrist" in outfit:
        accessories.watch(canvas, figure, outfit["wrist"], index)


def _sleeve(canvas: Canvas, figure: Figure, product: Product, index: int) -> None:
    shape, limbs = product.shape, figure.limbs
    reach, ease = min(1.0, shape["sleeve"]), 0.5 + 0.45 * shape["ease"]
    points = figure.arm(index, 0.0, reach)
    (x1, y1), (x2, y2) = points[0], points[-1]
    layer = cloth(canvas, figure, product, along=math.atan2(x1 - x2, y2 - y1), origin=points[0])
    puff = shape.get("flare", 0.0) * 0.5 if product.label == "blouse" else 0.0
    end = (2.6 - 1.0 * reach) * limbs + ease + puff
    radii = [2.5 * limbs + 0.5 * ease, *([2.0 * limbs + ease] if len(points) == 3 else []), end]
    canvas.ellipse(layer, *points[0], radii[0], radii[0])
    canvas.limb(layer, points, radii)
    if product.label in ("sweater", "hoodie", "shirt", "blouse") and reach > 0.6:
        cuff = figure.arm(index, max(0.0, reach - 0.09), reach)
        narrow = 0.8 if puff else 1.0
        canvas.limb(detail(canvas, product, 0.85), cuff[-2:], [end * narrow, end * narrow])


def _upper(canvas: Canvas, figure: Figure, product: Product) -> None:
    shape = product.shape
    hem, ease = shape["hem"], shape["ease"]
    layer = cloth(canvas, figure, product)
    points = figure.outline(16.4, min(hem, 49 if product.label == "dress" else 53), ease)
    if hem > 53 and product.label == "dress":
        points = _skirt_outline(figure, points, hem, ease, shape["flare"])
    elif product.label == "blouse":
        x, half = figure.centre(hem), figure.half(hem, ease) + shape["flare"]
        middle = len(points) // 2
        points[middle - 1 : middle + 1] = [(x - half, hem), (x, hem + 1), (x + half, hem)]
    canvas.polygon(layer, points)
    _neckline(canvas, figure, product)
    details = {"shirt": _placket, "blouse": _bow, "sweater": _rib, "hoodie": _hood_and_pocket, "dress": _waist_seam}
    if product.label in details:
        details[product.label](canvas, figure, product)


def _skirt_outline(figure: Figure, points: list[Point], hem: Number, ease: Number, flare: Number) -> list[Point]:
    """The polygon of a torso carried on down to a hem, wide enough for the legs in it."""
    middle = len(points) // 2
    left, right = figure.spread(min(93.0, hem))
    x, half = figure.centre(60), figure.hips + ease + flare * (hem - 48) / 38
    left, right = min(left - 0.4, x - half), max(right + 0.4, x + half)
    below = [(left, hem), ((left + right) / 2, hem + 0.9), (right, hem)]
    if half <= figure.hips + ease + 1:  # a pencil skirt keeps to the hips before it narrows
        hips = figure.hips + ease
        below = [(x - hips, 56.0), *below, (x + hips, 56.0)]
    return points[:middle] + below + points[middle:]


def _neckline(canvas: Canvas, figure: Figure, product: Product) -> None:
    """Skin in a round or pointed opening, or a high collar."""
    kind, x = product.shape["neck"], figure.centre(18)
    if product.label in ("shirt", "hoodie"):
        return
    if product.label == "sweater" and kind > 0.62:
        collar = detail(canvas, product, 0.86)
        canvas.polygon(collar, ((x - 3.3, 14.2), (x + 3.3, 14.2), (x + 4, 18.4), (x - 4, 18.4)))
        return
    skin = canvas.layer(plain(figure.person.skin))
    deep = 20.5 + 6 * abs(kind - 0.5) + (2.0 if product.label == "dress" else 0.0)
    if kind > 0.5:
        canvas.polygon(skin, ((x - 3.6, 15.8), (x + 3.6, 15.8), (x, deep + 2)))
    else:
        canvas.polygon(skin, ((x - 4.4, 15.8), (x + 4.4, 15.8), (x + 2.6, deep - 1), (x, deep), (x - 2.6, deep - 1)))


def _placket(canvas: Canvas, figure: Figure, product: Product) -> None:
    x, low, hem = figure.centre(18), figure.centre(50), product.shape["hem"]
    line = detail(canvas, product, 0.7)
    canvas.line(line, ((x, 19), (low, hem - 1)), 0.35)
    for k in range(5):
        y = 22 + k * (hem - 24) / 5
        canvas.ellipse(line, x + (low - x) * (y - 19) / 32 + 0.9, y, 0.42, 0.42)
    _collar(canvas, figure, product, 0.9)


def _collar(canvas: Canvas, figure: Figure, product: Product, tone: Number) -> None:
    x, collar = figure.centre(17), detail(canvas, product, tone)
    for side in (-1, 1):
        corners = ((3.4, 14.8), (0.2, 18.4), (2.9, 21.4), (5.0, 17.4))
        canvas.polygon(collar, [(x + side * across, y) for across, y in corners])


def _bow(canvas: Canvas, figure: Figure, product: Product) -> None:
    if product.shape["neck"] < 0.4:
        x, bow = figure.centre(20), detail(canvas, product, 0.8)
        canvas.polygon(bow, ((x, 20.4), (x - 3.6, 18.6), (x - 3.4, 22.6), (x, 20.8), (x + 3.4, 22.6), (x + 3.6, 18.6)))
        canvas.polygon(bow, ((x - 0.4, 20.6), (x - 1.9, 27), (x - 0.5, 27.4), (x + 0.6, 20.6), (x + 1.6, 26.4)))


def _rib(canvas: Canvas, figure: Figure, product: Product) -> None:
    hem, ease = product.shape["hem"], product.shape["ease"]
    canvas.polygon(detail(canvas, product, 0.86), figure.outline(min(hem, 53) - 2.4, min(hem, 53), ease))


def _hood_and_pocket(canvas: Canvas, figure: Figure, product: Product) -> None:
    x, low = figure.centre(18), figure.centre(43)
    hood = detail(canvas, product, 0.8)
    canvas.ellipse(hood, x, 16.6, 6.9, 3.9)
    canvas.polygon(detail(canvas, product, 0.86), ((low - 4, 38.5), (low + 4, 38.5), (low + 6, 46.5), (low - 6, 46.5)))
    string = canvas.layer(plain((236, 234, 228)), product.label)
    for side in (-1, 1):
        canvas.line(string, ((x + side * 1.5, 19.6), (x + side * 1.8, 26 + 2 * product.shape["neck"])), 0.4)
    _rib(canvas, figure, product)


def _waist_seam(canvas: Canvas, figure: Figure, product: Product) -> None:
    seam, ease = detail(canvas, product, 0.8), product.shape["ease"]
    canvas.line(seam, figure.side(0, (38.5,), ease) + figure.side(1, (38.5,), ease), 0.3)
    _pleats(canvas, figure, product, 42, product.shape["flare"])


def _pleats(canvas: Canvas, figure: Figure, product: Product, top: Number, flare: Number) -> None:
    if flare > 4.5:
        line, hem, x = detail(canvas, product, 0.8), product.shape["hem"], figure.centre(55)
        for k in (-0.6, -0.2, 0.2, 0.6):
            below = k * (figure.hips + flare * (hem - 48) / 38)
            canvas.line(line, ((x + k * figure.hips, top + 6), (x + below, hem - 1)), 0.3)


def _lining(canvas: Canvas, figure: Figure, product: Product) -> None:
    """The back of an open garment, seen from inside where nobody wears it."""
    shape = product.shape
    points = figure.outline(17.0, min(shape["hem"], 49), shape["ease"] - 0.8)
    if shape["hem"] > 53:
        points = _skirt_outline(figure, points, shape["hem"] - 1.0, shape["ease"] - 0.8, shape.get("flare", 0.3))
    canvas.polygon(detail(canvas, product, 0.6), points)


def _outer(canvas: Canvas, figure: Figure, product: Product) -> None:
    """Two fronts that leave open, or just meet in, the middle."""
    shape = product.shape
    hem, ease = shape["hem"], shape["ease"]
    points = figure.outline(16.2, hem if hem <= 53 else 49, ease)
    if hem > 53:
        points = _skirt_outline(figure, points, hem, ease, shape.get("flare", 0.3))
    layer, edge = cloth(canvas, figure, product), detail(canvas, product, 0.7)
    gap = figure.half(40, ease) * (shape["open"] if shape["open"] > 0.15 else 0.0)
    top, bottom, lowest = figure.centre(20), figure.centre(55), max(y for _, y in points)
    middle = len(points) // 2
    for index, side in ((0, -1), (1, 1)):
        outside = points[:middle] if index == 0 else points[middle:][::-1]
        front = [(bottom + side * gap, lowest), (top + side * (1.5 + 0.6 * gap), 26.0), (top + side * 3.2, 16.2)]
        canvas.polygon(layer, outside + front)
        canvas.line(edge, front[:2], 0.4)
        if product.label == "vest":
            for y in (27.0, 33.0, 39.0, 45.0):
                inside = (figure.centre(y) + side * max(2.0, gap), y)
                canvas.line(edge, (figure.side(index, (y,), ease)[0], inside), 0.35)
        elif product.label == "jacket":
            band = figure.side(index, (hem - 2, hem), ease)
            canvas.polygon(edge, [*band, (bottom + side * gap, hem), (bottom + side * gap, hem - 2)])
    if product.label in ("blazer", "coat"):
        _lapels(canvas, figure, product)
    elif product.label == "jacket":
        _collar(canvas, figure, product, 0.82)


def _lapels(canvas: Canvas, figure: Figure, product: Product) -> None:
    x, lapel = figure.centre(22), detail(canvas, product, 0.8)
    low = 33.0 if product.label == "blazer" else 30.0
    for side in (-1, 1):
        corners = ((3.0, 15.6), (5.4, 17.4), (6.6, 23.5), (5.2, 24.4), (1.6, low), (1.8, 22.0))
        canvas.polygon(lapel, [(x + side * across, y) for across, y in corners])
    if product.shape["open"] <= 0.15:
        button = detail(canvas, product, 0.5)
        for y in (36.0, 42.0, 48.0):
            canvas.ellipse(button, figure.centre(y) + 1.6, y, 0.7, 0.7)


def _trousers(canvas: Canvas, figure: Figure, product: Product) -> None:
    shape = product.shape
    layer = cloth(canvas, figure, product, origin=(figure.centre(50), 50))
    snug = 0.25 + 0.3 * shape["ease"]
    canvas.polygon(layer, figure.outline(shape["rise"], 53.5, snug))
    for index in (0, 1):
        points = figure.leg(index, 50, min(95.5, shape["hem"]))
        ends = (50.0, 72.5, shape["hem"]) if len(points) == 3 else (50.0, shape["hem"])
        wider = [snug + 0.1, 0.3 + 0.6 * shape["ease"], 0.3 + shape["ease"] + shape["flare"]]
        wider = wider if len(points) == 3 else wider[::2]
        canvas.limb(layer, points, [figure.leg_radius(y) + w for y, w in zip(ends, wider, strict=True)])
    seam = detail(canvas, product, 0.72)
    x = figure.centre(52)
    canvas.line(seam, ((x, shape["rise"] + 2), (x, 52), ((figure.knees[0][0] + figure.knees[1][0]) / 2, 60)), 0.3)
    if product.label in ("jeans", "shorts"):
        for index, side in ((0, -1), (1, 1)):
            canvas.line(
                seam, ((x + side * 3.2, shape["rise"] + 1), figure.side(index, (shape["rise"] + 5,), 0.4)[0]), 0.3
            )
    if product.label != "leggings":
        canvas.polygon(detail(canvas, product, 0.84), figure.outline(shape["rise"], shape["rise"] + 1.6, 0.4))
    if product.label == "trousers":
        for index in (0, 1):
            canvas.line(seam, figure.leg(index, 56, shape["hem"] - 2), 0.25)


def _skirt(canvas: Canvas, figure: Figure, product: Product) -> None:
    shape = product.shape
    points = _skirt_outline(
        figure, figure.outline(shape["rise"], 49, shape["ease"]), shape["hem"], shape["ease"], shape["flare"]
    )
    canvas.polygon(cloth(canvas, figure, product, origin=(figure.centre(50), 50)), points)
    canvas.polygon(
        detail(canvas, product, 0.82), figure.outline(shape["rise"], shape["rise"] + 1.7, shape["ease"] + 0.2)
    )
    _pleats(canvas, figure, product, 44, shape["flare"])


def _tights(canvas: Canvas, figure: Figure, product: Product) -> None:
    fabric, skin, sheer = product.fabric, figure.person.skin, product.shape["sheer"]
    first, second, third = (mixed(colour, skin, 0.6 * sheer) for colour in fabric.colours)
    colours = (first, second, third)
    layer = canvas.layer(
        Fabric(colours, fabric.texture, fabric.period, fabric.angle), product.label, origin=(figure.centre(60), 60)
    )
    for index in (0, 1):
        _stocking(canvas, figure, layer, index, 50, 0.08)


def _stocking(canvas: Canvas, figure: Figure, layer: int, index: int, top: Number, ease: Number) -> None:
    points = figure.leg(index, top, 95)
    canvas.limb(layer, points, [figure.leg_radius(y) + ease for _, y in points])
    (x, y), out = figure.ankles[index], 2 * index - 1
    canvas.polygon(layer, ((x - 1.8, y - 1), (x + 1.8, y - 1), (x + 2 + out, y + 4.8), (x - 2 + out, y + 4.8)))


def _socks(canvas: Canvas, figure: Figure, product: Product) -> None:
    layer = cloth(canvas, figure, product, origin=(0, 90))
    for index in (0, 1):
        _stocking(canvas, figure, layer, index, product.shape["hem"], product.shape["ease"])


_UPPER: dict[str, Callable] = dict.fromkeys(("t-shirt", "shirt", "blouse", "sweater", "hoodie", "dress"), _upper)
_LOWER: dict[str, Callable] = dict.fromkeys(("jeans", "trousers", "shorts", "leggings"), _trousers) | {"skirt": _skirt}
_OUTER: dict[str, Callable] = dict.fromkeys(("cardigan", "jacket", "blazer", "coat", "vest"), _outer)
_SHOES: dict[str, Callable] = {"boots": accessories.shoe, "sneakers": accessories.shoe}
_SHOES |= dict.fromkeys(("heels", "flats", "sandals"), accessories.open_shoe)
