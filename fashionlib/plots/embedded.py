"""The pictures in executed notebooks, as small as a page needs them."""

from __future__ import annotations

import base64
import io
from typing import Any

_LARGE = 100_000  # bytes; a smaller PNG is left alone


def compact(output: Any) -> Any:
    """A notebook's output; a large picture in it becomes a JPEG without visible loss where that is less than half.

    Photos are halved and more; diagrams, which JPEG hardly makes smaller, stay as they are.
    """
    from PIL import Image

    data = output.get("data", {})
    if len(png := base64.b64decode(data.get("image/png", ""))) > _LARGE:
        with Image.open(io.BytesIO(png)) as image:
            image.convert("RGB").save(file := io.BytesIO(), "JPEG", quality=90, subsampling=0, optimize=True)
        if 2 * len(file.getvalue()) < len(png):
            del data["image/png"]
            data["image/jpeg"] = base64.b64encode(file.getvalue()).decode()
    return output
