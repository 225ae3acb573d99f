"""`fashionlib doctor`: everything that is wrong with a folder, nothing that is not, and quickly."""

import json
import os
import time

import handmade
import numpy as np
import pytest
from handmade import edit, write
from PIL import Image
from scipy.io import savemat

from fashionlib.core.errors import InputError
from fashionlib.data.doctor.diagnosis import READERS, examine
from fashionlib.data.published.miniature import WRITERS, write_miniature
from fashionlib.data.published.registry import PUBLISHED

SIZE = (96, 64)


@pytest.fixture(scope="module")
def miniatures(tmp_path_factory):
    home = tmp_path_factory.mktemp("miniatures")
    return {name: write_miniature(name, home / name, photos=16, size=SIZE) for name in WRITERS}


@pytest.fixture
def copy(miniatures, tmp_path):
    """A miniature of that name, to be harmed."""

    def copied(name):
        root = tmp_path / name
        for path in miniatures[name].rglob("*"):
            if path.is_file():
                target = root / path.relative_to(miniatures[name])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        return root

    return copied


def make_ccp(root):
    """Hand-made: 4 photos, 2 with masks, 2 with tags."""
    names = np.array([[np.array([name])] for name in ("null", "bag", "skin", "dress")], dtype=object).reshape(1, 4)
    root.mkdir()
    savemat(root / "label_list.mat", {"label_list": names})
    for kind in ("pixel-level", "image-level"):
        (root / "annotations" / kind).mkdir(parents=True)
    (root / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 60), (number, 0, 0)).save(root / f"photos/{number:04d}.jpg")
        if number < 2:
            savemat(root / f"annotations/pixel-level/{number:04d}.mat", {"groundtruth": np.full((60, 40), 3, np.uint8)})
        else:
            savemat(root / f"annotations/image-level/{number:04d}.mat", {"tags": np.array([[1], [3]])})
    return root


def rows_of(path):
    return path.read_text().splitlines()


def with_rows(path, rows):
    write(path, "\n".join(rows) + "\n")


def messages(diagnosis, check):
    return [one.message for one in (*diagnosis.faults, *diagnosis.notes) if one.check == check]


def places(diagnosis, check):
    return [
        one.at(place) for one in (*diagnosis.faults, *diagnosis.notes) if one.check == check for place in one.places
    ]


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_sound_miniature_has_no_fault(miniatures, name):
    diagnosis = examine(name, miniatures[name])
    assert diagnosis.faults == []
    assert diagnosis.verdict.startswith("sound, but not the published size")


def test_a_handmade_benchmark_has_its_one_box_and_four_missing_landmarks_and_nothing_else(tmp_path):
    diagnosis = examine("deepfashion_inshop", handmade.make_inshop(tmp_path / "inshop"))
    assert diagnosis.faults == []
    box, landmarks = [note.message for note in diagnosis.notes]
    assert "list_bbox_inshop.txt, line 7: a box reaches out of its photo (cut off at the edge): 10 10 45 70" in box
    assert f"no row for 4 of 6 photos, such as {handmade.DRESS}/02_2_side.jpg" in landmarks
    assert diagnosis.counts["items"] == 3
    assert [diagnosis.counts[f"{split} photos"] for split in ("train", "query", "gallery")] == [2, 2, 2]


