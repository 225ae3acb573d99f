"""The book's extension, on a scratch book of one page: what a reader sees follows from the ledger."""

import html
import io
import json
import os
import re
import time
from pathlib import Path

import pytest
from fashionbook.text import Number, rounded

from fashionlib.core.errors import InputError
from fashionlib.ledger import ledger as results

sphinx = pytest.importorskip("sphinx", reason="the extra 'book' is not installed")
pytest.importorskip("myst_parser", reason="the extra 'book' is not installed")

from sphinx.application import Sphinx  # noqa: E402
from sphinx.errors import ExtensionError  # noqa: E402
from sphinx.util.docutils import docutils_namespace, patch_docutils  # noqa: E402

PUBLISHED = """dataset,task,method,metric,value,source
fashion144k,tagging,StyleNet,ap_all,0.656,Table 1
fashion144k,tagging,Semantic parsing (the paper),ap_all,0.8278,Table 1
fashion144k,tagging,Later work,ap_all,0.99,its README
"""


def entry(method="parser", metric="ap_all", value=0.5174, **others):
    values = {
        "experiment": "table1", "profile": "wardrobe", "dataset": "wardrobe", "split": "test", "split_hash": "0" * 12,
        "method": method, "metric": metric, "value": value, "low": value - 0.01, "high": value + 0.02, "seeds": [0, 1],
        "n": 420, "protocol": "scores", "commit": "abc1234", "versions": {}, "device": "CPU", "seconds": 200.0,
    }  # fmt: skip
    return results.entry(**{**values, **others})


class Book:
    """A folder with one page and a ledger, and the means to build it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "book"
        self.source.mkdir()
        (self.source / "published.csv").write_text(PUBLISHED)

    def ledger(self, *entries):
        run = entries[0]
        path = results.write(list(entries), self.root, run.profile, run.experiment)
        # Sphinx compares times; two writes within one tick of the clock would look like one
        later = time.time() + 10 * (1 + len(list(self.root.glob("built*"))))
        os.utime(path, (later, later))
        return path

    def page(self, text, name="index"):
        path = self.source / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Title\n\n{text}\n")

    def build(self, profile="wardrobe", name="index", **others):
        """The page's HTML. Warnings end the build, as they do for the real book."""
        settings = {
            "extensions": ["myst_parser", "fashionbook.extension"], "html_theme": "basic",
            "fashionlib_profile": profile,
            "source_suffix": {".md": "markdown"}, "project": "scratch", **others,
        }  # fmt: skip
        out = self.root / "built"
        warnings = io.StringIO()
        with patch_docutils(), docutils_namespace():
            app = Sphinx(self.source, None, out, out / ".trees", "html", settings, status=None, warning=warnings)
            app.build()
        assert warnings.getvalue() == ""
        (self.root / f"built-{time.time_ns()}").touch()
        return (out / f"{name}.html").read_text()


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path)


def words(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page))


def test_a_number_is_printed_rounded_with_its_interval_and_its_source_on_hover(book):
    book.ledger(entry())
    book.page("A: {ledger}`table1/parser/ap_all|interval`. B: {ledger}`table1/parser/ap_all|points`.")
    page = book.build()
    assert "A: 0.517 (0.507–0.537). B: 51.7 points." in words(page)
    title = re.search(r'<abbr class="ledger" title="([^"]+)"', page)[1]
    for part in ("profile wardrobe", "n = 420", "seeds 0, 1", "commit abc1234", "CPU", "protocol scores", "3 min"):
        assert part in title


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(1234.5, 3, "1,230"), (1234.5, 2, "1,200"), (0.01234, 2, "0.012"), (9.96, 2, "10"), (40, 2, "40"), (0.0, 2, "0")],
)
def test_a_number_that_is_no_score_is_printed_with_so_many_digits(value, digits, shown):
    assert rounded(entry(value=value), str(digits)).replace("\u202f", ",") == shown


