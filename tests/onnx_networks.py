"""The network of an ONNX graph that nothing describes."""

import numpy as np

from pipeline.networks.description import Network
from pipeline.networks.reading.onnx.network import OnnxNetwork
from pipeline.networks.variable import Variable


def network_of(graph: OnnxNetwork) -> Network:
    """Inputs and outputs have numbers for names, and no scaling."""

    def ends(transforms, name):
        return tuple(
            Variable(f"{name}{n}", None, "1", each, -np.inf, np.inf, scaling_name="none")
            for n, each in enumerate(transforms)
        )

    return Network(
        name="n", title="", inputs=ends(graph.input_transforms, "x"), layers=graph.layers,
        outputs=ends(graph.output_transforms, "y"), sensors=(), citation="", licence="",
        file_name="n", sha256="",
    )  # fmt: skip
