"""Files that no reader knows, read by a mapping; and the mappings that are shipped."""

import json

import h5py
import netCDF4
import numpy as np
import pytest
import yaml
from miniatures import acolite_l2r, acolite_l2w, c2rcc, occci_l3, pace_l2_flat, pace_l3m, polymer
from miniatures.truth import image_of_coordinates, map_of_coordinates
from small_runs import counted_reads, flag_bit, network_for, numbers, product_of, run_settings

from pipeline.config import ReaderChoice, load_config
from pipeline.errors import ConfigError, PipelineError, SceneError, UnknownFormatError
from pipeline.process import plan_scene
from pipeline.readers import open_scene
from pipeline.readers.mapping import FileMapping, presets
from pipeline.scene.source_flags import SourceFlags

LINES, PIXELS = 9, 7
NOMINAL = (412, 443, 490)
LINE, PIXEL = np.mgrid[0:LINES, 0:PIXELS].astype(float)
LATITUDE = (40 - 0.02 * LINE + 0.003 * PIXEL).astype(np.float32)
LONGITUDE = (5 + 0.03 * PIXEL + 0.004 * LINE).astype(np.float32)
RRS = {
    nm: (0.002 + 0.001 * number + 1e-4 * LINE + 1e-6 * PIXEL).astype(np.float32)
    for number, nm in enumerate(NOMINAL)
}
SPECTRAL = {"quantity": "Rrs", "variables": r"Rrs_(\d+)"}
MAPPING = {"latitude": "lat", "longitude": "lon", "spectral": [SPECTRAL]}
YX = ("y", "x")


def mapping(*, spectral=None, **changes):
    """The usual mapping with something else in it."""
    return {**MAPPING, **changes, "spectral": [SPECTRAL | (spectral or {})]}


def bands(values=None, dims=YX, dtype=None, **attributes):
    """One variable for each band."""
    return {
        f"Rrs_{nm}": (dims, np.asarray(stored, dtype), {"units": "sr-1", **attributes})
        for nm, stored in (values or RRS).items()
    }


def places(latitude=LATITUDE, longitude=LONGITUDE, dims=(YX, YX)):
    return {"lat": (dims[0], latitude, {}), "lon": (dims[1], longitude, {})}


def write(path, variables, kind="NETCDF4", chunk=None):
    """Variables as they are stored; ``group/name`` goes into a group."""
    with netCDF4.Dataset(path, "w", format=kind) as file:
        for name, (dims, values, given) in variables.items():
            stored, attributes = np.asarray(values), dict(given)
            for dim, size in zip(dims, stored.shape, strict=True):
                if dim not in file.dimensions:
                    file.createDimension(dim, size)
            group, _, base = name.rpartition("/")
            made = (file.createGroup(group) if group else file).createVariable(
                base,
                stored.dtype,
                dims,
                fill_value=attributes.pop("_FillValue", False),
                chunksizes=chunk if chunk and stored.ndim == len(chunk) else None,
            )
            made.set_auto_maskandscale(False)
            made.setncatts(attributes)
            made[...] = stored
    return path


def opened(path, said, **options):
    """The scene by a mapping, in memory."""
    choice = ReaderChoice(format="cf_netcdf", options={"mapping": said, **options})
    with open_scene(path, choice) as scene:
        return scene.load()


def assert_rrs(scene, expected=None, latitude=LATITUDE, longitude=LONGITUDE):
    """Values to the last bit, at their wavelengths, and their places."""
    expected = expected or RRS
    assert scene.Rrs.dims == ("Rrs_wavelength", "y", "x")
    assert scene.Rrs.dtype == np.float32
    assert scene.Rrs_wavelength.values.tolist() == sorted(expected)
    for nm, values in expected.items():
        found = scene.Rrs.sel(Rrs_wavelength=nm).values
        np.testing.assert_array_equal(found, np.asarray(values, np.float32), err_msg=str(nm))
    np.testing.assert_array_equal(scene.latitude.values, np.asarray(latitude, np.float32))
    np.testing.assert_array_equal(scene.longitude.values, np.asarray(longitude, np.float32))


def refused(path, said, *words, error=SceneError, **options):
    with pytest.raises(error) as caught:
        opened(path, said, **options)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    return str(caught.value)


# Odd files


@pytest.mark.parametrize(
    "kind", ["NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET"]
)
def test_any_kind_of_netcdf(tmp_path, kind):
    """Classic files are read as well as netCDF-4."""
    path = write(tmp_path / "s.nc", places() | bands(), kind)
    assert_rrs(opened(path, MAPPING))


def test_a_classic_file_becomes_a_product(tmp_path):
    """The whole way, with a window, from netCDF-3."""
    path = write(tmp_path / "s.nc", places() | bands(), "NETCDF3_CLASSIC")
    settings = run_settings(
        tmp_path,
        network_for(tmp_path, NOMINAL),
        reader={"format": "cf_netcdf", "options": {"mapping": MAPPING}},
        window={"lines": [2, 6]},
        chunk=(3, 4),
    )
    found = numbers(product_of(path, settings))
    np.testing.assert_array_equal(found["latitude"], LATITUDE[2:6])
    assert (found["aph_443"] != -32767).all()


def test_groups_are_read_where_the_mapping_names_them(tmp_path):
    """Variables of a group are ``group/name``; dimensions may be those of the root."""
    inner = {f"data/{name}": variable for name, variable in bands().items()}
    outer = {f"place/{name}": variable for name, variable in places().items()}
    path = write(tmp_path / "s.nc", inner | outer)
    said = mapping(
        groups=["data", "place"],
        latitude="place/lat",
        longitude="place/lon",
        spectral={"variables": r"data/Rrs_(\d+)"},
    )
    assert_rrs(opened(path, said))
    refused(path, said | {"groups": ["data", "places"]}, "no group places")
    refused(path, said | {"groups": ["data"]}, "place/lat", "reader.options.mapping")


