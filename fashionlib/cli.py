"""The command line: tags, parts and look-alikes of photos, and what data sets' folders hold."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fashionlib.core.console import command, complain, guarded, keep_freed_memory, tracked
from fashionlib.core.errors import InputError
from fashionlib.core.files import readable, replaceable
from fashionlib.models.pretrained import DEFAULT, STREET

app = typer.Typer(add_completion=False, help="Tags, parts and diverse look-alikes of fashion photos.")

Model = Annotated[  # no Path: that would make ./ccp the model that comes with the package
    str,
    typer.Option(
        help=f"{', '.join((DEFAULT, *STREET))}, which come with the package, or a folder with config.json and "
        "model.safetensors (./ccp, if it has one of these names)."
    ),
]
Data = Annotated[str, typer.Option(help="The folder of the data, where the profile's data set needs one.")]
Index = Annotated[
    Path | None, typer.Option(help="Folder for the index; by default .fashionlib/MODEL in the photos' own.")
]


@app.command()
def tag(
    photos: Annotated[list[Path], typer.Argument(help="Photos of any size.")],
    model: Model = DEFAULT,
    k: Annotated[int, typer.Option("--most", "-k", help="Tags per photo.", min=1)] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per photo.")] = False,
) -> None:
    """Name what each photo shows, with the region that decided it (x1, y1, x2, y2 in pixels).

    A photo that cannot be read is named, the others are tagged, and the exit code is 2.
    """
    from fashionlib.models.tagger import load_model

    tagger, unread = load_model(model), 0
    for photo, tags in zip(photos, tagger.tag_many(photos, k=k), strict=True):
        if isinstance(tags, InputError):
            unread += 1
            complain(str(tags))
            continue
        if as_json:
            print(json.dumps({"photo": str(photo), "tags": [vars(one) for one in tags]}))
            continue
        print(readable(str(photo)))
        for one in tags:
            where = "" if one.box is None else "  at " + ", ".join(f"{side:.0f}" for side in one.box)
            print(f"  {one.score:.2f}  {readable(one.label)}{where}")
    raise typer.Exit(2 if unread else 0)


@app.command()
def doctor(
    dataset: Annotated[str, typer.Argument(help="ccp, closet, catalogue, folder, fashion144k, deepfashion_inshop …")],
    folder: Annotated[Path, typer.Argument(help="Where its files lie.")],
    limit: Annotated[int, typer.Option("--most", help="Faults printed of each check; 0 prints all.", min=0)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every fault.")] = False,
) -> None:
    """Say what is wrong with a data set's folder and where to ask for the data; exit code 1 if it cannot be loaded."""
    from rich.console import Console

    from fashionlib.data.doctor.diagnosis import examine, print_diagnosis

    diagnosis = examine(dataset, folder, progress=lambda photos: tracked(photos, "looking at the photos"))
    if as_json:
        print(json.dumps(diagnosis.as_dict()))
    else:
        print_diagnosis(diagnosis, Console(), limit=limit)
    raise typer.Exit(0 if diagnosis.sound else 1)


@app.command()
def miniature(
    dataset: Annotated[str, typer.Argument(help="fashion144k, fashion550k, deepfashion_inshop …, or all.")],
    folder: Annotated[Path, typer.Argument(help="To be made; of all, a folder each in it.")],
    photos: Annotated[int, typer.Option(help="Photos of its largest split, roughly.", min=12)] = 60,
    seed: Annotated[int, typer.Option(help="The same seed draws the same photos.")] = 0,
) -> None:
    """Write drawn photos in the format of a published data set, to try a run before the data are there."""
    from fashionlib.data.published.miniature import write_miniature, write_miniatures

    written = write_miniatures(folder, photos=photos, seed=seed) if dataset == "all" else []
    for path in written or [write_miniature(dataset, folder, photos=photos, seed=seed)]:
        print(readable(str(path)))


@app.command()
def index(
    folder: Annotated[Path, typer.Argument(help="A folder of photos, with or without sub-folders.")],
    model: Model = DEFAULT,
    index: Index = None,
) -> None:
    """Compute and keep the features of a folder's photos for `recommend`; later, of new and changed photos only."""
    from fashionlib.gallery.index import update

    manifest, looked_at = update(folder, model, index)
    print(f"{len(manifest.photos)} photos indexed, {looked_at} looked at now, {len(manifest.skipped)} left out")
    _print_skipped({name: why.reason for name, why in manifest.skipped.items()})


