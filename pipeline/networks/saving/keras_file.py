"""Saves a network as two files: a Keras file of the layers (float64), and a YAML description."""

from pathlib import Path

import yaml

from pipeline.networks.description import Network
from pipeline.networks.engines.keras_model import dense_model
from pipeline.networks.reading.self_description import ranged_description


def save_keras(path: Path, network: Network, name: str) -> list[Path]:
    """Write the model (scaled inputs -> scaled outputs) and the YAML that describes it."""
    dense_model(network).save(path)
    beside = path.with_suffix(".yaml")
    described = ranged_description(network)
    del described["activations"]  # the Keras file has them
    described["weights"] = name
    beside.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    return [path, beside]
