"""Networks on labelled arrays: xarray's DataArray with a coordinate of wavelengths.

Only methods of the array itself are used, so that networks do not need xarray.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.networks.variable import Variable

# Largest distance (nm) between a band of the array and a band of the network, as in a run.
TOLERANCE_NM = 3.0
_NANOMETRES = ("nm", "nanometer", "nanometers", "nanometre", "nanometres")


class Described(Protocol):
    """The properties of a network that this module uses."""

    @property
    def name(self) -> str:
        """Name for messages and results."""
        ...

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The inputs in order."""
        ...

    @property
    def outputs(self) -> tuple[Variable, ...]:
        """The outputs in order."""
        ...


def is_labelled(x: Any) -> bool:
    """Whether an object is a DataArray."""
    return all(hasattr(x, each) for each in ("dims", "coords", "isel"))


def predict_labelled(
    network: Described, x: Any, predict: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> Any:
    """Return the outputs as a DataArray with the other dimensions and coordinates of ``x``.

    Outputs of one quantity are along the dimension of wavelengths; other outputs are along the
    dimension ``output``, with their names.

    Raises:
        NetworkError: the array has no wavelengths, or lacks a band; or the network also takes
            inputs without a wavelength.
    """
    dim = _spectral_dim(network, x)
    spectra = x.isel({dim: _bands(network, x[dim])}).transpose(..., dim)
    rows = np.asarray(spectra.values)
    values = predict(rows.reshape(-1, rows.shape[-1])).reshape(
        *rows.shape[:-1], len(network.outputs)
    )
    outputs, rest = network.outputs, spectra.isel({dim: 0}, drop=True)
    is_spectrum = (
        len({output.quantity for output in outputs}) == 1
        and len({output.wavelength_nm for output in outputs}) == len(outputs)
        and all(output.wavelength_nm is not None for output in outputs)
    )
    axis = {dim: [v.wavelength_nm for v in outputs]} if is_spectrum else {
        "output": [v.name for v in outputs]
    }  # fmt: skip
    result = rest.expand_dims(axis, axis=-1).copy(data=values)
    result.name = outputs[0].quantity if is_spectrum else network.name
    units = {output.units for output in outputs}
    result.attrs = {"units": units.pop()} if len(units) == 1 else {}
    if is_spectrum:
        result[dim].attrs = {"units": "nm"}
    return result


def _spectral_dim(network: Described, x: Any) -> Any:
    if not hasattr(x, "to_dataset"):
        raise NetworkError(
            f"{network.name}: x is a {type(x).__name__}, expected an array or a DataArray. Give a "
            "Dataset to ocpipe.apply."
        )
    stated = str(x.attrs.get("units", ""))
    expected = {variable.units for variable in network.inputs}
    if stated.strip().startswith(("%", "percent")) and stated not in expected:
        raise NetworkError(
            f"{network.name}: x is in {stated!r}, expected {', '.join(sorted(expected))}. "
            "Convert x."
        )
    others = [variable.name for variable in network.inputs if variable.wavelength_nm is None]
    if others:
        raise NetworkError(
            f"{network.name}: takes {', '.join(others)}, which have no wavelength. Give an array "
            "with the shape (n, inputs), or a Dataset to ocpipe.apply."
        )
    found = [dim for dim in x.dims if dim in x.coords and _says_wavelength(dim, x[dim].attrs)]
    if len(found) != 1:
        raise NetworkError(
            f"{network.name}: x has the dimensions {', '.join(map(str, x.dims))}, expected one "
            "called wavelength, with a coordinate in nm. Rename the dimension and give it its "
            "wavelengths."
        )
    return found[0]


def _says_wavelength(dim: Any, attributes: Any) -> bool:
    names = (str(dim).lower(), str(attributes.get("standard_name", "")))
    return any("wavelength" in name for name in names)


def _bands(network: Described, axis: Any) -> list[int]:
    """Return the position of each input's band along the axis of wavelengths."""
    centres = np.asarray(axis.values, dtype=np.float64)
    if str(axis.attrs.get("units", "nm")) not in _NANOMETRES:
        raise NetworkError(
            f"{network.name}: the wavelengths of x are in {axis.attrs['units']!r}, expected nm. "
            "Convert them."
        )
    places = []
    for variable in network.inputs:
        distance = np.abs(centres - (variable.wavelength_nm or 0))
        if not distance.size or not distance.min() <= TOLERANCE_NM:
            listed = ", ".join(f"{nm:g}" for nm in centres)
            raise NetworkError(
                f"{network.name}: x has no band within {TOLERANCE_NM:g} nm of "
                f"{variable.wavelength_nm:g} nm; its bands are {listed} nm. Add the band."
            )
        places.append(int(distance.argmin()))
    if len(set(places)) < len(places):
        raise NetworkError(
            f"{network.name}: one band of x is the nearest for two inputs, so a band is missing. "
            "Add the band."
        )
    return places
