"""What a run keeps beside the network: its state after each epoch, and the average of its weights."""

from __future__ import annotations

import copy
import csv
import io
import zipfile
from pathlib import Path

import torch
from torch import nn

from fashionlib.core.files import written_aside
from fashionlib.core.sealed import Damaged, notice, opened
from fashionlib.models.saved import read_config, read_weights
from fashionlib.models.tagger import Tagger, save_model


class Averaged:
    """The model that is validated and kept: the one in training (decay 0), or one with its weights' moving average.

    Early on the average is over fewer steps, so that it does not remember the weights' first draw.
    """

    def __init__(self, model: Tagger, net: nn.Module, decay: float):
        self.net, self.decay, self.steps = net, decay, 0
        self.model = copy.deepcopy(model) if decay else model
        self.average = self.model if net is model else self.model.head

    @torch.no_grad()
    def update(self) -> None:
        if not self.decay:
            return
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        for mean, value in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
            mean.lerp_(value, 1 - decay) if mean.is_floating_point() else mean.copy_(value)

    def state_dict(self) -> dict:
        return {"steps": self.steps, "average": self.average.state_dict()} if self.decay else {}

    def load_state_dict(self, state: dict) -> None:
        if self.decay:
            self.steps = state["steps"]
            self.average.load_state_dict(state["average"])


class State:
    """An interrupted run goes on from here: weights, optimiser, schedule and history of the last whole epoch.

    It holds nothing of one process alone, so that any number of them can go on from it; one of them saves it.
    """

    def __init__(self, folder: Path, fingerprint: str, net: nn.Module, optimiser, schedule, kept: Averaged):
        self.path, self.folder, self.fingerprint = folder / "last.pt", folder, fingerprint
        self.parts = {"net": net, "optimiser": optimiser, "schedule": schedule, "average": kept}

    def restore(self) -> tuple[int, float, list[dict]]:
        """Epochs done, the best validation so far, the history."""
        for name in ("last.pt", "history.csv", "config.json", "model.safetensors"):
            for aside in self.folder.glob(f".{name}.*"):  # what a killed run left half-written
                aside.unlink(missing_ok=True)
        saved = self._saved()
        if saved.get("fingerprint") != self.fingerprint:
            return 0, -1.0, []
        for name, part in self.parts.items():
            part.load_state_dict(saved[name])
        return saved["epoch"], saved["best"], saved["history"]

    def _saved(self) -> dict:
        """The state on disk; nothing where there is none, or it or the model kept beside it is damaged."""
        try:
            with opened(self.path) as file:
                if damaged := zipfile.ZipFile(file).testzip():
                    raise Damaged(f"the checksum of {damaged} does not fit")
                file.seek(0)
                saved = torch.load(file, map_location="cpu", weights_only=True)
            if saved["fingerprint"] == self.fingerprint:
                read_weights(self.folder, read_config(self.folder).get("weights"))
            return saved
        except FileNotFoundError:
            return {}
        except Exception as error:  # torch and zipfile raise whatever a damaged file makes them
            why = " ".join(str(error).split())
            notice(f"{self.path}: cannot be gone on from ({why}); this method is trained from its start")
            return {}

    def save(self, epoch: int, best: float, history: list[dict], model: Tagger) -> float:
        """Keep the epoch, and the model if it is the best so far; returns the best validation.

        Where nothing was validated, the latest is the best.
        """
        latest = history[-1]
        value = (latest["val_ap_all"] + latest["val_map"]) / 2 if "val_map" in latest else float(epoch)
        if value > best:
            save_model(model, self.folder)
        best = max(best, value)
        parts = {name: part.state_dict() for name, part in self.parts.items()}
        with written_aside(self.path, own=True) as file:  # to an open file: torch's own writer hides why it could not
            torch.save(
                {**parts, "epoch": epoch, "best": best, "history": history, "fingerprint": self.fingerprint}, file
            )
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(latest))
        writer.writeheader()
        writer.writerows(history)
        with written_aside(self.folder / "history.csv", own=True) as file:
            file.write(text.getvalue().encode())
        return best
