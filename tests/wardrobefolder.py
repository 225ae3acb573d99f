"""Small real things for tests of galleries: drawn photos as files, and an untrained model that looks at them."""

from pathlib import Path

import torch
from PIL import Image

from fashionlib.data import load
from fashionlib.models.tagger import Tagger, save_model

SIZE = (96, 64)


def drawn_folder(folder: Path, photos: int) -> Path:
    """The first photos of the wardrobe's test split, as PNG files 000.png, 001.png, …"""
    folder.mkdir(parents=True, exist_ok=True)
    wardrobe = load("wardrobe", split="test", size=SIZE)
    for number in range(photos):
        Image.fromarray(wardrobe[number].image).save(folder / f"{number:03d}.png")
    return folder


def small_model(folder: Path, *, seed: int = 0, kind: str = "parser") -> Path:
    """An untrained model, saved."""
    torch.manual_seed(seed)
    head = {"steps": 3, "hidden": 16, "reduce": 16, "codewords": 4} if kind == "parser" else {}
    trunk = {"depths": [16], "stride": 16}
    labels = load("wardrobe", split="test", size=SIZE).labels
    return save_model(Tagger(labels=labels, image_size=SIZE, kind=kind, head=head, trunk=trunk), folder)
