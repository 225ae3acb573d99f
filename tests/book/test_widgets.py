"""The book's things to touch in a real browser: by mouse, keyboard and finger, by what the reader sees change."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fashionbook import widget_data

from fashionlib.core.names import METHODS
from fashionlib.ledger import ledger as results
from fashionlib.metrics import average_precision_all, mean_average_precision, top_k_assignments

ROOT = Path(__file__).parents[2]
DESK, PHONE = 1280, 390
KINDS = {"playground": "metrics", "steps": "localisation", "explorer": "recommendations", "curves": "metrics"}


@pytest.fixture(scope="module", params=[DESK, PHONE], ids=["desk", "phone"])
def context(request, browser):
    """A mouse at a desk, or a finger on a phone; no transitions, so that what is measured stands still."""
    phone = request.param == PHONE
    made = browser.new_context(
        viewport={"width": request.param, "height": 900}, has_touch=phone, reduced_motion="reduce"
    )
    yield made
    made.close()


@pytest.fixture
def open_page(context, site):
    """Open a page of the book; at the end nothing may have gone wrong on it."""
    opened, trouble = [], []

    def open_(name):
        page = context.new_page()
        opened.append(page)
        page.on("console", lambda message: message.type in ("error", "warning") and trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("requestfailed", lambda asked: trouble.append(f"failed: {asked.url}"))
        page.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or trouble.append(asked.url))
        page.goto((site / f"{name}.html").as_uri(), wait_until="load")
        return page

    yield open_
    for page in opened:
        wide, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= screen, "the page scrolls sideways"
        page.close()
    assert trouble == []


def block(page, kind):
    return page.locator(f".touch-{kind}")


def data(page, kind):
    return json.loads(block(page, kind).locator("script").text_content())


def touch(page, place, across=0.5, down=0.5):
    """A click at a desk, a tap on a phone, at that share of the thing's width and height."""
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    at = {"x": across * box["width"], "y": down * box["height"]}
    if page.viewport_size["width"] == PHONE:
        place.tap(position=at, force=True)
    else:
        place.click(position=at, force=True)


def wait_until_said(page, kind, words):
    """What is read out waits for a pause."""
    block(page, kind).locator(".said", has_text=words).wait_for(state="attached")


# the playground


def numbers(page):
    """By measure, the two numbers of the table."""
    rows = block(page, "playground").locator(".readout tbody tr").all_inner_texts()
    return {row.split("\t")[0].strip(): [float(cell) for cell in re.findall(r"\d\.\d+", row)] for row in rows}


def expected(scores, targets):
    six = top_k_assignments(scores, 6)
    return {
        "AP all": [average_precision_all(scores, targets), average_precision_all(six, targets)],
        "mAP": [mean_average_precision(scores, targets), mean_average_precision(six, targets)],
    }


def assert_shown(page, scores, targets):
    shown, wanted = numbers(page), expected(np.array(scores), np.array(targets))
    assert shown.keys() == wanted.keys()
    for name, values in wanted.items():
        assert shown[name] == pytest.approx(values, abs=5.1e-4), name


def test_javascript_computes_average_precision_as_the_package_does(open_page):
    page, draw = open_page("metrics"), np.random.default_rng(0)
    cases = []
    for digits in (1, 2, 16):  # few digits: many scores are equal
        for _ in range(40):
            shape = (int(draw.integers(1, 9)), int(draw.integers(6, 20)))
            targets = (draw.random(shape) < 0.3).astype(int)
            targets[0, 0] = 1
            cases.append((draw.random(shape).round(digits).tolist(), targets.tolist()))
    found = page.evaluate(
        """cases => cases.map(([scores, targets]) => { const m = window.touchMetrics, six = m.topK(scores, 6)
             return { 'AP all': [m.apAll(scores, targets), m.apAll(six, targets)],
                      'mAP': [m.map(scores, targets), m.map(six, targets)], six } })""",
        cases,
    )
    for (scores, targets), one in zip(cases, found, strict=True):
        scores, targets = np.array(scores), np.array(targets)
        assert one["six"] == top_k_assignments(scores, 6).tolist()
        for name, values in expected(scores, targets).items():
            assert one[name] == pytest.approx(values, abs=1e-12)


def test_the_playground_begins_with_the_networks_scores_and_the_still_page_shows_the_same(open_page):
    page = open_page("metrics")
    given = data(page, "playground")
    assert_shown(page, given["scores"], given["targets"])
    still = block(page, "playground").locator(".still table").first.text_content()
    for values in numbers(page).values():
        for value in values:
            assert f"{value:.3f}" in still


