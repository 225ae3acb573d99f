"""What reaches a terminal: one line for every fault, no character that steers it, nothing lost in silence."""

import errno
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from fashionlib.core.console import guarded
from fashionlib.core.errors import InputError, explained
from fashionlib.core.files import readable, written_aside

CODES = ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO", "ESTALE", "EMFILE", "ENAMETOOLONG", "ELOOP"]


@pytest.mark.parametrize("code", CODES)
def test_every_fault_of_the_system_is_one_line_with_file_reason_and_remedy(code, capsys):
    def work():
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)), "photos/a\n\x1b[31m.jpg")

    assert guarded(work) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: photos/a\ufffd\ufffd[31m.jpg: cannot be used, ")
    assert err.count("\n") == 1
    assert "check it and its folder" not in err  # each of these has a remedy of its own


def test_a_fault_without_file_or_code_is_still_a_line():
    assert explained(OSError("odd")) == "input or output: cannot be used, odd; check it and its folder"


def test_a_file_that_cannot_be_written_is_named_and_not_its_other_name(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"file/page\.html: cannot be written, (Not a directory|File exists)"),
        written_aside(tmp_path / "file" / "page.html"),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b]0;title\x07.jpg", "a\ufffd]0;title\ufffd.jpg"),
        ("photo\u202egpj.exe", "photo\ufffdgpj.exe"),
        ("a\r\nb\u2028c\x85d", "a\ufffd\ufffdb\ufffdc\ufffdd"),
        ("caf\udce9.jpg", "caf\ufffd.jpg"),
        ("夏の服 👩\u200d👧 é.jpg", "夏の服 👩\u200d👧 é.jpg"),
    ],
)
def test_names_are_printed_without_what_steers_a_terminal(name, shown):
    assert readable(name) == shown


def run(code, **options):
    head = "import sys; from fashionlib.core.console import command, complain, guarded\n"
    root = Path(__file__).parents[2]
    return subprocess.run([sys.executable, "-c", head + code], cwd=root, text=True, check=False, **options)


def test_an_output_that_is_full_is_told_and_one_that_is_closed_is_not():
    code = "sys.exit(guarded(lambda: print('x')))"
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            done = run(code, stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 2
        assert done.stderr.startswith("error: input or output: cannot be used, the disk is full; make room")
        assert done.stderr.count("\n") == 1
    read, write = os.pipe()
    os.close(read)
    done = run(code, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("closed", [True, False])
def test_a_standard_error_that_is_closed_or_full_ends_no_work_and_stands_in_no_output(closed):
    """Seen to end a list of photos at the first that could not be read, with exit code 1."""
    code = "complain('x'); sys.exit(guarded(lambda: print('after') or 2))"
    if not closed and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open(os.devnull if closed else "/dev/full", "w") as full:
        done = run(code, stdout=subprocess.PIPE, stderr=full, preexec_fn=partial(os.close, 2) if closed else None)
    assert (done.returncode, done.stdout) == (2, "after\n")


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_names_outside_the_code_page_are_escaped_and_the_work_goes_on(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = run("sys.exit(guarded(lambda: print('夏.jpg', 'after')))", env=environment, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\\u590f.jpg after\n", "")


@pytest.mark.parametrize("words", ["--nonsense", "--times x", "a b"])
def test_a_module_with_one_command_names_wrong_words_in_one_line_too(words):
    code = "def main(times: int = 1): print(times)\nsys.argv[1:] = {}\nsys.exit(guarded(lambda: command(main)))"
    done = run(code.format(words.split()), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith(" --help\n")
    assert run(code.format(["--times", "3"]), capture_output=True).stdout == "3\n"
