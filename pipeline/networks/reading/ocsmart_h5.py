"""Reads OC-SMART's HDF5 layout: Layers, Norm_in, Norm_out, Weights/LayerK, Bias/LayerK.

A stored kernel has shape (outputs, inputs). A stored bias has shape (outputs, 1). OC-SMART's own
files state no activations and no meaning of inputs and outputs. Their description is
found by the file name, in ``configs/networks/ocsmart.yaml``. A file with attribute
``ocpipe_description`` describes itself.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.errors import DAMAGE, ConfigError, NetworkError
from pipeline.facts.quantities import quantities
from pipeline.facts.sensors import Sensor, find_sensor
from pipeline.facts.shipped import read_shipped, shipped_configs
from pipeline.files.access import why_unreadable
from pipeline.files.hdf5 import has_hdf5_signature, names_at_root, open_hdf5, read_numbers
from pipeline.files.limits import DESCRIPTION_BYTES, NETWORK_NUMBERS
from pipeline.files.regular import memory_in_words
from pipeline.networks.description import Layer, Network
from pipeline.networks.reading.schema import NetworkDescription, Parts, Range, parse_description
from pipeline.networks.reading.self_description import ATTRIBUTE, SelfDescription
from pipeline.networks.variable import Array, Variable

# Quantity in the tables, quantity in the description, wavelength (nm).
_Named = tuple[str, str, float | None]

# Real networks have up to ten layers. A message lists some of them.
MOST_LAYERS, MOST_SHOWN = 1000, 40
PARTS = ("Layers", "Norm_in", "Norm_out", "Weights", "Bias")


def is_ocsmart(path: Path) -> bool:
    """Return whether a file is HDF5 and has two or more parts of the layout; it may be damaged."""
    try:
        if not has_hdf5_signature(path, NetworkError):
            return False
        members, _ = names_at_root(path, NetworkError)
        return len(members & set(PARTS)) >= 2
    except DAMAGE as error:
        reason = why_unreadable(error)
        raise NetworkError(
            f"{path.name}: cannot be read now: {reason}."
            if reason
            else f"{path.name}: this HDF5 file cannot be opened ({error}). Fetch it again."
        ) from error


def describes_itself(path: Path) -> bool:
    """Return whether a file of this layout has the attribute that describes it."""
    with open_hdf5(path, NetworkError) as file:
        return ATTRIBUTE in file.attrs


@dataclass(frozen=True)
class StoredWeights:
    """The numbers and the description in one file of this layout."""

    kernels_and_biases: list[tuple[Array, Array]]
    """Kernels with shape (inputs, units), biases with shape (units,)."""
    norm_in: Array
    """Training ranges of the transformed inputs, with shape (inputs, 2)."""
    norm_out: Array
    """Training ranges of the transformed outputs, with shape (outputs, 2)."""
    wavelengths: Array | None
    """Band wavelengths (nm), if the file has them."""
    description: str | bytes | None
    """JSON text of the attribute that describes the file, if it has one."""

    def parts(self, described: NetworkDescription, activations: list[str]) -> Parts:
        """Return layers and ranges; refuse a description that does not fit the stored sizes."""
        for what, count, stored in (
            ("inputs", len(described.inputs), len(self.norm_in)),
            ("outputs", described.output_count, len(self.norm_out)),
            ("activations", len(activations), len(self.kernels_and_biases)),
        ):
            if count != stored:
                raise NetworkError(
                    f"the description has {count} {what}, but the file has {stored}. Correct the "
                    "description."
                )
        return Parts(self.layers(activations), _ranges(self.norm_in), _ranges(self.norm_out))

    def layers(self, activations: list[str]) -> tuple[Layer, ...]:
        """Return the layers, each with its activation."""
        pairs = zip(self.kernels_and_biases, activations, strict=True)
        return tuple(Layer(kernel, bias, activation) for (kernel, bias), activation in pairs)


def _ranges(norm: Array) -> list[Range]:
    return [(float(low), float(high)) for low, high in norm]


def stored_weights(path: Path) -> StoredWeights:
    """Read the numbers in a file of this layout."""
    with open_hdf5(path, NetworkError) as file:
        stored = _Stored(file, path.name)
        return StoredWeights(
            kernels_and_biases=stored.layers(),
            norm_in=stored.shaped("Norm_in", (stored.sizes[0], 2)),
            norm_out=stored.shaped("Norm_out", (stored.sizes[-1], 2)),
            wavelengths=stored.optional("Wavelength"),
            description=_checked_text(file.attrs.get(ATTRIBUTE), path.name),
        )


def _checked_text(text: str | bytes | None, name: str) -> str | bytes | None:
    if isinstance(text, str | bytes):
        DESCRIPTION_BYTES.check(len(text), f"{name}: attribute {ATTRIBUTE}", NetworkError)
    return text


def read_ocsmart(path: Path, sha256: str) -> Network:
    """Read a network; its description is in the attribute, or is found by the file's name.

    Raises:
        NetworkError: a dataset is missing or has a wrong shape, or nothing describes the file.
    """
    stored = stored_weights(path)
    if stored.description is None:
        return _described_by_name(path, sha256, stored)
    where = f"{path.name}: attribute {ATTRIBUTE}"
    described = parse_description(SelfDescription, stored.description, where)
    try:
        parts = stored.parts(described, described.activations)
        return described.assemble(parts, path.name, sha256)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None


class _Stored:
    """Reads the datasets of one open file; error messages name the dataset."""

    def __init__(self, file: h5py.File, file_name: str) -> None:
        self._file = file
        self._name = file_name
        self._left = NETWORK_NUMBERS.most
        # Converted before any arithmetic: Layers is stored as int8, in which 100 + 100 overflows.
        stored = self._dataset("Layers")
        if stored.size > MOST_LAYERS:
            raise NetworkError(
                f"{file_name}: Layers has {stored.size:,} numbers, expected one for each layer. "
                "The file is damaged; fetch it again."
            )
        sizes = self._numbers(stored, "Layers").reshape(-1)
        whole = np.isfinite(sizes) & (sizes >= 1) & (sizes == np.round(sizes))
        if sizes.size < 2 or not whole.all():
            raise NetworkError(
                f"{file_name}: Layers is [{', '.join(f'{size:g}' for size in sizes)}], expected two"
                " or more positive whole numbers. The file is damaged; fetch it again."
            )
        self.sizes = [int(size) for size in sizes]

    def layers(self) -> list[tuple[Array, Array]]:
        """Return the kernel (inputs, outputs) and bias (outputs,) of each layer."""
        pairs = []
        for k, (n_in, n_out) in enumerate(zip(self.sizes[:-1], self.sizes[1:], strict=True), 1):
            weights = self.shaped(f"Weights/Layer{k}", (n_out, n_in))
            bias = self.shaped(f"Bias/Layer{k}", (n_out, 1))
            pairs.append((np.ascontiguousarray(weights.T), bias.reshape(-1)))
        return pairs

    def optional(self, name: str) -> Array | None:
        """Return a dataset of positive numbers as a flat array, or None if the file lacks it."""
        if name not in self._file:
            return None
        array = self._numbers(self._dataset(name), name).reshape(-1)
        if not np.all(np.isfinite(array) & (array > 0)):
            raise NetworkError(
                f"{self._name}: {name} has values that are not finite numbers above 0. The file is "
                "damaged; fetch it again."
            )
        return array

    def shaped(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return a dataset that has this shape."""
        dataset = self._dataset(name)
        if dataset.shape != shape:
            raise NetworkError(
                f"{self._name}: {name} has shape {dataset.shape}, expected {shape}, because "
                f"Layers is {self._shown_sizes()}. The file is damaged or not of this layout."
            )
        return self._numbers(dataset, name)

    def _shown_sizes(self) -> str:
        shown = ", ".join(map(str, self.sizes[:MOST_SHOWN]))
        return f"[{shown}{', ...' if len(self.sizes) > MOST_SHOWN else ''}]"

    def _dataset(self, name: str) -> h5py.Dataset:
        """Return a dataset of numbers without reading them, because it may state any size."""
        dataset = self._file.get(name)
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise NetworkError(
                f"{self._name}: dataset {name} is missing. The file is incomplete; fetch it again."
            )
        if dataset.dtype.kind not in "iuf":
            raise NetworkError(
                f"{self._name}: dataset {name} is {dataset.dtype}, expected numbers. The file is "
                "damaged or not of this layout."
            )
        return dataset

    def _numbers(self, dataset: h5py.Dataset, name: str) -> Array:
        """Read a dataset, if the numbers of the whole file stay within the limit."""
        where = f"{self._name}: dataset {name}"
        NETWORK_NUMBERS.check(NETWORK_NUMBERS.most - self._left + dataset.size, where, NetworkError)
        self._left -= dataset.size
        try:
            numbers = read_numbers(dataset, where, NETWORK_NUMBERS, NetworkError)
            with memory_in_words(where, NetworkError):
                return numbers.astype(np.float64)
        except OSError as error:
            raise NetworkError(
                f"{self._name}: dataset {name} cannot be read ({error}). Fetch the file again."
            ) from error


