"""The miniatures mean what they say, read with nothing but the formats' own libraries."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from miniatures import sgli_nwlr
from miniatures.truth import Truth, Written, image_of_coordinates, unwrapped


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
