"""The whole files that are damaged: miniatures, a configuration that shows what is read of them.

The network of the configuration gives its inputs out as they are, so a product holds what the
reader makes of a band.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
from miniatures.cases import CASES, Case
from small_network import write_network

# A miniature once more as classic netCDF, which other libraries read.
CLASSIC = "acolite_classic"
NAMES = (*CASES, CLASSIC)


@dataclass(frozen=True)
class Base:
    """A whole file, and where it and what belongs to it lie."""

    name: str
    folder: Path

    @cached_property
    def case(self) -> Case:
        """What writes the miniature."""
        return CASES["acolite_l2w" if self.name == CLASSIC else self.name]

    @property
    def reader(self) -> str:
        """The format."""
        return self.case.reader

    @cached_property
    def path(self) -> Path:
        """The file, or the folder where the format is one."""
        folder = self.folder / self.name
        folder.mkdir()
        path = self.case.written(folder).path
        return _as_classic(path) if self.name == CLASSIC else path

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Of the bands that the network takes (nm)."""
        return tuple(sorted(self.case.named_as.get(nm, nm) for nm in self.case.bands))

    @property
    def masking_flag(self) -> str | None:
        """The flag whose pixels are not computed."""
        return self.case.flags[-1] if self.case.flags else None

    @cached_property
    def network(self) -> Path:
        """A network whose outputs are its inputs, one for each band."""
        return write_identity(self.folder / f"{self.name}.network.h5", self.wavelengths)

    def settings(self, output: Path, *, masked: bool) -> dict[str, Any]:
        """The configuration of a run, with or without a mask by a flag."""
        chosen = {"name": "iop", "file": str(self.network), "allow_other_sensor": True}
        reader = {"format": self.reader, "options": self.case.reader_options}
        return {
            "name": "fuzz",
            "science": {
                "networks": [chosen],
                "bands": {"tolerance_nm": TOLERANCE_NM},
                "engine": "numpy",
                "masks": {"flags": [self.masking_flag] if masked else []},
                **({"reader": reader} if self.case.reader_options else {}),
            },
            "execution": {"output": str(output), "threads": 1},
            "batch": {"settle": 0},  # the file was damaged a moment ago, and is complete
        }

    def copied(self, folder: Path) -> Path:
        """A copy to be damaged."""
        copy = folder / self.path.name
        if self.path.is_dir():
            shutil.copytree(self.path, copy, symlinks=True)
        else:
            shutil.copyfile(self.path, copy)
        return copy


TOLERANCE_NM = 2.0


def bases_of(reader: str, folder: Path) -> list[Base]:
    """Those of one format, in the order of their names."""
    return [base for base in (Base(name, folder) for name in NAMES) if base.reader == reader]


def write_identity(path: Path, wavelengths: tuple[float, ...]) -> Path:
    """A linear network whose outputs are its inputs: pixel values come out unchanged."""
    count = len(wavelengths)
    unit = np.tile([-1.0, 1.0], (count, 1))  # nothing to scale, nothing that rounds
    write_network(
        path,
        kernels=[np.eye(count)],
        biases=[np.zeros(count)],
        norm_in=unit,
        norm_out=unit,
        transform="none",
        output_transform="none",
        outputs=("aph",) * count,
        bands=wavelengths,
    )
    with h5py.File(path, "a") as file:
        described = json.loads(file.attrs["ocpipe_description"])
        for output, nm in zip(described["outputs"], wavelengths, strict=True):
            output["wavelength_nm"] = nm
        file.attrs["ocpipe_description"] = json.dumps(described)
    return path


def _as_classic(path: Path) -> Path:
    """The same variables and attributes in a netCDF-3 file beside."""
    classic = path.with_name(f"classic_{path.name}")
    with netCDF4.Dataset(path) as old, netCDF4.Dataset(classic, "w", format="NETCDF3_64BIT") as new:
        new.setncatts(_attributes(old))
        for name, dimension in old.dimensions.items():
            new.createDimension(name, dimension.size)
        for name, variable in _variables(old):
            made = new.createVariable(name, variable.dtype, variable.dimensions)
            made.set_auto_maskandscale(False)
            made.setncatts(_attributes(variable))
            made[...] = variable[...]
    path.unlink()
    return classic


def _variables(file: netCDF4.Dataset) -> Iterator[tuple[str, netCDF4.Variable]]:
    for name, variable in file.variables.items():
        variable.set_auto_maskandscale(False)
        yield name, variable


def _attributes(owner: Any) -> dict[str, Any]:
    return {name: owner.getncattr(name) for name in owner.ncattrs()}
