"""Diagrams of the method: Fig. 2 with its shapes, cells of the map, texture encoding, losses, and MMR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from fashionlib.models import losses
from fashionlib.models.spatial_transformer import affine_matrix, box_indicator
from fashionlib.models.texture import TextureEncoding
from fashionlib.plots.style import Photo, colours, new_figure, note, outline, panels, show_photo, themed
from fashionlib.retrieval.mmr import diversified


class Shapes(NamedTuple):
    """Sizes of one variant of the network, as Fig. 2 shows them."""

    title: str
    photo: tuple[int, int]
    channels: int  # of the backbone's map
    width: int  # of the map that attention reads
    grid: tuple[int, int]
    steps: int
    codewords: int
    encoded: int  # channels of what is encoded
    hidden: int
    before: bool  # the texture encoding stands before the LSTM and the classifier


@themed
def architecture(variants: Sequence[Shapes]) -> Figure:
    """Fig. 2 redrawn: one column per variant, data flow from top to bottom, the shape below each piece's name."""
    figure = new_figure(6.6)
    for axes, one in zip(figure.subplots(1, len(variants)), variants, strict=True):
        axes.set(xlim=(0, 10), ylim=(0, 24.6))
        axes.set_axis_off()
        axes.set_title(one.title)
        _flow(axes, one)
    return figure


def _flow(axes: Axes, one: Shapes) -> None:
    rows, columns = one.grid
    blue, orange, green = colours()[:3]
    quiet = str(mpl.rcParams["xtick.color"])
    texture = f"{one.codewords} × {one.encoded} = {one.codewords * one.encoded:,}"
    reduction = "no reduction" if one.width == one.channels else "1×1 convolution"
    pieces = [
        ("photo", f"3 × {one.photo[0]} × {one.photo[1]}", quiet),
        ("backbone", f"{one.channels} × {rows} × {columns}", quiet),
        (reduction, f"{one.width} × {rows} × {columns}", quiet),
    ]  # fmt: skip
    if one.before:
        pieces += [
            ("box from LSTM state", f"θ: 4, crop: {one.width} × 4 × 4", blue), ("texture encoding", texture, orange),
            ("LSTM", f"state: {one.hidden}", green), ("classifier on state", "C", green),
        ]  # fmt: skip
    else:
        pieces += [
            ("box off attention map", f"{rows} × {columns} → θ: 4", blue),
            ("region, attended", f"{one.width} + {one.width}", blue), ("LSTM", f"state: {one.hidden}", green),
            ("state, region, cells", "C", green),
        ]  # fmt: skip
    pieces.append(("maximum over steps", "C scores", quiet))
    top = 22.2
    axes.plot([0, 10, 10, 0, 0], [5.1, 5.1, 15.9, 15.9, 5.1], ":", color=quiet, linewidth=1)
    arrow = {"arrowstyle": "-|>", "color": str(mpl.rcParams["text.color"]), "linewidth": 1, "mutation_scale": 7,
             "shrinkA": 0, "shrinkB": 0}  # fmt: skip
    for number, (name, shape, colour) in enumerate(pieces):
        y = top - 2.75 * number - (0.45 if number > 2 else 0) - (0.35 if number > 6 else 0)
        axes.add_patch(FancyBboxPatch((0.5, y), 9, 2.35, boxstyle="round,pad=0,rounding_size=0.3", fill=False,
                                      edgecolor=colour, linewidth=1.3))  # fmt: skip
        axes.text(5, y + 1.65, name, fontsize=8.7, ha="center", va="center", fontweight="bold")
        axes.text(5, y + 0.7, shape, fontsize=8.7, ha="center", va="center")
        if number < len(pieces) - 1:
            length = 0.3 + 0.45 * (number == 2) + 0.35 * (number == 6)
            axes.annotate("", (5, y - length - 0.1), (5, y), arrowprops=arrow)
    below = "compared: texture encodings" if one.before else f"compared: texture\n{texture}, attended {one.channels}"
    axes.text(5, 1.55, f"{one.steps} steps after the whole map\n{below}", ha="center", va="top", fontsize=8.5)


