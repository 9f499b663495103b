"""Files that another program has changed: what is read, what is left out, and what is advised."""

import errno
import logging

import h5py
import netCDF4
import numpy as np
import pytest
from miniatures import acolite_l2w, obpg_l2_3d, pace_l3m, sgli_nwlr
from miniatures.truth import image_of_coordinates, map_of_coordinates
from obpg_miniature import LAND, counts_of, write_obpg_l2

from pipeline.config import ReaderChoice
from pipeline.errors import SceneError, UnavailableError
from pipeline.files.access import address_of, why_absent, why_unreadable
from pipeline.masks.expression import ExpressionRule
from pipeline.readers import open_scene
from pipeline.readers.flag_bits import description_of_bits
from pipeline.scene.source_flags import SourceFlags

FETCH = "etch it again"


@pytest.fixture
def scene_file(tmp_path):
    counts = {nm: counts_of(np.full((4, 5), 0.004)) for nm in (412, 443)}
    flags = np.zeros((4, 5), np.int32)
    flags[0] = LAND
    extra = {"par": np.full((4, 5), 40.0), "sst": np.full((4, 5), 290.0)}
    return write_obpg_l2(tmp_path / "scene.nc", counts, flags=flags, extra=extra)


def changed(path, edit):
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def refused(path, reader="auto"):
    with pytest.raises(SceneError) as caught:
        open_scene(path, reader)
    return str(caught.value)


# Attributes


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("valid_range", "lowest to highest"), ("scale_factor", "one"), ("scale_factor", np.zeros(2))],
)
def test_an_odd_variable_that_nobody_uses_is_left_out(scene_file, caplog, attribute, value):
    """All others are read, and a warning names the variable and the reason."""
    changed(scene_file, lambda f: f["geophysical_data/par"].attrs.__setitem__(attribute, value))
    with caplog.at_level(logging.WARNING), open_scene(scene_file) as scene:
        assert "par" not in scene
        assert scene.sst.values.max() == 290
        assert scene.Rrs.values.max() == pytest.approx(0.004)
        (message,) = caplog.messages
        assert "scene.nc: par is left out" in message
        assert attribute in message
        assert FETCH not in message
        with pytest.raises(SceneError, match="has par, but it cannot be decoded"):
            ExpressionRule.parse("dark", "par < 1", scene, 5)


@pytest.mark.parametrize("name", ["geophysical_data/Rrs_443", "navigation_data/latitude"])
def test_an_odd_variable_that_every_run_needs_is_refused(scene_file, name):
    """It is not called damaged: another program has changed it."""
    changed(scene_file, lambda f: f[name].attrs.__setitem__("scale_factor", "one"))
    message = refused(scene_file)
    assert name in message
    assert "'one'" in message
    assert FETCH not in message


# Flags


@pytest.mark.parametrize(
    ("masks", "meanings"),
    [
        ("1b, 2b, 512b", "ATMFAIL LAND CLDICE"),
        ("1 0x2 512", "ATMFAIL, LAND, CLDICE"),
        (np.array([1.0, 2.0, 512.0]), "ATMFAIL,LAND,CLDICE"),
        (np.array([1, 2, 512]), np.array(["ATMFAIL", "LAND", "CLDICE"], dtype=object)),
        (np.array([1, 2, 512]), b"ATMFAIL;LAND;CLDICE"),
    ],
)
def test_bits_are_understood_however_they_are_written(masks, meanings):
    """With commas, as text, or as decimals: the names and bits are the same."""
    stated = {"flag_masks": masks, "flag_meanings": meanings}
    found = description_of_bits("l2_flags", np.dtype(np.int32), stated)
    assert found["flag_meanings"] == "ATMFAIL LAND CLDICE"
    assert list(found["flag_masks"]) == [1, 2, 512]


def test_the_sign_bit_as_text():
    """2147483648 is bit 31 of an int32."""
    stated = {"flag_masks": "1, 2147483648", "flag_meanings": "a b"}
    found = description_of_bits("f", np.dtype(np.int32), stated)
    assert found["flag_masks"].dtype == np.int32
    assert list(found["flag_masks"]) == [1, -(2**31)]


