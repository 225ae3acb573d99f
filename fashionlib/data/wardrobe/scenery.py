"""Where the people of the wardrobe stand: streets, parks, shop fronts and studios, and what gets in the way."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from fashionlib.data.wardrobe.drawing import HEIGHT, RGB, Canvas, Light, Number, Point, mixed, plain
from fashionlib.data.wardrobe.outfits import COLOURS, weighted

WIDE = 110.0  # half the width that is furnished, so that wide pictures are full too
_FACES: tuple[RGB, RGB] = ((230, 186, 158), (96, 62, 46))


class _Sketch:
    """A background in scene coordinates: 192 high, x = 0 in the middle."""

    def __init__(self, size: tuple[int, int], colour: RGB, coarse: int):
        self.size = size
        self.image = Image.new("RGB", (-(-size[1] // coarse), -(-size[0] // coarse)), colour)
        self._draw = ImageDraw.Draw(self.image)
        self._unit, self._middle = self.image.height / HEIGHT, self.image.width / 2

    def box(self, x1: Number, y1: Number, x2: Number, y2: Number, colour: RGB) -> None:
        unit, middle = self._unit, self._middle
        place = (middle + unit * min(x1, x2), unit * y1, middle + unit * max(x1, x2), unit * max(y1, y2))
        self._draw.rectangle(place, fill=colour)

    def blob(self, x: Number, y: Number, across: Number, down: Number, colour: RGB) -> None:
        unit, x, y = self._unit, self._middle + self._unit * x, self._unit * y
        self._draw.ellipse((x - unit * across, y - unit * down, x + unit * across, y + unit * down), fill=colour)

    def polygon(self, points: Sequence[Point], colour: RGB) -> None:
        self._draw.polygon([(self._middle + self._unit * x, self._unit * y) for x, y in points], fill=colour)

    def finished(self, focus: Number) -> Image.Image:
        """The picture in its full size, blurred by `focus` pixels of a picture 192 high."""
        image, target = self.image, (self.size[1], self.size[0])
        if focus:
            image = image.filter(ImageFilter.BoxBlur(focus * image.height / HEIGHT))
        return image if image.size == target else image.resize(target, Image.Resampling.BILINEAR)


def _toned(rng: Random, towards_grey: Number, dark: Number = 0.0) -> RGB:
    colour = COLOURS[rng.choice(list(COLOURS))][0]
    return mixed(mixed(colour, (150, 148, 144), towards_grey), (30, 30, 30), dark * rng.random())


def paint_street(size: tuple[int, int], rng: Random, feet: Number) -> Image.Image:
    """A street behind somebody whose feet are at height `feet`."""
    wall, focus = _toned(rng, 0.35), rng.choice((0.5, 0.5, 1.0, 1.6, 2.4))
    coarse = 2 if focus >= 1 and min(size) >= 64 else 1  # what is blurred anyway is painted coarsely: quicker
    sketch = _Sketch(size, wall, coarse)
    horizon = min(185.0, max(90.0, feet - rng.uniform(15, 55)))
    places = {"facade": _facade, "shops": _shops, "park": _park, "open": _open, "brick": _brick}
    places[weighted(rng, "facade 3 shops 2 park 2 open 2 brick 1.5")](sketch, rng, horizon, wall)
    ground = mixed(_toned(rng, 0.2), (128, 126, 124), 0.6)
    sketch.box(-400, horizon, 400, 193, ground)
    for _ in range(rng.randrange(4)):  # kerbs and shadows
        y = rng.uniform(horizon, 190)
        sketch.box(-400, y, 400, y + rng.uniform(1, 5), mixed(ground, (60, 60, 60), rng.uniform(0.1, 0.4)))
    for _ in range(rng.randrange(3)):  # posts
        x = rng.uniform(-90, 90)
        top, right, low = rng.uniform(-30, 60), x + rng.uniform(2, 6), horizon + rng.uniform(2, 12)
        sketch.box(x, top, right, low, _toned(rng, 0.0, dark=0.5))
    for _ in range(rng.randrange(3)):  # cars
        x, size_, colour = rng.uniform(-90, 90), rng.uniform(0.8, 1.6), _toned(rng, 0.1)
        y = horizon + 4
        sketch.blob(x, y - 16 * size_, 17 * size_, 10 * size_, mixed(colour, (50, 60, 72), 0.6))
        sketch.box(x - 30 * size_, y - 15 * size_, x + 30 * size_, y - 2, colour)
        for side in (-18, 18):
            sketch.blob(x + side * size_, y - 1, 5 * size_, 5 * size_, (36, 36, 38))
    for _ in range(rng.choice((0, 1, 1, 2, 3, 4))):
        _passer_by(sketch, rng, horizon)
    return sketch.finished(focus)


def _passer_by(sketch: _Sketch, rng: Random, horizon: Number) -> None:
    x, scale, skin = rng.uniform(-80, 80), rng.uniform(0.45, 1.25), mixed(*_FACES, rng.random())
    upper, lower, low = _toned(rng, 0.0), _toned(rng, 0.1, dark=0.6), rng.choice((50, 54, 72))
    top = horizon + rng.uniform(2, 22) - 100 * scale
    legs = [[(0, 48), (side * 9, 48), (side * step + side * 2, 100), (side * step - side * 2, 100)]
            for side, step in ((-1, rng.uniform(3, 8)), (1, rng.uniform(3, 8)))]  # fmt: skip
    body = [(4, 15), (12, 20), (13, 46), (9, low), (-9, low), (-13, 46), (-12, 20), (-4, 15)]
    for points, colour in ((legs[0], lower), (legs[1], lower), (body, upper)):
        sketch.polygon([(x + scale * across, top + scale * down) for across, down in points], colour)
    sketch.blob(x, top + 8 * scale, 5 * scale, 7 * scale, skin)
    sketch.blob(x, top + 4.5 * scale, 5.6 * scale, 5 * scale, mixed((30, 24, 24), (170, 120, 70), rng.random()))


def _facade(sketch: _Sketch, rng: Random, horizon: Number, wall: RGB) -> None:
    glass, frame = _toned(rng, 0.3, dark=0.8), mixed(wall, (245, 245, 240), rng.random())
    across, down, first = rng.uniform(26, 48), rng.uniform(34, 60), rng.uniform(-30, 10)
    y = first
    while y < horizon:
        for k in range(-4, 5):
            x = k * across + first
            sketch.box(x - 1.5, y - 1.5, x + across * 0.5 + 1.5, y + down * 0.62 + 1.5, frame)
            sketch.box(x, y, x + across * 0.5, y + down * 0.62, glass)
        y += down


def _shops(sketch: _Sketch, rng: Random, horizon: Number, wall: RGB) -> None:
    x = -WIDE - rng.uniform(0, 30)
    while x < WIDE:
        wide = rng.uniform(24, 60)
        sketch.box(x, -2, x + wide, horizon, _toned(rng, 0.3))
        sketch.box(x, 22, x + wide, 22 + rng.uniform(6, 16), _toned(rng, 0.0))
        sketch.box(x + 4, 44, x + wide - 4, horizon - 8, _toned(rng, 0.2, dark=0.9))
        for _ in range(4):
            left, top = rng.uniform(x + 4, x + wide - 10), rng.uniform(60, 100)
            sketch.box(left, top, left + rng.uniform(3, 8), horizon - rng.uniform(8, 30), _toned(rng, 0.0))
        x += wide


def _park(sketch: _Sketch, rng: Random, horizon: Number, wall: RGB) -> None:
    sketch.box(-400, -2, 400, horizon, mixed((196, 216, 232), wall, 0.2))
    for _ in range(46):
        green = mixed((58, 84, 44), (150, 168, 84), rng.random())
        if rng.random() < 0.12:
            green = _toned(rng, 0.1)
        sketch.blob(rng.uniform(-WIDE, WIDE), rng.uniform(-10, horizon), rng.uniform(5, 24), rng.uniform(5, 18), green)


def _open(sketch: _Sketch, rng: Random, horizon: Number, wall: RGB) -> None:
    """A street seen along its length."""
    sky, vanish = mixed((190, 208, 226), (236, 236, 236), rng.random()), rng.uniform(-40, 40)
    sketch.box(-400, -2, 400, horizon, sky)
    for side in (-1, 1):
        for k in range(5, 0, -1):
            near, far = vanish + side * (8 + 22 * k), vanish + side * (8 + 22 * (k - 1))
            roof = horizon - 20 - 30 * k + rng.uniform(-20, 20)
            colour = mixed(_toned(rng, 0.4), sky, 0.5 - 0.1 * k)
            sketch.polygon(((near, roof), (far, roof + 16), (far, horizon), (near, horizon)), colour)
            sketch.box(far + side * 5, roof + 30, far + side * 12, roof + 46, mixed(colour, (40, 44, 54), 0.6))


def _brick(sketch: _Sketch, rng: Random, horizon: Number, wall: RGB) -> None:
    mortar, high, wide = mixed(wall, (225, 222, 215), 0.45), rng.uniform(5, 11), rng.uniform(12, 26)
    y, row = -2.0, 0
    while y < horizon:
        sketch.box(-400, y, 400, y + 1.1, mortar)
        for k in range(int(-WIDE / wide), int(WIDE / wide) + 1):
            x = (k + 0.5 * (row % 2)) * wide
            sketch.box(x, y, x + 1.1, y + high, mortar)
        y, row = y + high, row + 1
    for _ in range(rng.randrange(4)):
        x, y = rng.uniform(-70, 60), rng.uniform(5, horizon - 30)
        sketch.box(x, y, x + rng.uniform(10, 34), y + rng.uniform(12, 40), _toned(rng, 0.0))


def paint_studio(size: tuple[int, int], rng: Random, feet: Number | None) -> Image.Image:
    """A plain light background, for a standing model with a faint floor."""
    light = rng.randrange(222, 253)
    colour = (light, light + rng.randrange(-4, 2), light + rng.randrange(-8, 2))
    sketch = _Sketch(size, colour, 2)
    if feet is not None and feet < 190:
        sketch.box(-400, feet - 6, 400, 193, mixed(colour, (200, 198, 196), 0.3))
        sketch.blob(0, feet, 26, 3, mixed(colour, (120, 120, 120), 0.4))
    return sketch.finished(2.5)


def paint_obstacle(canvas: Canvas, rng: Random) -> None:
    """Something in front of the person: a post, a passer-by cut off by the frame, a bush, a railing."""
    canvas.place(0, 0, 1)
    layer = canvas.layer(plain(_toned(rng, 0.0, dark=0.3)))
    kind, x = weighted(rng, "post 2 passer-by 3 bush 1.5 railing 0.8"), rng.uniform(-50, 50)
    if kind == "post":
        wide = rng.uniform(2, 6)
        canvas.polygon(layer, ((x, -2), (x + wide, -2), (x + wide, 194), (x, 194)))
    elif kind == "bush":
        base = rng.uniform(165, 195)
        for _ in range(9):
            x_, y = x + rng.uniform(-22, 22), base + rng.uniform(-12, 14)
            canvas.ellipse(layer, x_, y, rng.uniform(6, 14), rng.uniform(6, 12))
    elif kind == "railing":
        y = rng.uniform(130, 175)
        for left in (k * 16 + x / 4 for k in range(-7, 8)):
            canvas.polygon(layer, ((left, y), (left + 2, y), (left + 2, 194), (left, 194)))
        canvas.polygon(layer, ((-120, y), (120, y), (120, y + 3), (-120, y + 3)))
    else:
        x, scale = rng.choice((-1, 1)) * rng.uniform(42, 64), rng.uniform(1.7, 2.3)
        canvas.place(x, rng.uniform(0, 50), scale)
        legs = canvas.layer(plain(_toned(rng, 0.2, dark=0.8)))
        canvas.polygon(legs, ((-9, 48), (9, 48), (8, 110), (1, 110), (0, 60), (-2, 110), (-8, 110)))
        low = rng.choice((50, 54, 66))
        canvas.mirrored(layer, 0, ((4, 15), (10, 18.5), (12.5, 28), (13, 50), (9.5, 51), (9.5, low)))
        canvas.ellipse(canvas.layer(plain(mixed((220, 175, 145), (96, 62, 46), rng.random()))), 0, 7.5, 5, 6.8)
        canvas.ellipse(canvas.layer(plain((52, 38, 34))), 0, 4, 5.4, 4.6)


def street_light(rng: Random) -> Light:
    warm, bright = rng.gauss(0, 0.06), rng.uniform(0.7, 1.07)
    return Light(
        cast=(bright * (1 + warm), bright, bright * (1 - warm)), slope=(rng.gauss(0, 0.1), rng.gauss(0, 0.08)),
        direction=rng.choice((-1, 1)) * rng.uniform(0.2, 1.0), folds=rng.uniform(0.2, 0.6),
        blur=rng.choice((0, 0, 0, 0, 0.3, 0.6)), noise=rng.uniform(2, 6.5),
        offset=(rng.randrange(10000), rng.randrange(10000)),
    )  # fmt: skip


def studio_light(rng: Random) -> Light:
    bright, warm = rng.uniform(0.96, 1.03), rng.gauss(0, 0.012)
    return Light(
        cast=(bright * (1 + warm), bright, bright * (1 - warm)), direction=rng.uniform(-0.5, 0.5),
        folds=rng.uniform(0.2, 0.5), noise=rng.uniform(1, 2.5), offset=(rng.randrange(10000), rng.randrange(10000)),
    )  # fmt: skip
