"""``apply``: the product as a lazy Dataset, and networks on any xarray object."""

import dataclasses
import hashlib
import os
import types
from collections import Counter
from pathlib import Path

import cloudpickle
import dask
import dask.array as da
import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from miniatures.cases import CASES
from small_network import write_network
from small_runs import network_for, numbers, product_of, run_settings
from test_shipped_runs import BANDS, FORMATS, configured

import pipeline
from pipeline.config import load_config
from pipeline.errors import ConfigError, NetworkError, SceneError
from pipeline.readers import hdf5_chunks

COUNTED = {
    f"geospatial_{axis}_{what}" for axis in ("lat", "lon") for what in ("min", "max", "units")
}


@pytest.fixture(autouse=True)
def at_one_time(monkeypatch):
    """Both sides are made at the same time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def assert_equal(lazy: xr.Dataset, product: Path) -> None:
    """Values, types and attributes of all variables, and the global attributes but for counts."""
    stored = numbers(product)
    assert list(lazy.variables) == list(stored)
    with netCDF4.Dataset(product) as file:
        for name, values in stored.items():
            found = np.asarray(lazy[name].values)
            if found.dtype.kind == "f" and lazy[name].dims == ("y", "x"):
                found = np.where(np.isnan(found), file[name]._FillValue, found)
            assert found.dtype == values.dtype, name
            np.testing.assert_array_equal(found, values, err_msg=name)
            attributes = {n: file[name].getncattr(n) for n in file[name].ncattrs()}
            attributes.pop("_FillValue", None)
            places = attributes.pop("coordinates", None)
            assert lazy[name].encoding.get("coordinates") == places
            assert set((places or "").split()) <= set(lazy.coords)
            assert attributes.keys() == lazy[name].attrs.keys(), name
            for key, value in attributes.items():
                np.testing.assert_array_equal(lazy[name].attrs[key], value, err_msg=key)
        root = {name: file.getncattr(name) for name in file.ncattrs()}
    assert {key: value for key, value in root.items() if key not in COUNTED} == lazy.attrs


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("chunks", [None, {}], ids=["lazy", "dask"])
def test_equal_to_the_product_of_every_format(tmp_path, name, chunks):
    case = dataclasses.replace(CASES[name], bands=BANDS[CASES[name].sensor])
    path = case.written(tmp_path).path
    settings = configured("published_algorithms", case, tmp_path)
    product = pipeline.process_scene(path, settings)
    with pipeline.open_scene(path, case.choice, chunks) as scene:
        assert_equal(pipeline.apply(scene, settings), product)


REAL = [
    "AQUA_MODIS.20110910T190602.L2.OC.nc",
    "PACE_OCI_L2_AOP_V3_1_sample.nc",
    "PACE_OCI_L3M_RRS_sample.nc",
    "S3_OLCI_C2RCC_SNS_2017105095839.nc",
]


@pytest.mark.parametrize("name", REAL)
def test_equal_to_the_product_of_a_real_scene(real_data, tmp_path, name):
    path = real_data / "scenes" / name
    settings = load_config("published_algorithms").model_dump(mode="json", exclude_unset=True)
    settings["science"] |= {"output": {"chunk": [97, 128]}}
    settings["execution"] = {"output": str(tmp_path / "out")}
    product = product_of(path, settings)
    assert_equal(pipeline.apply(path, settings), product)


SCIENCE = [
    {},
    {"window": {"lines": [3, 17], "pixels": [5, 22]}, "output": {"chunk": [4, 6]}},
    {"window": {"bbox": [-180, -90, 180, 90]}},
    {"masks": {"flags": ["LAND"], "dilate": {"LAND": 2}}},
    {"constants": {"relative_humidity": 80}},
    {"masks": {"preset": "default", "values": ["negative"]}},
]


@pytest.mark.parametrize("science", SCIENCE, ids=str)
@pytest.mark.parametrize("chunks", [None, {}, {"y": 5, "x": 7}], ids=str)
def test_windows_masks_and_constants(tmp_path, science, chunks):
    case = CASES["sgli"]
    path = case.written(tmp_path).path
    settings = run_settings(tmp_path, network_for(tmp_path, case.bands), **science)
    product = product_of(path, settings)
    with pipeline.open_scene(path, case.choice, chunks) as scene:
        lazy = pipeline.apply(scene, settings)
        assert_equal(lazy, product)


@pytest.fixture
def scene_and_settings(tmp_path):
    case = CASES["sgli"]
    path = case.written(tmp_path).path
    return path, run_settings(tmp_path, network_for(tmp_path, case.bands), chunk=(8, 10))


def test_nothing_is_computed_before(scene_and_settings):
    path, settings = scene_and_settings

    def refuse(*_args, **_kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        lazy = pipeline.apply(path, settings)
    assert all(isinstance(each.data, da.Array) for each in lazy.variables.values())


@pytest.fixture
def loads(monkeypatch):
    """How often each storage chunk was inflated, by name of the variable and offsets."""
    counted, really = Counter(), hdf5_chunks.Hdf5Chunks.load

    def load(self, offsets):
        counted[self.name, offsets] += 1
        return really(self, offsets)

    monkeypatch.setattr(hdf5_chunks.Hdf5Chunks, "load", load)
    return counted


def test_graphs_are_built_without_reading(scene_and_settings, loads):
    path, settings = scene_and_settings
    pipeline.apply(path, settings)
    assert not loads


def test_one_pixel_reads_the_chunks_of_its_block(scene_and_settings, loads):
    """Blocks and storage chunks are the same here."""
    path, settings = scene_and_settings
    pipeline.apply(path, settings).iop_flags.isel(y=9, x=11).compute()
    assert {offsets for name, offsets in loads if "NWLR" in name} == {(8, 10)}
    assert set(loads.values()) == {1}


def test_every_chunk_is_read_once(scene_and_settings, loads):
    path, settings = scene_and_settings
    pipeline.apply(path, settings).compute(scheduler="threads")
    assert loads
    assert set(loads.values()) == {1}


def test_a_hash_is_that_of_the_content(scene_and_settings):
    """Also where another file has the size and the time of change of the one before."""
    path, settings = scene_and_settings
    first = pipeline.apply(path, settings).attrs["source"]
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    with h5py.File(path, "r+") as file:
        file["Image_data/NWLR_412"][0, 0] += 1
    os.utime(path, ns=times)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    second = pipeline.apply(path, settings).attrs["source"]
    assert sha256 in second
    assert sha256 not in first


def test_the_graph_is_small(scene_and_settings):
    """One task per block, one more per variable, and one node for the plan."""
    path, settings = scene_and_settings
    with pipeline.open_scene(path, chunks={}) as scene:
        lazy = pipeline.apply(scene, settings)
    blocks = 9
    tasks = dict(lazy.__dask_graph__())
    assert len(tasks) == blocks * (1 + len(lazy.variables)) + 1
    (plan,) = (key for key in tasks if str(key).endswith("-plan"))
    network = len(cloudpickle.dumps(tasks[plan].plan.steps))
    assert len(cloudpickle.dumps(tasks)) - network < 20_000


def test_names_of_tasks_are_those_of_the_work(scene_and_settings, tmp_path):
    """So that a cluster does not compute twice, and does not take old results for new ones."""
    path, settings = scene_and_settings
    first, second = (pipeline.apply(path, settings).iop_flags.data.name for _ in range(2))
    assert first == second
    science = settings["science"] | {"masks": {"values": ["negative"]}}
    assert pipeline.apply(path, settings | {"science": science}).iop_flags.data.name != first


def test_a_changed_variable_is_used(scene_and_settings):
    """The user's own correction of a scene is what the network gets."""
    path, settings = scene_and_settings
    for chunks in (None, {}):
        with pipeline.open_scene(path, chunks=chunks) as scene:
            plain = pipeline.apply(scene, settings)
            attributes = scene.Rrs.attrs
            scene["Rrs"] = (scene.Rrs * np.float32(1.5)).assign_attrs(attributes)
            changed = pipeline.apply(scene, settings)
            assert not np.array_equal(plain.aph_443, changed.aph_443, equal_nan=True)
            assert "id" in plain.attrs
            assert "id" not in changed.attrs
            assert changed.attrs["source"].endswith("not as it was opened")