def test_a_score_moved_by_keyboard_changes_numbers_curve_and_what_is_read_out(open_page):
    page = open_page("metrics")
    given, place = data(page, "playground"), block(page, "playground")
    true = given["targets"][0].index(1)
    bar, curve = place.locator(".bar input").nth(true), place.locator(".chart .tone-0 .stroke")
    before = curve.get_attribute("d")
    bar.focus()
    page.keyboard.press("Home")
    given["scores"][0][true] = 0.0
    assert_shown(page, given["scores"], given["targets"])
    assert curve.get_attribute("d") != before
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    given["scores"][0][true] = 0.99
    assert_shown(page, given["scores"], given["targets"])
    assert bar.get_attribute("aria-valuetext") == "0.99"
    wait_until_said(page, "playground", f"{given['labels'][true]} of photo 1 is ")


def test_a_bar_follows_mouse_or_finger_and_the_first_number_moves(open_page):
    page = open_page("metrics")
    given, place = data(page, "playground"), block(page, "playground")
    false = given["targets"][0].index(0)
    bar = place.locator(".bar input").nth(false)
    touch(page, bar, across=0.8)
    moved = int(bar.input_value()) / 100
    assert 0.6 < moved < 0.95
    given["scores"][0][false] = moved
    assert_shown(page, given["scores"], given["targets"])
    if page.viewport_size["width"] == DESK:
        box = bar.bounding_box()
        page.mouse.move(box["x"] + moved * box["width"], box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2, steps=5)
        page.mouse.up()
        assert 0.2 < int(bar.input_value()) / 100 < 0.4


def test_halving_a_photos_scores_moves_ap_all_on_scores_and_nothing_of_the_top_six(open_page):
    page = open_page("metrics")
    before = numbers(page)
    touch(page, page.get_by_role("button", name="Halve this photo's scores"))
    after = numbers(page)
    assert after["AP all"][0] != before["AP all"][0]
    assert [row[1] for row in after.values()] == [row[1] for row in before.values()]
    touch(page, page.get_by_role("button", name="As the network scored"))
    assert numbers(page) == before


def test_perfect_scores_are_not_perfect_any_more_once_only_the_top_six_are_kept(open_page):
    page = open_page("metrics")
    touch(page, page.get_by_role("button", name="Every true label on top"))
    for scores, six in numbers(page).values():
        assert scores == 1
        assert six < 1


def test_another_photo_is_chosen_and_its_own_bars_are_moved(open_page):
    page = open_page("metrics")
    given, place = data(page, "playground"), block(page, "playground")
    touch(page, place.locator(".choice label").nth(2))
    values = [int(bar.input_value()) for bar in place.locator(".bar input").all()]
    assert values == [round(100 * score) for score in given["scores"][2]]


# the attention slider


def outlined(page, kind):
    """Where the outline of the picture is, in parts of the picture."""
    return page.evaluate(
        """kind => { const svg = document.querySelector(`.touch-${kind} .stage svg`), view = svg.viewBox.baseVal
          const rects = svg.querySelectorAll('rect.over:not(.before)'), rect = rects[rects.length - 1]
          const at = name => rect[name].baseVal.value
          return [(at('x') - view.x) / view.width, (at('y') - view.y) / view.height,
            (at('x') + at('width') - view.x) / view.width, (at('y') + at('height') - view.y) / view.height] }""",
        kind,
    )


def clipped(box):
    return pytest.approx(np.clip(box, 0, 1).tolist(), abs=1e-3)


def test_arrow_keys_step_through_the_boxes_and_the_sentence_says_what_each_found(open_page):
    page = open_page("localisation")
    given, place = data(page, "steps"), block(page, "steps")
    photo, looks = given["photos"][0], given["photos"][0]["plain"]
    slider = place.locator(".slider input")
    slider.focus()
    page.keyboard.press("Home")
    for step, box in enumerate(looks["boxes"]):
        assert outlined(page, "steps") == clipped(box)
        wait_until_said(page, "steps", "Step 0, the whole picture" if step == 0 else f"Step {step} of")
        said = place.locator(".said").inner_text()
        for label, scores, won in zip(photo["labels"], looks["scores"], looks["won"], strict=True):
            if scores[step] >= 0.1:
                assert (f"{label} ({scores[step]:.2f}" in said) == (won == step)
        page.keyboard.press("ArrowRight")
    assert slider.input_value() == str(len(looks["boxes"]) - 1)


