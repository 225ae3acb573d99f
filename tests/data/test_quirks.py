"""Published sets as people have them on disk: read as the clean set, or refused in one line; doctor says the same."""

import json
import os
import re
import shutil
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from fashionlib.core.errors import InputError
from fashionlib.core.findings import Findings
from fashionlib.data import load
from fashionlib.data.doctor.diagnosis import examine
from fashionlib.data.published.deepfashion_inshop import read as read_inshop
from fashionlib.data.published.lists import read_values
from fashionlib.data.published.miniature import WRITERS, write_miniature

CASES = ROOT.resolve().parent / "shared" / "cases" / "paper-data"
SPLITS = {
    "fashion144k": ("train", "val", "test"), "fashion550k": ("train", "verified", "val", "test"),
    "deepfashion_inshop": ("train", "query", "gallery"), "deepfashion_c2s": ("train", "val", "query", "gallery"),
    "deepfashion_attributes": ("train", "val", "test"),
}  # fmt: skip


def contents(name, root):
    """All that is known of every photo of every split, or the error; and the warnings."""
    found = {}
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        try:
            for split in SPLITS[name]:
                dataset = load(name, root, split)
                for sample in (dataset[index] for index in range(len(dataset))):
                    tags = None if sample.labels is None else sample.labels.tolist()
                    found[split, sample.id] = (tags, sample.product, sample.domain, sample.boxes, sample.landmarks)
        except InputError as error:
            return str(error), reported
    return found, reported


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    home = tmp_path_factory.mktemp("clean")
    roots = {name: write_miniature(name, home / name, photos=12, size=(48, 32)) for name in WRITERS}
    return {name: (root, contents(name, root)[0]) for name, root in roots.items()}


def in_lists(change, pattern="*.txt"):
    def harm(root):
        for path in root.rglob(pattern):
            path.write_bytes(change(path.read_bytes()))

    return harm


def in_arrays(change, *patterns):
    def harm(root):
        for path in (path for pattern in patterns for path in root.rglob(pattern)):
            np.save(path, change(np.load(path)), allow_pickle=True)

    return harm


def moved(old, new):
    def harm(root):
        if (root / old).exists():
            (root / old).rename(root / "aside")
            (root / new).parent.mkdir(parents=True, exist_ok=True)
            (root / "aside").rename(root / new)

    return harm


def linked(root):
    names = {path.name.lower(): path for path in root.iterdir() if path.is_dir()}  # in capitals, after another quirk
    folder = names.get("photos") or names["img"]
    folder.rename(root.parent / "another disk")
    folder.symlink_to(root.parent / "another disk")