@pytest.mark.parametrize("masks", ["1, two", np.array([0.5, 1]), "1, 4294967296"])
def test_bits_that_are_none_are_refused(masks):
    """The message quotes what was found."""
    with pytest.raises(SceneError, match="expected integers of 32 bits"):
        description_of_bits("f", np.dtype(np.int32), {"flag_masks": masks, "flag_meanings": "a b"})


@pytest.mark.parametrize(
    ("masks", "values", "flags"),
    [
        ([1, 2, 12, 12], [1, 2, 4, 12], {"a": 1, "b": 2}),  # two bits hold a number
        ([1, 2, 4, 4], [1, 2, 0, 4], {"a": 1, "b": 2, "d": 4}),  # 0 is the other value of a bit
        ([1, 2, -(2**31), 4], [1, 2, -(2**31), 4], {"a": 1, "b": 2, "c": -(2**31), "d": 4}),
        ([6, 6, 6, 6], [0, 2, 4, 6], {}),
    ],
)
def test_a_number_in_several_bits_is_no_flag(caplog, masks, values, flags):
    """CF: with flag_values beside flag_masks, a name stands for one number in these bits."""
    stated = {
        "flag_masks": np.array(masks, "i4"),
        "flag_values": np.array(values, "i4"),
        "flag_meanings": "a b c d",
    }
    found = description_of_bits("f", np.dtype(np.int32), stated)
    names = found["flag_meanings"].split()
    assert dict(zip(names, found["flag_masks"].tolist(), strict=True)) == flags
    said = ", ".join(sorted({*"abcd"} - {*flags}))
    assert (f"f: {said} cannot be used as flags" in caplog.text) == bool(said)


def test_a_number_beside_the_flags_of_a_scene(scene_file):
    """The flags mask as before; the name of a number is not known."""
    with netCDF4.Dataset(scene_file, "a") as file:
        flags = file["geophysical_data/l2_flags"]
        masks, names = np.atleast_1d(flags.flag_masks), flags.flag_meanings.split()
        flags.flag_masks = np.append(masks, [48, 48]).astype("i4")
        flags.flag_values = np.append(masks, [16, 48]).astype("i4")
        flags.flag_meanings = " ".join([*names, "thin", "thick"])
    with open_scene(scene_file) as scene:
        assert [*SourceFlags.of(scene).masks] == [*dict.fromkeys(names)]


def test_meanings_with_commas_mask_the_same_pixels(scene_file):
    """The whole file, as a subsetter writes it."""
    flags = "geophysical_data/l2_flags"
    with open_scene(scene_file) as scene:
        expected = scene.source_flags.attrs["flag_meanings"]
    comma = expected.replace(" ", ",")
    changed(scene_file, lambda f: f[flags].attrs.__setitem__("flag_meanings", comma))
    with open_scene(scene_file) as scene:
        assert scene.source_flags.attrs["flag_meanings"] == expected
        assert (scene.source_flags.values[0] == LAND).all()


def test_flags_as_decimals_are_refused_with_advice(scene_file):
    """They may have lost bits; to fetch the same file again would not help."""

    def as_decimals(file):
        group = file["geophysical_data"]
        old = group["l2_flags"]
        attributes = {k: old.attrs[k] for k in ("flag_masks", "flag_meanings")}
        scales = [old.dims[axis][0] for axis in (0, 1)]
        values = old[...].astype(np.float32)
        del group["l2_flags"]
        new = group.create_dataset("l2_flags", data=values)
        new.attrs.update(attributes)
        for axis, scale in enumerate(scales):
            new.dims[axis].attach_scale(scale)

    message = refused(changed(scene_file, as_decimals))
    assert "l2_flags is float32, expected integers" in message
    assert "mask_and_scale=False" in message
    assert FETCH not in message


# Subsets


def test_a_group_that_a_subset_lacks(scene_file):
    """The group is named, and the advice is to make the subset with it."""
    message = refused(changed(scene_file, lambda f: f.__delitem__("navigation_data")))
    assert "no group navigation_data" in message
    assert "make the subset again" in message
    assert FETCH not in message


@pytest.fixture
def cube_file(tmp_path):
    truth = image_of_coordinates(6, 7, (412.0, 443.0, 490.0))
    return obpg_l2_3d.write(tmp_path, truth).path


