"""The miniatures mean what they say, read with nothing but the formats' own libraries."""

from pathlib import Path
from xml.etree import ElementTree as ET

import h5py
import netCDF4
import numpy as np
import pytest
import rasterio
import rasterio.warp
from miniatures import (
    acolite_l2r,
    acolite_l2w,
    acolite_parts,
    c2rcc,
    geotiff,
    obpg_control_points,
    obpg_l2_3d,
    occci_l3,
    olci_bands,
    olci_wfr,
    pace_l3m,
    polymer,
    sgli_nwlr,
)
from miniatures.truth import Truth, Written, image_of_coordinates, map_of_coordinates, unwrapped


def assert_same_rrs(found: dict[float, np.ndarray], written: Written) -> None:
    assert sorted(found) == sorted(written.rrs)
    for nm, values in written.rrs.items():
        np.testing.assert_allclose(found[nm], values, rtol=0, atol=1e-12, err_msg=f"{nm} nm")


def assert_navigation_near(truth: Truth, written: Written, degrees: float) -> None:
    np.testing.assert_allclose(written.latitude, truth.latitude, rtol=0, atol=degrees)
    difference = (written.longitude - truth.longitude + 180) % 360 - 180
    np.testing.assert_allclose(difference, 0, atol=degrees)
    assert np.abs(written.longitude).max() <= 180


def assert_near_truth(truth: Truth, written: Written, atol: float) -> None:
    """Every value that is neither missing nor outside nor saturated is the truth's, packed."""
    plain = ~(written.missing | written.outside | written.saturated)
    for nm, values in written.rrs.items():
        nearest = truth.rrs[min(truth.rrs, key=lambda key: abs(key - nm))]
        np.testing.assert_allclose(values[plain], nearest[plain], rtol=0, atol=atol)
    for name, raised in truth.flags.items():
        np.testing.assert_array_equal(written.flags[name], raised)
    np.testing.assert_array_equal(written.missing, truth.missing)


def test_the_image_shows_no_symmetry() -> None:
    """No value occurs twice, and no flip or transposition leaves an image as it was."""
    truth = image_of_coordinates(9, 9, (412, 443))
    values = np.concatenate([rrs.ravel() for rrs in truth.rrs.values()])
    assert len(np.unique(np.round(values / 2e-6))) == values.size
    assert values.min() > 0.001
    assert values.max() < 0.03
    for array in (truth.latitude, truth.longitude, truth.missing, truth.outside, truth.saturated):
        for turned in (array[::-1], array[:, ::-1], array[::-1, ::-1], array.T):
            assert not np.array_equal(turned, array)


@pytest.mark.parametrize("descending", [True, False])
def test_the_swath_is_monotonic_and_crosses_the_antimeridian(descending: bool) -> None:
    truth = image_of_coordinates(40, 30, (443,), descending=descending, antimeridian=True)
    assert (np.diff(truth.latitude, axis=0) < 0).all() == descending
    assert (np.diff(truth.latitude, axis=1) < 0).all()
    assert truth.longitude.min() < -179
    assert truth.longitude.max() > 179
    along = unwrapped(truth.longitude)
    assert (np.diff(along, axis=0) > 0).all()
    assert (np.diff(along, axis=1) > 0).all()


def test_the_polar_scene_holds_the_pole() -> None:
    truth = image_of_coordinates(12, 10, (443,), pole=True)
    assert 89.98 < truth.latitude.max() < 90
    assert np.ptp(truth.longitude) > 300


SGLI_BANDS = sgli_nwlr.BANDS


