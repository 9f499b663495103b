"""The state of a fit on disk, after each epoch: all that the epochs to come depend on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DAMAGE, ConfigError, OutputError
from pipeline.training.fitting.history import Epoch

Arrays = list[npt.NDArray[Any]]
LAST, BEST = "last.npz", "best.npz"


@dataclass
class FitState:
    """Where a fit stands after an epoch."""

    variables: Arrays
    """Of the model: weights, and the state of random numbers of dropout."""
    optimizer: Arrays
    """Momenta and the number of steps."""
    history: list[Epoch] = field(default_factory=list)
    best_weights: Arrays = field(default_factory=list)
    waited: int = 0
    """Epochs without a better validation loss."""
    plateau: tuple[float, float, int] | None = None


@dataclass(frozen=True)
class Checkpoints:
    """A folder with the last epoch, the best one, and those that stay."""

    folder: Path
    key: str
    """Hash of configuration and samples: a checkpoint of others is no start."""
    keep_every: int | None = None

    def save(self, state: FitState) -> None:
        """After an epoch; a file appears when it is complete.

        Raises:
            OutputError: the folder cannot be written to.
        """
        epoch = state.history[-1]
        names = [LAST]
        if self.keep_every and epoch.number % self.keep_every == 0:
            names.append(f"epoch_{epoch.number:05d}.npz")
        if epoch.is_best:
            names.append(BEST)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                partial = self.folder / f".{name}.partial"
                with partial.open("wb") as file:
                    np.savez(file, allow_pickle=False, **_packed(state, self.key))
                partial.replace(self.folder / name)
        except OSError as error:
            raise OutputError(
                f"{self.folder}: checkpoints cannot be written ({error.strerror}). Free space, or "
                "choose another output folder."
            ) from error

    def load(self) -> FitState | None:
        """The last epoch; None where there is none.

        Raises:
            ConfigError: it is damaged, or of another configuration or of other samples.
        """
        path = self.folder / LAST
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            key, state = str(arrays["key"]), _unpacked(arrays)
        except DAMAGE as error:
            raise ConfigError(
                f"{path}: a damaged checkpoint ({error}). Remove {self.folder} to begin anew."
            ) from error
        if key != self.key:
            raise ConfigError(
                f"{self.folder} holds checkpoints of another configuration or of other samples. "
                "Choose another output folder, or begin anew with --restart."
            )
        return state


def _packed(state: FitState, key: str) -> Mapping[str, Any]:
    said = {
        "history": [asdict(epoch) for epoch in state.history],
        "waited": state.waited,
        "plateau": state.plateau,
    }
    arrays: dict[str, Any] = {"key": np.array(key), "said": np.array(json.dumps(said))}
    for name in ("variables", "optimizer", "best_weights"):
        for number, array in enumerate(getattr(state, name)):
            arrays[f"{name}_{number:04d}"] = array
    return arrays


def _unpacked(arrays: Mapping[str, npt.NDArray[Any]]) -> FitState:
    said = json.loads(str(arrays["said"]))
    lists = {
        name: [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}_")]
        for name in ("variables", "optimizer", "best_weights")
    }
    plateau = said["plateau"]
    return FitState(
        history=[Epoch(**epoch) for epoch in said["history"]],
        waited=said["waited"],
        plateau=None if plateau is None else (plateau[0], plateau[1], plateau[2]),
        **lists,
    )