@functools.cache
def _table() -> dict[str, Any]:
    return read_shipped(shipped_configs() / "networks" / "ocsmart.yaml")


def _kind_of(path: Path) -> tuple[Sensor, str]:
    """Return sensor and kind from a file name such as ``MODIS-Aqua_Lrc_rrsNN.h5``."""
    kinds = _table()["kinds"]
    match = re.fullmatch(_table()["file_name"], path.name, re.IGNORECASE)
    by_lower = {kind.lower(): kind for kind in kinds}
    if match is None or match["kind"].lower() not in by_lower:
        raise NetworkError(
            f"{path.name}: the file does not describe itself (no attribute {ATTRIBUTE}), and its "
            f"name is not <sensor>_<kind>.h5, where <kind> is one of {', '.join(kinds)}. Give "
            "the file its name in OC-SMART, or add the attribute."
        )
    try:
        return find_sensor(match["sensor"]), by_lower[match["kind"].lower()]
    except ConfigError as error:
        raise NetworkError(f"{path.name}: {error}") from error


def _described_by_name(path: Path, sha256: str, stored: StoredWeights) -> Network:
    sensor, kind = _kind_of(path)
    entry = _table()["kinds"][kind]
    bands = _bands_of(path.name, sensor, kind, stored)
    inputs = [named for text in entry["inputs"] for named in _expand(text, bands)]
    outputs = _in_bands(entry["output"], bands[: len(stored.norm_out)])
    activations = [_table()["hidden_activation"]] * len(stored.kernels_and_biases)
    activations[-1] = _table()["output_activation"]
    return Network(
        name=f"{sensor.name}_{kind}",
        title=f"{entry['title']}, OC-SMART for {sensor.name}",
        inputs=_variables(inputs, stored.norm_in),
        outputs=_variables(outputs, stored.norm_out),
        layers=stored.layers(activations),
        sensors=(sensor.name,),
        citation=_table()["citation"],
        licence=_table()["licence"],
        file_name=path.name,
        sha256=sha256,
        after=() if None in bands else tuple(entry.get("after", ())),
    )