@pytest.mark.parametrize("interval", [1, 4, 10])
@pytest.mark.parametrize("covering", [True, False])
def test_sgli(tmp_path: Path, interval: int, covering: bool) -> None:
    truth = image_of_coordinates(23, 17, SGLI_BANDS, antimeridian=True, flags=("LAND", "TURBIDW"))
    written = sgli_nwlr.write(tmp_path, truth, interval=interval, covering=covering, chunk=(4, 3))
    assert_near_truth(truth, written, 0.6e-6)
    assert_navigation_near(truth, written, 1e-4)
    np.testing.assert_array_equal(written.saturated, truth.saturated)
    with h5py.File(written.path) as file:
        image = file["Image_data"]
        assert image.attrs["Number_of_lines"].shape == (1,)
        found = {}
        for nm in SGLI_BANDS:
            data = image[f"NWLR_{nm}"]
            assert data.dtype == np.uint16
            assert data.chunks == (4, 3)
            slope, offset = (np.float64(data.attrs[f"Rrs_{key}"][0]) for key in ("slope", "offset"))
            rrs = data[:] * slope + offset
            found[float(nm)] = np.where(data[:] == data.attrs["Error_DN"][0], np.nan, rrs)
        assert_same_rrs(found, written)
        text = [line.decode() for line in image["QA_flag"].attrs["Data_description"]]
        bit = next(int(line[3:5]) for line in text if line.endswith("TURBIDW"))
        raised = image["QA_flag"][:] >> bit & 1 == 1
        np.testing.assert_array_equal(raised, truth.flags["TURBIDW"])
        ties = file["Geometry_data/Latitude"]
        assert ties.attrs["Resampling_interval"].tolist() == [interval]
        np.testing.assert_allclose(ties[0, 0], truth.latitude[0, 0], atol=1e-5)
        inside = written.latitude[::interval, ::interval]
        np.testing.assert_allclose(ties[:][: inside.shape[0], : inside.shape[1]], inside, atol=1e-5)


def test_sgli_raw_counts_and_other_qa_layouts(tmp_path: Path) -> None:
    truth = image_of_coordinates(3, 4, SGLI_BANDS, defects=False, flags=("cloud or ice",))
    raw = np.array([[0, 10000, 65534, 65535]] * 3, np.uint16)
    written = sgli_nwlr.write(
        tmp_path, truth, counts={443: raw}, resolution="K", qa_layout="described_other"
    )
    assert written.path.name == "GC1SG1_202301030209K06310_L2SG_NWLRK_2111.h5"
    np.testing.assert_allclose(written.rrs[443.0][0, :3], [-0.01, 0, 0.055534], atol=1e-8)
    assert np.isnan(written.rrs[443.0][:, 3]).all()
    assert not written.missing.any()
    assert written.saturated[:, 2].all()
    np.testing.assert_array_equal(written.flags["cloud or ice"], truth.flags["cloud or ice"])
    plain = image_of_coordinates(3, 4, SGLI_BANDS, flags=("LAND",))
    undescribed = sgli_nwlr.write(tmp_path, plain, qa_layout="undescribed")
    with h5py.File(undescribed.path) as file:
        assert "Data_description" not in file["Image_data/QA_flag"].attrs


def raw(group: netCDF4.Dataset, name: str) -> np.ndarray:
    variable = group[name]
    variable.set_auto_maskandscale(False)
    return variable[...]


def unpacked(group: netCDF4.Dataset, name: str) -> np.ndarray:
    """What CF says a packed variable means, in float64; NaN at fill and outside the valid range."""
    stored, attributes = raw(group, name), group[name].__dict__
    scale, offset = attributes.get("scale_factor", 1), attributes.get("add_offset", 0)
    values = stored.astype(np.float64) * np.float64(scale) + np.float64(offset)
    bad = stored == attributes.get("_FillValue", np.nan)
    if "valid_min" in attributes:
        bad |= (stored < attributes["valid_min"]) | (stored > attributes["valid_max"])
    return np.where(bad, np.nan, values)


def raised_by_meanings(group: netCDF4.Dataset, name: str, flag: str) -> np.ndarray:
    attributes = group[name].__dict__
    mask = np.asarray(attributes["flag_masks"])[attributes["flag_meanings"].split().index(flag)]
    return raw(group, name) & mask != 0


def layout(group: netCDF4.Dataset, path: str = "") -> dict[str, tuple[object, ...]]:
    """Every variable's type, dimensions and attribute names, by its path."""
    found: dict[str, tuple[object, ...]] = {
        f"{path}/{name}": (variable.dtype, variable.dimensions, sorted(variable.ncattrs()))
        for name, variable in group.variables.items()
    }
    for name, child in group.groups.items():
        found |= layout(child, f"{path}/{name}")
    return found


