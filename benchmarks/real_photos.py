"""The packaged model on photos as people have them: closet photos by unseen senders, a shop's catalogue, CCP.

python -m benchmarks.real_photos --data FOLDER, where FOLDER holds `ccp`, `closet` and `catalogue`

Closet: queries are test senders' photos, the gallery those of the training senders. Catalogue: queries are backs and
close-ups of the test half's styles, the gallery every main photo. Beside them stand features with nothing trained: the
untouched backbone's pooled 1,280 numbers, generalised-mean pooling (GeM) and horizontal stripes, concatenated.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from jaxtyping import Float
from torch import Tensor

from benchmarks.calibration import expected_calibration_error
from fashionlib.core.console import command, guarded
from fashionlib.data import load
from fashionlib.data.base import Dataset, Sample, split_hash
from fashionlib.data.catalogue import Catalogue
from fashionlib.experiments.profile import load_profile, project_root
from fashionlib.gallery.extract import Decoded, decoded, open_model, see_maps, trunk_maps_of
from fashionlib.gallery.gallery import collection_of, threshold_of
from fashionlib.ledger.ledger import Entry, entry, write
from fashionlib.metrics.bootstrap import Interval, mean_interval
from fashionlib.metrics.retrieval import first_hit_ranks, hit_rate
from fashionlib.metrics.tagging import average_precision_all, mean_average_precision
from fashionlib.models.pretrained import DEFAULT, model_folder
from fashionlib.models.tagger import Tagger
from fashionlib.retrieval.collection import Collection
from fashionlib.retrieval.part_features import PartFeatures
from fashionlib.retrieval.ranking import rank_parts, rank_whole
from fashionlib.retrieval.recommend import recommend_parts, recommend_together

EXPERIMENT, PROFILE = "real_photos", "street-shop-closet"
CONTROL = "backbone"
BATCH, FIRST, RANKS = 16, 10, 50
TOPS = ("mh", "mj", "ms", "mt", "wh", "wj", "ws", "wt")  # styles of tops, which the shop photographs without shoes
GEM, STRIPES = 3.0, 4


@dataclass(frozen=True)
class Seen:
    """A data set as the model and the controls see it."""

    photos: Collection
    features: Float[Tensor, "photos steps f"]
    controls: dict[str, Float[Tensor, "photos _f"]]
    ids: tuple[str, ...]


@torch.inference_mode()
def look(model: Tagger, dataset: Dataset) -> Seen:
    """Every photo of `dataset`, in order."""
    arrays, controls, features = [], [], []
    for _, batch, maps in in_batches(model, dataset):
        seen, output = see_maps(model, maps, batch)
        arrays.append(seen)
        features.append(output.features)
        controls.append(untouched(model, maps))
    joined = {name: torch.from_numpy(np.concatenate([each[name] for each in arrays])) for name in arrays[0]}
    names = {name: torch.cat([each[name] for each in controls]) for name in controls[0]}
    return Seen(collection_of(joined, model, dataset.ids), torch.cat(features), names, dataset.ids)


def untouched(model: Tagger, maps: Float[Tensor, "b d y x"]) -> dict[str, Float[Tensor, "b _f"]]:
    """Controls of which nothing is trained for fashion, see `pooled`."""
    descriptor = model.head.descriptor
    deepest = maps[:, : sum(descriptor.blocks[1:])][:, -descriptor.blocks[-1] :]
    return pooled(descriptor.lift(deepest).clamp(0, 6))


def pooled(lifted: Float[Tensor, "b 1280 y x"]) -> dict[str, Float[Tensor, "b _f"]]:
    """The classifier's channels averaged, by generalised mean, and averaged in horizontal stripes; at length 1."""
    stripes = F.adaptive_avg_pool2d(lifted, (STRIPES, 1)).flatten(1)
    gem = lifted.clamp(min=1e-6).pow(GEM).mean((2, 3)).pow(1 / GEM)
    found = {CONTROL: lifted.mean((2, 3)), "gem": gem, "stripes": stripes}
    return {name: F.normalize(each, dim=1) for name, each in found.items()}


