"""The index of a folder: whole or absent, up to date for changed files only, the same after a kill."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from wardrobefolder import drawn_folder, small_model

import fashionlib
from fashionlib.core.errors import InputError
from fashionlib.data.augment import images_to_float
from fashionlib.gallery.extract import decode
from fashionlib.gallery.gallery import open_gallery
from fashionlib.gallery.index import index_folder, model_hash, plan, update
from fashionlib.gallery.store import LOCK, MANIFEST, held, read_manifest
from fashionlib.models.spatial_transformer import boxes_of

PHOTOS = 40


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return drawn_folder(tmp_path_factory.mktemp("photos") / "all", PHOTOS)


@pytest.fixture
def folder(photos, tmp_path):
    return shutil.copytree(photos, tmp_path / "folder", copy_function=shutil.copy2)


@pytest.fixture(scope="module")
def seen_before(tmp_path_factory, model):
    """Six photos with their index, and what it says of them."""
    folder = drawn_folder(tmp_path_factory.mktemp("few") / "few", 6)
    gallery = open_gallery(folder, model)
    return folder, features(gallery)


@pytest.fixture
def few(seen_before, tmp_path):
    """A copy of six photos with their index."""
    return shutil.copytree(seen_before[0], tmp_path / "few", copy_function=shutil.copy2)


def shards(folder):
    return sorted(path.name for path in (folder / ".fashionlib").glob("*/*.safetensors"))


def features(gallery):
    """Every photo's features, scores and boxes by name."""
    every = torch.arange(len(gallery))
    steps = [gallery.seen.parts.at(every, torch.full_like(every, step)) for step in range(4)]
    return gallery.seen.names, torch.stack(steps, 1).numpy(), gallery.seen.scores, gallery.seen.boxes


