"""Checks that all libraries are installed."""

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterator

from pipeline.doctor.check import Check
from pipeline.version import __version__

DISTRIBUTION = "ocpipe"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def check_versions() -> Iterator[Check]:
    """Yield the versions of the program and of the libraries that it needs."""
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield Check("ocpipe", "ok", f"{__version__}, from {__file__.rpartition('/pipeline/')[0]}")
    yield Check("python", "ok", f"{platform.python_version()} ({sys.executable}) on {machine}")
    found, missing = {}, []
    for library in needed_libraries():
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            missing.append(library)
    yield Check("libraries", "ok", ", ".join(f"{name} {found[name]}" for name in found))
    if missing:
        advice = "Install ocpipe again, in a new environment."
        yield Check("libraries", "failed", f"{', '.join(missing)} not found. {advice}")
    if "netcdf4" in map(str.lower, found):
        import netCDF4

        versions = f"netCDF-C {netCDF4.__netcdf4libversion__}, HDF5 {netCDF4.__hdf5libversion__}"
        yield Check("formats", "ok", versions)


def needed_libraries() -> list[str]:
    """Return the names of the libraries that ocpipe requires; extras are left out."""
    try:
        required = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        required = []
    names = (_NAME.match(each) for each in required if "extra ==" not in each)
    return [name[0] for name in names if name is not None]
