"""The people of the wardrobe: build, pose, skin and hair, and where on a body each part of it lies.

Body units: a person is 100 high, the top of the head at y = 0 and the soles at y = 100, x = 0 the middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

from fashionlib.data.wardrobe.drawing import RGB, Canvas, Number, Point, mixed, plain
from fashionlib.data.wardrobe.outfits import weighted

SKINS: tuple[RGB, ...] = ((240, 205, 180), (233, 190, 160), (212, 162, 126), (176, 122, 87), (134, 88, 62),
                          (92, 60, 46))  # fmt: skip
HAIRS: tuple[RGB, ...] = ((32, 26, 26), (58, 40, 32), (96, 62, 40), (150, 100, 56), (206, 168, 104), (128, 52, 34),
                          (158, 156, 156))  # fmt: skip
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

    def blend(colours: tuple[RGB, ...]) -> RGB:
        place = rng.random() * (len(colours) - 1)
        return mixed(colours[int(place)], colours[min(int(place) + 1, len(colours) - 1)], place % 1)

    weight, frame = rng.gauss(0, 1), rng.gauss(0, 1)
    poses = "down 5 hip 1.6 pocket 2 raised 1 bent 2"
    arms = (weighted(rng, poses), weighted(rng, poses))
    return Person(
        skin=blend(SKINS), hair=blend(HAIRS), style=weighted(rng, "short 3 bob 2 long 4 bun 1.5 curly 1.2 bald 0.3"),
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


class Figure:
    """Where a person's joints and outlines are. Index 0 is the side at the picture's left, 1 the right.

    arms: shoulder, elbow and wrist, and legs: hip, knee and ankle, of each side.
    """

    def __init__(self, person: Person):
        self.person, self.limbs = person, person.limbs
        turn, hips, shoulders = person.turn, person.hips * person.turn, person.shoulders * person.turn
        self.hips = hips
        self._knots = (
            (16.0, 2.6), (18.6, shoulders * 0.72), (20.2, shoulders * 0.97), (23, shoulders), (28, shoulders * 0.88),
            (38, person.waist * turn), (44, (person.waist * 0.35 + person.hips * 0.65) * turn), (50, hips), (200, hips),
        )  # fmt: skip
        self.arms, self.legs = [], []
        for index, sign in ((0, -1), (1, 1)):
            loose = person.loose[index::2]
            (upper, fore, length), (thigh, shin) = _ARMS[person.arms[index]], _STANCES[person.stance][index]
            longer = index if person.arms[index] == "crossed" else 0
            raised = 0.95 if person.stance == "walk" and index == 0 else 1.0
            shoulder = (self.centre(22) + sign * (shoulders - 2.0), 22.0)
            hip = (self.centre(51) + sign * hips * 0.5, 50.5)
            self.arms.append(_joints(shoulder, sign, (upper + 4 * loose[0], 14.5 + longer),
                                     (fore + 6 * loose[1], 13.5 * length)))  # fmt: skip
            self.legs.append(_joints(hip, sign, (thigh + 1.5 * loose[2], 22), (shin + 1.5 * loose[3], 21.5 * raised)))

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
        """The torso's outline on one side, at these heights."""
        return [(self.centre(y) + (2 * index - 1) * self.half(y, ease), y) for y in heights]

    def outline(self, top: Number, bottom: Number, ease: Number) -> list[Point]:
        """The torso from `top` to `bottom`, as a polygon."""
        heights = (top, *(y for y in (18.6, 20.4, 24, 28, 33, 38, 44, 49) if top + 0.4 < y < bottom - 0.4), bottom)
        return self.side(0, heights, ease) + self.side(1, heights, ease)[::-1]

    def arm(self, index: int, start: Number = 0.0, end: Number = 1.0) -> list[Point]:
        """Points along an arm; 0 is the shoulder, 1 the wrist."""
        return _part(self.arms[index], start, end)

    def hand(self, index: int) -> Point:
        _, (x1, y1), (x2, y2) = self.arms[index]
        return (x2 + (x2 - x1) * 0.12, y2 + (y2 - y1) * 0.12)

    def leg(self, index: int, top: Number, bottom: Number) -> list[Point]:
        """Points along a leg between two heights."""
        (_, y0), (_, y1), (_, y2) = self.legs[index]
        start, end = (
            min(1.0, max(0.0, (y - y0) / (2 * (y1 - y0)) if y < y1 else 0.5 + (y - y1) / (2 * (y2 - y1))))
            for y in (top, bottom)
        )
        return _part(self.legs[index], start, end)

    def leg_radius(self, y: Number) -> Number:
        thigh, knee, ankle = self.hips * 0.5, 3.3 * self.limbs, 2.0 * self.limbs
        if y < 72.5:
            return thigh + (knee - thigh) * (y - 51) / 21.5
        return knee + (ankle - knee) * min(1.0, (y - 72.5) / 21)


def _joints(start: Point, sign: int, first: Point, second: Point) -> tuple[Point, Point, Point]:
    """A limb of two bones, each given as (angle outwards in degrees, length)."""
    points = [start]
    for angle, length in (first, second):
        x, y = points[-1]
        points.append((x + sign * length * math.sin(math.radians(angle)), y + length * math.cos(math.radians(angle))))
    return (points[0], points[1], points[2])


