"""What the things to touch are made of: the export of a run, its staleness, and labels that are no friends."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from fashionbook import widget_data
from fashionbook import widget_export as export
from PIL import Image

from fashionlib.core.errors import InputError
from fashionlib.data.wardrobe.dataset import Wardrobe
from fashionlib.experiments.profile import DataOptions, Profile, load_profile
from fashionlib.ledger import ledger as results

ROOT = Path(__file__).parents[2]
COUNTS = "{train: 40, val: 16, test: 60}"
EVIL = "</script><img src=x onerror=alert(1)>"
SHEET = {"file": "photos.webp", "width": 4, "height": 6, "columns": 2, "sheet": [8, 6]}


# the export


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A profile of one epoch in a home of its own, and its files by name."""
    home = tmp_path_factory.mktemp("home")
    (home / "profiles").mkdir()
    (home / "profiles" / "tiny.yaml").write_text(
        f"data: {{name: wardrobe, options: {{counts: {COUNTS}}}}}\nimage_size: [96, 64]\n"
        "trunk: {options: {depths: [16], stride: 16}}\ntraining: {epochs: 1, batch: 20}\nresamples: 20\n"
        "methods:\n  whole: {kind: whole}\n"
        "  parser: {kind: parser, head: {steps: 2, reduce: 8, hidden: 8, codewords: 2}}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASHIONLIB_HOME", str(home))
        profile = load_profile("tiny")
        assert export.export(profile) == home / "results" / "tiny" / "touch"
        yield profile, home, {name: widget_data.read(home, "tiny", name) for name in widget_data.NAMES}


def test_the_files_say_which_run_they_are_of_and_the_ledger_agrees(exported):
    from fashionlib.experiments.table1 import table1

    profile, _, files = exported
    runs = [file["run"] for file in files.values()]
    assert runs[0] == runs[1] == runs[2]
    assert (runs[0]["profile"], runs[0]["dataset"], runs[0]["seed"], runs[0]["n"]) == ("tiny", "wardrobe", 0, 60)
    widget_data.check_same_run(runs[0], table1(profile))


def test_photos_are_those_of_the_test_split_and_the_first_pictures_show_them(exported):
    _, home, files = exported
    steps = files["steps"]
    dataset = Wardrobe("test", size=export.LARGE, counts={"train": 40, "val": 16, "test": 60})
    sheet = np.asarray(Image.open(home / "results" / "tiny" / "touch" / steps["sheet"]["file"])).astype(float)
    height, width = export.LARGE
    for place, photo in enumerate(steps["photos"]):
        true = dataset[dataset.ids.index(photo["id"])].image
        tile = sheet[:height, place * width : (place + 1) * width]
        assert np.abs(tile - true).mean() < 12  # of 255; what compression costs


def test_steps_hold_a_box_a_map_and_scores_for_each_step_and_the_winner_is_the_highest(exported):
    steps = exported[2]["steps"]
    rows, columns = steps["grid"]
    assert (rows, columns, steps["whole"], steps["first"]) == (6, 4, True, 0)
    for photo in steps["photos"]:
        for looks in (photo["plain"], photo["moved"]):
            assert np.array(looks["boxes"]).shape == (3, 4)
            maps, scores = np.array(looks["maps"]), np.array(looks["scores"])
            assert maps.shape == (3, rows * columns)
            assert (maps.max(1) == 99).all()
            assert scores.shape == (len(photo["labels"]), 3)
            won = scores[np.arange(len(scores)), looks["won"]]
            np.testing.assert_allclose(won, scores.max(1), atol=0.011)  # two decimals
        best = np.array(photo["plain"]["scores"]).max(1)
        assert (np.diff(best) <= 0.011).all()


def test_true_labels_are_what_the_program_drew(exported):
    steps = exported[2]["steps"]
    dataset = Wardrobe("test", size=(96, 64), counts={"train": 40, "val": 16, "test": 60})
    for photo in steps["photos"]:
        worn = {
            label
            for label, on in zip(dataset.labels, dataset[dataset.ids.index(photo["id"])].labels, strict=True)
            if on
        }
        truly = {label for label, true in zip(photo["labels"], photo["true"], strict=True) if true}
        assert truly == worn & set(photo["labels"])
        assert truly == worn or len(truly) == export.LABELS


