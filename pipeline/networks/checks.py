"""Whether the parts of a description fit together, whatever file they came from."""

import re
from collections.abc import Sequence

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.activations import parse_activation
from pipeline.networks.after import GAINS, SCOPE
from pipeline.networks.description import Layer, Network
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS, Variable

# A class map is stored in one byte, of which a few values are kept for what is no class.
MOST_CLASSES = 250

# Golden spectra are stored as decimal text of float64, computed by whoever wrote the file.
GOLDEN_TOLERANCE = 1e-9


def check_network(network: Network) -> Network:
    """The network itself, if its parts fit together.

    Raises:
        NetworkError: with the first thing that does not.
    """
    _check_layers(network)
    _check_variables(network)
    _check_classes(network)
    _check_names(network)
    _check_after(network)
    return network


def _check_layers(network: Network) -> None:
    if not network.layers:
        raise NetworkError(f"{network.file_name}: it has no layers, expected one or more.")
    width = len(network.inputs)
    for number, layer in enumerate(network.layers, start=1):
        _check_layer(network.file_name, number, layer, width)
        width = layer.bias.size
    if width != len(network.outputs):
        what = "classes" if network.classes else "outputs"
        raise NetworkError(
            f"{network.file_name}: the last layer has {width} units, but {len(network.outputs)} "
            f"{what} are described."
        )


def _check_layer(file_name: str, number: int, layer: Layer, width: int) -> None:
    where = f"{file_name}: Layer{number}"
    try:
        parse_activation(layer.activation)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None
    if layer.bias.ndim != 1 or layer.kernel.shape != (width, layer.bias.size):
        raise NetworkError(
            f"{where}: kernel has shape {layer.kernel.shape} and bias {layer.bias.shape}, "
            f"expected ({width}, units) and (units,)."
        )
    for name, array in (("Weights", layer.kernel), ("Bias", layer.bias)):
        if not np.isfinite(array).all():
            raise NetworkError(
                f"{file_name}: {name}/Layer{number} holds values that are not finite. "
                "The file is damaged; fetch it again."
            )


def _check_names(network: Network) -> None:
    for what, variables in (("inputs", network.inputs), ("outputs", network.outputs)):
        names = [variable.name for variable in variables]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise NetworkError(
                f"{network.file_name}: two {what} are called {', '.join(twice)}. Describe them by "
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
            raise NetworkError(f"{where}: unknown {what} {name!r}; known are {', '.join(known)}.")


def _check_range(where: str, variable: Variable) -> None:
    minimum, maximum = variable.minimum, variable.maximum
    if not minimum < maximum:  # NaN, too
        raise NetworkError(f"{where} is [{minimum:g}, {maximum:g}], expected minimum < maximum.")
    if variable.scaling.needs_range and not np.isfinite((minimum, maximum)).all():
        raise NetworkError(
            f"{where} is [{minimum:g}, {maximum:g}], expected finite numbers minimum < maximum: "
            f"scaling {variable.scaling_name} has no meaning without them. Give the range, or "
            "another scaling."
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
                f"{variable.scaling_name}. Set scaling to zscore, or leave them out."
            )
        return
    if given is None or not np.isfinite(given).all() or not given[1] > 0:
        found = "missing" if given is None else f"{given[0]:g} and {given[1]:g}"
        raise NetworkError(
            f"{where}: mean and standard deviation are {found}, expected finite numbers, the "
            "second above 0, for scaling zscore."
        )


def check_class_names(where: str, quantity: str, classes: Sequence[str]) -> None:
    """Refuse classes that a class map could not name, or has no room for.

    Args:
        where: file or configuration, for the message.
        quantity: the name of the class map.
        classes: all of them.

    Raises:
        NetworkError: which of them.
    """
    for name in (quantity, *classes):
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is None:
            raise NetworkError(
                f"{where}: class name or quantity {name!r}, expected a letter and then "
                "letters, digits and underscores."
            )
    twice = sorted({name for name in classes if classes.count(name) > 1})
    if twice:
        raise NetworkError(f"{where}: two classes are called {', '.join(twice)}.")
    if len(classes) > MOST_CLASSES:
        raise NetworkError(
            f"{where}: {len(classes)} classes, at most {MOST_CLASSES} fit into a class map."
        )


def _check_classes(network: Network) -> None:
    if not network.classes:
        return
    file_name, classes = network.file_name, network.classes
    check_class_names(file_name, network.class_quantity, classes)
    last = network.layers[-1].activation
    if parse_activation(last)[0] != "softmax":
        raise NetworkError(
            f"{file_name}: classes are described, but the last layer is {last}, expected softmax. "
            "Describe outputs instead, or set the activation."
        )
    if classes != tuple(variable.name for variable in network.outputs):
        raise NetworkError(f"{file_name}: the outputs are not the classes, one by one.")


def _check_after(network: Network) -> None:
    """Gains are on Rrs; a scope check compares outputs with the inputs of the same names."""
    if GAINS in network.after and any(
        v.quantity != "Rrs" or v.wavelength_nm is None for v in network.outputs
    ):
        raise NetworkError(
            f"{network.file_name}: after: {GAINS} is for networks that make Rrs alone; it makes "
            f"{', '.join(v.name for v in network.outputs)}. Correct the description."
        )
    inputs = {variable.name for variable in network.inputs}
    missing = [v.name for v in network.outputs if v.name not in inputs]
    if SCOPE in network.after and missing:
        raise NetworkError(
            f"{network.file_name}: after: {SCOPE} is for networks that reconstruct their inputs; "
            f"{', '.join(missing)} is no input. Correct the description."
        )


def check_golden(network: Network) -> None:
    """Run the float64 reference on the file's golden spectra, if it has any.

    Raises:
        NetworkError: an output differs from the stored one.
    """
    if network.golden is None:
        return
    found = network.reference(network.golden.inputs)
    expected = network.golden.outputs
    # An output may be zero: what counts there is its size in the other spectra.
    scale = np.maximum(np.abs(expected), 1e-3 * np.abs(expected).max(axis=0))
    wrong = ~(np.abs(found - expected) <= GOLDEN_TOLERANCE * scale)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise NetworkError(
            f"{network.file_name}: golden spectrum {row} gives {network.outputs[column].name} = "
            f"{found[row, column]:.9g}, the file says {expected[row, column]:.9g}. "
            "The weights or their description were changed; fetch the file again."
        )
