"""How shoes, bags and the small things of the wardrobe are made; each function paints one product on a figure."""

from __future__ import annotations

import math

from fashionlib.data.wardrobe.drawing import RGB, Canvas, Number, Point, plain
from fashionlib.data.wardrobe.outfits import Product
from fashionlib.data.wardrobe.people import Figure

METAL: RGB = (214, 196, 132)


def cloth(canvas: Canvas, figure: Figure, product: Product, *, tone: Number = 1.0, along: Number = 0.0,
           origin: Point | None = None) -> int:  # fmt: skip
    """A layer of the product's fabric."""
    return canvas.layer(product.fabric, product.label, tone=tone, along=along, origin=origin or (figure.centre(30), 30))


def detail(canvas: Canvas, product: Product, tone: Number = 0.72) -> int:
    """Seams, cuffs and buttons: the garment's first colour, darker (lighter where it is dark already)."""
    colour = product.fabric.colours[0]
    tone = tone if sum(colour) > 150 else 2.0 - tone
    return canvas.layer(plain(colour), product.label, tone=tone)


def shoes(canvas: Canvas, figure: Figure, product: Product) -> None:
    """Boots and sneakers; heels and flats, which leave the instep bare; sandals, which are straps."""
    shape, label = product.shape, product.label
    upper = cloth(canvas, figure, product, origin=(0, 95))
    sole = canvas.layer(plain((238, 236, 230) if label == "sneakers" else (52, 40, 36)), label)
    for index in (0, 1):
        x, y = figure.legs[index][2]
        out = (2 * index - 1) * (1.2 + 0.9 * abs(figure.person.loose[6 + index])) * (0.7 + 0.6 * shape["toe"])
        tip, side, instep, ground = x + out * 1.5, x + out * 0.5, x + out * 0.8, y + 5.4 - 0.25 * shape["heel"]
        if label in ("boots", "sneakers"):
            top = min(shape["top"] if label == "boots" else y - 94 + shape["top"], y + 1.5)
            if label == "boots":
                points = figure.leg(index, top, 95)
                canvas.limb(upper, points, [figure.leg_radius(height) + 0.7 for _, height in points])
            low = ground - 0.6
            canvas.polygon(upper, ((x - 2.1, top), (x + 2.1, top), (instep + 2.4, y + 2.6), (tip + 2.5, low),
                                   (tip, ground + 0.5), (tip - 2.5, low), (instep - 2.4, y + 2.6)))  # fmt: skip
        _sole(canvas, product, sole, x, tip, ground)
        if label == "sneakers":
            for lace, down in ((0.5, 1.5), (0.7, 2.8)):
                canvas.line(sole, ((x + out * lace - 1.3, y + down - 0.3), (x + out * lace + 1.3, y + down + 0.3)), 0.4)
        elif label == "sandals":
            canvas.line(upper, ((x - 1.9, y + 0.4), (x + 1.9, y + 0.6)), 0.9)
            canvas.line(upper, ((x + out - 2.4, y + 3.0), (x + out + 2.4, y + 3.2)), 1.0)
            canvas.line(upper, ((x, y + 0.4), (tip, ground - 0.8)), 0.6)
        elif label in ("heels", "flats"):
            low = ground - 0.4
            canvas.polygon(upper, ((side - 2.5, y + 1.4), (x + out * 0.9, y + 3.2), (side + 2.5, y + 1.4),
                                   (tip + 2.2, low), (tip, ground + 0.9), (tip - 2.2, low)))  # fmt: skip


def _sole(canvas: Canvas, product: Product, layer: int, x: Number, tip: Number, ground: Number) -> None:
    """The sole between the heel's x and the tip's, at the height of the ground; under heels, the heel alone."""
    heel = product.shape["heel"]
    if product.label == "heels":
        canvas.mirrored(layer, x - (tip - x) * 0.6, ((0.7, ground - 2.2), (0.3, ground + heel * 0.7)))
        return
    blunt, thick, high = 2.5 if product.label in ("boots", "sneakers") else 2.0, 0.5 + 0.45 * heel, ground - 0.5
    points = ((tip - blunt - 0.2, high), (tip, high + 1.1), (tip + blunt + 0.2, high), (tip + blunt, high + thick),
              (tip, high + 1 + thick), (tip - blunt, high + thick))  # fmt: skip
    canvas.polygon(layer, points)


