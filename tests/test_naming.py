"""What products are called, and that nothing a file says leads out of the output folder."""

import os
from pathlib import Path, PurePosixPath

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.naming import LONGEST_NAME, NameTemplate
from pipeline.errors import SceneError, WriteError
from pipeline.product.delivery import Delivery
from pipeline.writers.partial import partial_path

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
        ("./{stem}.nc", "inside the output folder"),
        ("a//{stem}.nc", "inside the output folder"),
        ("a\n/{stem}.nc", "control character"),
        (f"{'a' * 260}/{{stem}}.nc", "longer than 255 bytes"),
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


@pytest.mark.parametrize(
    ("template", "source", "words"),
    [
        (".{start:.}/{stem}.nc", "a.nc", "part of the path is '..'"),
        ("{start:.}./{stem}.nc", "a.nc", "part of the path is '..'"),
        ("a/{start:.}/{stem}.nc", "a.nc", "part of the path is '.'"),
        ("{start:%n}/{stem}.nc", "a.nc", "control character"),
        ("{stem}.nc", "a\x1b[31m\n.nc", "control character"),
        ("{stem}.nc", "a\x85.nc", "control character"),
        ("{stem}.{name}.nc", f"{'é' * 126}.nc", "longer than 255 bytes"),
        ("{platform}.nc", "a.nc", "longer than 255 bytes"),
    ],
)
def test_the_filled_path_stays_in_the_output_folder(template, source, words):
    """A template alone does not show what its fields become."""
    scene = SCENE | {"platform": "p" * 300}
    with pytest.raises(SceneError, match=words):
        NameTemplate(template).fill(f"/data/{source}", "iops", scene)


def test_a_name_that_is_not_utf_8_is_a_name():
    """File names are bytes."""
    assert NameTemplate("{stem}.nc").fill("/data/mesur\udce9.nc", "iops") == "mesur\udce9.nc"


def delivery(folder: Path, product: str) -> Delivery:
    return Delivery(folder, NameTemplate(product), "iops")


@pytest.mark.parametrize(
    ("product", "link", "leads_to"),
    [
        ("{parent}/{stem}.nc", "2024", "../elsewhere"),
        ("a/b/{stem}.nc", "a", "/"),
        ("a/b/c/{stem}.nc", "a/b", "../.."),
        ("a/{stem}.nc", "a", "a"),
    ],
)
def test_no_link_leads_out_of_the_output_folder(tmp_path, product, link, leads_to):
    """Whoever put it into the middle of the path."""
    out = tmp_path / "out"
    (out / link).parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (out / link).symlink_to(leads_to)
    with pytest.raises(WriteError, match="leads out of the output folder"):
        delivery(out, product).target(SOURCE, SCENE)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_links_within_and_to_the_output_folder_are_links(tmp_path):
    """A disk may be mounted under another name."""
    (tmp_path / "disk" / "a").mkdir(parents=True)
    (tmp_path / "out").symlink_to("disk")
    (tmp_path / "out" / "b").symlink_to("a")
    target = delivery(tmp_path / "out", "b/{stem}.nc").target(SOURCE, SCENE)
    assert target == tmp_path / "out" / "b" / f"{SOURCE.stem}.nc"


@hypothesis.settings(max_examples=20)
@given(st.text(max_size=250))
def test_a_temporary_name_fits(text):
    """It repeats the name of the file, which may be as long as a name may be."""
    name = "".join(c for c in text if c.isalnum()) + "x"
    while len(os.fsencode(name)) > LONGEST_NAME:
        name = name[1:]
    made = partial_path(Path("out") / name, "lease")
    assert len(os.fsencode(made.name)) <= LONGEST_NAME
    assert made.name.startswith(".x" if name == "x" else f".{name[:1]}")


@given(said=st.text(min_size=1, max_size=60).filter(str.strip))
def test_what_a_file_says_stays_one_part_of_the_path(said):
    """Slashes, dots and control characters included."""
    said_both = {"sensor": said, "platform": said}
    path = PurePosixPath(NameTemplate("{sensor}/{platform}.nc").fill(SOURCE, "iops", said_both))
    assert len(path.parts) == 2
    assert path.parts[0] not in ("", ".", "..")
    assert not path.is_absolute()
    assert not any(character in str(path) for character in "\0\n\\")