def test_a_part_of_a_scene_is_not_called_the_scene(scene_and_settings):
    path, settings = scene_and_settings
    for chunks in (None, {}):
        with pipeline.open_scene(path, chunks=chunks) as scene:
            whole = pipeline.apply(scene, settings)
            part = pipeline.apply(scene.isel(y=slice(3, 9), x=slice(None, None, -1)), settings)
            assert "id" not in part.attrs
            np.testing.assert_array_equal(part.aph_443, whole.aph_443[3:9, ::-1])


def test_masks_cannot_grow_around_computed_pixels(scene_and_settings):
    path, settings = scene_and_settings
    settings["science"]["masks"] = {"expressions": {"high": "Rrs_412 > 1"}, "dilate": {"high": 1}}
    with pipeline.open_scene(path, chunks={}) as scene:
        attributes = scene.Rrs.attrs
        scene["Rrs"] = (scene.Rrs * 2).assign_attrs(attributes)
        with pytest.raises(ConfigError, match=r"dilate.*Rrs"):
            pipeline.apply(scene, settings)


# --- any data ---------------------------------------------------------------

BANDS_NM = (412.0, 443.0, 490.0)


@pytest.fixture
def network(tmp_path):
    return pipeline.load_network(write_network(tmp_path / "own.h5", bands=(412, 443, 490)))