def assert_same_layout(path: Path, real: Path, needed: set[str]) -> None:
    """What the miniature has is as in the real file, and ``needed`` is there."""
    with netCDF4.Dataset(path) as mine, netCDF4.Dataset(real) as theirs:
        assert set(mine.ncattrs()) <= set(theirs.ncattrs())
        found, expected = layout(mine), layout(theirs)
        assert set(found) <= set(expected)
        assert needed <= set(found)
        for name, described in found.items():
            dtype, dims, attributes = expected[name]
            assert described[:2] == (dtype, dims), name
            assert set(described[2]) <= set(attributes), name
        assert set(mine.groups) == set(theirs.groups)
        for name, group in mine.groups.items():
            assert set(group.ncattrs()) <= set(theirs[name].ncattrs())
            assert set(group.groups) == set(theirs[name].groups)


@pytest.mark.parametrize("at_root", [True, False])
def test_obpg_3d(tmp_path: Path, at_root: bool) -> None:
    truth = image_of_coordinates(13, 11, (412.4, 443, 560), flags=("LAND", "PRODFAIL"))
    written = obpg_l2_3d.write(tmp_path, truth, dimensions_at_root=at_root, chunk=(4, 3))
    assert_near_truth(truth, written, 1.1e-6)
    assert_navigation_near(truth, written, 1e-5)
    np.testing.assert_array_equal(written.outside, truth.outside)
    with netCDF4.Dataset(written.path) as file:
        assert ("pixels_per_line" in file.dimensions) == at_root
        data = file["geophysical_data"]
        assert data["Rrs"].chunking() == [4, 3, 3]
        axis = raw(file["sensor_band_parameters"], "wavelength_3d")
        assert not set(axis) & set(raw(file["sensor_band_parameters"], "wavelength"))
        cube = unpacked(data, "Rrs")
        assert_same_rrs({float(nm): cube[..., k] for k, nm in enumerate(axis)}, written)
        for flag, raised in truth.flags.items():
            np.testing.assert_array_equal(raised_by_meanings(data, "l2_flags", flag), raised)
        shares = file["processing_control/flag_percentages"]
        assert pytest.approx(100 * truth.flags["LAND"].mean()) == shares.LAND
        np.testing.assert_allclose(unpacked(data, "Rrs_unc"), written.extra["Rrs_unc"], atol=1e-12)


def test_obpg_3d_is_laid_out_as_a_real_one(tmp_path: Path, real_data: Path) -> None:
    written = obpg_l2_3d.write(tmp_path, image_of_coordinates(4, 5, (412, 443)))
    needed = {f"/geophysical_data/{name}" for name in ("Rrs", "Rrs_unc", "l2_flags")}
    needed |= {"/navigation_data/latitude", "/sensor_band_parameters/wavelength_3d"}
    sample = real_data / "scenes/PACE_OCI_L2_AOP_V3_1_sample.nc"
    assert_same_layout(written.path, sample, needed)


def test_obpg_3d_of_other_instruments(tmp_path: Path) -> None:
    truth = image_of_coordinates(3, 4, (400, 412, 443))
    olci = obpg_l2_3d.write(tmp_path, truth, platform="Sentinel-3A", instrument="OLCI")
    hico = obpg_l2_3d.write(tmp_path, truth, platform="ISS", instrument="HICO")
    assert [olci.path.name[:8], hico.path.name[:8]] == ["S3A_OLCI", "ISS_HICO"]
    with netCDF4.Dataset(hico.path) as file:
        assert (file.platform, file.instrument) == ("ISS", "HICO")


@pytest.mark.parametrize("columns", [None, (1, 2, 7, 20, 23)])
@pytest.mark.parametrize("where", ["navigation_data", "sensor_band_parameters"])
def test_obpg_control_points(tmp_path: Path, where: str, columns: tuple[int, ...] | None) -> None:
    truth = image_of_coordinates(9, 23, (412, 443), antimeridian=True, flags=("CLDICE",))
    written = obpg_control_points.write(tmp_path, truth, columns=columns, where=where)
    assert_near_truth(truth, written, 1.1e-6)
    assert_navigation_near(truth, written, 3e-5)
    with netCDF4.Dataset(written.path) as file:
        at = raw(file[where], "cntl_pt_cols")
        assert (at[0], at[-1]) == (1, 23)
        assert file.dimensions["pixel_control_points"].size == len(at) < 23
        np.testing.assert_allclose(
            raw(file["navigation_data"], "latitude"), truth.latitude[:, at - 1], atol=1e-5
        )
        data = file["geophysical_data"]
        assert_same_rrs({float(nm): unpacked(data, f"Rrs_{nm}") for nm in (412, 443)}, written)
        raised = raised_by_meanings(data, "l2_flags", "CLDICE")
        np.testing.assert_array_equal(raised, truth.flags["CLDICE"])


