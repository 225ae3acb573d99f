"""The arithmetic of the planning page: counted against what can be done by hand, reckoned against round numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from benchmarks.costs import _keeping, _Moved, arithmetic, loading, peak
from benchmarks.planning import (
    CARDS,
    DATASETS,
    RUNTIME_GB,
    Arithmetic,
    Card,
    Measured,
    Photos,
    hours,
    memory_gb,
    photos_in,
    planning,
    seconds_a_photo,
)
from fashionlib.core.errors import InputError
from fashionlib.experiments.profile import load_profile

NETWORK = Arithmetic(0.01, 0.03, 0.5, 2.0, 0.2, 0.05)
HERE = Measured(0.96, 0.24, 100.0, 2000.0, 5.0, "64 in parts of 16", 64, 10.0)


@pytest.fixture
def paper(tmp_path):
    """The profile `paper`, small enough to run."""
    profile = load_profile("paper", data=tmp_path)
    return replace(profile, image_size=(64, 48))


def test_a_convolutions_arithmetic_is_what_the_paper_trunk_has(paper):
    """The trunk's six convolutions by hand: 2 · 9 · in · out FLOPs at each cell, three times that in training but for
    the first one, whose input needs no gradient."""
    counted = arithmetic(paper, "whole")  # a linear head of some thousands beside it
    fine, middle, coarse = 64 * 48, 16 * 12, 4 * 3  # cells
    layers = [(3, 64, fine), (64, 64, fine), (64, 128, middle), (128, 128, middle), (128, 256, coarse),
              (256, 256, coarse)]  # fmt: skip
    flops = [18 * inputs * outputs * cells for inputs, outputs, cells in layers]
    assert counted.reading_tflop * 1e12 == pytest.approx(sum(flops), rel=0.02)
    assert counted.training_tflop * 1e12 == pytest.approx(3 * sum(flops) - flops[0], rel=0.02)
    assert counted.weights_gb * 1e9 > 4 * sum(9 * inputs * outputs for inputs, outputs, _ in layers)


def test_moved_bytes_are_operands_and_results_and_views_are_free():
    with _Moved() as moved:
        one = torch.ones(10, 10)
        flat = one.view(100)
        twice = flat + flat
    assert twice.sum() == 200
    assert moved.bytes == 4 * 100 * (1 + 3)


def test_kept_tensors_count_once_and_weights_not_at_all():
    model, kept = nn.Linear(10, 20, bias=False), {}
    x = torch.randn(3, 10)
    with _keeping(kept, model):
        hidden = model(x)
        (hidden.exp() * hidden).sum()
    # the layer's input, exp's result, and the two factors, one of which is exp's result
    assert sum(kept.values()) == 4 * (30 + 60 + 60)


def test_time_is_that_of_the_slower_of_computing_and_moving():
    card = Card(peak=10.0, bandwidth=100.0, memory=16.0, width=4, use=0.5, source="")
    assert seconds_a_photo(card, 1.0, 0.0) == pytest.approx(0.2)
    assert seconds_a_photo(card, 0.0, 50.0) == pytest.approx(1.0)
    assert seconds_a_photo(card, 1.0, 50.0) == pytest.approx(1.0)
    assert seconds_a_photo(replace(card, width=2), 0.0, 50.0) == pytest.approx(0.5)


def test_hours_and_memory_add_up():
    assert hours(Photos(7200, 3600, 20000), 10, training=0.5, reading=0.1) == pytest.approx(11)
    assert memory_gb(NETWORK, 16, 4) == pytest.approx(0.2 + 3.2 + RUNTIME_GB)
    assert memory_gb(NETWORK, 16, 2) == pytest.approx(0.2 + 1.6 + RUNTIME_GB)


def test_photos_are_those_that_were_published():
    assert photos_in({"train photos": 80, "val photos": 9}) == Photos(80, 9, 89)
    assert photos_in({"photos": 100, "val photos": 3, "test photos": 20}) == Photos(77, 3, 100)
    assert DATASETS["fashion144k"].trained == 80_554
    assert DATASETS["deepfashion_inshop"] == Photos(25_882, 0, 52_712)


def test_the_ledger_holds_every_machine_and_data_set_and_calls_estimates_so(paper):
    entries = planning(paper, NETWORK, HERE)
    found = {(one.method, one.metric): one for one in entries}
    assert len(found) == len(entries)
    for machine in ("laptop", *CARDS):
        for name in DATASETS:
            one = found[machine, f"{name}_training_hours"]
            assert one.value > 0
            assert one.protocol.startswith("estimate, not measured")
            assert not one.device.startswith("NVIDIA")
    # 80,554 photos at 0.96 / 4.8 s and 8,948 at 0.24 / 4.8 s, 40 times
    laptop = found["laptop", "fashion144k_training_hours"].value
    assert laptop == pytest.approx(40 * (80_554 * 0.2 + 8_948 * 0.05) / 3600)


def test_loading_is_measured_on_photos_and_refuses_a_folder_without_any(paper, tmp_path):
    with pytest.raises(InputError, match=r"no \.jpg in it"):
        loading(paper, tmp_path)
    rng = np.random.default_rng(0)
    for number in range(20):
        Image.fromarray(rng.integers(0, 255, (300, 200, 3), dtype=np.uint8)).save(tmp_path / f"{number}.jpg")
    decoded, cached = loading(paper, tmp_path)
    assert cached > decoded > 0


def test_a_step_is_measured_in_a_process_of_its_own(paper):
    costs = peak(replace(paper, image_size=(32, 24)), "parser-paper", 8)
    assert set(costs) == {"training_s", "reading_s", "peak_gb"}
    assert costs["training_s"] > 0
    assert 0.1 < costs["peak_gb"] < 8
