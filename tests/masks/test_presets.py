"""Shipped lists of flags: they fit the formats they are for, and are stated in full."""

from types import MappingProxyType

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from miniatures import (
    acolite_l2w,
    c2rcc,
    obpg_control_points,
    obpg_l2_3d,
    olci_wfr,
    polymer,
    sgli_nwlr,
)
from miniatures.truth import image_of_coordinates
from small_runs import flag_bit, network_for, product_of, run_settings

from pipeline.cli import main
from pipeline.config import as_yaml, load_config
from pipeline.config.science import mask_presets
from pipeline.errors import ConfigError, SceneError
from pipeline.process import plan_scene
from pipeline.readers import open_scene
from pipeline.scene.source_flags import SourceFlags

OLCI = (412.5, 442.5, 490.0)
NOMINAL = (412, 443, 490)
LISTS = ("flags", "flags_if_present", "keep_flags")
EXPRESSIONS = "expressions"

# Preset and variant of the format -> what writes it, its bands, options.
FILES = MappingProxyType(
    {
        ("eumetsat_recommended", "with_coastline"): (
            olci_wfr.write,
            OLCI,
            {"wqsf_layout": "with_coastline"},
        ),
        ("eumetsat_recommended", "without_coastline"): (
            olci_wfr.write,
            OLCI,
            {"wqsf_layout": "without_coastline"},
        ),
        ("nasa_l3", "2-D"): (obpg_control_points.write, NOMINAL, {}),
        ("nasa_l3", "3-D"): (obpg_l2_3d.write, NOMINAL, {}),
        ("nasa_matchup", "2-D"): (obpg_control_points.write, NOMINAL, {}),
        ("nasa_matchup", "3-D"): (obpg_l2_3d.write, NOMINAL, {}),
        ("sgli_default", "described"): (sgli_nwlr.write, NOMINAL, {}),
        ("sgli_default", "described_other"): (
            sgli_nwlr.write,
            NOMINAL,
            {"qa_layout": "described_other"},
        ),
        ("c2rcc", "snap"): (c2rcc.write, (400.0, 442.5, 490.0), {}),
        ("polymer", "int16"): (polymer.write, NOMINAL, {}),
        ("polymer", "uint16"): (polymer.write, NOMINAL, {"bitmask_dtype": np.uint16}),
        ("polymer_modis", "int16"): (polymer.write, NOMINAL, {"sensor": "MODIS"}),
        ("polymer_seawifs", "int16"): (polymer.write, NOMINAL, {"sensor": "SeaWiFS"}),
        ("polymer_viirs", "int16"): (
            polymer.write,
            NOMINAL,
            {"sensor": "VIIRS", "extra": {"Rnir": 0.05, "Rgli": 0.05}},
        ),
        ("acolite", "l2w"): (acolite_l2w.write, NOMINAL, {}),
        ("acolite_l2r", "l2w"): (acolite_l2w.write, NOMINAL, {}),
    }
)

# As EUMETSAT, NASA, SNAP and POLYMER state them: an own list, not read from configs/.
STATED = {
    "eumetsat_recommended": {
        "keep_flags": "WATER INLAND_WATER",
        "flags": "CLOUD CLOUD_AMBIGUOUS CLOUD_MARGIN INVALID COSMETIC SATURATED SUSPECT HISOLZEN "
        "HIGHGLINT SNOW_ICE AC_FAIL WHITECAPS ADJAC RWNEG_O2 RWNEG_O3 RWNEG_O4 RWNEG_O5 RWNEG_O6 "
        "RWNEG_O7 RWNEG_O8",
    },
    "nasa_l3": {
        "flags": "ATMFAIL LAND HIGLINT HILT HISATZEN STRAYLIGHT CLDICE COCCOLITH HISOLZEN LOWLW "
        "CHLFAIL NAVWARN MAXAERITER CHLWARN NAVFAIL ATMWARN FILTER",
    },
    "nasa_matchup": {
        "flags": "LAND HIGLINT HILT HISATZEN HISOLZEN STRAYLIGHT CLDICE ATMFAIL LOWLW FILTER "
        "NAVFAIL NAVWARN",
    },
    "c2rcc": {"keep_flags": "Valid_PE", "flags": "Rtosa_OOS Rtosa_OOR Rhow_OOR"},
}


@pytest.fixture(params=FILES, ids="-".join)
def example(request, tmp_path):
    """Preset, file, and a network for its bands."""
    write, bands, options = FILES[request.param]
    truth = image_of_coordinates(21, 26, bands)
    scene = write(tmp_path, truth, **options).path
    return request.param[0], scene, network_for(tmp_path, bands)


def test_every_preset_is_tested():
    """The table keeps up with configs/masks."""
    assert {preset for preset, _ in FILES} == set(mask_presets())


