"""nbval: every notebook runs as it stands, and tables and sentences that are deterministic come out twice the same."""

import shutil

from project import ROOT

CONFIG = ROOT / "tests" / "nbval_sanitize.cfg"


def nbval(smoke, *arguments):
    """pytest with nbval, whose kernels find the scratch project's data and trained weights."""
    return smoke.call(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "filterwarnings=ignore", "-o", "addopts=",
        "--rootdir", ".", "--nbval-sanitize-with", str(CONFIG), *map(str, arguments),
        PYTHONWARNINGS="ignore",  # as in the batch
    )  # fmt: skip


def test_every_notebook_runs_with_its_default_parameters(smoke):
    before = smoke.ledgers()
    done = nbval(smoke, "--nbval-lax", ROOT / "notebooks")
    assert done.returncode == 0, done.stdout[-4000:]
    assert smoke.ledgers().keys() == before.keys()


def test_the_tables_and_sentences_of_the_data_notebook_come_out_the_same(smoke):
    done = nbval(smoke, "--nbval", smoke.executed / "data.ipynb")
    # the batch leaves stderr out of what it publishes, so a library's warning there is no difference
    only_stderr = done.stdout.count("Unexpected output fields from running code: {'stderr'}")
    assert done.stdout.count("FAILED ") == only_stderr, done.stdout[-4000:]
    assert "passed" in done.stdout


def test_the_comparison_would_see_another_number(smoke, tmp_path):
    copy = tmp_path / "data.ipynb"
    shutil.copy(smoke.executed / "data.ipynb", copy)
    text = copy.read_text()
    assert text.count("tags per photo") > 0
    copy.write_text(text.replace(">64<", ">65<", 1).replace("64.0", "65.0"))
    assert copy.read_text() != text
    assert nbval(smoke, "--nbval", copy).returncode == 1