def _part(joints: tuple[Point, Point, Point], start: Number, end: Number) -> list[Point]:
    def at(share: Number) -> Point:
        (x1, y1), (x2, y2) = joints[:2] if share < 0.5 else joints[1:]
        rest = 2 * share - (share >= 0.5)
        return (x1 + (x2 - x1) * rest, y1 + (y2 - y1) * rest)

    return [at(start), *([joints[1]] if start < 0.5 < end else []), at(end)]


def paint_leg(
    canvas: Canvas, figure: Figure, layer: int, index: int, *, top: Number = 50, ease: Number = 0.0,
    foot: tuple[Number, Number, Number] = (1.6, 1.9, 4.6),
) -> None:  # fmt: skip
    """A leg from `top` down, bare or in a stocking. foot: half-width at the ankle and the toes, length."""
    points, (ankle, toes, low) = figure.leg(index, top, 95), foot
    canvas.limb(layer, points, [figure.leg_radius(y) + ease for _, y in points])
    (x, y), out = figure.legs[index][2], 2 * index - 1
    canvas.polygon(
        layer, ((x - ankle, y - 1), (x + ankle, y - 1), (x + toes + out, y + low), (x - toes + out, y + low))
    )


def paint_legs(canvas: Canvas, figure: Figure) -> None:
    skin = canvas.layer(plain(figure.person.skin))
    for index in (0, 1):
        paint_leg(canvas, figure, skin, index)


def paint_torso(canvas: Canvas, figure: Figure) -> None:
    canvas.polygon(canvas.layer(plain(figure.person.skin)), figure.outline(15.5, 53, -0.4))


def paint_arm(canvas: Canvas, figure: Figure, *, index: int) -> None:
    skin, limbs, points = canvas.layer(plain(figure.person.skin)), figure.limbs, figure.arms[index]
    canvas.ellipse(skin, *points[0], 2.7 * limbs, 2.7 * limbs)
    canvas.limb(skin, points, (2.6 * limbs, 2.1 * limbs, 1.5 * limbs))


def paint_hand(canvas: Canvas, figure: Figure, *, index: int) -> None:
    skin, (x, y) = canvas.layer(plain(figure.person.skin)), figure.hand(index)
    canvas.ellipse(skin, x, y, 1.7 * figure.limbs, 2.1 * figure.limbs)


def paint_hair_behind(canvas: Canvas, figure: Figure) -> None:
    person, x = figure.person, figure.centre(8)
    behind, wide = canvas.layer(plain(person.hair), tone=0.82), 6.2 * person.head
    if person.style == "long":
        low = 24 + 3 * person.loose[0]
        canvas.mirrored(behind, x, ((wide, 5), (wide * 1.12, low), (0, low + 2)), smooth=1)
    elif person.style == "bob":
        canvas.mirrored(behind, x, ((wide, 4), (wide * 1.1, 15.5)), smooth=1)
    elif person.style == "curly":
        canvas.ellipse(behind, x, 7, wide * 1.3, 8.6)
    elif person.style == "bun":
        canvas.ellipse(behind, x, 0.2, 2.9, 2.6)


def paint_head(canvas: Canvas, figure: Figure) -> None:
    person, x, neck = figure.person, figure.centre(8), figure.centre(18)
    wide = 4.8 * person.head * (0.5 + 0.5 * person.turn)
    shadow = canvas.layer(plain(mixed(person.skin, (60, 20, 20), 0.25)))
    canvas.polygon(shadow, ((x - 2.3, 11), (x + 2.3, 11), (neck + 2.7, 18), (neck, 19.4), (neck - 2.7, 18)))
    face = ((wide, 1), (wide * 1.06, 8), (wide * 0.74, 13), (0, 15.2 * person.head**0.5))
    canvas.mirrored(canvas.layer(plain(person.skin)), x, face, smooth=2)
    look = x + 6 * (1 - person.turn) * (1 if person.loose[1] > 0 else -1)
    dark = canvas.layer(plain((44, 32, 32)))
    for side in (-1, 1):
        canvas.ellipse(dark, look + side * 2.0, 7.7, 0.55, 0.62)
        canvas.line(dark, ((look + side * 1.2, 6.2), (look + side * 2.9, 6.1)), 0.3)
    lips = canvas.layer(plain(mixed(person.skin, (170, 40, 50), 0.6)))
    canvas.line(lips, ((look - 1.3, 11.9), (look + 1.3, 11.9)), 0.6)
    if person.style == "bald":
        return
    part = x + (1.6 if person.loose[2] > 0 else -1.6)
    low = {"long": 11.5, "bob": 12.0, "curly": 8.0}.get(person.style, 6.5)
    edge, inner, crown = wide * 1.13, wide * 0.86, wide * 0.7
    canvas.polygon(
        canvas.layer(plain(person.hair)),
        ((x - edge, low), (x - edge, 3), (x - crown, -0.4), (x, -1), (x + crown, -0.4), (x + edge, 3), (x + edge, low),
         (x + inner, low * 0.8), (x + inner, 5), (part, 3.1), (x - inner, 5), (x - inner, low * 0.8)),
        smooth=1,
    )  # fmt: skip
