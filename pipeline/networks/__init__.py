"""Numbers -> numbers: network files, their one description, and the engines that run it."""

from pipeline.networks.description import Layer, Network, Variable
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.reading import load_network
from pipeline.networks.reading.ensemble_file import load_retrieval
from pipeline.networks.reading.library import find_network
from pipeline.networks.retrieval import Retrieval

__all__ = [
    "Ensemble",
    "Layer",
    "Network",
    "Retrieval",
    "Variable",
    "find_network",
    "load_network",
    "load_retrieval",
]