@pytest.mark.parametrize("chunk", [None, (4, 3)])
def test_plain_hdf5_without_names_of_dimensions(tmp_path, chunk):
    """The shape decides what lies on lines and pixels."""
    path = tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        stored = {"lat": LATITUDE, "lon": LONGITUDE}
        stored |= {f"Rrs_{nm}": values for nm, values in RRS.items()}
        for name, values in stored.items():
            units = "sr-1" if name.startswith("Rrs") else "degrees"
            file.create_dataset(name, data=values, chunks=chunk).attrs["units"] = units
        file["other"] = np.zeros((3, 2))
    assert_rrs(opened(path, MAPPING))


def test_plain_square_hdf5(tmp_path):
    """As many lines as pixels: still line by line as latitude is stored."""
    path = tmp_path / "s.h5"
    square = slice(0, PIXELS)
    rrs = {nm: values[square] for nm, values in RRS.items()}
    with h5py.File(path, "w") as file:
        file["lat"], file["lon"] = LATITUDE[square], LONGITUDE[square]
        for nm, values in rrs.items():
            file[f"Rrs_{nm}"] = values
            file[f"Rrs_{nm}"].attrs["units"] = "sr-1"
    scene = opened(path, MAPPING)
    assert_rrs(scene, rrs, LATITUDE[square], LONGITUDE[square])


def test_a_plain_hdf5_cube(tmp_path):
    """3-D without names of dimensions: wavelengths last, first, or a message that says so."""
    path = tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        file["lat"], file["lon"] = LATITUDE, LONGITUDE
        file["Rrs"] = np.stack(list(RRS.values()), axis=-1)
        file["Rrs"].attrs["units"] = "sr-1"
        file["bands"] = np.array(NOMINAL, np.float32)
    said = mapping(spectral={"variables": "Rrs", "wavelength_variable": "bands"})
    assert_rrs(opened(path, said))


def test_pixels_before_lines(tmp_path):
    """Bands stored (x, y), navigation (y, x): the navigation says which are the lines."""
    turned = {nm: values.T for nm, values in RRS.items()}
    path = write(tmp_path / "s.nc", places() | bands(turned, dims=("x", "y")))
    assert_rrs(opened(path, MAPPING))


def test_everything_the_other_way_round(tmp_path):
    """Latitude, longitude and bands all (x, y): lines are the first dimension."""
    turned = {nm: values.T for nm, values in RRS.items()}
    stored = places(LATITUDE.T, LONGITUDE.T, (("x", "y"), ("x", "y")))
    path = write(tmp_path / "s.nc", stored | bands(turned, dims=("x", "y")))
    assert_rrs(opened(path, MAPPING), turned, LATITUDE.T, LONGITUDE.T)


@pytest.mark.parametrize("with_places", [True, False])
def test_a_time_of_one(tmp_path, with_places):
    """A dimension of size one is dropped, of bands and of navigation."""
    one = {nm: values[np.newaxis] for nm, values in RRS.items()}
    stored = (
        places(LATITUDE[np.newaxis], LONGITUDE[np.newaxis], (("time", *YX),) * 2)
        if with_places
        else places()
    )
    path = write(tmp_path / "s.nc", stored | bands(one, dims=("time", *YX)))
    assert_rrs(opened(path, MAPPING))


def test_several_times_are_no_scene(tmp_path):
    """Two days in one file: the message says how to choose one."""
    two = {nm: np.stack([values, values]) for nm, values in RRS.items()}
    path = write(tmp_path / "s.nc", places() | bands(two, dims=("time", *YX)))
    refused(path, MAPPING, "s.nc", "2 times", "time: 0")


CUBES = {
    "first": ("wavelength", "y", "x"),
    "middle": ("y", "wavelength", "x"),
    "last": ("y", "x", "wavelength"),
    "pixels first": ("x", "wavelength", "y"),
    "with time": ("time", "wavelength", "y", "x"),
}


@pytest.mark.parametrize("dims", CUBES.values(), ids=CUBES)
@pytest.mark.parametrize("shuffled", [False, True])
def test_three_dimensions(tmp_path, dims, shuffled):
    """Wavelengths stand anywhere among the dimensions, in any order of their numbers."""
    order = [2, 0, 1] if shuffled else [0, 1, 2]
    cube = np.stack([RRS[NOMINAL[i]] for i in order])[np.newaxis]
    axes = {"time": 0, "wavelength": 1, "y": 2, "x": 3}
    stored = np.transpose(cube, [*(axes[d] for d in axes if d not in dims), *map(axes.get, dims)])
    stored = stored.reshape(stored.shape[-len(dims) :])
    centres = np.array(NOMINAL, np.float64)[order]
    variables = {
        "Rrs": (dims, stored, {"units": "sr-1"}),
        "wl": (("wavelength",), centres, {"units": "nm"}),
    }
    path = write(tmp_path / "s.nc", places() | variables)
    said = mapping(spectral={"variables": "Rrs", "wavelength_variable": "wl"})
    choice = ReaderChoice(format="cf_netcdf", options={"mapping": said})
    with open_scene(path, choice) as scene:
        assert sorted(scene.Rrs_wavelength.values.tolist()) == list(NOMINAL)
        for nm, values in RRS.items():
            found = scene.Rrs.sel(Rrs_wavelength=nm).values
            np.testing.assert_array_equal(found, values, err_msg=str(nm))
    settings = run_settings(
        tmp_path,
        network_for(tmp_path, NOMINAL),
        reader={"format": "cf_netcdf", "options": {"mapping": said}},
        chunk=(4, 3),
    )
    plain = write(tmp_path / "plain.nc", places() | bands())
    flat = settings | {"science": {**settings["science"]}}
    flat["science"]["reader"] = {"format": "cf_netcdf", "options": {"mapping": MAPPING}}
    expected = numbers(product_of(plain, flat))
    settings["science"]["reader"] = {"format": "cf_netcdf", "options": {"mapping": said}}
    found = numbers(product_of(path, settings))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ("wavelength_variable",)),
        ({"wavelength_variable": "nowhere"}, ("nowhere", "wavelengths")),
        ({"wavelength_variable": "lat"}, ("lat", "3 bands")),
    ],
)
def test_a_cube_without_wavelengths(tmp_path, change, words):
    """The message says which key of the mapping names them."""
    cube = np.stack(list(RRS.values()))
    variables = {"Rrs": (("band", *YX), cube, {"units": "sr-1"})}
    path = write(tmp_path / "s.nc", places() | variables)
    refused(path, mapping(spectral={"variables": "Rrs", **change}), "s.nc", *words)


