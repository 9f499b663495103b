"""Saves a float32 ONNX file for other programs: (n, inputs) -> (n, outputs), physical units."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from pipeline.networks.description import GoldenSpectra, Network
from pipeline.networks.engines.onnx_graph import build_graph
from pipeline.networks.reading.onnx.network import read_onnx_graph
from pipeline.networks.reading.onnx_file import described_by_attribute
from pipeline.networks.reading.self_description import ATTRIBUTE, ranged_description


def save_onnx(path: Path, network: Network, _: str) -> list[Path]:
    """Write the graph with the description in its metadata."""
    model = build_graph(network, rows_first=True)
    model.producer_name = "ocpipe"
    plain = dataclasses.replace(network, golden=None)
    _write(path, model, plain)
    if network.golden is not None:
        # The weights were rounded to float32, so the file gives outputs of its own.
        rounded = described_by_attribute(read_onnx_graph(path), path)
        inputs = network.golden.inputs
        golden = GoldenSpectra(inputs, rounded.reference(inputs))
        _write(path, model, dataclasses.replace(network, golden=golden))
    return [path]


def _write(path: Path, model: Any, network: Network) -> None:
    import onnx

    onnx.helper.set_model_props(model, {ATTRIBUTE: json.dumps(ranged_description(network))})
    path.write_bytes(model.SerializeToString(deterministic=True))
