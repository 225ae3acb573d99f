"""What the paper's own data would cost: photos a second, hours and memory, before anybody has a GPU.

`python -m benchmarks.planning FOLDER-OF-PHOTOS` counts the arithmetic of the profile `paper`'s network,
measures it on this processor, and reckons from both what other machines would need: results/planning/planning.json.
An estimate: the cards were not used.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.costs import Arithmetic, Measured, arithmetic, measured
from fashionlib.core.errors import InputError
from fashionlib.data.published.registry import PUBLISHED
from fashionlib.experiments.profile import Profile, load_profile, project_root
from fashionlib.ledger.ledger import Entry, entry, write

METHOD = "parser-paper"
RUNTIME_GB = 1.0  # of Python, PyTorch and its libraries; assumed
CORES, SCALING = 8, 0.6  # a laptop's, each as fast as the one measured; eight do less than eight times as much; assumed


@dataclass(frozen=True)
class Card:
    """peak: TFLOP a second in the precision that the profile takes there. bandwidth: GB a second. memory: GB.

    width: bytes of a number in that precision. use: the share of peak and bandwidth that is reached; assumed.
    """

    peak: float
    bandwidth: float
    memory: float
    width: int
    use: float
    source: str


CARDS = {
    "p5000": Card(8.9, 288.0, 16.0, 4, 0.5, "Quadro P5000: 2560 cores x 2 x 1.73 GHz, 9 Gbps x 256 bit (AnandTech)"),
    "h100": Card(989.0, 3350.0, 80.0, 2, 0.4, "H100 SXM, dense bf16: NVIDIA, half of its 1979 with sparsity"),
}  # fmt: skip


@dataclass(frozen=True)
class Photos:
    """How many photos of a data set are trained on, validated on each epoch, and there are in all."""

    trained: int
    validated: int
    all: int


def photos_in(counts: Mapping[str, int]) -> Photos:
    """From the published counts. Where no number of training photos is published, all that are not tested on."""
    parts = [counts.get(f"{split} photos", 0) for split in ("train", "val", "test")]
    there = counts.get("photos", sum(parts))
    return Photos(parts[0] or there - parts[1] - parts[2], parts[1], there)


DATASETS = {
    name: photos_in(PUBLISHED[name].counts)
    for name in ("fashion144k", "fashion550k", "deepfashion_inshop", "deepfashion_c2s", "deepfashion_attributes")
}


def seconds_a_photo(card: Card, tera_flop: float, gigabytes: float) -> float:
    """The slower of computing and moving numbers: TFLOP over what is reached of the peak, or GB (in fp32) likewise."""
    return max(tera_flop / card.peak, gigabytes * card.width / 4 / card.bandwidth) / card.use


def memory_gb(network: Arithmetic, micro_batch: int, width: int) -> float:
    """Weights, gradients and Adam's two means in fp32; what a part of a batch keeps for its gradients; the runtime."""
    return 4 * network.weights_gb + micro_batch * network.kept_gb * width / 4 + RUNTIME_GB


def hours(photos: Photos, epochs: int, training: float, reading: float) -> float:
    """Of `epochs`, each of which trains on all training photos and reads the validation photos; seconds a photo."""
    return epochs * (photos.trained * training + photos.validated * reading) / 3600


def planning(profile: Profile, network: Arithmetic, here: Measured) -> list[Entry]:
    """Every number of the page, each with what it is: counted, measured or reckoned."""
    training = profile.training_of(METHOD)
    speeds = {"laptop": (here.training_s / (CORES * SCALING), here.reading_s / (CORES * SCALING))}
    for name, card in CARDS.items():
        speeds[name] = (
            seconds_a_photo(card, network.training_tflop, network.training_gb),
            seconds_a_photo(card, network.reading_tflop, network.reading_gb),
        )
    rows = _basis(network, here, profile)
    for machine, (slow, fast) in speeds.items():
        width = CARDS[machine].width if machine in CARDS else 4
        rows += [
            (machine, "training_photos_s", 1 / slow, "estimate", "photos/s"),
            (machine, "reading_photos_s", 1 / fast, "estimate", "photos/s"),
            (machine, "memory_gb", memory_gb(network, training.micro_batch or training.batch, width), "estimate", "GB"),
        ]
        for name, photos in DATASETS.items():
            whole = hours(photos, training.epochs, slow, fast)
            rows.append((machine, f"{name}_training_hours", whole, "estimate", "h"))
            rows.append((machine, f"{name}_features_hours", photos.all * fast / 3600, "estimate", "h"))
    return [_entry(row, here) for row in rows]


