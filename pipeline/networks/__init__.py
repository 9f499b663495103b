"""Networks: their descriptions, their files, and the engines that run them."""

from pipeline.networks.description import Layer, Network
from pipeline.networks.engines import get_engine
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.reading import load_network
from pipeline.networks.reading.ensemble_file import load_retrieval
from pipeline.networks.reading.library import find_network
from pipeline.networks.retrieval import Retrieval
from pipeline.networks.variable import Variable

__all__ = [
    "Ensemble",
    "Layer",
    "Network",
    "Retrieval",
    "Variable",
    "find_network",
    "get_engine",
    "load_network",
    "load_retrieval",
]
