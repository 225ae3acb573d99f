"""How each garment of the wardrobe is cut, and in what order an outfit is put on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from fashionlib.data.wardrobe import accessories, people
from fashionlib.data.wardrobe.accessories import cloth, detail
from fashionlib.data.wardrobe.drawing import Canvas, Number, Point, mixed, plain
from fashionlib.data.wardrobe.outfits import Product
from fashionlib.data.wardrobe.people import Figure


def paint_person(canvas: Canvas, figure: Figure, outfit: Mapping[str, Product], *, ghost: bool = False) -> None:
    """Somebody wearing an outfit (product by slot), from the back to the front; a ghost is the clothes alone."""
    if "outer" in outfit and "top" in outfit:  # a top that fits under what is worn over it
        top, over = outfit["top"], outfit["outer"].shape
        fitted = {**top.shape, "ease": min(top.shape["ease"], over["ease"] - 0.6)}
        if over["sleeve"] > 0.5:
            fitted["sleeve"] = -1.0
        outfit = {**outfit, "top": replace(top, shape=fitted)}
    for what, paint in _order(figure, outfit, ghost):
        if what == "body" and not ghost:
            paint(canvas, figure)
        for product in outfit.values():
            if what in (product.slot, product.label):
                paint(canvas, figure, product)


def _order(figure: Figure, outfit: Mapping[str, Product], ghost: bool) -> list[tuple[str, Callable[..., None]]]:
    """What is painted after what: a part of the body, or the product of a slot or label."""
    worn = {product.label for product in outfit.values()}
    over_boots = "boots" in worn and worn & {"jeans", "trousers", "leggings"} and outfit["lower"].shape["flare"] < 0.5
    shoes, belt, top = ("shoes", accessories.shoes), ("belt", accessories.belt), ("top", _upper)
    lower = ("lower", _skirt if "skirt" in worn else _trousers)
    tucked = figure.person.tucked and not worn & {"sweater", "hoodie"}
    order = [
        ("body", people.paint_hair_behind), ("backpack", accessories.backpack), ("body", people.paint_legs),
        ("legs", _stockings), *([] if over_boots else [shoes]), ("body", people.paint_torso),
        *([top, lower, belt] if tucked else [lower, belt, top]), *([shoes] if over_boots else []),
        ("tie", accessories.necklace), ("necklace", accessories.necklace), *([belt] if "dress" in worn else []),
        *([("outer", _lining)] if ghost else []), ("outer", _outer), ("body", people.paint_head),
        ("scarf", accessories.scarf), ("eyes", accessories.eyewear), ("head", accessories.hat),
        ("backpack", partial(accessories.backpack, strap=True)), ("bag", partial(accessories.bag, strap=True)),
    ]  # fmt: skip
    for index in (0, 1):
        sleeve = partial(_sleeve, index=index)
        order += [("body", partial(people.paint_arm, index=index)), ("top", sleeve), ("outer", sleeve),
                  ("body", partial(people.paint_hand, index=index)),
                  ("hands", partial(accessories.glove, index=index))]  # fmt: skip
    return [*order, ("wrist", accessories.watch), ("bag", accessories.bag)]


def _sleeve(canvas: Canvas, figure: Figure, product: Product, *, index: int) -> None:
    shape, limbs = product.shape, figure.limbs
    if shape["sleeve"] <= 0.05:
        return
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
    shape, label = product.shape, product.label
    hem, ease, kind, x = shape["hem"], shape["ease"], shape["neck"], figure.centre(18)
    layer = cloth(canvas, figure, product)
    points = figure.outline(16.4, min(hem, 49 if label == "dress" else 53), ease)
    if label == "dress":
        points = _skirt_outline(figure, points, hem, ease, shape["flare"])
    elif label == "blouse":
        low, half, middle = figure.centre(hem), figure.half(hem, ease) + shape["flare"], len(points) // 2
        points[middle - 1 : middle + 1] = [(low - half, hem), (low, hem + 1), (low + half, hem)]
    canvas.polygon(layer, points)
    if label == "sweater" and kind > 0.62:  # a high collar
        canvas.mirrored(detail(canvas, product, 0.86), x, ((3.3, 14.2), (4, 18.4)))
    elif label not in ("shirt", "hoodie"):  # skin in a round or pointed opening
        deep = 20.5 + 6 * abs(kind - 0.5) + (2.0 if label == "dress" else 0.0)
        opening = ((3.6, 15.8), (0, deep + 2)) if kind > 0.5 else ((4.4, 15.8), (2.6, deep - 1), (0, deep))
        canvas.mirrored(canvas.layer(plain(figure.person.skin)), x, opening)
    _trimmings(canvas, figure, product)


def _trimmings(canvas: Canvas, figure: Figure, product: Product) -> None:
    """What a top has besides its cloth: buttons, a bow, a rib, a hood and pocket, a seam."""
    shape, label, x = product.shape, product.label, figure.centre(18)
    hem, ease = shape["hem"], shape["ease"]
    if label == "shirt":
        line, low = detail(canvas, product, 0.7), figure.centre(50)
        canvas.line(line, ((x, 19), (low, hem - 1)), 0.35)
        for k in range(5):
            y = 22 + k * (hem - 24) / 5
            canvas.ellipse(line, x + (low - x) * (y - 19) / 32 + 0.9, y, 0.42, 0.42)
        _collar(canvas, figure, product, 0.9)
    elif label == "blouse" and shape["neck"] < 0.4:
        x, bow = figure.centre(20), detail(canvas, product, 0.8)
        canvas.polygon(bow, ((x, 20.4), (x - 3.6, 18.6), (x - 3.4, 22.6), (x, 20.8), (x + 3.4, 22.6), (x + 3.6, 18.6)))
        canvas.polygon(bow, ((x - 0.4, 20.6), (x - 1.9, 27), (x - 0.5, 27.4), (x + 0.6, 20.6), (x + 1.6, 26.4)))
    elif label == "dress":
        canvas.line(detail(canvas, product, 0.8), [figure.side(index, (38.5,), ease)[0] for index in (0, 1)], 0.3)
        _pleats(canvas, figure, product, 42)
    elif label == "hoodie":
        canvas.ellipse(detail(canvas, product, 0.8), x, 16.6, 6.9, 3.9)
        canvas.mirrored(detail(canvas, product, 0.86), figure.centre(43), ((4, 38.5), (6, 46.5)))
        string = canvas.layer(plain((236, 234, 228)), label)
        for side in (-1, 1):
            canvas.line(string, ((x + side * 1.5, 19.6), (x + side * 1.8, 26 + 2 * shape["neck"])), 0.4)
    if label in ("sweater", "hoodie"):
        canvas.polygon(detail(canvas, product, 0.86), figure.outline(min(hem, 53) - 2.4, min(hem, 53), ease))


def _collar(canvas: Canvas, figure: Figure, product: Product, tone: Number) -> None:
    x, collar = figure.centre(17), detail(canvas, product, tone)
    for side in (-1, 1):
        canvas.polygon(collar, [(x + side * across, y) for across, y in ((3.4, 14.8), (0.2, 18.4), (2.9, 21.4),
                                                                         (5.0, 17.4))])  # fmt: skip


def _skirt_outline(figure: Figure, points: list[Point], hem: Number, ease: Number, flare: Number) -> list[Point]:
    """The polygon of a torso carried on down to a hem, wide enough for the legs in it."""
    middle, low = len(points) // 2, min(93.0, hem)
    knees, radius = [figure.leg(index, low - 0.1, low)[-1][0] for index in (0, 1)], figure.leg_radius(low)
    x, half, hips = figure.centre(60), figure.hips + ease + flare * (hem - 48) / 38, figure.hips + ease
    left, right = min(min(knees) - radius - 0.4, x - half), max(max(knees) + radius + 0.4, x + half)
    below = [(left, hem), ((left + right) / 2, hem + 0.9), (right, hem)]
    if half <= hips + 1:  # a pencil skirt keeps to the hips before it narrows
        below = [(x - hips, 56.0), *below, (x + hips, 56.0)]
    return points[:middle] + below + points[middle:]


def _pleats(canvas: Canvas, figure: Figure, product: Product, top: Number) -> None:
    hem, flare = product.shape["hem"], product.shape["flare"]
    if flare > 4.5:
        line, x = detail(canvas, product, 0.8), figure.centre(55)
        for k in (-0.6, -0.2, 0.2, 0.6):
            below = k * (figure.hips + flare * (hem - 48) / 38)
            canvas.line(line, ((x + k * figure.hips, top + 6), (x + below, hem - 1)), 0.3)


def _lining(canvas: Canvas, figure: Figure, product: Product) -> None:
    """The back of an open garment, seen from inside where nobody wears it."""
    hem, ease = product.shape["hem"], product.shape["ease"] - 0.8
    points = figure.outline(17.0, min(hem, 49), ease)
    if hem > 53:
        points = _skirt_outline(figure, points, hem - 1.0, ease, product.shape.get("flare", 0.3))
    canvas.polygon(detail(canvas, product, 0.6), points)


def _outer(canvas: Canvas, figure: Figure, product: Product) -> None:
    """Two fronts that leave open, or just meet in, the middle."""
    shape, label = product.shape, product.label
    hem, ease = shape["hem"], shape["ease"]
    points = figure.outline(16.2, hem if hem <= 53 else 49, ease)
    if hem > 53:
        points = _skirt_outline(figure, points, hem, ease, shape.get("flare", 0.3))
    layer, edge = cloth(canvas, figure, product), detail(canvas, product, 0.7)
    gap = figure.half(40, ease) * (shape["open"] if shape["open"] > 0.15 else 0.0)
    top, bottom, lowest = figure.centre(20), figure.centre(55), max(y for _, y in points)
    middle = len(points) // 2
    for index, side in ((0, -1), (1, 1)):
        outside, inner = points[:middle] if index == 0 else points[middle:][::-1], bottom + side * gap
        front = [(inner, lowest), (top + side * (1.5 + 0.6 * gap), 26.0), (top + side * 3.2, 16.2)]
        canvas.polygon(layer, outside + front)
        canvas.line(edge, front[:2], 0.4)
        if label == "vest":
            for y in (27.0, 33.0, 39.0, 45.0):
                inside = (figure.centre(y) + side * max(2.0, gap), y)
                canvas.line(edge, (figure.side(index, (y,), ease)[0], inside), 0.35)
        elif label == "jacket":
            canvas.polygon(edge, [*figure.side(index, (hem - 2, hem), ease), (inner, hem), (inner, hem - 2)])
    if label == "jacket":
        _collar(canvas, figure, product, 0.82)
    elif label in ("blazer", "coat"):
        x, lapel, low = figure.centre(22), detail(canvas, product, 0.8), 33.0 if label == "blazer" else 30.0
        corners = ((3.0, 15.6), (5.4, 17.4), (6.6, 23.5), (5.2, 24.4), (1.6, low), (1.8, 22.0))
        for side in (-1, 1):
            canvas.polygon(lapel, [(x + side * across, y) for across, y in corners])
        button = detail(canvas, product, 0.5)
        for y in (36.0, 42.0, 48.0) if shape["open"] <= 0.15 else ():
            canvas.ellipse(button, figure.centre(y) + 1.6, y, 0.7, 0.7)


def _trousers(canvas: Canvas, figure: Figure, product: Product) -> None:
    shape, label = product.shape, product.label
    rise, hem, ease = shape["rise"], shape["hem"], shape["ease"]
    layer = cloth(canvas, figure, product, origin=(figure.centre(50), 50))
    snug = 0.25 + 0.3 * ease
    canvas.polygon(layer, figure.outline(rise, 53.5, snug))
    for index in (0, 1):
        points = figure.leg(index, 50, min(95.5, hem))
        wider = [(50.0, snug + 0.1), (72.5, 0.3 + 0.6 * ease), (hem, 0.3 + ease + shape["flare"])]
        wider = wider if len(points) == 3 else wider[::2]
        canvas.limb(layer, points, [figure.leg_radius(y) + w for y, w in wider])
    seam, x = detail(canvas, product, 0.72), figure.centre(52)
    fork = (figure.legs[0][1][0] + figure.legs[1][1][0]) / 2
    canvas.line(seam, ((x, rise + 2), (x, 52), (fork, 60)), 0.3)
    for index, side in ((0, -1), (1, 1)) if label in ("jeans", "shorts") else ():
        canvas.line(seam, ((x + side * 3.2, rise + 1), figure.side(index, (rise + 5,), 0.4)[0]), 0.3)
    if label != "leggings":
        canvas.polygon(detail(canvas, product, 0.84), figure.outline(rise, rise + 1.6, 0.4))
    for index in (0, 1) if label == "trousers" else ():
        canvas.line(seam, figure.leg(index, 56, hem - 2), 0.25)


def _skirt(canvas: Canvas, figure: Figure, product: Product) -> None:
    rise, hem, ease, flare = (product.shape[key] for key in ("rise", "hem", "ease", "flare"))
    points = _skirt_outline(figure, figure.outline(rise, 49, ease), hem, ease, flare)
    canvas.polygon(cloth(canvas, figure, product, origin=(figure.centre(50), 50)), points)
    canvas.polygon(detail(canvas, product, 0.82), figure.outline(rise, rise + 1.7, ease + 0.2))
    _pleats(canvas, figure, product, 44)


def _stockings(canvas: Canvas, figure: Figure, product: Product) -> None:
    """Socks, or tights, through which the skin shows."""
    layer, top, ease = cloth(canvas, figure, product, origin=(0, 90)), product.shape["hem"], product.shape["ease"]
    if product.label == "tights":
        sheer = 0.6 * product.shape["sheer"]
        colours = tuple(mixed(colour, figure.person.skin, sheer) for colour in product.fabric.colours)
        fabric, top, ease = replace(product.fabric, colours=colours), 50, 0.08
        layer = canvas.layer(fabric, product.label, origin=(figure.centre(60), 60))
    for index in (0, 1):
        people.paint_leg(canvas, figure, layer, index, top=top, ease=ease, foot=(1.8, 2, 4.8))