@pytest.fixture
def cube():
    """Reflectance of four times, on lines and pixels; one pixel is missing."""
    values = np.random.default_rng(1).uniform(0.002, 0.02, (4, 6, 5, 3)).astype(np.float32)
    values[1, 2, 3] = np.nan
    return xr.DataArray(
        values,
        {"wavelength": ("wavelength", [*BANDS_NM], {"units": "nm"}), "time": np.arange(4)},
        ("time", "y", "x", "wavelength"),
        "Rrs",
        {"units": "sr-1"},
    )


def expected_of(network, cube):
    """The outputs by the network alone, in float64."""
    rows = cube.transpose(..., "wavelength").values.reshape(-1, 3)
    return network.reference(rows).reshape(*cube.shape[:-1], -1)


def assert_values(result, network, expected, dims):
    for column, output in enumerate(network.outputs):
        found = result[output.name]
        assert found.dims == dims
        np.testing.assert_allclose(found.values, expected[..., column], rtol=2e-4)
        assert found.attrs["units"] == output.units


def test_a_cube_with_a_coordinate_of_wavelengths(network, cube):
    result = pipeline.apply(cube, network)
    assert_values(result, network, expected_of(network, cube), ("time", "y", "x"))
    assert result.time.values.tolist() == [0, 1, 2, 3]
    assert "latitude" not in result
    flagged = result.quality_flags.values != 0
    assert flagged.sum() == 1
    assert flagged[1, 2, 3]


@pytest.mark.parametrize("chunks", [{}, {"time": 1}, {"y": 2, "x": 3}, {"wavelength": 1}], ids=str)
def test_dask_chunks_of_any_shape(network, cube, chunks):
    result = pipeline.apply(cube.chunk(chunks), network)
    xr.testing.assert_equal(result.compute(), pipeline.apply(cube, network).compute())


@pytest.mark.parametrize(
    "order", [("wavelength", "time", "y", "x"), ("x", "wavelength", "y", "time")]
)
def test_dimensions_in_any_order(network, cube, order):
    result = pipeline.apply(cube.transpose(*order), network)
    plain = pipeline.apply(cube, network)
    xr.testing.assert_equal(result.transpose("time", "y", "x").compute(), plain.compute())


def test_one_spectrum_per_row(network, cube):
    """A table of spectra has one dimension."""
    table = cube.stack(sample=("time", "y", "x")).reset_index("sample").transpose("sample", ...)
    result = pipeline.apply(table, network)
    expected = expected_of(network, cube)
    assert_values(result, network, expected.reshape(-1, expected.shape[-1]), ("sample",))


def bands_by_name(cube, suffix=""):
    bands = {
        f"Rrs_{nm:.0f}{suffix}": cube.sel(wavelength=nm, drop=True).assign_attrs(units="1/sr")
        for nm in BANDS_NM
    }
    return xr.Dataset(bands)


def bands_by_attribute(cube):
    bands = {}
    for number, nm in enumerate(BANDS_NM):
        attributes = {"units": "sr^-1", "radiation_wavelength": nm, "standard_name": STANDARD}
        bands[f"band{number}"] = cube.sel(wavelength=nm, drop=True).assign_attrs(attributes)
    return xr.Dataset(bands)


STANDARD = (
    "surface_ratio_of_upwelling_radiance_emerging_from_sea_water_to_"
    "downwelling_radiative_flux_in_air"
)


def in_micrometres(cube):
    axis = cube.wavelength.values / 1000
    return cube.assign_coords(wavelength=("wavelength", axis, {"units": "um"}))


