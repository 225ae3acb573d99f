"""The people of the wardrobe: build, pose, skin and hair, and where on a body each part of it lies.

Body units: a person is 100 high, the top of the head at y = 0 and the soles at y = 100, x = 0 the middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

from fashionlib.data.wardrobe.drawing import RGB, Canvas, Number, Point, mixed, plain
from fashionlib.data.wardrobe.outfits import weighted

SKINS: tuple[RGB, ...] = (
    (240, 205, 180),
    (233, 190, 160),
    (212, 162, 126),
    (176, 122, 87),
    (134, 88, 62),
    (92, 60, 46),
)
HAIRS: tuple[RGB, ...] = (
    (32, 26, 26),
    (58, 40, 32),
    (96, 62, 40),
    (150, 100, 56),
    (206, 168, 104),
    (128, 52, 34),
    (158, 156, 156),
)
# arms: angles of upper arm and forearm from straight down, outwards positive, and how long the forearm looks
_ARMS = {"down": (8, 4, 1.0), "hip": (42, -40, 1.0), "pocket": (17, -9, 0.95), "crossed": (12, -106, 0.95),
         "raised": (62, -152, 0.95), "bent": (10, -58, 0.75)}  # fmt: skip
_STANCES = {"straight": ((3, 1), (3, 1)), "wide": ((9, 8), (9, 8)), "walk": ((7, -6), (4, 9)),
            "crossed": ((-5, -9), (5, 0)), "relaxed": ((2, 1), (11, 3))}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody's build, looks and pose. Half-widths and lengths in body units, angles in degrees."""

    skin: RGB = SKINS[1]
    hair: RGB = HAIRS[1]
    style: str = "short"
    shoulders: Number = 10.2
    waist: Number = 7.6
    hips: Number = 9.2
    limbs: Number = 1.0
    head: Number = 1.0
    turn: Number = 1.0
    lean: Number = 0.0
    sway: Number = 0.0
    arms: tuple[str, str] = ("down", "down")
    stance: str = "straight"
    loose: tuple[Number, ...] = (0.0,) * 8
    tucked: bool = True


def draw_person(rng: Random) -> Person:
    """Somebody on the street."""
    weight, frame = rng.gauss(0, 1), rng.gauss(0, 1)
    arms = (
        weighted(rng, "down 5 hip 1.6 pocket 2 raised 1 bent 2"),
        weighted(rng, "down 5 hip 1.6 pocket 2 raised 1 bent 2"),
    )
    return Person(
        skin=_blend(rng, SKINS), hair=_blend(rng, HAIRS),
        style=weighted(rng, "short 3 bob 2 long 4 bun 1.5 curly 1.2 bald 0.3"),
        shoulders=10.2 + 0.7 * frame + 0.5 * weight, waist=max(5.8, 7.5 + 0.9 * weight + 0.3 * frame),
        hips=max(7.4, 9.2 + 0.7 * weight - 0.2 * frame), limbs=min(1.35, max(0.82, 1 + 0.11 * weight)),
        head=rng.uniform(0.95, 1.1), turn=rng.uniform(0.8, 1.0), lean=rng.gauss(0, 2.0), sway=rng.gauss(0, 0.9),
        arms=("crossed", "crossed") if rng.random() < 0.1 else arms, tucked=rng.random() < 0.5,
        stance=weighted(rng, "straight 2 wide 2 walk 2.5 crossed 1 relaxed 2"),
        loose=tuple(rng.gauss(0, 1) for _ in range(8)),
    )  # fmt: skip


def draw_model(rng: Random) -> Person:
    """A studio model: slim, upright, calm poses."""
    calm = ("down", weighted(rng, "down 3 hip 1.5 pocket 1.5 bent 0.7"))
    return replace(
        draw_person(rng), shoulders=9.8, waist=6.7, hips=8.6, limbs=0.92, lean=rng.gauss(0, 0.8),
        turn=rng.uniform(0.88, 1), arms=calm if rng.random() < 0.5 else calm[::-1],
        stance=weighted(rng, "straight 2 walk 1 relaxed 1.5 crossed 0.7"),
    )  # fmt: skip


def _blend(rng: Random, colours: tuple[RGB, ...]) -> RGB:
    place = rng.random() * (len(colours) - 1)
    return mixed(colours[int(place)], colours[min(int(place) + 1, len(colours) - 1)], place % 1)


