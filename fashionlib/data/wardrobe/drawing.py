"""Painting for the wardrobe: flat shapes go into a map of layers, which is coloured, lit and blended once at the end.

Painting layers instead of colours keeps the truth for free: the top layer of a pixel says which garment is seen
there, so that masks and occlusion cannot disagree with the picture. The map has twice the picture's resolution in
both directions; averaging it down smooths the edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFilter

RGB = tuple[int, int, int]
Number = float | int  # checked at run time, a float is no int
Point = tuple[Number, Number]
SUPERSAMPLING = 2
HEIGHT = 192.0  # all scenes are laid out for pictures this high, in pixels, and scaled from there
MOST_LAYERS = 255


@dataclass(frozen=True)
class Fabric:
    """What a garment is made of: up to three colours, a texture, its period in body units and its angle in radians."""

    colours: tuple[RGB, RGB, RGB]
    texture: str = "plain"
    period: Number = 3.0
    angle: Number = 0.0


@dataclass
class Layer:
    label: str | None
    fabric: Fabric
    tone: Number  # below 1: a darker part of the same garment, such as a cuff
    along: Number  # direction of the body part, radians from straight down; textures turn with it
    origin: Point  # pixels of the map
    scale: Number  # pixels of the map to a body unit
    box: list[int]  # where it was drawn, in pixels of the map: x1, y1, x2, y2; kept for textured layers only


def plain(colour: RGB) -> Fabric:
    return Fabric((colour, colour, colour))


def mixed(first: RGB, second: RGB, share: Number) -> RGB:
    """The colour `share` of the way from the first to the second."""
    (r, g, b), (r2, g2, b2) = first, second
    return (round(r + (r2 - r) * share), round(g + (g2 - g) * share), round(b + (b2 - b) * share))


class Canvas:
    """A map of layers for a picture of `size` (height, width) pixels.

    Coordinates are body units, moved and scaled by `place`; before that, pixels of a picture 192 high whose
    x is 0 in the middle.
    """

    def __init__(self, size: tuple[int, int]):
        self.size, self.unit = size, size[0] / HEIGHT
        self.map = Image.new("L", (SUPERSAMPLING * size[1], SUPERSAMPLING * size[0]))
        self._draw = ImageDraw.Draw(self.map)
        self.layers: list[Layer] = [Layer(None, plain((0, 0, 0)), 1.0, 0.0, (0.0, 0.0), 1.0, [0, 0, 0, 0])]
        self.place(0.0, 0.0, 1.0)

    def place(self, x: Number, y: Number, scale: Number) -> None:
        """From here on, body units are `scale` pixels (of a picture 192 high) and (0, 0) lies at (x, y)."""
        self._scale = SUPERSAMPLING * self.unit * scale
        self._x = SUPERSAMPLING * (self.size[1] / 2 + self.unit * x)
        self._y = SUPERSAMPLING * self.unit * y

    def layer(
        self, fabric: Fabric, label: str | None = None, *, tone: Number = 1.0, along: Number = 0.0,
        origin: Point = (0.0, 0.0),
    ) -> int:  # fmt: skip
        """A new layer above all others; shapes are drawn into it by its number."""
        if len(self.layers) > MOST_LAYERS:
            return MOST_LAYERS
        place = (self._x + self._scale * origin[0], self._y + self._scale * origin[1])
        self.layers.append(Layer(label, fabric, tone, along, place, self._scale, [1 << 20, 1 << 20, -1, -1]))
        return len(self.layers) - 1

    def polygon(self, layer: int, points: Iterable[Point], *, smooth: int = 0) -> None:
        """A filled polygon, its corners cut `smooth` times (Chaikin); twice looks like a curve."""
        for _ in range(smooth):
            corners, points = list(points), []
            for (x1, y1), (x2, y2) in zip(corners[-1:] + corners, corners, strict=False):
                dx, dy = (x2 - x1) / 4, (y2 - y1) / 4
                points += [(x1 + dx, y1 + dy), (x2 - dx, y2 - dy)]
        self._draw.polygon(self._placed(layer, points), fill=layer)

    def mirrored(self, layer: int, x: Number, half: Sequence[Point], *, smooth: int = 0) -> None:
        """A polygon that is alike on both sides of `x`. half: from top to bottom, distance from x and height."""
        left = [(x - across, y) for across, y in half[::-1] if across]
        self.polygon(layer, [*((x + across, y) for across, y in half), *left], smooth=smooth)

    def ellipse(self, layer: int, x: Number, y: Number, across: Number, down: Number) -> None:
        """An ellipse around (x, y) with these half-axes."""
        corners = self._placed(layer, ((x - across, y - down), (x + across, y + down)))
        self._draw.ellipse(corners, fill=layer)

    def limb(self, layer: int, points: Sequence[Point], radii: Sequence[Number]) -> None:
        """A tapering tube along the points, with round joints."""
        for (x1, y1), (x2, y2), r1, r2 in zip(points, points[1:], radii, radii[1:], strict=False):
            length = math.hypot(x2 - x1, y2 - y1) or 1.0
            nx, ny = (y1 - y2) / length, (x2 - x1) / length
            self.polygon(layer, ((x1 + nx * r1, y1 + ny * r1), (x2 + nx * r2, y2 + ny * r2),
                                 (x2 - nx * r2, y2 - ny * r2), (x1 - nx * r1, y1 - ny * r1)))  # fmt: skip
        for (x, y), radius in zip(points[1:-1], radii[1:-1], strict=True):
            self.ellipse(layer, x, y, radius, radius)

    def line(self, layer: int, points: Sequence[Point], width: Number) -> None:
        """A line at least two pixels of the map wide, so that no thin part vanishes between pixels."""
        pixels = max(SUPERSAMPLING, round(width * self._scale))
        self._draw.line(self._placed(layer, points, pixels), fill=layer, width=pixels, joint="curve")

    def _placed(self, layer: int, points: Iterable[Point], margin: int = 0) -> list[Point]:
        """The points in pixels of the map; a textured layer's box grows to hold them and a margin."""
        scale, left, top = self._scale, self._x, self._y
        placed = [(left + scale * x, top + scale * y) for x, y in points]
        if self.layers[layer].fabric.texture != "plain":
            columns, rows = zip(*placed, strict=True)
            box, (width, height) = self.layers[layer].box, self.map.size
            box[:] = (
                max(0, min(box[0], int(min(columns)) - 1 - margin)), max(0, min(box[1], int(min(rows)) - 1 - margin)),
                min(width, max(box[2], int(max(columns)) + 2 + margin)),
                min(height, max(box[3], int(max(rows)) + 2 + margin)),
            )  # fmt: skip
        return placed

    def seen(self) -> dict[str, Number]:
        """By label, how much of it is visible, in pixels of a picture 192 high."""
        counts = np.bincount(self.top.ravel(), minlength=len(self.layers)) / self.unit**2
        seen: dict[str, Number] = {}
        for layer, count in zip(self.layers, counts.tolist(), strict=False):
            if layer.label is not None and count:
                seen[layer.label] = seen.get(layer.label, 0.0) + count
        return seen

    def masks(self, min_area: Number) -> dict[str, Bool[np.ndarray, "height width"]]:
        """Where each label is visible, for the labels of which at least so much is (as `seen` counts it)."""
        names = [label for label, area in self.seen().items() if area >= min_area]
        return {label: np.array([layer.label == label for layer in self.layers])[self.top] for label in names}

    @cached_property
    def numbers(self) -> UInt8[np.ndarray, "rows columns"]:
        """The map as an array; for when everything is drawn."""
        return np.asarray(self.map)

    @cached_property
    def top(self) -> UInt8[np.ndarray, "height width"]:
        """The number of the layer seen at each of the picture's pixels; for when everything is drawn."""
        return np.ascontiguousarray(self.numbers[::SUPERSAMPLING, ::SUPERSAMPLING])