@pytest.mark.parametrize(
    "named",
    [
        bands_by_name,
        lambda cube: bands_by_name(cube, "nm"),
        bands_by_attribute,
        lambda cube: cube.to_dataset(),
        in_micrometres,
        lambda cube: cube.rename("whatever").assign_attrs(standard_name=STANDARD),
        lambda cube: cube.rename(None),
        lambda cube: cube.isel(wavelength=[2, 0, 1]),
        lambda cube: cube.rename(wavelength="bands").assign_coords(
            bands=("bands", [*BANDS_NM], {"standard_name": "radiation_wavelength"})
        ),
        lambda cube: cube.astype(np.float64),
    ],
)
def test_bands_are_found(network, cube, named):
    """By coordinates, names or attributes."""
    result = pipeline.apply(named(cube), network)
    assert_values(result, network, expected_of(network, cube), ("time", "y", "x"))


def test_geolocation_and_masks_of_a_dataset(network, cube, tmp_path):
    """Places are copied, and expressions about other variables exclude pixels."""
    data = bands_by_name(cube)
    data["lat"] = ("y", np.linspace(10, 15, 6), {"units": "degrees_north"})
    data["lon"] = ("x", np.linspace(-30, -26, 5), {"units": "degrees_east"})
    data["solar_zenith"] = (("y", "x"), np.full((6, 5), 30.0), {"units": "degrees"})
    data["solar_zenith"][0, 0] = 80
    settings = run_settings(
        tmp_path, tmp_path / "own.h5", masks={"expressions": {"low_sun": "solar_zenith > 70"}}
    )
    result = pipeline.apply(data.assign_attrs(sensor="SGLI"), settings).compute()
    assert result.latitude.dims == ("time", "y", "x")
    assert np.isnan(result[network.outputs[0].name].values[:, 0, 0]).all()
    meanings = result.quality_flags.attrs["flag_meanings"].split()
    bit = result.quality_flags.attrs["flag_masks"][meanings.index("masked_low_sun")]
    masked = (result.quality_flags.values & bit) != 0
    assert masked[:, 0, 0].all()
    assert masked.sum() == 4


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda cube: cube.assign_attrs(units="%"), "Rrs has units '%', expected 'sr-1' for Rrs"),
        (lambda cube: cube.drop_attrs(), "Rrs has no units"),
        (lambda cube: cube.isel(wavelength=[0, 2]), "no Rrs band within .* nm of 443"),
        (lambda cube: cube.rename("chlorophyll"), "have no bands"),
        (lambda cube: cube.rename(wavelength="band").drop_vars("band"), "wavelength of Rrs"),
        (
            lambda cube: cube.assign_coords(wavelength=("wavelength", [1, 2, 3], {"units": "m2"})),
            "expected nm",
        ),
    ],
)
def test_wrong_data_is_refused(network, cube, wrong, text):
    with pytest.raises(SceneError, match=text):
        pipeline.apply(wrong(cube), network)


def test_another_sensor_is_refused(network, cube):
    with pytest.raises(NetworkError, match="was trained for"):
        pipeline.apply(cube.assign_attrs(sensor="OLCI"), network)


def test_a_result_goes_to_zarr(network, cube, tmp_path):
    result = pipeline.apply(cube.chunk(time=1), network)
    result.to_zarr(tmp_path / "out.zarr")
    with xr.open_zarr(tmp_path / "out.zarr") as stored:
        name = network.outputs[0].name
        np.testing.assert_array_equal(stored[name], result[name])


def test_a_large_graph_is_made_at_once(network):
    """10000 x 10000 pixels: what is built does not depend on the pixels."""
    values = da.zeros((3, 10_000, 10_000), chunks=(3, 256, 1024), dtype=np.float32)
    axis = {"wavelength": ("wavelength", [*BANDS_NM])}
    data = xr.DataArray(values, axis, ("wavelength", "y", "x"), "Rrs", {"units": "sr-1"})
    result = pipeline.apply(data, network)
    assert result.quality_flags.shape == (10_000, 10_000)
    tasks = [key for key in dict(result.__dask_graph__()) if "ocpipe" in str(key)]
    blocks = 400
    assert len(tasks) == blocks * (1 + len(result.variables)) + 1


# --- a network on a labelled array ------------------------------------------


def test_predict_gives_back_what_it_got(network, cube):
    """The other dimensions and coordinates, and the outputs with their names."""
    result = network.predict(cube, "numpy")
    assert result.dims == ("time", "y", "x", "output")
    assert result.output.values.tolist() == [output.name for output in network.outputs]
    assert result.time.values.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(result.values, expected_of(network, cube))