class Figure:
    """Where a person's joints and outlines are. Index 0 is the side at the picture's left, 1 the right."""

    def __init__(self, person: Person):
        self.person = person
        self.limbs = person.limbs
        turn, hips, shoulders = person.turn, person.hips * person.turn, person.shoulders * person.turn
        self.hips, self.shoulders_width = hips, shoulders
        self._knots = (
            (16.0, 2.6), (18.6, shoulders * 0.72), (20.2, shoulders * 0.97), (23, shoulders), (28, shoulders * 0.88),
            (38, person.waist * turn), (44, (person.waist * 0.35 + person.hips * 0.65) * turn), (50, hips), (200, hips),
        )  # fmt: skip
        self.shoulders = tuple((self.centre(22) + side * (shoulders - 2.0), 22.0) for side in (-1, 1))
        self.elbows, self.wrists = zip(*(self._arm(index) for index in (0, 1)), strict=True)
        self.hip_joints = tuple((self.centre(51) + side * hips * 0.5, 50.5) for side in (-1, 1))
        self.knees, self.ankles = zip(*(self._leg(index) for index in (0, 1)), strict=True)

    def centre(self, y: Number) -> Number:
        """The middle of the body at this height."""
        return self.person.sway + self.person.lean * max(0.0, 50 - y) / 50

    def half(self, y: Number, ease: Number = 0.0) -> Number:
        """Half the torso's width at this height, in a garment this much wider than the body."""
        (y1, w1), *rest = self._knots
        for y2, w2 in rest:
            if y <= y2:
                width = w1 + (w2 - w1) * max(0.0, y - y1) / (y2 - y1)
                return width + ease * min(1.0, max(0.0, (y - 17) / 8)) * (1.25 if 30 < y < 47 else 1.0)
            y1, w1 = y2, w2
        return self.hips + ease

    def side(self, index: int, heights: tuple[Number, ...], ease: Number) -> list[Point]:
        sign = 2 * index - 1
        return [(self.centre(y) + sign * self.half(y, ease), y) for y in heights]

    def outline(self, top: Number, bottom: Number, ease: Number) -> list[Point]:
        """The torso from `top` to `bottom`, as a polygon."""
        heights = (top, *(y for y in (18.6, 20.4, 24, 28, 33, 38, 44, 49) if top + 0.4 < y < bottom - 0.4), bottom)
        return self.side(0, heights, ease) + self.side(1, heights, ease)[::-1]

    def arm(self, index: int, start: Number = 0.0, end: Number = 1.0) -> list[Point]:
        """Points along an arm; 0 is the shoulder, 1 the wrist."""
        return _part((self.shoulders[index], self.elbows[index], self.wrists[index]), start, end)

    def leg(self, index: int, top: Number, bottom: Number) -> list[Point]:
        """Points along a leg between two heights."""
        joints = (self.hip_joints[index], self.knees[index], self.ankles[index])
        return _part(joints, _share(joints, top), _share(joints, bottom))

    def leg_radius(self, y: Number) -> Number:
        thigh, knee, ankle = self.hips * 0.5, 3.3 * self.limbs, 2.0 * self.limbs
        return (
            thigh + (knee - thigh) * (y - 51) / 21.5 if y < 72.5 else knee + (ankle - knee) * min(1.0, (y - 72.5) / 21)
        )

    def spread(self, y: Number) -> tuple[Number, Number]:
        """Where the legs' outer sides are at this height: left and right."""
        xs = [self.leg(index, y - 0.1, y)[-1][0] for index in (0, 1)]
        radius = self.leg_radius(y)
        return min(xs) - radius, max(xs) + radius

    def _arm(self, index: int) -> tuple[Point, Point]:
        upper, fore, length = _ARMS[self.person.arms[index]]
        loose, sign = self.person.loose, 2 * index - 1
        lower = 3 * index if self.person.arms[index] == "crossed" else 0
        return _joints(self.shoulders[index], sign, upper + 4 * loose[index], fore + 6 * loose[2 + index],
                       14.5 + lower / 3, 13.5 * length)  # fmt: skip

    def _leg(self, index: int) -> tuple[Point, Point]:
        thigh, shin = _STANCES[self.person.stance][index]
        loose, sign = self.person.loose, 2 * index - 1
        raised = 0.95 if self.person.stance == "walk" and index == 0 else 1.0
        return _joints(self.hip_joints[index], sign, thigh + 1.5 * loose[4 + index], shin + 1.5 * loose[6 + index], 22,
                       21.5 * raised)  # fmt: skip


def _joints(
    start: Point, sign: int, first: Number, second: Number, upper: Number, lower: Number
) -> tuple[Point, Point]:
    a, b = math.radians(first), math.radians(second)
    middle = (start[0] + sign * upper * math.sin(a), start[1] + upper * math.cos(a))
    return middle, (middle[0] + sign * lower * math.sin(b), middle[1] + lower * math.cos(b))


def _part(joints: tuple[Point, Point, Point], start: Number, end: Number) -> list[Point]:
    def at(share: Number) -> Point:
        (x1, y1), (x2, y2) = joints[:2] if share < 0.5 else joints[1:]
        rest = 2 * share - (share >= 0.5)
        return (x1 + (x2 - x1) * rest, y1 + (y2 - y1) * rest)

    return [at(start), *([joints[1]] if start < 0.5 < end else []), at(end)]


def _share(joints: tuple[Point, Point, Point], y: Number) -> Number:
    (_, y0), (_, y1), (_, y2) = joints
    return min(1.0, max(0.0, (y - y0) / (2 * (y1 - y0)) if y < y1 else 0.5 + (y - y1) / (2 * (y2 - y1))))