def test_buttons_step_too_and_stop_at_the_ends(open_page):
    page = open_page("localisation")
    boxes = data(page, "steps")["photos"][0]["plain"]["boxes"]
    place = block(page, "steps")
    for _ in boxes:
        touch(page, place.get_by_role("button", name="Next step"))
    assert outlined(page, "steps") == clipped(boxes[-1])
    touch(page, place.get_by_role("button", name="Previous step"))
    assert outlined(page, "steps") == clipped(boxes[-2])


def test_the_attention_map_is_laid_over_the_photo_and_can_be_taken_away(open_page):
    page = open_page("localisation")
    given, place = data(page, "steps"), block(page, "steps")
    shades = place.locator(".stage rect.shade")
    cells = given["photos"][0]["plain"]["maps"][1]
    dark = [float(shade.get_attribute("fill-opacity")) for shade in shades.all()]
    assert len(dark) == np.prod(given["grid"]) == len(cells)
    assert dark[int(np.argmax(cells))] == min(dark) == 0
    assert np.all(np.diff(np.array(dark)[np.argsort(cells)]) <= 0)  # what is looked at less is darker
    touch(page, place.get_by_text("Show the attention map"))
    assert shades.count() == 0


def test_the_photo_is_moved_and_the_box_with_what_was_before_dashed(open_page):
    page = open_page("localisation")
    given, place = data(page, "steps"), block(page, "steps")
    photo = given["photos"][0]
    touch(page, place.get_by_text("Move the photo in its frame"))
    assert outlined(page, "steps") == clipped(photo["moved"]["boxes"][1])
    assert place.locator(".stage rect.over.before").count() == 1
    assert "moved in its frame" in place.locator(".stage svg").get_attribute("aria-label")


def test_the_table_outlines_the_highest_score_of_each_row(open_page):
    page = open_page("localisation")
    for row in block(page, "steps").locator("table.scores tbody tr").all():
        values = [float(text) for text in row.locator("td").all_inner_texts()[1:]]
        won = [float(text) for text in row.locator("td.won").all_inner_texts()]
        assert won == [max(values)]


def test_another_photo_is_chosen_with_arrow_keys_and_by_pointing(open_page):
    page = open_page("localisation")
    given, place = data(page, "steps"), block(page, "steps")
    touch(page, place.locator(".choice label").nth(3))
    assert outlined(page, "steps") == clipped(given["photos"][3]["plain"]["boxes"][1])
    place.locator(".choice input").nth(3).focus()
    page.keyboard.press("ArrowRight")
    assert outlined(page, "steps") == clipped(given["photos"][4]["plain"]["boxes"][1])
    assert "Photo 5" in place.locator(".stage svg").get_attribute("aria-label")


# the explorer


def cards(page):
    return block(page, "explorer").locator(".looks li").all_inner_texts()


def wanted(given, query, part, dial):
    one = given["queries"][query]["parts"][part]
    return one, [one["looks"][place] for place in one["lists"][dial]]


def assert_cards(page, one, looks):
    shown = cards(page)
    assert len(shown) == len(looks)
    for text, look in zip(shown, looks, strict=True):
        assert f"{one['label']} in both, scores {one['score']:.2f} and {look['score']:.2f}" in text
        assert f"distance {look['distance']:.3f}" in text
        assert f"of {one['of']} " in text
        assert ("not truly alike" not in text) == look["match"]


def uncovered(hit):
    """A point of the box that no other box lies over, in shares of its sides."""
    hit.scroll_into_view_if_needed()
    found = hit.evaluate(
        """hit => { const box = hit.getBoundingClientRect()
          for (let across = 0.05; across < 1; across += 0.05) for (let down = 0.05; down < 1; down += 0.05)
            if (document.elementFromPoint(box.x + across * box.width, box.y + down * box.height) === hit)
              return [across, down] }"""
    )
    assert found, "the box is covered"
    return found


def test_a_part_clicked_on_the_photo_shows_its_look_alikes_with_reasons(open_page):
    page = open_page("recommendations")
    given, place = data(page, "explorer"), block(page, "explorer")
    assert_cards(page, *wanted(given, 0, 0, 0))
    for part in (2, 1):
        hit = place.locator(f".stage rect.hit[data-part='{part}']")
        touch(page, hit, *uncovered(hit))
        assert_cards(page, *wanted(given, 0, part, 0))
        assert place.locator(".choice input:checked").nth(1).get_attribute("value") == str(part)


