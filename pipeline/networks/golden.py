"""Golden spectra: inputs a network file carries with the outputs they must give."""

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.description import Network
from pipeline.networks.reference import forward

# The outputs are stored as decimal text of float64, computed by whoever wrote the file.
TOLERANCE = 1e-9


def check_golden(network: Network) -> None:
    """Run the float64 reference on the file's golden spectra, if it has any.

    Raises:
        NetworkError: an output differs from the stored one.
    """
    if network.golden is None:
        return
    found = forward(network, network.golden.inputs)
    difference = np.abs(found / network.golden.outputs - 1)
    if not np.all(difference <= TOLERANCE):
        row, column = np.unravel_index(np.argmax(difference), difference.shape)
        raise NetworkError(
            f"{network.file_name}: golden spectrum {row} gives {network.outputs[column].name} = "
            f"{found[row, column]:.9g}, the file says {network.golden.outputs[row, column]:.9g}. "
            "The weights or their description were changed; fetch the file again."
        )
