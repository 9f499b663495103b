"""Find the shipped mappings that a netCDF file fits, by its attributes and variables."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py

from pipeline.errors import SceneError
from pipeline.files.hdf5 import open_hdf5
from pipeline.files.netcdf import open_netcdf
from pipeline.readers.attributes import as_text
from pipeline.readers.container import is_hdf5
from pipeline.readers.mapping import COLLOCATED, Recognition, presets


def fitting_presets(path: Path) -> list[tuple[str, str]]:
    """Return the presets that a file fits; of these, only the presets with the most conditions.

    Each preset comes with an ending. In a collocation, the names of the variables have this ending.
    In other files, the ending is ''.
    """
    attributes, variables = _content(path)
    if fits := _fitting(attributes, variables):
        return [(name, "") for name in fits]
    endings = {match[1] for name in variables if (match := COLLOCATED.fullmatch(name))}
    return [
        (name, ending)
        for ending in sorted(endings)
        for name in _fitting(attributes, [name.removesuffix(ending) for name in variables])
    ]


def _fitting(attributes: Mapping[str, str], variables: Sequence[str]) -> list[str]:
    fits: dict[str, int] = {}
    for name, data in presets().items():
        conditions = Recognition.model_validate(data["recognise"])
        if _meets(conditions, attributes, variables):
            fits[name] = len(conditions.attributes) + len(conditions.variables)
    return [name for name, count in fits.items() if count == max(fits.values())]


def _meets(
    conditions: Recognition, attributes: Mapping[str, str], variables: Sequence[str]
) -> bool:
    def has(pattern: str) -> bool:
        return any(re.fullmatch(pattern, name) for name in variables)

    return (
        all(
            re.match(pattern, attributes.get(name, ""), re.DOTALL)
            for name, pattern in conditions.attributes.items()
        )
        and all(map(has, conditions.variables))
        and not any(map(has, conditions.absent))
    )


def _content(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the global attributes as text, and the names of the variables in the root group."""
    if is_hdf5(path):
        with open_hdf5(path, SceneError) as file:
            datasets = [name for name in file if isinstance(file.get(name), h5py.Dataset)]
            return {name: as_text(value) for name, value in file.attrs.items()}, datasets
    with open_netcdf(path, SceneError) as old:
        return {name: as_text(old.getncattr(name)) for name in old.ncattrs()}, list(old.variables)
