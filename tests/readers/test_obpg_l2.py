"""NASA Level-2 with 2-D bands: real counts, sensors, and files that lack something."""

import h5py
import netCDF4
import numpy as np
import oracle
import pytest
from obpg_miniature import counts_of, write_obpg_l2

from pipeline.errors import SceneError
from pipeline.readers import open_scene


@pytest.fixture
def scene_file(tmp_path):
    counts = {nm: counts_of(np.full((4, 5), 0.004)) for nm in (412, 443)}
    return write_obpg_l2(tmp_path / "scene.nc", counts, extra={"chlor_a": np.full((4, 5), 2.5)})


def test_real_scene_is_decoded_to_the_last_bit(modis_scene):
    """All 14 bands of MODIS: the float32 nearest to count * scale + offset in float64."""
    with netCDF4.Dataset(modis_scene) as file, open_scene(modis_scene) as scene:
        data = file["geophysical_data"]
        data.set_auto_maskandscale(False)
        names = [name for name in data.variables if name.startswith("Rrs_")]
        assert len(names) == 14
        for name in names:
            band = data[name]
            expected, outside = oracle.decode_int16(
                band[:],
                band.scale_factor,
                band.add_offset,
                band._FillValue,
                band.valid_min,
                band.valid_max,
            )
            wavelength = float(name.removeprefix("Rrs_"))
            found = scene.Rrs.sel(Rrs_wavelength=wavelength).values
            np.testing.assert_array_equal(found, expected.astype(np.float32))
            states = scene.Rrs_state.sel(Rrs_wavelength=wavelength).values
            np.testing.assert_array_equal(states == 1, outside)


def test_real_scene_says_what_it_is(modis_scene):
    """Sensor, size, bands, rhos as rho_s, chlorophyll under its own name."""
    with open_scene(modis_scene) as scene:
        assert scene.attrs["sensor"] == "MODIS-Aqua"
        assert (scene.sizes["y"], scene.sizes["x"]) == (500, 308)
        assert scene.Rrs_wavelength.values.tolist()[:4] == [412.0, 443.0, 469.0, 488.0]
        assert scene.sizes["rho_s_wavelength"] == 14
        assert "chlor_a" in scene
        assert scene.attrs["time_coverage_start"] == "2011-09-10T19:06:02.291Z"


@pytest.mark.parametrize(
    ("platform", "instrument", "sensor"),
    [
        ("Aqua", "MODIS", "MODIS-Aqua"),
        ("Terra", "MODIS", "MODIS-Terra"),
        ("Suomi-NPP", "VIIRS", "VIIRS"),
        ("JPSS-1", "VIIRS", "VIIRS"),
        ("Orbview-2", "SeaWiFS", "SeaWiFS"),
        ("Envisat", "MERIS", "MERIS"),
        ("Nimbus-7", "CZCS", ""),
    ],
)
def test_sensor_follows_platform_and_instrument(tmp_path, platform, instrument, sensor):
    """The names that OBPG writes; what no table knows is unknown, not guessed."""
    counts = {412: counts_of(np.full((2, 2), 0.004))}
    path = write_obpg_l2(tmp_path / "s.nc", counts, platform=platform, instrument=instrument)
    with open_scene(path) as scene:
        assert scene.attrs["sensor"] == sensor


@pytest.mark.parametrize(
    ("option", "state"),
    [(None, "unknown"), ("0", "none"), ("7", "f/Q"), ("3", "unknown"), ("?", "unknown")],
)
def test_brdf_state_is_read_from_the_processing_options(scene_file, option, state):
    """brdf_opt of l2gen: 0 is none, bit 4 the f/Q correction; nothing is guessed."""
    if option is not None:
        with netCDF4.Dataset(scene_file, "a") as file:
            group = file.createGroup("processing_control").createGroup("input_parameters")
            group.brdf_opt = option
    with open_scene(scene_file) as scene:
        assert scene.attrs["brdf_correction"] == state


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ("navigation_data/latitude", "no latitude"),
        ("geophysical_data/Rrs_", "no Rrs_<wavelength>"),
    ],
)
def test_a_file_without_a_part_is_named(scene_file, removed, message):
    """The message says which part is missing."""
    with h5py.File(scene_file, "a") as file:
        group, prefix = removed.split("/")
        for name in [name for name in file[group] if name.startswith(prefix)]:
            del file[group][name]
    with pytest.raises(SceneError, match=message):
        open_scene(scene_file)


def test_a_scene_without_flags_opens(scene_file):
    """Flags are optional until a mask asks for them."""
    with h5py.File(scene_file, "a") as file:
        del file["geophysical_data/l2_flags"]
    with open_scene(scene_file) as scene:
        assert "source_flags" not in scene


def test_angles_have_the_scenes_names(sample_scene):
    """Angles solz, senz and relaz become solar_zenith, sensor_zenith and relative_azimuth."""
    with open_scene(sample_scene) as scene:
        for name in ("solar_zenith", "sensor_zenith", "relative_azimuth"):
            assert scene[name].attrs["units"] == "degree"
            assert np.isfinite(scene[name].values).any()


def test_older_files_with_a_control_point_per_pixel(tmp_path):
    """Navigation on pixel_control_points is on the pixels where there are as many."""
    counts = {412: counts_of(np.full((4, 5), 0.004))}
    path = write_obpg_l2(tmp_path / "s.nc", counts, control_point_every=1)
    with open_scene(path) as scene:
        np.testing.assert_allclose(scene.longitude[0], 20 + 0.01 * np.arange(5), rtol=1e-6)
        assert scene.longitude.dims == ("y", "x")


def test_fewer_control_points_than_pixels_are_refused(tmp_path):
    """Nothing is stretched silently."""
    counts = {412: counts_of(np.full((4, 5), 0.004))}
    path = write_obpg_l2(tmp_path / "s.nc", counts, control_point_every=2)
    with pytest.raises(SceneError, match="3 control points for 5 pixels"):
        open_scene(path)


@pytest.mark.parametrize(("chunk", "count"), [((1, 5), 200), ((3, 5), 200), (None, 2)])
def test_thin_chunks_are_read_several_together(tmp_path, chunk, count):
    """No more than 256 tasks along a dimension, whole storage chunks each, nothing mixed up."""
    line = np.arange(600)[:, np.newaxis] + np.zeros((1, 5), int)
    path = write_obpg_l2(tmp_path / "s.nc", {412: -24000 + line}, chunk=chunk)
    if chunk is None:
        with h5py.File(path, "a") as file:  # in one piece
            stored = file["geophysical_data/Rrs_412"]
            whole = file.create_dataset("geophysical_data/Rrs_443", data=stored[:])
            for name, value in stored.attrs.items():
                if name not in ("DIMENSION_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates"):
                    whole.attrs[name] = value
            for axis, dim in enumerate(("number_of_lines", "pixels_per_line")):
                whole.dims[axis].attach_scale(file[dim])
    band = 443.0 if chunk is None else 412.0
    with open_scene(path, chunks={}) as scene:
        rrs = scene.Rrs.sel(Rrs_wavelength=band)
        assert len(rrs.chunks[0]) <= count
        np.testing.assert_allclose(rrs.values, (-24000 + line) * 2e-6 + 0.05, atol=1e-8)