@pytest.mark.parametrize("value", [np.nan, 0.0, -5.0])
def test_a_wavelength_that_is_none(tmp_path, value):
    """NaN, zero and negative centres of a cube are refused, not matched to a network."""
    variables = {
        "Rrs": (("band", *YX), np.stack(list(RRS.values())), {"units": "sr-1"}),
        "wl": (("band",), np.array([412, value, 490.0]), {}),
    }
    path = write(tmp_path / "s.nc", places() | variables)
    said = mapping(spectral={"variables": "Rrs", "wavelength_variable": "wl"})
    refused(path, said, "s.nc", "wavelength")


# Numbers


def test_unsigned_integers(tmp_path):
    """Counts of an int16 with _Unsigned and of a uint16 mean the same."""
    counts = {nm: np.round(values / 5e-7).astype(np.uint16) for nm, values in RRS.items()}
    counts[412][0, 0], counts[412][1, 1] = 65535, 40_000
    packing = {"scale_factor": np.float64(5e-7), "add_offset": np.float64(0)}
    expected = {nm: stored.astype(float) * 5e-7 for nm, stored in counts.items()}
    expected[412][0, 0] = np.nan
    unsigned = bands(counts, _FillValue=np.uint16(65535), **packing)
    path = write(tmp_path / "u.nc", places() | unsigned)
    assert_rrs(opened(path, MAPPING), expected)
    signed = {nm: stored.view(np.int16) for nm, stored in counts.items()}
    as_signed = bands(signed, _FillValue=np.int16(-1), _Unsigned="true", **packing)
    path = write(tmp_path / "i.nc", places() | as_signed)
    assert_rrs(opened(path, MAPPING), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fill", [np.nan, 9.96921e36, 9.969209968386869e36, -999.0, 0.1])
@pytest.mark.parametrize("attribute", ["_FillValue", "missing_value"])
def test_fill_values(tmp_path, dtype, fill, attribute):
    """NaN, netCDF's default and others, of both float types, under both names."""
    stored = {nm: values.astype(dtype) for nm, values in RRS.items()}
    expected = {nm: values.copy() for nm, values in RRS.items()}
    stored[443][2, 3] = fill
    expected[443][2, 3] = np.nan
    attributes = {attribute: dtype(fill)}
    path = write(tmp_path / "s.nc", places() | bands(stored, **attributes))
    scene = opened(path, MAPPING)
    assert_rrs(scene, expected)
    assert not scene.Rrs_state.values.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_default_fill_value_that_no_attribute_names(tmp_path, dtype):
    """What netCDF writes where nothing was written is no reflectance."""
    stored = {nm: values.astype(dtype) for nm, values in RRS.items()}
    default = netCDF4.default_fillvals[np.dtype(dtype).str[1:]]
    stored[443][2, 3] = default
    path = write(tmp_path / "s.nc", places() | bands(stored))
    scene = opened(path, mapping(missing=[float(default)]))
    assert np.isnan(scene.Rrs.sel(Rrs_wavelength=443).values[2, 3])
    assert np.isfinite(scene.Rrs.values).sum() == 3 * LINES * PIXELS - 1


def test_zeros_that_mean_missing(tmp_path):
    """SNAP's collocation: 0.0 without a fill value, stated in the mapping."""
    stored = {nm: values.copy() for nm, values in RRS.items()}
    stored[412][0, 1] = stored[490][3, 3] = 0.0
    path = write(tmp_path / "s.nc", places() | bands(stored))
    plain = opened(path, MAPPING)
    assert (plain.Rrs.values == 0).sum() == 2
    scene = opened(path, mapping(missing=[0.0]))
    expected = {nm: np.where(v == 0, np.nan, v) for nm, v in stored.items()}
    assert_rrs(scene, expected)
    assert not scene.Rrs_state.values.any()


def test_collocated_c2rcc(tmp_path):
    """The preset with one key of the mapping changed."""
    truth = image_of_coordinates(LINES, PIXELS, (412.5, 442.5, 490.0))
    written = c2rcc.write(tmp_path, truth, collocated=True)
    choice = ReaderChoice(
        format="cf_netcdf", options={"preset": "c2rcc_olci", "mapping": {"missing": [0.0]}}
    )
    with open_scene(written.path, choice) as scene:
        assert truth.missing.any()
        for values in scene.Rrs.values:
            np.testing.assert_array_equal(np.isnan(values), truth.missing)


@pytest.mark.parametrize("where", ["file", "mapping", "both", "min and max"])
def test_a_valid_range(tmp_path, where):
    """In stored numbers, edges valid; outside is a state; the mapping wins over the file."""
    counts = {nm: np.round((v - 0.05) / 2e-6).astype(np.int16) for nm, v in RRS.items()}
    counts[412][0, :4] = [-25000, -25001, 20000, 20001]
    packing = {"scale_factor": np.float64(2e-6), "add_offset": np.float64(0.05)}
    limits = np.array([-25000, 20000], np.int16)
    attributes = {
        "file": {"valid_range": limits},
        "mapping": {},
        "both": {"valid_min": np.int16(-30000), "valid_max": np.int16(30000)},
        "min and max": {"valid_min": limits[0], "valid_max": limits[1]},
    }[where]
    path = write(tmp_path / "s.nc", places() | bands(counts, **packing, **attributes))
    said = mapping(valid_range=[-25000, 20000]) if where in ("mapping", "both") else MAPPING
    scene = opened(path, said)
    band = scene.sel(Rrs_wavelength=412)
    assert band.Rrs_state.values[0, :4].tolist() == [0, 1, 0, 1]
    assert np.isnan(band.Rrs.values[0, :4]).tolist() == [False, True, False, True]
    assert band.Rrs.values[0, 0] == 0


def test_doubles_and_packed_int32(tmp_path):
    """Rounded once to float32, from float64."""
    exact = {nm: values.astype(np.float64) * (1 + 1e-9) for nm, values in RRS.items()}
    path = write(tmp_path / "d.nc", places() | bands(exact))
    assert_rrs(opened(path, MAPPING), exact)
    counts = {nm: np.round(v / 1e-9).astype(np.int32) for nm, v in exact.items()}
    counts[490][4, 4] = -(2**31)
    packing = {"scale_factor": np.float64(1e-9), "add_offset": np.float64(0.001)}
    stored = bands(counts, _FillValue=np.int32(-(2**31)), **packing)
    path = write(tmp_path / "i.nc", places() | stored)
    expected = {nm: v.astype(float) * 1e-9 + 0.001 for nm, v in counts.items()}
    expected[490][4, 4] = np.nan
    assert_rrs(opened(path, MAPPING), expected)


def test_big_endian_numbers(tmp_path):
    """Bytes in the other order are the same numbers."""
    path = write(tmp_path / "s.nc", places() | bands(dtype=">f4"))
    assert_rrs(opened(path, MAPPING))
    counts = {nm: np.round(v / 1e-6).astype(">i2") for nm, v in RRS.items()}
    path = write(tmp_path / "i.nc", places() | bands(counts, scale_factor=np.float64(1e-6)))
    expected = {nm: v.astype(float) * 1e-6 for nm, v in counts.items()}
    assert_rrs(opened(path, MAPPING), expected)


# Shapes


@pytest.mark.parametrize("part", [np.s_[:1], np.s_[:, :1], np.s_[:1, :1], np.s_[:2, :1]], ids=str)
@pytest.mark.parametrize("time", [False, True])
def test_narrow_scenes(tmp_path, part, time):
    """A single line, a single pixel of each line, a single pixel."""

    def cut(values):
        return values[part][np.newaxis] if time else values[part]

    dims = ("time", *YX) if time else YX
    rrs = {nm: values[part] for nm, values in RRS.items()}
    stored = bands({nm: cut(values) for nm, values in RRS.items()}, dims=dims)
    path = write(tmp_path / "s.nc", places(LATITUDE[part], LONGITUDE[part]) | stored)
    assert_rrs(opened(path, MAPPING), rrs, LATITUDE[part], LONGITUDE[part])


@pytest.mark.parametrize("shape", [(1, 7), (9, 1), (1, 1)], ids=str)
def test_narrow_maps(tmp_path, shape):
    """1-D latitude and longitude of size one."""
    latitude, longitude = LATITUDE[: shape[0], 0], LONGITUDE[0, : shape[1]]
    rrs = {nm: v[: shape[0], : shape[1]] for nm, v in RRS.items()}
    stored = places(latitude, longitude, (("lat",), ("lon",)))
    path = write(tmp_path / "s.nc", stored | bands(rrs, dims=("lat", "lon")))
    grid = np.meshgrid(latitude, longitude, indexing="ij")
    scene = opened(path, MAPPING)
    assert_rrs(scene, rrs, *grid)
    assert scene.y.values.tolist() == latitude.tolist()


@pytest.mark.parametrize("rising", [True, False])
@pytest.mark.parametrize("dims", [("lat", "lon"), ("lon", "lat")], ids="-".join)
def test_maps(tmp_path, rising, dims):
    """Latitude of either direction; bands may be stored with longitude first."""
    latitude = LATITUDE[::-1, 0] if rising else LATITUDE[:, 0]
    longitude = LONGITUDE[0].astype(np.float64)
    rrs = {nm: v if dims[0] == "lat" else v.T for nm, v in RRS.items()}
    stored = places(latitude, longitude, (("lat",), ("lon",)))
    path = write(tmp_path / "s.nc", stored | bands(rrs, dims=dims))
    scene = opened(path, MAPPING)
    assert_rrs(scene, RRS, *np.meshgrid(latitude, longitude, indexing="ij"))
    assert "spatial_ref" in scene.coords
    np.testing.assert_array_equal(scene.x.values, longitude)


def test_a_grid_mapping_with_projected_axes(tmp_path):
    """Its attributes and the axes come into the product, in a window, too."""
    crs = {
        "grid_mapping_name": "lambert_azimuthal_equal_area",
        "latitude_of_projection_origin": 52.0,
        "longitude_of_projection_origin": 10.0,
        "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257222101,
    }
    northing, easting = 3e6 - 300.0 * np.arange(LINES), 4e6 + 300.0 * np.arange(PIXELS)
    axes = {
        dim: ((dim,), values, {"standard_name": f"projection_{dim}_coordinate", "units": "m"})
        for dim, values in (("y", northing), ("x", easting))
    }
    stored = {"laea": ((), np.int32(0), crs), **axes, **places()}
    path = write(tmp_path / "s.nc", stored | bands(grid_mapping="laea"))
    settings = run_settings(
        tmp_path,
        network_for(tmp_path, NOMINAL),
        reader={"format": "cf_netcdf", "options": {"mapping": MAPPING}},
        window={"lines": [3, 8], "pixels": [2, 4]},
    )
    with netCDF4.Dataset(product_of(path, settings)) as file:
        file.set_auto_maskandscale(False)
        np.testing.assert_array_equal(file["y"][:], northing[3:8])
        np.testing.assert_array_equal(file["x"][:], easting[2:4])
        assert file["y"].standard_name == "projection_y_coordinate"
        reference = file[file["aph_443"].grid_mapping]
        assert {name: reference.getncattr(name) for name in crs} == crs


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (places(LATITUDE[0], LONGITUDE, (("x",), YX)), ("Expected 1-D variables", "lat", "lon")),
        ({"lat": (YX, LATITUDE, {})}, ("the file has no variable 'lon'", "longitude")),
    ],
)
def test_navigation_that_does_not_fit(tmp_path, stored, words):
    """The message says what the shapes are, or what there is instead."""
    refused(write(tmp_path / "s.nc", stored | bands()), MAPPING, "s.nc", *words)


