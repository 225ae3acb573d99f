"""Pictures of photos in executed notebooks are small, and show the same."""

import base64
import io

import numpy as np
from PIL import Image

from fashionlib.plots.embedded import compact


def output(pixels):
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return {"output_type": "display_data", "data": {"image/png": base64.b64encode(file.getvalue()).decode()}}


def test_a_large_picture_of_photos_is_less_than_half_the_size_and_shows_the_same():
    noise = np.random.default_rng(0).normal(0, 3, (400, 400, 3))
    ramp = np.linspace(40, 215, 400)[:, None, None]
    photo = (ramp + noise).astype(np.uint8)
    before = output(photo)
    size = len(before["data"]["image/png"])
    data = compact(before)["data"]
    assert [*data] == ["image/jpeg"]
    assert len(data["image/jpeg"]) < size / 2
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/jpeg"])))).astype(float)
    assert np.abs(shown - photo).mean() < 3


def test_diagrams_small_pictures_and_texts_stay_as_they_are():
    lines = np.full((1200, 1200, 3), 255, dtype=np.uint8)
    lines[::7, :, 0] = 0
    small = np.random.default_rng(1).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    text = {"output_type": "stream", "name": "stdout", "text": "a line"}
    for one in (output(lines), output(small), text):
        assert compact({**one}) == one