def eyewear(canvas: Canvas, figure: Figure, product: Product) -> None:
    person, size = figure.person, product.shape["large"]
    x = figure.centre(8) + 6 * (1 - person.turn) * (1 if person.loose[1] > 0 else -1) * 0.8
    frame = detail(canvas, product, 0.8) if product.label == "glasses" else cloth(canvas, figure, product)
    lens = canvas.layer(plain(person.skin), product.label, tone=1.06)
    across, down = 2.2 * size, (1.9 if product.shape["round"] > 0.5 else 1.5) * size
    canvas.line(frame, ((x - 4.8, 7.0), (x + 4.8, 7.0)), 0.6)
    for side in (-1, 1):
        canvas.ellipse(frame, x + side * 2.35, 7.7, across, down)
        if product.label == "glasses":
            canvas.ellipse(lens, x + side * 2.35, 7.7, across - 0.75, down - 0.75)


def hat(canvas: Canvas, figure: Figure, product: Product) -> None:
    """A hat with a brim, or a beanie."""
    x, shape, head, crown = figure.centre(4), product.shape, figure.person.head, product.shape["crown"]
    if product.label == "hat":
        wide, high = 5.4 * head, 2.2 - crown
        layer, band = cloth(canvas, figure, product), detail(canvas, product, 0.6)
        canvas.mirrored(layer, x, ((0, high - 0.6), (wide * 0.86, high), (wide, 3)))
        canvas.mirrored(band, x, ((wide * 0.98, 1.5), (wide, 3.4)))
        canvas.ellipse(cloth(canvas, figure, product, tone=0.9), x, 3.5, shape["brim"], 1.35)
        return
    wide, high = 5.7 * head, -crown - 0.6
    layer = cloth(canvas, figure, product, origin=(x, 0))
    canvas.mirrored(layer, x, ((wide * 0.6, high), (wide, 0), (wide, 4.6)), smooth=1)
    canvas.mirrored(detail(canvas, product, 0.85), x, ((wide, 2.4), (wide, 5)))
    if shape["bobble"] > 0.5:
        canvas.ellipse(detail(canvas, product, 0.9), x, high - 1.0, 2.1, 1.9)


def scarf(canvas: Canvas, figure: Figure, product: Product) -> None:
    x, wide, long = figure.centre(17), product.shape["wide"], product.shape["long"]
    if long > 7:
        hanging = cloth(canvas, figure, product, tone=0.93)
        canvas.limb(hanging, ((x + 2.4, 18), (x + 3.6, 19 + long)), (wide * 0.8, wide))
        canvas.limb(hanging, ((x - 2.0, 18), (x - 2.8, 15 + long)), (wide * 0.8, wide))
    canvas.ellipse(cloth(canvas, figure, product, origin=(x, 17)), x, 17.2, 4.6 + 0.5 * wide, 1.2 + 0.8 * wide)
    canvas.line(detail(canvas, product, 0.75), ((x - 4.2, 16.4), (x, 18.3), (x + 4.4, 16.6)), 0.4)


def necklace(canvas: Canvas, figure: Figure, product: Product) -> None:
    """A necklace or a tie."""
    if product.label == "tie":
        x, low, wide = figure.centre(19), figure.centre(42), product.shape["wide"]
        knot, end = wide * 0.5, wide * 1.25
        points = ((x - wide, 18), (x + wide, 18), (x + knot, 20.4), (low + end, 39.5), (low, 42), (low - end, 39.5),
                  (x - knot, 20.4))  # fmt: skip
        canvas.polygon(cloth(canvas, figure, product, origin=(x, 20)), points)
        return
    x, low, layer = figure.centre(18), 18.5 + product.shape["long"], cloth(canvas, figure, product)
    chain = [(x + 3.9 * math.sin(t), 17.2 + (low - 17.2) * math.cos(t)) for t in (-1.57, -1.1, -0.6, 0, 0.6, 1.1, 1.57)]
    canvas.line(layer, chain, 0.65)
    size = 0.9 + 0.8 * product.shape["pendant"]
    canvas.ellipse(layer, x, low, size, size)


