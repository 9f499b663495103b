"""What runs a network: one table of engines, each built and checked once per process."""

import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError, NetworkError
from pipeline.networks.description import Network
from pipeline.networks.engines.ensemble_engine import EnsembleEngine
from pipeline.networks.engines.numpy_engine import NumpyEngine
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.retrieval import Engine, Retrieval, use_engines
from pipeline.networks.variable import Variable

# A device or a library that computes wrong numbers is off by far more than float32 rounding
# (TF32 on a GPU: 2-3 %), which stays below 1e-4.
SELF_CHECK_TOLERANCE = 1e-3
SELF_CHECK_ROWS = 64


def _tensorflow(network: Network) -> Engine:
    from pipeline.networks.engines.tensorflow_engine import TensorflowEngine

    return TensorflowEngine(network)


def _onnxruntime(network: Network) -> Engine:
    from pipeline.networks.engines.onnx_engine import OnnxEngine

    return OnnxEngine(network)


ENGINES: dict[str, Callable[[Network], Engine]] = {
    "numpy": NumpyEngine,
    "onnxruntime": _onnxruntime,
    "tensorflow": _tensorflow,
}

_built: dict[tuple[str, str], Engine] = {}
_building = threading.Lock()


def resolve_engine(name: str) -> str:
    """The engine that ``auto`` means on this machine; any other known name as it is.

    Raises:
        ConfigError: there is no engine of that name.
    """
    if name == "auto":
        return "tensorflow" if is_gpu_visible() else "onnxruntime"
    if name not in ENGINES:
        raise ConfigError(f"unknown engine {name!r}; known are auto, {', '.join(ENGINES)}.")
    return name


def is_gpu_visible() -> bool:
    """Whether an NVIDIA device is there and not hidden; without starting TensorFlow to ask."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in {"", "-1"}
    return Path("/dev/nvidia0").exists() and not hidden


def engine_for(retrieval: Retrieval, name: str) -> str:
    """The engine that a name means for a network; a published algorithm has but one."""
    is_network = isinstance(retrieval, Network | Ensemble)
    return resolve_engine(name) if is_network else NumpyEngine.name


def get_engine(network: Retrieval, name: str = "auto") -> Engine:
    """The engine of a network, built on the first call and kept.

    Raises:
        ConfigError: there is no engine of that name.
        NetworkError: the engine's numbers differ from the float64 reference.
    """
    if isinstance(network, Ensemble):
        return EnsembleEngine(network, [get_engine(member, name) for member in network.members])
    if not isinstance(network, Network):
        return NumpyEngine(network)
    name = resolve_engine(name)
    key = (network.fingerprint, name)  # the same for every scene that loads the network anew
    with _building:
        if key not in _built:
            engine = ENGINES[name](network)
            _check(network, engine)
            _built[key] = engine
        return _built[key]


def predict_with_uncertainty(
    network: Retrieval, name: str, x: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Outputs (n, outputs) of inputs (n, inputs), and their standard deviations where it has any.

    The second is of log10 for what spans decades.
    """
    engine = get_engine(network, name)
    if isinstance(engine, EnsembleEngine) and network.states_uncertainty:
        return engine.predict_with_uncertainty(x)
    return engine.predict(x), None


def example_inputs(network: Retrieval, rows: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Inputs in physical units with shape (rows, inputs), uniform in the transformed quantities.

    They are within the training range, where it is known, and where it is not in a plausible one.
    """
    low, high = np.transpose([_plausible_range(variable) for variable in network.inputs])
    drawn = np.random.default_rng(seed).uniform(low, high, (rows, len(network.inputs)))
    columns = [
        variable.transform.inverse(drawn[:, index]) for index, variable in enumerate(network.inputs)
    ]
    return np.stack(columns, axis=1)


def _plausible_range(variable: Variable) -> tuple[float, float]:
    """Ends of the transformed quantity: what is known of them, else a guess."""
    low, high = variable.minimum, variable.maximum
    if variable.scaling_parameters is not None:
        mean, std = variable.scaling_parameters
        guess = mean - 2 * std, mean + 2 * std
    else:
        guess = 0.01, 0.1  # a reflectance, or its logarithm near 1: no function fails there
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    if math.isfinite(low):
        return low, max(guess[1], low + 1)
    if math.isfinite(high):
        return min(guess[0], high - 1), high
    return guess


def _check(network: Network, engine: Engine) -> None:
    x = example_inputs(network, SELF_CHECK_ROWS)
    expected, found = network.reference(x), engine.predict(x)
    if not np.isfinite(expected).all():
        raise NetworkError(
            f"{network.file_name}: inputs within the training range give outputs that are not "
            "finite. The file is damaged, or its description is wrong."
        )
    # An output may pass through zero: what counts there is its usual size.
    scale = np.maximum(np.abs(expected), 1e-3 * np.abs(expected).max(axis=0))
    with np.errstate(invalid="ignore"):
        worst = float(np.max(np.abs(found - expected) / np.where(scale > 0, scale, 1.0)))
    if not worst <= SELF_CHECK_TOLERANCE:
        raise NetworkError(
            f"{network.file_name}: engine {engine.name} differs from the float64 reference by "
            f"{worst:.2g} (relative), at most {SELF_CHECK_TOLERANCE:g} is rounding. This device or "
            "library computes wrong numbers: choose another engine."
        )


use_engines(get_engine)