def test_bands_on_another_grid(tmp_path):
    """Bands of half the resolution are not those of these lines and pixels."""
    half = {nm: values[::2, ::2] for nm, values in RRS.items()}
    path = write(tmp_path / "s.nc", places() | bands(half, dims=("y2", "x2")))
    refused(path, MAPPING, "no variable on the lines and pixels of lat matches", r"Rrs_(\d+)")


# Flags


def test_flags_without_meanings(tmp_path):
    """Refused unless the mapping states the bits; then they mask."""
    flags = np.where(LINE == 2, 4, 0) + np.where(PIXEL == 3, 1, 0)
    stored = {"my_flags": (YX, flags.astype(np.int16), {})}
    path = write(tmp_path / "s.nc", places() | bands() | stored)
    words = ("my_flags", "flag_masks", "reader.options.mapping.flags.masks")
    refused(path, mapping(flags={"variable": "my_flags"}), *words)
    said = mapping(flags={"variable": "my_flags", "masks": {"CLOUD": 4, "LAND": 1}})
    settings = run_settings(
        tmp_path,
        network_for(tmp_path, NOMINAL),
        reader={"format": "cf_netcdf", "options": {"mapping": said}},
        masks={"flags": ["CLOUD"]},
    )
    product = product_of(path, settings)
    found = flag_bit(product, "quality_flags", "masked_CLOUD")
    np.testing.assert_array_equal(found, LINE == 2)
    np.testing.assert_array_equal(flag_bit(product, "my_flags", "LAND"), PIXEL == 3)


