"""What no metric can measure is refused in words that name it: numbers of queries that differ, axes, values.

The calls are made in a process of their own: in this one jaxtyping checks shapes before the package does.
"""

import json
import subprocess
import sys
from functools import partial

import numpy as np

from fashionlib import metrics
from fashionlib.core.errors import InputError

FLAGS, SHOWN, LISTS = np.ones((3, 4, 2), bool), np.ones((3, 2), bool), np.arange(12).reshape(3, 4)
SCORES, TARGETS = np.ones((3, 2)), np.array([[1, 0], [0, 1], [1, 1]])
APART, BOXES, WINNERS = np.ones((12, 12)), np.tile([0, 0, 0.5, 1], (3, 2, 1)), np.zeros((3, 2), int)
CENTRES, THETA, PRODUCTS = np.ones((3, 2, 2)), np.ones((3, 4)), np.array(["a", "b", "a"])

# every metric with arguments that fit
GOOD = {
    "relevance_at_k": {"matches": FLAGS, "k": 2},
    "part_coverage_at_k": {"matches": FLAGS, "intents": SHOWN, "k": 2},
    "alpha_ndcg_at_k": {"matches": FLAGS, "gallery": FLAGS, "k": 2},
    "intra_list_distance_at_k": {"lists": LISTS, "apart": APART, "k": 2},
    "mean_value": {"values": np.ones(3), "weights": np.ones((5, 3))},
    "at_equal_relevance": {"values": np.ones((3, 6)), "weights": np.ones((5, 3))},
    "first_hit_ranks": {"ranking": LISTS % 4, "query_products": PRODUCTS, "gallery_products": np.array([*"aabcc"])},
    "top_k_accuracy": {"ranking": LISTS % 4, "query_products": np.arange(3), "gallery_products": np.arange(4),
                             "k": [1], "own": np.arange(3)},
    "recall_fraction_at_k": {"ranking": LISTS % 4, "query_products": np.arange(3),
                                   "gallery_products": np.arange(4), "k": [1]},
    "hit_rate": {"first_hits": np.arange(3), "k": 2, "weights": np.ones((5, 3))},
    "average_precision_all": {"scores": SCORES, "targets": TARGETS, "weights": np.ones((5, 3))},
    "mean_average_precision": {"scores": SCORES, "targets": TARGETS, "weights": np.ones((5, 3))},
    "top_k_assignments": {"scores": SCORES, "k": 1},
    "attention_statistics": {"boxes": BOXES, "winners": WINNERS, "targets": TARGETS},
    "following": {"centres": CENTRES, "moved": CENTRES, "theta": THETA},
    "mean_over_labels": {"values": SCORES, "weights": np.ones((5, 3)), "min_photos": 1},
    "centre_correlation": {"guessed": BOXES, "true": BOXES, "min_photos": 1},
    "winning_steps": {"steps": BOXES},
    "winning_boxes": {"boxes": BOXES, "winners": WINNERS},
    "hit": {"mask": SHOWN, "box": np.ones(4)},
    "compare": {"truths": [], "labels": ("a", "b"), "size": (2, 2), "guesses": {"mean": BOXES, "none": BOXES}},
}  # fmt: skip
FREE = {"gallery_products", "lists", "weights"}  # of another number of photos than the rest
RIGHT = {"mean_over_labels, values nan", "centre_correlation, true nan"}  # where nobody drew a mask


def broken(name, value):
    """The same argument in every way in which it cannot be measured."""
    if isinstance(value, dict):
        return {kind: {**value, "none": other} for kind, other in broken("guesses", value["none"]).items()}
    ways = {"of another dimension": value[None], "a number": np.array(1), "ragged": [[1, 2], [1]], "empty": value[:0]}
    if name not in FREE:
        ways["shorter"] = value[1:]
    if "products" not in name:
        ways["text"] = value.astype(str)
        ways["nan"] = np.where(np.indices(value.shape).sum(0) == 0, np.nan, value.astype(float))
    if name in ("lists", "ranking", "own", "winners"):
        ways |= {"beyond the last": value + 100, "below none": value - 50}
    return ways


def calls():
    for metric, good in GOOD.items():
        yield metric, partial(getattr(metrics, metric), **good)
        alone = sum(isinstance(value, (np.ndarray, dict)) for value in good.values()) == 1
        for name, value in good.items():
            if isinstance(value, (np.ndarray, dict)) and name != "mask":
                for way, other in broken(name, value).items():
                    lone = way == "shorter" and alone and isinstance(value, np.ndarray) and name != "box"
                    if not lone and f"{metric}, {name} {way}" not in RIGHT:
                        yield f"{metric}, {name} {way}", partial(getattr(metrics, metric), **{**good, name: other})


def outcome(call):
    try:
        return f"no error: {call()}"
    except InputError as error:
        return "" if len(str(error)) < 200 and "\n" not in str(error) else f"no line: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def test_whatever_cannot_be_measured_is_refused_by_name():
    done = subprocess.run([sys.executable, "-W", "error", __file__], capture_output=True, text=True, check=True)
    outcomes = json.loads(done.stdout)
    assert len(outcomes) > 300
    assert all(outcomes.pop(metric).startswith("no error") for metric in list(GOOD) if metric != "compare")
    assert {name: what for name, what in outcomes.items() if what} == {}


def test_differing_numbers_of_queries_are_both_named():
    """Seen to end in numpy's words about broadcasting."""
    call = "from fashionlib import metrics; import numpy as np; flags = np.ones((3, 4, 2), bool)"
    call += "\ntry: metrics.alpha_ndcg_at_k(flags, flags[:2], 2)\nexcept ValueError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    assert done.stdout == "gallery has 2 queries and matches 3: they must be the same queries\n"


if __name__ == "__main__":
    print(json.dumps({name: outcome(call) for name, call in calls()}))