def test_wavelengths_that_a_subset_lacks_can_be_stated(cube_file):
    """Without them the message says how; with them the values are the same."""
    with open_scene(cube_file) as scene:
        expected, centres = scene.Rrs.values, scene.Rrs_wavelength.values
    changed(cube_file, lambda f: f.__delitem__("sensor_band_parameters"))
    message = refused(cube_file)
    assert "options: {wavelengths:" in message
    assert FETCH not in message
    stated = ReaderChoice(format="obpg_l2", options={"wavelengths": centres.tolist()})
    with open_scene(cube_file, stated) as scene:
        np.testing.assert_array_equal(scene.Rrs.values, expected)
        np.testing.assert_array_equal(scene.Rrs_wavelength.values, centres)
    few = ReaderChoice(format="obpg_l2", options={"wavelengths": [412]})
    assert "1 wavelengths, but Rrs has 3 bands" in refused(cube_file, few)


def test_wavelengths_of_a_cube_in_any_netcdf_file(tmp_path):
    """A list is for a 3-D variable; the wrong number of them is refused."""
    path = pace_l3m.write(tmp_path, map_of_coordinates(6, 7, (412.0, 443.0, 490.0))).path
    with open_scene(path) as scene:
        expected = scene.Rrs.values
    changed(path, lambda f: f.move("wavelength", "axis"))

    def stated(**options):
        return ReaderChoice(format="cf_netcdf", options={"preset": "pace_l3m", **options})

    message = refused(path, stated())
    assert "reader.options.wavelengths: {Rrs: [...]}" in message
    assert FETCH not in message
    with open_scene(path, stated(wavelengths={"Rrs": [412, 443, 490]})) as scene:
        np.testing.assert_array_equal(scene.Rrs.values, expected)
    assert "states 2 wavelengths for Rrs, which has 3 bands" in refused(
        path, stated(wavelengths={"Rrs": [412, 443]})
    )


def test_an_odd_variable_of_other_formats(tmp_path, caplog):
    """SGLI, OLCI and files read by a mapping leave it out as well, and name it."""
    found = {}
    sgli = sgli_nwlr.write(
        tmp_path, image_of_coordinates(30, 40, (380, 412, 443, 490, 530, 565, 670))
    ).path
    changed(sgli, lambda f: f["Geometry_data"].copy("Latitude", "Solar_zenith"))
    changed(
        sgli, lambda f: f["Geometry_data/Solar_zenith"].attrs.__delitem__("Resampling_interval")
    )
    acolite = acolite_l2w.write(tmp_path, image_of_coordinates(6, 7, (443, 492, 560))).path
    changed(acolite, lambda f: f.copy("lat", "depth"))
    changed(acolite, lambda f: f["depth"].attrs.__setitem__("missing_value", "none"))
    for path in (sgli, acolite):
        with open_scene(path) as scene:
            found[path] = set(scene.encoding["unread"])
    assert found == {sgli: {"solar_zenith"}, acolite: {"depth"}}
    assert "solar_zenith is left out" in caplog.text


# Locked files and other causes outside the file


def test_a_locked_file_is_unavailable_and_not_damaged(scene_file, monkeypatch):
    """It can be read as soon as the other process has closed it."""
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "TRUE")

    def locked(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Unable to open file (unable to lock file)")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.files.hdf5.h5py.File", locked)
        with pytest.raises(UnavailableError, match="another process has locked the file") as caught:
            open_scene(scene_file)
        assert FETCH not in str(caught.value)
    open_scene(scene_file).close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "denied"), "no permission"),
        (OSError("Can't read data (file read failed: errno = 5, error message = 'x')"), "disk"),
        (OSError(errno.ESTALE, "Stale file handle"), "disk or network"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError("Unable to open file (file is already open for write)"), "is writing it"),
        (OSError("Unable to open file (truncated file: eof = 10)"), None),
        (KeyError("x"), None),
    ],
)
def test_causes_outside_the_file(error, words):
    """Each has advice of its own; only what remains may be damage."""
    found = why_unreadable(error)
    assert found is None if words is None else words in found


@pytest.mark.parametrize(
    "path",
    [
        "s3://bucket/a.nc", "https://x.org/a.nc", "/here/http:/x.org/a", "s3a:/bucket/a.nc",
        "unheard-of://host/a.nc", "/vsis3/bucket/a.tif",
    ],
)  # fmt: skip
def test_addresses_are_recognised(path):
    """Also after pathlib has taken one of their slashes."""
    assert address_of(path)
    assert "this machine only" in why_absent(path)


