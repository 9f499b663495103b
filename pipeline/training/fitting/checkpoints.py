"""Save the state of a fit after each epoch. Later epochs depend only on this state."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import DAMAGE, ConfigError, OutputError
from pipeline.files.archive import read_arrays
from pipeline.files.limits import CHECKPOINT_BYTES
from pipeline.files.replacing import replacing
from pipeline.training.fitting.history import Epoch

Arrays = list[npt.NDArray[Any]]
LAST, BEST = "last.npz", "best.npz"


@dataclass
class FitState:
    """The state of a fit after an epoch."""

    variables: Arrays
    """Variables of the model: its weights and the random state of its dropout."""
    optimizer: Arrays
    """Variables of the optimizer: momenta and the number of steps."""
    history: list[Epoch] = field(default_factory=list)
    best_weights: Arrays = field(default_factory=list)
    waited: int = 0
    """Number of epochs since the validation loss last improved."""
    plateau: tuple[float, float, int] | None = None


@dataclass(frozen=True)
class Checkpoints:
    """A folder with the states after the last, the best and every ``keep_every``-th epoch."""

    folder: Path
    key: str
    """Hash of configuration and samples; a fit resumes only from checkpoints with the same hash."""
    keep_every: int | None = None

    def save(self, state: FitState) -> None:
        """Save the state after an epoch; each file appears only when it is complete.

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
                with replacing(self.folder / name) as partial, partial.open("wb") as file:
                    np.savez(file, allow_pickle=False, **_packed(state, self.key))
        except OSError as error:
            raise OutputError(
                f"{self.folder}: cannot write checkpoints ({error.strerror}). Free some "
                "disk space, or choose another output folder."
            ) from error

    def load(self) -> FitState | None:
        """Return the state after the last epoch, or None if there is no checkpoint.

        Raises:
            ConfigError: the checkpoint is damaged, or belongs to another configuration or to other
                samples.
        """
        path = self.folder / LAST
        if not path.is_file():
            return None
        try:
            arrays = read_arrays(path, CHECKPOINT_BYTES, ConfigError)
            key, state = str(arrays["key"]), _unpacked(arrays)
        except (*DAMAGE, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ConfigError(
                f"{path}: the checkpoint is damaged ({error}). Remove {self.folder} to start over."
            ) from error
        if key != self.key:
            raise ConfigError(
                f"{self.folder} has checkpoints of another configuration or of other samples. "
                "Choose another output folder, or start over with --restart."
            )
        return state


def _packed(state: FitState, key: str) -> Mapping[str, Any]:
    scalars = {
        "history": [asdict(epoch) for epoch in state.history],
        "waited": state.waited,
        "plateau": state.plateau,
    }
    arrays: dict[str, Any] = {"key": np.array(key), "said": np.array(json.dumps(scalars))}
    for name in ("variables", "optimizer", "best_weights"):
        for number, array in enumerate(getattr(state, name)):
            arrays[f"{name}_{number:04d}"] = array
    return arrays


def _unpacked(arrays: Mapping[str, npt.NDArray[Any]]) -> FitState:
    scalars = json.loads(str(arrays["said"]))
    lists = {
        name: [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}_")]
        for name in ("variables", "optimizer", "best_weights")
    }
    plateau = scalars["plateau"]
    return FitState(
        history=[Epoch(**epoch) for epoch in scalars["history"]],
        waited=scalars["waited"],
        plateau=None if plateau is None else (plateau[0], plateau[1], plateau[2]),
        **lists,
    )
