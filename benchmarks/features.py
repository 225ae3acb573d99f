"""What texture does: the compared features taken apart, each by parts, by the whole photo, and by both together.

python -m benchmarks.features --profile ccp --data FOLDER, where FOLDER holds `ccp` and `catalogue`

Profiles `ccp` and `street-shop-closet`: the packaged model, on the stand-in of CCP's test photos; `ccp` on the
catalogue's test half, too. Profiles on drawn photos, such as `quick`: the parser of the first seed, in-shop and
consumer to shop; and the same parser with the projected features of the default model, fitted to training photos.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from jaxtyping import Float, Int
from torch import Tensor

from benchmarks.real_photos import CONTROL, in_batches, pooled
from benchmarks.ship import classifier_layer, project, with_descriptor
from fashionlib.core.console import command, guarded
from fashionlib.data.base import Dataset, split_hash
from fashionlib.data.catalogue import Catalogue
from fashionlib.experiments.methods import compared, dataset_of, fit, inputs_of, photos_of, training_views
from fashionlib.experiments.profile import Profile, load_profile, project_root
from fashionlib.gallery.extract import open_model
from fashionlib.ledger.ledger import Entry, entry, write
from fashionlib.metrics.retrieval import first_hit_ranks, hit_rate
from fashionlib.models.pretrained import model_folder
from fashionlib.models.tagger import Tagger
from fashionlib.retrieval.ranking import rank_whole

EXPERIMENT, RANKS = "features", 50
CONTEXT = 0.7  # share of the whole photo in a squared distance, as in the packaged default model
HOW = {
    "parts": "mean over labels, weighted by the geometric mean of both photos' scores, of the distance at each label's "
    "best step",
    "whole": "distance of the whole photos",
    "together": f"as by parts, each step beside the whole photo, whose share of a squared distance is {CONTEXT}",
}


@dataclass(frozen=True)
class Seen:
    """Photos as a model and the controls see them.

    kinds: by name, features of the whole photo (row 0) and of each step. controls: one vector per photo, at length 1.
    """

    products: tuple[str, ...]
    scores: Float[Tensor, "photos labels"]
    best_step: Int[Tensor, "photos labels"]
    kinds: dict[str, Float[Tensor, "photos _rows _f"]]
    controls: dict[str, Float[Tensor, "photos _c"]]


@torch.inference_mode()
def see(model: Tagger, dataset: Dataset) -> Seen:
    """Every photo of `dataset`, in order."""
    products, rows, depths = [], [], sum(model.trunk.depths)  # pyright: ignore[reportArgumentType]
    for samples, _, maps in in_batches(model, dataset):
        output = model.head(maps)
        assert output.steps is not None
        found = {"scores": model.probabilities(output.scores), "best_step": output.steps.argmax(1)}
        rows.append({**found, **apart(model.head, maps, output), **controls(maps[:, :depths])})
        products += [one.product for one in samples]
    seen = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
    kinds = {name: each for name, each in seen.items() if each.ndim == 3}
    rest = {name: each for name, each in seen.items() if name not in {*kinds, "scores", "best_step"}}
    return Seen(tuple(map(str, products)), seen["scores"], seen["best_step"], kinds, rest)


def apart(head: Any, maps: Float[Tensor, "b d y x"], output: Any) -> dict[str, Float[Tensor, "b _rows _f"]]:
    """By kind of feature, the whole photo's (row 0) and the steps'."""
    if head.options.compare == "projected":
        whole, steps = head.separated(output.features)
        return {"projected": torch.cat([whole[:, None], steps], 1)}
    standard = head.standardise(maps)
    cells = standard[0, 0].numel()
    everything = torch.cat([output.attention.new_full((len(maps), 1, cells), 1 / cells), output.attention], 1)
    both, _ = head.compared(standard, everything)
    texture = head.options.codewords * head.depths[0]
    return {"texture": both[..., :texture], "attended": both[..., texture:]}


def controls(maps: Float[Tensor, "b d y x"]) -> dict[str, Float[Tensor, "b _f"]]:
    """Features of which nothing is trained for fashion: the classifier's 1,280 channels, see `pooled`."""
    weight, bias = classifier()
    return pooled(F.conv2d(maps[:, -weight.shape[1] :], weight, bias).clamp(0, 6))


@cache
def classifier() -> tuple[Tensor, Tensor]:
    return classifier_layer()


def first_hits(query: Seen, gallery: Seen) -> dict[str, Int[np.ndarray, " queries"]]:
    """By method, the rank of each query's first hit; methods are called KIND-parts, KIND-whole and KIND-together."""
    k = min(RANKS, len(gallery.products))
    found = {name: each.argsort(dim=1, stable=True)[:, :k] for name, each in distances(query, gallery).items()}
    found |= {name: rank_whole(each, gallery.controls[name], k=k).indices for name, each in query.controls.items()}
    own, others = np.array(query.products), np.array(gallery.products)
    return {name: first_hit_ranks(each, own, others) for name, each in found.items()}