def littered(root):
    for path in [path for path in root.rglob("*.*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(b"Mac")


def deeper(root):
    root.rename(root.parent / "aside")
    root.mkdir()
    (root.parent / "aside").rename(root / "Fashion_v1")


def unpacked_apart(root):
    for path in list(root.rglob("list_*.txt")):
        path.rename(path.with_suffix(".zip"))
        path.with_suffix("").mkdir()
        path.with_suffix(".zip").rename(path.with_suffix("") / path.name)


def shuffled(text):
    rows = text.decode().split("\n")
    return "\n".join([*rows[:2], *sorted(rows[2:-1], key=lambda row: row[::-1]), ""]).encode()


IDS, TAGS = ("trainids.npy", "validids.npy", "testids.npy"), ("feat_sin.npy", "noisy.npy", "verified.npy")
READ = {  # what changes nothing
    "crlf": in_lists(lambda text: text.replace(b"\n", b"\r\n")),
    "byte order mark": in_lists(lambda text: b"\xef\xbb\xbf" + text),
    "trailing blanks": in_lists(lambda text: text.replace(b"\n", b" \t \n")),
    "blank lines": in_lists(lambda text: text.replace(b"\n", b"\n\n")),
    "tabs": in_lists(lambda text: re.sub(rb"  +(?=\S)", b"\t", text), "list_[!a]*.txt"),
    "back-slashes": in_lists(lambda text: text.replace(b"/", b"\\")),
    "./": in_lists(lambda text: re.sub(rb"(?m)(^| )(img|photos)/", rb"\1./\2/", text)),
    "statuses": in_lists(lambda text: re.sub(rb"\w+ *$", lambda m: m[0].upper(), text, flags=re.M), "list_eval*"),
    "rows in another order": in_lists(shuffled, "list_[be]*.txt"),
    "no variation_type": in_lists(lambda text: re.sub(rb"(jpg +\d) 1 ", rb"\1 ", text), "list_landmarks*"),
    "boxes turned": in_lists(lambda text: re.sub(rb"(\d+ \d+) (\d+ \d+) *\n", rb"\2 \1\n", text), "list_bbox*"),
    "upper-case endings": lambda root: [path.rename(path.with_suffix(".JPG")) for path in [*root.rglob("*.jpg")]],
    "upper-case folders": lambda root: [p.rename(root / p.name.upper()) for p in [*root.iterdir()] if p.is_dir()],
    "img/img": moved("Img/img", "Img/img/img"), "photos at the root": moved("Img/img", "img"),
    "img left out": moved("Img/img", "Img"), "linked": linked, "litter": littered,
    "ids as text": in_arrays(lambda ids: ids.astype(str), *IDS),
    "ids as floats": in_arrays(lambda ids: ids * 1.0, *IDS),
    "ids in a column": in_arrays(lambda ids: ids[:, None].astype(">i2"), *IDS),
    "bool": in_arrays(lambda tags: tags.astype(bool), *TAGS), "Fortran": in_arrays(np.asfortranarray, *TAGS),
}  # fmt: skip
REFUSED = {  # by set or by all: what the line has to say
    "one deeper": (deeper, "it is in .*Fashion_v1: name that folder"),
    "high-resolution photos": (moved("Img/img", "Img/img_highres"), "img_highres: these are the high-res"),
    "absolute": (in_lists(lambda text: re.sub(rb"(?m)(^| )(img|photos)/", rb"\1/x/\2/", text)), "leads out of"),
    "ids from one": (in_arrays(lambda ids: ids + 1, *IDS), "count from 1"),
    "objects": (in_arrays(lambda tags: tags.astype(object), *TAGS), "holds Python objects"),
    "another size": (in_arrays(lambda tags: tags[1:], *TAGS), r"expected 0 and 1 of \(\d+, \d+\)"),
    "cut off": (in_lists(lambda text: text[:-30], "list_eval*"), "list_eval_partition.txt, line"),
    "lists in folders of their own": (unpacked_apart, r"it is at .*/list_eval_partition\.txt: move it there"),
    "folders in folders": (
        lambda root: [moved(name, f"{name}/{name}")(root) for name in ("annotation", "Anno", "Eval")],
        r"(Eval/Eval/list_eval_partition\.txt|annotation/annotation/noisy\.npy): move it there",
    ),
    "a page instead": (in_lists(lambda text: b"<p>403</p>"), r"expected (a photo's path|the number of rows), got '<p>"),
    "empty": (in_lists(lambda text: b"", "list_eval*"), "list_eval_partition.txt: empty"),
    "no rows": (in_lists(lambda text: b"0\n" + text.split(b"\n")[1] + b"\n", "list_eval*"), "names no photo of train"),
    "columns in another order": (in_lists(lambda text: text.replace(b"y_1 x_2", b"x_2 y_1"), "list_bbox*"), "put them"),
    "a huge row": (in_lists(lambda text: text + b"img/a b" * 30_000, "list_eval*"), "expected image_"),
    "half the photos": (lambda root: [path.unlink() for path in sorted(root.rglob("*.jpg"))[::2]], "unpack the photos"),
    "pipes": (lambda root: [(p.unlink(), os.mkfifo(p)) for p in root.rglob("list_eval*")], "no regular file"),
}  # fmt: skip


def copied(root, name, folder):
    return Path(shutil.copytree(root, Path(folder) / name))


@pytest.mark.parametrize("name", list(WRITERS))
@settings(max_examples=10, derandomize=True, database=None, deadline=None)
@given(quirks=st.lists(st.sampled_from(sorted(READ)), min_size=1, max_size=3, unique=True))
def test_what_downloads_look_like_is_read_as_the_clean_set(clean, name, quirks):
    with TemporaryDirectory() as folder:
        root = copied(clean[name][0], name, folder)
        for quirk in quirks:
            READ[quirk](root)
        found, reported = contents(name, root)
        assert found == clean[name][1]
        assert bool(reported) == ("boxes turned" in quirks and name.startswith("deepfashion"))
        assert examine(name, root).faults == []


@pytest.mark.parametrize("name", ["fashion550k", "deepfashion_inshop"])
@pytest.mark.parametrize("quirk", list(REFUSED))
def test_what_cannot_be_read_is_one_line_and_doctor_agrees(clean, tmp_path, name, quirk):
    root = copied(clean[name][0], name, tmp_path)
    harm, message = REFUSED[quirk]
    harm(root)
    found, _ = contents(name, root)
    if found != clean[name][1]:  # otherwise the set has nothing of that kind
        assert re.search(message, found)
        assert "\n" not in found
        assert len(found) < 700
        assert "ask for the data" not in found or quirk == "pipes"
    assert examine(name, root).sound == (found == clean[name][1])


def test_a_few_lost_photos_are_left_out_counted_and_told(clean, tmp_path):
    root = copied(clean["deepfashion_inshop"][0], "inshop", tmp_path)
    lost = load("deepfashion_inshop", root, "gallery").ids[2]
    (root / "Img" / lost).unlink()
    with pytest.warns(UserWarning, match=rf"{lost}: is listed but missing: 1 of \d+ photos of 'gallery'; left out"):
        gallery = load("deepfashion_inshop", root, "gallery")
    assert lost not in gallery.ids
    diagnosis = examine("deepfashion_inshop", root)
    assert (diagnosis.sound, [note.places for note in diagnosis.notes]) == (True, [[f"Img/{lost}"]])


def test_rows_and_lists_that_are_there_twice_are_a_line_each(clean, tmp_path):
    root = copied(clean["deepfashion_inshop"][0], "inshop", tmp_path)
    partition = root / "Eval/list_eval_partition.txt"
    rows = partition.read_bytes().splitlines(keepends=True)
    partition.write_bytes(b"".join([*rows, *rows[2:5]]))
    shutil.copy(root / "Anno/list_bbox_inshop.txt", root)  # the same
    (root / "list_landmarks_inshop.txt").write_text("something else")
    found, reported = contents("deepfashion_inshop", root)
    assert found == clean["deepfashion_inshop"][1]
    notes = [note.message for note in examine("deepfashion_inshop", root).notes]
    assert len(notes) == 2
    assert re.fullmatch(
        r".*list_landmarks_inshop.txt: says something else than .*/Anno/list_\S+, which is read", notes[0]
    )
    assert "stands in line 3 already (the same row, read once) (and 2 more)" in notes[1]
    assert {str(one.message) for one in reported} == {f"deepfashion_inshop: {note}" for note in notes}


def test_boxes_of_photos_of_another_size_are_left_out_and_told(clean, tmp_path):
    root = copied(clean["deepfashion_inshop"][0], "inshop", tmp_path)
    in_lists(lambda text: re.sub(rb"\d{3}(?= )", lambda m: b"%03d" % (3 * int(m[0])), text), "list_bbox*")(root)
    found, reported = contents("deepfashion_inshop", root)
    assert all(boxes == {} for *_, boxes, _ in found.values())
    assert any("they are of photos of another size" in str(one.message) for one in reported)


def test_verified_tags_in_another_order_than_the_photos_are_refused(clean, tmp_path):
    root = copied(clean["fashion550k"][0], "550k", tmp_path)
    in_arrays(lambda tags: tags[::-1], "verified.npy")(root)
    assert "agree with the noisy ones by" in contents("fashion550k", root)[0]


@pytest.mark.parametrize("rows", [b"a 1 0 -1\nb -1 -1 1\n", b"a b 1 0 -1\nb   -1  -1\t1\r\n"])
def test_attributes_are_read_many_rows_at_a_time_as_one_by_one(tmp_path, rows):
    (tmp_path / "list.txt").write_bytes(b"2\nnames\n" + rows)
    first, found = rows.split(b" 1")[0].decode(), Findings()
    values = read_values(tmp_path / "list.txt", {"b": 0, first: 1}, 3, found.add, found)
    assert (values.tolist(), found.faults) == ([[False, False, True], [True, False, False]], [])


WRONG = "a 1 0|a 1 0 1 1|a 1 0 2|a 11 0 1|a - 1 0|a 1 0 -0|a|a 1 0 -2|a 1 0 --1|a 1 0-1"


@pytest.mark.parametrize("row", WRONG.encode().split(b"|"))
def test_a_row_of_attributes_that_is_not_as_published_is_named(tmp_path, row):
    (tmp_path / "list.txt").write_bytes(b"2\nnames\nb 1 1 1\n" + row + b"\n")
    found = Findings()
    assert read_values(tmp_path / "list.txt", {"a": 0, "b": 1}, 3, found.add, found)[1].all()
    assert [fault.message for fault in found.faults] == [
        f"{tmp_path}/list.txt, line 4: expected a name and 3 times 1, -1 or 0, got {row.decode()!r}; fetch it again"
    ]


@pytest.mark.parametrize("tags", [np.array([[{"a": 1}]], dtype=object), np.array([[0.5]])])
def test_matlab_files_of_something_else_than_numbers_are_refused(tmp_path, tags):
    from handmade import write_ccp

    root = write_ccp(tmp_path)
    savemat(root / "annotations/image-level/0015.mat", {"tags": tags})
    split = next(split for split in ("train", "val", "test") if "0015" in load("ccp", root, split).ids)
    with pytest.raises(InputError, match=r"image-level/0015\.mat: \S+, expected the numbers of labels"):
        load("ccp", root, split).targets()
    savemat(root / "label_list.mat", {"label_list": np.array([[1, 2]])})
    with pytest.raises(InputError, match=r"label_list\.mat: expected a row of names"):
        load("ccp", root, "train")


def test_twenty_thousand_lines_are_read_in_a_second_or_two(tmp_path):
    names = [f"img/WOMEN/Dresses/id_{number // 50:08d}/{number:06d}.jpg" for number in range(20_000)]
    rows = [f"{name} {name.split('/')[3]} {('train', 'query', 'gallery')[0 if number < 10_000 else 1 + number % 2]}"
            for number, name in enumerate(names)]  # fmt: skip
    lists = {"Eval/list_eval_partition.txt": rows,
             "Anno/list_bbox_inshop.txt": [f"{name} 3 1 001 001 090 099" for name in names],
             "Anno/list_landmarks_inshop.txt": [f"{name} 2 1 0 1 1 0 9 1 0 1 9 0 9 9" for name in names]}  # fmt: skip
    for file, lines in lists.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("\n".join([str(len(lines)), "names of the columns", *lines, ""]))
    began, found = time.process_time(), Findings()
    contents = read_inshop(tmp_path, found)
    assert time.process_time() - began < 3
    assert [len(contents.splits[split]) for split in ("train", "query", "gallery")] == [10_000, 5_000, 5_000]
    assert [fault.check for fault in found.faults] == ["layout"]  # there are no photos


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases of real downloads are not here")
@pytest.mark.parametrize(
    "case", ["03-img-img", "06-bad-box", "09-backslashes", "14-upper-case-ending", "15-linked-photos"]
)
@pytest.mark.filterwarnings("ignore:.*ends before it begins")
def test_the_cases_of_real_downloads_are_read_as_their_answers_say(case, tmp_path):
    root, truth = CASES / case / "data", json.loads((CASES / case / "data.truth.json").read_text())
    if case.startswith("15"):  # where it lies, the link has become a text
        with pytest.raises(
            InputError, match=r"Img: a link that was copied as a text: make it a link to \.\./elsewhere"
        ):
            load("deepfashion_inshop", root, "train")
        root = copied(root, "data", tmp_path)
        (root / "Img").unlink()
        (root / "Img").symlink_to(CASES / case / "elsewhere")
    if "splits" not in truth:
        for split, file in (("train", "trainids"), ("val", "validids"), ("test", "testids")):
            dataset, numbers = load("fashion144k", root, split), truth["ids"][file]
            assert list(dataset.ids) == [truth["names"][number] for number in numbers]
            tags = [sorted(np.array(dataset.labels)[row > 0].tolist()) for row in dataset.targets()]
            assert tags == [truth["tags"][number] for number in numbers]
        return
    for split, rows in truth["splits"].items():
        dataset = load("deepfashion_inshop", root, split)
        samples = [dataset[index] for index in range(len(dataset))]
        assert [[sample.id, sample.product] for sample in samples] == rows
        for sample in samples:
            x1, y1, x2, y2, _ = truth["boxes"][sample.id]
            assert list(sample.boxes.values()) == [(x1 - 1, y1 - 1, x2, y2)]
            points = {
                name: (x - 1, y - 1, state == 0) for name, x, y, state in truth["landmarks"][sample.id] if state < 2
            }
            assert sample.landmarks == points
    assert examine("deepfashion_inshop", root).sound
