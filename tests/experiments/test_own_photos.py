"""Notebooks' helpers: the dial's figure, sentences about it, and a gallery of one's own."""

import shutil
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from project import ROOT

from fashionlib import plots
from fashionlib.core.errors import InputError
from fashionlib.experiments.profile import load_profile
from fashionlib.experiments.recommend import cells_of, own_gallery, picture
from fashionlib.experiments.summary import sentence_about_diversity, sentence_about_own
from fashionlib.ledger.ledger import Entry
from fashionlib.plots import dial_curves


def entry(experiment, method, metric, value, protocol):
    return Entry(
        experiment=experiment, profile="quick", dataset="wardrobe", split="test", split_hash="0" * 12, method=method,
        metric=metric, value=value, low=value - 0.02, high=value + 0.03, seeds=[0], n=50, protocol=protocol,
        commit="abc", versions={}, device="CPU", seconds=1.0,
    )  # fmt: skip


METHODS = ("together", "parts", "whole", "whole-together", "whole-mmr", "random")
METRICS = ("relevance@10", "part_coverage@10", "intra_list@10")


@pytest.fixture
def entries():
    plain = [entry("diversity", m, metric, 0.4, "share") for m in METHODS for metric in METRICS]
    plain.append(entry("diversity", "parts", "coverage_ratio@10", 1.62, "ratio"))
    plain.append(entry("diversity", "together", "coverage_ratio@10", 1.81, "ratio"))
    curve = [
        entry("diversity_curve", method, metric, 0.3 + dial / 4, f"dial {dial:g}; share")
        for method in ("together", "parts", "whole-together", "whole-mmr") for metric in METRICS for dial in (0, 0.5, 1)
    ]  # fmt: skip
    return [*plain, *curve]


def test_the_dials_figure_has_a_line_a_method_that_has_one_and_a_dot_for_the_others(entries):
    figure = dial_curves(entries)
    assert plt.get_fignums() == []
    assert len(figure.axes) == 2
    points = [len(bars.lines[0].get_xdata()) for bars in figure.axes[0].containers]
    assert sorted(points) == [1, 1, 3, 3, 3, 3]
    assert {text.get_text() for text in figure.axes[0].texts} == {"0", "1"}
    with pytest.raises(InputError, match="no entry of diversity_curve"):
        dial_curves(entries[:3])


def test_a_folder_whose_name_is_a_number_is_named_as_papermill_hands_it_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = load_profile("smoke", data=2024, seeds=3)
    assert (run.root, run.seeds) == ("2024", (3,))
    for number in range(2):
        Image.new("RGB", (40, 60), (90 * number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "2024").mkdir()
    for path in tmp_path.glob("*.png"):
        path.rename(tmp_path / "2024" / path.name)
    gallery = own_gallery(2024, "ccp-small")
    assert len(gallery) == 2
    with pytest.raises(InputError, match=r"7: no such folder; .* 007, is given with papermill -r"):
        own_gallery(7, "ccp-small")


def test_the_sentence_says_how_many_times_more_parts_and_whether_that_is_sure(entries):
    sentence = sentence_about_diversity(entries)
    assert "one list for all parts covers **1.81 times** (95% interval 1.79 to 1.84: more)" in sentence
    assert "parts in turn cover **1.62 times**" in sentence
    unsure = [replace(e, low=0.9) if e.metric == "coverage_ratio@10" else e for e in entries]
    assert "to 1.65: no clearly different number)" in sentence_about_diversity(unsure)
    assert "one list" not in sentence_about_diversity([e for e in entries if "together" not in e.method])
    looks = [replace(e, experiment="diversity_looks", n=7) for e in entries if e.experiment == "diversity"]
    both = sentence_about_diversity([*entries, *looks])
    assert both.startswith(sentence)
    assert "Among photos with masks, where colours must match, too: at the relevance" in both.removeprefix(sentence)
    assert "(7 queries)" in both.removeprefix(sentence)


def test_without_a_folder_drawn_photos_and_the_packaged_model_stand_in(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    monkeypatch.setattr("fashionlib.experiments.recommend.DRAWN", 12)
    gallery = own_gallery()
    assert len(gallery) == 12
    query = gallery.root / gallery.seen.names[0]
    rows = gallery.recommend(query, per_part=3, parts=2)
    cells = cells_of(rows, gallery)
    assert [len(row["cells"]) for row in cells] == [len(row.looks) for row in rows]
    shown = cells[0]["cells"][0]["image"]
    there = picture(gallery.root / rows[0].looks[0].name)
    assert shown.shape[0] / shown.shape[1] == pytest.approx(there.shape[0] / there.shape[1], rel=0.02)
    assert np.abs(shown.mean((0, 1)) - there.mean((0, 1))).max() < 6
    assert plots.recommendation_grid(picture(query), cells).axes
    assert rows[0].label in sentence_about_own(12, 0, rows)
    assert "None of the 12 photos" in sentence_about_own(12, 0, [])
