"""The built book in a real browser: what a reader meets at the width of a desk and of a phone.

The book is built once, from what is tracked, into a folder of its own, and opened from there as a file: whatever
asked for a server or for the network would fail.
"""

import json
import re
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
WIDTHS = (1280, 390)

pytest.importorskip("jupyter_book", reason="the extra 'book' is not installed")
parsing = pytest.importorskip("sphinx_external_toc.parsing")
PAGES = list(parsing.parse_toc_yaml(ROOT / "_toc.yml"))


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


@pytest.fixture(scope="session")
def served(site):
    """The address of the site on a server of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=site)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _leaves(url):
    return not url.startswith(("file:", "data:", "blob:", "about:"))


def test_every_page_of_the_contents_is_built_and_none_holds_an_error(site):
    for name in PAGES:
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        assert "Traceback (most recent call last)" not in text, name
        assert "problematic" not in text, name


def test_figures_of_notebooks_stand_on_white_on_a_dark_page(browser, tmp_path):
    import pydata_sphinx_theme

    theme = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static/styles"
    styles = [theme / "pydata-sphinx-theme.css", BOOK / "_static" / "book.css"]
    links = "".join(f'<link rel="stylesheet" href="{style.as_uri()}">' for style in styles)
    figure = '<div class="bd-content"><div class="cell_output"><img alt="a figure"></div></div>'
    (tmp_path / "page.html").write_text(f'<html data-theme="dark"><head>{links}</head><body>{figure}</body></html>')
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate("getComputedStyle(document.querySelector('img')).backgroundColor") == "rgb(255, 255, 255)"
    page.close()


def test_the_site_is_small_enough_to_mail(site):
    sizes = [path.stat().st_size for path in site.rglob("*") if path.is_file()]
    assert sum(sizes) < 60e6


def test_the_front_page_loads_little_and_is_read_soon(served, browser):
    """Weighed as it lies on the disk: a server that compresses sends a third of it."""
    page, sizes = browser.new_page(), {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(f"{served}/index.html", wait_until="load")
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    painted = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted < 2000  # milliseconds
    assert sum(sizes.values()) < 1.5e6
    assert not [name for name in sizes if "mathjax" in name]  # no formula stands there
    drawn = page.evaluate("() => document.fonts.check('900 16px \"Font Awesome 6 Free\"', '\\uf00d')")
    assert drawn  # the icons come from the theme's font, not from its script of them all
    page.close()


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


def test_no_role_is_left_as_text(visits):
    """A pipe in a table's role ends its cell, and the page then shows the role instead of the number."""
    for name, (page, _) in visits.items():
        text = page.evaluate(
            "() => { const copy = document.querySelector('main').cloneNode(true);"
            " copy.querySelectorAll('code, pre').forEach(one => one.remove()); return copy.textContent }"
        )
        assert re.findall(r"\{[a-z:-]+\}`", text) == [], name


def test_formulas_are_drawn(visits):
    page, _ = visits["losses"]
    formulas, drawn = page.evaluate(
        "[document.querySelectorAll('.math').length, document.querySelectorAll('.math mjx-container svg').length]"
    )
    assert formulas > 10
    assert drawn >= formulas


def test_the_front_page_answers_each_claim_in_one_screen_on_a_desk_and_two_on_a_phone(visits):
    page, _ = visits["index"]
    rows = page.locator("table.claims tbody tr")
    assert rows.count() == 6  # four claims of the paper, two controls of ours
    said = set(page.locator("table.claims .verdict").all_inner_texts())
    claimed = {"reproduced", "partly", "not reproduced", "contradicted", "not run"}
    assert said <= claimed | {"better", "better in part", "worse", "no difference"}
    end = page.get_by_text("configuration beyond tagging").bounding_box()  # what was not run
    desk = page.viewport_size["width"] > 1000
    assert end["y"] + end["height"] < (800 if desk else 2 * 844)


def test_the_keyboard_opens_the_source_of_a_number_and_closes_it(visits):
    page, _ = visits["index"]
    number = page.locator("table.claims abbr.ledger").first
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
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert light != dark


def test_a_figure_of_the_ledger_is_drawn_for_dark_pages_too(visits):
    page, _ = visits["ablation"]
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    shown = page.evaluate("[...document.images].filter(i => i.offsetWidth).map(i => i.className)")
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert "only-dark" in shown
    assert "only-light" not in shown


@pytest.mark.parametrize("tone", ["light", "dark"])
def test_axe_finds_no_serious_fault_on_any_page(visits, tone):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra 'test' is not installed").Axe()
    rules = {"runOnly": ["color-contrast"]} if tone == "dark" else {}  # all that another theme changes
    found = {}
    for name, (page, _) in visits.items():
        page.add_style_tag(content="* { transition: none !important }")  # no colour half way to another
        page.evaluate("tone => { document.documentElement.dataset.theme = tone }", tone)
        faults = axe.run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        found[name] = [
            f"{fault['id']}: {fault['nodes'][0]['target']} {fault['nodes'][0]['failureSummary']}"
            for fault in faults
            if fault["impact"] in ("serious", "critical")
        ]
    assert {name: faults for name, faults in found.items() if faults} == {}


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


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_term_of_a_list_of_definitions_stands_on_a_line_of_its_own(name):
    """Without an empty line before it, a term ends the definition above it."""
    lines = (BOOK / f"{name}.md").read_text(encoding="utf-8").splitlines()
    above = zip(lines, lines[1:], lines[2:], strict=False)
    assert [term for before, term, line in above if line.startswith(": ") and term and before] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_measured_number_is_typed_between_the_cells_of_a_notebook(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert set(typed_decimals(prose)) <= {"95%"}


def test_the_search_for_typed_numbers_would_find_them():
    prose = "AP rose to 0.517, by 5.1 points or 12%, of 90,000 photos. `0.3` $0.4$ {ledger}`a/b/c`\n```\n0.5\n```\n"
    assert typed_decimals(prose) == ["0.517", "5.1", "12%"]


def test_directives_hold_no_typed_number_but_in_roles():
    """Captions and claims stand in directives, which the test above passes over as if they were code."""
    for name in CHAPTERS:
        text = (BOOK / f"{name}.md").read_text(encoding="utf-8")
        for block in re.findall(
            r"^```\{(?:claims|ledger-figure|ledger-table|figure-of)\}(.*?)^```", text, flags=re.S | re.M
        ):
            assert set(typed_decimals(block)) <= {"95%"}, name


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ("architecture", "method"), ("baseline", "rivals"), ("ablation", "ablation"), ("MMR", "lists"),
        ("Fig. 2", "method"), ("Table 1", "tagging"), ("Fig. 3", "retrieval"), ("Fig. 4", "recommendations"),
    ],
)  # fmt: skip
def test_the_search_leads_to_the_page_of_a_field_s_word_first(site, browser, asked, page):
    tab = browser.new_page()
    tab.goto(f"{(site / 'search.html').as_uri()}?q={asked}")
    first = tab.wait_for_selector("ul.search li a").get_attribute("href")
    tab.close()
    assert first.partition(".html")[0] == page


def test_no_line_of_code_scrolls_sideways_at_the_width_of_a_desk(visits):
    for name, (page, _) in visits.items():
        wide = page.evaluate(
            "[...document.querySelectorAll('div.highlight pre')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        )
        assert wide == 0, name
