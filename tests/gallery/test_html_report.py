"""The page of look-alikes: what strangers' files do to it, and how it stands in a real browser."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from wardrobefolder import drawn_folder, small_model

from fashionlib.gallery.extract import jpeg
from fashionlib.gallery.html_report import page
from fashionlib.retrieval.collection import LookAlike, Row

EVIL = "<img src=x onerror=alert(1)>.jpg"
ODD = "ünï cödé 写真 '\"&.jpg"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Drawn photos, and all that strangers' folders hold beside them."""
    folder = drawn_folder(tmp_path_factory.mktemp("page") / "photos", 12)
    photo = Image.open(folder / "000.png")
    photo.save(folder / EVIL, quality=95)
    photo.save(folder / ODD)
    photo.convert("CMYK").save(folder / "cmyk.jpg")
    photo.resize((640, 960)).save(folder / "large.jpg")
    grey = np.asarray(photo.convert("L"), dtype=np.uint16) * 256
    Image.fromarray(grey).save(folder / "16-bit.png")
    frames = [Image.open(folder / f"{n:03d}.png").convert("P") for n in range(3)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.transpose(Image.Transpose.ROTATE_90).save(folder / "rotated.jpg", exif=exif, quality=95)
    (folder / "zero.jpg").touch()
    (folder / "cut <b>.jpg").write_bytes((folder / "cmyk.jpg").read_bytes()[:900])
    Image.new("1", (20_000, 20_000)).save(folder / "huge.png")
    return folder


class Reader(HTMLParser):
    """Every tag of a page with its attributes, and its visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_strangers_files_give_a_page_that_escapes_every_name_and_lists_what_was_skipped(call, folder, model, tmp_path):
    out = tmp_path / "page.html"
    code, printed, err = call("recommend", folder / EVIL, "--in", folder, "--model", model, "--out", out)
    assert (code, err) == (0, "")
    assert "5 parts" in printed
    text = out.read_text(encoding="utf-8")
    read = Reader(text)
    assert "<img src=x" not in text
    assert "<b>" not in text
    ours = "html head meta title style body a header h1 h2 p div defs image use svg rect span nav ol ul li main section"
    assert {tag for tag, _ in read.tags} <= {*ours.split(" ")}
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    assert EVIL in read.text
    for name, why in (
        ("zero.jpg", "not an image"),
        ("cut <b>.jpg", "damaged image"),
        ("huge.png", "more than 100,000,000 pixels"),
    ):
        assert re.search(re.escape(f"{name}: ") + f".*{why}", read.text), name
    assert str(folder) not in text


def test_odd_but_sound_files_are_read_as_what_they_show(call, folder, model):
    code, out, _ = call("recommend", folder / "000.png", "--in", folder, "--model", model, "--json",
                        "--diversity", 0, "--per-part", 30)  # fmt: skip
    found = json.loads(out)
    assert code == 0
    assert set(found["skipped"]) == {"zero.jpg", "cut <b>.jpg", "huge.png"}
    assert found["photos"] == 12 + 7
    for part in found["parts"]:
        near = [look["name"] for look in part["looks"]]
        if "rotated.jpg" in near:  # the same picture, upright
            assert near.index("rotated.jpg") < 6
    looks = {look["name"]: look["alike"] for part in found["parts"] for look in part["looks"]}
    same = {EVIL, ODD, "cmyk.jpg", "large.jpg", "rotated.jpg", "animated.gif"}  # the picture of 000.png
    shown = [alike for name, alike in looks.items() if name in same]
    assert shown == [5]  # one is shown, and says so


def test_json_holds_parts_and_look_alikes_with_label_region_distance_and_reason(call, folder, model):
    code, out, _ = call("recommend", folder / "001.png", "--in", folder, "--model", model, "--json", "--per-part", 3)
    found = json.loads(out)
    assert (code, found["photo"], found["diversity"]) == (0, str(folder / "001.png"), 0.5)
    assert 1 <= len(found["parts"]) <= 6
    for part in found["parts"]:
        assert 1 <= len(part["looks"]) <= 3
        for look in part["looks"]:
            assert look["label"] in (part["label"], *part["also"])
            assert look["name"] != "001.png"
            assert look["distance"] >= 0
            assert len(look["region"]) == 4
            assert part["label"] in look["reason"]


def test_the_one_list_says_which_parts_each_photo_answers_and_can_be_left_out(call, folder, model):
    words = ("recommend", folder / "001.png", "--in", folder, "--model", model, "--json")
    found = json.loads(call(*words, "--together", 4)[1])
    names = [one["name"] for one in found["together"]]
    assert len(names) == len(set(names)) == 4
    assert "001.png" not in names
    for one in found["together"]:
        assert 0 < one["chance"] <= 1
        assert all(look["label"] in look["reason"] for look in one["looks"])
        assert {look["name"] for look in one["looks"]} == {one["name"]}
    assert json.loads(call(*words, "--together", 0)[1])["together"] == []


def test_text_says_the_same_in_lines(call, folder, model):
    words = ("recommend", folder / "001.png", "--in", folder, "--model", model, "--parts", 2, "--per-part", 2)
    found = json.loads(call(*words, "--json")[1])
    code, out, _ = call(*words)
    lines = out.splitlines()
    assert (code, lines[0]) == (0, str(folder / "001.png"))
    start = lines.index("for all parts at once")
    heads = [line.split()[1] for line in lines[:start] if re.match(r"  [01]\.", line)]
    assert heads == [part["label"] for part in found["parts"]]
    for line, one in zip(lines[start + 1 :], found["together"], strict=False):
        assert line.startswith(f"  {one['chance']:.2f}  {one['name']}  {one['looks'][0]['label']}")
    assert sum(line.startswith("left out: ") for line in lines) == 3


def test_index_says_how_many_and_what_it_left_out(call, folder, model, tmp_path):
    code, out, err = call("index", folder, "--model", model, "--index", tmp_path / "index")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "19 photos indexed, 22 looked at now, 3 left out"
    assert "left out: zero.jpg: not an image" in out
    assert call("index", folder, "--model", model, "--index", tmp_path / "index")[1].startswith(
        "19 photos indexed, 0 looked at now, 3 left out"
    )


@pytest.mark.parametrize(
    ("photo", "gallery", "said"),
    [
        ("none.jpg", "photos", "none.jpg: no such photo"),
        ("zero.jpg", "photos", "zero.jpg: not an image"),
        ("000.png", "empty", "no photos in this folder"),
        ("000.png", "nowhere", "no such folder"),
    ],
)
def test_what_is_missing_is_said_in_one_line_with_exit_code_2(call, folder, model, tmp_path, photo, gallery, said):
    (tmp_path / "empty").mkdir()
    where = folder if gallery == "photos" else tmp_path / gallery
    code, out, err = call("recommend", folder / photo, "--in", where, "--model", model, "--out", tmp_path / "p.html")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "p.html").exists()


def test_a_page_that_cannot_be_written_and_an_index_that_cannot_be_kept_are_said(call, folder, model, tmp_path):
    (tmp_path / "file").touch()
    words = ("recommend", folder / "000.png", "--in", folder, "--model", model)
    for more, said in ((("--out", tmp_path / "file" / "p.html"), "--out"), (("--index", tmp_path / "file"), "--index")):
        code, _, err = call(*words, *more)
        assert code == 2
        assert err.startswith("error: ")
        assert "cannot be written" in err
        assert said in err
        assert err.count("\n") == 1


def small_jpeg(width=30, height=40):
    return jpeg(np.zeros((height, width, 3), np.uint8), (width, height))


@pytest.mark.parametrize("kind", ["link", "dangling", "device", "folder", "photo", "text"])
def test_out_replaces_nothing_but_an_older_page(call, folder, model, tmp_path, kind):
    out, kept = tmp_path / "page.html", tmp_path / "kept"
    kept.write_text("mine")
    if kind in ("link", "dangling"):
        out.symlink_to(kept if kind == "link" else tmp_path / "none")
    elif kind == "device":
        out = Path("/dev/null")
    elif kind == "folder":
        out.mkdir()
    else:
        out.write_bytes((folder / "000.png").read_bytes() if kind == "photo" else b"mine")
    before = out.lstat()
    code, printed, err = call("recommend", folder / "000.png", "--in", folder, "--model", model, "--out", out)
    assert (code, printed, err.count("\n")) == (2, "", 1)
    assert "replaced" in err
    assert "--out" in err
    assert (out.lstat().st_ino, out.lstat().st_mode, out.lstat().st_mtime) == (
        before.st_ino, before.st_mode, before.st_mtime)  # fmt: skip
    assert kept.read_text() == "mine"


def test_a_page_is_written_again_over_itself_and_over_an_empty_file(call, folder, model, tmp_path):
    out = tmp_path / "page.html"
    out.touch()
    words = ("recommend", folder / "000.png", "--in", folder, "--model", model, "--out", out)
    assert [call(*words)[0] for _ in range(2)] == [0, 0]
    assert out.read_text().startswith("<!doctype html>")


def test_a_thumbnail_stands_in_the_page_once_however_many_look_alikes_are_asked_for(call, folder, model, tmp_path):
    out = tmp_path / "page.html"
    words = ("recommend", folder / "000.png", "--in", folder, "--model", model, "--out", out)
    assert call(*words, "--per-part", 1_000_000)[0] == 0
    sources = re.findall(r'href="data:image/jpeg;base64,([^"]+)"', out.read_text())
    assert len(sources) == len(set(sources)) <= 1 + 19


def test_a_photo_without_look_alikes_gets_a_page_that_says_so():
    text = page("a.jpg", small_jpeg(), [], {}, {}, photos=3, diversity=0.5)
    assert "No photo of the folder shares a label" in text


def test_names_that_are_no_text_are_shown_and_linked_all_the_same(tmp_path):
    name = b"caf\xe9 <i>.jpg".decode("utf-8", "surrogateescape")
    look = LookAlike(0, "hat", (0.1, 0.1, 0.5, 0.5), 0.25, name, 0.5, 1, "hat in both")
    rows = [Row("hat", 0.9, (0.0, 0.0, 1.0, 1.0), (look,))]
    text = page(
        name,
        small_jpeg(),
        rows,
        {0: small_jpeg()},
        {name: "cut"},
        photos=1,
        diversity=0.0,
        root=tmp_path,
        out=tmp_path / "p.html",
    )
    text.encode()
    assert 'href="caf%E9%20%3Ci%3E.jpg"' in text
    assert "caf\ufffd &lt;i&gt;.jpg" in text


@pytest.fixture(scope="module")
def written(folder, model, tmp_path_factory):
    from fashionlib.gallery.gallery import open_gallery
    from fashionlib.gallery.html_report import write_page

    gallery = open_gallery(folder, model)
    rows, together = gallery.answer(folder / EVIL, per_part=5, k=8, diversity=0.5, parts=6)
    assert len(together) == 8
    out = tmp_path_factory.mktemp("out") / "page.html"
    return write_page(out, folder / EVIL, rows, gallery, together=together, diversity=0.5), rows


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")], ids=str)
def visit(request, browser, written):
    """The page opened at one width and colour scheme, with whatever went wrong on the way."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened, trouble = context.new_page(), []
    opened.on("console", lambda message: trouble.append(message.text))
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("dialog", lambda dialog: (trouble.append("a dialog opened"), dialog.dismiss()))
    opened.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or trouble.append(asked.url))
    opened.goto(Path(written[0]).as_uri(), wait_until="load")
    yield opened, trouble, written[1]
    context.close()


