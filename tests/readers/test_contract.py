"""What every reader promises, tested on every entry of READERS.

The scenes are written by ``tests/miniatures``, which share nothing with the readers and say in
float64 what the file means.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from miniatures import (
    acolite_l2r,
    acolite_l2w,
    c2rcc,
    geotiff,
    obpg_control_points,
    obpg_l2_3d,
    occci_l3,
    olci_wfr,
    pace_l3m,
    polymer,
    sgli_nwlr,
)
from miniatures.truth import image_of_coordinates, map_of_coordinates

from pipeline.config import ReaderChoice
from pipeline.errors import PipelineError, SceneError, UnknownFormatError
from pipeline.readers import READERS, open_scene
from pipeline.scene import check_scene, state_name, wavelengths
from pipeline.source_flags import SourceFlags

LINES, PIXELS = 21, 26
CHUNK = (8, 10)


@dataclass(frozen=True)
class Case:
    """A format, what writes it, and how it is opened."""

    reader: str
    write: Callable[..., Any]
    bands: tuple[float, ...]
    flags: tuple[str, ...] = ()
    is_map: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    reader_options: dict[str, Any] = field(default_factory=dict)
    sensor: str = ""
    named_as: dict[float, float] = field(default_factory=dict)
    tolerance: float = 1e-9

    def written(self, folder, **changes):
        """The miniature; changes are for the truth."""
        make = map_of_coordinates if self.is_map else image_of_coordinates
        truth = make(LINES, PIXELS, self.bands, flags=self.flags, **changes)
        chunk = {} if self.reader == "geotiff" else {"chunk": CHUNK}
        return self.write(folder, truth, **chunk, **self.options)

    @property
    def choice(self):
        """How the reader is asked for."""
        if self.reader_options:
            return ReaderChoice(format=self.reader, options=self.reader_options)
        return ReaderChoice()


OLCI_BANDS = (412.5, 442.5, 560.0, 673.75)
CASES = {
    "sgli": Case(
        "sgli_l2",
        sgli_nwlr.write,
        (380, 412, 443, 490, 530, 565, 670),
        ("LAND", "CLDICE"),
        options={"interval": 5},
        sensor="SGLI",
        named_as={670: 672},
    ),
    "sgli_every_pixel": Case(
        "sgli_l2", sgli_nwlr.write, (412, 443), ("LAND",), options={"interval": 1}, sensor="SGLI"
    ),
    "sgli_undescribed": Case(
        "sgli_l2",
        sgli_nwlr.write,
        (412, 443),
        ("LAND", "STRAYLIGHT"),
        options={"qa_layout": "undescribed"},
        reader_options={"qa_layout": "nwlr"},
        sensor="SGLI",
    ),
    "pace_oci": Case(
        "obpg_l2", obpg_l2_3d.write, (346, 380, 443, 719), ("LAND", "CLDICE"), sensor="OCI"
    ),
    "obpg_olci": Case(
        "obpg_l2",
        obpg_l2_3d.write,
        (412, 443),
        ("LAND",),
        options={"platform": "Sentinel-3A", "instrument": "OLCI", "dimensions_at_root": True},
        sensor="OLCI",
    ),
    "obpg_hico": Case(
        "obpg_l2",
        obpg_l2_3d.write,
        (438, 444),
        ("LAND",),
        options={"platform": "ISS", "instrument": "HICO"},
        sensor="HICO",
    ),
    "obpg_control_points": Case(
        "obpg_l2", obpg_control_points.write, (412, 443), ("LAND",), sensor="MODIS-Aqua"
    ),
    "olci_wfr": Case("olci_wfr", olci_wfr.write, OLCI_BANDS, ("CLOUD", "WATER"), sensor="OLCI"),
    "olci_wfr_float": Case(
        "olci_wfr",
        olci_wfr.write,
        OLCI_BANDS,
        ("CLOUD",),
        options={"packed": False, "wqsf_layout": "without_coastline"},
        sensor="OLCI",
    ),
    "c2rcc": Case(
        "cf_netcdf", c2rcc.write, (400.0, 442.5, 1020.0), ("Valid_PE", "Rtosa_OOS"), sensor="OLCI"
    ),
    "polymer": Case(
        "cf_netcdf", polymer.write, (412, 443, 560), ("LAND", "CLOUD_BASE"), sensor="OLCI"
    ),
    "acolite_l2w": Case("cf_netcdf", acolite_l2w.write, (443, 560, 665), ("SWIR",), sensor="S2A"),
    "acolite_l2r": Case("cf_netcdf", acolite_l2r.write, (443, 560, 665), sensor="S2A"),
    "occci_l3": Case("cf_netcdf", occci_l3.write, (412, 443, 665), is_map=True),
    "pace_l3m": Case("cf_netcdf", pace_l3m.write, (346, 443), is_map=True, sensor="OCI"),
    "geotiff": Case(
        "geotiff",
        geotiff.write,
        (443, 560),
        reader_options={"units": "sr-1", "sensor": "S2A"},
        sensor="S2A",
        is_map=True,
    ),
    "geotiff_utm": Case(
        "geotiff",
        geotiff.write,
        (443, 560),
        options={"crs": geotiff.UTM, "dtype": "int16", "described": False},
        reader_options={"units": "sr-1", "wavelengths": [443, 560]},
        is_map=True,
    ),
}


@pytest.fixture(params=sorted(CASES))
def case(request):
    return CASES[request.param]


def test_every_reader_is_tested():
    """The table of miniatures keeps up with the table of readers."""
    assert {case.reader for case in CASES.values()} == set(READERS)


def opened(case, written):
    """The scene of a miniature."""
    return open_scene(written.path, case.choice)


def test_recognised_from_the_content(case, tmp_path):
    """The format is found whatever the file is called."""
    written = case.written(tmp_path)
    renamed = written.path.rename(tmp_path / "no_suffix")
    with open_scene(renamed, case.choice) as scene:
        assert scene.attrs["reader"] == case.reader
        assert scene.attrs["sensor"] == case.sensor


def test_names_dims_units_and_types(case, tmp_path):
    """check_scene has no complaint; bands are at their wavelengths, in order."""
    with opened(case, case.written(tmp_path)) as scene:
        check_scene(scene)
        expected = sorted(case.named_as.get(nm, nm) for nm in case.bands)
        assert wavelengths(scene, "Rrs").tolist() == expected
        assert scene.Rrs.attrs["units"] == "sr-1"
        assert (scene.sizes["y"], scene.sizes["x"]) == (LINES, PIXELS)


def test_everything_is_lazy(case, tmp_path):
    """Opening computes nothing."""
    written = case.written(tmp_path)

    def refuse(*_args, **_kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse), opened(case, written) as scene:
        for name in scene.variables:
            if scene[name].dims[-2:] == ("y", "x"):
                assert isinstance(scene[name].data, da.Array), name


def test_stored_bands_are_in_the_chunks_of_the_file(case, tmp_path):
    """So that a task reads whole storage chunks."""
    if case.reader == "geotiff":  # read in windows of many of its tiles, see its own tests
        return
    with opened(case, case.written(tmp_path)) as scene:
        assert scene.Rrs.chunks[-2:] == ((8, 8, 5), (10, 10, 6))


def test_every_value_is_at_its_own_line_and_pixel(case, tmp_path):
    """The image of coordinates comes out as it was written; fill and invalid are NaN."""
    written = case.written(tmp_path)
    with opened(case, written) as scene:
        for nm, expected in written.rrs.items():
            found = scene.Rrs.sel(Rrs_wavelength=case.named_as.get(nm, nm)).values
            np.testing.assert_allclose(found, expected, atol=case.tolerance, rtol=1e-7)


def test_geolocation(case, tmp_path):
    """Every pixel is within 1e-4 degree of where it was written."""
    written = case.written(tmp_path)
    with opened(case, written) as scene:
        np.testing.assert_allclose(scene.latitude.values, written.latitude, atol=1e-4)
        away = (scene.longitude.values - written.longitude + 180) % 360 - 180
        assert np.abs(away).max() <= 1e-4


def test_what_a_value_is_beside_its_number(case, tmp_path):
    """Outside the valid range and saturated are states, fill is none."""
    written = case.written(tmp_path)
    with opened(case, written) as scene:
        states = scene[state_name("Rrs")].values
        np.testing.assert_array_equal(((states & 1) != 0).any(axis=0), written.outside)
        np.testing.assert_array_equal(((states & 2) != 0).any(axis=0), written.saturated)
        assert not states[:, written.missing].any()


def test_flags_are_found_by_name(case, tmp_path):
    """Each flag is set where it was raised, and nowhere else."""
    written = case.written(tmp_path)
    with opened(case, written) as scene:
        if not case.flags:
            assert "source_flags" not in scene
            return
        stored = scene.source_flags.values
        unsigned = stored.view(f"u{stored.dtype.itemsize}")
        table = SourceFlags.of(scene)
        for name in case.flags:
            found = (unsigned & unsigned.dtype.type(table.mask(name))) != 0
            np.testing.assert_array_equal(found, written.flags[name], err_msg=name)


def test_a_scene_without_a_valid_pixel(case, tmp_path):
    """It opens, all bands NaN, geolocation as ever."""
    written = case.written(tmp_path, all_missing=True)
    with opened(case, written) as scene:
        assert np.isnan(scene.Rrs.values).all()
        np.testing.assert_allclose(scene.latitude.values, written.latitude, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [{"antimeridian": True}, {"pole": True}, {"descending": False}, {"north_up": False}],
    ids=lambda changes: next(iter(changes)),
)
def test_the_other_ways_to_lie_on_the_globe(case, tmp_path, changes):
    """Across 180 degrees, ascending and descending, with lines from south to north."""
    is_of_swaths = not {"north_up"} & set(changes)
    if case.is_map and {"pole", "descending"} & set(changes):
        return
    if not case.is_map and not is_of_swaths:
        return
    if "pole" in changes and case.reader == "sgli_l2" and case.options.get("interval") != 1:
        return  # no bilinear interpolation holds there, see tests/readers/test_sgli_l2.py
    if "pole" in changes and case.write is obpg_control_points.write:
        return
    if case.reader == "geotiff":
        return  # its place is its transform
    written = case.written(tmp_path, **changes)
    with opened(case, written) as scene:
        np.testing.assert_allclose(scene.latitude.values, written.latitude, atol=1e-4)
        away = (scene.longitude.values - written.longitude + 180) % 360 - 180
        assert np.abs(away).max() <= 1e-4
        for nm, expected in written.rrs.items():
            found = scene.Rrs.sel(Rrs_wavelength=case.named_as.get(nm, nm)).values
            np.testing.assert_allclose(found, expected, atol=case.tolerance, rtol=1e-7)


@pytest.mark.parametrize("name", sorted(READERS))
def test_the_named_reader_refuses_another_format(name, tmp_path):
    """A text file is a SceneError for the reader that is named, too."""
    wrong = tmp_path / "wrong.nc"
    wrong.write_text("this is not a scene")
    with pytest.raises(SceneError, match=r"wrong\.nc"):
        open_scene(wrong, name)
    with pytest.raises(UnknownFormatError, match="a text file"):
        open_scene(wrong)


def test_every_other_reader_refuses(case, tmp_path):
    """No reader takes the file of another; the message says what it is."""
    written = case.written(tmp_path)
    for name in set(READERS) - {case.reader}:
        with pytest.raises(PipelineError, match=written.path.name):
            open_scene(written.path, name)


def test_an_unknown_option_is_named(case, tmp_path):
    """With those that the reader has."""
    written = case.written(tmp_path)
    choice = ReaderChoice(format=case.reader, options={"colour": "blue"})
    with pytest.raises(PipelineError, match="colour: unknown key"):
        open_scene(written.path, choice)