def test_parts_and_queries_are_chosen_with_arrow_keys(open_page):
    page = open_page("recommendations")
    given, place = data(page, "explorer"), block(page, "explorer")
    place.locator(".choice input").first.focus()
    page.keyboard.press("ArrowRight")
    assert_cards(page, *wanted(given, 1, 0, 0))
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert_cards(page, *wanted(given, 1, 1, 0))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")  # round to the last: the whole picture
    assert all("as a whole" in card for card in cards(page))
    assert "Look-alikes for the whole picture" in place.inner_text()


def test_all_parts_at_once_say_what_each_photo_answers_and_how_many_parts_they_match(open_page):
    page = open_page("recommendations")
    given, place = data(page, "explorer"), block(page, "explorer")
    query = given["queries"][0]
    place.locator(".choice input").nth(len(given["queries"]) + len(query["parts"])).check()
    assert "Look-alikes for all parts at once" in place.inner_text()
    looks = [query["together"]["looks"][number] for number in query["together"]["lists"][0]]
    for text, look in zip(cards(page), looks, strict=True):
        for part in look["parts"]:
            alike = "truly alike" if part["label"] in look["truly"] else "not"
            assert f"{part['label']}: {alike}" in text
        assert f"chance to answer one: {look['chance']:.2f}" in text
    matched = len({label for look in looks for label in look["truly"]})
    wait_until_said(page, "explorer", f"truly match {matched} of the {query['worn']} garments on the query")
    boxes = place.locator(".looks rect.over")
    assert boxes.count() == sum(len(look["parts"]) for look in looks)


def test_the_dial_turns_by_keyboard_and_pointer_and_marks_what_is_new(open_page):
    page = open_page("recommendations")
    given, place = data(page, "explorer"), block(page, "explorer")
    dial = place.locator(".slider input")
    dial.focus()
    page.keyboard.press("ArrowRight")
    assert_cards(page, *wanted(given, 0, 0, 1))
    touch(page, dial, across=0.99)
    one, looks = wanted(given, 0, 0, len(given["dials"]) - 1)
    assert_cards(page, one, looks)
    fresh = ["new at this setting" in card for card in cards(page)]
    assert fresh == [look not in wanted(given, 0, 0, 0)[1] for look in looks]
    assert any(fresh)
    assert "the most varied" in place.locator(".slider output").inner_text()
    wait_until_said(page, "explorer", f"diversity {given['dials'][-1]:g}")


def test_what_the_setting_costs_on_all_photos_is_the_ledgers_number(open_page):
    page = open_page("recommendations")
    curve = results.read(ROOT, "wardrobe", "diversity_curve")
    block(page, "explorer").locator(".slider input").focus()
    for dial in (0, 0.25, 0.5, 0.75, 1):
        entry = next(
            e for e in curve
            if (e.method, e.metric) == ("parts", "relevance@10") and e.protocol.startswith(f"dial {dial:g};")
        )  # fmt: skip
        assert f"{entry.value:.1%} of ten" in block(page, "explorer").locator(".live .ledger-source").inner_text()
        page.keyboard.press("ArrowRight")


# the curves


def readout(page, method):
    name = page.get_by_role("button", name=method, exact=True)
    row = block(page, "curves").locator(".readout tbody tr").filter(has=name)
    return [[float(number) for number in re.findall(r"\d\.\d+", text)] for text in row.locator("td").all_inner_texts()]


def ledger(method, k):
    found = [results.find(results.read(ROOT, "wardrobe", f"topk_{task}"), method=method, metric=f"top{k}")
             for task in ("inshop", "c2s")]  # fmt: skip
    return [pytest.approx([entry.value, entry.low, entry.high], abs=5.1e-4) for entry in found]


@pytest.mark.parametrize("name", ["metrics", "retrieval"])
def test_the_curves_are_read_at_any_k_by_keyboard(open_page, name):
    page = open_page(name)
    slider = block(page, "curves").locator(".slider input")
    slider.focus()
    page.keyboard.press("Home")
    for k in (1, 2):
        assert readout(page, METHODS["parser"]) == ledger("parser", k)
        assert readout(page, METHODS["whole"]) == ledger("whole", k)
        page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    assert readout(page, "CSRA") == ledger("csra", 50)


