"""What every reader promises, tested on every entry of READERS.

The scenes are written by ``tests/miniatures``, which share nothing with the readers and say in
float64 what the file means.
"""

import re

import dask
import dask.array as da
import numpy as np
import pytest
from miniatures import obpg_control_points
from miniatures.cases import CASES, LINES, PIXELS

from pipeline.config import ReaderChoice
from pipeline.errors import PipelineError, SceneError, UnknownFormatError
from pipeline.inspection import inspect_file
from pipeline.readers import READERS, open_scene
from pipeline.scene.scene import check_scene, state_name, wavelengths
from pipeline.scene.source_flags import SourceFlags


@pytest.fixture(params=sorted(CASES))
def case(request):
    return CASES[request.param]


@pytest.mark.quick
def test_every_reader_is_tested():
    """The table of miniatures keeps up with the table of readers.

    Products have tests of their own, because they hold results instead of bands.
    """
    assert {case.reader for case in CASES.values()} == set(READERS) - {"ocpipe_product"}


def opened(case, written, chunks=None):
    """The scene of a miniature."""
    return open_scene(written.path, case.choice, chunks)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """What was written of a case, and its scene, which is opened once for all who only look."""
    made = {}

    def of(case):
        key = id(case)
        if key not in made:
            written = case.written(tmp_path_factory.mktemp("case"))
            made[key] = written, opened(case, written)
        return made[key]

    yield of
    for _, scene in made.values():
        scene.close()


def test_recognised_from_the_content(case, tmp_path):
    """The format is found whatever the file is called."""
    written = case.written(tmp_path)
    renamed = written.path.rename(tmp_path / "no_suffix")
    with open_scene(renamed, case.choice) as scene:
        assert scene.attrs["reader"] == case.reader
        assert scene.attrs["sensor"] == case.sensor


def test_the_reader_is_made_once(case, tmp_path, monkeypatch):
    """One reader recognises the file and opens it, whether chosen or found."""
    made = []

    class Counted(READERS[case.reader]):
        def __init__(self, options):
            made.append(options)
            super().__init__(options)

    monkeypatch.setitem(READERS, case.reader, Counted)
    opened(case, case.written(tmp_path)).close()
    assert len(made) == 1


def test_names_dims_units_and_types(case, unchanged):
    """check_scene has no complaint; bands are at their wavelengths, in order."""
    _, scene = unchanged(case)
    check_scene(scene)
    expected = sorted(case.named_as.get(nm, nm) for nm in case.bands)
    assert wavelengths(scene, "Rrs").tolist() == expected
    assert scene.Rrs.attrs["units"] == "sr-1"
    assert (scene.sizes["y"], scene.sizes["x"]) == (LINES, PIXELS)


def test_everything_is_lazy(case, tmp_path):
    """Opening loads nothing, and gives Dask arrays without computing them where asked to."""
    written = case.written(tmp_path)

    def refuse(*_args, **_kwargs):
        raise AssertionError("computed")

    with opened(case, written) as scene:
        for name in scene.variables:
            if scene[name].dims[-2:] == ("y", "x"):
                assert not scene[name].variable._in_memory, name
    with dask.config.set(scheduler=refuse), opened(case, written, chunks={}) as scene:
        for name in scene.variables:
            if scene[name].dims[-2:] == ("y", "x"):
                assert isinstance(scene[name].data, da.Array), name


def test_stored_bands_are_in_the_chunks_of_the_file(case, tmp_path):
    """So that a task reads whole storage chunks."""
    if case.reader == "geotiff":  # read in windows of many of its tiles, see its own tests
        return
    with opened(case, case.written(tmp_path), chunks={}) as scene:
        assert scene.Rrs.chunks[-2:] == ((8, 8, 5), (10, 10, 6))


@pytest.mark.quick
def test_every_value_is_at_its_own_line_and_pixel(case, unchanged):
    """The image of coordinates comes out as it was written; fill and invalid are NaN."""
    written, scene = unchanged(case)
    for nm, expected in written.rrs.items():
        found = scene.Rrs.sel(Rrs_wavelength=case.named_as.get(nm, nm)).values
        np.testing.assert_allclose(found, expected, atol=case.tolerance, rtol=1e-7)


@pytest.mark.quick
def test_geolocation(case, unchanged):
    """Every pixel is within 1e-4 degree of where it was written."""
    written, scene = unchanged(case)
    np.testing.assert_allclose(scene.latitude.values, written.latitude, atol=1e-4)
    away = (scene.longitude.values - written.longitude + 180) % 360 - 180
    assert np.abs(away).max() <= 1e-4


def test_what_a_value_is_beside_its_number(case, unchanged):
    """Outside the valid range and saturated are states, fill is none."""
    written, scene = unchanged(case)
    states = scene[state_name("Rrs")].values
    np.testing.assert_array_equal(((states & 1) != 0).any(axis=0), written.outside)
    np.testing.assert_array_equal(((states & 2) != 0).any(axis=0), written.saturated)
    assert not states[:, written.missing].any()


@pytest.mark.quick
def test_flags_are_found_by_name(case, unchanged):
    """Each flag is set where it was raised, and nowhere else."""
    written, scene = unchanged(case)
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


def test_inspect_describes_it(case, tmp_path):
    """Format, sensor, size, bands and flags, in words."""
    lines = "\n".join(inspect_file(case.written(tmp_path).path, case.choice))
    assert f"format       {case.reader}\n" in lines
    assert f"sensor       {case.sensor or 'unknown'}\n" in lines
    assert f"size         {LINES} lines x {PIXELS} pixels\n" in lines
    assert re.search(r"^Rrs .* nm \(sr-1\)$", lines, re.MULTILINE)
    assert all(f" {flag} " in lines for flag in case.flags)


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