def _smooth_noise(seed: int, cells: tuple[int, int]) -> np.ndarray:
    grid = np.random.default_rng(seed).integers(0, 256, cells, dtype=np.uint8)
    repeated = Image.fromarray(np.tile(grid, (2, 2))).resize((512, 512), Image.Resampling.BICUBIC)
    return np.asarray(repeated)[128:384, 128:384]


GRAIN = np.random.default_rng(0).integers(0, 256, (256, 256), dtype=np.uint8)
BLOBS = _smooth_noise(1, (36, 36))
FOLDS = Image.fromarray(_smooth_noise(2, (9, 24)))
SENSOR = np.random.default_rng(3).standard_normal(1 << 17, dtype=np.float32)


def _coloured(canvas: Canvas) -> UInt8[np.ndarray, "rows columns 4"]:
    """The map in colours (red, green, blue, nothing), black where nothing was drawn."""
    table = np.zeros((256, 4), dtype=np.uint8)
    for number, layer in enumerate(canvas.layers):
        table[number, :3] = [min(255, int(value * layer.tone)) for value in layer.fabric.colours[0]]
    layers = canvas.numbers
    pixels = np.take(table.view(np.uint32).ravel(), layers)  # four bytes at once: four times as quick
    for number, layer in enumerate(canvas.layers):
        x1, y1, x2, y2 = layer.box
        if layer.fabric.texture == "plain" or x2 <= x1 or y2 <= y1:
            continue
        rows, columns = np.nonzero(layers[y1:y2, x1:x2] == number)
        if rows.size:
            turn, step = layer.fabric.angle - layer.along, 1.0 / (layer.scale * layer.fabric.period)
            left, top = step * (x1 - layer.origin[0]), step * (y1 - layer.origin[1])
            cosine, sine = math.cos(turn), math.sin(turn)
            down, across = rows.astype(np.float32), columns.astype(np.float32)
            x = across * (step * cosine) - down * (step * sine) + (left * cosine - top * sine)
            y = across * (step * sine) + down * (step * cosine) + (left * sine + top * cosine)
            index, palette = _pattern(layer.fabric.texture, x, y, layer.fabric.colours)
            tones = np.zeros((len(palette), 4), dtype=np.uint8)
            tones[:, :3] = np.minimum(255, np.array(palette, dtype=np.float32) * layer.tone)
            pixels[y1:y2, x1:x2][rows, columns] = tones.view(np.uint32).ravel()[index]
    return pixels.view(np.uint8).reshape(*layers.shape, 4)


