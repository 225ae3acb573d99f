"""The book's figures: what they say, drawn from tiny arrays. Warnings are errors, so each also draws cleanly."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from fashionlib import plots
from fashionlib.core.errors import InputError
from fashionlib.data.base import Sample
from fashionlib.ledger.ledger import Entry
from fashionlib.plots import answers_grid
from fashionlib.plots import attention as plotlooks
from fashionlib.plots import style as plotstyle


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    assert plt.get_fignums() == []


def photo(height=12, width=8):
    return np.full((height, width, 3), 128, dtype=np.uint8)


def entry(method, metric, value, experiment="table1", **others):
    made = Entry(
        experiment=experiment, profile="quick", dataset="wardrobe", split="test", split_hash="0" * 12, method=method,
        metric=metric, value=value, low=value - 0.02, high=value + 0.03, seeds=[0], n=50, protocol="scores",
        commit="abc", versions={}, device="CPU", seconds=1.0,
    )  # fmt: skip
    return replace(made, **others)


def texts(figure):
    figure.canvas.draw()
    found = [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]
    return "\n".join(found)


def outlines(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]


def test_a_contact_sheet_shows_each_photo_with_its_labels_and_boxes():
    samples = [
        Sample(photo(), "a", np.array([1.0, 0.0, 1.0]), boxes={"hat": (1.0, 2.0, 5.0, 6.0)}),
        Sample(photo(9, 9), "b"),
    ]
    figure = plots.sample_sheet(samples, names=["hat", "coat", "bag"], columns=2)
    first, second = figure.axes
    assert first.get_xlabel() == "hat · bag"
    assert (len(outlines(first)), len(outlines(second))) == (1, 0)
    assert outlines(first)[0].get_bbox().bounds == pytest.approx((1, 2, 4, 4))


def test_a_contact_sheet_of_nothing_is_refused():
    with pytest.raises(InputError, match="no samples"):
        plots.sample_sheet([])


def test_training_curves_have_losses_and_scores_apart(tmp_path):
    frame = pd.DataFrame({"epoch": [1, 2], "classification": [1.0, 0.5], "val_map": [0.1, 0.2], "seconds": [3.0, 3.0]})
    frame.to_csv(tmp_path / "history.csv", index=False)
    figure = plots.history({"parser": tmp_path / "history.csv", "whole": frame})
    losses, scores = figure.axes
    assert [line.get_label() for line in losses.lines] == [
        "Parser (ours) classification",
        "Whole picture classification",
    ]
    assert [list(line.get_ydata()) for line in scores.lines] == [[0.1, 0.2]] * 2


def test_a_missing_history_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv"):
        plots.history({"parser": tmp_path / "gone.csv"})


def test_table_1_draws_a_dot_and_its_interval_for_each_method_and_leaves_differences_out():
    entries = [entry("whole", "ap_all", 0.4), entry("parser", "ap_all", 0.5), entry("parser", "ap_all_gain", 0.1)]
    (axes,) = plots.table1_figure(entries).axes
    assert [text.get_text() for text in axes.texts] == ["0.400", "0.500"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Whole picture", "Parser (ours)"]
    assert list(axes.lines[0].get_xdata()) == pytest.approx([0.38, 0.43])


def test_top_k_curves_run_over_k_and_name_each_line_at_its_end():
    entries = [
        entry(method, f"top{k}", value * k / 3, "topk_c2s")
        for method, value in (("parser", 0.6), ("whole", 0.3))
        for k in (2, 1, 3)
    ]
    (axes,) = plots.topk_curves(entries).axes
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3]
    assert axes.lines[0].get_ydata()[-1] == pytest.approx(0.6)
    assert [text.get_text() for text in axes.texts] == ["Parser (ours)", "Whole picture"]
    assert len(axes.collections) == 2


def test_controls_are_thin_lines_without_name_or_band():
    """Seen: the names of five lines that end together lay on each other and none could be read."""
    methods = ("parser", "whole", "csra", "fixed")
    entries = [entry(method, f"top{k}", 0.2 * k, "topk_c2s") for method in methods for k in (1, 2)]
    (axes,) = plots.topk_curves(entries).axes
    assert len(axes.lines) == 4
    assert {text.get_text() for text in axes.texts} == {"Parser (ours)", "Whole picture"}
    assert len(axes.collections) == 2


def test_two_protocols_in_one_curve_are_refused():
    entries = [entry("parser", "top1", 0.5, "topk_c2s", protocol=name) for name in ("whole_gallery", "same_category")]
    with pytest.raises(InputError, match="one protocol"):
        plots.topk_curves(entries)


def grid_row(label, region, distances):
    cells = [{"image": photo(), "label": label, "distance": d, "region": region} for d in distances]
    return {"label": label, "region": region, "cells": cells}


def test_a_recommendation_grid_says_of_each_cell_why_it_is_there():
    rows = [grid_row("hat", (0.2, 0.0, 0.6, 0.3), (0.25, 0.5)), grid_row("bag", (0.5, 0.5, 0.9, 0.8), (0.75,))]
    figure = plots.recommendation_grid(photo(), rows)
    query, *cells = figure.axes
    assert len(outlines(query)) == 2
    assert [box.get_edgecolor() for box in outlines(query)] == [
        outlines(cells[0])[0].get_edgecolor(), outlines(cells[2])[0].get_edgecolor(),
    ]  # fmt: skip
    assert [cell.get_xlabel() for cell in cells[:3]] == ["hat\n0.25", "hat\n0.50", "bag\n0.75"]
    assert not cells[3].axison
    assert "hat" in texts(figure)


def test_a_grid_without_look_alikes_is_refused():
    with pytest.raises(InputError, match="at least one cell"):
        plots.recommendation_grid(photo(), [grid_row("hat", None, ())])


def test_the_comparison_puts_the_whole_picture_first_and_outlines_no_part_of_it():
    whole = [{"image": photo(), "label": "coat", "distance": 0.1, "region": None}]
    figure = plots.compare_rows(photo(), whole, [grid_row("hat", (0.1, 0.1, 0.5, 0.5), (0.2,))])
    query, first, second = figure.axes
    assert "whole picture" in texts(figure)
    assert [len(outlines(axes)) for axes in (query, first, second)] == [1, 0, 1]


def test_an_attention_sheet_names_the_labels_that_each_step_decided():
    boxes = np.array([[[0.0, 0.0, 1.0, 1.0], [0.2, 0.2, 0.6, 0.6]]])
    figure = plotlooks.attention_sheet([photo()], boxes, ["hat", "coat", "bag"], np.array([[1, -1, 1]]), columns=1)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "2: hat, bag"
    thin, thick = (box.get_linewidth() for box in outlines(axes))
    assert thin < thick


def test_the_spread_of_a_still_step_is_zero_and_of_a_moving_one_is_not():
    still = np.tile([0.1, 0.1, 0.3, 0.3], (2, 1))
    moving = np.array([[0.0, 0.4, 0.2, 0.6], [0.4, 0.8, 0.6, 1.0]])  # centres 0.4 apart on both axes
    said = texts(plotlooks.attention_spread(np.stack([still, moving], axis=1)))
    assert "step 1: ±0.00" in said
    assert "step 2: ±0.20" in said


def test_a_dark_figure_has_light_letters_and_the_next_one_is_light_again():
    entries = [entry("parser", "ap_all", 0.5)]
    with plotstyle.theme(dark=True):
        dark = plots.table1_figure(entries)
    light = plots.table1_figure(entries)
    assert dark.axes[0].texts[0].get_color() == plotstyle.DARK["ink"]
    assert light.axes[0].texts[0].get_color() == plotstyle.LIGHT["ink"]


HEAD, FEET = (0.2, 0.0, 0.6, 0.3), (0.1, 0.7, 0.9, 1.0)


def test_the_one_list_numbers_the_querys_parts_and_what_answers_them():
    asked = {"hat": HEAD, "boots": FEET, "sunglasses": HEAD}
    cells = [
        {"image": photo(), "regions": {"boots": (0.0, 0.5, 1.0, 1.0), "sunglasses": (0.3, 0.0, 0.5, 0.2)}},
        {"image": photo(), "regions": {"hat": HEAD, "boots": HEAD}},
    ]
    query, *answers = answers_grid(photo(), asked, cells).axes
    assert query.get_xlabel() == "1 hat, sunglasses\n2 boots"
    assert [text.get_text() for text in query.texts] == ["1", "2"]
    assert [axes.get_xlabel() for axes in answers[:2]] == ["1 sunglasses\n2 boots", "1 hat\n2 boots"]
    assert sorted(text.get_text() for text in answers[0].texts) == ["1", "2"]
    assert [text.get_text() for text in answers[1].texts] == ["1, 2"]
    head, feet = (box.get_edgecolor() for box in outlines(query))
    assert {box.get_edgecolor() for box in outlines(answers[0])} == {head, feet}
    assert [axes.axison for axes in answers] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("cells", "says"),
    [([], "there is no cell"), ([{"image": photo(), "regions": {"bag": HEAD}}], "bag.*has no region")],
)
def test_a_list_that_answers_nothing_or_something_else_is_refused(cells, says):
    with pytest.raises(InputError, match=says):
        answers_grid(photo(), {"hat": HEAD}, cells)


def test_the_ablations_rows_say_what_was_changed_to_what():
    """Seen: a bar named "losses on boxes" showed the gain of removing them."""
    figure = plots.ablation_figure({"losses on boxes": {"added": (0.05, 0.04, 0.06), "removed": (0.0, -0.01, 0.01)}})
    assert figure.axes[0].get_yticklabels()[0].get_text() == "Losses on boxes:\non → off"
    assert "gain when made to the paper's network" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_baseline_of_ones_own_stands_in_every_figure_after_the_known_ones():
    entries = [entry("maxpool", "ap_all", 0.3), entry("parser", "ap_all", 0.5)]
    rows = [label.get_text() for label in plots.table1_figure(entries).axes[0].get_yticklabels()]
    assert rows == ["maxpool", "Parser (ours)"]
    curves = [entry(method, f"top{k}", 0.1 * k, "topk_c2s") for method in ("maxpool", "parser") for k in (1, 2)]
    assert len(plots.topk_curves(curves).axes[0].lines) == 2