@themed
def map_cells(image: Photo, grids: Sequence[tuple[int, int]]) -> Figure:
    """The cells of the backbone's map drawn over the photo, one panel per grid (rows, columns)."""
    figure = new_figure(3.4)
    height, width = image.shape[:2]
    for axes, (rows, columns) in zip(figure.subplots(1, len(grids)), grids, strict=True):
        show_photo(axes, image)
        style = {"color": colours()[0], "linewidth": 0.7, "alpha": 0.8}
        axes.hlines(np.linspace(0, height - 1, rows + 1), 0, width - 1, **style)
        axes.vlines(np.linspace(0, width - 1, columns + 1), 0, height - 1, **style)
        axes.set_title(f"{rows} × {columns} cells")
    return figure


@themed
def view_strip(views: Mapping[str, Photo]) -> Figure:
    """Photos side by side, each under its name."""
    figure = new_figure(1.75)
    for axes, (name, image) in zip(figure.subplots(1, len(views)), views.items(), strict=True):
        show_photo(axes, image)
        axes.set_title(name, fontsize=8.5)
    return figure


@themed
def sampling_grid(image: Photo, theta: Sequence[float], points: int = 4, cells: tuple[int, int] = (24, 16)) -> Figure:
    """A box, the points at which its crop reads the map, and the box as a soft map of cells.

    theta: (s_x, s_y, t_x, t_y) in the frame −1 … 1.
    """
    figure = new_figure(3.3)
    left, right = figure.subplots(1, 2)
    box = torch.tensor([theta], dtype=torch.float32)
    s_x, s_y, t_x, t_y = theta
    region = ((t_x - s_x + 1) / 2, (t_y - s_y + 1) / 2, (t_x + s_x + 1) / 2, (t_y + s_y + 1) / 2)
    show_photo(left, image)
    outline(left, image, region, colours()[1])
    grid = F.affine_grid(affine_matrix(box), [1, 1, points, points], align_corners=False)[0].reshape(-1, 2).numpy()
    where = (grid + 1) / 2 * (image.shape[1], image.shape[0])
    left.plot(*where.T, "x", color=colours()[1], markersize=5, markeredgewidth=1.4)
    left.set_title(f"box and {points} × {points} points")
    soft = box_indicator(box.unsqueeze(1), cells)[0, 0].unflatten(0, cells).numpy()
    right.imshow(soft, cmap="Blues", aspect=1)
    right.set(xticks=[], yticks=[], anchor="N", title=f"box as a map of {cells[0]} × {cells[1]} cells")
    right.grid(False)
    return figure


@themed
def texture_encoding() -> Figure:
    """Deep TEN on a toy region with two channels: cells and codewords, soft assignment, the encoding."""
    rng = np.random.default_rng(0)
    cells, codewords = 16, 3
    centres = np.array([[-0.7, -0.4], [0.7, -0.5], [0.0, 0.8]])
    features = torch.tensor(centres[rng.integers(0, 3, cells)] + rng.normal(0, 0.25, (cells, 2)), dtype=torch.float32)
    encoder = TextureEncoding(2, codewords)
    with torch.no_grad():
        encoder.codewords.copy_(torch.tensor(centres * 0.8))
        encoder.smoothing.fill_(3.0)
        share = encoder.assignment(features.unsqueeze(0))[0].numpy()
        encoded = encoder(features.unsqueeze(0))[0].view(codewords, 2).numpy()
    codes, ticks = encoder.codewords.detach().numpy(), [str(k + 1) for k in range(codewords)]
    figure = new_figure(4.6)
    panels = figure.subplot_mosaic([["where", "where"], ["who", "what"]], height_ratios=(1.1, 1))
    where, who, what = panels["where"], panels["who"], panels["what"]
    palette, markers = colours(), "os^"
    for cell, x in enumerate(features.numpy()):
        nearest = int(share[cell].argmax())
        where.plot(*x, markers[nearest], color=palette[nearest], markersize=4)
        where.plot(*zip(x, codes[nearest], strict=True), color=palette[nearest], linewidth=0.6)
    for k, c in enumerate(codes):
        where.plot(*c, "*", color=palette[k], markersize=12)
        where.annotate(f"$c_{k + 1}$", c, (5, 5), textcoords="offset points")
    where.set(title="cells and codewords", xlabel="channel 1", ylabel="channel 2")
    shown = who.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(shown, ax=who, fraction=0.08)
    who.set(title="assignment $a_{ik}$", xlabel="codeword k", ylabel="cell i")
    who.set_xticks(range(codewords), ticks)
    who.grid(False)
    for channel, hatch in enumerate(("", "////")):
        what.bar(np.arange(codewords) + 0.2 * (2 * channel - 1), encoded[:, channel], 0.38, hatch=hatch,
                 color=palette[:codewords], label=f"channel {channel + 1}")  # fmt: skip
    what.axhline(0, color=mpl.rcParams["xtick.color"], linewidth=0.8)
    what.set(title="$e_k$, length 1", xlabel="codeword k")
    what.set_xticks(range(codewords), ticks)
    what.set_ylim(top=encoded.max() + 0.5)  # room for the legend above the bars
    what.legend(loc="upper left")
    return figure


