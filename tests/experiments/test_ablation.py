"""The way from the paper's network to ours: which variants there are, what differs in them, what the ledger says."""

from dataclasses import replace

import pytest

from fashionlib.core.errors import InputError
from fashionlib.experiments.ablation import GROUPS, OURS, PAPER, ablation, gains, options_table, variants
from fashionlib.experiments.profile import Profile, load_profile, project_root
from fashionlib.experiments.summary import sentence_about_ablation
from fashionlib.ledger.ledger import entry, read
from fashionlib.plots import ablation_figure

SMALL = {"steps": 2, "reduce": 8, "hidden": 8, "codewords": 2}


def small(**paper) -> Profile:
    methods = {PAPER: {"kind": "parser", "head": {**SMALL, **paper}}, OURS: {"kind": "parser", "head": SMALL}}
    return replace(load_profile("smoke"), methods=methods)


def test_each_group_that_differs_is_added_to_the_paper_and_taken_from_ours():
    found = variants(small(classification="euclidean", look="state", anchors="centre"))
    assert set(found.methods) == {
        PAPER, OURS, "parser-paper+loss", "parser-loss", "parser-paper+looking", "parser-looking",
    }  # fmt: skip
    head = {name: found.method(name).head for name in found.methods}
    assert head["parser-paper+loss"] == {**head[PAPER], "classification": "logistic"}
    assert head["parser-looking"] == {**head[OURS], "look": "state", "anchors": "centre"}


def test_the_profiles_that_ship_have_every_difference_in_one_group():
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    for profile in ("ablation", "ablation-ccp"):
        found = variants(load_profile(profile, data="/nowhere"))
        assert len(found.methods) == 2 + 2 * len([m for m in found.methods if "+" in m])


def test_a_difference_in_no_group_is_an_error_that_names_it():
    with pytest.raises(InputError, match="hidden differ and are in no group"):
        variants(small(hidden=4))


def test_a_profile_without_the_papers_network_is_an_error():
    with pytest.raises(InputError, match="no method 'parser-paper'"):
        variants(load_profile("smoke"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "smoke.yaml").write_text((project_root() / "profiles" / "smoke.yaml").read_text())
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    return tmp_path


def test_the_ledger_holds_each_variant_and_what_its_group_is_worth(home):
    profile = small(classification="euclidean")
    entries = ablation(profile)
    assert {(one.method, one.metric, one.value) for one in entries} == {
        (one.method, one.metric, one.value) for one in read(home, "smoke", "ablation")
    }
    value = {one.method: one for one in entries if one.metric == "ap_all"}
    assert value[PAPER].versus is None
    added, removed = value["parser-paper+loss"], value["parser-loss"]
    assert added.versus["value"] == pytest.approx(added.value - value[PAPER].value)
    assert removed.versus["value"] == pytest.approx(value[OURS].value - removed.value)
    shown = gains(entries)
    assert list(shown) == ["loss", "all together"]
    assert shown["loss"]["added"][0] == added.versus["value"]
    assert shown["loss"]["removed"][0] == removed.versus["value"]
    # here one group is the whole way
    assert value["parser-paper+loss"].value == value[OURS].value
    assert value["parser-loss"].value == value[PAPER].value


def test_gains_of_other_entries_are_refused():
    with pytest.raises(InputError, match="no entries of an ablation"):
        gains([])


def test_the_table_of_options_names_what_differs():
    table = options_table(small(classification="euclidean", localisation=1.0))
    assert table.to_dict("list") == {
        "option": ["classification", "localisation"], "paper": ["euclidean", "1.0"], "ours": ["logistic", "0.0"],
    }  # fmt: skip
    assert list(table.index) == ["loss", "losses on boxes"]


def test_the_figure_has_a_bar_for_each_gain_and_says_its_value():
    triples = {
        "loss": {"added": (0.02, 0.01, 0.03), "removed": (-0.01, -0.02, 0.0)},
        "all together": {"added": (0.1, 0.0, 0.2)},
    }
    axes = ablation_figure(triples).axes[0]
    assert sorted(bar.get_width() for bar in axes.patches) == pytest.approx([-1.0, 2.0, 10.0])
    assert {text.get_text() for text in axes.texts} == {"+2.0", "−1.0", "+10.0"}


def test_the_sentence_says_which_groups_help_cost_or_do_nothing():
    def entries(gained):
        return [
            entry(experiment="ablation", profile="p", dataset="d", split="test", split_hash="x", method=method,
                  metric="ap_all", value=0.5, low=0.4, high=0.6, seeds=[0], n=3, protocol="all", seconds=1.0,
                  versus={"method": PAPER, "value": value, "low": value - 0.01, "high": value + 0.01})
            for method, value in gained.items()
        ]  # fmt: skip

    sentence = sentence_about_ablation(entries({
        OURS: 0.1, "parser-paper+loss": 0.05, "parser-loss": 0.02, "parser-paper+looking": 0.0, "parser-looking": 0.005,
        "parser-paper+dropout": -0.02, "parser-dropout": 0.0,
    }))  # fmt: skip
    assert "+10.0 points" in sentence
    assert "help in both networks: Loss: Euclidean → logistic." in sentence
    assert "no effect in either: Boxes: from LSTM state → from attention map." in sentence
    assert "cost in at least one: Dropout: 0 → 0.3." in sentence