@pytest.mark.parametrize("north_up", [True, False])
def test_pace_l3m(tmp_path: Path, north_up: bool) -> None:
    truth = map_of_coordinates(8, 9, (412, 443), north_up=north_up, antimeridian=True)
    written = pace_l3m.write(tmp_path, truth, chunk=(4, 3))
    assert_near_truth(truth, written, 1.1e-6)
    assert_navigation_near(truth, written, 1e-5)
    with netCDF4.Dataset(written.path) as file:
        assert (np.diff(raw(file, "lat")) < 0).all() == north_up
        cube = unpacked(file, "Rrs")
        axis = raw(file, "wavelength")
        assert_same_rrs({float(nm): cube[..., k] for k, nm in enumerate(axis)}, written)


def test_pace_l3m_is_laid_out_as_a_real_one(tmp_path: Path, real_data: Path) -> None:
    written = pace_l3m.write(tmp_path, map_of_coordinates(4, 5, (412, 443)))
    sample = real_data / "scenes/PACE_OCI_L3M_RRS_sample.nc"
    assert_same_layout(written.path, sample, {"/Rrs", "/wavelength", "/lat", "/lon", "/palette"})


def test_maps_refuse_a_swath(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="map_of_coordinates"):
        pace_l3m.write(tmp_path, image_of_coordinates(4, 5, (412,)))


def test_occci(tmp_path: Path) -> None:
    truth = map_of_coordinates(8, 9, occci_l3.BANDS)
    written = occci_l3.write(tmp_path, truth, chunk=(4, 3))
    assert_near_truth(truth, written, 1e-8)
    with netCDF4.Dataset(written.path) as file:
        assert file["Rrs_412"].dimensions == ("time", "lat", "lon")
        assert file["Rrs_412"]._FillValue == np.float32(netCDF4.default_fillvals["f4"])
        found = {float(nm): unpacked(file, f"Rrs_{nm}")[0] for nm in occci_l3.BANDS}
        assert_same_rrs(found, written)


@pytest.mark.parametrize("sensor", ["S2A_MSI", "S2B_MSI"])
def test_acolite_l2w(tmp_path: Path, sensor: str) -> None:
    bands = acolite_parts.BANDS[sensor]
    truth = image_of_coordinates(13, 11, bands, flags=("SWIR", "DEM_SHADOW"))
    written = acolite_l2w.write(tmp_path, truth, sensor=sensor, chunk=(4, 3))
    assert_near_truth(truth, written, 1e-8)
    with netCDF4.Dataset(written.path) as file:
        assert (file.sensor, file.generated_by) == (sensor, "ACOLITE")
        assert "_FillValue" not in file[f"Rrs_{bands[0]}"].ncattrs()
        assert file[f"Rrs_{bands[0]}"].units == "1"
        assert "flag_meanings" not in file["l2_flags"].ncattrs()
        assert_same_rrs({float(nm): raw(file, f"Rrs_{nm}") for nm in bands}, written)
        np.testing.assert_array_equal(raw(file, "l2_flags") & 64 != 0, truth.flags["DEM_SHADOW"])


def test_acolite_l2r(tmp_path: Path) -> None:
    bands = acolite_parts.BANDS["S2A_MSI"]
    truth = image_of_coordinates(13, 11, bands, all_missing=True)
    assert all(np.isnan(rrs).all() for rrs in acolite_l2r.write(tmp_path, truth).rrs.values())
    truth = image_of_coordinates(13, 11, bands)
    written = acolite_l2r.write(tmp_path, truth)
    assert_near_truth(truth, written, 1e-8)
    with netCDF4.Dataset(written.path) as file:
        assert "l2_flags" not in file.variables
        found = {float(nm): raw(file, f"rhos_{nm}").astype(np.float64) / np.pi for nm in bands}
        assert_same_rrs(found, written)


