"""Tables and closing sentences of the notebooks, computed from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fashionlib.core import names
from fashionlib.data.base import split_hash
from fashionlib.data.store import Photos
from fashionlib.experiments.ablation import gains
from fashionlib.experiments.attention import Looks
from fashionlib.experiments.methods import run_folder, training_seconds
from fashionlib.experiments.profile import Profile
from fashionlib.ledger.ledger import Entry
from fashionlib.models.tagger import HEADS, Tagger
from fashionlib.retrieval.collection import Row


def split_table(splits: Mapping[str, Photos]) -> pd.DataFrame:
    """Photos, tags per photo and the split's hash, one row per split."""
    rows = {
        name: {"photos": len(photos), "tags per photo": round(float(photos.tags.sum(1).mean()), 2),
               "split hash": split_hash(photos.ids)}
        for name, photos in splits.items()
    }  # fmt: skip
    return pd.DataFrame(rows).T


def label_table(splits: Mapping[str, Photos]) -> pd.DataFrame:
    """How many photos of each split carry each label, the commonest first."""
    first = next(iter(splits.values()))
    counts = {name: photos.tags.sum(0).astype(int) for name, photos in splits.items()}
    table = pd.DataFrame(counts, index=pd.Index(first.labels, name="label"))
    return table.sort_values(next(iter(counts)), ascending=False, kind="stable")


def sentence_about(splits: Mapping[str, Photos]) -> str:
    """How many labels, how rare the rarest are."""
    table = label_table(splits)
    train = table["train"]
    rare = [str(label) for label, count in train.to_dict().items() if count < 0.02 * len(splits["train"])]
    listed = f": {', '.join(rare[:8])}{' …' if len(rare) > 8 else ''}" if rare else ""
    return (
        f"{len(table)} labels, from **{train.index[0]}** on {train.iloc[0]} training photos down to "
        f"**{train.index[-1]}** on {train.iloc[-1]}; {len(rare)} of them are on fewer than 2% of the photos{listed}."
    )


def budget_table(profile: Profile, method: str, model: Tagger) -> pd.DataFrame:
    """What the method was given: photos, size, epochs, parameters, seconds."""
    options = profile.training_of(method)
    facts = {
        "data": names.dataset(profile.data.name), "image size": "×".join(map(str, profile.image_size)),
        "backbone": f"{profile.trunk.name}, {'frozen' if profile.trunk.frozen else 'trained'}",
        "trained parameters": f"{sum(p.numel() for p in model.head.parameters()):,}",
        "epochs": options.epochs, "batch": options.batch, "peak learning rate": options.learning_rate,
        "seconds by seed": ", ".join(f"{seconds:.0f}" for seconds in training_seconds(profile, method)),
    }  # fmt: skip
    return pd.DataFrame({"value": {name: str(fact) for name, fact in facts.items()}})


def sentence_about_training(profile: Profile, method: str) -> str:
    """Which epoch was kept, by seed."""
    kept = []
    for seed in profile.seeds:
        history = pd.read_csv(run_folder(profile, method, seed) / "history.csv")
        if "val_map" not in history:
            kept.append(f"seed {seed}: the last of {len(history)} epochs, no photo held out")
            continue
        best = history.loc[(history["val_ap_all"] + history["val_map"]).idxmax()]
        kept.append(
            f"seed {seed}: epoch {int(best.epoch)} of {len(history)}, "
            f"validation AP_all {best.val_ap_all:.3f}, mAP {best.val_map:.3f}"
        )
    return "Kept: " + "; ".join(kept) + "."


def entries_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """One row per method (and task), one column per metric: value with its 95% interval."""
    rows: dict[str, dict[str, str]] = {}
    several = len({entry.experiment for entry in entries}) > 1
    for entry in entries:
        of = names.method(entry.method)
        name = f"{names.task(entry.experiment, entry.dataset)}, {of}" if several else of
        span = "" if entry.low is None else f" [{entry.low:.3f}, {entry.high:.3f}]"
        rows.setdefault(name, {})[names.metric(entry.metric)] = f"{entry.value:.3f}{span}"
    return pd.DataFrame(rows).T.fillna("")


