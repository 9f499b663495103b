"""Numbers as they are averaged and as their uncertainty is stated.

What spans decades (its transform is a logarithm) is taken as log10, everything else as it is.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.networks.description import Variable


def in_decades(variables: tuple[Variable, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """log10 of the columns (n, variables) that span decades; the others as they are; a copy."""
    out = np.array(values)
    for column, variable in enumerate(variables):
        if variable.spans_decades:
            np.log10(values[:, column], out=out[:, column])
    return out


def out_of_decades(variables: tuple[Variable, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The inverse of :func:`in_decades`; a copy."""
    out = np.array(values)
    for column, variable in enumerate(variables):
        if variable.spans_decades:
            np.power(values.dtype.type(10), values[:, column], out=out[:, column])
    return out