def _pattern(texture: str, x: np.ndarray, y: np.ndarray, colours: Sequence[RGB]) -> tuple[np.ndarray, Sequence[RGB]]:
    """For each point of a fabric, in periods of its texture, the number of its colour; and the colours."""

    def noise(grid: np.ndarray, down: int, across: int, moved: tuple[int, int] = (0, 0)) -> np.ndarray:
        return grid[(y * down + moved[0]).astype(np.int32) & 255, (x * across + moved[1]).astype(np.int32) & 255]

    first, second, third = colours
    if texture == "stripes":
        return ((y % 1) < 0.42).astype(np.intp), colours
    if texture == "pinstripes":
        return ((x % 1) < 0.22).astype(np.intp), colours
    if texture == "dots":
        row = np.floor(y)
        dx, dy = (x + 0.5 * (row % 2)) % 1 - 0.5, y - row - 0.5
        return (dx * dx + dy * dy < 0.075).astype(np.intp), colours
    if texture == "checks":
        index = ((x % 1) < 0.45).astype(np.intp) + ((y % 1) < 0.45)
        index[((x + 0.3) % 1 < 0.09) | ((y + 0.3) % 1 < 0.09)] = 3
        return index, (first, mixed(first, second, 0.5), second, third)
    if texture == "denim":
        index = (noise(GRAIN, 9, 14).astype(np.intp) + noise(BLOBS, 6, 6)) >> 6
        return index, [mixed(first, second, 0.065 * k) for k in range(8)]
    if texture == "knit":
        wave = (2.2 * y + np.abs(x % 1 - 0.5) * 1.3) % 1
        return (wave * 3.99).astype(np.intp), [mixed(first, (0, 0, 0), k) for k in (0.0, 0.05, 0.14, 0.28)]
    index = (noise(BLOBS, 11, 11) > 150).astype(np.intp)  # a print
    index[noise(BLOBS, 11, 11, (90, 41)) > 172] = 2
    return index, colours


