"""The book's pages on runs, parameters and functions: what they list follows from the files; stale files end them."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import nbformat
import pytest
from project import ROOT

pytest.importorskip("sphinx", reason="the extra 'book' is not installed")
pytest.importorskip("myst_parser", reason="the extra 'book' is not installed")

from fashionbook.extension import check_contents, plain_docstring
from fashionbook.run_directives import parameters_of
from sphinx.errors import ExtensionError
from test_directives import Book, entry, table, words

from fashionlib.ledger.receipts import Receipt, checksum, write_receipt


@pytest.fixture
def book(tmp_path):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "wardrobe.yaml").write_text("data: {name: wardrobe}\nmethods: {parser: {kind: parser}}\n")
    return Book(tmp_path)


def test_every_run_is_listed_with_what_made_it_and_its_checksum(book):
    path = book.ledger(entry(versions={"python": "3.11.7", "torch": "2.14.1"}))
    book.ledger(entry(profile="ccp", device="a big GPU", seconds=7200.0))
    book.page("```{ledger-runs}\n```")
    page = book.build()
    _, ours, other = table(page)
    assert ours[0] == "wardrobe: table1"
    assert other[0] == "ccp: table1"
    for part in ("a big GPU", "2.0 h", "commit abc1234"):
        assert part in other[2]
    assert "seeds 0, 1" in ours[1]
    assert "n = 420" in ours[1]
    assert checksum(book.root, "wardrobe", "table1") in ours[3]
    assert "notebooks/table1.ipynb" in ours[3]
    assert 'title="python 3.11.7, torch 2.14.1"' in page
    path.write_text(path.read_text() + "\n")
    assert checksum(book.root, "wardrobe", "table1") in words(book.build())


def test_a_new_run_is_listed_though_no_page_changed(book):
    book.ledger(entry())
    book.page("```{ledger-runs}\n```")
    assert "ccp" not in words(book.build())
    book.ledger(entry(profile="ccp"))
    assert "ccp: table1" in words(book.build())


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("data: {name: wardrobe}\nmethods: {parser: {kind: parser}, whole: {kind: whole}}\n", "do not both have whole"),
        ("data: {name: ccp}\nmethods: {parser: {kind: parser}}\n", "its data are wardrobe, the profile's ccp"),
    ],
)
def test_a_run_that_its_profile_no_longer_describes_is_stale_and_ends_the_build(book, profile, said):
    book.ledger(entry())
    (book.root / "profiles" / "wardrobe.yaml").write_text(profile)
    book.page("```{ledger-runs}\n```")
    with pytest.raises(ExtensionError, match=re.escape(said)) as error:
        book.build()
    assert str(error.value).startswith("index: results/wardrobe/table1.json is stale")
    assert "make results PROFILE=wardrobe" in str(error.value)


def test_a_ledger_that_cannot_be_read_ends_the_build(book):
    book.ledger(entry()).write_text("[{")
    book.page("```{ledger-runs}\n```")
    with pytest.raises(ExtensionError, match="is not JSON"):
        book.build()


def test_receipts_say_what_agrees_what_differs_and_what_is_older_than_the_ledger(book):
    book.ledger(entry())
    book.page("```{receipts}\n```")
    assert "fashionlib verify --profile wardrobe" in words(book.build())
    ledger = checksum(book.root, "wardrobe", "table1")
    good = Receipt("table1", ledger, "2026-01-01 00:00", "exact", 3, 0.0, [], 130.0, "abc1234", {"torch": "2"}, "CPU")
    for receipt, word, same in (
        (good, "agrees", "3 of 3"),
        (replace(good, differing=["a b c: value was 1 and is 2", "a b c: low was 1 and is 2"]), "differs", "2 of 3"),
        (replace(good, ledger="another"), "older than the ledger", "3 of 3"),
    ):
        write_receipt(book.root, "wardrobe", [receipt])
        (_, row) = table(book.build())
        assert row[1].startswith(word)
        assert f"{same} came out again" in row[2]
        assert "rule: exact" in row[2]


def notebook(path, cell):
    path.parent.mkdir(exist_ok=True)
    cells = [
        nbformat.v4.new_markdown_cell("# What is it?"),
        nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def test_parameters_are_read_from_the_notebooks_cells_and_alike_ones_share_a_table(book):
    for name in ("one", "two"):
        notebook(book.root / "notebooks" / f"{name}.ipynb", 'profile = "smoke"  # a name, or a file')
    notebook(book.root / "notebooks" / "three.ipynb", "diversity = 0.5  # from 0 to 1")
    book.page("```{notebook-parameters}\n```")
    page = book.build()
    assert page.count("<table") == 2
    assert table(page)[1:2] == [["profile", '"smoke"', "a name, or a file"]]
    assert "notebooks/two.ipynb: What is it?" in words(page)
    assert "0.5" in words(page)


def test_a_parameter_without_words_ends_the_build(book):
    notebook(book.root / "notebooks" / "one.ipynb", 'profile = "smoke"')
    book.page("```{notebook-parameters}\n```")
    with pytest.raises(ExtensionError, match=re.escape("write `name = default  # what it is`")):
        book.build()


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_of_ours_says_what_its_parameters_are(path):
    expected = {"folder", "photo"} if path.stem == "wardrobe_of_your_own" else {"profile", "data", "seeds"}
    assert expected <= {name for name, _, _ in parameters_of(path)}


def test_docstrings_keep_formulas_and_code():
    lines = [
        "max(|s_x| − α, 0)² of `theta`, a *b 4.",
        "",
        "    r_ik = x_i",
        "    a_ik = 2",
        "",
        "channels: D.",
        "    k: K.",
    ]
    plain_docstring(None, "function", "f", None, None, lines)
    assert lines == [
        r"max(\|s\_x\| − α, 0)² of ``theta``, a \*b 4.", "", "::", "", "    r_ik = x_i", "    a_ik = 2", "",
        "channels: D.", "k: K.",
    ]  # fmt: skip


def test_buttons_lead_to_the_public_copy_that_one_variable_names(book, monkeypatch):
    pytest.importorskip("sphinx_book_theme")
    book.page("Words.")
    monkeypatch.setenv("FASHIONLIB_REPOSITORY", "https://github.com/some-owner/name/")
    page = book.build(html_theme="sphinx_book_theme")
    assert 'href="https://github.com/some-owner/name"' in page
    monkeypatch.delenv("FASHIONLIB_REPOSITORY")
    assert "some-owner" not in book.build(html_theme="sphinx_book_theme")
    monkeypatch.setenv("FASHIONLIB_REPOSITORY", "owner/name")
    with pytest.raises(ExtensionError, match=r"expected https://github\.com/OWNER/NAME"):
        book.build()


def test_the_workflow_builds_strictly_and_names_no_repository_itself():
    text = (ROOT / ".github" / "workflows" / "pages.yml").read_text()
    assert "jupyter-book build book -W --keep-going" in text
    assert "FASHIONLIB_REPOSITORY: ${{ github.server_url }}/${{ github.repository }}" in text


def test_titles_of_the_contents_differ(tmp_path):
    titles = []
    for path in sorted((ROOT / "book" / "runs" / "wardrobe").glob("*.ipynb")):
        titles.append(json.loads(path.read_text())["cells"][0]["source"][0].strip())
    titles += [path.read_text().splitlines()[0] for path in sorted((ROOT / "book").glob("*.md"))]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("content", ["", '{"cells": [{"cell_type"', "[]", '{"cells": 3}'])
def test_a_truncated_notebook_of_the_contents_ends_the_build_in_one_line_that_names_it(tmp_path, content):
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: runs/wardrobe/data\n")
    (tmp_path / "runs" / "wardrobe").mkdir(parents=True)
    (tmp_path / "runs" / "wardrobe" / "data.ipynb").write_text(content)
    app = SimpleNamespace(srcdir=tmp_path, config=SimpleNamespace(fashionlib_profile="wardrobe"))
    with pytest.raises(ExtensionError, match=r"data\.ipynb: no whole notebook; `make results PROFILE=wardrobe`"):
        check_contents(app)