def test_digits_that_are_no_number_are_refused():
    with pytest.raises(InputError, match="digits=few: expected"):
        rounded(entry(), "few")


def test_a_changed_ledger_value_changes_the_page_though_its_source_did_not_change(book):
    book.ledger(entry())
    book.page("{ledger}`table1/parser/ap_all`")
    assert "0.517" in words(book.build())
    book.ledger(entry(value=0.6))
    page = words(book.build())
    assert "0.600" in page
    assert "0.517" not in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("table1/whole/ap_all", "0 ledger entries have method=whole metric=ap_all"),
        ("table1/parser/map", "0 ledger entries have method=parser metric=map"),
        ("topk_c2s/parser/top20", "topk_c2s.json does not exist"),
        ("ccp:table1/parser/ap_all", "make results PROFILE=ccp"),
        ("table1/parser", "does not name a number"),
        ("table1/parser/ap_all|rounded", "does not name a number"),
        ("table1/parser/ap_all|field=colour", "no field 'colour'"),
    ],
)
def test_a_number_that_is_not_there_ends_the_build_and_names_page_and_entry(book, asked, said):
    book.ledger(entry())
    book.page(f"{{ledger}}`{asked}`")
    with pytest.raises(ExtensionError, match=re.escape(said)) as error:
        book.build()
    assert str(error.value).startswith("index: ")


def test_a_number_that_stands_twice_ends_the_build_until_the_protocol_is_named(book):
    book.ledger(entry(), entry(value=0.3, protocol="top6"))
    book.page("{ledger}`table1/parser/ap_all`")
    with pytest.raises(ExtensionError, match="2 ledger entries"):
        book.build()
    book.page("{ledger}`table1/parser/ap_all|protocol=top6`")
    assert "0.300" in words(book.build())


def test_a_number_of_two_data_sets_is_told_apart_by_the_name_of_one(book):
    book.ledger(entry(), entry(value=0.3, dataset="catalogue"))
    book.page("{ledger}`table1/parser/ap_all|dataset=catalogue`")
    assert "0.300" in words(book.build())


def test_a_deleted_ledger_ends_the_next_build(book):
    path = book.ledger(entry())
    book.page("{ledger}`table1/parser/ap_all`")
    book.build()
    path.unlink()
    with pytest.raises(ExtensionError, match="does not exist"):
        book.build()


def test_a_run_that_is_optional_and_missing_says_so_until_it_is_made(book):
    book.page("```{ledger-table} table1\n:metrics: ap_all\n:profile: ccp\n:optional:\n```")
    assert "Not run here: make results PROFILE=ccp." in words(book.build())
    book.ledger(entry(profile="ccp"))
    assert "0.517" in words(book.build())


def test_a_run_may_be_missing_only_for_the_profiles_that_are_named(book):
    book.page("```{ledger-times} table1\n:optional: ccp\n```")
    assert "Not run here" in words(book.build(profile="ccp"))
    with pytest.raises(ExtensionError, match=r"table1\.json does not exist"):
        book.build(profile="wardrobe")
    book.ledger(entry(seconds=7200.0, device="a big GPU"))
    assert table(book.build())[1] == ["table1", "Parser (ours)", "2.0 h", "a big GPU"]