def plant_ten(root):
    """Ten faults, each in photos and rows of its own; what each report has to name."""
    partition, boxes = root / "Eval/list_eval_partition.txt", root / "Anno/list_bbox_inshop.txt"
    points = root / "Anno/list_landmarks_inshop.txt"
    rows = rows_of(partition)
    train = [row.split() for row in rows if row.split()[-1] == "train"]
    query = next(row.split() for row in rows if row.split()[-1] == "query")
    lost, cut, empty, text, outside, inverted, point, leak, refused, twice = (row[0] for row in train[:10])
    (root / "Img" / lost).unlink()
    (root / "Img" / cut).write_bytes((root / "Img" / cut).read_bytes()[:-300])
    (root / "Img" / empty).write_bytes(b"")
    (root / "Img" / text).write_text("no photo")
    for name, box in ((outside, "070 010 090 020"), (inverted, "030 030 010 050")):
        with_rows(
            boxes, [f"{' '.join(row.split()[:3])} {box}" if row.startswith(name) else row for row in rows_of(boxes)]
        )
    old = next(row for row in rows_of(points) if row.startswith(point))
    with_rows(points, [" ".join([*row.split()[:3], "0", "099", *row.split()[5:]]) if row == old else row
                       for row in rows_of(points)])  # fmt: skip
    edit(partition, rows[rows.index(next(row for row in rows if row.startswith(leak)))], f"{leak} {query[1]} train")
    edit(partition, refused, "../secret.jpg")
    doubled = next(row for row in rows if row.startswith(twice))
    with_rows(partition, [str(len(rows) - 1), *rows_of(partition)[1:], doubled])
    return {"photos": [cut, empty, text, lost], "boxes": [inverted, outside], "landmarks": [point],
            "splits": [query[0]], "paths": ["../secret.jpg"]}, (partition, boxes, points)  # fmt: skip


def line_of(path, name):
    return next(f"{path}, line {number}" for number, row in enumerate(rows_of(path), 1) if row.startswith(name))


def test_ten_planted_faults_are_all_reported_and_none_invented(copy, call):
    root = copy("deepfashion_inshop")
    planted, (partition, boxes, points) = plant_ten(root)
    lists = {"boxes": boxes, "landmarks": points, "splits": partition, "paths": partition}
    for check, path in lists.items():
        planted[check] = [line_of(path, name) for name in planted[check]]
    planted["duplicates"] = [f"{partition}, line {len(rows_of(partition))}"]
    planted["photos"] = [f"{root}/Img/{name}" for name in planted["photos"]]
    diagnosis = examine("deepfashion_inshop", root)
    found = (*diagnosis.faults, *diagnosis.notes)
    assert sum(len(one.places) for one in found) == 10
    for check, names in planted.items():
        assert sorted(places(diagnosis, check)) == sorted(names)
    assert {one.check for one in diagnosis.faults} == {"photos", "splits", "paths"}
    code, out, _ = call("doctor", "deepfashion_inshop", root)
    assert code == 1
    assert "verdict: unsound" in out
    assert all(one.message in out for one in found)  # whole, on one line each


@pytest.mark.parametrize(
    ("name", "file", "change", "check", "named"),
    [
        ("fashion144k", "photos.txt", lambda rows: [rows[1], *rows[1:]], "duplicates", "photos.txt, line 2"),
        ("fashion144k", "photos.txt", lambda rows: ["/etc/a.jpg", *rows[1:]], "paths", "photos.txt, line 1"),
        ("deepfashion_c2s", "Eval/list_eval_partition.txt", lambda rows: [*rows[:-1], rows[-1].replace("test", "tset")],
         "lists", "line {last}"),
        ("deepfashion_attributes", "Anno/list_bbox.txt", lambda rows: [*rows[:-1], rows[-1][:-6]], "lists",
         "line {last}"),
        ("deepfashion_attributes", "Anno/list_attr_img.txt", lambda rows: [*rows[:-1], f"{rows[-1]} 1"], "lists",
         "line {last}"),
        ("deepfashion_attributes", "Anno/list_category_img.txt", lambda rows: [*rows[:-1], f"{rows[-1].split()[0]} 99"],
         "lists", "category is 99"),
        ("deepfashion_inshop", "Anno/list_item_inshop.txt", lambda rows: [*rows, rows[-1]], "duplicates",
         "line {after}"),
    ],
)  # fmt: skip
def test_one_harmed_row_is_one_fault_with_file_and_line(copy, name, file, change, check, named):
    root = copy(name)
    rows = rows_of(root / file)
    changed = change(rows)
    with_rows(root / file, [str(len(changed) - (1 if "item" in file else 2)), *changed[1:]] if "/" in file else changed)
    diagnosis = examine(name, root)
    (one,) = (*diagnosis.faults, *diagnosis.notes)
    assert one.check == check
    assert named.format(last=len(rows), after=len(rows) + 1) in one.message


