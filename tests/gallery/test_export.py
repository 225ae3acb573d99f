"""The file of parts: a real vector database loads it and finds the neighbours that the index finds."""

import json
import os
import subprocess
import sys

import pytest
import torch
from wardrobefolder import drawn_folder, small_model

from fashionlib.core.errors import InputError
from fashionlib.gallery import write_parts
from fashionlib.gallery.gallery import open_gallery
from fashionlib.retrieval import recommend_parts

PHOTOS = 12
# in a process of its own: LanceDB starts threads, and warns when such a process is forked later
ASK = """
import json, sys
import lancedb, pyarrow.parquet
parts = lancedb.connect(sys.argv[1] + "/database").create_table("parts", pyarrow.parquet.read_table(sys.argv[2]))
for query in map(json.loads, sys.stdin):
    found = parts.search(query["vector"]).distance_type("l2").where(query["where"], prefilter=True).limit(20)
    print(json.dumps([[row["photo"], row["_distance"] ** 0.5, row["box"]["x0"]] for row in found.to_list()]))
"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    home = tmp_path_factory.mktemp("export")
    return open_gallery(drawn_folder(home / "photos", PHOTOS), small_model(home / "model"))


@pytest.fixture(scope="module")
def parquet():
    return pytest.importorskip("pyarrow.parquet", reason="the extra 'export' is not installed")


def test_a_vector_database_finds_the_neighbours_that_the_index_finds(gallery, parquet, tmp_path):
    pytest.importorskip("lancedb", reason="the extra 'test' is not installed")
    write_parts(tmp_path / "parts.parquet", gallery)
    expected, questions = [], []
    for photo, name in enumerate(gallery.seen.names):
        for row in recommend_parts(gallery.seen, photo, gallery.seen, per_part=20, parts=6, exclude=[photo]):
            label = gallery.seen.labels.index(row.label)
            vector = gallery.seen.parts.of(torch.tensor([photo]), label)[0].tolist()
            questions.append({"vector": vector, "where": f"label = '{row.label}' AND photo != '{name}'"})
            expected.append(row.looks)
    done = subprocess.run(
        [sys.executable, "-c", ASK, tmp_path, tmp_path / "parts.parquet"], capture_output=True, text=True, check=False,
        input="\n".join(map(json.dumps, questions)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(expected) > 2 * PHOTOS
    for looks, found in zip(expected, answers, strict=True):
        assert [look.distance for look in looks] == pytest.approx([distance for _, distance, _ in found], abs=1e-3)
        there = {name: (distance, x0) for name, distance, x0 in found}  # photos at one distance come in any order
        for look in looks:
            assert there[look.name] == pytest.approx((look.distance, look.region[0]), abs=1e-3)


def test_there_is_a_row_for_each_label_that_a_photo_carries(gallery, parquet, tmp_path):
    rows = write_parts(tmp_path / "parts.parquet", gallery)
    table = parquet.read_table(tmp_path / "parts.parquet").to_pylist()
    carried = gallery.seen.parts.assigned.nonzero().tolist()
    assert len(table) == rows == len(carried)
    for row, (photo, label) in zip(table, carried, strict=True):
        assert (row["photo"], row["label"]) == (gallery.seen.names[photo], gallery.seen.labels[label])
        assert row["score"] == pytest.approx(gallery.seen.scores[photo, label])
        assert list(row["box"]) == ["x0", "y0", "x1", "y1"]
        assert tuple(row["box"].values()) == pytest.approx(gallery.seen.region(photo, label))
        assert row["vector"] == gallery.seen.parts.of(torch.tensor([photo]), label)[0].tolist()


def test_the_command_writes_the_file_and_names_photos_that_could_not_be_read(call, parquet, tmp_path):
    folder, model, out = drawn_folder(tmp_path / "photos", 3), small_model(tmp_path / "model"), tmp_path / "p.parquet"
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes((folder / "000.png").read_bytes())
    (folder / "empty.jpg").touch()
    for _ in range(2):  # it replaces a file of its own
        code, printed, err = call("export", folder, out, "--model", model)
        assert (code, err) == (0, "")
    table = parquet.read_table(out)
    first, second = printed.splitlines()
    assert first == f"{out}: {len(table)} parts of 4 photos"
    assert second.startswith("left out: empty.jpg: not an image")
    assert set(table["photo"].to_pylist()) == {"000.png", "001.png", "002.png", "caf\\udce9.png"}


def test_a_table_of_others_is_not_replaced(gallery, parquet, tmp_path):
    import pyarrow

    out = tmp_path / "sales.parquet"
    parquet.write_table(pyarrow.table({"sales": list(range(9000))}), out)
    before = out.read_bytes()
    with pytest.raises(InputError, match=r"sales\.parquet: is there already and not of our making"):
        write_parts(out, gallery)
    assert out.read_bytes() == before


def test_without_the_package_one_line_says_how_to_get_it_before_anything_is_indexed(call, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    folder = drawn_folder(tmp_path / "photos", 1)
    code, printed, err = call("export", folder, tmp_path / "parts.parquet")
    assert (code, printed) == (2, "")
    assert err == "error: a Parquet file is written by pyarrow: pip install 'fashionlib[export]'\n"
    assert [path.name for path in folder.iterdir()] == ["000.png"]