def test_the_meanings_of_the_file_win(tmp_path):
    """Bits that a mapping states are for files without."""
    described = {"flag_masks": np.array([1, 2], np.int32), "flag_meanings": "LAND CLOUD"}
    stored = {"f": (YX, np.where(LINE == 2, 2, 0).astype(np.int32), described)}
    path = write(tmp_path / "s.nc", places() | bands() | stored)
    scene = opened(path, mapping(flags={"variable": "f", "masks": {"CLOUD": 1}}))
    assert dict(SourceFlags.of(scene).named) == {"LAND": 1, "CLOUD": 2}


def test_a_missing_variable_of_flags_is_refused(tmp_path):
    """A name that the file lacks is a mistake, not a scene without flags."""
    path = write(tmp_path / "s.nc", places() | bands())
    said = mapping(flags={"variable": "my_flagz", "masks": {"CLOUD": 4}})
    refused(path, said, "my_flagz", "reader.options.mapping")


def test_flags_beyond_the_type(tmp_path):
    """A mask that the stored type cannot hold is refused in words, not by a traceback."""
    stored = {"f": (YX, np.zeros((LINES, PIXELS), np.int8), {})}
    path = write(tmp_path / "s.nc", places() | bands() | stored)
    refused(
        path, mapping(flags={"variable": "f", "masks": {"FAR": 4096}}), "FAR", error=PipelineError
    )


def test_the_sign_bit_is_a_flag(tmp_path):
    """Bit 15 of an int16, stated as 32768."""
    flags = np.where(LINE == 1, -32768, 0).astype(np.int16)
    path = write(tmp_path / "s.nc", places() | bands() | {"f": (YX, flags, {})})
    said = mapping(flags={"variable": "f", "masks": {"LAST": 32768}})
    settings = run_settings(
        tmp_path,
        network_for(tmp_path, NOMINAL),
        reader={"format": "cf_netcdf", "options": {"mapping": said}},
        masks={"flags": ["LAST"]},
    )
    found = flag_bit(product_of(path, settings), "quality_flags", "masked_LAST")
    np.testing.assert_array_equal(found, LINE == 1)


# Units


@pytest.mark.parametrize("units", [None, "", "1", "%", "furlong", "W m-2"])
def test_units_that_are_not_known_to_be_rrs(tmp_path, units):
    """Reflectance given as Rrs would be wrong by pi: refused, and the message says what to do."""
    variables = {
        name: (dims, stored, {} if units is None else {"units": units})
        for name, (dims, stored, _) in bands().items()
    }
    path = write(tmp_path / "s.nc", places() | variables)
    found = "no units" if not units else f"units '{units}'"
    words = ("s.nc", "Rrs_412", found, "'sr-1'", "units: sr-1", "stored_as: rho_w", "1/pi")
    refused(path, MAPPING, *words)


@pytest.mark.parametrize("units", ["sr-1", "sr^-1", "1/sr", "sr**-1", " SR-1 "])
def test_spellings_of_units(tmp_path, units):
    """What files call a steradian to the minus one."""
    path = write(tmp_path / "s.nc", places() | bands(units=units))
    assert_rrs(opened(path, MAPPING))


