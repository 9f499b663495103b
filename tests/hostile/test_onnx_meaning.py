"""A model with changed operators is refused, or means what onnxruntime takes it for."""

from random import Random
from types import SimpleNamespace

import numpy as np
import onnxruntime
from onnx_networks import network_of

from hostile.bases import network_onnx
from hostile.onnx_mutations import ONNX_MUTATIONS
from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.network import read_onnx_graph

MUTATIONS = [
    each for each in ONNX_MUTATIONS if each.__name__ in ("onnx_operator", "onnx_attribute")
]
ROWS = np.random.default_rng(0).uniform(0.001, 0.03, (5, 3)).astype(np.float32)
MUTANTS, AT_LEAST = 250, 12


def made_by_onnxruntime(path):
    """The outputs, row by row; None if it refuses the file."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options)
        return np.concatenate(
            [
                session.run(None, dict(zip("abc", row.reshape(3, 1, 1), strict=True)))[0]
                for row in ROWS
            ]
        )
    except Exception:  # noqa: BLE001 - it has an exception for each reason, without a common class
        return None


def test_changed_operators(tmp_path):
    """Other operators, other inputs, more attributes."""
    path = network_onnx(tmp_path)
    whole, outside = path.read_bytes(), SimpleNamespace(folder=tmp_path)
    compared = 0
    for seed in range(MUTANTS):
        draw = Random(seed)  # noqa: S311 - to be repeated
        path.write_bytes(whole)
        did = draw.choice(MUTATIONS)(path, draw, outside)
        try:
            network = network_of(read_onnx_graph(path))
        except NetworkError:
            continue
        expected = made_by_onnxruntime(path)
        if expected is None:
            continue
        found = network.reference(ROWS)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4, err_msg=f"{seed} {did}")
        compared += 1
    assert compared >= AT_LEAST
