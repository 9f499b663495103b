"""The commands, as a person would type them, when all is well."""

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import main

pytestmark = pytest.mark.quick


@pytest.fixture
def ocpipe():
    """Call a command in this process; gives exit code, stdout and stderr."""

    def call(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


@pytest.fixture(scope="module")
def product(sample_scene, sample_networks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("product")
    done = CliRunner().invoke(
        main,
        [
            "run",
            str(sample_scene),
            "-c",
            "demo",
            "--networks",
            str(sample_networks),
            "-o",
            str(folder),
        ],
    )
    assert done.exit_code == 0, done.output
    return next(folder.iterdir())


def test_run_prints_the_product_on_stdout(product, sample_scene):
    """One product, named after the scene and the configuration."""
    assert product.name == f"{sample_scene.stem}.demo.nc"


def test_dry_run_prints_the_plan_and_writes_nothing(
    ocpipe, sample_scene, sample_networks, tmp_path
):
    """Scene, inputs, masks, networks with their hashes, matches, blocks and threads."""
    done = ocpipe(
        "run",
        sample_scene,
        "-c",
        "demo",
        "--networks",
        sample_networks,
        "-o",
        tmp_path / "out",
        "--dry-run",
        "--threads",
        "2",
    )
    assert done.exit_code == 0
    for expected in (
        "421 lines x 339 pixels, MODIS-Aqua",
        "mask      low_sun <- solar_zenith",
        "demo_iops.h5 (8-24-16-3)",
        "Rrs_748 <- Rrs_748",
        "aph_443, adg_443, bbp_547, iops_flags",
        "2 blocks of 256 x 339, 2 at a time",
        "memory    at most",
    ):
        assert expected in done.stdout
    assert not (tmp_path / "out").exists()


def test_products_selects_networks(ocpipe, modis_scene, ocsmart, tmp_path):
    """Only the named networks are looked for, in the configuration's order."""
    done = ocpipe(
        "run",
        modis_scene,
        "-c",
        "ocsmart_iops",
        "--networks",
        ocsmart,
        "--products",
        "bbp,aph",
        "-o",
        tmp_path,
        "--dry-run",
    )
    assert done.exit_code == 0
    found = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("network")]
    assert found == ["aph:", "bbp:"]


def test_networks_are_found_by_the_environment(ocpipe, modis_scene, ocsmart, tmp_path, monkeypatch):
    """OCPIPE_NETWORKS is searched after --networks."""
    monkeypatch.setenv("OCPIPE_NETWORKS", f"{tmp_path}:{ocsmart}")
    done = ocpipe("run", modis_scene, "-c", "ocsmart_iops", "--dry-run")
    assert done.exit_code == 0


def test_inspect_scene(ocpipe, sample_scene):
    """Format, sensor, bands, flags, geolocation, share of valid pixels."""
    done = ocpipe("inspect", sample_scene)
    assert done.exit_code == 0
    for expected in (
        "obpg_l2",
        "MODIS-Aqua",
        "412, 443",
        "LAND 30.6 %",
        "latitude     32.",
        "valid ",
    ):
        assert expected in done.stdout


def test_inspect_network(ocpipe, ocsmart):
    """Layers, inputs with physical ranges, outputs, sha256, citation and licence."""
    done = ocpipe("inspect", ocsmart / "SGLI_Lrc_rrsNN.h5")
    assert done.exit_code == 0
    for expected in (
        "11-100-75-50-7",
        "solar_zenith",
        ".. 75",
        "Lrc_869",
        "Rrs_672",
        "b2b30eaf8fe97cd10a3c0bf094156d882c1de7422d7e033c9051a87537923dd0",
        "Fan, Y.",
        "GPL-2",
    ):
        assert expected in done.stdout


def test_inspect_product(ocpipe, product, sample_networks):
    """What made it: program, input and networks with their hashes, flags, configuration."""
    done = ocpipe("inspect", product)
    assert done.exit_code == 0
    for expected in ("made by      ocpipe", "demo_iops.h5", "sha256", "masked_LAND 30.6 %"):
        assert expected in done.stdout
    configuration = yaml.safe_load(done.stdout.split("configured\n")[1])
    assert configuration["name"] == "demo"


@pytest.mark.parametrize("name", ["demo", "ocsmart_iops", "configs/runs/demo.yaml"])
def test_check_config_prints_all_defaults(ocpipe, name):
    """Shipped configurations are found by name; the printed one is complete."""
    done = ocpipe("check-config", name)
    assert done.exit_code == 0
    assert "tolerance_nm: 3.0" in done.stdout


def test_printed_configuration_can_be_used(ocpipe, tmp_path):
    """What check-config prints is itself a configuration that says the same."""
    first = ocpipe("check-config", "demo").stdout
    (tmp_path / "again.yaml").write_text(first)
    assert ocpipe("check-config", tmp_path / "again.yaml").stdout == first


def test_quicklook_draws_a_picture(ocpipe, product, tmp_path):
    """A PNG of the size asked of three panels; unknown variables are refused."""
    picture = tmp_path / "picture.png"
    done = ocpipe("quicklook", product, "-o", picture)
    assert done.exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    wrong = ocpipe("quicklook", product, "-o", tmp_path / "no.png", "--variables", "chl")
    assert wrong.exit_code == 1
    assert not (tmp_path / "no.png").exists()


def test_two_scenes_of_one_name_are_refused(ocpipe, sample_scene, tmp_path):
    """One product would replace the other; nothing is started."""
    copy = tmp_path / sample_scene.name
    copy.symlink_to(sample_scene)
    done = ocpipe("run", sample_scene, copy, "-c", "demo", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command", ["run", "inspect", "check-config", "quicklook", "verify", "rerun", "diff"]
)
def test_help_names_every_option_with_its_default(ocpipe, command):
    """No option without a default or 'required'."""
    done = ocpipe(command, "--help")
    assert done.exit_code == 0
    options = done.stdout.split("Options:")[1].split("\n  -")[1:]
    for option in options:
        is_flag = option.startswith(
            ("-dry-run", "-json", "-all", "h, --help", "v, --verbose", "q, --quiet")
        )
        assert is_flag or "[default:" in option or "[required]" in option, option