@pytest.mark.parametrize("units", [None, "1", "%"])
def test_stated_units_are_believed(tmp_path, units):
    """Over what the file says; but not if they are other ones."""
    variables = {
        name: (dims, stored, {} if units is None else {"units": units})
        for name, (dims, stored, _) in bands().items()
    }
    path = write(tmp_path / "s.nc", places() | variables)
    assert_rrs(opened(path, mapping(spectral={"units": "sr-1"})))
    refused(path, mapping(spectral={"units": "1"}), "units '1'", "stored_as: rho_w")
    refused(path, mapping(spectral={"stored_as": "rho_w", "units": "sr-1"}), "units 'sr-1'", "'1'")


@pytest.mark.parametrize("packed", [False, True])
def test_reflectance_becomes_rrs_by_one_over_pi(tmp_path, packed):
    """To the last bit of float32: in float64, rounded once."""
    if packed:
        stored = {nm: np.round(v / 1e-6).astype(np.int16) for nm, v in RRS.items()}
        scale = float(np.float32(2e-6))
        exact = {nm: v.astype(np.float64) * scale / np.pi for nm, v in stored.items()}
        variables = bands(stored, units="1", scale_factor=np.float32(2e-6))
    else:
        exact = {nm: v.astype(np.float64) / np.pi for nm, v in RRS.items()}
        variables = bands(units="1")
    path = write(tmp_path / "s.nc", places() | variables)
    scene = opened(path, mapping(spectral={"stored_as": "rho_w"}))
    assert_rrs(scene, {nm: np.float32(v) for nm, v in exact.items()})
    assert scene.Rrs.attrs["units"] == "sr-1"


@pytest.mark.parametrize("pair", [("Rrs", "rho_s"), ("rho_w", "Rrs"), ("Lrc", "Rrs")])
def test_conversions_that_there_are_none_of(tmp_path, pair):
    """Only water reflectance becomes Rrs."""
    path = write(tmp_path / "s.nc", places() | bands())
    said = mapping(spectral={"quantity": pair[0], "stored_as": pair[1]})
    refused(path, said, "cannot be converted", error=ConfigError)


# Wavelengths and names


def test_two_variables_of_one_wavelength(tmp_path):
    """The message lists the wavelengths."""
    twice = bands() | {"Rrs_0412": (YX, RRS[412], {"units": "sr-1"})}
    path = write(tmp_path / "s.nc", places() | twice)
    refused(path, MAPPING, "two bands of Rrs", "412, 412")
    scene = opened(path, MAPPING, wavelengths={"Rrs_0412": 413})
    assert_rrs(scene, RRS | {413: RRS[412]})


def test_a_pattern_without_a_group(tmp_path):
    """Wavelengths are then unknown, unless an attribute or the options state them."""
    named = {f"blue{i}": variable for i, variable in enumerate(bands().values())}
    path = write(tmp_path / "s.nc", places() | named)
    said = mapping(spectral={"variables": r"blue\d"})
    refused(path, said, "the wavelength of blue0 is unknown", "reader.options.wavelengths")
    stated = dict(zip(named, NOMINAL, strict=True))
    assert_rrs(opened(path, said, wavelengths=stated))
    assert_rrs(opened(path, mapping(spectral={"variables": r"blue\d", "wavelengths": stated})))


def test_wavelengths_of_an_attribute(tmp_path):
    """Of each variable; one without it is refused by name."""
    named = {
        f"band_{i}": (YX, RRS[nm], {"units": "sr-1", "centre": np.float32(nm)})
        for i, nm in enumerate(NOMINAL)
    }
    said = mapping(spectral={"variables": r"band_\d", "wavelength_attribute": "centre"})
    assert_rrs(opened(write(tmp_path / "s.nc", places() | named), said))
    named["band_1"][2].pop("centre")
    refused(write(tmp_path / "t.nc", places() | named), said, "wavelength of band_1 is unknown")


def test_a_wavelength_for_a_variable_that_is_not_there(tmp_path):
    """A misspelt name under wavelengths would change nothing: refused."""
    path = write(tmp_path / "s.nc", places() | bands())
    refused(path, MAPPING, "Rrs_4l2", error=PipelineError, wavelengths={"Rrs_4l2": 413})


def test_a_quantity_given_twice(tmp_path):
    """Two entries for Rrs that both match."""
    path = write(tmp_path / "s.nc", places() | bands())
    said = MAPPING | {"spectral": [SPECTRAL, SPECTRAL]}
    refused(path, said, "gives Rrs twice", error=ConfigError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spectral": [SPECTRAL | {"variables": "Rrs_("}]}, ("spectral.0.variables", "regular")),
        ({"spectral": [SPECTRAL | {"quantity": "rrs"}]}, ("spectral.0.quantity",)),
        ({"spectral": [SPECTRAL | {"wavelengths": {"a": -1}}]}, ("wavelengths",)),
        ({"spectral": []}, ("spectral",)),
        ({"latitud": "lat"}, ("latitud", "did you mean 'latitude'")),
        ({"flags": {"variable": "f", "masks": {"A": 0}}}, ("flags.masks.A",)),
        ({"brdf_correction": "some"}, ("brdf_correction",)),
        ({"valid_range": [1]}, ("valid_range",)),
    ],
    ids=str,
)
def test_a_mapping_that_is_wrong_by_itself(tmp_path, change, words):
    """Refused before a scene is opened, with the place in the mapping."""
    path = tmp_path / "not_even_there.nc"
    refused(path, MAPPING | change, "reader.options of cf_netcdf", *words, error=ConfigError)