def in_batches(model: Tagger, dataset: Dataset) -> Iterator[tuple[list[Sample], list[Decoded], Tensor]]:
    """The data set's photos in order, as they are, as the network takes them, and as the trunk's maps."""
    for start in range(0, len(dataset), BATCH):
        samples = [dataset[index] for index in range(start, min(start + BATCH, len(dataset)))]
        batch = [decoded(one.image, model.image_size) for one in samples]
        yield samples, batch, trunk_maps_of(model, batch)


def closet_numbers(model: Tagger, root: Path, seed: int) -> dict[tuple[str, str], np.ndarray]:
    """By method and metric, a value per photo of the test senders."""
    queries, known = (load("closet", root, split, split_seed=seed) for split in ("test", "train"))
    query, gallery = look(model, queries), look(model, known)
    own, others = (np.array([row.label for row in each.rows]) for each in (queries, known))
    names, right, rows, together = np.array(model.labels), [], [], []
    for photo in range(len(queries)):
        right.append(names[query.photos.scores[photo].argmax()] == own[photo])
        found = recommend_parts(
            query.photos,
            photo,
            gallery.photos,
            per_part=FIRST,
            diversity=0.5,
            min_score=threshold_of(model),
            merge=True,
        )
        rows.append(_share(others, [each.photo for each in found[0].looks] if found else [], own[photo]))
        answers = recommend_together(query.photos, photo, gallery.photos, k=FIRST, min_score=threshold_of(model))
        together.append(_share(others, [each.photo for each in answers], own[photo]))
    values = {
        ("shipped", "first_tag"): right,
        ("shipped", "precision10"): together,
        ("shipped-row", "precision10"): rows,
    }
    for name, features in query.controls.items():
        ranking = rank_whole(features, gallery.controls[name], k=FIRST).indices.numpy()
        values[name, "precision10"] = (others[ranking] == own[:, None]).mean(1).tolist()
    return {key: np.array(value, dtype=float) for key, value in values.items()}


def _share(classes: np.ndarray, photos: list[int], own: str) -> float:
    """Share of FIRST places that hold a photo of the query's class; an empty place holds none."""
    return float((classes[photos] == own).sum() / FIRST) if photos else 0.0


def catalogue_numbers(
    model: Tagger, root: Path, half: str = "test"
) -> tuple[dict[str, np.ndarray], Float[np.ndarray, " tops"]]:
    """By method, the rank of each query's first hit; and the scores of "shoes" on tops."""
    queries, mains = (
        Catalogue(root, f"inshop_{side}", half=part) for side, part in (("query", half), ("gallery", "all"))
    )
    query, gallery = look(model, queries), look(model, mains)
    ranked = {name: rank_whole(each, gallery.controls[name], k=RANKS).indices for name, each in query.controls.items()}
    sides = [
        PartFeatures(
            each.features, each.photos.parts.best_step, each.photos.parts.assigned, torch.from_numpy(each.photos.scores)
        )
        for each in (query, gallery)
    ]
    ranked["shipped-parts"] = rank_parts(sides[0], sides[1], k=RANKS, fallback="whole").indices
    ranked["shipped"] = torch.full((len(queries), RANKS), -1)
    for photo in range(len(queries)):
        found = recommend_together(query.photos, photo, gallery.photos, k=20, min_score=threshold_of(model))
        ranked["shipped"][photo, : len(found)] = torch.tensor([each.photo for each in found])
    own, others = np.array(queries.products()), np.array(mains.products())
    hits = {name: first_hit_ranks(each, own, others) for name, each in ranked.items()}
    shoes = model.labels.index("shoes")
    tops = [
        each.photos.scores[photo, shoes] for each in (query, gallery) for photo, id_ in enumerate(each.ids)
        if id_[:2].lower() in TOPS and id_[2:3].isdigit()
    ]  # fmt: skip
    return hits, np.array(tops)