def assert_same(one, other):
    for a, b in zip(features(one), features(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(one.thumbnail(i) == other.thumbnail(i) for i in range(len(one)))


def test_the_index_holds_what_the_model_says_of_each_photo(folder, model):
    gallery = open_gallery(folder, model)
    names, found, scores, boxes = features(gallery)
    assert names == tuple(f"{number:03d}.png" for number in range(PHOTOS))
    tagger = fashionlib.load_model(model)
    for number in (0, 7, 39):
        canvas = decode(folder / names[number], tagger.image_size).canvas  # the whole photo: it has the model's size
        with torch.inference_mode():  # in single precision, as the index on a processor, and without its short cuts
            expected = tagger(images_to_float(canvas[None]))
        np.testing.assert_allclose(found[number], expected.features[0], atol=2e-3)
        np.testing.assert_allclose(scores[number], tagger.probabilities(expected.scores)[0], atol=1e-3)
        np.testing.assert_allclose(boxes[number], boxes_of(expected.theta[0]), atol=1e-3)
        best = tagger.tag(folder / names[number], k=1)[0][0]
        label = int(scores[number].argmax())
        assert gallery.model.labels[label] == best.label
        sides = np.array(best.box) / np.array([64, 96, 64, 96])
        np.testing.assert_allclose(gallery.seen.region(number, label), sides, atol=0.02)


def test_regions_are_parts_of_the_photo_and_not_of_the_canvas_it_was_fitted_on(folder, model):
    """A wide photo lies between grey bands."""
    Image.open(folder / "000.png").resize((200, 60)).save(folder / "wide.png")
    gallery = open_gallery(folder, model)
    number = gallery.seen.names.index("wide.png")
    for best in fashionlib.load_model(model).tag(folder / "wide.png", k=6)[0]:
        label = gallery.model.labels.index(best.label)
        sides = (np.array(best.box) / np.array([200, 60, 200, 60])).clip(0, 1)
        np.testing.assert_allclose(gallery.seen.region(number, label), sides, atol=0.02)


def test_a_second_run_looks_at_nothing_and_writes_nothing(folder, model):
    manifest, looked_at = update(folder, model)
    assert (len(manifest.photos), looked_at) == (PHOTOS, PHOTOS)
    before = {path: path.stat().st_mtime_ns for path in index_folder(folder, None, model).iterdir()}
    again, looked_at = update(folder, model)
    assert (again, looked_at) == (manifest, 0)
    assert {path: path.stat().st_mtime_ns for path in index_folder(folder, None, model).iterdir()} == before


def test_two_runs_over_the_same_photos_write_the_same_bytes_under_the_same_names(few, model, tmp_path):
    """safetensors writes several texts of metadata in an order of its own, another one each time."""
    runs = []
    for number in range(6):
        update(few, model, place := tmp_path / str(number))
        runs.append({path.name: path.read_bytes() for path in place.glob("*.safetensors")})
    assert runs == runs[:1] * 6


def test_a_second_run_does_not_even_import_torch(folder, model):
    update(folder, model)
    code = (
        "import sys; from fashionlib.cli import main\n"
        f"sys.argv = ['fashionlib', 'index', {str(folder)!r}, '--model', {str(model)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{PHOTOS} photos indexed, 0 looked at now" in done.stdout


def test_only_new_and_changed_files_are_looked_at_and_gone_ones_are_forgotten(folder, model):
    update(folder, model)
    (folder / "sub").mkdir()
    shutil.copy2(folder / "003.png", folder / "sub" / "new ü.png")
    shutil.copy(folder / "005.png", folder / "004.png")
    (folder / "009.png").unlink()
    manifest, looked_at = update(folder, model)
    assert looked_at == 2
    assert set(manifest.photos) == {f"{n:03d}.png" for n in range(PHOTOS) if n != 9} | {"sub/new ü.png"}
    gallery = open_gallery(folder, model)
    names, found, *_ = features(gallery)
    at = names.index
    np.testing.assert_allclose(found[at("004.png")], found[at("005.png")], atol=2e-3)
    np.testing.assert_allclose(found[at("sub/new ü.png")], found[at("003.png")], atol=2e-3)
    shutil.rmtree(folder / ".fashionlib")
    fresh = open_gallery(folder, model)
    for a, b in zip(features(gallery)[1:], features(fresh)[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def killed_while_indexing(folder, model, after):
    """Index in a process of its own, eight photos a shard, and kill -9 it once there are `after` more shards."""
    code = (
        "import fashionlib.gallery.extract as looking, fashionlib.gallery.index as index\n"
        f"looking.SHARD = looking.BATCH = 8; index.update({str(folder)!r}, {str(model)!r})"
    )
    before = len(shards(folder))
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    deadline = time.monotonic() + 120
    while len(shards(folder)) < before + after:
        assert process.poll() is None, "indexing ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_while_indexing_nothing_is_served_and_the_next_run_completes_it(folder, model, photos):
    killed_while_indexing(folder, model, after=2)
    assert read_manifest(index_folder(folder, None, model), model_hash(model)) is None
    manifest, looked_at = update(folder, model)
    assert len(manifest.photos) == PHOTOS
    assert 0 < looked_at <= PHOTOS - 16
    whole = shutil.copytree(photos, folder.parent / "whole", copy_function=shutil.copy2)
    for a, b in zip(features(open_gallery(folder, model))[1:], features(open_gallery(whole, model))[1:], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_killed_while_updating_the_old_index_stands_until_the_new_one_is_there(folder, model):
    old, _ = update(folder, model)
    for number in range(0, 24):
        shutil.copy(folder / "030.png", folder / f"{number:03d}.png")
    killed_while_indexing(folder, model, after=1)
    assert read_manifest(index_folder(folder, None, model), model_hash(model)) == old
    half = index_folder(folder, None, model) / f".{MANIFEST}.abcd_123"
    half.write_text("as a kill leaves it")
    _, looked_at = update(folder, model)
    assert 0 < looked_at <= 16
    assert not half.exists()
    names, found, *_ = features(open_gallery(folder, model))
    assert names == tuple(f"{number:03d}.png" for number in range(PHOTOS))
    np.testing.assert_allclose(found[:24], np.repeat(found[30:31], 24, 0), atol=2e-3)


def test_shards_of_a_finished_run_whose_manifest_is_missing_are_taken_up(folder, model):
    first = open_gallery(folder, model)
    (index_folder(folder, None, model) / MANIFEST).unlink()
    _, looked_at = update(folder, model)
    assert looked_at == 0
    assert_same(first, open_gallery(folder, model))


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


HARMS = {
    "gone": lambda path: path.unlink(),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:500]),
    "a bit flipped": lambda path: flip(path, -200),
    "a bit of the header flipped": lambda path: flip(path, 300),
    "empty": lambda path: path.write_bytes(b""),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link to what never ends": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "nested deep": lambda path: path.write_text("[" * 500_000),
}


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("what", ["shard", "manifest"])
def test_damaged_files_of_an_index_are_made_again_and_said_in_one_line(few, seen_before, model, harm, what, capsys):
    name = shards(few)[0] if what == "shard" else MANIFEST
    HARMS[harm](index_folder(few, None, model) / name)
    assert update(few, model)[1] == (6 if what == "shard" else 0)
    for now, before in zip(features(open_gallery(few, model)), seen_before[1], strict=True):
        np.testing.assert_array_equal(now, before)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == (0 if (what, harm) == ("manifest", "gone") else 1)
    assert all(name in line for line in said)
    assert update(few, model)[1] == 0


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', "{", '{"format": 2, "model": "x", "photos": 3}'])
def test_a_manifest_that_is_none_is_replaced(folder, model, text):
    update(folder, model)
    (index_folder(folder, None, model) / MANIFEST).write_text(text)
    assert len(update(folder, model)[0].photos) == PHOTOS


def test_a_photo_replaced_by_one_of_the_same_size_and_time_is_looked_at(few, model):
    """Seen to keep the old photo's features."""
    for number in (1, 2):
        Image.open(few / f"{number:03d}.png").save(few / f"{number:03d}.bmp")
    update(few, model)
    times = (few / "001.bmp").stat()
    (few / "001.bmp").write_bytes((few / "002.bmp").read_bytes())
    os.utime(few / "001.bmp", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert update(few, model)[1] == 1
    names, found, *_ = features(open_gallery(few, model))
    np.testing.assert_allclose(found[names.index("001.bmp")], found[names.index("002.bmp")], atol=2e-3)


def test_photos_that_were_only_touched_or_copied_keep_their_features(few, model):
    copied = shutil.copytree(few, few.parent / "copied", copy_function=shutil.copy)  # times of its own
    assert update(copied, model)[1] == 0
    assert_same(open_gallery(few, model), open_gallery(copied, model))
    manifest = index_folder(copied, None, model) / MANIFEST
    before = manifest.stat().st_mtime_ns
    update(copied, model)
    assert manifest.stat().st_mtime_ns == before


def test_an_index_among_files_of_the_users_own_leaves_them_as_they_were(few, model, tmp_path):
    """Seen to remove dotfiles and weights, and to empty the lock."""
    home = tmp_path / "home"
    theirs = [".bashrc", "model.safetensors", "0123456789abcdef.safetensors", "lock", ".lock", "manifest.json",
              ".manifest.json.abcd1234", "fashionlib-notes.txt"]  # fmt: skip
    for name in theirs:
        home.mkdir(exist_ok=True)
        (home / name).write_text(f"what {name} holds")
    for seed in (0, 1):
        update(few, small_model(tmp_path / "changing", seed=seed), home)
    assert all((home / name).read_text() == f"what {name} holds" for name in theirs)
    assert len(list(home.glob("fashionlib-*.safetensors"))) == 1


def test_only_a_folder_that_is_marked_as_an_index_loses_files(few, model, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    name = f"fashionlib-{32 * '0'}.safetensors"
    (home / name).write_text("of somebody else")
    (home / LOCK).write_text("another program's")
    update(few, model, home)
    assert (home / name).read_text() == "of somebody else"
    assert (home / LOCK).read_text() == "another program's"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such locks")
def test_a_second_process_says_that_it_waits(few, model, capsys):
    import fcntl

    place = index_folder(few, None, model)
    with held(place), (place / LOCK).open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    code = f"from fashionlib.gallery.store import held\nfrom pathlib import Path\nwith held(Path({str(place)!r})): pass"
    with held(place):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
        assert "another process is bringing this index up to date; waiting" in process.stderr.readline()
    assert process.wait(30) == 0
    process.stderr.close()


def test_a_disk_without_rights_locks_links_and_syncing_holds_the_same_index(few, model, monkeypatch):
    """Seen to end in a traceback after 128 photos: CIFS, exFAT and WSL refuse chmod."""
    import fcntl

    whole = open_gallery(few, model)
    bare = shutil.copytree(few, few.parent / "bare", ignore=shutil.ignore_patterns(".fashionlib"))

    def refused(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for owner, names in ((os, ["chmod", "fchmod", "link", "fsync", "utime"]), (fcntl, ["flock", "lockf"])):
        for name in names:
            monkeypatch.setattr(owner, name, refused)
    assert_same(whole, open_gallery(bare, model))


def test_another_model_of_the_same_name_looks_at_everything_anew_and_leaves_no_shard_of_the_first(folder, tmp_path):
    name = tmp_path / "model"
    update(folder, small_model(name))
    before = shards(folder)
    _, looked_at = update(folder, small_model(name, seed=1))
    assert looked_at == PHOTOS
    assert not set(before) & set(shards(folder))


def test_a_model_of_another_name_has_an_index_of_its_own_and_the_first_need_not_look_again(folder, model, tmp_path):
    first = open_gallery(folder, model)
    assert update(folder, small_model(tmp_path / "other", seed=1))[1] == PHOTOS
    assert update(folder, model)[1] == 0
    assert_same(first, open_gallery(folder, model))
    assert sorted(path.name for path in (folder / ".fashionlib").iterdir()) == sorted([model.name, "other"])


def test_the_index_can_lie_elsewhere(folder, model, tmp_path):
    update(folder, model, tmp_path / "index" / "deep")
    assert not (folder / ".fashionlib").exists()
    assert (tmp_path / "index" / "deep" / MANIFEST).is_file()
    assert len(open_gallery(folder, model, tmp_path / "index" / "deep")) == PHOTOS


def test_photos_that_cannot_be_read_are_remembered_until_they_change(folder, model):
    (folder / "text.jpg").write_text("no photo")
    (folder / "empty.jpg").touch()
    manifest, looked_at = update(folder, model)
    assert looked_at == PHOTOS + 2
    assert set(manifest.skipped) == {"text.jpg", "empty.jpg"}
    assert "not an image" in manifest.skipped["text.jpg"].reason
    assert str(folder) not in manifest.skipped["text.jpg"].reason
    assert update(folder, model) == (manifest, 0)
    shutil.copy(folder / "000.png", folder / "text.jpg")
    manifest, looked_at = update(folder, model)
    assert (looked_at, set(manifest.skipped)) == (1, {"empty.jpg"})


def test_folders_without_photos_and_models_that_cannot_be_used_are_named(folder, model, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        update(tmp_path / "none", model)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no photos in this folder"):
        update(tmp_path / "empty", model)
    assert list((tmp_path / "empty").iterdir()) == []
    (tmp_path / "empty" / "a.jpg").touch()
    with pytest.raises(InputError, match=r"none of the 1 photos can be read; the first: a\.jpg"):
        update(tmp_path / "empty", model)
    with pytest.raises(InputError, match="no model here"):
        update(folder, tmp_path)
    with pytest.raises(InputError, match="sees pictures whole"):
        update(folder, small_model(tmp_path / "whole", kind="whole"))


def test_the_manifest_is_json_of_names_sizes_times_and_places(folder, model):
    update(folder, model)
    values = json.loads((index_folder(folder, None, model) / MANIFEST).read_text())["values"]
    name, size, changed, entry, _, shard, row = values["photos"][7]
    stat = (folder / "007.png").stat()
    assert (name, size, changed, entry) == ("007.png", stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    assert values["shards"][shard][0] in shards(folder)
    assert 0 <= row < PHOTOS


def test_a_photo_is_not_recommended_to_itself_but_its_copy_is(folder, model):
    shutil.copy(folder / "003.png", folder / "copy.png")
    rows = fashionlib.recommend(folder / "003.png", folder, per_part=3, diversity=0.0, model=model)
    assert rows
    for row in rows:
        assert "003.png" not in [look.name for look in row.looks]
        assert row.looks[0].name == "copy.png"
        assert row.looks[0].distance == pytest.approx(0, abs=0.02)
    array = np.asarray(Image.open(folder / "003.png"))
    there = fashionlib.recommend(array, open_gallery(folder, model), per_part=3, diversity=0.0)
    both = [look for row in there for look in row.looks if look.name in {"003.png", "copy.png"}]
    assert both  # of the two one is shown, and says that there is another like it
    assert all(look.alike == 1 for look in both)


def test_recommend_stays_a_function_whatever_was_imported():
    import fashionlib.retrieval.recommend

    assert callable(fashionlib.recommend)


def test_what_is_due_is_told_without_doing_it(folder, model):
    place, hash_ = index_folder(folder, None, model), model_hash(model)
    assert len(plan(folder, place, hash_).todo) == PHOTOS
    assert not place.exists()