def test_the_nearest_come_first_and_every_setting_of_the_dial_begins_with_the_nearest(exported):
    explorer = exported[2]["explorer"]
    tiles = set()
    for query in explorer["queries"]:
        for row in [*query["parts"], query["whole"]]:
            looks, lists = row["looks"], row["lists"]
            assert len(lists) == len(explorer["dials"])
            assert [looks[place]["rank"] for place in lists[0]] == list(range(1, len(lists[0]) + 1))
            distances = [looks[place]["distance"] for place in lists[0]]
            assert distances == sorted(distances)
            assert {chosen[0] for chosen in lists} == {lists[0][0]}
            assert {place for chosen in lists for place in chosen} == set(range(len(looks)))
            assert query["id"] not in {look["photo"] for look in looks}
        for row in [*query["parts"], query["together"], query["whole"]]:
            tiles |= {(look["tile"], look["photo"]) for look in row["looks"]}
        for part in query["parts"]:
            for x1, y1, x2, y2 in [part["box"], *(look["box"] for look in part["looks"])]:
                assert 0 <= x1 <= x2 <= 1
                assert 0 <= y1 <= y2 <= 1
    assert sorted(tile for tile, _ in tiles) == list(range(len(tiles)))  # a picture each, and each used


def test_the_one_list_says_what_each_photo_answers_and_what_it_truly_matches(exported):
    explorer = exported[2]["explorer"]
    dataset = Wardrobe("test", size=(96, 64), counts={"train": 40, "val": 16, "test": 60})
    for query in explorer["queries"]:
        worn = dataset[dataset.ids.index(query["id"])].labels
        mine = {label for label, on in zip(dataset.labels, worn, strict=True) if on}
        assert query["worn"] == len(mine)
        looks, lists = query["together"]["looks"], query["together"]["lists"]
        assert len(lists) == len(explorer["dials"])
        assert {place for chosen in lists for place in chosen} == set(range(len(looks)))
        assert len({look["photo"] for look in looks} | {query["id"]}) == len(looks) + 1
        for look in looks:
            assert look["match"] == bool(look["truly"])
            assert set(look["truly"]) <= mine
            assert 0 <= look["chance"] <= 1
            assert all(0 <= side <= 1 for part in look["parts"] for side in part["box"])
        likeliest = [sum(looks[place]["chance"] for place in chosen) for chosen in lists]
        assert likeliest[0] >= likeliest[-1] - 0.05  # the settings go from the likeliest to the most varied


def test_truly_alike_is_what_the_program_knows(exported):
    """Against the drawings themselves: same label and texture, and colours nearer than 110."""
    explorer, seen = exported[2]["explorer"], 0
    dataset = Wardrobe("test", size=(96, 64), counts={"train": 40, "val": 16, "test": 60})

    def worn(photo):
        number = dataset.ids.index(photo)
        shown = {label for label, on in zip(dataset.labels, dataset[number].labels, strict=True) if on}
        products = dataset.scene(number).outfit.values()
        return {product.label: product.fabric for product in products if product.label in shown}

    for query in explorer["queries"]:
        mine = worn(query["id"])
        for part in query["parts"]:
            assert part["true"] == (part["label"] in mine)
            for look in part["looks"]:
                one, other = mine.get(part["label"]), worn(look["photo"]).get(part["label"])
                alike = bool(one and other) and one.texture == other.texture
                alike = alike and sum(abs(a - b) for a, b in zip(one.colours[0], other.colours[0], strict=True)) < 110
                assert look["match"] == alike
                seen += 1
    assert seen > 50


