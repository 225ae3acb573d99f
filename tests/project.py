"""The project in a scratch folder of its own: what tests of the batch run, change and break."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Project:
    """A copy of package, notebooks, profiles and Snakefile, and what running them leaves there."""

    def __init__(self, home: Path):
        for name in ("fashionlib", "notebooks", "profiles"):
            shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Snakefile", home)
        self.home, self.executed = home, home / "book" / "runs" / "smoke"
        self.environment = {**os.environ, "FASHIONLIB_HOME": str(home), "PYTHONPATH": str(home)}
        self.before_the_kill: dict[str, int] = {}
        self.second_call: subprocess.CompletedProcess | None = None

    def batch(self, *arguments: str) -> subprocess.CompletedProcess:
        """`fashionlib results …`, as the Makefile calls it."""
        return self.call("-m", "fashionlib.cli", "results", *arguments)

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """Python with these arguments, in the project's folder."""
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.home, env={**self.environment, **environment}, capture_output=True, text=True, check=False
        )

    def start_and_kill(self) -> None:
        """Start the batch and kill -9 all of it while its second notebook runs."""
        command = [sys.executable, "-m", "fashionlib.cli", "results", "smoke"]
        process = subprocess.Popen(command, cwd=self.home, env=self.environment, start_new_session=True)
        logs, deadline = self.home / "runs" / "smoke" / "logs", time.monotonic() + 300
        # three logs: the batch's own, the first notebook's, the second's
        while not self.notebooks() or len(list(logs.iterdir())) < 3:
            assert process.poll() is None, "the batch ended before it could be killed"
            assert time.monotonic() < deadline, "no notebook in five minutes"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.before_the_kill = self.notebooks()

    def notebooks(self) -> dict[str, int]:
        """When each executed notebook was last put in its place (ns)."""
        return {path.stem: path.stat().st_mtime_ns for path in self.executed.glob("*.ipynb")}

    def ledgers(self) -> dict[str, bytes]:
        return {path.stem: path.read_bytes() for path in (self.home / "results" / "smoke").glob("*.json")}

    def outdated(self) -> set[str]:
        """The notebooks that the batch would run again now, as Snakemake's dry run tells."""
        done = self.call(
            "-m", "snakemake", "--dry-run", "--rerun-triggers", "params", "--cores", "1", "--nolock",
            "--config", "profile=smoke", "data=", "seeds=",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        rules = re.findall(r"^rule (\w+):$", done.stdout + done.stderr, flags=re.MULTILINE)
        return {rule.replace("_", "-") for rule in rules} - {"all"}

    @contextlib.contextmanager
    def edited(self, name: str, old: str, new: str) -> Iterator[None]:
        """The file with its first `old` replaced, and put back afterwards."""
        path = self.home / name
        text = path.read_text()
        assert old in text, f"{name} holds no {old!r}"
        path.write_text(text.replace(old, new, 1))
        try:
            yield
        finally:
            path.write_text(text)
