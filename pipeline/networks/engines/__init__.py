"""Table of the engines that run networks; a process builds and checks each engine once."""

import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError, NetworkError
from pipeline.networks.checks import relative_error
from pipeline.networks.description import Network
from pipeline.networks.engines.ensemble_engine import EnsembleEngine
from pipeline.networks.engines.numpy_engine import NumpyEngine
from pipeline.networks.engines.onnx_engine import OnnxEngine
from pipeline.networks.engines.tensorflow_engine import TensorflowEngine
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.retrieval import Engine, Retrieval, use_engines
from pipeline.networks.variable import Variable, untransformed

# If a device or library computes wrong numbers, the errors are large (TF32 on a GPU: 2-3 %). The
# rounding of float32 causes less than 1e-4.
SELF_CHECK_TOLERANCE = 1e-3
SELF_CHECK_ROWS = 64


ENGINES: dict[str, Callable[[Network], Engine]] = {
    engine.name: engine for engine in (NumpyEngine, OnnxEngine, TensorflowEngine)
}

_built: dict[tuple[str, str], Engine] = {}
_building = threading.Lock()


def resolve_engine(name: str) -> str:
    """Return the name of an engine; ``auto`` is replaced by the fastest engine on this machine."""
    if name == "auto":
        return "tensorflow" if is_gpu_visible() else "onnxruntime"
    if name not in ENGINES:
        raise ConfigError(f"unknown engine {name!r}, expected one of auto, {', '.join(ENGINES)}.")
    return name


def is_gpu_visible() -> bool:
    """Return True if an NVIDIA device exists and is not hidden. TensorFlow is not started."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in {"", "-1"}
    return Path("/dev/nvidia0").exists() and not hidden


def engine_for(retrieval: Retrieval, name: str) -> str:
    """Return the name of the engine that runs a network; algorithms always run with numpy."""
    is_network = isinstance(retrieval, Network | Ensemble)
    return resolve_engine(name) if is_network else NumpyEngine.name


def get_engine(network: Retrieval, name: str = "auto") -> Engine:
    """Return the engine of a network or algorithm; build it on the first call and keep it.

    Raises:
        ConfigError: no engine has this name.
        NetworkError: the engine's numbers differ from the float64 reference.
    """
    if isinstance(network, Ensemble):
        engines, errors = (
            [get_engine(one, name) for one in networks]
            for networks in (network.members, network.error_networks)
        )
        return EnsembleEngine(network, engines, errors)
    if not isinstance(network, Network):
        return NumpyEngine(network)
    name = resolve_engine(name)
    key = (network.fingerprint, name)  # the same key if another scene loads the network again
    with _building:
        if key not in _built:
            engine = ENGINES[name](network)
            _check(network, engine)
            _built[key] = engine
        return _built[key]


def predict_with_uncertainty(
    network: Retrieval, name: str, x: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return outputs and standard deviations, both with shape (n, outputs).

    The standard deviations are None if the network does not state them.
    If an output's transform is a logarithm, the standard deviation of log10(output) is returned.
    """
    engine = get_engine(network, name)
    if isinstance(engine, EnsembleEngine) and network.states_uncertainty:
        return engine.predict_with_uncertainty(x)
    return engine.predict(x), None


def example_inputs(network: Retrieval, rows: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return random inputs (rows, inputs) in physical units.

    Each input is uniformly distributed after its transform.
    Inputs are within the training range; an unknown range is replaced by a plausible range.
    """
    low, high = np.transpose([_plausible_range(variable) for variable in network.inputs])
    drawn = np.random.default_rng(seed).uniform(low, high, (rows, len(network.inputs)))
    return untransformed(network.inputs, drawn)


def _plausible_range(variable: Variable) -> tuple[float, float]:
    """Return the training range of the transformed quantity; unknown ends are guessed."""
    low, high = variable.minimum, variable.maximum
    least, most = 0.01, 0.1  # a reflectance or any transform of one: no function fails there
    if variable.scaling_parameters is not None:
        mean, std = variable.scaling_parameters
        least, most = mean - 2 * std, mean + 2 * std
    return (
        low if math.isfinite(low) else min(least, high - 1),
        high if math.isfinite(high) else max(most, low + 1),
    )


def _check(network: Network, engine: Engine) -> None:
    x = example_inputs(network, SELF_CHECK_ROWS)
    expected, found = network.reference(x), engine.predict(x)
    if not np.isfinite(expected).all():
        raise NetworkError(
            f"{network.file_name}: inputs within the training range give outputs that are not "
            "finite. The file is damaged, or its description is wrong."
        )
    with np.errstate(invalid="ignore"):
        worst = float(np.max(relative_error(found, expected)))
    if not worst <= SELF_CHECK_TOLERANCE:
        raise NetworkError(
            f"{network.file_name}: engine {engine.name} differs from the float64 reference by "
            f"{worst:.2g} (relative). Rounding causes at most {SELF_CHECK_TOLERANCE:g}. "
            "This device or library computes wrong numbers. Choose another engine."
        )


use_engines(get_engine)
