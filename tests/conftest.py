"""What several tests share: where the real files are, and small scenes to work on."""

import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

# How long an example takes is a matter of the machine and of what else it does.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")

# A shell lets its background jobs ignore Ctrl-C, and the commands of the tests would do so, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
MODIS_SCENE = "scenes/AQUA_MODIS.20110910T190602.L2.OC.nc"


def _real_data_folder() -> Path | None:
    candidates = [os.environ.get("OCPIPE_TEST_DATA"), ROOT.parent / "shared" / "data"]
    return next((Path(folder) for folder in candidates if folder and Path(folder).is_dir()), None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; they are not part of the repository."""
    folder = _real_data_folder()
    if folder is None:
        pytest.skip("no real files: set OCPIPE_TEST_DATA, or put them at ../shared/data")
    return folder


@pytest.fixture(scope="session")
def modis_scene(real_data: Path) -> Path:
    return real_data / MODIS_SCENE


@pytest.fixture(scope="session")
def ocsmart(real_data: Path) -> Path:
    return real_data / "networks" / "ocsmart"


@pytest.fixture(scope="session")
def sample_scene() -> Path:
    return next((ROOT / "sample_data" / "scenes").glob("*.nc"))


@pytest.fixture(scope="session")
def sample_networks() -> Path:
    return ROOT / "sample_data" / "networks"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real files, so that ``-m real_data`` selects it."""
    for item in items:
        if {"real_data", "modis_scene", "ocsmart"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.real_data)


def pytest_sessionfinish() -> None:
    """End the servers of commands, where a test started one."""
    if "warm_commands" in sys.modules:
        sys.modules["warm_commands"].close()
