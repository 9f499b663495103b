"""A product as other software finds it: xarray, netCDF4, GDAL, CF, ACDD, and this program itself.

What is stored is read with h5py, which has no opinion on fill values, and compared with what each
library makes of it.
"""

import datetime
import hashlib
import importlib.metadata
import json
import re
import shutil
import uuid
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr

import pipeline
from pipeline.config import load_config
from pipeline.facts.quantities import quantities

EPOCH = 1_700_000_000
FILL = np.float32(-32767)
POSITION = ("latitude", "longitude")

# The quantities of the products under test for which the CF table has no standard name, and what a
# fitting name would have to say beside absorption or backscattering in sea water.
NO_STANDARD_NAME = {"aph": "phytoplankton", "adg": "detrit", "bbp": "partic"}

# Every name that the CF table has for absorption and scattering coefficients of sea water: of all
# that is in it, and of dissolved matter alone.
ABSORPTION = "volume_absorption_coefficient_of_radiative_flux_in_sea_water"
OPTICAL_STANDARD_NAMES = {
    ABSORPTION,
    f"{ABSORPTION}_due_to_dissolved_organic_matter",
    f"derivative_wrt_wavelength_of_{ABSORPTION}_due_to_dissolved_organic_matter",
    "volume_backwards_scattering_coefficient_of_radiative_flux_in_sea_water",
    "volume_scattering_coefficient_of_radiative_flux_in_sea_water",
}


@dataclass(frozen=True)
class Run:
    """A product with what it was made from."""

    product: Path
    scene: Path
    networks: Path
    config: str
    files: dict[str, str]
    """File of each network, by the network's name."""
    outputs: tuple[str, ...]
    """The variables that the networks computed."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The flag variables that this program sets."""
        return (*(f"{name}_flags" for name in self.files), "quality_flags")