def test_c2rcc(tmp_path: Path) -> None:
    truth = image_of_coordinates(13, 11, olci_bands.BANDS, flags=("Valid_PE", "Cloud_risk"))
    written = c2rcc.write(tmp_path, truth, chunk=(4, 3))
    with netCDF4.Dataset(written.path) as file:
        assert file["rrs_21"].wavelength == 940
        assert file["rrs_21"].valid_pixel_expression == "c2rcc_flags.Valid_PE"
        valid = raised_by_meanings(file, "c2rcc_flags", "Valid_PE")
        found = {
            nm: np.where(valid, raw(file, f"rrs_{index}"), np.nan)
            for index, nm in olci_bands.WAVELENGTH.items()
        }
        assert_same_rrs(found, written)
        for flag, raised in truth.flags.items():
            np.testing.assert_array_equal(raised_by_meanings(file, "c2rcc_flags", flag), raised)
    collocated = c2rcc.write(tmp_path, truth, collocated=True)
    with netCDF4.Dataset(collocated.path) as file:
        assert (raw(file, "rrs_1")[truth.missing] == 0).all()


def test_c2rcc_is_laid_out_as_a_real_one(tmp_path: Path, real_data: Path) -> None:
    written = c2rcc.write(tmp_path, image_of_coordinates(4, 5, olci_bands.BANDS))
    sample = real_data / "scenes/S3_OLCI_C2RCC_SNS_2017105095839.nc"
    needed = {f"/rrs_{index}" for index in olci_bands.WAVELENGTH} | {"/lat", "/lon", "/c2rcc_flags"}
    assert_same_layout(written.path, sample, needed)
    with netCDF4.Dataset(written.path) as mine, netCDF4.Dataset(sample) as theirs:
        for name in ("flag_meanings", "_Unsigned"):
            assert mine["c2rcc_flags"].getncattr(name) == theirs["c2rcc_flags"].getncattr(name)
        masks = theirs["c2rcc_flags"].flag_masks
        np.testing.assert_array_equal(mine["c2rcc_flags"].flag_masks, masks)
        for index in olci_bands.WAVELENGTH:
            for name in ("wavelength", "spectral_band_index", "bandwidth"):
                found = mine[f"rrs_{index}"].getncattr(name)
                assert found == theirs[f"rrs_{index}"].getncattr(name)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32])
def test_polymer(tmp_path: Path, dtype: type) -> None:
    truth = image_of_coordinates(13, 11, (412, 443, 1020), flags=("LAND", "CASE2"))
    written = polymer.write(tmp_path, truth, bitmask_dtype=dtype, chunk=(4, 3))
    assert_near_truth(truth, written, 1e-8)
    with netCDF4.Dataset(written.path) as file:
        assert file["Rw412"].dimensions == ("height", "width")
        found = {float(nm): unpacked(file, f"Rw{nm}") / np.pi for nm in (412, 443, 1020)}
        assert_same_rrs(found, written)
        bits = dict(part.split(":") for part in file["bitmask"].description.split(", "))
        assert file["bitmask"].dtype == dtype
        raised = raw(file, "bitmask") & int(bits["CASE2"]) != 0
        np.testing.assert_array_equal(raised, truth.flags["CASE2"])


@pytest.mark.parametrize("wqsf_layout", ["with_coastline", "without_coastline"])
@pytest.mark.parametrize("packed", [True, False])
def test_olci_wfr(tmp_path: Path, packed: bool, wqsf_layout: str) -> None:
    flags = ("WATER", "CLOUD_MARGIN", "TIDAL", "RWNEG_O21")
    truth = image_of_coordinates(13, 11, olci_bands.BANDS, flags=flags, antimeridian=True)
    written = olci_wfr.write(tmp_path, truth, packed=packed, wqsf_layout=wqsf_layout, chunk=(4, 3))
    assert_near_truth(truth, written, 3.3e-6)
    assert_navigation_near(truth, written, 1e-6)
    assert written.path.name.startswith("S3A_OL_2_WFR____20230615T100000_20230615T100300_")
    found = {}
    for index, nm in olci_bands.WAVELENGTH.items():
        band = f"Oa{index:02d}_reflectance"
        with netCDF4.Dataset(written.path / f"{band}.nc") as file:
            assert file[band].dtype == (np.uint16 if packed else np.float32)
            assert file[band].dimensions == file[f"{band}_err"].dimensions == ("rows", "columns")
            found[nm] = unpacked(file, band) / np.pi
    assert_same_rrs(found, written)
    with netCDF4.Dataset(written.path / "geo_coordinates.nc") as file:
        np.testing.assert_allclose(unpacked(file, "latitude"), written.latitude, atol=1e-12)
        np.testing.assert_allclose(unpacked(file, "longitude"), written.longitude, atol=1e-12)
    with netCDF4.Dataset(written.path / "wqsf.nc") as file:
        assert file["WQSF"].dtype == file["WQSF"].flag_masks.dtype == np.uint64
        tidal = 128 if wqsf_layout == "with_coastline" else 64
        masks = dict(zip(file["WQSF"].flag_meanings.split(), file["WQSF"].flag_masks, strict=True))
        assert (masks["TIDAL"], masks["RWNEG_O21"]) == (tidal, 2**55)
        for flag, raised in truth.flags.items():
            np.testing.assert_array_equal(raised_by_meanings(file, "WQSF", flag), raised)