def test_it_loads_without_complaint_asks_nothing_outside_and_does_not_scroll_sideways(visit):
    opened, trouble, _ = visit
    wide, screen = opened.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= screen
    assert trouble == []


def test_every_picture_is_drawn_has_words_and_its_outlines_lie_on_it(visit):
    opened, _, rows = visit
    pictures = opened.evaluate("""[...document.querySelectorAll('.photo svg')].map(picture => {
        const box = picture.querySelector('use').getBoundingClientRect()
        return [picture.getAttribute('aria-label'), box.width, box.height] })""")
    assert len(pictures) == 1 + sum(len(row.looks) for row in rows) + 8
    for alt, width, height in pictures:
        assert len(alt.split()) >= 4
        assert width > 100
        assert height > 50
    inside = opened.evaluate("""[...document.querySelectorAll('.photo')].every(photo => {
        const image = photo.querySelector('use').getBoundingClientRect()
        return [...photo.querySelectorAll('rect')].every(rect => { const box = rect.getBoundingClientRect()
          return box.left >= image.left - 4 && box.right <= image.right + 4 && box.top >= image.top - 4
            && box.bottom <= image.bottom + 4 && box.width > 0 })})""")
    assert inside


def test_every_picture_stands_in_the_page_once_and_shows_its_colours(visit):
    opened, _, rows = visit
    shown = {look.photo for row in rows for look in row.looks}
    sources = opened.evaluate("[...document.querySelectorAll('image')].map(one => one.getAttribute('href'))")
    assert len(sources) == len(set(sources)) >= 1 + len(shown)
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    seen = np.asarray(Image.open(io.BytesIO(opened.locator(".photo svg").first.screenshot())).convert("RGB"))
    picture = Image.open(io.BytesIO(base64.b64decode(sources[0].partition(",")[2]))).convert("RGB")
    expected = np.asarray(picture.resize(seen.shape[1::-1]))
    assert np.abs(seen.astype(float) - expected).mean() < 25  # the outlines are drawn over it