def belt(canvas: Canvas, figure: Figure, product: Product) -> None:
    wide = product.shape["wide"]
    canvas.polygon(cloth(canvas, figure, product), figure.outline(40.6, 40.8 + wide, 1.1))
    canvas.mirrored(canvas.layer(plain(METAL), product.label), figure.centre(41), ((1.3, 40.3), (1.3, 41.1 + wide)))


def watch(canvas: Canvas, figure: Figure, product: Product) -> None:
    (x1, y1), (x2, y2) = figure.arm(1, 0.93, 1.0)[-2:]
    strap, face = cloth(canvas, figure, product), canvas.layer(plain(METAL), product.label)
    radius, size = 1.5 * figure.limbs + 0.9, product.shape["wide"] + 0.25
    canvas.limb(strap, ((x1, y1), (x2, y2)), (radius, radius))
    canvas.ellipse(face, (x1 + x2) / 2, (y1 + y2) / 2, size, size)


def glove(canvas: Canvas, figure: Figure, product: Product, *, index: int) -> None:
    x, y = figure.hand(index)
    layer = cloth(canvas, figure, product, origin=(x, y))
    canvas.ellipse(layer, x, y, 1.95 * figure.limbs, 2.35 * figure.limbs)
    cuff = figure.arm(index, 1 - 0.04 * product.shape["cuff"], 1.0)
    canvas.limb(layer, (cuff[0], (x, y)), (2.0 * figure.limbs + 0.3, 1.8 * figure.limbs))


def bag(canvas: Canvas, figure: Figure, product: Product, *, strap: bool = False) -> None:
    """A bag in a hand, or at the hip on a strap: the strap, painted under the arms, or the bag itself."""
    shape, index = product.shape, int(figure.person.loose[3] > 0)
    if shape["strap"] < 0.45:
        x, y = figure.hand(index)
        y += 4.2
    else:
        x, y = figure.centre(50) + (2 * index - 1) * (figure.hips + 1.0), 47.0
    if strap:
        if shape["strap"] >= 0.45:
            shoulder = figure.arms[1 - index if shape["strap"] > 0.7 else index][0]
            canvas.line(cloth(canvas, figure, product, tone=0.85), ((shoulder[0], 18.6), (x, y + 1)), 0.9)
        return
    if shape["strap"] < 0.45:
        handle = ((x - 2.4, y + 0.6), (x - 1.6, y - 3.8), (x + 1.6, y - 3.8), (x + 2.4, y + 0.6))
        canvas.line(detail(canvas, product, 0.7), handle, 0.7)
    wide, high = shape["wide"], shape["high"] * 1.5
    layer = cloth(canvas, figure, product, origin=(x, y))
    canvas.mirrored(layer, x, ((wide * 0.85, y), (wide, y + high)), smooth=1 if shape["round"] > 0.5 else 0)
    clasp = y + high * 0.36
    canvas.line(detail(canvas, product, 0.7), ((x - wide * 0.8, clasp), (x + wide * 0.8, clasp)), 0.5)
    canvas.ellipse(canvas.layer(plain(METAL), product.label), x, clasp, 0.8, 0.8)


def backpack(canvas: Canvas, figure: Figure, product: Product, *, strap: bool = False) -> None:
    """What is seen of a backpack behind the figure, or the straps in front of it."""
    layer = cloth(canvas, figure, product, tone=0.88 if strap else 1.0)
    if not strap:
        wide, low = product.shape["wide"], 18 + product.shape["high"]
        canvas.mirrored(layer, figure.centre(30), ((wide * 0.7, 15), (wide, 18), (wide + 1.5, low)), smooth=1)
        return
    for side, ((x, _), _, _) in zip((-1, 1), figure.arms, strict=True):
        canvas.limb(layer, ((x + -side * 1.5, 17.6), (x - side * 1.4, 29), (x + side * 0.8, 36)), (1.1, 1.2, 0.9))