def differences_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """One method minus another, in points with the 95% interval: one row per pair of methods, one column per metric."""
    rows: dict[str, dict[str, str]] = {}
    for one in entries:
        metric, _, control = one.metric.partition("_over_")
        if control and one.low is not None and one.high is not None:
            value, low, high = (100 * part for part in (one.value, one.low, one.high))
            name = f"{names.method(one.method)} − {names.method(control)}"
            rows.setdefault(name, {})[names.metric(metric)] = f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
    return pd.DataFrame(rows).T


def _side(low: float, high: float, above: str, below: str, neither: str, zero: float = 0.0) -> str:
    """The words for an interval above, below, or around zero."""
    return above if low > zero else below if high < zero else neither


def sentence_about_gain(entries: Sequence[Entry], metric: str) -> str:
    """By how much `parser`, or the best one where it was not measured, is above or below the rival in its entry, and
    whether the interval excludes zero.
    """
    measured = [each for each in entries if each.metric == metric]
    entry = max(measured, key=lambda each: (each.method == "parser", each.value))
    method, versus = entry.method, entry.versus
    if versus is None:
        return f"{names.method(method)}: {names.metric(metric)} {entry.value:.3f}; the profile has no control."
    value, low, high = (100 * versus[key] for key in ("value", "low", "high"))
    searched = entry.experiment in names.TASKS
    task = names.task(entry.experiment, entry.dataset) if searched else "Tagging"
    return (
        f"{task} on {names.dataset(entry.dataset)}: {names.method(method)} has {names.metric(metric)} "
        f"**{entry.value:.3f}**, **{value:+.1f} points** against {names.method(versus['method'])} (95% interval "
        f"{low:+.1f} to {high:+.1f}, {entry.n} {'queries' if searched else 'test photos'}, "
        f"{len(entry.seeds)} {'seed' if len(entry.seeds) == 1 else 'seeds'}). "
        f"The paired interval {_side(low, high, 'lies above', 'lies below', 'includes')} zero."
    )


def sentence_about_training_data(profile: Profile) -> str:
    """Which methods of Fig. 3 learned from tags, which from which photos show the same product, and of which data."""
    learned: dict[tuple[bool, str], dict[str, None]] = {}
    for task in profile.retrieval:
        for method, trainer in profile.rankers(task).items():
            head, _ = HEADS[trainer.method(method).kind]
            identity = bool({"main", "products"} & {*getattr(head, "needs", ())})
            learned.setdefault((identity, trainer.data.name), {})[names.method(method)] = None
    return " ".join(
        f"{', '.join(methods)}: trained on tags {'and products' if identity else 'alone'}, of {names.dataset(data)}."
        for (identity, data), methods in learned.items()
    )


def sentence_about_rows(answers: Sequence[Sequence[Row]]) -> str:
    """How many parts each query was answered for, and with how many different photos."""
    parts = np.mean([len(rows) for rows in answers])
    looks = [look.photo for rows in answers for row in rows for look in row.looks]
    different = np.mean([len({look.photo for row in rows for look in row.looks}) for rows in answers])
    return (
        f"A query has {parts:.1f} rows on average, which show {different:.1f} different photos in "
        f"{len(looks) / max(len(answers), 1):.1f} places. Diversity is measured in its chapter."
    )


def sentence_about_own(photos: int, left_out: int, rows: Sequence[Row]) -> str:
    """How many photos of one's own were searched, for which parts, and with how many different answers."""
    if not rows:
        return f"None of the {photos} photos shares a label with this one."
    answers = {look.photo for row in rows for look in row.looks}
    return (
        f"Out of {photos} photos, {len(answers)} different ones answer for "
        f"**{', '.join(row.label for row in rows)}**; {left_out} could not be read."
    )