@dataclass(frozen=True)
class Light:
    """How a scene is lit and photographed."""

    cast: tuple[Number, Number, Number] = (1.0, 1.0, 1.0)  # gain of each colour channel
    slope: tuple[Number, Number] = (0.0, 0.0)  # change of brightness from left to right and from top to bottom
    direction: Number = 1.0  # −1 lit from the right, 1 from the left
    folds: Number = 0.5  # depth of the cloth's folds
    blur: Number = 0.0  # pixels of a picture 192 high
    noise: Number = 2.0  # standard deviation of the sensor's noise, of 255
    offset: tuple[int, int] = (0, 0)  # where the folds and the noise begin


def developed(canvas: Canvas, background: Image.Image, light: Light) -> UInt8[np.ndarray, "height width 3"]:
    """The finished picture: layers coloured, shaded, laid over the background and photographed."""
    height, width = canvas.size
    front = _planes(Image.fromarray(_coloured(canvas), "RGBX").reduce(SUPERSAMPLING))
    shade, cover = _shade(canvas, light)
    picture = _planes(background)
    picture *= 1 - cover
    front *= shade
    picture += front
    down = 1 + light.slope[1] * np.linspace(-1, 1, height, dtype=np.float32)
    gain = down[:, None] * (1 + light.slope[0] * np.linspace(-1, 1, width, dtype=np.float32))
    start = light.offset[0] * 11 % max(1, SENSOR.size - height * width)
    noise = np.resize(SENSOR[start:], (height, width)) * light.noise
    for plane, cast in zip(picture, light.cast, strict=True):
        plane *= gain * np.float32(cast)
        plane += noise
    np.clip(picture, 0, 255, out=picture)
    finished = np.ascontiguousarray(picture.astype(np.uint8).transpose(1, 2, 0))
    if not light.blur:
        return finished
    return np.array(Image.fromarray(finished).filter(ImageFilter.BoxBlur(light.blur * canvas.unit)))


def _planes(image: Image.Image) -> Float[np.ndarray, "3 height width"]:
    """One plane per channel: arithmetic on them is several times as quick as on interleaved pixels."""
    pixels = np.asarray(image)
    return np.stack([pixels[..., channel].astype(np.float32) for channel in range(3)])


def _shade(canvas: Canvas, light: Light) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
    """Round bodies, folded cloth and thin dark outlines, as a factor per pixel; and how much each pixel is covered."""
    height, width = canvas.size
    layers = canvas.numbers
    edges = np.zeros(layers.shape, dtype=bool)
    np.not_equal(layers[:-1], layers[1:], out=edges[:-1])
    edges[:, :-1] |= layers[:, :-1] != layers[:, 1:]
    counts = edges.view(np.uint8)
    counts = counts[::2] + counts[1::2]
    outline = (counts[:, ::2] + counts[:, 1::2]) * np.float32(0.25)
    cloth = np.array([layer.label is not None for layer in canvas.layers], dtype=np.uint8)
    x, y = light.offset[0] % 100, light.offset[1] % 60
    folds = FOLDS.resize((width, height), Image.Resampling.BILINEAR, (x, y, x + 140, y + 190))
    folded = cloth[canvas.top] * (np.asarray(folds, dtype=np.float32) - 128)
    folded *= light.folds / 255
    cover = canvas.map.point([0] + [255] * 255).reduce(SUPERSAMPLING)
    soft = np.asarray(cover.filter(ImageFilter.BoxBlur(3 * canvas.unit)), dtype=np.float32)
    shade = 0.84 + (0.2 / 255) * soft
    reach = max(1, round(2 * canvas.unit))
    shade[:, reach:-reach] += (soft[:, 2 * reach :] - soft[:, : -2 * reach]) * (light.direction * 0.3 / 255)
    shade += folded
    shade *= 1 - 0.45 * outline
    return shade, np.asarray(cover, dtype=np.float32) * np.float32(1 / 255)