@themed
def loss_curves() -> Figure:
    """Four small plots: the classification losses, localisation's box and anchor terms, and divergence."""
    logits, sizes, moved = torch.linspace(-5, 5, 101), torch.linspace(-0.5, 1.2, 120), torch.linspace(-1, 1, 101)
    pairs, true = torch.stack([logits, torch.zeros_like(logits)], 1).unsqueeze(1), torch.tensor([[1.0, 0.0]])
    boxes = [torch.tensor([[[float(size), 0.3, 0.0, 0.0]]]) for size in sizes]
    places = [torch.tensor([[[0.3, 0.3, float(x), 0.0]]]) for x in moved]
    twos = [torch.cat([torch.tensor([[[0.3, 0.3, 0.0, 0.0]]]), place], 1) for place in places]
    drawn = (
        ("classification", "score of the true label", logits,
         {one.__name__: [one(pair, true) for pair in pairs] for one in (losses.euclidean, losses.logistic)}),
        ("localisation: box", "half width $s_x$", sizes,
         {one.__name__: [one(box) for box in boxes] for one in (losses.scale, losses.positive)}),
        ("localisation: anchor at 0.5", "centre $t_x$", moved,
         {"anchor": [losses.anchor(place, torch.tensor([[0.5, 0.0]])) for place in places]}),
        ("divergence of two boxes", "distance of the centres", moved,
         {"divergence": [losses.divergence(box_indicator(both, (24, 16))) for both in twos]}),
    )  # fmt: skip
    figure = new_figure(4.4)
    for axes, (title, across, x, curves) in zip(panels(figure, 4, 2), drawn, strict=True):
        for (name, values), style in zip(curves.items(), ("-", "--"), strict=False):
            axes.plot(x, [float(value) for value in values], style, label=name)
        axes.set(title=title, xlabel=across)
        axes.legend()
    for axes in figure.axes[::2]:
        axes.set_ylabel("loss")
    return figure


@themed
def mmr_choice() -> Figure:
    """Candidates on a plane, the query at its centre, and the five chosen, in order, at three settings of the dial."""
    rng = np.random.default_rng(4)
    cluster = rng.normal([0.35, 0.15], 0.1, (9, 2))
    places = torch.tensor(np.concatenate([cluster, rng.uniform(-1, 1, (16, 2))]), dtype=torch.float32)
    relevance, between = places.norm(dim=1), torch.cdist(places, places)
    figure = new_figure(1.9)
    for axes, dial in zip(figure.subplots(1, 3, sharex=True, sharey=True), (0.0, 0.5, 1.0), strict=True):
        axes.plot(*places.T.numpy(), "o", color=mpl.rcParams["xtick.color"], markersize=3)
        axes.plot(0, 0, "*", color=colours()[1], markersize=11)
        for place, number in enumerate(diversified(relevance, between, 5, dial)):
            axes.plot(*places[number].numpy(), "o", color=colours()[0], markersize=7, fillstyle="none")
            note(axes, f"{place + 1}", places[number].numpy(), (4, 3))
        axes.set(title=f"dial {dial:g}", xticks=[], yticks=[], aspect="equal")
    return figure
