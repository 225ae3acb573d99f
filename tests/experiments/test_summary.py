"""Tables worded from ledger entries."""

from fashionlib.experiments.summary import differences_table
from fashionlib.ledger.ledger import entry


def measured(metric, value, low=None, high=None, method="parser"):
    return entry(
        experiment="table1", profile="p", dataset="d", split="test", split_hash="x", method=method, metric=metric,
        value=value, low=low, high=high, seeds=[0], n=3, protocol="p", seconds=1.0,
    )  # fmt: skip


def test_differences_stand_by_control_and_metric_in_points():
    entries = [
        measured("ap_all", 0.5, 0.4, 0.6), measured("ap_all_over_fixed", 0.031, 0.012, 0.05),
        measured("map_over_fixed", -0.01, -0.02, 0.0), measured("map_over_csra", 0.002, -0.001, 0.005),
        measured("map_over_siamese", 0.01, 0.005, 0.02, "triplet"),
    ]  # fmt: skip
    table = differences_table(entries)
    assert list(table.index) == ["Parser (ours) − Fixed stripes", "Parser (ours) − CSRA", "Triplet − Siamese"]
    assert table.loc["Parser (ours) − Fixed stripes", "AP all"] == "+3.1 [+1.2, +5.0]"
    assert table.loc["Parser (ours) − CSRA", "mAP"] == "+0.2 [-0.1, +0.5]"