def test_the_playgrounds_scores_are_those_of_table_1_in_two_decimals(exported):
    from fashionlib.experiments.methods import fit, inputs_of, photos_of
    from fashionlib.training.loop import predict

    profile, _, files = exported
    play = files["playground"]
    photos = photos_of(profile, "test", 0)
    with torch.inference_mode():
        scores = predict(fit(profile, "parser", 0), inputs_of(profile, photos)).scores
    columns = [photos.labels.index(label) for label in play["labels"]]
    rows = [photos.ids.index(photo["id"]) for photo in play["photos"]]
    np.testing.assert_allclose(play["scores"], scores[rows][:, columns], atol=0.0051)
    np.testing.assert_array_equal(play["targets"], photos.tags[rows][:, columns])


def test_photos_that_are_not_ours_are_not_exported(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FASHIONLIB_HOME", str(tmp_path))
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "street.yaml").write_text("data: {name: ccp}\nmethods: {parser: {kind: parser}}\n")
    assert export.export(Profile("street", DataOptions("ccp"), {"parser": {"kind": "parser"}})) is None
    assert export.main(["street", "--data", str(tmp_path)]) == 2
    assert "photos of ccp are not ours to show" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_what_cannot_be_read_says_what_makes_it(tmp_path):
    command = "PYTHONPATH=book/_ext python -m fashionbook.widget_export tiny"
    with pytest.raises(InputError, match=f"does not exist.*{command}"):
        widget_data.read(tmp_path, "tiny", "steps")
    path = widget_data.folder(tmp_path, "tiny") / "steps.json"
    path.parent.mkdir(parents=True)
    for text, said in (("{", "is not JSON"), ("[]", "is not of format 1"), ('{"format": 2}', "is not of format 1")):
        path.write_text(text)
        with pytest.raises(InputError, match=f"{said}.*{command}"):
            widget_data.read(tmp_path, "tiny", "steps")


# on a page


def entry(metric="ap_all", value=0.5, experiment="table1", method="parser", protocol="scores", dataset="wardrobe"):
    return results.entry(
        experiment=experiment, profile="wardrobe", dataset=dataset, split="test",
        split_hash=widget_data.stamp("wardrobe", "wardrobe", 0, ["a"], 0.5)["split_hash"], method=method, metric=metric,
        value=value, low=value - 0.01, high=value + 0.01, seeds=[0], n=1, protocol=protocol, commit="abc", versions={},
        device="CPU", seconds=1.0,
    )  # fmt: skip


CONTENT = {
    "playground": {
        "labels": [EVIL, *"bcdefg"], "photos": [{"id": EVIL, "tile": 0}],
        "scores": [[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]], "targets": [[1, 0, 0, 0, 0, 0, 1]],
    },
    "steps": {
        "grid": [1, 1], "whole": False, "first": 1, "photos": [{
            "id": EVIL, "labels": [EVIL], "true": [1],
            **{view: {"tile": 0, "boxes": [[0.0, 0.0, 1.0, 1.0]], "maps": [[99]], "scores": [[0.9]], "won": [0]}
               for view in ("plain", "moved")},
        }],
    },
    "explorer": {
        "gallery": SHEET, "dials": [0.0, 1.0], "match": "same", "queries": [{
            "id": EVIL, "tile": 0,
            "parts": [{"label": EVIL, "score": 0.9, "true": True, "box": [0.0, 0.0, 1.0, 1.0], "of": 3,
                       "lists": [[0], [0]],
                       "looks": [{"photo": EVIL, "distance": 1.0, "rank": 1, "score": 0.5, "box": [0.0, 0.0, 1.0, 1.0],
                                  "match": False, "tile": 1}]}],
            "worn": 1, "together": {"lists": [[0], [0]],
                                    "looks": [{"photo": EVIL, "chance": 0.5, "truly": [], "match": False, "tile": 1,
                                               "parts": [{"label": EVIL, "box": [0.0, 0.0, 1.0, 1.0]}]}]},
            "whole": {"of": 3, "lists": [[0], [0]],
                      "looks": [{"photo": EVIL, "distance": 1.0, "rank": 1, "match": False, "tile": 1}]},
        }],
    },
}  # fmt: skip
PAGE = "\n\n".join(f"```{{touch-{name}}}\n```" for name in CONTENT)