@pytest.mark.parametrize(
    ("file", "array", "checks"),
    [
        ("validids.npy", lambda ids: np.array([*ids, 10**6]), ["arrays"]),
        ("validids.npy", lambda ids: np.array([*ids, ids[0]]), ["duplicates"]),
        ("trainids.npy", lambda ids: ids.astype(float) + 0.5, ["arrays"]),
        ("feat/feat_sin.npy", lambda tags: tags[:, 1:], ["arrays"]),
        ("feat/singles_at_59.npy", lambda tags: tags * 3, ["arrays"]),
    ],
)
def test_one_harmed_array_is_one_fault(copy, file, array, checks):
    root = copy("fashion144k")
    np.save(root / file, array(np.load(root / file)))
    diagnosis = examine("fashion144k", root)
    found = (*diagnosis.faults, *diagnosis.notes)
    assert [one.check for one in found] == checks
    assert file in found[0].message


def test_a_photo_in_two_splits_leaks(copy):
    root = copy("fashion550k")
    test = np.load(root / "testids.npy")
    valid = np.load(root / "validids.npy")
    np.save(root / "validids.npy", np.array([*valid[1:], test[0]]))
    diagnosis = examine("fashion550k", root)
    (leak,) = messages(diagnosis, "splits")
    assert f"also holds photos of val (1, such as {test[0]}, photos/{test[0] + 1:06d}.jpg)" in leak


def test_an_item_in_two_splits_and_a_photo_of_two_items_are_told_apart(tmp_path):
    path = handmade.make_c2s(tmp_path / "c2s") / "Eval/list_eval_partition.txt"
    edit(path, "shop_02.jpg     id_00000009 test", "shop_02.jpg     id_00000009 train")
    (leak,) = messages(examine("deepfashion_c2s", tmp_path / "c2s"), "splits")
    assert f"{path}, line 8: an item is in two of train, val and test, such as id_00000009 (also in line 6)" in leak
    edit(path, "id_00000009 train", "id_00000008 test")
    (conflict,) = messages(examine("deepfashion_c2s", tmp_path / "c2s"), "splits")
    assert (
        f"{path}, line 8: a photo shows two items, such as img/TOPS/Vest/id_00000009/comsumer_02.jpg: id_0" in conflict
    )


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_missing_list_is_one_fault_and_says_what_goes_where(copy, call, name):
    root = copy(name)
    path = root / ("photos.txt" if name.startswith("fashion") else "Eval/list_eval_partition.txt")
    path.unlink()
    (fault,) = examine(name, root).faults
    assert fault.check == "layout"
    assert str(path) in fault.message
    code, out, _ = call("doctor", name, root)
    assert code == 1
    assert "what goes where" in out
    assert PUBLISHED[name].ask.split()[0] in out


@pytest.mark.parametrize("name", list(WRITERS))
def test_photos_that_were_not_unpacked_are_one_fault(copy, name):
    root = copy(name)
    (root / ("photos" if name.startswith("fashion") else "Img")).rename(root.parent / "elsewhere")
    (fault,) = examine(name, root).faults
    assert fault.check == "layout"
    assert "unpack" in fault.message or "no photos" in fault.message


def test_a_sound_ccp_and_its_faults(tmp_path):
    root = make_ccp(tmp_path / "ccp")
    assert examine("ccp", root).faults == []
    (root / "annotations/image-level/0003.mat").unlink()
    savemat(root / "annotations/pixel-level/0000.mat", {"groundtruth": np.ones((30, 40), np.uint8)})
    savemat(root / "annotations/image-level/0002.mat", {"tags": np.array([[9]])})
    (root / "photos/0001.jpg").unlink()
    diagnosis = examine("ccp", root)
    assert len(diagnosis.faults) == 4
    (photo,) = messages(diagnosis, "photos")
    assert "0001.jpg: missing" in photo
    assert [next(id_ for id_ in ("0000", "0002", "0003") if id_ in message)
            for message in messages(diagnosis, "annotations")] == ["0000", "0002", "0003"]  # fmt: skip


def test_the_real_ccp_is_sound_and_of_its_published_size(ccp_root):
    diagnosis = examine("ccp", ccp_root)
    assert diagnosis.faults == []
    assert diagnosis.verdict == "sound, and of the published size"