def test_a_chart_is_read_under_the_pointer(open_page):
    page = open_page("metrics")
    place = block(page, "curves")
    chart = place.locator(".charts svg").nth(1)
    for across in (0.3, 0.9):
        if page.viewport_size["width"] == DESK:
            chart.scroll_into_view_if_needed()
            box = chart.bounding_box()
            page.mouse.move(box["x"] + across * box["width"], box["y"] + box["height"] / 2)  # no click
        else:
            touch(page, chart, across=across)
        k = int(place.locator(".slider output").inner_text())
        assert abs(k - (1 + 49 * (340 * across - 34) / 298)) < 1.5  # the chart's margins are 34 and 8 of 340
        assert readout(page, METHODS["parser"]) == ledger("parser", k)
        assert f"at k = {k}" in chart.get_attribute("aria-label")


def test_a_line_is_brought_out_by_its_name(open_page):
    page = open_page("metrics")
    place = block(page, "curves")
    name = place.get_by_role("button", name="fixed stripes")
    strong = place.locator(".charts .line.strong")
    assert strong.count() == 4
    name.focus()
    page.keyboard.press("Enter")
    assert (name.get_attribute("aria-pressed"), strong.count()) == ("true", 6)
    touch(page, name)
    assert (name.get_attribute("aria-pressed"), strong.count()) == ("false", 4)


# all of them


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_what_has_the_keyboards_attention_is_outlined(open_page, kind, name):
    page = open_page(name)
    page.locator(f".touch-{kind} .live :is(input, button)").first.focus()
    seen = set()
    for _ in range(40):
        style = page.evaluate(
            """kind => { const node = document.activeElement
              if (!node.closest(`.touch-${kind}`)) return null
              const shown = node.type === 'radio' ? node.nextElementSibling : node
              const { outlineStyle, outlineWidth } = getComputedStyle(shown)
              return [node.type, outlineStyle, parseFloat(outlineWidth)] }""",
            kind,
        )
        if style is None:
            break
        assert style[1] != "none", style
        assert style[2] >= 2, style
        seen.add(style[0])
        page.keyboard.press("Tab")
    assert "range" in seen


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_every_control_has_a_name_and_a_finger_finds_it(open_page, kind, name):
    page = open_page(name)
    controls = page.evaluate(
        """kind => [...document.querySelectorAll(`.touch-${kind} .live :is(input, button)`)].map(node => {
          const box = (node.type === 'radio' || node.type === 'checkbox' ? node.parentElement : node)
            .getBoundingClientRect()
          const label = node.labels?.length ? node.labels[0] : node
          const words = label.textContent.trim() || label.querySelector('[aria-label]')?.getAttribute('aria-label')
          return [words, box.width, box.height] })""",
        kind,
    )
    assert len(controls) > 2
    for words, width, height in controls:
        assert words
        assert min(width, height) >= 24, words  # WCAG 2.2, 2.5.8


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_without_scripts_a_still_block_says_it(browser, site, kind, name, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=False)
    page = context.new_page()
    page.goto((site / f"{name}.html").as_uri(), wait_until="load")
    still = block(page, kind).locator(".still")
    assert still.is_visible()
    assert still.bounding_box()["height"] > 100
    assert still.bounding_box()["width"] <= width
    if kind != "playground":
        pictures = still.locator("svg[role=img], img:visible")
        assert pictures.count() == 1 if kind == "curves" else pictures.count() > 5  # one tone
        for picture in pictures.all():
            assert len((picture.get_attribute("aria-label") or picture.get_attribute("alt")).split()) >= 2
    else:
        assert still.locator("table").count() == 2
    context.close()


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_nothing_moves_where_the_reader_asked_for_that(open_page, kind, name):
    page = open_page(name)
    moving = page.evaluate(
        """kind => [...document.querySelectorAll(`.touch-${kind} *`)]
          .filter(node => getComputedStyle(node).transitionDuration.split(',').some(time => parseFloat(time) > 0))
          .length""",
        kind,
    )
    assert moving == 0


def test_the_published_files_are_small_of_one_run_and_of_drawn_photos_alone():
    folder = widget_data.folder(ROOT, "wardrobe")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1.5e6
    runs = [widget_data.read(ROOT, "wardrobe", name)["run"] for name in widget_data.NAMES]
    assert runs[0] == runs[1] == runs[2]
    assert runs[0]["dataset"] == "wardrobe"
    widget_data.check_same_run(runs[0], results.read(ROOT, "wardrobe", "table1"))