def test_olci_wfr_ties_and_manifest(tmp_path: Path) -> None:
    truth = image_of_coordinates(5, 9, olci_bands.BANDS[:2])
    written = olci_wfr.write(tmp_path, truth, tie_step=4)
    with netCDF4.Dataset(written.path / "tie_geometries.nc") as file:
        assert file["SZA"].shape == (5, 3)
        assert (file.al_subsampling_factor, file.ac_subsampling_factor) == (1, 4)
        for name in ("SZA", "SAA", "OZA", "OAA"):
            np.testing.assert_allclose(unpacked(file, name), written.extra[name], atol=1e-12)
        assert np.ptp(written.extra["OAA"]) > 300
    with netCDF4.Dataset(written.path / "tie_meteo.nc") as file:
        np.testing.assert_array_equal(raw(file, "humidity"), written.extra["humidity"])
    manifest = ET.parse(written.path / "xfdumanifest.xml").getroot()  # noqa: S314 - our own
    bands = [element.get("name") for element in manifest.iter() if element.tag.endswith("}band")]
    assert bands == ["Oa01", "Oa02"]
    dry = olci_wfr.write(tmp_path, truth, platform="S3B", relative_humidity=None)
    assert dry.path.name.startswith("S3B_")
    assert not (dry.path / "tie_meteo.nc").exists()


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("crs", [geotiff.GEOGRAPHIC, geotiff.UTM])
@pytest.mark.parametrize("orientation", ["north_up", "south_up", "rotated"])
def test_geotiff(tmp_path: Path, dtype: str, crs: str, orientation: str) -> None:
    truth = image_of_coordinates(40, 33, (412, 443.5))
    written = geotiff.write(tmp_path, truth, dtype=dtype, crs=crs, orientation=orientation, tile=16)
    assert_near_truth(truth, written, 1.1e-6)
    with rasterio.open(written.path) as file:
        assert file.descriptions == ("Rrs_412", "Rrs_443.5")
        assert file.block_shapes[0] == (16, 16)
        found = {}
        for number, nm in enumerate(truth.rrs, start=1):
            stored = file.read(number)
            gap = np.isnan(stored) if dtype == "float32" else stored == file.nodata
            rrs = stored.astype(np.float64) * file.scales[number - 1] + file.offsets[number - 1]
            found[nm] = np.where(gap, np.nan, rrs)
        assert_same_rrs(found, written)
        x, y = file.xy(3, 7)
        xs, ys = rasterio.warp.transform(file.crs, "EPSG:4326", [x], [y])
    at = written.longitude[3, 7], written.latitude[3, 7]
    np.testing.assert_allclose(at, (xs[0], ys[0]), atol=1e-7)
    assert (written.latitude[0, 0] > written.latitude[-1, 0]) == (orientation != "south_up")


def test_geotiff_without_names_or_nodata(tmp_path: Path) -> None:
    truth = image_of_coordinates(4, 5, (412, 443))
    written = geotiff.write(tmp_path, truth, described=False, nodata=None, origin=(179.995, 10.0))
    assert written.longitude.min() < -179
    assert written.longitude.max() > 179
    np.testing.assert_array_equal(written.missing, truth.missing)
    with rasterio.open(written.path) as file:
        assert file.nodata is None
        assert file.descriptions == (None, None)