def _bands_of(name: str, sensor: Sensor, kind: str, stored: StoredWeights) -> list[float | None]:
    """Return the wavelength (nm) of each band of the inputs; None where nothing states it.

    The file determines the number of bands, which differs between versions of OC-SMART.
    """
    texts = _table()["kinds"][kind]["inputs"]
    (role,) = (text.partition(":")[2] for text in texts if ":" in text)
    count = len(stored.norm_in) - (len(texts) - 1)
    if not 1 <= len(stored.norm_out) <= count:
        raise NetworkError(
            f"{name}: Norm_in has {len(stored.norm_in)} rows, Norm_out has {len(stored.norm_out)}, "
            f"and {kind} has {len(texts) - 1} inputs that are not bands. Norm_out must "
            "have at least one row, but not more rows than there are input bands. The file is of "
            "another kind; correct its name."
        )
    if stored.wavelengths is not None and stored.wavelengths.size >= count:
        return [float(nm) for nm in stored.wavelengths[:count]]
    known = sensor.ocsmart.of_count(role, count) if sensor.ocsmart is not None else None
    return [None] * count if known is None else list(known)


def _expand(text: str, bands: list[float | None]) -> list[_Named]:
    """Return quantity, name and wavelength of each variable that an entry of the table means.

    The entry ``Rrs:rrs`` gives one variable for each band. ``solar_zenith`` is a single variable.
    """
    quantity, _, role = text.partition(":")
    return _in_bands(quantity, bands) if role else [(quantity, quantity, None)]


def _in_bands(quantity: str, bands: list[float | None]) -> list[_Named]:
    """Return one variable of a quantity for each band.

    If the wavelength of a band is unknown, its variable is named by number (``Rrs_band_1``). A
    network with such variables can be inspected and evaluated, but no scene has them.
    """
    return [
        (quantity, quantity if nm is not None else f"{quantity}_band_{number}", nm)
        for number, nm in enumerate(bands, start=1)
    ]


def _variables(named: list[_Named], norm: Array) -> tuple[Variable, ...]:
    return tuple(_variable(*name, row) for name, row in zip(named, norm, strict=True))


def _variable(quantity: str, name: str, wavelength_nm: float | None, norm: Array) -> Variable:
    known = quantities()[quantity]
    return Variable(
        quantity=name,
        wavelength_nm=wavelength_nm,
        units=known.units,
        transform_name="cos_degrees" if known.units == "degree" else "log10",
        minimum=float(norm[0]),
        maximum=float(norm[1]),
        long_name=known.long_name,
        standard_name=known.standard_name,
    )