@app.command()
def recommend(
    photo: Annotated[Path, typer.Argument(help="The photo to find look-alikes of.")],
    folder: Annotated[Path, typer.Option("--in", help="The folder of photos to choose from; indexed where it is not.")],
    out: Annotated[Path | None, typer.Option(help="Write one HTML page, complete in itself, to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    per_part: Annotated[int, typer.Option(help="Look-alikes per part.", min=1)] = 5,
    parts: Annotated[int, typer.Option(help="Parts of the photo, at most.", min=1)] = 6,
    together: Annotated[int, typer.Option(help="Photos in the one list for all parts; 0: none.", min=0)] = 10,
    diversity: Annotated[float, typer.Option(help="From 0, the nearest, to 1, the most varied.", min=0, max=1)] = 0.5,
    model: Model = DEFAULT,
    index: Index = None,
) -> None:
    """Find the photo's parts, and for each the look-alikes in a folder: label, region (in 0..1), distance, reason.

    Then one list of photos that answer all parts between them.
    """
    from fashionlib.data.photos import read_photo

    read_photo(photo, (64, 64))  # a missing photo is told before a folder is looked through
    from fashionlib.gallery.gallery import open_gallery
    from fashionlib.gallery.html_report import OURS, write_page
    from fashionlib.gallery.text_report import answers_as_lines, as_lines

    if out is not None:
        replaceable(out, OURS)
    gallery = open_gallery(folder, model, index)
    rows, found = gallery.answer(photo, per_part=per_part, k=together, diversity=diversity, parts=parts)
    if out is not None:
        write_page(out, photo, rows, gallery, together=found, diversity=diversity)
    if as_json:
        about = {"photo": str(photo), "diversity": diversity, "photos": len(gallery), "skipped": gallery.skipped}
        lists = {"parts": [asdict(row) for row in rows], "together": [asdict(one) for one in found]}
        print(json.dumps({**about, **lists}))
    elif out is not None:
        print(f"{readable(str(out))}: {len(rows)} parts, {sum(len(row.looks) for row in rows)} look-alikes")
    else:
        lines = [str(photo), *as_lines(rows)]
        lines += ["for all parts at once", *answers_as_lines(found)] if found else []
        print("\n".join(map(readable, lines)))
        _print_skipped(gallery.skipped)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A folder of photos; indexed where it is not.")],
    out: Annotated[Path, typer.Argument(help="The Parquet file to be written.")],
    model: Model = DEFAULT,
    index: Index = None,
) -> None:
    """Write the parts of a folder's photos for a vector database: photo, label, box (in 0..1), score, vector."""
    from fashionlib.gallery.export import parts_file, write_parts

    parts_file(out)  # what is wrong with it is told before a folder is looked through
    from fashionlib.gallery.gallery import open_gallery

    gallery = open_gallery(folder, model, index)
    rows = write_parts(out, gallery)
    print(f"{readable(str(out))}: {rows} parts of {len(gallery)} photos")
    _print_skipped(gallery.skipped)


@app.command()
def results(
    profile: Annotated[str, typer.Argument(help="A name in profiles/, or a YAML file.")] = "quick",
    data: Data = "",
    seeds: Annotated[str, typer.Option(help="Such as 0,1,2, instead of the profile's.")] = "",
    only: Annotated[str, typer.Option(help="Run this one notebook now, whether it changed or not.")] = "",
) -> None:
    """Run a profile's notebooks, as `make results` does; only what changed runs again."""
    from fashionlib.experiments.batch import make_results

    raise typer.Exit(make_results(profile, data, seeds, only))


@app.command()
def verify(
    profile: Annotated[str, typer.Option(help="A name in profiles/, or a YAML file.")] = "quick",
    only: Annotated[str, typer.Option(help="One notebook or experiment, such as table1.")] = "",
    data: Data = "",
    seeds: Annotated[str, typer.Option(help="Such as 0,1,2; by default those that were published.")] = "",
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="How far numbers may move where the same bits cannot be demanded: 0.02 between processors for "
            "which that was measured, on others it has to be said.",
            min=0,
        ),
    ] = None,
) -> None:
    """Run a profile again in a clean folder and compare each number with the ledger; exit code 1 if one differs."""
    from fashionlib.experiments.verify import verify as run_again

    verdicts = run_again(profile, only=only, data=data, seeds=seeds, absolute=tolerance)
    for experiment, verdict in verdicts.items():
        differing = len({one.number for one in verdict.disagreements})
        same = f"{verdict.numbers - differing} of {verdict.numbers} numbers came out again"
        print(f"{experiment}: {same} (rule: {verdict.rule}; largest difference {verdict.largest:.2g})")
        if verdict.why:
            print(readable(f"  only a tolerance could be checked, a smaller change would not show: {verdict.why}"))
        for one in verdict.disagreements:
            print(readable(f"  {one}"))
    raise typer.Exit(1 if any(verdict.disagreements for verdict in verdicts.values()) else 0)


def _print_skipped(skipped: dict[str, str]) -> None:
    for name, reason in sorted(skipped.items()):
        print(f"left out: {readable(name)}: {readable(reason)}")


def main() -> None:
    """Bad input, a failing disk and the like end in one line on standard error and exit code 2."""
    keep_freed_memory()
    sys.exit(guarded(_app))


def _app() -> object:
    try:
        return command(app, None if sys.argv[1:] else ["--help"])
    except NotImplementedError as error:
        if "meta tensor" not in str(error):
            raise
        raise InputError("FASHIONLIB_DEVICE=meta holds no values: it ran until the first one was read") from error


if __name__ == "__main__":
    main()