def test_every_preset_has_nothing_but_lists_of_flags():
    """Lists of text, no flag twice in a preset; some sensors of POLYMER need expressions."""
    for name, preset in mask_presets().items():
        assert set(preset) <= {*LISTS, EXPRESSIONS}, name
        flags = [flag for key in LISTS for flag in preset.get(key, ())]
        assert flags
        assert all(isinstance(flag, str) for flag in flags), name
        assert len(set(flags)) == len(flags), name


@pytest.mark.parametrize("preset", STATED)
def test_a_preset_lists_what_its_author_recommends(preset):
    """No flag more, no flag less; flags that not every file has may be optional."""
    found = mask_presets()[preset]
    excluded = {*found["flags"], *found.get("flags_if_present", ())}
    assert excluded == set(STATED[preset]["flags"].split())
    assert list(found.get("keep_flags", ())) == STATED[preset].get("keep_flags", "").split()


def test_polymer_is_its_documented_mask():
    """Its mask is 1023: all flags up to 512, and none above; some sensors add one."""
    for preset, more in (("polymer", 0), ("polymer_seawifs", 2048), ("polymer_modis", 4096)):
        flags = mask_presets()[preset]["flags"]
        assert sum(1 << polymer.BITS[name] for name in flags) | 256 == 1023 + more


def test_a_preset_fits_the_files_it_is_for(example):
    """Every flag that it asks for is in the file by that name."""
    preset, scene, _ = example
    with open_scene(scene) as opened:
        named = SourceFlags.of(opened).named
    wanted = mask_presets()[preset]
    missing = {*wanted.get("flags", ()), *wanted.get("keep_flags", ())} - set(named)
    assert missing == set()


def test_the_optional_flags_are_in_some_file(tmp_path):
    """A name that no file has would be a mistake of spelling that nobody notices."""
    for preset, wanted in mask_presets().items():
        optional = set(wanted.get("flags_if_present", ()))
        for (name, variant), (write, bands, options) in FILES.items():
            if name == preset:
                folder = tmp_path / f"{name}{variant}"
                folder.mkdir()
                scene = write(folder, image_of_coordinates(21, 26, bands), **options).path
                with open_scene(scene) as opened:
                    optional -= set(SourceFlags.of(opened).named)
        assert optional == set(), preset


def test_a_preset_runs_and_is_stated_in_full(example, tmp_path):
    """The product lists the flags themselves, in its bits and in its configuration."""
    preset, scene, network = example
    settings = run_settings(tmp_path, network, tolerance=15, masks={"preset": preset})
    path = product_of(scene, settings)
    wanted = mask_presets()[preset]
    with netCDF4.Dataset(path) as file:
        meanings = file["quality_flags"].flag_meanings.split()
        control = file["processing_control"]
        recorded = yaml.safe_load(control["input_parameters"].configuration)["science"]["masks"]
        names = control.mask_names.split(",")
    for key in LISTS:
        assert recorded[key] == list(wanted.get(key, ()))
    for flag in wanted.get("flags", ()):
        assert f"masked_{flag}" in meanings
        assert flag in names
    if wanted.get("keep_flags"):
        assert "masked_unless_" + "_or_".join(wanted["keep_flags"]) in meanings


@pytest.mark.parametrize("layout", ["with_coastline", "without_coastline"])
def test_wqsf_is_decoded_by_the_masks_of_the_file(tmp_path, layout):
    """The bits moved between baselines: the right pixels are excluded with both."""
    names = ("WATER", "CLOUD", "HIGHGLINT", "RWNEG_O2")
    truth = image_of_coordinates(21, 26, OLCI, flags=names)
    written = olci_wfr.write(tmp_path, truth, wqsf_layout=layout)
    settings = run_settings(
        tmp_path, network_for(tmp_path, OLCI), masks={"preset": "eumetsat_recommended"}
    )
    path = product_of(written.path, settings)
    for name in names[1:]:
        found = flag_bit(path, "quality_flags", f"masked_{name}")
        assert found.any()
        np.testing.assert_array_equal(found, written.flags[name], err_msg=name)
    water = flag_bit(path, "quality_flags", "masked_unless_WATER_or_INLAND_WATER")
    np.testing.assert_array_equal(water, ~written.flags["WATER"])


def written_config(folder, settings):
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def checked(path):
    """What ``ocpipe check-config`` prints, as plain data."""
    done = CliRunner().invoke(main, ["check-config", str(path)])
    assert done.exit_code == 0, done.output
    return yaml.safe_load(done.stdout), done.stdout


@pytest.mark.parametrize("preset", sorted(mask_presets()))
def test_check_config_prints_the_flags(tmp_path, preset):
    """All of the preset's; what it prints can be given to it again and stays the same."""
    settings = run_settings(tmp_path, tmp_path / "net.h5", masks={"preset": preset})
    shown, text = checked(written_config(tmp_path, settings))
    for key in LISTS:
        assert shown["science"]["masks"][key] == list(mask_presets()[preset].get(key, ()))
    again = tmp_path / "again.yaml"
    again.write_text(text)
    assert checked(again) == (shown, text)