def measure(data: Path, name: str = DEFAULT, resamples: int = 1000) -> list[Entry]:
    """All numbers of the model `name`, written to the ledger."""
    started, profile = time.perf_counter(), load_profile(PROFILE, data=data)
    seed, model = profile.seeds[0], open_model(model_folder(name))
    made: list[Entry] = []

    def add(dataset: Dataset, method: str, metric: str, interval: Interval, how: str, versus: Any = None) -> None:
        about = {"experiment": EXPERIMENT, "profile": PROFILE, "dataset": dataset.name, "split": "test"}
        about |= {"seeds": [seed], "n": len(dataset), "split_hash": split_hash(dataset.ids)}
        about |= {"method": method, "metric": metric}
        seconds = time.perf_counter() - started
        made.append(entry(**about, protocol=how, versus=versus, seconds=seconds, **asdict(interval)))

    closet = load("closet", data / "closet", "test", split_seed=seed)
    values = closet_numbers(model, data / "closet", seed)
    for (method, metric), each in values.items():
        other = values.get((CONTROL, metric))
        add(
            closet,
            method,
            metric,
            *_both(_mean, each, other, method, resamples, "unseen senders against training ones"),
        )
    hits, shoes = catalogue_numbers(model, data / "catalogue")
    queries = Catalogue(data / "catalogue", "inshop_query", half="test")
    for method, ranks in hits.items():
        for k in (1, 20):
            rate = partial(hit_rate, k=k)
            how = "test styles' backs and close-ups against every main photo; hit@k of the style"
            add(queries, method, f"top{k}", *_both(rate, ranks, hits[CONTROL], method, resamples, how))
    false = (shoes >= model.threshold).astype(float)
    how = f"shoes scored at or above the threshold {model.threshold} on tops photographed without shoes"
    add(queries, "shipped", "false_shoes", mean_interval(_mean, [(false,)], resamples=resamples, centre=False), how)
    made += _street(model, data, seed, add)
    write(made, project_root(), PROFILE, EXPERIMENT)
    return made


def _both(
    statistic: Callable[..., Any], own: np.ndarray, other: np.ndarray | None, method: str, resamples: int, how: str
) -> tuple[Interval, str, dict | None]:
    """The interval, the protocol, and the paired difference to the untouched backbone."""
    interval = mean_interval(statistic, [(own,)], resamples=resamples, centre=False)
    if other is None or method == CONTROL:
        return interval, how, None
    gain = mean_interval(statistic, [(own,)], minus=[(other,)], resamples=resamples, centre=False)
    return interval, how, {"method": CONTROL, **asdict(gain)}


def _mean(values: np.ndarray, weights: np.ndarray | None = None) -> Any:
    return values.mean() if weights is None else (weights @ values) / weights.sum(1)


def _street(model: Tagger, data: Path, seed: int, add: Callable[..., None]) -> list[Entry]:
    """CCP's test photos: tags, and how calibrated they are."""
    photos = load("ccp", data / "ccp", "test", split_seed=seed)
    targets = photos.targets()
    columns = [model.labels.index(label) for label in photos.labels]
    scores = look(model, photos).photos.scores[:, columns]
    for metric, value in (("ap_all", average_precision_all), ("map", mean_average_precision)):
        add(photos, "shipped", metric, mean_interval(value, [(scores, targets)], resamples=200), "scores, one view")
    error = expected_calibration_error(scores.ravel(), targets.ravel() > 0)
    add(photos, "shipped", "ece", Interval(error, None, None), "10 bins over all pairs of photo and label")  # pyright: ignore[reportArgumentType]
    return []


def main(
    data: Annotated[Path, typer.Option(help="The folder that holds `ccp`, `closet` and `catalogue`.")],
    model: Annotated[str, typer.Option(help="A model that comes with the package, or a folder.")] = DEFAULT,
) -> None:
    """Measure and print; the ledger keeps it."""
    for one in measure(data, model):
        gain = "  {value:+.3f} over {method}, {low:+.3f} to {high:+.3f}".format(**one.versus) if one.versus else ""
        print(f"{one.dataset:10} {one.method:14} {one.metric:12} {one.value:.3f}{gain}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(main)))