def distances(query: Seen, gallery: Seen) -> dict[str, Float[Tensor, "queries gallery"]]:
    """Of every query and gallery photo, by method: those of `rank_parts`, of all kinds at once.

    Squared distances of texture and of attended features add up to those of both.
    """
    sides = (query, gallery)
    whole = with_both({kind: squares(*(each.kinds[kind][:, 0] for each in sides)) for kind in query.kinds})
    found = {f"{kind}-whole": each.sqrt() for kind, each in whole.items()}
    found |= {f"{kind}-{how}": torch.zeros_like(each) for kind, each in whole.items() for how in ("parts", "together")}
    ours, theirs = (each.scores.float().sqrt() for each in sides)
    shared = ours @ theirs.T
    for label in range(ours.shape[1]):
        weight = ours[:, label, None] * theirs[:, label] / shared
        steps = [each.best_step[:, label] + 1 for each in sides]  # row 0 is the whole photo
        pairs = {
            kind: [each.kinds[kind][torch.arange(len(step)), step] for each, step in zip(sides, steps, strict=True)]
            for kind in query.kinds
        }
        for kind, parts in with_both({kind: squares(*pair) for kind, pair in pairs.items()}).items():
            found[f"{kind}-parts"] += weight * parts.sqrt()
            found[f"{kind}-together"] += weight * torch.lerp(parts, whole[kind], CONTEXT).sqrt()
    return found


def squares(a: Float[Tensor, "queries f"], b: Float[Tensor, "gallery f"]) -> Float[Tensor, "queries gallery"]:
    """Squared distances of all pairs."""
    return (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp(min=0)


def with_both(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Squared distances of texture and of attended features, and of both where they are at hand."""
    return {**found, "both": found["texture"] + found["attended"]} if "texture" in found else found


def models(profile: Profile) -> list[Tagger]:
    """Those whose features are compared: packaged ones on real photos, else the profile's parser, and it projected."""
    if profile.data.name != "wardrobe":
        return [open_model(model_folder(profile.name))]
    seed = profile.seeds[0]
    trained, photos = fit(profile, "parser", seed), photos_of(profile, "train", seed)
    projected = with_descriptor(trained, whole_share=0.0, alone_share=0.0)
    inputs = inputs_of(profile, photos, training_views(profile.training_of("parser")))
    project(projected.head.descriptor, inputs, photos)  # pyright: ignore[reportArgumentType]
    return [trained.eval(), projected.eval()]


def tasks(profile: Profile, data: Path | None) -> Iterator[tuple[str, str, Dataset, Dataset]]:
    """Data set, split, queries and gallery."""
    seed = profile.seeds[0]
    if profile.data.name == "wardrobe":
        for task in ("inshop", "c2s"):
            queries, gallery = (dataset_of(profile, f"{task}_{side}", seed) for side in ("query", "gallery"))
            yield "wardrobe", f"{task}_query", queries, gallery
        return
    assert data is not None
    street = load_profile("ccp", data=str(data / "ccp"))
    yield "ccp", "c2s_query", dataset_of(street, "c2s_query", seed), dataset_of(street, "c2s_gallery", seed)
    if profile.name != "ccp":  # on the catalogue the default model is measured by `benchmarks.real_photos`
        return
    gallery = Catalogue(data / "catalogue", "inshop_gallery")
    yield "catalogue", "test", Catalogue(data / "catalogue", "inshop_query", half="test"), gallery


def measure(profile: Profile, data: Path | None, resamples: int = 1000) -> list[Entry]:
    """Every kind of feature on every task; written to the ledger."""
    started, made, compared = time.perf_counter(), [], models(profile)
    for dataset, split, queries, gallery in tasks(profile, data):
        hits: dict[str, np.ndarray] = {}
        for model in compared:
            hits |= first_hits(*(see(model, side) for side in (queries, gallery)))
        shared = {
            "experiment": EXPERIMENT, "profile": profile.name, "dataset": dataset, "split": split,
            "split_hash": split_hash(queries.ids), "seeds": [profile.seeds[0]], "n": len(queries),
            "counts": {"gallery": len(gallery)},
        }  # fmt: skip
        for row in rows(hits, resamples):
            made.append(entry(**shared, **row, seconds=time.perf_counter() - started))
            print(dataset, split, row["method"], row["metric"], round(row["value"], 3), row.get("versus"), flush=True)
    write(made, project_root(), profile.name, EXPERIMENT)
    return made


def rows(hits: Mapping[str, np.ndarray], resamples: int) -> Iterator[dict[str, Any]]:
    """Top 1 and top 20 of every method, each paired with its rival; top 20 of the projected features with every other.

    Texture, alone or beside attended features, is paired with attended features alone, the others with the backbone.
    """
    runs = {method: [(each,)] for method, each in hits.items()}
    for method in hits:
        kind, _, how = method.partition("-")
        words = f"hit@k, whole gallery; {HOW.get(how, 'cosine of the pooled channels')}"
        yield from compared(
            method, runs, {f"top{k}": (words, partial(hit_rate, k=k)) for k in (1, 20)}, over=["top20"],
            rival=f"attended-{how}" if kind in ("texture", "both") else CONTROL,
            others=[*hits] if method == "projected-together" else (), resamples=resamples, centre=False,
        )  # fmt: skip


def main(
    profile: Annotated[str, typer.Option(help="ccp, street-shop-closet, or one on drawn photos.")] = "ccp",
    data: Annotated[Path | None, typer.Option(help="The folder that holds `ccp` and `catalogue`.")] = None,
) -> None:
    """Measure, print, and write the ledger."""
    measure(load_profile(profile, data=str(data or "")), data)


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(main)))
