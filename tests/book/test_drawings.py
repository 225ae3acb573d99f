"""Figures that only the book shows: what they say, drawn from tiny arrays. Warnings are errors."""

import numpy as np
import pytest
from fashionbook.drawings.diagrams import texture_encoding
from fashionbook.drawings.pictures import failure_pairs
from fashionbook.drawings.scores import all_methods, topk_beside_paper

from fashionlib.core.errors import InputError
from fashionlib.ledger import ledger as results


def entry(method, metric, value, experiment="table1", **others):
    values = {
        "experiment": experiment, "profile": "quick", "dataset": "wardrobe", "split": "test", "split_hash": "0" * 12,
        "method": method, "metric": metric, "value": value, "low": value - 0.02, "high": value + 0.03, "seeds": [0],
        "n": 50, "protocol": "scores", "commit": "abc", "versions": {}, "device": "CPU", "seconds": 1.0,
    }  # fmt: skip
    return results.entry(**{**values, **others})


def test_published_curves_stand_in_a_panel_of_their_own():
    rows = [
        {"dataset": "deepfashion_c2s", "method": method, "metric": f"top{k}", "value": "0.2", "source": source}
        for method, source in (("FashionNet", "Fig. 3 as plotted"), ("HDC", "elsewhere"))
        for k in (3, 5)
    ]
    measured, published = topk_beside_paper([entry("parser", "top1", 0.5, "topk_c2s")], rows).axes
    assert (len(measured.lines), len(published.lines)) == (1, 1)
    assert "paper's Fig. 3" in published.get_title(loc="left")


def test_every_method_of_every_profile_stands_in_one_dot_plot():
    real = {"profile": "ccp", "dataset": "ccp"}
    entries = [entry("maxpool", "ap_all", 0.4), entry("parser", "ap_all", 0.5)]
    entries += [entry("csra", "ap_all", 0.6, **real), entry("csra", "map", 0.3, **real)]
    drawn, real = all_methods(entries).axes
    assert (drawn.get_title(loc="left"), real.get_title(loc="left")) == (
        "Wardrobe (synthetic), profile quick", "CCP (real), profile ccp",
    )  # fmt: skip
    assert [label.get_text() for label in drawn.get_yticklabels()] == ["maxpool", "Parser (ours)"]
    assert [text.get_text() for text in real.texts] == ["0.600"]


def test_a_failure_shows_the_distance_and_that_it_does_not_match():
    photo, region = np.full((12, 8, 3), 128, dtype=np.uint8), (0.2, 0.2, 0.6, 0.6)
    cell = {"image": photo, "distance": 0.25, "region": region}
    query, look = failure_pairs([{"label": "hat", "query": photo, "region": region, "cell": cell}]).axes
    assert (query.get_xlabel(), look.get_xlabel()) == ("query", "0.25 ✗")
    with pytest.raises(InputError, match="no pair"):
        failure_pairs([])


def test_the_legend_of_the_texture_figure_covers_no_bar():
    figure = texture_encoding()
    figure.canvas.draw()
    axes = next(axes for axes in figure.axes if axes.get_legend())
    legend = axes.get_legend().get_window_extent()
    assert not [bar for bar in axes.patches if legend.overlaps(bar.get_window_extent())]
