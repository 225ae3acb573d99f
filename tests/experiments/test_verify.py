"""`fashionlib verify` on real small runs: numbers come out again, and one that was changed by hand is named."""

import json
from dataclasses import replace

import pytest

from fashionlib.core.errors import InputError
from fashionlib.experiments.verify import as_sealed, compare, verify
from fashionlib.ledger import ledger as results
from fashionlib.ledger.receipts import Receipt, checksum, read_receipt, write_receipt


def number(value=0.5, **others):
    values = {
        "experiment": "table1", "profile": "smoke", "dataset": "wardrobe", "split": "test", "split_hash": "0" * 12,
        "method": "parser", "metric": "map", "value": value, "low": value - 0.03, "high": value + 0.03, "seeds": [0],
        "n": 32, "protocol": "scores", "commit": "abc1234", "device": "CPU (AVX512, 2 threads)", "seconds": 2.0,
        "versions": {"processor": "Intel(R) Xeon(R) Processor", "torch": "2"}, "per_seed": [value],
        "versus": {"method": "whole", "value": 0.1, "low": 0.05, "high": 0.15},
    }  # fmt: skip
    return results.entry(**{**values, **others})


def verified(smoke, *arguments):
    return smoke.call("-m", "fashionlib.cli", "verify", "--profile", "smoke", *arguments)


def test_one_experiment_comes_out_again_to_the_last_bit_and_leaves_a_receipt(smoke):
    kept = smoke.ledgers()
    done = verified(smoke, "--only", "topk_c2s")
    assert done.returncode == 0, done.stdout + done.stderr
    entries = json.loads(kept["topk_c2s"])
    line = f"topk_c2s: {len(entries)} of {len(entries)} numbers came out again (rule: exact; largest difference 0)\n"
    assert done.stdout == line
    assert smoke.ledgers() == kept
    (receipt,) = read_receipt(smoke.home, "smoke")
    assert receipt.agrees
    assert (receipt.experiment, receipt.rule, receipt.numbers) == ("topk_c2s", "exact", len(entries))
    assert receipt.ledger == checksum(smoke.home, "smoke", "topk_c2s")


def test_a_value_changed_by_hand_fails_and_is_named(smoke):
    old, *others = json.loads(smoke.ledgers()["table1"])
    text = json.dumps(old["value"])
    with smoke.edited("results/smoke/table1.json", text, json.dumps(old["value"] + 1e-6)):
        done = verified(smoke, "--only", "table1")
    assert done.returncode == 1, done.stdout + done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith(f"table1: {len(others)} of {len(others) + 1} numbers came out again (rule: exact")
    assert all(line.startswith(f"  wardrobe test {old['method']} {old['metric']} (") for line in rest)
    assert f"value was published as {old['value'] + 1e-6} and is {old['value']}" in rest[0]


def test_what_was_never_published_and_what_no_notebook_measures_end_in_one_line(smoke):
    done = verified(smoke, "--only", "tabel1")
    assert done.returncode == 2
    assert "measures nothing called 'tabel1': choose one of table1, topk_inshop" in done.stderr
    done = smoke.call("-m", "fashionlib.cli", "verify", "--profile", "wardrobe", "--only", "table1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "make results PROFILE=wardrobe" in done.stderr


def test_on_the_same_machine_every_bit_counts():
    assert compare([number()], [number()]).disagreements == ()
    verdict = compare([number()], [number(0.5 + 1e-12)])
    assert verdict.rule == "exact"
    assert {one.field for one in verdict.disagreements} == {"value", "low", "high", "seed 0"}


def test_a_run_that_names_more_packages_is_still_of_the_same_machine():
    more = {"versions": {**number().versions, "pillow": "13"}}
    assert compare([number()], [number(**more)]).rule == "exact"
    assert compare([number(**more)], [number()]).why == "pillow 13 there, none here"


AMD = {"processor": "AMD EPYC", "torch": "2"}
ELSEWHERE = {"device": "CPU (AVX2, 2 threads)", "versions": AMD}


@pytest.mark.parametrize(
    "other",
    [ELSEWHERE, {"versions": {**AMD, "torch": "3"}}, {"versions": {**number().versions, "torch": "3"}}],
    ids=["processor", "both", "torch"],
)
def test_elsewhere_a_number_may_move_by_the_half_width_of_its_interval_and_that_is_said(other):
    verdict = compare([number()], [number(0.529, **other)])
    assert verdict.rule == "tolerance"
    assert verdict.disagreements == ()
    assert verdict.largest == pytest.approx(0.029)
    assert " there, " in verdict.why
    moved = compare([number()], [number(0.531, **other)])
    assert [one.field for one in moved.disagreements] == ["value", "low", "high", "seed 0"]


def test_a_bound_that_moves_by_exactly_the_half_width_agrees_although_single_precision_rounds_it():
    published = number(0.95, low=0.9200000166893005, high=0.9800000190734863)
    measured = number(0.95, low=0.8899999856948853, high=0.9800000190734863, **ELSEWHERE)
    assert compare([published], [measured]).disagreements == ()


@pytest.mark.parametrize(
    "device", ["NVIDIA H100", "CPU (AVX2, 2 threads)", "CPU (AVX512, 8 threads)", "CPU (NEON, 2 threads)", "mps"]
)
def test_another_name_of_the_device_opens_no_tolerance(device):
    """The same processor and packages: what the ledger says of its device has to be true, and its numbers the same."""
    changed = number(0.52, device=device)
    verdict = compare([changed], [number()])
    assert verdict.rule == "exact"
    assert {"device", "value", "seed 0"} <= {one.field for one in verdict.disagreements}


@pytest.mark.parametrize("shift", [0.02, -0.02])
def test_a_ledger_that_was_moved_as_a_whole_shows_elsewhere_too(shift):
    """Each value within its tolerance; two honest machines differ in both directions."""
    honest = [(f"top{k}", 0.5 + (0.008 if k % 2 else -0.008)) for k in range(1, 9)]
    measured = [number(value, metric=metric, **ELSEWHERE) for metric, value in honest]
    assert compare([number(metric=metric) for metric, _ in honest], measured).disagreements == ()
    (found,) = compare([number(0.5 + shift, metric=metric) for metric, _ in honest], measured).disagreements
    assert "all numbers of the ledger together" in str(found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"device": "NVIDIA H100", "versions": AMD}, {}),
        ({"device": "NVIDIA H100"}, {"device": "NVIDIA H100"}),
        ({"versions": {"torch": "2"}}, {}),
        ({}, {"device": "CPU (NEON, 2 threads)", "versions": {"processor": "0xd0c", "torch": "2"}}),
    ],
    ids=["gpu", "gpus", "unknown", "arm"],
)
def test_where_no_tolerance_was_measured_it_has_to_be_asked_for(old, new):
    with pytest.raises(InputError, match="such as --tolerance"):
        compare([number(**old)], [number(**new)])
    assert compare([number(**old)], [number(0.529, **new)], absolute=0.05).disagreements == ()
    assert compare([number(**old)], [number(0.56, **new)], absolute=0.05).disagreements