def test_tab_goes_through_the_links_in_the_order_of_the_page(visit):
    opened, _, rows = visit
    links = opened.evaluate("[...document.links].map(link => link.getAttribute('href'))")
    reached = []
    for _ in links:
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.getAttribute('href')"))
        assert opened.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reached == links
    assert reached[1 : 2 + len(rows)] == [*(f"#part-{number + 1}" for number in range(len(rows))), "#together"]
    opened.locator('a[href="#part-2"]').focus()
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.querySelector(':target').id") == "part-2"


def test_links_lead_to_the_photos(visit, folder):
    opened, _, _ = visit
    for place in opened.evaluate("[...document.links].map(link => link.href).filter(href => !href.includes('#'))"):
        target = opened.evaluate("place => decodeURIComponent(new URL(place).pathname)", place)
        assert Path(target).resolve().parent == folder.resolve()
        assert Path(target).is_file()


def test_text_stands_out_from_its_ground_by_four_and_a_half_to_one(visit):
    opened, _, _ = visit
    pairs = opened.evaluate("""[...document.querySelectorAll('h1, h2, p, a, li, span')].filter(e => e.innerText?.trim())
      .map(element => { let ground = element
        while (ground && getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement
        return [getComputedStyle(element).color, getComputedStyle(ground ?? document.body).backgroundColor] })""")
    assert len(pairs) > 20
    for ink, ground in {tuple(pair) for pair in pairs}:
        if ground == "rgba(0, 0, 0, 0)":
            pytest.fail("text without a ground of its own")
        one, other = sorted((_luminance(ink), _luminance(ground)))
        assert (other + 0.05) / (one + 0.05) >= 4.5, (ink, ground)


def _luminance(colour):
    """WCAG 2.1, relative luminance."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
