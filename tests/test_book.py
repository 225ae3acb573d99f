"""The built book in a real browser: what a reader meets at the width of a desk and of a phone.

The book is built once, from what is tracked, into a folder of its own, and opened from there as a file: whatever
asked for a server or for the network would fail.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "book"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (1280, 390)

pytest.importorskip("jupyter_book", reason="the extra 'book' is not installed")
parsing = pytest.importorskip("sphinx_external_toc.parsing")
PAGES = list(parsing.parse_toc_yaml(ROOT / "_toc.yml"))
RUNS = [page for page in PAGES if page.startswith("runs/")]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    missing = [page for page in RUNS if not (BOOK / f"{page}.ipynb").is_file()]
    if missing:
        pytest.skip(f"not executed yet: {', '.join(missing)}; make results PROFILE=wardrobe")
    out = tmp_path_factory.mktemp("book")
    command = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        BOOK,
        "-W",
        "--keep-going",
        "--path-output",
        out,
    ]
    environment = {name: value for name, value in os.environ.items() if name != "FASHIONLIB_PROFILE"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out / "_build" / "html"


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="the extra 'test' is not installed")
    if not CHROMIUM:
        pytest.skip("no Chromium is installed: apt-get install chromium, or brew install chromium")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=WIDTHS)
def visits(request, site, browser):
    """Every page opened at one width, with what went wrong on the way."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    found = {}
    for name in PAGES:
        page, trouble = context.new_page(), []
        page.on("console", lambda message, t=trouble: message.type in ("error", "warning") and t.append(message.text))
        page.on("pageerror", lambda error, t=trouble: t.append(str(error)))
        page.on("requestfailed", lambda asked, t=trouble: t.append(f"failed: {asked.url}"))
        page.on("request", lambda asked, t=trouble: _leaves(asked.url) and t.append(f"asked outside: {asked.url}"))
        page.goto((site / f"{name}.html").as_uri(), wait_until="load")
        page.evaluate("async () => { await window.MathJax?.startup?.promise }")
        found[name] = (page, trouble)
    yield found
    context.close()


def _leaves(url):
    return not url.startswith(("file:", "data:", "blob:", "about:"))


def test_every_page_of_the_contents_is_built_and_none_holds_an_error(site):
    for name in PAGES:
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        assert "Traceback (most recent call last)" not in text, name
        assert "problematic" not in text, name


def test_the_site_is_small_enough_to_mail(site):
    sizes = [path.stat().st_size for path in site.rglob("*") if path.is_file()]
    assert sum(sizes) < 60e6


def test_internal_links_lead_somewhere(site):
    for name in PAGES:
        file = site / f"{name}.html"
        for link in re.findall(r'href="([^"]+)"', file.read_text(encoding="utf-8")):
            place, _, mark = link.partition("#")
            if link.startswith(("http", "mailto:", "data:")):
                continue
            target = (file.parent / place.partition("?")[0]).resolve() if place else file
            assert target.exists(), f"{name}: {link}"
            if mark and target.suffix == ".html":
                assert f'id="{mark}"' in target.read_text(encoding="utf-8"), f"{name}: {link}"


def test_pages_load_without_complaint_and_without_asking_outside(visits):
    assert {name: trouble for name, (_, trouble) in visits.items() if trouble} == {}


def test_no_page_scrolls_sideways(visits):
    for name, (page, _) in visits.items():
        wide, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= screen, name


def test_every_picture_is_there_and_has_words(visits):
    for name, (page, _) in visits.items():
        pictures = page.evaluate(
            "[...document.images].filter(i => getComputedStyle(i).display !== 'none')"
            ".map(i => [i.getAttribute('src'), i.alt, i.naturalWidth])"
        )
        for source, alt, width in pictures:
            assert width > 0, f"{name}: {source}"
            assert len(alt.split()) >= 2, f"{name}: {source} says only '{alt}'"


def test_formulas_are_drawn(visits):
    page, _ = visits["losses"]
    formulas, drawn = page.evaluate(
        "[document.querySelectorAll('.math').length, document.querySelectorAll('.math mjx-container svg').length]"
    )
    assert formulas > 10
    assert drawn >= formulas


def test_the_front_page_answers_each_claim_within_two_screens_on_a_desk(visits):
    page, _ = visits["index"]
    verdicts = page.locator(".claims .claim .verdict")
    assert page.locator(".claims .claim").count() == 4
    words = verdicts.all_inner_texts()
    assert set(words) <= {"reproduced", "partly", "not reproduced", "undecided", "not run here"}
    if page.viewport_size["width"] > 1000:
        assert verdicts.last.bounding_box()["y"] < 2 * page.viewport_size["height"]


def test_the_keyboard_opens_the_source_of_a_number_and_closes_it(visits):
    page, _ = visits["index"]
    number = page.locator("table abbr.ledger").first
    note = page.locator(".ledger-note")
    number.focus()
    page.keyboard.press("Enter")
    assert note.inner_text() == number.get_attribute("title")
    assert "commit" in note.inner_text()
    page.keyboard.press("Enter")
    assert note.count() == 0


def test_the_front_page_picture_keeps_its_contrast_in_the_dark(visits):
    page, _ = visits["index"]
    light = page.evaluate("getComputedStyle(document.querySelector('.idea text')).fill")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = page.evaluate("getComputedStyle(document.querySelector('.idea text')).fill")
    shown = page.evaluate("[...document.images].filter(i => i.offsetWidth).map(i => i.className)")
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert light != dark
    assert "only-dark" in shown
    assert "only-light" not in shown


CHAPTERS = [page for page in PAGES if (BOOK / f"{page}.md").is_file()]
NOT_PROSE = (
    r"^(`{3,}|:{3,}).*?^\1\s*$",  # code, and directives
    r"`[^`\n]*`",  # code, and roles: {ledger}`…`, {published}`…`
    r"\$\$.*?\$\$|\$[^$\n]*\$",  # formulas hold the method's constants
    r"Python \d\.\d+|Apache \d\.\d",
)


def typed_decimals(text):
    for pattern in NOT_PROSE:
        text = re.sub(pattern, "", text, flags=re.S | re.M)
    return re.findall(r"\d[.,]\d+(?!\d*,\d{3})\b|\d+ ?%", re.sub(r"\d{1,3}(,\d{3})+", "", text))


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_measured_number_is_typed(name):
    allowed = {"95%"}  # the level of every interval
    assert set(typed_decimals((BOOK / f"{name}.md").read_text(encoding="utf-8"))) - allowed == set()


def test_the_search_for_typed_numbers_would_find_them():
    prose = "AP rose to 0.517, by 5.1 points or 12%, of 90,000 photos. `0.3` $0.4$ {ledger}`a/b/c`\n```\n0.5\n```\n"
    assert typed_decimals(prose) == ["0.517", "5.1", "12%"]


def test_directives_hold_no_typed_number_but_in_roles():
    """Captions and claims stand in directives, which the test above passes over as if they were code."""
    for name in CHAPTERS:
        text = (BOOK / f"{name}.md").read_text(encoding="utf-8")
        for block in re.findall(r"^```\{(?:claims|ledger-figure|ledger-table)\}(.*?)^```", text, flags=re.S | re.M):
            assert set(typed_decimals(block)) <= {"95%"}, name