def test_predict_gives_a_spectrum(tmp_path, cube):
    path = write_network(tmp_path / "n.h5", bands=(412, 443, 490), outputs=("aph",))
    network = pipeline.load_network(path)
    result = network.predict(cube.isel(wavelength=[2, 0, 1]).transpose("wavelength", ...), "numpy")
    assert result.dims == ("time", "y", "x", "wavelength")
    assert result.wavelength.values.tolist() == [443]
    assert result.attrs["units"] == "m-1"
    np.testing.assert_array_equal(result.values, expected_of(network, cube))


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda cube: cube.isel(wavelength=[0, 1]), "no band within 3 nm of 490 nm"),
        (lambda cube: cube.rename(wavelength="band"), "expected one called wavelength"),
        (lambda cube: cube.drop_vars("wavelength"), "expected one called wavelength"),
        (
            lambda cube: cube.assign_coords(
                wavelength=("wavelength", [0.4, 0.5, 0.6], {"units": "um"})
            ),
            "in 'um', expected nm",
        ),
    ],
)
def test_predict_refuses_arrays_without_the_bands(network, cube, wrong, text):
    with pytest.raises(NetworkError, match=text):
        network.predict(wrong(cube))


# --- what a reviewer tried --------------------------------------------------


def with_places(cube, lat=(("y", "x"), (6, 5), 5.0), lon=(("y", "x"), (6, 5), 6.0)):
    places = {"lat": (lat[0], np.full(*lat[1:])), "lon": (lon[0], np.full(*lon[1:]))}
    return cube.assign_coords(places)


def test_a_transposed_scene(scene_and_settings):
    """The order of dimensions is no matter."""
    path, settings = scene_and_settings
    for chunks in (None, {}):
        with pipeline.open_scene(path, chunks=chunks) as scene:
            square = scene.isel(x=slice(0, 21))
            turned = pipeline.apply(square.transpose(..., "x", "y"), settings).compute()
            plain = pipeline.apply(square, settings).compute()
            xr.testing.assert_equal(turned.transpose("y", "x"), plain)


@pytest.mark.parametrize(
    "cut",
    [
        lambda scene: scene.isel(y=3),
        lambda scene: scene.isel(y=3, x=7),
        lambda scene: scene.stack(sample=("y", "x")).reset_index("sample"),
        lambda scene: scene.rename(y="rows", x="columns"),
        lambda scene: xr.concat([scene, scene], "time"),
    ],
)
def test_scenes_that_are_no_scenes_any_more(scene_and_settings, cut):
    """Are data like any other."""
    path, settings = scene_and_settings
    with pipeline.open_scene(path, chunks={}) as scene:
        whole = pipeline.apply(scene, settings)
        part = pipeline.apply(cut(scene).assign_attrs(sensor=scene.attrs["sensor"]), settings)
        expected = cut(whole.drop_vars(whole.coords)[["aph_443"]]).aph_443
        np.testing.assert_array_equal(np.squeeze(part.aph_443), np.squeeze(expected))


@pytest.mark.parametrize(
    "changed",
    [
        lambda scene: scene.assign(latitude=scene.longitude.assign_attrs(scene.latitude.attrs)),
        lambda scene: scene.assign_coords(
            Rrs_wavelength=scene.Rrs_wavelength + np.float64(1)
        ),
    ],
)  # fmt: skip
def test_a_scene_with_other_layers_is_not_called_the_scene(scene_and_settings, changed):
    path, settings = scene_and_settings
    with pipeline.open_scene(path) as scene:
        assert "id" not in pipeline.apply(changed(scene), settings).attrs


def test_variables_with_other_dimensions_are_left_alone(network, cube):
    """Tie points, and spectra that the network does not take."""
    data = cube.to_dataset().assign(
        latitude=(("ty", "tx"), np.zeros((3, 3))),
        longitude=(("ty", "tx"), np.zeros((3, 3))),
        aph=cube.assign_attrs(units="m-1"),
        Rrs_443_flags=(("y", "x"), np.zeros((6, 5), int)),
        solar_zenith=("y", [*"abcdef"]),
    )
    result = pipeline.apply(data, network)
    assert dict(result.sizes) == {"time": 4, "y": 6, "x": 5}
    assert_values(result, network, expected_of(network, cube), ("time", "y", "x"))


def test_dimensions_called_latitude_and_longitude(network, cube):
    data = cube.rename(y="latitude", x="longitude").assign_coords(
        longitude=np.arange(5.0), latitude=np.arange(6.0)
    )
    result = pipeline.apply(data, network)
    assert_values(result, network, expected_of(network, cube), ("time", "latitude", "longitude"))
    assert result.latitude.values.tolist() == [*range(6)]