def test_a_folder_of_strangers_photos_names_each_that_cannot_be_read(tmp_path):
    for number, kind in enumerate(("jpg", "png", "gif", "webp", "bmp", "tif")):
        Image.effect_noise((50, 40), 60).convert("RGB").save(tmp_path / f"whole{number}.{kind}")
        content = (tmp_path / f"whole{number}.{kind}").read_bytes()
        (tmp_path / f"cut{number}.{kind}").write_bytes(content[: len(content) * 2 // 3])
    (tmp_path / "appended.jpg").write_bytes((tmp_path / "whole0.jpg").read_bytes() + b"\0" * 20)  # some writers do
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "text.png").write_text("no photo")
    (tmp_path / "notes.txt").write_text("not meant as a photo")
    diagnosis = examine("folder", tmp_path)
    assert {place.split(".")[0].split("/")[-1] for place in places(diagnosis, "photos")} == {
        "zero", "text", *(f"cut{number}" for number in range(6))
    }  # fmt: skip
    assert diagnosis.sound  # the others can be used


def test_a_whole_looking_photo_is_not_decoded(tmp_path):
    path = tmp_path / "a.jpg"
    Image.effect_noise((300, 300), 60).save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : -2] = bytes(len(content) - 2 - len(content) // 2)
    path.write_bytes(content)  # the end is there, half the middle is not
    assert examine("folder", tmp_path).sound


def test_linked_photos_of_a_folder_are_sound_and_links_that_lead_to_no_file_are_left_out(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.jpg")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/link.jpg").symlink_to(tmp_path / "photo.jpg")
    assert examine("folder", tmp_path / "mine").sound
    (tmp_path / "mine/lost.jpg").symlink_to(tmp_path / "gone.jpg")
    (note,) = examine("folder", tmp_path / "mine").notes
    assert note.check == "photos"
    assert "lost.jpg: a link that leads to no file" in note.message


def test_ten_thousand_photos_take_less_than_half_a_minute(tmp_path):
    Image.new("RGB", (64, 48), (90, 20, 20)).save(tmp_path / "0.jpg")
    for number in range(1, 10_000):
        if number % 500 == 0:
            (tmp_path / str(number // 500)).mkdir()
        os.link(tmp_path / "0.jpg", tmp_path / (str(number // 500) if number >= 500 else ".") / f"{number}.jpg")
    began = time.process_time()
    assert examine("folder", tmp_path).counts == {"photos": 10_000}
    assert time.process_time() - began < 30  # the slowest processor seen took 20


def test_many_faults_of_a_kind_are_cut_short_unless_all_are_asked_for(tmp_path, call):
    for number in range(30):
        (tmp_path / f"{number}.jpg").touch()
    code, out, _ = call("doctor", "folder", tmp_path)
    assert (code, out.count(".jpg")) == (1, 20)
    assert "… and 10 more" in out
    assert call("doctor", "folder", tmp_path, "--most", 0)[1].count(".jpg") == 30
    report = json.loads(call("doctor", "folder", tmp_path, "--json")[1])
    assert [len(fault["places"]) for fault in report["faults"]] == [30]
    assert report["sound"] is False


def test_a_sound_folder_ends_with_exit_code_0_and_tells_the_terms(miniatures, call):
    code, out, err = call("doctor", "deepfashion_c2s", miniatures["deepfashion_c2s"])
    assert (code, err) == (0, "")
    assert "Non-commercial research" in out
    assert "password" in out
    assert "239,557" in out


def test_a_wrong_name_and_a_missing_folder_are_one_line_each(tmp_path, call):
    code, out, err = call("doctor", "imagenet", tmp_path)
    assert (code, out) == (2, "")
    assert err == f"error: unknown data set 'imagenet': choose one of {', '.join(READERS)}\n"
    code, _, err = call("doctor", "deepfashion_inshop", tmp_path / "none")
    assert (code, err.count("\n")) == (2, 1)
    assert "InShopRetrieval.html" in err
    with pytest.raises(InputError, match="no such folder"):
        examine("folder", tmp_path / "none")


def test_every_data_set_with_a_folder_can_be_examined():
    assert set(READERS) == set(PUBLISHED)
