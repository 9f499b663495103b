"""Numbers -> numbers: network files, their one description, and the engines that run it."""

from pipeline.networks.description import Layer, Network, Variable
from pipeline.networks.formats import load_network
from pipeline.networks.library import find_network
from pipeline.networks.retrieval import Retrieval

__all__ = ["Layer", "Network", "Retrieval", "Variable", "find_network", "load_network"]