def test_longitudes_and_impossible_places_as_in_files(network, cube):
    data = with_places(cube, lon=(("y", "x"), (6, 5), 200.0))
    data.lat[0, 0] = -999.3
    result = pipeline.apply(data, network).compute()
    assert np.unique(result.longitude).tolist() == [-160.0]
    invalid = (result.quality_flags.values & 8) != 0
    assert invalid.sum() == 4
    assert invalid[:, 0, 0].all()


def test_one_place_alone_is_none(network, cube):
    data = with_places(cube).drop_vars("lon")
    assert "lat" not in pipeline.apply(data, network).compute().data_vars


@pytest.mark.parametrize(
    "wrong",
    [
        lambda cube: (cube * 1e4).astype("i2").assign_attrs(units="sr-1", scale_factor=1e-4),
        lambda cube: cube.assign_attrs(_FillValue=-32767.0),
        lambda cube: cube.astype(complex),
        lambda cube: cube.astype(str),
    ],
)
def test_numbers_that_are_not_decoded_are_refused(network, cube, wrong):
    with pytest.raises(SceneError, match="expected decoded numbers"):
        pipeline.apply(wrong(cube), network)


def test_two_variables_of_a_quantity_are_refused(network, cube):
    data = cube.to_dataset()
    data["solar_zenith_angle"] = data["sza"] = (
        ("y", "x"), np.ones((6, 5)), {"standard_name": "solar_zenith_angle"}
    )  # fmt: skip
    with pytest.raises(SceneError, match="are both solar_zenith"):
        pipeline.apply(data, network)


def test_a_window_needs_a_scene(network, cube, tmp_path):
    settings = run_settings(tmp_path, tmp_path / "own.h5", window={"lines": [0, 2]})
    with pytest.raises(ConfigError, match="cut the data"):
        pipeline.apply(cube, settings)


@pytest.mark.parametrize("data", [None, np.zeros((4, 3)), 3])
def test_what_is_no_data_is_refused(network, data):
    with pytest.raises(ConfigError, match="applied to"):
        pipeline.apply(data, network)


def test_places_along_lines_stay_small(network, cube):
    """They are not repeated before the graph is computed."""
    values = da.full((3, 5, 1000, 1000), 0.01, chunks=(3, 1, 500, 500), dtype="f4")
    axis = {"wavelength": [*BANDS_NM], "lat": ("a", np.zeros(1000)), "lon": ("b", np.zeros(1000))}
    data = xr.DataArray(values, axis, ("wavelength", "t", "a", "b"), "Rrs", {"units": "sr-1"})
    result = pipeline.apply(data, network)
    assert len(cloudpickle.dumps(dict(result.__dask_graph__()))) < 200_000
    assert result.latitude.dims == ("t", "a", "b")


def test_lazy_data_without_dask_are_not_read(network, cube, tmp_path):
    cube.astype("f8").to_dataset().to_netcdf(tmp_path / "l3.nc")
    with xr.open_dataset(tmp_path / "l3.nc", engine="h5netcdf") as data:
        result = pipeline.apply(data, network)
        assert not data.Rrs.variable._in_memory
        assert_values(result, network, expected_of(network, cube), ("time", "y", "x"))


def test_bands_as_satpy_names_them(network, cube):
    """A wavelength with its range in micrometres, and a set of sensors."""
    data = bands_by_name(cube)
    for number, (name, nm) in enumerate(zip([*data], BANDS_NM, strict=True)):
        micro = types.SimpleNamespace(central=nm / 1000, unit="µm")
        attributes = {"wavelength": micro, "standard_name": STANDARD}
        data[f"M{number}"] = data[name].assign_attrs(attributes)
        data = data.drop_vars(name)
    result = pipeline.apply(data.assign_attrs(sensor={network.sensors[0]}), network)
    assert_values(result, network, expected_of(network, cube), ("time", "y", "x"))


def test_dimensions_keep_the_order_of_the_bands(network, cube):
    data = xr.Dataset({"lon": ("x", np.zeros(5)), "lat": ("y", np.zeros(6))}).merge(
        cube.to_dataset()
    )
    assert pipeline.apply(data, network).aph_443.dims == ("time", "y", "x")


def test_predict_without_pixels_and_with_a_dataset(network, cube):
    assert network.predict(cube.isel(y=slice(0, 0)), "numpy").shape == (4, 0, 5, 2)
    with pytest.raises(NetworkError, match="Give a Dataset to"):
        network.predict(cube.to_dataset())
