"""Saves a float32 ONNX file for other programs: (n, inputs) -> (n, outputs), physical units."""

import json
from pathlib import Path

from pipeline.networks.description import Network
from pipeline.networks.engines.onnx_graph import build_graph
from pipeline.networks.reading.self_description import ATTRIBUTE, self_description


def save_onnx(path: Path, network: Network, _: str) -> list[Path]:
    """Write the graph with the description in its metadata."""
    import onnx

    model = build_graph(network, rows_first=True)
    model.producer_name = "ocpipe"
    onnx.helper.set_model_props(model, {ATTRIBUTE: json.dumps(self_description(network))})
    path.write_bytes(model.SerializeToString(deterministic=True))
    return [path]