def test_other_variables_keep_their_names(tmp_path):
    """An expression may name them, decoded; angles get the names of the scene."""
    more = {
        "sunz": (YX, np.full((LINES, PIXELS), 4500, np.int16), {"scale_factor": 0.01}),
        "tsm": (YX, LINE.astype(np.float32), {}),
    }
    path = write(tmp_path / "s.nc", places() | bands() | more)
    scene = opened(path, mapping(plain={"solar_zenith": "sunz"}))
    assert (scene.solar_zenith.values == 45).all()
    assert scene.solar_zenith.attrs["units"] == "degree"
    np.testing.assert_array_equal(scene.tsm.values, LINE)
    settings = run_settings(
        tmp_path,
        network_for(tmp_path, NOMINAL),
        reader={"format": "cf_netcdf", "options": {"mapping": MAPPING}},
        masks={"expressions": {"muddy": "tsm > 4"}},
    )
    found = flag_bit(product_of(path, settings), "quality_flags", "masked_muddy")
    np.testing.assert_array_equal(found, LINE > 4)


def test_sensor_and_times_of_attributes(tmp_path):
    """In the words of the file, through the table and the format of the mapping."""
    path = write(tmp_path / "s.nc", places() | bands())
    with netCDF4.Dataset(path, "a") as file:
        file.setncatts({"satellite": "S-2/A", "begin": "15-APR-2017 10:01:35.533860"})
    said = mapping(
        sensor={"attribute": "satellite", "names": {"S-2/A": "S2A"}},
        time_coverage_start={"attribute": "begin", "format": "%d-%b-%Y %H:%M:%S.%f"},
    )
    scene = opened(path, said)
    assert scene.attrs["sensor"] == "S2A"
    assert scene.attrs["time_coverage_start"] == "2017-04-15T10:01:35.533Z"


def test_only_the_chunks_of_a_window_of_a_cube_are_read(tmp_path, monkeypatch):
    """Each once, of a map whose wavelengths come last."""
    truth = map_of_coordinates(40, 33, NOMINAL)
    path = pace_l3m.write(tmp_path, truth, chunk=(8, 10)).path
    window = {"lines": [9, 15], "pixels": [11, 19]}
    settings = run_settings(tmp_path, network_for(tmp_path, NOMINAL), window=window, chunk=(4, 3))
    with counted_reads(path, monkeypatch) as reads:
        product_of(path, settings)
    assert dict(reads.of("Rrs")) == {(1, 1, 0): 1}


# Presets

FILES = {
    "acolite_l2r": (acolite_l2r.write, image_of_coordinates, (443, 560, 665)),
    "acolite_l2w": (acolite_l2w.write, image_of_coordinates, (443, 560, 665)),
    "c2rcc_olci": (c2rcc.write, image_of_coordinates, (400.0, 442.5, 1020.0)),
    "occci_l3": (occci_l3.write, map_of_coordinates, NOMINAL),
    "pace_l2_flat": (pace_l2_flat.write, image_of_coordinates, NOMINAL),
    "pace_l3m": (pace_l3m.write, map_of_coordinates, NOMINAL),
    "polymer": (polymer.write, image_of_coordinates, NOMINAL),
}


def of_preset(preset, folder):
    """The miniature of a preset; c2rcc is that of another sensor than OLCI."""
    write_it, make, wavelengths = FILES["c2rcc_olci" if preset == "c2rcc" else preset]
    written = write_it(folder, make(LINES, PIXELS, wavelengths))
    if preset == "c2rcc":
        with netCDF4.Dataset(written.path, "a") as file:
            file.product_type = "C2RCC_S2-MSI"
    return written


def test_every_preset_has_a_miniature():
    """The table keeps up with configs/formats/netcdf."""
    assert {*FILES, "c2rcc"} == set(presets())


@pytest.mark.parametrize("preset", sorted(presets()))
def test_a_shipped_preset_is_valid_and_says_how_it_is_recognised(preset):
    """By something that another file does not have."""
    found = FileMapping.model_validate(presets()[preset])
    assert found.title
    assert found.recognise is not None
    assert found.recognise.attributes or found.recognise.variables


@pytest.mark.parametrize("preset", sorted(presets()))
def test_a_preset_knows_its_file_from_all_others(tmp_path, preset):
    """The same scene by itself and by the preset named; no other preset is taken."""
    written = of_preset(preset, tmp_path)
    named = ReaderChoice(format="cf_netcdf", options={"preset": preset})
    with open_scene(written.path) as found, open_scene(written.path, named) as expected:
        assert found.attrs["reader"] == "cf_netcdf"
        assert found.load().identical(expected.load())
    from pipeline.readers.recognition import fitting_presets

    assert fitting_presets(written.path) == [(preset, "")]


@pytest.mark.parametrize("preset", ["acolite_l2w", "c2rcc", "occci_l3", "pace_l3m", "polymer"])
@pytest.mark.parametrize("other", ["acolite_l2r", "c2rcc_olci", "occci_l3", "polymer"])
def test_the_wrong_preset_is_refused(tmp_path, preset, other):
    """One line that names the file and what is missing in it."""
    if preset == other or {preset, other} == {"c2rcc", "c2rcc_olci"}:
        return
    if (preset, other) == ("acolite_l2w", "occci_l3"):
        return  # the same names and units; ACOLITE writes l2_flags only if asked for them
    written = of_preset(other, tmp_path)
    choice = ReaderChoice(format="cf_netcdf", options={"preset": preset})
    with pytest.raises(PipelineError) as caught:
        open_scene(written.path, choice)
    assert written.path.name in str(caught.value)
    assert "reader.options" in str(caught.value)


def test_the_generic_c2rcc_preset_on_olci(tmp_path):
    """It reads what SNAP wrote, the wrong 940 nm of band 21 included."""
    written = of_preset("c2rcc_olci", tmp_path)
    choice = ReaderChoice(format="cf_netcdf", options={"preset": "c2rcc"})
    with open_scene(written.path, choice) as scene:
        assert scene.Rrs_wavelength.values.tolist() == [400, 442.5, 940]