@pytest.mark.parametrize("ends", [{}, {"low": None, "high": None}], ids=["interval", "none"])
def test_the_stated_tolerances_hold(ends):
    """A narrow interval leaves a number the tolerance asked for; one without, which no sample stands behind, more."""
    room = 0.2 if ends else 0.04
    old = number(versus=None, **ends)
    for value, agrees in ((0.499 + room, True), (0.501 + room, False)):
        new = number(value, versus=None, **ELSEWHERE, **ends)
        assert (compare([old], [new], absolute=0.04).disagreements == ()) is agrees


def test_a_value_changed_by_hand_is_named_on_any_machine():
    """However little: its own seeds do not give it any more."""
    changed = replace(number(), value=0.5001)
    verdict = compare([changed], [number(**ELSEWHERE)])
    assert verdict.rule == "tolerance"
    (found,) = verdict.disagreements
    assert str(found).startswith(
        "wardrobe test parser map (scores): value, by its own seeds, was published as 0.5001 and"
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"n": 33}, "n"),
        ({"split_hash": "1" * 12}, "split_hash"),
        ({"seeds": [1]}, "seeds"),
        ({"low": 0.42}, "low"),
        ({"versus": None}, "value of the difference to whole"),
        ({"versus": {"method": "whole", "value": 0.2, "low": 0.05, "high": 0.15}}, "value of the difference to whole"),
    ],
)
def test_counts_splits_intervals_and_differences_are_compared_too(change, field):
    for place in ({}, ELSEWHERE):
        verdict = compare([number()], [number(**change, **place)])
        assert field in {one.field for one in verdict.disagreements}


def test_a_number_that_is_missing_on_either_side_is_named():
    more = number(metric="ap_all")
    (lost,) = compare([number(), more], [number()]).disagreements
    assert str(lost) == "wardrobe test parser ap_all (scores): value was published as 0.5 and is not at all"
    (new,) = compare([number()], [number(), more]).disagreements
    assert "published as not at all and is 0.5" in str(new)


def test_a_ledger_changed_within_the_tolerance_after_it_came_out_bit_for_bit_is_named():
    """Seen to pass: one value moved by 0.01, and the processor or a package's version changed beside it."""
    forged = number(0.51, versions={"processor": "AMD EPYC 7B13", "torch": "1"}, device="CPU (AVX2, 2 threads)")
    verdict = compare([forged], [number()])
    assert (verdict.rule, verdict.disagreements) == ("tolerance", ())
    receipt = Receipt("table1", "a" * 12, "2026-01-01 00:00", "exact", 1, 0.0, [], 1.0, "abc1234", {}, "CPU")
    (changed,) = as_sealed(verdict, receipt, "b" * 12).disagreements
    assert str(changed) == (
        "the ledger of table1: sha256, that came out bit for bit on 2026-01-01 00:00, was published as aaaaaaaaaaaa "
        "and is bbbbbbbbbbbb"
    )
    for kept, ledger in ((receipt, "a" * 12), (None, "b" * 12)):
        assert as_sealed(verdict, kept, ledger) == verdict
    exact = compare([number()], [number()])
    assert as_sealed(exact, receipt, "b" * 12) == exact


def test_a_receipt_keeps_those_of_other_experiments(tmp_path):
    results.write([number()], tmp_path, "smoke", "table1")
    first, second = (
        Receipt(name, "abc", "2026-01-01 00:00", "exact", 1, 0.0, [], 3.0, "abc1234", {"torch": "2"}, "CPU")
        for name in ("table1", "attention")
    )
    write_receipt(tmp_path, "smoke", [first])
    write_receipt(tmp_path, "smoke", [second])
    write_receipt(tmp_path, "smoke", [replace(first, differing=["x"])])
    attention, table1 = read_receipt(tmp_path, "smoke")
    assert attention == second
    assert not table1.agrees


def test_a_damaged_receipt_says_what_to_do(tmp_path):
    path = tmp_path / "results" / "receipts" / "smoke.json"
    path.parent.mkdir(parents=True)
    path.write_text('[{"experiment": "table1"}]')
    with pytest.raises(InputError, match="run `fashionlib verify --profile smoke`"):
        read_receipt(tmp_path, "smoke")


def test_a_profile_of_another_data_set_asks_for_its_folder():
    with pytest.raises(InputError, match="needs its data"):
        verify("ccp")