def test_own_flags_are_added(tmp_path):
    """After those of the preset, each once, also where the preset lists them already."""
    masks = {
        "preset": "c2rcc",
        "flags": ["Cloud_risk", "Rtosa_OOS"],
        "keep_flags": ["Valid_PE"],
        "flags_if_present": ["Iop_OOR"],
    }
    config = load_config(run_settings(tmp_path, tmp_path / "net.h5", masks=masks))
    found = config.science.masks
    assert found.flags == ("Rtosa_OOS", "Rtosa_OOR", "Rhow_OOR", "Cloud_risk")
    assert found.keep_flags == ("Valid_PE",)
    assert found.flags_if_present == ("Iop_OOR",)


def test_own_flags_exclude_beside_the_preset(tmp_path):
    """Both kinds have a bit in the product."""
    truth = image_of_coordinates(21, 26, NOMINAL, flags=("LAND", "CASE2"))
    written = polymer.write(tmp_path, truth)
    settings = run_settings(
        tmp_path,
        network_for(tmp_path, NOMINAL),
        masks={"preset": "polymer", "flags": ["CASE2"], "dilate": {"LAND": 1}},
    )
    path = product_of(written.path, settings)
    found = flag_bit(path, "quality_flags", "masked_CASE2")
    np.testing.assert_array_equal(found, written.flags["CASE2"])
    assert flag_bit(path, "quality_flags", "masked_LAND").sum() > written.flags["LAND"].sum()


@pytest.mark.parametrize("preset", sorted(mask_presets()))
def test_a_resolved_configuration_is_the_same_again(tmp_path, preset):
    """Loading what was resolved adds nothing, on whatever way it comes back."""
    masks = {"preset": preset, "flags": ["MINE"], "dilate": {"MINE": 2}}
    config = load_config(run_settings(tmp_path, tmp_path / "net.h5", masks=masks))
    again = written_config(tmp_path, yaml.safe_load(as_yaml(config)))
    assert load_config(again) == config
    assert load_config(config.model_dump()) == config
    assert config.executing(threads=1).science == config.science
    assert config.with_engine("numpy").science.masks == config.science.masks


def test_an_optional_flag_that_is_also_required_is_applied_once(tmp_path):
    """A flag in both lists is one rule, in files that have it."""
    truth = image_of_coordinates(21, 26, NOMINAL, flags=("ATMWARN",))
    written = obpg_control_points.write(tmp_path, truth)
    network = network_for(tmp_path, NOMINAL)
    masks = {"preset": "nasa_l3", "flags": ["ATMWARN"]}
    plan = plan_scene(written.path, load_config(run_settings(tmp_path, network, masks=masks)))
    names = [rule.name for rule in plan.rules]
    assert names.count("ATMWARN") == 1


@pytest.mark.parametrize("name", ["nasa", "", "NASA_L3", "../masks/nasa_l3", 7, ["nasa_l3"]])
def test_an_unknown_preset_is_refused(tmp_path, name):
    """The message says where it stands and which there are."""
    with pytest.raises(ConfigError) as caught:
        load_config(run_settings(tmp_path, tmp_path / "net.h5", masks={"preset": name}))
    words = ("science.masks", "preset", *([] if isinstance(name, list | int) else ["nasa_l3"]))
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("key", LISTS)
def test_a_list_that_is_none_is_refused_beside_a_preset(tmp_path, key):
    """As without one: a single name is no list of names."""
    masks = {"preset": "nasa_l3", key: "LAND"}
    with pytest.raises(ConfigError, match=rf"science\.masks\.{key}"):
        load_config(run_settings(tmp_path, tmp_path / "net.h5", masks=masks))


def test_the_preset_of_another_format_is_refused(tmp_path):
    """The message names the missing flag and those of the scene."""
    written = polymer.write(tmp_path, image_of_coordinates(21, 26, NOMINAL))
    settings = run_settings(tmp_path, network_for(tmp_path, NOMINAL), masks={"preset": "nasa_l3"})
    with pytest.raises(SceneError) as caught:
        product_of(written.path, settings)
    words = (written.path.name, "unknown flag 'ATMFAIL'", "CLOUD_BASE")
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_preset_on_a_scene_without_flags_is_refused(tmp_path):
    """The message says what to remove."""
    from miniatures import occci_l3
    from miniatures.truth import map_of_coordinates

    written = occci_l3.write(tmp_path, map_of_coordinates(9, 9, NOMINAL))
    settings = run_settings(tmp_path, network_for(tmp_path, NOMINAL), masks={"preset": "nasa_l3"})
    with pytest.raises(SceneError) as caught:
        product_of(written.path, settings)
    words = ("the scene has none", "masks.preset")
    assert [word for word in words if word not in str(caught.value)] == []
