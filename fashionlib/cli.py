"""The command line: `fashionlib tag PHOTO…`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from fashionlib.errors import InputError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Tags and parts of fashion photos.")


@app.callback()
def _root() -> None:
    """Keeps `tag` a command of its own while it is the only one."""


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


def main() -> None:
    """Bad input ends in one line on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