def paint_legs(canvas: Canvas, figure: Figure) -> None:
    skin = canvas.layer(plain(figure.person.skin))
    for index in (0, 1):
        points = figure.leg(index, 50, 95)
        canvas.limb(skin, points, [figure.leg_radius(y) for _, y in points])
        (x, y), out = figure.ankles[index], 2 * index - 1
        canvas.polygon(skin, ((x - 1.6, y - 1), (x + 1.6, y - 1), (x + 1.9 + out, y + 4.6), (x - 1.9 + out, y + 4.6)))


def paint_torso(canvas: Canvas, figure: Figure) -> None:
    canvas.polygon(canvas.layer(plain(figure.person.skin)), figure.outline(15.5, 53, -0.4))


def paint_hair_behind(canvas: Canvas, figure: Figure) -> None:
    person, x = figure.person, figure.centre(8)
    behind = canvas.layer(plain(person.hair), tone=0.82)
    wide = 6.2 * person.head
    if person.style == "long":
        low = 24 + 3 * person.loose[0]
        ends = wide * 1.12
        canvas.polygon(behind, ((x - wide, 5), (x + wide, 5), (x + ends, low), (x, low + 2), (x - ends, low)), smooth=1)
    elif person.style == "bob":
        canvas.polygon(behind, ((x - wide, 4), (x + wide, 4), (x + wide * 1.1, 15.5), (x - wide * 1.1, 15.5)), smooth=1)
    elif person.style == "curly":
        canvas.ellipse(behind, x, 7, wide * 1.3, 8.6)
    elif person.style == "bun":
        canvas.ellipse(behind, x, 0.2, 2.9, 2.6)


def paint_head(canvas: Canvas, figure: Figure) -> None:
    person, x = figure.person, figure.centre(8)
    skin = canvas.layer(plain(person.skin))
    size, neck = person.head, figure.centre(18)
    shadow = canvas.layer(plain(mixed(person.skin, (60, 20, 20), 0.25)))
    canvas.polygon(shadow, ((x - 2.3, 11), (x + 2.3, 11), (neck + 2.7, 18), (neck, 19.4), (neck - 2.7, 18)))
    skin = canvas.layer(plain(person.skin))
    wide = 4.8 * size * (0.5 + 0.5 * person.turn)
    cheek, jaw = wide * 1.06, wide * 0.74
    canvas.polygon(
        skin,
        ((x - wide, 1), (x + wide, 1), (x + cheek, 8), (x + jaw, 13), (x, 15.2 * size**0.5), (x - jaw, 13),
         (x - cheek, 8)),
        smooth=2,
    )  # fmt: skip
    look = x + 6 * (1 - person.turn) * (1 if person.loose[1] > 0 else -1)
    dark = canvas.layer(plain((44, 32, 32)))
    for side in (-1, 1):
        canvas.ellipse(dark, look + side * 2.0, 7.7, 0.55, 0.62)
        canvas.line(dark, ((look + side * 1.2, 6.2), (look + side * 2.9, 6.1)), 0.3)
    lips = canvas.layer(plain(mixed(person.skin, (170, 40, 50), 0.6)))
    canvas.line(lips, ((look - 1.3, 11.9), (look + 1.3, 11.9)), 0.6)
    if person.style != "bald":
        _paint_fringe(canvas, figure, x, wide)


def _paint_fringe(canvas: Canvas, figure: Figure, x: Number, wide: Number) -> None:
    person = figure.person
    hair = canvas.layer(plain(person.hair))
    part = x + (1.6 if person.loose[2] > 0 else -1.6)
    low = {"long": 11.5, "bob": 12.0, "curly": 8.0}.get(person.style, 6.5)
    edge, inner = wide * 1.13, wide * 0.86
    crown = wide * 0.7
    canvas.polygon(
        hair,
        ((x - edge, low), (x - edge, 3), (x - crown, -0.4), (x, -1), (x + crown, -0.4), (x + edge, 3), (x + edge, low),
         (x + inner, low * 0.8), (x + inner, 5), (part, 3.1), (x - inner, 5), (x - inner, low * 0.8)),
        smooth=1,
    )  # fmt: skip


def paint_arm(canvas: Canvas, figure: Figure, index: int) -> None:
    limbs = figure.limbs
    skin = canvas.layer(plain(figure.person.skin))
    points = figure.arm(index)
    canvas.ellipse(skin, *points[0], 2.7 * limbs, 2.7 * limbs)
    canvas.limb(skin, points, (2.6 * limbs, 2.1 * limbs, 1.5 * limbs))


def paint_hand(canvas: Canvas, figure: Figure, index: int) -> None:
    x, y = hand(figure, index)
    canvas.ellipse(canvas.layer(plain(figure.person.skin)), x, y, 1.7 * figure.limbs, 2.1 * figure.limbs)


def hand(figure: Figure, index: int) -> Point:
    (x1, y1), (x2, y2) = figure.elbows[index], figure.wrists[index]
    return (x2 + (x2 - x1) * 0.12, y2 + (y2 - y1) * 0.12)