def run(config: str, networks: Path, scene: Path, folder: Path) -> Path:
    settings = load_config(config).executing(output=folder, network_dirs=(networks,), threads=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
        return pipeline.process_scene(scene, settings.with_engine("numpy"))


@pytest.fixture(
    scope="module", params=["sample", pytest.param("modis", marks=pytest.mark.real_data)]
)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The sample scene through the demonstration network; a real one through OC-SMART's."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sample":
        config, names = "demo", {"iops": "demo_iops.h5"}
        scene, networks = map(request.getfixturevalue, ("sample_scene", "sample_networks"))
        outputs = ("aph_443", "adg_443", "bbp_547")
    else:
        config = "ocsmart_iops"
        names = {name: f"MODIS-Aqua_{name}NN.h5" for name in ("aph", "adg", "bbp")}
        scene, networks = map(request.getfixturevalue, ("modis_scene", "ocsmart"))
        bands = (412, 443, 488, 531, 547, 667, 678)
        outputs = tuple(f"{name}_{nm}" for name in names for nm in bands)
    return Run(run(config, networks, scene, folder), scene, networks, config, names, outputs)


@pytest.fixture(scope="module")
def stored(made: Run) -> dict[str, np.ndarray]:
    """Every variable of the root group as it stands in the file."""
    with h5py.File(made.product) as file:
        return {
            name: dataset[...]
            for name, dataset in file.items()
            if isinstance(dataset, h5py.Dataset) and dataset.ndim == 2
        }


@pytest.fixture(scope="module")
def attributes(made: Run) -> dict[str, Any]:
    """The global attributes."""
    return attributes_of(made.product, "/")


def attributes_of(path: Path, group: str) -> dict[str, Any]:
    with netCDF4.Dataset(path) as file:
        found = file[group] if group != "/" else file
        return {name: found.getncattr(name) for name in found.ncattrs()}


def test_the_product_holds_what_the_tests_look_at(made, stored):
    """Positions, network outputs, flags and the scene's flags; some pixels missing, some not."""
    assert {*POSITION, *made.outputs, *made.flags, "l2_flags"} == set(stored)
    for name in made.outputs:
        missing = stored[name] == FILL
        assert missing.any()
        assert not missing.all()


# Values, in each library


def is_missing(array: np.ndarray) -> np.ndarray:
    """Where a float variable holds the fill value; flags are never missing."""
    return array == FILL if array.dtype.kind == "f" else np.zeros(array.shape, dtype=bool)


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_xarray_decodes_to_the_stored_values(made, stored, engine):
    """The same array, fill as NaN, integers as they are, positions as coordinates."""
    with xr.open_dataset(made.product, engine=engine) as data:
        assert set(stored) == set(map(str, data.variables))
        assert set(POSITION) <= set(map(str, data.coords))
        for name, array in stored.items():
            is_float = array.dtype.kind == "f"
            expected = np.where(array == FILL, np.float32(np.nan), array) if is_float else array
            assert data[name].dims == ("y", "x")
            assert data[name].dtype == expected.dtype
            np.testing.assert_array_equal(data[name].values, expected, strict=True)


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_xarray_opens_every_group(made, engine):
    """The provenance is a tree that xarray opens without complaint."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xr.open_datatree(made.product, engine=engine) as tree:
            control = tree["processing_control"]
            assert set(control.children) == {
                "input_parameters",
                "inputs",
                "networks",
                "software",
                "flag_percentages",
                "checksums",
                "masks",
            }
            assert set(control["networks"].children) == set(made.files)


def test_netcdf4_masks_the_fill_value(made, stored):
    """netCDF4's masked arrays have their mask at fill values and nowhere else."""
    with netCDF4.Dataset(made.product) as file:
        for name, expected in stored.items():
            values = file[name][:]
            np.testing.assert_array_equal(np.ma.getmaskarray(values), is_missing(expected))
            np.testing.assert_array_equal(np.ma.getdata(values), expected, strict=True)


# How GDAL is asked, with which options, and whether it turns the lines around: its netCDF driver
# shows files without a 1-D y coordinate from the last line to the first, geolocation included.
GDAL_ROUTES = {
    "netCDF": ("netcdf:{path}:{name}", {}, True),
    "netCDF in the order of the file": (
        "netcdf:{path}:{name}",
        {"GDAL_NETCDF_BOTTOMUP": "NO"},
        False,
    ),
    "HDF5": ('HDF5:"{path}"://{name}', {}, False),
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("route", GDAL_ROUTES)
def test_gdal_reads_the_stored_values(made, stored, route):
    """Values, type and mask of each variable, in one order of lines for all of them."""
    address, options, upside_down = GDAL_ROUTES[route]
    with rasterio.Env(**options):
        for name, array in stored.items():
            expected = array[::-1] if upside_down else array
            with rasterio.open(address.format(path=made.product, name=name)) as band:
                assert band.dtypes == (expected.dtype.name,)
                values = band.read(1, masked=True)
            np.testing.assert_array_equal(values.data, expected, strict=True)
            np.testing.assert_array_equal(np.ma.getmaskarray(values), is_missing(expected))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("order", [{}, {"GDAL_NETCDF_BOTTOMUP": "NO"}])
def test_gdal_puts_each_value_at_its_position(made, stored, order):
    """The geolocation arrays that GDAL names for a band have its pixels in the same order."""
    name = made.outputs[0]
    with rasterio.Env(**order):
        with rasterio.open(f"netcdf:{made.product}:{name}") as band:
            values = band.read(1)
            geolocation = band.tags(ns="GEOLOCATION")
        assert "WGS 84" in geolocation["SRS"]
        assert (geolocation["PIXEL_STEP"], geolocation["LINE_STEP"]) == ("1", "1")
        assert (geolocation["PIXEL_OFFSET"], geolocation["LINE_OFFSET"]) == ("0", "0")
        with (
            rasterio.open(geolocation["X_DATASET"]) as x,
            rasterio.open(geolocation["Y_DATASET"]) as y,
        ):
            positions = zip(x.read(1).flat, y.read(1).flat, strict=True)
    found = dict(zip(positions, values.flat, strict=True))
    assert values.size == len(found)
    stored_positions = zip(stored["longitude"].flat, stored["latitude"].flat, strict=True)
    assert dict(zip(stored_positions, stored[name].flat, strict=True)) == found


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_gdal_lists_every_variable(made, stored):
    """The file itself opens, with one subdataset for each 2-D variable."""
    with rasterio.open(made.product, driver="netCDF") as file:
        assert {address.rpartition(":")[2] for address in file.subdatasets} == set(stored)


# Flags


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_flags_are_unsigned_with_masks_of_their_own_type(made, stored, engine):
    """Masks are single bits, each named once, and no pixel has a bit without a name."""
    with xr.open_dataset(made.product, engine=engine) as data:
        for name in made.flags:
            attrs, dtype = data[name].attrs, data[name].dtype
            assert dtype == (np.uint32 if name == "quality_flags" else np.uint8)
            masks, meanings = np.atleast_1d(attrs["flag_masks"]), attrs["flag_meanings"].split()
            assert masks.dtype == dtype
            assert [1] * len(meanings) == [int(mask).bit_count() for mask in masks]
            assert len(meanings) == len(set(meanings)) == len(set(masks.tolist()))
            unnamed = ~np.bitwise_or.reduce(masks)
            assert not (stored[name] & unnamed).any()


def test_flags_of_the_scene_keep_their_meaning(made, stored):
    """l2_flags has the scene's counts, and each name the scene's bit."""
    with h5py.File(made.scene) as scene, h5py.File(made.product) as product:
        source = scene["geophysical_data/l2_flags"]
        np.testing.assert_array_equal(stored["l2_flags"], source[...], strict=True)
        expected, found = masks_by_name(source), masks_by_name(product["l2_flags"])
    assert {name: expected[name] for name in found} == found
    assert set(expected) - {"SPARE"} == set(found)


def masks_by_name(variable: h5py.Dataset) -> dict[str, int]:
    meanings = variable.attrs["flag_meanings"]
    names = meanings.decode() if isinstance(meanings, bytes) else str(meanings)
    return dict(zip(names.split(), variable.attrs["flag_masks"].tolist(), strict=True))


# Conventions, as compliance-checker judges them, without a network


@pytest.fixture
def check(monkeypatch, tmp_path):
    """Run compliance-checker with strict criteria; gives what it found, by priority."""
    from compliance_checker.runner import CheckSuite, ComplianceChecker

    def no_network(*_args, **_kwargs):
        raise AssertionError("compliance-checker went to the network")

    monkeypatch.setattr("socket.socket.connect", no_network)

    def checked(path: Path, test: str) -> dict[str, dict[str, list[str]]]:
        report = tmp_path / "report.json"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its own parts
            CheckSuite.load_all_available_checkers()
            _, crashed = ComplianceChecker.run_checker(
                str(path), [test], 0, "strict", output_filename=str(report), output_format="json"
            )
        assert not crashed
        found = json.loads(report.read_text())[test]
        assert found["possible_points"] > 50
        return {
            priority: {
                entry["name"]: entry["msgs"]
                for entry in found[f"{priority}_priorities"]
                if entry["value"][0] != entry["value"][1]
            }
            for priority in ("high", "medium", "low")
        }

    return checked


def test_cf_has_no_finding(made, check):
    """Not an error, not a warning, not a hint by the strict criteria of CF-1.11."""
    no_finding = {"high": {}, "medium": {}, "low": {}}
    assert no_finding == check(made.product, "cf:1.11")


def test_cf_has_no_finding_in_groups(made, check, tmp_path):
    """The counts under processing_control keep CF as well; the checker sees them at the root."""
    with (
        netCDF4.Dataset(made.product) as product,
        netCDF4.Dataset(tmp_path / "flat.nc", "w") as flat,
    ):
        group = product["processing_control/flag_percentages"]
        described = ("Conventions", "title", "history", "source")
        flat.setncatts({name: product.getncattr(name) for name in described})
        # CF asks for these at the root of any file.
        flat.setncatts({"institution": "none", "references": "none"})
        for name, dimension in group.dimensions.items():
            flat.createDimension(name, len(dimension))
        for name, variable in group.variables.items():
            copied = flat.createVariable(name, variable.dtype, variable.dimensions)
            copied.setncatts({a: variable.getncattr(a) for a in variable.ncattrs() if a[0] != "_"})
            copied[:] = variable[:]
    no_finding = {"high": {}, "medium": {}, "low": {}}
    assert no_finding == check(tmp_path / "flat.nc", "cf:1.11")


def test_the_cf_check_would_find_something(made, check, tmp_path):
    """A unit that does not exist and masks of another type are findings: the check looks."""
    spoilt = shutil.copy(made.product, tmp_path / "spoilt.nc")
    with netCDF4.Dataset(spoilt, "a") as file:
        file[made.outputs[0]].units = "per fathom"
        file["quality_flags"].flag_masks = file["quality_flags"].flag_masks.astype(np.int16)
    found = check(spoilt, "cf:1.11")["high"]
    assert {"§3.1 Units", "§3.5 Flags"} <= set(found)


def test_acdd_misses_only_standard_names_that_do_not_exist(made, check):
    """Of what ACDD-1.3 highly recommends, only standard names of aph, adg and bbp are missing."""
    for name in made.outputs:
        assert name.rpartition("_")[0] in NO_STANDARD_NAME
    expected = {
        f'variable "{name}" missing the following attributes:': ["standard_name"]
        for name in made.outputs
    }
    assert expected == check(made.product, "acdd:1.3")["high"]


@pytest.fixture(scope="module")
def standard_names() -> ET.Element:
    """The CF table that compliance-checker brings."""
    table = files("compliance_checker") / "data" / "cf-standard-name-table.xml"
    return ET.fromstring(table.read_text(encoding="utf-8"))  # noqa: S314 - a packaged file


def names_in(table: ET.Element) -> set[str]:
    return {entry.attrib["id"] for tag in ("entry", "alias") for entry in table.iter(tag)}


def test_the_cf_table_has_no_name_for_these_quantities(standard_names):
    """No standard name speaks of phytoplankton, detritus or particles that absorb or scatter."""
    optical = {
        name
        for name in names_in(standard_names)
        if "in_sea_water" in name and re.search("(absorption|scattering)_coefficient", name)
    }
    assert optical == OPTICAL_STANDARD_NAMES
    for quantity, word in NO_STANDARD_NAME.items():
        assert not any(word in name for name in optical)
        assert quantities()[quantity].standard_name is None


def test_standard_names_are_in_the_table(made, standard_names):
    """Those of the product and of every known quantity, in the version that the product names."""
    known = names_in(standard_names)
    assert set() == {q.standard_name for q in quantities().values() if q.standard_name} - known
    with netCDF4.Dataset(made.product) as file:
        used = {getattr(variable, "standard_name", None) for variable in file.variables.values()}
        vocabulary = file.standard_name_vocabulary
    assert {"latitude", "longitude", "quality_flag", "status_flag"} == used - {None}
    assert vocabulary == f"CF Standard Name Table v{standard_names.findtext('version_number')}"


# What the file says about itself


def test_conventions_and_identity(attributes, made):
    """Conventions, an id that is a UUID made from the content, and the name of the file."""
    assert attributes["Conventions"] == "CF-1.11, ACDD-1.3"
    assert uuid.UUID(attributes["id"]).version == 5
    assert attributes["product_name"] == made.product.name
    assert attributes["cdm_data_type"] == "Swath"
    assert attributes["processing_level"] == "L2"


def test_date_created_is_source_date_epoch(attributes):
    """The date in seconds that SOURCE_DATE_EPOCH gives, in ISO 8601 and UTC."""
    date = datetime.datetime.fromisoformat(attributes["date_created"])
    assert date == datetime.datetime.fromtimestamp(EPOCH, datetime.UTC)


def test_history_continues_that_of_the_scene(attributes, made):
    """This run first: date, program and version, scene, networks; then the scene's own history."""
    first, *rest = attributes["history"].splitlines()
    assert first.startswith(f"{attributes['date_created']} ocpipe {pipeline.__version__}: ")
    for expected in (made.scene.name, *made.files.values(), made.config):
        assert expected in first
    with netCDF4.Dataset(made.scene) as scene:
        assert scene.history.splitlines() == rest


def test_time_and_instrument_are_the_scenes_own(attributes, made):
    """Start and end of the time, platform and instrument as in the scene, start before end."""
    with netCDF4.Dataset(made.scene) as scene:
        for name in ("time_coverage_start", "time_coverage_end", "platform", "instrument"):
            assert scene.getncattr(name) == attributes[name]
    start, end = (
        datetime.datetime.fromisoformat(attributes[f"time_coverage_{part}"])
        for part in ("start", "end")
    )
    assert start < end


def test_bounds_are_those_of_the_positions(attributes, stored):
    """geospatial_* are numbers equal to the least and greatest latitude and longitude."""
    for name, part, units in (
        ("latitude", "lat", "degrees_north"),
        ("longitude", "lon", "degrees_east"),
    ):
        positions = stored[name][stored[name] != FILL]
        assert attributes[f"geospatial_{part}_min"] == positions.min()
        assert attributes[f"geospatial_{part}_max"] == positions.max()
        assert attributes[f"geospatial_{part}_units"] == units


def test_processing_control_names_the_software(made):
    """The program, Python and each library with the version that ran."""
    control = attributes_of(made.product, "processing_control")
    assert control["software_name"] == "ocpipe"
    assert control["software_version"] == pipeline.__version__
    assert control["source"] == made.scene.name
    software = attributes_of(made.product, "processing_control/software")
    for library in ("numpy", "xarray", "dask", "netCDF4", "h5py", "h5netcdf"):
        assert software[library] == importlib.metadata.version(library)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_processing_control_proves_the_input(made):
    """Name, hash and format of the scene, and its own attributes under source_*."""
    recorded = attributes_of(made.product, "processing_control/inputs/scene")
    assert recorded["file"] == made.scene.name
    assert recorded["sha256"] == sha256(made.scene)
    assert recorded["reader"] == "obpg_l2"
    for name, value in attributes_of(made.scene, "/").items():
        np.testing.assert_array_equal(recorded[f"source_{name}"], value)


def test_processing_control_proves_the_networks(made):
    """Name, hash, engine, citation and licence of each, and the band that each input took."""
    for name, file in made.files.items():
        recorded = attributes_of(made.product, f"processing_control/networks/{name}")
        assert recorded["file"] == file
        assert recorded["sha256"] == sha256(made.networks / file)
        assert recorded["engine"] == "numpy"
        assert recorded["citation"]
        assert recorded["licence"]
        bands = [entry["source"] for entry in json.loads(recorded["inputs"])]
        assert bands == [f"Rrs_{nm}" for nm in (412, 443, 488, 531, 547, 667, 678, 748)]


def test_counts_are_those_of_the_flags(made, stored):
    """flag_percentages holds for each bit the number and share of pixels, valid pixels besides."""
    with xr.open_dataset(made.product, group="processing_control/flag_percentages") as counted:
        with netCDF4.Dataset(made.product) as file:
            masks = {name: file[name].flag_masks for name in (*made.flags, "l2_flags")}
        for name, bits in masks.items():
            expected = [np.count_nonzero(stored[name] & bit) for bit in bits]
            assert expected == counted[f"{name}_count"].values.tolist()
            shares = 100 * np.array(expected) / stored[name].size
            np.testing.assert_allclose(counted[f"{name}_percent"].values, shares, rtol=1e-12)
        for name in made.outputs:
            assert np.count_nonzero(stored[name] != FILL) == counted.attrs[f"{name}_valid_count"]


@pytest.fixture
def rebuilt(made: Run, tmp_path: Path) -> Iterator[Path]:
    """A product made from nothing but what the first one says about itself, and the files."""
    text = attributes_of(made.product, "processing_control/input_parameters")["configuration"]
    config = load_config(json.loads(text)).executing(output=tmp_path, network_dirs=(made.networks,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
        yield pipeline.process_scene(made.scene, config)


def test_the_recorded_configuration_makes_the_product_again(made, rebuilt):
    """The configuration in the file runs, and the second product has the same bytes."""
    assert made.product.name == rebuilt.name
    assert sha256(made.product) == sha256(rebuilt)