@pytest.fixture
def book(tmp_path):
    pytest.importorskip("sphinx", reason="the extra 'book' is not installed")
    pytest.importorskip("myst_parser", reason="the extra 'book' is not installed")
    from test_directives import Book

    book = Book(tmp_path)
    book.ledger(entry())
    book.ledger(*(
        entry(f"{what}@10", experiment="diversity_curve", method=method, protocol=f"dial {dial:g}; {what}")
        for what in ("relevance", "part_coverage") for method in ("parts", "together", "whole-mmr")
        for dial in (0.0, 1.0)
    ))  # fmt: skip
    run = widget_data.stamp("wardrobe", "wardrobe", 0, ["a"], 0.5)
    for name, content in CONTENT.items():
        widget_data.write(tmp_path, name, run, {"sheet": SHEET, **content})
    for name in ("photos", "gallery"):
        Image.new("RGB", (8, 6)).save(widget_data.folder(tmp_path, "wardrobe") / f"{name}.webp")
    book.page(PAGE)
    return book


def test_labels_that_are_markup_stay_words(book, browser):
    book.build()
    place = book.root / "built"
    shutil.copytree(ROOT / "book" / "_static" / "touch", place / "_static" / "touch")
    page, trouble = browser.new_page(), []
    page.on("dialog", lambda dialog: (trouble.append("a dialog opened"), dialog.dismiss()))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto((place / "index.html").as_uri(), wait_until="load")
    assert page.locator(".touch .live").count() == 3
    assert page.locator(".touch img").count() == 0
    for kind in CONTENT:
        assert EVIL in page.locator(f".touch-{kind} .live").inner_text().replace("\n", "")
        assert EVIL in page.locator(f".touch-{kind} .still").text_content()
    page.close()
    assert trouble == []


def test_pages_get_the_scripts_of_their_own_blocks(book):
    for name, text in (("other", "```{touch-steps}\n```"), ("plain", "Nothing to touch.")):
        (book.source / f"{name}.md").write_text(f"---\norphan: true\n---\n# Title\n\n{text}\n")
    scripts = {}
    book.build()
    for name in ("index", "other", "plain"):
        text = (book.root / "built" / f"{name}.html").read_text()
        scripts[name] = {kind for kind in ("common", "curves", *CONTENT) if f"touch/{kind}.js" in text}
        assert ("touch.css" in text) == (name != "plain")
    assert scripts == {"index": {"common", *CONTENT}, "other": {"common", "steps"}, "plain": set()}
    assert (book.root / "built" / "_images" / "touch-wardrobe-gallery.webp").is_file()


def test_files_of_another_run_than_the_ledger_end_the_build_and_name_the_command(book):
    from sphinx.errors import ExtensionError

    book.ledger(entry(value=0.51))
    with pytest.raises(
        ExtensionError,
        match=r"index: .*touch is of another run.*python -m fashionbook.widget_export wardrobe",
    ):
        book.build()


def test_a_missing_file_ends_the_build_and_names_the_command(book):
    from sphinx.errors import ExtensionError

    (widget_data.folder(book.root, "wardrobe") / "steps.json").unlink()
    with pytest.raises(ExtensionError, match=r"steps.json does not exist: make it with `.*python -m"):
        book.build()


def test_photos_that_are_not_ours_are_not_shown(book):
    book.ledger(entry(dataset="ccp"))
    assert book.build().count("its photos are not ours to publish") == 3


def test_a_changed_file_changes_the_page(book):
    assert "0.90 true" in book.build()
    content = json.loads(json.dumps(CONTENT["playground"]).replace("0.9", "0.95"))
    path = widget_data.write(
        book.root, "playground", widget_data.stamp("wardrobe", "wardrobe", 0, ["a"], 0.5), {"sheet": SHEET, **content}
    )
    os.utime(path, (time.time() + 20, time.time() + 20))
    assert "0.95 true" in book.build()
