"""Kinds of tampering with a product: what somebody does, and the words that tell it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np

CONTROL = "processing_control"


def _numbers(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change the numbers of a variable in place."""

    def tamper(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            values = file[name][...]
            change(values)
            file[name][...] = values

    return tamper


def _attribute(place: str, name: str, value: Any) -> Callable[[Path], None]:
    """Change or add an attribute; ``""`` is the file itself."""

    def tamper(path: Path) -> None:
        with netCDF4.Dataset(path, "a") as file:
            (file[place] if place else file).setncattr(name, value)

    return tamper


def _configuration(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """Change the recorded configuration, but not its other copies."""

    def tamper(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            attributes = file[f"{CONTROL}/input_parameters"].attrs
            configuration = json.loads(attributes["configuration"])
            change(configuration)
            attributes["configuration"] = json.dumps(configuration, sort_keys=True)

    return tamper


def _first_value(values: Any) -> tuple[int, ...]:
    return tuple(np.argwhere(values > -30000)[0])


def _more(values: Any) -> None:
    values[_first_value(values)] *= 1.5


def _last_bit(values: Any) -> None:
    at = _first_value(values)
    values[at] = np.nextafter(values[at], np.float32(9))


def _invented(values: Any) -> None:
    values[tuple(np.argwhere(values < -30000)[0])] = 0.01


def _removed(values: Any) -> None:
    values[_first_value(values)] = -32767


def _exchanged(values: Any) -> None:
    values[:] = values[::-1].copy()


def _set_bit(values: Any) -> None:
    values[tuple(np.argwhere(values == 0)[0])] |= 4


def _cleared(values: Any) -> None:
    values[:] = 0


def _swap_variables(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        first, second = file["latitude"][...], file["longitude"][...]
        file["latitude"][...], file["longitude"][...] = second, first


def _with_its_checksum(path: Path) -> None:
    """Double the values, and make the checksum fit."""
    from pipeline.product.checksums import count_values
    from pipeline.product.reading import ProductFile
    from pipeline.product.recorded import chunk_of, recorded_configuration

    def double(values: Any) -> None:
        values[values > -30000] *= 2

    _numbers("aph_443", double)(path)
    with ProductFile(path) as product:
        tally = count_values(product, chunk_of(recorded_configuration(product)))
    with h5py.File(path, "r+") as file:
        file[f"{CONTROL}/checksums"].attrs["aph_443"] = tally.checksums["aph_443"]


def _no_variable(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["net_flags"]


def _foreign_variable(path: Path) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("foreign", "f4", ("y", "x"))[:] = 1.0


def _other_count(path: Path) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file[f"{CONTROL}/flag_percentages/quality_flags_count"][0] += 1


def _no_checksums(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file[f"{CONTROL}/checksums"]


def _foreign_group(path: Path) -> None:
    with netCDF4.Dataset(path, "a") as file:
        file.createGroup("notes").setncattr("author", "nobody")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _one_byte_behind(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


# Kind of tampering -> what is done, what verify says (None: it sees nothing), what rerun says, and
# what diff with the untouched product says (None: it sees nothing).
KINDS: dict[str, tuple[Callable[[Path], None], str | None, str | None, str | None]] = {
    "a value": (
        _numbers("aph_443", _more),
        "changed after the product was written: aph_443",
        "aph_443: 1 of 416 numbers differ",
        "aph_443: 1 of 416 numbers differ; largest relative difference 0.333",
    ),
    "the last bit of a value": (
        _numbers("aph_443", _last_bit),
        "changed after the product was written: aph_443",
        "aph_443: 1 of 416 numbers differ",
        "aph_443: 1 of 416 numbers differ",
    ),
    "a value where there was none": (
        _numbers("aph_443", _invented),
        "changed after the product was written: aph_443",
        "1 have a value only in A",
        "1 have a value only in B",
    ),
    "a removed value": (
        _numbers("aph_443", _removed),
        "changed after the product was written: aph_443",
        "1 have a value only in B",
        "1 have a value only in A",
    ),
    "exchanged lines": (
        _numbers("aph_443", _exchanged),
        "changed after the product was written: aph_443",
        "aph_443",
        "have a value only in A",
    ),
    "exchanged positions": (
        _swap_variables,
        "changed after the product was written: latitude, longitude",
        "latitude: 416 of 416 numbers differ",
        "longitude: 416 of 416 numbers differ",
    ),
    "values with their checksum": (
        _with_its_checksum,
        "but the recomputed value is",
        "largest relative difference 0.5",
        "largest relative difference 0.5",
    ),
    "a flag of the pixel": (
        _numbers("quality_flags", _set_bit),
        "changed after the product was written: quality_flags",
        "saturated only in A on 1, only in B on 0",
        "saturated only in A on 0, only in B on 1",
    ),
    "all flags of the pixel": (
        _numbers("quality_flags", _cleared),
        "changed after the product was written: quality_flags",
        "masked_CLDICE only in A on 0",
        "masked_CLDICE only in A on",
    ),
    "a flag of the scene": (
        _numbers("l2_flags", _set_bit),
        "changed after the product was written: l2_flags",
        "l2_flags: 1 of 416 pixels differ",
        "l2_flags: 1 of 416 pixels differ",
    ),
    "the names of flags": (
        _attribute("net_flags", "flag_meanings", "one two three four five"),
        "net_flags: flag_meanings",
        "net_flags: flag_meanings",
        "net_flags: flag_meanings",
    ),
    "a unit": (
        _attribute("aph_443", "units", "cm-1"),
        "aph_443: units",
        'aph_443: units: "cm-1" in A, "m-1" in B',
        'aph_443: units: "m-1" in A, "cm-1" in B',
    ),
    "the title": (
        _attribute("", "title", "something else"),
        "global attributes: title",
        'title: "something else" in A',
        'title: "Products of configuration test" in A, "something else" in B',
    ),
    "the date": (
        _attribute("", "date_created", "2001-01-01T00:00:00Z"),
        "global attributes: history",
        "history:",
        '"2001-01-01T00:00:00Z" in B',
    ),
    "an added attribute": (
        _attribute("", "colour", "blue"),
        "global attributes: colour",
        'colour: only in A: "blue"',
        'colour: only in B: "blue"',
    ),
    "the licence of a network": (
        _attribute(f"{CONTROL}/networks/net", "licence", "none at all"),
        "processing_control/networks/net/: licence",
        "processing_control/networks/net: licence",
        "processing_control/networks/net: licence",
    ),
    "the hash of the input": (
        _attribute(f"{CONTROL}/inputs/scene", "sha256", "0" * 64),
        "is not the file the product was made from",
        "is not the file the product was made from",
        "processing_control/inputs/scene: sha256",
    ),
    "the hash of a network": (
        _attribute(f"{CONTROL}/networks/net", "sha256", "0" * 64),
        "net.h5 is not the file the product was made with",
        "net.h5 is not the file the product was made with",
        "processing_control/networks/net: sha256",
    ),
    "the configuration": (
        _configuration(lambda c: c["science"]["masks"].update(flags=["LAND"])),
        "processing_control/",
        "masked_LAND",
        'configuration.science.masks.flags[0]: "CLDICE" in A, "LAND" in B',
    ),
    "the window": (
        _configuration(lambda c: c["science"]["window"].update(lines=[2, 18])),
        "",
        "numbers differ",
        "configuration.science.window.lines[0]: 3 in A, 2 in B",
    ),
    "a path in place of a network": (
        _configuration(lambda c: c["science"]["networks"][0].update(file="/etc/passwd")),
        "a network is given by a path",
        "a network is given by a path",
        'configuration.science.networks[0].file: "net.h5" in A, "/etc/passwd" in B',
    ),
    "a count": (
        _other_count,
        "quality_flags_count",
        "quality_flags_count",
        "processing_control/flag_percentages/quality_flags_count",
    ),
    "a checksum": (
        _attribute(f"{CONTROL}/checksums", "aph_443", "0" * 64),
        "changed after the product was written: aph_443",
        "processing_control/checksums: aph_443",
        "processing_control/checksums: aph_443",
    ),
    "no checksums": (
        _no_checksums,
        "lacks group processing_control/checksums",
        "lacks group processing_control/checksums",
        "lacks group processing_control/checksums",
    ),
    "a missing variable": (
        _no_variable,
        "changed after the product was written: net_flags",
        "net_flags: only in B",
        "net_flags: only in A",
    ),
    "a foreign variable": (
        _foreign_variable,
        "variable foreign is unknown",
        "foreign: only in A",
        "foreign: only in B",
    ),
    "a foreign group": (
        _foreign_group,
        "group notes",
        "notes: the group is only in A",
        "notes: the group is only in B",
    ),
    "another version": (
        _attribute(CONTROL, "software_version", "9.9.9"),
        "9.9.9",
        "9.9.9",
        'software_version: "',
    ),
    "the library in the record": (
        _attribute(f"{CONTROL}/software", "numpy", "1.0"),
        None,
        'processing_control/software: numpy: "1.0" in A',
        "processing_control/software: numpy",
    ),
    "half of the file": (_cut, "cut short", "cut short", "cut short"),
    "an empty file": (_emptied, "file is empty", "file is empty", "file is empty"),
    "a byte behind the end": (
        _one_byte_behind,
        None,
        "is the first that differs",
        None,
    ),
}