def sentence_about_attention(entries: Sequence[Entry]) -> str:
    """Pointing beside the mean box, on photos as they are and shifted, and whether boxes follow."""
    of = {entry.metric: entry for entry in entries if entry.method == "parser"}
    sentences = [] if "pointing" in of else ["No label has enough masks to measure pointing."]
    for end, words in (("", "as they are"), ("_moved", "scaled and shifted")) if not sentences else ():
        pointing, mean_box = of[f"pointing{end}"], of[f"pointing_mean_box{end}"]
        gain = pointing.versus or {"value": 0.0, "low": 0.0, "high": 0.0}
        sure = _side(gain["low"], gain["high"], "better than", "worse than", "not clearly better than")
        sentences.append(
            f"On photos {words} the winning box's centre lies on the garment in {pointing.value:.1%} of cases, the "
            f"centre of the label's mean box in {mean_box.value:.1%}: the network points **{sure}** that fixed guess "
            f"({100 * gain['value']:+.1f} points)."
        )
    sentences.append(
        f"The standard deviation of box centres over photos is {of['theta_std'].value:.3f} (the frame runs from −1 to "
        f"1), and the boxes of two steps have an IoU of {of['step_overlap'].value:.2f} on average. When the photo is "
        f"shifted, {of['following_steps'].value:.0%} of the steps follow by at least half of the shift on both axes "
        f"(slopes {of['follows_x'].value:.2f} horizontally, {of['follows_y'].value:.2f} vertically; a layout has 0)."
    )
    return " ".join(sentences)


def shown_winners(looks: Looks, photos: int) -> np.ndarray:
    """The winning steps of the first photos for the labels that they carry, at most four each; −1 elsewhere."""
    winners = np.full(looks.winners[:photos].shape, -1)
    for number in range(min(photos, len(winners))):
        carried = np.flatnonzero(looks.photos.tags[number])[:4]
        winners[number, carried] = looks.winners[number, carried]
    return winners


def sentence_about_diversity(entries: Sequence[Entry]) -> str:
    """Parts covered at equal relevance, and what each list covers; the same among photos with masks, where measured."""
    sentence = _about_lists([entry for entry in entries if entry.experiment == "diversity"])
    sentence = sentence[0].upper() + sentence[1:]
    looks = [entry for entry in entries if entry.experiment == "diversity_looks"]
    more = f"\n\nAmong photos with masks, where colours must match, too: {_about_lists(looks)}" if looks else ""
    return sentence + more


def _about_lists(entries: Sequence[Entry]) -> str:
    plain, ratios, covers = {(entry.method, entry.metric): entry for entry in entries}, [], []
    for method, words in (("together", "one list for all parts covers"), ("parts", "parts in turn cover")):
        if ratio := plain.get((method, "coverage_ratio@10")):
            low, high = ratio.low or 0.0, ratio.high or 0.0
            sure = _side(low, high, "more", "fewer", "no clearly different number", zero=1.0)
            ratios.append(f"{words} **{ratio.value:.2f} times** (95% interval {low:.2f} to {high:.2f}: {sure})")
    for method in ("together", "parts", "whole", "whole-together", "whole-mmr", "random"):
        if (method, "part_coverage@10") in plain:
            covered, relevant = (plain[method, f"{metric}@10"].value for metric in ("part_coverage", "relevance"))
            covers.append(f"{names.method(method)} {covered:.0%} (relevance {relevant:.0%})")
    count = plain["parts", "coverage_ratio@10"].n
    return (
        f"at the relevance of whole-picture look-alikes, {', and '.join(ratios)} as many of the query's parts "
        f"({count} queries). Covered by 10 photos: {', '.join(covers)}."
    )


def sentence_about_ablation(entries: Sequence[Entry]) -> str:
    """What all changes gain together, which help in both networks, which cost in one, and which have no effect."""
    found = gains(entries)
    value, low, high = (100 * part for part in found.pop("all together")["added"])
    words = [f"All changes together gain **{value:+.1f} points** of AP all (95% interval {low:+.1f} to {high:+.1f})."]
    ends = {name: [triple[1:] for triple in of.values()] for name, of in found.items()}
    for says, holds in (
        ("help in both networks", lambda spans: all(low > 0 for low, _ in spans)),
        ("cost in at least one", lambda spans: any(high < 0 for _, high in spans)),
        ("show no effect in either", lambda spans: all(low <= 0 <= high for low, high in spans)),
    ):
        if chosen := [names.CHANGES.get(name, name) for name, spans in ends.items() if holds(spans)]:
            words.append(f"These {says}: {'; '.join(chosen)}.")
    return " ".join(words)
