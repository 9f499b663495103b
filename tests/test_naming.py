"""What products are called, and that nothing a file says leads out of the output folder."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.naming import NameTemplate
from pipeline.errors import SceneError

pytestmark = pytest.mark.quick

SOURCE = Path("/data/2024/AQUA_MODIS.20240615T183500.L2.OC.nc")
SCENE = {
    "sensor": "MODIS-Aqua",
    "platform": "Aqua",
    "instrument": "MODIS",
    "time_coverage_start": "2024-06-15T18:35:00.000Z",
    "time_coverage_end": "2024-06-15T18:40:00Z",
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{stem}.{name}.nc", "AQUA_MODIS.20240615T183500.L2.OC.iops.nc"),
        ("{parent}/{stem}.nc", "2024/AQUA_MODIS.20240615T183500.L2.OC.nc"),
        ("{sensor}/{start:%Y/%m/%d}/{stem}.nc",
         "MODIS-Aqua/2024/06/15/AQUA_MODIS.20240615T183500.L2.OC.nc"),
        ("{platform}_{instrument}_{start}_{end:%H%M}.nc", "Aqua_MODIS_20240615T183500_1840.nc"),
    ],
)  # fmt: skip
def test_fields_are_filled_in(template, expected):
    """Of the path, of the scene, and of its times in UTC."""
    assert NameTemplate(template).fill(SOURCE, "iops", SCENE) == expected


def test_a_time_of_another_zone_is_turned_to_utc():
    """Folders by day are days of UTC."""
    scene = {"time_coverage_start": "2024-06-15T23:30:00-02:00"}
    assert NameTemplate("{start:%d}.nc").fill(SOURCE, "iops", scene) == "16.nc"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{stem}", "ends with .nc"),
        ("{stem}.txt", "ends with .nc"),
        ("{steam}.nc", "unknown field {steam}"),
        ("{stem:>20}.nc", "only the fields start and end may have a format"),
        ("{stem.nc", "unbalanced braces"),
        ("/abs/{stem}.nc", "inside the output folder"),
        ("../{stem}.nc", "inside the output folder"),
        ("a/../../{stem}.nc", "inside the output folder"),
        ("{start:%Y/../..}/{stem}.nc", "inside the output folder"),
        ("{0}.nc", "unknown field"),
        ("{stem!r}x{}.nc", "unknown field"),
    ],
)
def test_a_template_that_is_wrong_is_refused(template, words):
    """Before any scene is opened."""
    with pytest.raises(ValueError, match=words.replace("{", r"\{").replace("}", r"\}")):
        NameTemplate(template)


@pytest.mark.parametrize("field", ["sensor", "platform", "start"])
@pytest.mark.parametrize("said", ["", "   "])
def test_a_scene_that_does_not_say_it_is_an_error(field, said):
    """Rather than a product in a folder without a name."""
    attribute = "time_coverage_start" if field == "start" else field
    with pytest.raises(SceneError, match=attribute):
        NameTemplate(f"{{{field}}}.nc").fill(SOURCE, "iops", {attribute: said})


def test_a_time_that_is_none_is_an_error():
    """With the text that was found."""
    with pytest.raises(SceneError, match="yesterday"):
        NameTemplate("{start}.nc").fill(SOURCE, "iops", {"time_coverage_start": "yesterday"})


@given(said=st.text(min_size=1).filter(str.strip))
def test_what_a_file_says_stays_one_part_of_the_path(said):
    """Slashes, dots and control characters included."""
    said_both = {"sensor": said, "platform": said}
    path = PurePosixPath(NameTemplate("{sensor}/{platform}.nc").fill(SOURCE, "iops", said_both))
    assert len(path.parts) == 2
    assert path.parts[0] not in ("", ".", "..")
    assert not path.is_absolute()
    assert not any(character in str(path) for character in "\0\n\\")
