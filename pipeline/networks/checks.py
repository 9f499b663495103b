"""Checks whether the parts of a network fit together; all file formats use these checks."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError, repeated
from pipeline.networks.activations import parse_activation
from pipeline.networks.after import GAINS, SCOPE
from pipeline.networks.description import Layer, Network
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS, Array, Variable

# A class map has one byte for each pixel, and a few of its values mean no class.
MOST_CLASSES = 250

# Golden spectra are stored as decimal text of float64; another program may have computed them.
GOLDEN_TOLERANCE = 1e-9


def check_network(network: Network) -> Network:
    """Return the network itself if its parts fit together.

    Raises:
        NetworkError: a part does not fit; the message names the first such part.
    """
    for check in (_check_layers, _check_variables, _check_classes, _check_names, _check_after):
        check(network)
    return network


def _check_layers(network: Network) -> None:
    if not network.layers:
        raise NetworkError(f"{network.file_name}: no layers, expected one or more.")
    width = len(network.inputs)
    for number, layer in enumerate(network.layers, start=1):
        _check_layer(network.file_name, number, layer, width)
        width = layer.bias.size
    if width != len(network.outputs):
        what = "classes" if network.classes else "outputs"
        raise NetworkError(
            f"{network.file_name}: the last layer has {width} units, but {len(network.outputs)} "
            f"{what} are described. Correct the description."
        )


def _check_layer(file_name: str, number: int, layer: Layer, width: int) -> None:
    where = f"{file_name}: Layer{number}"
    try:
        parse_activation(layer.activation)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None
    if layer.bias.ndim != 1 or layer.kernel.shape != (width, layer.bias.size):
        raise NetworkError(
            f"{where}: kernel has shape {layer.kernel.shape}, expected ({width}, units); bias has "
            f"shape {layer.bias.shape}, expected (units,). The file is damaged; fetch it again."
        )
    for name, array in (("Weights", layer.kernel), ("Bias", layer.bias)):
        if not np.isfinite(array).all():
            raise NetworkError(
                f"{file_name}: {name}/Layer{number} has values that are not finite. "
                "The file is damaged; fetch it again."
            )


def _check_names(network: Network) -> None:
    for what, variables in (("inputs", network.inputs), ("outputs", network.outputs)):
        twice = repeated([variable.name for variable in variables])
        if twice:
            raise NetworkError(
                f"{network.file_name}: two {what} have the name {twice}. Describe them with "
                "different quantities or wavelengths."
            )


def _check_variables(network: Network) -> None:
    for dataset, variables in (("Norm_in", network.inputs), ("Norm_out", network.outputs)):
        for row, variable in enumerate(variables):
            where = f"{network.file_name}: {dataset} row {row} ({variable.name})"
            _check_functions(where, variable)
            _check_range(where, variable)
            _check_parameters(where, variable)


def _check_functions(where: str, variable: Variable) -> None:
    for what, name, known in (
        ("transform", variable.transform_name, TRANSFORMS),
        ("scaling", variable.scaling_name, SCALINGS),
    ):
        if name not in known:
            raise NetworkError(
                f"{where}: unknown {what} {name!r}, expected one of {', '.join(known)}."
            )


def _check_range(where: str, variable: Variable) -> None:
    minimum, maximum = variable.minimum, variable.maximum
    if not minimum < maximum:  # NaN, too
        raise NetworkError(
            f"{where} is [{minimum:g}, {maximum:g}], expected minimum < maximum. Correct the range."
        )
    if variable.scaling.needs_range and not np.isfinite((minimum, maximum)).all():
        raise NetworkError(
            f"{where} is [{minimum:g}, {maximum:g}], expected finite numbers with minimum < "
            f"maximum for scaling {variable.scaling_name}. Set the key range (in physical units) "
            "or norm (after the transform), or choose another scaling."
        )
    if variable.transform.needs_non_negative and np.isfinite(minimum) and minimum < 0:
        raise NetworkError(
            f"{where}: the minimum is {minimum:g} after the transform {variable.transform_name}, "
            "expected 0 or more. Correct the training range."
        )


def _check_parameters(where: str, variable: Variable) -> None:
    given = variable.scaling_parameters
    if not variable.scaling.needs_parameters:
        if given is not None:
            raise NetworkError(
                f"{where}: mean and standard deviation are given, but the scaling is "
                f"{variable.scaling_name}. Set scaling to zscore, or "
                "remove mean and standard deviation."
            )
        return
    if given is None or not np.isfinite(given).all() or not given[1] > 0:
        found = "missing" if given is None else f"{given[0]:g} and {given[1]:g}"
        raise NetworkError(
            f"{where}: mean and standard deviation are {found}, expected finite numbers "
            "and a standard deviation above 0. Give both numbers, or choose another scaling."
        )


def check_class_names(where: str, quantity: str, classes: Sequence[str]) -> None:
    """Refuse an invalid or repeated class name, and more classes than a class map can have.

    Args:
        where: the file or configuration to name in the message.
        quantity: the name of the class map.
        classes: the names of all classes.

    Raises:
        NetworkError: a name is invalid or repeated, or there are too many classes.
    """
    for name in (quantity, *classes):
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is None:
            raise NetworkError(
                f"{where}: {name!r} is not a valid name of a class or class map. "
                "Write a letter, then letters, digits or underscores."
            )
    twice = repeated(classes)
    if twice:
        raise NetworkError(f"{where}: two classes have the name {twice}. Rename one.")
    if len(classes) > MOST_CLASSES:
        raise NetworkError(
            f"{where}: {len(classes)} classes, expected at most {MOST_CLASSES}, because a "
            "class map cannot have more. Merge classes."
        )


def _check_classes(network: Network) -> None:
    if not network.classes:
        return
    file_name, classes = network.file_name, network.classes
    check_class_names(file_name, network.class_quantity, classes)
    last = network.layers[-1].activation
    if parse_activation(last)[0] != "softmax":
        raise NetworkError(
            f"{file_name}: the last layer of a classifier must be softmax, but it is {last}. "
            "Set this activation to softmax, or describe outputs instead of classes."
        )
    if classes != tuple(variable.name for variable in network.outputs):
        raise NetworkError(
            f"{file_name}: outputs and classes differ in names or order. Correct the description."
        )


def _check_after(network: Network) -> None:
    """Check that the outputs fit the steps in ``after``.

    Gains require that all outputs are Rrs. A scope check requires that each output is also an
    input.
    """
    if GAINS in network.after and any(
        v.quantity != "Rrs" or v.wavelength_nm is None for v in network.outputs
    ):
        raise NetworkError(
            f"{network.file_name}: after: {GAINS} is for networks whose outputs are all Rrs, but "
            f"the outputs are {', '.join(v.name for v in network.outputs)}. Correct the "
            "description."
        )
    inputs = {variable.name for variable in network.inputs}
    missing = [v.name for v in network.outputs if v.name not in inputs]
    if SCOPE in network.after and missing:
        raise NetworkError(
            f"{network.file_name}: after: {SCOPE} is for networks that reconstruct their inputs, "
            f"but {', '.join(missing)} is not an input. Correct the description."
        )


def relative_error(found: npt.NDArray[Any], expected: Array) -> Array:
    """Return |found - expected| / |expected|; each array has shape (n, outputs).

    If an expected value is near zero, the divisor is 1/1000 of the largest value of its column.
    """
    scale = np.maximum(np.abs(expected), 1e-3 * np.abs(expected).max(axis=0))
    return np.asarray(np.abs(found - expected) / np.where(scale > 0, scale, 1.0))


def check_golden(network: Network) -> None:
    """Recompute a network's golden spectra, if it has any, with the float64 reference.

    Raises:
        NetworkError: an output differs from the stored one.
    """
    if network.golden is None:
        return
    found, expected = network.reference(network.golden.inputs), network.golden.outputs
    wrong = ~(relative_error(found, expected) <= GOLDEN_TOLERANCE)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise NetworkError(
            f"{network.file_name}: golden spectrum {row} gives {network.outputs[column].name} = "
            f"{found[row, column]:.9g}, but the file expects {expected[row, column]:.9g}. "
            "The weights or their description were changed; fetch the file again."
        )
