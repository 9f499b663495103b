"""Units in the spellings of files, and what they have to do with each other."""

import subprocess
import sys

import pytest

from pipeline.tables.units import factor_between, nanometres_per, says_units

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("said", "wanted", "factor"),
    [
        ("1/sr", "sr-1", 1.0),
        ("sr^-1", "sr-1", 1.0),
        ("sr^(-1)", "sr-1", 1.0),
        ("sr⁻¹", "sr-1", 1.0),
        ("steradian-1", "sr-1", 1.0),
        ("ug/L", "mg m-3", 1.0),
        ("µg l-1", "mg m-3", 1.0),
        ("mg/m^3", "mg m-3", 1.0),
        ("mg m**-3", "mg m-3", 1.0),
        ("kg.m-3", "mg m-3", 1e6),
        ("1/cm", "m-1", 100.0),
        ("uW/cm^2/nm/sr", "W m-2 um-1 sr-1", 10.0),
        ("%", "1", 0.01),
        ("unitless", "1", 1.0),
        ("dl", "1", 1.0),
        ("mg/dl", "mg m-3", 1e4),
        ("degrees_north", "degree", 1.0),
        ("PSU", "psu", 1.0),
        ("sr-1", "1", None),
        ("degree", "1", None),
        ("sr", "1", None),
        ("rad", "1", None),
        ("rad", "degrees_east", 57.29577951308232),
        ("mg m-3", "m-1", None),
        ("PSU", "1", None),
        ("degC", "K", None),
        ("J. Climate, 15, 1609-1625", "m-1", None),
        ("9**9**9**9**9", "1", None),
        ("9**9 9**9**9", "1", None),
        ("m" * 100, "m", None),
        ("m/", "m", None),
        ("3", "m", None),
    ],
)
def test_factors_between_units(said: str, wanted: str, factor: float | None) -> None:
    """The same units in any spelling have factor 1, others their factor or none."""
    assert factor_between(said, wanted) == (factor and pytest.approx(factor))


def test_lengths_below_a_millimetre_are_of_wavelengths() -> None:
    """Micrometres may be wavelengths, metres are depths."""
    assert [nanometres_per(unit) for unit in ("nm", "um", "m", "sr-1", "")] == [
        1.0, pytest.approx(1000.0), None, None, None,
    ]  # fmt: skip


def test_what_says_no_units() -> None:
    """Blank and ``none`` are no units, ``unitless`` is."""
    assert [says_units(text) for text in (" ", "None", "unitless")] == [False, False, True]


def test_other_commands_do_not_load_pint() -> None:
    """Libraries of tables are loaded with the first table, not with the command line."""
    program = (
        "import sys, pipeline.cli, pipeline.cli.simulate, pipeline.training.samples; "
        "print({'pint', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == "set()\n"
