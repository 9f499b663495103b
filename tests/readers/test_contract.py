"""What every reader promises, tested on every entry of READERS."""

import dask
import dask.array as da
import numpy as np
import pytest
from obpg_miniature import FILL, LAND, write_obpg_l2

from pipeline.errors import SceneError, UnknownFormatError
from pipeline.readers import READERS, open_scene
from pipeline.scene import check_scene, spectral_quantities, state_name
from pipeline.source_flags import SourceFlags

LINES, PIXELS = 9, 7


def obpg_l2(folder):
    """An image of coordinates, with fill at (0, 0), outside at (0, 1) and LAND at (2, 3)."""
    line, pixel = np.mgrid[0:LINES, 0:PIXELS]
    counts = -24000 + 100 * line + pixel
    counts[0, 0], counts[0, 1] = FILL, 25001
    flags = np.zeros((LINES, PIXELS), np.int32)
    flags[2, 3] = LAND
    bands = {412: counts, 443: np.where(counts == FILL, FILL, counts + 1)}
    return write_obpg_l2(folder / "scene.nc", bands, flags=flags, chunk=(4, 3))


# Reader -> what writes its miniature; a reader without one fails test_every_reader_is_tested.
MINIATURES = {"obpg_l2": obpg_l2}


@pytest.fixture(params=sorted(MINIATURES))
def miniature(request, tmp_path):
    return request.param, MINIATURES[request.param](tmp_path)


def test_every_reader_is_tested():
    """The table of miniatures keeps up with the table of readers."""
    assert set(READERS) == set(MINIATURES)


def test_recognised_from_the_content(miniature, tmp_path):
    """The format is found whatever the file is called."""
    name, path = miniature
    renamed = path.rename(tmp_path / "no_suffix")
    with open_scene(renamed) as scene:
        assert scene.attrs["reader"] == name


def test_names_dims_units_and_types(miniature):
    """check_scene has no complaint, and there is something to work on."""
    with open_scene(miniature[1]) as scene:
        check_scene(scene)
        assert spectral_quantities(scene)
        assert scene.sizes["y"] == LINES
        assert scene.sizes["x"] == PIXELS
        for name in ("latitude", "longitude"):
            assert scene[name].dims == ("y", "x")


def test_everything_is_lazy_and_chunked_as_stored(miniature):
    """Opening computes nothing; chunks are those of the file."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse), open_scene(miniature[1]) as scene:
        for name in scene.variables:
            if scene[name].dims[-2:] == ("y", "x"):
                assert isinstance(scene[name].data, da.Array), name
                assert scene[name].chunks[-2:] == ((4, 4, 1), (3, 3, 1)), name


def test_orientation_fill_and_valid_range(miniature):
    """Every value is at its own line and pixel; fill and invalid are NaN, the latter a state."""
    with open_scene(miniature[1]) as scene:
        for index, offset in enumerate((0, 1)):
            line, pixel = np.mgrid[0:LINES, 0:PIXELS]
            expected = (-24000 + offset + 100 * line + pixel) * 2e-6 + 0.05
            expected[0, :2] = np.nan
            np.testing.assert_allclose(scene.Rrs[index], expected, atol=1e-8)
            states = scene[state_name("Rrs")][index].values
            assert states[0, 1] == 1
            assert states.sum() == 1


def test_flags_are_found_by_name(miniature):
    """LAND is set where it was set, and nowhere else."""
    with open_scene(miniature[1]) as scene:
        mask = SourceFlags.of(scene).mask("LAND")
        assert np.argwhere(scene.source_flags.values & mask).tolist() == [[2, 3]]


def test_the_named_reader_refuses_another_format(miniature, tmp_path):
    """A text file is a SceneError for the reader that is named, too."""
    wrong = tmp_path / "wrong.nc"
    wrong.write_text("this is not a scene")
    with pytest.raises(SceneError, match=r"wrong\.nc"):
        open_scene(wrong, miniature[0])
    with pytest.raises(UnknownFormatError, match="a text file"):
        open_scene(wrong)
