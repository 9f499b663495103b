"""Saves a network as two files: a Keras file of the layers (float64), and a YAML description."""

from pathlib import Path

import numpy as np
import yaml

from pipeline.networks.description import Network
from pipeline.networks.engines.keras_model import dense_model
from pipeline.networks.reading.self_description import self_description


def save_keras(path: Path, network: Network, name: str) -> list[Path]:
    """Write the model (scaled inputs -> scaled outputs) and the YAML that describes it."""
    dense_model(network).save(path)
    beside = path.with_suffix(".yaml")
    described = self_description(network)
    del described["activations"]  # the Keras file has them
    described["weights"] = name
    for key, variables in (("inputs", network.inputs), ("outputs", network.outputs)):
        if key not in described:  # a classifier describes classes, not outputs
            continue
        for entry, variable in zip(described[key], variables, strict=True):
            entry["scaling"] = variable.scaling_name
            ends = [variable.minimum, variable.maximum]
            if np.isfinite(ends).all():
                entry["norm"] = ends
    beside.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    return [path, beside]