def test_the_words_of_an_entry_are_escaped(book):
    book.ledger(entry(device='<script>alert("x")</script>'))
    book.page("{ledger}`table1/parser/ap_all` {ledger}`table1/parser/ap_all|field=device`")
    page = book.build()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def table(page):
    """The cells of the first table, row by row, each with the columns it spans."""
    rows = re.findall(r"<tr.*?</tr>", page, re.S)
    return [
        [words(cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        for row in rows
    ]  # fmt: skip


def test_published_and_measured_values_never_share_a_column(book):
    book.ledger(entry(), entry("whole", value=0.4), entry(metric="ap_all_gain", value=0.1, versus={"method": "whole"}))
    book.page("```{ledger-table} table1\n:metrics: ap_all\n:published: fashion144k\n:gain:\n```")
    page = book.build()
    head, names, *rows = table(page)
    assert head == ["", "Here: Wardrobe (synthetic)", "Published: Fashion144k"]
    assert names == ["Method", "AP all", "AP all"]
    assert rows == [
        ["Parser (ours)", "0.5170.507–0.537", "0.8278"],
        ["Whole picture", "0.4000.390–0.420", "–"],
        ["Parser (ours) − Whole picture, paired", "+0.1000.090–0.120", "–"],
        ["StyleNet", "–", "0.656"],
    ]
    assert "Later work" not in page


def test_a_published_number_is_printed_as_published_with_its_source(book):
    book.page("{published}`fashion144k/ap_all/StyleNet`")
    assert 'title="published: StyleNet, Table 1">0.656</abbr>' in book.build()
    book.page("{published}`fashion144k/ap_all/Nobody`")
    with pytest.raises(ExtensionError, match="no row 'fashion144k/ap_all/Nobody'"):
        book.build()


CLAIM = """```{claims}
:columns: Claim | Paper | Drawn | Real
- claim: Parts win.
  published: "{published}`fashion144k/ap_all/StyleNet`"
  cells:
    - {profile: current, evidence: [table1/parser/ap_all_gain, table1/parser/map_gain]}
    - {profile: paper, evidence: [table1/parser/ap_all_gain]}
```"""


def verdicts(page):
    return re.findall(r'<span class="verdict[^>]*>([^<]+)<', page)


@pytest.mark.parametrize(
    ("intervals", "said"),
    [
        (((0.01, 0.05), (0.02, 0.05)), "reproduced"),
        (((0.01, 0.05), (-0.02, 0.05)), "partly"),
        (((0.01, 0.05), (-0.05, -0.01)), "partly"),
        (((-0.01, 0.05), (0.0, 0.05)), "not reproduced"),
        (((-0.05, -0.01), (-0.02, 0.05)), "contradicted"),
        (((-0.05, -0.01), (-0.05, -0.02)), "contradicted"),
    ],
)
def test_a_verdict_follows_from_the_intervals(book, intervals, said):
    names = ("ap_all_gain", "map_gain")
    book.ledger(
        *(entry(metric=m, value=low, low=low, high=high) for m, (low, high) in zip(names, intervals, strict=True))
    )
    book.page(CLAIM)
    page = book.build()
    assert verdicts(page) == [said, "not run"]
    assert "make results PROFILE=paper" in words(page)


def test_each_number_of_a_verdict_is_marked_by_where_its_interval_lies(book):
    ends = {"ap_all_gain": (0.01, 0.05), "map_gain": (-0.05, -0.01)}
    book.ledger(*(entry(metric=m, value=low, low=low, high=high) for m, (low, high) in ends.items()))
    book.page(CLAIM)
    said = words(book.build())
    assert "✓ AP all +1.0" in said
    assert "✗ mAP −5.0" in said


def test_a_row_that_the_paper_does_not_claim_says_better_or_worse(book):
    book.ledger(entry(metric="ap_all_over_csra", value=-0.02, low=-0.03, high=-0.01))
    real = {"profile": "ccp", "dataset": "ccp", "experiment": "topk_c2s"}
    book.ledger(entry(**real, metric="top20_gain", value=0.2, low=0.1, high=0.3))
    book.page("""```{claims}
:columns: Claim | Paper | Drawn | Real | Paper's own
- claim: Attention helps.
  published: not tested
  control: true
  cells:
    - {profile: wardrobe, evidence: [table1/parser/ap_all_over_csra]}
    - {profile: ccp, evidence: [topk_c2s/parser/top20_gain], note: a note}
    - {instead: no masks}
```""")
    page = book.build()
    assert verdicts(page) == ["worse", "better", "not run"]
    assert "✗ AP all − CSRA −2.0" in words(page)
    assert "top 20, stand-in +20.0" in words(page)
    assert "a note" in words(page)
    assert "not run no masks" in words(page)


def test_a_verdict_on_features_names_the_task(book):
    about = {"experiment": "features", "method": "both-parts", "metric": "top20"}
    versus = {"method": "attended-parts", "value": -0.015, "low": -0.027, "high": -0.002}
    open_ = {**versus, "value": 0.013, "high": 0.03}
    book.ledger(
        entry(**about, split="inshop_query", versus=versus), entry(**about, split="c2s_query", versus=open_),
        entry(**about, split="c2s_query", versus=versus, dataset="ccp"),
    )  # fmt: skip
    number = "features/both-parts/top20_gain|dataset="
    book.page(f"""```{{claims}}
:columns: Claim | Paper | Drawn | Real
- claim: Texture helps.
  published: not tested
  control: true
  cells:
    - profile: wardrobe
      evidence: ["{number}wardrobe|split=inshop_query", "{number}wardrobe|split=c2s_query"]
    - {{profile: wardrobe, evidence: ["{number}ccp"]}}
```""")
    page = book.build()
    assert verdicts(page) == ["worse", "worse"]
    assert "✗ top 20, in-shop −1.5" in words(page)
    assert "○ top 20, consumer to shop +1.3" in words(page)
    assert "✗ top 20, stand-in −1.5" in words(page)


def test_a_difference_kept_within_its_entry_counts_as_one(book):
    inside = {"method": "whole", "value": 0.08, "low": 0.05, "high": 0.11}
    book.ledger(entry(versus=inside))
    book.page("{ledger}`table1/parser/ap_all_gain|interval` of {ledger}`table1/parser/ap_all`")
    assert "+0.080 (0.050–0.110) of 0.517" in words(book.build())


def test_a_curve_is_drawn_for_both_tones_with_words_for_those_who_cannot_see_it(book):
    book.ledger(*(entry(experiment="topk_c2s", metric=f"top{k}", value=k / 10) for k in (1, 2, 3)))
    book.page("```{ledger-figure} topk_c2s\n:alt: It rises.\n\nThe *caption*.\n```")
    page = book.build()
    tones = re.findall(r'<img alt="It rises." class="only-(\w+)" src="([^"]+)"', page)
    assert [tone for tone, _ in tones] == ["light", "dark"]
    for _, place in tones:
        assert "<svg" in (book.root / "built" / place).read_text()
    assert "<em>caption</em>" in page
    book.page("```{ledger-figure} topk_c2s\n```")
    with pytest.raises(ExtensionError, match="alt"):
        book.build()


def test_a_figure_of_two_runs_shows_the_one_that_was_made_where_one_may_be_missing(book):
    book.ledger(*(entry(experiment="topk_c2s", metric=f"top{k}", value=k / 10) for k in (1, 2, 3)))
    book.page("```{ledger-figure} topk_inshop topk_c2s\n:alt: It rises.\n:optional:\n```")
    place = re.search(r'class="only-light" src="([^"]+)"', book.build()).group(1)
    drawn = (book.root / "built" / place).read_text()
    assert "Consumer to shop" in drawn
    assert "In-shop" not in drawn
    book.page("```{ledger-figure} topk_inshop topk_c2s\n:alt: It rises.\n```")
    with pytest.raises(ExtensionError, match=r"topk_inshop\.json does not exist"):
        book.build()


def test_a_page_link_goes_to_the_profile_the_book_is_built_for(book):
    book.page("```{toctree}\nruns/quick/table1\n```\n\nsee {page}`table1` and {page}`this <table1>`")
    book.page("x", name="runs/quick/table1")
    page = book.build(profile="quick")
    links = re.findall(r'href="runs/quick/table1.html"><span class="doc">(.*?)</span>', page)
    assert links == ["Title", "this"]


def test_a_link_to_a_notebook_that_this_profile_lacks_says_so_and_a_wrong_name_ends_the_build(book):
    pytest.importorskip("sphinx_external_toc")
    book.page("x", name="runs/wardrobe/topk")
    (book.source / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n- file: runs/wardrobe/topk\n")
    book.page("```{toctree}\nruns/wardrobe/topk\n```\n\nsee {page}`topk`.")
    assert "see the notebook topk (not run for ccp)." in words(book.build(profile="ccp"))
    book.page("see {page}`tokp`")
    with pytest.raises(ExtensionError, match="no notebook is called 'tokp'; there are topk"):
        book.build(profile="ccp")


def test_a_picture_without_words_is_a_warning(book):
    (book.source / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    book.page("![](dot.svg)")
    with pytest.raises(AssertionError, match=r"picture dot\.svg has no alt text"):
        book.build()


def test_a_notebook_with_an_error_and_a_missing_page_end_the_build(book):
    pytest.importorskip("sphinx_external_toc")
    book.page("x")
    (book.source / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n- file: runs/wardrobe/table1\n")
    with pytest.raises(ExtensionError, match="contents list runs/wardrobe/table1"):
        book.build()
    output = {"output_type": "error", "ename": "ValueError", "evalue": "no photos", "traceback": []}
    cells = [{"cell_type": "code", "outputs": [output]}]
    notebook = book.source / "runs/wardrobe/table1.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text(json.dumps({"cells": cells}))
    with pytest.raises(ExtensionError, match="ValueError: no photos"):
        book.build()


def test_a_name_of_a_number_is_read_with_profile_and_options():
    number = Number.parse("ccp: table1/parser/map | interval | protocol=top6".replace(" ", ""), "quick")
    assert (number.profile, number.experiment, number.metric) == ("ccp", "table1", "map")
    assert number.options == {"interval": "", "protocol": "top6"}
    assert Number.parse("table1/parser/map", "quick").profile == "quick"
    with pytest.raises(InputError, match="does not name a number"):
        Number.parse("map", "quick")


def test_a_table_of_one_data_set_has_its_numbers_once_with_the_gain_beside_them(book):
    """Seen to repeat each gain as a row of its own."""
    versus = {"method": "whole", "value": 0.21, "low": 0.1, "high": 0.3}
    book.ledger(entry(value=0.6, versus=versus), entry("whole", value=0.39), entry(value=0.3, dataset="ccp"))
    book.page("```{photo-rows} wardrobe table1 wardrobe\n```")
    page = words(book.build())
    assert page.count("0.600") == page.count("0.390") == page.count("+21.0") == 1
    assert "0.300" not in page


def test_features_stand_apart_with_what_texture_adds_and_the_controls_after_them(book):
    found, versus = [], {"method": "attended-parts", "value": -0.021, "low": -0.03, "high": -0.01}
    for number, kind in enumerate(("texture", "attended", "both")):
        for way in ("parts", "whole", "together"):
            for metric in ("top1", "top20"):
                gain = versus if (kind, way, metric) == ("both", "parts", "top20") else None
                value = 0.3 + number / 10 + (metric == "top20") / 2 - 0.25
                found.append(
                    entry(f"{kind}-{way}", metric, value, experiment="features", versus=gain, split="c2s_query")
                )
    found += [entry("backbone", metric, 0.99, experiment="features", split="c2s_query") for metric in ("top1", "top20")]
    book.ledger(*found)
    book.page("```{feature-rows}\n```")
    page = words(book.build())
    assert (
        page.index("texture encoding and")
        < page.index("texture encoding alone")
        < page.index("Frozen backbone, pooled")
    )
    assert page.count("attended alone: −2.1") == 1
    assert page.count("0.050 / 0.550") == 3  # texture by parts, by the whole photo and by both