Row = tuple[str, str, float | int, str, str]


def _basis(network: Arithmetic, here: Measured, profile: Profile) -> list[Row]:
    """What the estimates are made from."""
    counted = "counted on one photo with torch.utils.flop_counter and a count of all operands"
    rows: list[Row] = [
        ("network", "reading_gflop", 1000 * network.reading_tflop, counted, "GFLOP"),
        ("network", "training_gflop", 1000 * network.training_tflop, counted, "GFLOP"),
        ("network", "reading_gb", network.reading_gb, counted, "GB"),
        ("network", "training_gb", network.training_gb, counted, "GB"),
        ("network", "kept_gb", network.kept_gb, "tensors kept for the gradients of one photo, fp32", "GB"),
        ("network", "weights_m", network.weights_gb / 4 * 1000, "counted", "million"),
        ("here", "training_s", here.training_s, "measured: processor time a photo, one thread", "s"),
        ("here", "reading_s", here.reading_s, "measured: processor time a photo, one thread", "s"),
        ("here", "gflop_s", 1000 * network.training_tflop / here.training_s, "measured", "GFLOP/s"),
        ("here", "decoded_photos_s", here.decoded_photos_s, "measured: JPEG to the profile's size, one thread", "1/s"),
        ("here", "cached_photos_s", here.cached_photos_s, "measured: the same photos from the cache", "1/s"),
        ("here", "peak_gb", here.peak_gb, f"measured: a process that trains, batch {here.batch}", "GB"),
        ("laptop", "cores", CORES, "assumed", "1"),
        ("laptop", "scaling", SCALING, "assumed", "1"),
    ]
    for name, card in CARDS.items():
        rows += [
            (name, "peak_tflop_s", card.peak, f"published: {card.source}", "TFLOP/s"),
            (name, "bandwidth_gb_s", card.bandwidth, f"published: {card.source}", "GB/s"),
            (name, "card_gb", card.memory, f"published: {card.source}", "GB"),
            (name, "use", card.use, "assumed", "1"),
        ]
    height, width = profile.image_size
    for name, photos in DATASETS.items():
        rows += [
            (name, "trained", photos.trained, "published counts; all photos where no training part is", "photos"),
            (name, "photos", photos.all, "published counts", "photos"),
            (name, "cache_gb", photos.all * height * width * 3 / 1e9, "photos x height x width x 3 bytes", "GB"),
            (name, "decode_hours", photos.all / here.decoded_photos_s / 3600, "estimate: one thread", "h"),
        ]
    rows += [
        ("profile", "batch", profile.training_of(METHOD).batch, "profile paper", "photos"),
        ("profile", "micro_batch", profile.training_of(METHOD).micro_batch, "profile paper", "photos"),
        ("profile", "epochs", profile.training_of(METHOD).epochs, "profile paper", "epochs"),
    ]
    return rows


def _entry(row: Row, here: Measured) -> Entry:
    method, metric, value, protocol, unit = row
    if protocol == "estimate":
        protocol = "estimate, not measured: arithmetic of the network over assumed shares of published peaks"
        if method == "laptop":
            protocol = "estimate, not measured: processor time here over an assumed number of cores"
    return entry(
        experiment="planning", profile="planning", dataset="paper-sizes", split="none", split_hash="none",
        method=method, metric=metric, value=value, low=None, high=None, seeds=[0], n=here.photos, protocol=protocol,
        seconds=here.seconds, unit=unit,
    )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    try:
        if len(arguments) != 1 or not Path(arguments[0]).is_dir():
            raise InputError("name a folder with JPEG photos, such as clothing-co-parsing/photos")
        started = time.perf_counter()
        profile = load_profile("paper", data=arguments[0])
        network, here = arithmetic(profile, METHOD), measured(profile, METHOD, Path(arguments[0]))
        path = write(planning(profile, network, here), project_root(), "planning", "planning")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{path}: written in {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