def test_no_preset_fits(tmp_path):
    """The reader alone does not guess; the message says how to describe the file."""
    path = write(tmp_path / "s.nc", places() | bands())
    with pytest.raises(SceneError) as caught:
        open_scene(path, ReaderChoice(format="cf_netcdf"))
    words = ("s.nc", "mapping", "preset")
    assert [word for word in words if word not in str(caught.value)] == []
    with pytest.raises(UnknownFormatError, match="mapping"):
        open_scene(path)


def test_an_unknown_preset(tmp_path):
    """Refused with those there are."""
    choice = ReaderChoice(format="cf_netcdf", options={"preset": "acolite"})
    with pytest.raises(ConfigError) as caught:
        open_scene(tmp_path / "x.nc", choice)
    assert "acolite_l2r, acolite_l2w" in str(caught.value)


@pytest.mark.parametrize("preset", sorted(FILES))
def test_a_preset_runs_through_a_network(tmp_path, preset):
    """A whole product, in a window; what was read is recorded."""
    written = of_preset(preset, tmp_path)
    network = network_for(tmp_path, FILES[preset][2])
    settings = run_settings(tmp_path, network, window={"lines": [2, 7]}, chunk=(2, 3))
    path = product_of(written.path, settings)
    with netCDF4.Dataset(path) as file:
        assert file["processing_control/inputs/scene"].reader == "cf_netcdf"
        assert file["aph_443"].shape == (5, PIXELS)
        valid = file["processing_control/flag_percentages"].aph_443_valid_count
    assert valid > 0


def test_a_mapping_is_recorded_in_the_product(tmp_path):
    """It decides the numbers, so it is part of the configuration that a product states."""
    path = write(tmp_path / "s.nc", places() | bands(units="1"))
    said = mapping(spectral={"stored_as": "rho_w"})
    reader = {"format": "cf_netcdf", "options": {"mapping": said}}
    settings = run_settings(tmp_path, network_for(tmp_path, NOMINAL), reader=reader)
    with netCDF4.Dataset(product_of(path, settings)) as file:
        text = file["processing_control/input_parameters"].configuration
    assert yaml.safe_load(text)["science"]["reader"] == reader
    assert plan_scene(path, load_config(settings)).shape == (LINES, PIXELS)


def swath_file(folder, **changes):
    """A flat netCDF-4 swath with Rrs_443 and Rrs_560; changes are to its variables."""
    line, pixel = np.mgrid[0:6, 0:5].astype(np.float64)
    variables = {
        "latitude": (("y", "x"), 10 + line, {}),
        "longitude": (("y", "x"), 20 + pixel, {}),
        "Rrs_443": (("y", "x"), np.full(line.shape, 0.004, np.float32), {"units": "sr-1"}),
        "Rrs_560": (("y", "x"), np.full(line.shape, 0.003, np.float32), {"units": "sr-1"}),
    } | changes
    path = folder / "swath.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 6)
        file.createDimension("x", 5)
        for name, (dims, values, attributes) in variables.items():
            made = file.createVariable(name, values.dtype, dims)
            made[:] = values
            made.setncatts(attributes)
    return path


SWATH = ReaderChoice(
    format="cf_netcdf",
    options={"mapping": {"spectral": [{"quantity": "Rrs", "variables": r"Rrs_(\d+)"}]}},
)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_what_was_never_written_is_missing(tmp_path, dtype):
    """NetCDF's default fill value counts where a file states none."""
    values = np.full((6, 5), 0.004, dtype)
    values[2, 3] = netCDF4.default_fillvals[dtype]
    changed = {"Rrs_443": (("y", "x"), values, {"units": "sr-1"})}
    with open_scene(swath_file(tmp_path, **changed), SWATH) as scene:
        found = scene.Rrs.sel(Rrs_wavelength=443).values
        assert np.argwhere(np.isnan(found)).tolist() == [[2, 3]]


def test_longitudes_up_to_360_are_brought_to_180(tmp_path):
    """They are on the globe; what is beyond is not."""
    longitude = np.tile([170.0, 180.0, 190.0, 359.0, 400.0], (6, 1))
    changed = {"longitude": (("y", "x"), longitude, {})}
    with open_scene(swath_file(tmp_path, **changed), SWATH) as scene:
        found = scene.longitude.values[0]
    np.testing.assert_array_equal(found, np.float32([170.0, 180.0, -170.0, -1.0, np.nan]))


@pytest.mark.parametrize(("units", "is_taken"), [("degree", True), ("radian", False), ("", False)])
def test_a_variable_that_happens_to_have_a_scene_name(tmp_path, units, is_taken):
    """An angle nobody mapped is one only if the file says so in degrees."""
    angle = (("y", "x"), np.full((6, 5), 1.3, np.float32), {"units": units} if units else {})
    with open_scene(swath_file(tmp_path, solar_zenith=angle), SWATH) as scene:
        assert ("solar_zenith" in scene) == is_taken


def test_a_mapping_without_spectral_variables_is_refused(tmp_path):
    """In words, also where no preset completes it."""
    choice = ReaderChoice(format="cf_netcdf", options={"mapping": {"latitud": "lat"}})
    with pytest.raises(ConfigError, match=r"latitud.*did you mean 'latitude'"):
        open_scene(swath_file(tmp_path), choice)


def test_the_mapping_is_recorded(tmp_path):
    """What a preset or a configuration said about the file is in the scene's attributes."""
    with open_scene(swath_file(tmp_path), SWATH) as scene:
        assert json.loads(scene.attrs["mapping"])["spectral"][0]["variables"] == r"Rrs_(\d+)"