@pytest.mark.parametrize("path", ["a.nc", "C:/data/a.nc", "/data/12:30/a.nc", "odd:name.nc"])
def test_names_with_a_colon_are_no_addresses(path):
    """They are paths that do not exist."""
    assert address_of(path) is None
    assert why_absent(path) == "no such file. Check the path"


def test_paths_that_look_right_but_are_not_there(tmp_path):
    """A link to nothing, a link to itself, blanks and quotes: the path itself looks right."""
    (tmp_path / "a.nc").write_bytes(b"1")
    (tmp_path / "to_disk.nc").symlink_to(tmp_path / "unmounted" / "a.nc")
    (tmp_path / "loop.nc").symlink_to("loop.nc")
    assert "a link to" in why_absent(tmp_path / "to_disk.nc")
    assert "a link to loop.nc" in why_absent(tmp_path / "loop.nc")
    assert "quotes or blanks" in why_absent(f"{tmp_path}/a.nc ")
    assert "quotes or blanks" in why_absent(f'"{tmp_path}/a.nc"')
    assert "without file://" in why_absent(f"file://{tmp_path}/a.nc")


def test_a_disk_that_fails_is_not_called_a_wrong_path(monkeypatch):
    """The path may be right."""

    def stat(_):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("pathlib.Path.stat", stat)
    assert "disk or network failed" in why_absent("/data/a.nc")


# Parts that another program rewrote


def without_dimensions(file, name, numbers=None):
    """Write a variable as h5py does after ``del``: its dimensions have no names any more."""
    old = file[name]
    numbers, attributes = old[...] if numbers is None else numbers, dict(old.attrs)
    del file[name]
    new = file.create_dataset(name, data=numbers)
    for key in set(attributes) & {"scale_factor", "add_offset", "_FillValue", "units"}:
        new.attrs[key] = attributes[key]


@pytest.mark.parametrize("numbers", [None, np.zeros((2, 5), "i2"), np.full((4, 5), b"0.1")])
def test_a_band_that_lost_its_dimensions_is_refused(scene_file, numbers):
    """Else an algorithm would take the next band that is near enough, and say nothing."""
    changed(scene_file, lambda f: without_dimensions(f, "geophysical_data/Rrs_443", numbers))
    message = refused(scene_file)
    assert "Rrs_443 is" in message
    assert "expected numbers on number_of_lines x pixels_per_line" in message
    assert FETCH not in message


def test_positions_that_lost_their_dimensions_are_not_called_missing(scene_file):
    """The file has them, but not on its lines and pixels."""
    one_line = np.zeros(5, "f4")
    changed(scene_file, lambda f: without_dimensions(f, "navigation_data/latitude", one_line))
    assert "latitude is float32 with shape (5,) on dimensions without names" in refused(scene_file)


@pytest.mark.parametrize("attribute", ["flag_masks", "flag_meanings"])
def test_flags_without_a_description(scene_file, attribute):
    """This is no mistake of the reader."""
    changed(scene_file, lambda f: f["geophysical_data/l2_flags"].attrs.__delitem__(attribute))
    message = refused(scene_file)
    assert f"l2_flags has no {attribute}" in message
    assert "mistake" not in message


def test_numbers_are_quoted_without_their_type(scene_file):
    """As a scientist writes them."""
    name = "geophysical_data/Rrs_443"
    changed(scene_file, lambda f: f[name].attrs.__setitem__("scale_factor", np.float32(np.nan)))
    assert "scale_factor is nan, expected one number" in refused(scene_file)


def test_a_file_of_zeros_and_a_text(tmp_path):
    """A download that stopped, and a server's message in place of the file."""
    (tmp_path / "zeros.nc").write_bytes(bytes(5000))
    assert FETCH in refused(tmp_path / "zeros.nc")
    (tmp_path / "notes").write_text("\ufeffScènes à traiter\nx", encoding="utf-8")
    assert "a text file that begins with 'Scènes à traiter'" in refused(tmp_path / "notes")
    (tmp_path / "rate.nc").write_text("Too many requests\n")
    assert "a text file that begins with 'Too many requests'" in refused(tmp_path / "rate.nc")
    (tmp_path / "folder").mkdir()
    assert "a folder without .nc files" in refused(tmp_path / "folder")
