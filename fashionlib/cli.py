"""The command line: `fashionlib tag PHOTO…`, `fashionlib doctor DATASET FOLDER`, `fashionlib miniature …`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from fashionlib.errors import InputError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Tags and parts of fashion photos, and the data to learn them from.",
)


@app.command()
def tag(
    photos: Annotated[list[Path], typer.Argument(help="Photos of any size.")],
    model: Annotated[Path, typer.Option(help="A folder with config.json and model.safetensors.")],
    most: Annotated[int, typer.Option(help="Tags a photo.", min=1)] = 6,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a photo.")] = False,
) -> None:
    """Name what each photo shows, with the region that decided it (x1, y1, x2, y2 in pixels)."""
    from fashionlib.tagger import load_model

    tagger = load_model(model)
    for photo in photos:
        tags = tagger.tag(photo, most=most)[0]
        if as_json:
            print(json.dumps({"photo": str(photo), "tags": [vars(one) for one in tags]}))
            continue
        print(photo)
        for one in tags:
            where = "" if one.box is None else "  at " + ", ".join(f"{side:.0f}" for side in one.box)
            print(f"  {one.score:.2f}  {one.label}{where}")


@app.command()
def doctor(
    dataset: Annotated[str, typer.Argument(help="ccp, folder, fashion144k, fashion550k, deepfashion_inshop …")],
    folder: Annotated[Path, typer.Argument(help="Where its files lie.")],
    most: Annotated[int, typer.Option(help="Faults printed of each check; 0 prints all.", min=0)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every fault.")] = False,
) -> None:
    """Say all that is wrong with a data set's folder, and where to ask for the data; exit code 1 if anything is."""
    from rich.console import Console
    from rich.progress import track

    from fashionlib.data.doctor import examine, print_diagnosis

    aside = Console(stderr=True)
    diagnosis = examine(
        dataset, folder,
        progress=lambda photos: track(photos, "looking at the photos", console=aside, disable=not aside.is_terminal),
    )  # fmt: skip
    if as_json:
        print(json.dumps(diagnosis.as_dict(), ensure_ascii=False))
    else:
        print_diagnosis(diagnosis, Console(), most=most)
    raise typer.Exit(0 if diagnosis.sound else 1)


@app.command()
def miniature(
    dataset: Annotated[str, typer.Argument(help="fashion144k, fashion550k, deepfashion_inshop …")],
    folder: Annotated[Path, typer.Argument(help="To be made.")],
    photos: Annotated[int, typer.Option(help="Photos of its largest split, roughly.", min=12)] = 60,
    seed: Annotated[int, typer.Option(help="The same seed draws the same photos.")] = 0,
) -> None:
    """Write drawn photos in the format of a published data set, to try a run before the data are there."""
    from fashionlib.data.miniature import write_miniature

    print(write_miniature(dataset, folder, photos=photos, seed=seed))


def main() -> None:
    """Bad input ends in one line on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
