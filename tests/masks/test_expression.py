"""Mask expressions: the same truth as plain NumPy, and nothing but what the allow-list names."""

import ast
import contextlib
import itertools
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError, PipelineError, SceneError
from pipeline.masks.expression import ExpressionRule
from pipeline.scene.scene import Band

NAN, INF = np.nan, np.inf
WAVELENGTHS = (412.0, 443.0, 667.0)
PLAIN = ("latitude", "solar_zenith")
LAYERS = ("Rrs_412", "Rrs_443", "Rrs_667", *PLAIN)
# Rows are layers, columns pixels: plain values, zeros of both signs, negatives, NaN, infinities.
PIXELS = np.array(
    [
        [0.002, 0.004, 0.0, -0.001, NAN, 0.003, 0.01, INF],
        [0.003, 0.004, -0.0, 0.002, 0.001, NAN, 0.02, 0.001],
        [0.001, 0.002, 0.0, -0.002, 0.001, 0.001, -INF, 0.0],
        [50.0, -70.0, 0.0, 45.0, 90.0, NAN, -90.0, 10.0],
        [30.0, 70.0, 71.0, 89.0, NAN, 0.0, 70.5, 45.0],
    ],
    dtype=np.float32,
)


def scene_of(pixels, wavelengths=WAVELENGTHS):
    """A scene with shape (2, n / 2), or (1, 1) of one pixel, from layers x pixels."""
    shape = (2, -1) if pixels.shape[1] > 1 else (1, 1)
    layers = [row.reshape(shape) for row in pixels]
    bands = len(wavelengths)
    return xr.Dataset(
        {
            "Rrs": (("Rrs_wavelength", "y", "x"), np.stack(layers[:bands])),
            **{n: (("y", "x"), a) for n, a in zip(PLAIN, layers[bands:], strict=True)},
            "source_flags": (("y", "x"), np.zeros_like(layers[0], dtype=np.int32)),
        },
        coords={"Rrs_wavelength": list(wavelengths)},
    )


SCENE = scene_of(PIXELS)
ARRAYS = {name: row.reshape(2, -1) for name, row in zip(LAYERS, PIXELS, strict=True)}
SHORT = SimpleNamespace(**dict(zip(("a", "b", "c", "latitude", "s"), ARRAYS.values(), strict=True)))


def parse(text, tolerance_nm=3.0, scene=SCENE):
    return ExpressionRule.parse("rule", text, scene, tolerance_nm)


def excluded(text):
    return parse(text).judge(SCENE).excluded


def undecided_of(verdict):
    nowhere = np.zeros(verdict.excluded.shape, dtype=bool)
    return nowhere if verdict.undecided is None else verdict.undecided


@contextlib.contextmanager
def within(seconds):
    """Fail where the body takes longer: Python's own arithmetic would go on for hours."""

    def too_long(*_):
        pytest.fail(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Plain NumPy; a, b, c are the three bands, s is solar_zenith, brackets are explicit.
NUMPY = [
    ("solar_zenith > 70", lambda v: v.s > 70),
    ("solar_zenith >= 70", lambda v: v.s >= 70),
    ("solar_zenith < 70", lambda v: v.s < 70),
    ("solar_zenith <= 70", lambda v: v.s <= 70),
    ("Rrs_443 == 0", lambda v: v.b == 0),
    ("Rrs_443 != 0", lambda v: v.b != 0),
    ("70 < solar_zenith", lambda v: v.s > 70),
    ("Rrs_412 + Rrs_443 * 2 > 0.007", lambda v: (v.a + (v.b * 2)) > 0.007),
    ("(Rrs_412 + Rrs_443) * 2 > 0.007", lambda v: ((v.a + v.b) * 2) > 0.007),
    ("Rrs_412 - Rrs_443 - Rrs_667 < 0", lambda v: ((v.a - v.b) - v.c) < 0),
    ("Rrs_412 / Rrs_443 / 2 > 0.4", lambda v: ((v.a / v.b) / 2) > 0.4),
    ("Rrs_412 / Rrs_443 * 2 > 1", lambda v: ((v.a / v.b) * 2) > 1),
    ("-Rrs_412 ** 2 < 0", lambda v: (-(v.a**2)) < 0),
    ("(-Rrs_412) ** 2 > 0", lambda v: ((-v.a) ** 2) > 0),
    ("solar_zenith * 2 ** -1 > 35", lambda v: (v.s * 0.5) > 35),
    ("solar_zenith > 2 ** 3 ** 2 - 450", lambda v: v.s > 62),
    ("+Rrs_667 < -Rrs_667", lambda v: v.c < -v.c),
    ("Rrs_667 / Rrs_443 > 1.2", lambda v: (v.c / v.b) > 1.2),
    ("0 < Rrs_443 <= 0.003", lambda v: (v.b > 0) & (v.b <= 0.003)),
    ("Rrs_667 < Rrs_412 < Rrs_443 < 1", lambda v: (v.c < v.a) & (v.a < v.b) & (v.b < 1)),
    ("Rrs_412 < Rrs_443 > Rrs_667", lambda v: (v.a < v.b) & (v.b > v.c)),
    ("not Rrs_443 > 0", lambda v: ~(v.b > 0)),
    ("not Rrs_443 > 0 and solar_zenith > 0", lambda v: ~(v.b > 0) & (v.s > 0)),
    ("not (Rrs_443 > 0 and solar_zenith > 0)", lambda v: ~((v.b > 0) & (v.s > 0))),
    (
        "Rrs_412 > 0 or Rrs_443 > 0 and solar_zenith > 70",
        lambda v: (v.a > 0) | ((v.b > 0) & (v.s > 70)),
    ),
    (
        "(Rrs_412 > 0 or Rrs_443 > 0) and solar_zenith > 70",
        lambda v: ((v.a > 0) | (v.b > 0)) & (v.s > 70),
    ),
    (
        "Rrs_412 < 0 or Rrs_443 < 0 or Rrs_667 < 0 or solar_zenith > 80",
        lambda v: (v.a < 0) | (v.b < 0) | (v.c < 0) | (v.s > 80),
    ),
    ("abs(Rrs_667) > 0.001", lambda v: np.abs(v.c) > 0.001),
    ("sqrt(Rrs_412) > 0.05", lambda v: np.sqrt(v.a) > 0.05),
    ("log10(Rrs_412) < -2.5", lambda v: np.log10(v.a) < -2.5),
    ("exp(Rrs_412) > 1.0025", lambda v: np.exp(v.a) > 1.0025),
    ("isnan(Rrs_412)", lambda v: np.isnan(v.a)),
    ("isfinite(Rrs_412) and not isnan(Rrs_443)", lambda v: np.isfinite(v.a) & ~np.isnan(v.b)),
    ("min(Rrs_412, Rrs_443) < 0", lambda v: np.minimum(v.a, v.b) < 0),
    ("min(Rrs_412, 1) < 2", lambda v: ~np.isnan(v.a)),
    ("max(Rrs_412, 0) >= 0", lambda v: ~np.isnan(v.a)),
    ("max(Rrs_412, 0.003) > 0.003", lambda v: np.maximum(v.a, np.float32(0.003)) > 0.003),
    (
        "abs(latitude) > 60 or isnan(solar_zenith)",
        lambda v: (np.abs(v.latitude) > 60) | np.isnan(v.s),
    ),
    ("1 > 0 and solar_zenith > 70", lambda v: v.s > 70),
]


@pytest.mark.quick
@pytest.mark.parametrize(("text", "in_numpy"), NUMPY, ids=[text for text, _ in NUMPY])
def test_equals_plain_numpy(text, in_numpy):
    """Every operator and function, its precedence and its side, pixel by pixel."""
    with np.errstate(all="ignore"):
        expected = in_numpy(SHORT)
    verdict = parse(text).judge(SCENE)
    assert np.dtype(bool) == verdict.excluded.dtype
    undecided = undecided_of(verdict)
    np.testing.assert_array_equal(verdict.excluded, expected | undecided)
    # Only the columns with a missing value, 0 / 0 or a logarithm or root of a negative number.
    assert not undecided.reshape(-1)[[0, 1, 7]].any()


@pytest.mark.parametrize("comparison", ["<", "<=", ">", ">=", "==", "!="])
def test_a_comparison_with_a_missing_value_is_undecided(comparison):
    """A pixel without a value is masked, whatever the threshold, and on either side of it."""
    nan = np.isnan(ARRAYS["Rrs_412"])
    assert nan.any()
    for text in (
        f"Rrs_412 {comparison} 0",
        f"0 {comparison} Rrs_412",
        f"-9 < Rrs_412 {comparison} 9",
        f"Rrs_412 {comparison} Rrs_412",
        f"not Rrs_412 {comparison} 0",
        f"not (not Rrs_412 {comparison} 0)",
    ):
        verdict = parse(text).judge(SCENE)
        np.testing.assert_array_equal(undecided_of(verdict), nan, err_msg=text)
        assert verdict.excluded[nan].all()


@pytest.mark.parametrize(
    ("text", "excluded", "undecided"),
    [
        ("Rrs_412 > 0 or solar_zenith > 50", True, False),
        ("Rrs_412 > 0 or solar_zenith > 80", True, True),
        ("Rrs_412 > 0 and solar_zenith > 50", True, True),
        ("Rrs_412 > 0 and solar_zenith > 80", False, False),
        ("not (Rrs_412 > 0 or solar_zenith > 50)", False, False),
        ("not (Rrs_412 > 0 and solar_zenith > 80)", True, False),
        ("isfinite(Rrs_412) and Rrs_412 > 0", False, False),
        ("isnan(Rrs_412) or Rrs_412 > 0", True, False),
        ("solar_zenith > 50 > Rrs_412", True, True),
        ("solar_zenith < 50 < Rrs_412", False, False),
        ("max(Rrs_412, solar_zenith) > 50", True, True),
        ("Rrs_412 / Rrs_412 > 0 or solar_zenith != solar_zenith", True, True),
    ],
)
def test_what_is_known_decides_if_it_is_enough(text, excluded, undecided):
    """Rrs_412 is missing and the sun is at 70 degrees: only some conditions need the former."""
    pixel = np.array([[NAN], [0.1], [0.1], [0.0], [70.0]], dtype=np.float32)
    scene = scene_of(pixel)
    verdict = parse(text, scene=scene).judge(scene)
    assert (excluded, undecided) == (verdict.excluded[0, 0], undecided_of(verdict)[0, 0])


def test_nothing_warns_about_zero_nan_or_infinity(recwarn):
    """Divisions by zero and logarithms of negatives are everyday pixels, not warnings."""
    excluded("Rrs_412 / Rrs_667 > 1 or log10(Rrs_412) > 0 or sqrt(Rrs_667) > 0")
    assert list(recwarn) == []


# Names


@pytest.mark.parametrize(
    ("name", "tolerance_nm", "matched"),
    [
        ("Rrs_443", 0.0, 443.0),
        ("Rrs_440", 3.0, 443.0),
        ("Rrs_446", 3.0, 443.0),
        ("Rrs_415", 3.0, 412.0),
        ("Rrs_430", 20.0, 443.0),
        ("Rrs_425", 20.0, 412.0),
    ],
)
def test_a_band_is_the_nearest_within_the_tolerance(name, tolerance_nm, matched):
    """NASA's names and a sensor's centres differ by a nanometre or two."""
    rule = parse(f"{name} > 0.0025", tolerance_nm)
    assert (Band("Rrs", matched),) == rule.needs
    band = ARRAYS[f"Rrs_{matched:.0f}"]
    np.testing.assert_array_equal(rule.judge(SCENE).excluded, (band > 0.0025) | np.isnan(band))


@pytest.mark.parametrize(
    ("name", "tolerance_nm"), [("Rrs_447", 3.0), ("Rrs_444", 0.0), ("Rrs_550", 50.0)]
)
def test_a_band_beyond_the_tolerance_lists_the_bands(name, tolerance_nm):
    """The message has what the scene offers."""
    with pytest.raises(SceneError, match="412, 443, 667 nm"):
        parse(f"{name} > 0", tolerance_nm)


@pytest.mark.parametrize(
    "name",
    ["rrs_443", "Rrs", "Rrs_443_nm", "rho_s_443", "Solar_zenith", "solz", "source_flags", "True_"],
)
def test_an_unknown_name_lists_the_known_ones(name):
    """Bands and plain variables, so that the user can choose; and the rule that is wrong."""
    with pytest.raises(SceneError) as caught:
        parse(f"solar_zenith > 70 or {name} > 1")
    message = str(caught.value)
    assert f"unknown name {name!r}" in message
    assert "masks.expressions.rule" in message
    for known in LAYERS:
        assert known in message


def test_needs_each_layer_once():
    """The plan reads what an expression names and nothing else."""
    rule = parse("solar_zenith > 70 and Rrs_443 > Rrs_412 or Rrs_443 < 0 or solar_zenith < 1")
    expected = {Band("solar_zenith"), Band("Rrs", 443.0), Band("Rrs", 412.0)}
    assert expected == set(rule.needs)
    assert len(expected) == len(rule.needs)


@pytest.mark.parametrize(
    "text",
    ["abs > solar_zenith", "min(abs, Rrs_443) > 0", "solar_zenith > exp", "sqrt + Rrs_412 > 1"],
)
def test_the_name_of_a_function_is_no_value(text):
    """Refused when it is bound to a scene, not when the first block is computed."""
    with pytest.raises(PipelineError):
        parse(text)


# What is refused

REFUSED = [
    "Rrs_443.size > 0",
    "Rrs_443.sum() > 0",
    "solar_zenith.__class__ == 1",
    "().__class__ == Rrs_443",
    "Rrs_443[0] > 0",
    "Rrs_443[0:1, ...] > 0",
    "(lambda: 1)() < Rrs_443",
    "lambda: Rrs_443 > 0",
    "[x for x in Rrs_443]",
    "{x for x in Rrs_443}",
    "{x: x for x in Rrs_443}",
    "(x for x in Rrs_443)",
    "isnan([Rrs_443])",
    "isnan((Rrs_443, Rrs_412))",
    "isnan({Rrs_443})",
    "isnan({1: Rrs_443})",
    "Rrs_443 > 0 if Rrs_412 > 0 else Rrs_667 > 0",
    "eval('1') < Rrs_443",
    "open('x') == Rrs_443",
    "__import__('os').system('true') < Rrs_443",
    "__import__ > Rrs_443",
    "sum(Rrs_443) > 1",
    "where(Rrs_443, 1, 2) > 1",
    "abs(Rrs_443)(1) > 0",
    "abs() < Rrs_443",
    "abs(Rrs_443, Rrs_412) > 0",
    "min(Rrs_443) > 0",
    "max(Rrs_412, Rrs_443, Rrs_667) > 0",
    "abs(x=Rrs_443) > 0",
    "min(Rrs_443, b=1) > 0",
    "abs(Rrs_443, x=1) > 0",
    "abs(Rrs_443, **Rrs_412) > 0",
    "abs(*Rrs_443) > 0",
    "abs(**Rrs_443) > 0",
    "Rrs_443 > 'a'",
    "Rrs_443 > b'a'",
    "Rrs_443 > f'{Rrs_412}'",
    "(x := Rrs_443) > 0",
    "Rrs_443 % 2 > 1",
    "Rrs_443 // 2 > 1",
    "Rrs_443 @ Rrs_412 > 1",
    "(Rrs_443 > 0) & (Rrs_412 > 0)",
    "(Rrs_443 > 0) | (Rrs_412 > 0)",
    "(Rrs_443 > 0) ^ (Rrs_412 > 0)",
    "~(Rrs_443 > 0)",
    "Rrs_443 << 1 > 0",
    "Rrs_443 is 1",
    "Rrs_443 is not 1",
    "Rrs_443 in Rrs_412",
    "Rrs_443 not in Rrs_412",
    "Rrs_443 > 1j",
    "Rrs_443 > True",
    "Rrs_443 > None",
    "Rrs_443 > ...",
    "(yield Rrs_443) > 0",
    "await Rrs_443",
]


@pytest.mark.quick
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("text", REFUSED)
def test_what_the_allow_list_lacks_is_refused(text):
    """Before anything is evaluated, with the rule's name; most with what is allowed instead."""
    with pytest.raises(PipelineError) as caught:
        parse(text)
    assert "masks.expressions.rule" in str(caught.value)


def test_refused_code_never_runs(tmp_path):
    """No part of a refused text has an effect."""
    trace = tmp_path / "trace"
    for call in (f"open('{trace}', 'w')", f"__import__('pathlib').Path('{trace}').touch()"):
        for text in (f"{call} == Rrs_443", f'Rrs_443 > f"{{{call}}}"', f"abs(x={call}) > Rrs_443"):
            with pytest.raises(ConfigError, match="not allowed"):
                parse(text)
    assert not trace.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "solar_zenith >",
        "solar_zenith > 70)",
        "solar_zenith = 70",
        "solar_zenith > 70; Rrs_443 > 0",
        "import os",
        "solar_zenith > 70\nRrs_443 > 0",
        "solar_zenith => 70",
        "solar_zenith > 7O",
        "solar zenith > 70",
        "Rrs_412.5 > 0",
        "solar_zenith\x00 > 70",
        "solar_zenith > \ud800",
        "Rrs_443 && Rrs_412",
        "Rrs_443 > " + "9" * 5000,
    ],
)
def test_what_does_not_parse_is_a_mistake_in_the_configuration(text):
    """The message has the rule and what would be allowed."""
    with pytest.raises(ConfigError, match="is not an expression") as caught:
        parse(text)
    assert "masks.expressions.rule" in str(caught.value)
    assert "Allowed: names of the scene" in str(caught.value)


@pytest.mark.parametrize("text", ["1", "Rrs_443", "Rrs_443 + 1", "-Rrs_443", "abs(Rrs_443)", "0.5"])
def test_a_number_is_not_a_condition(text):
    """A number per pixel does not say which pixels to exclude."""
    with pytest.raises(ConfigError, match="not a condition"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "Rrs_412 or Rrs_443 < 0",
        "Rrs_412 < 0 or Rrs_443",
        "Rrs_412 and Rrs_443",
        "not Rrs_443",
        "not (Rrs_412 - Rrs_443)",
        "solar_zenith > 70 or (Rrs_412 or Rrs_443) and Rrs_667 > 0",
    ],
)
def test_a_number_within_a_condition_is_no_condition_either(text):
    """``Rrs_412 or Rrs_443 < 0`` means something else than it says: nearly every pixel."""
    with pytest.raises(ConfigError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "(Rrs_443 > 0) - (Rrs_412 > 0) > 0",
        "-(Rrs_443 > 0) < 0",
        "(Rrs_443 > 0) ** -1 > 0",
        "isnan(Rrs_443) - isnan(Rrs_412) != 0",
    ],
)
def test_arithmetic_of_conditions_is_refused_or_computed(text):
    """Never a TypeError from the first block."""
    with contextlib.suppress(ConfigError):
        excluded(text)


@pytest.mark.parametrize("text", ["1 > 0", "not 1 > 2", "isnan(1)", "1 < 2 < 3 or 4 > 5"])
def test_a_condition_without_names_is_refused(text):
    """It would mask all pixels or none."""
    with pytest.raises(ConfigError, match="uses no variable of the scene"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "Rrs_443 > 9**9**9**9",
        "Rrs_443 > 2.0**9999",
        "Rrs_443 > 10**400",
        "Rrs_443 > " + "9" * 4000,
        "Rrs_443 > 1e999",
        "Rrs_443 > 1/0",
        "Rrs_443 > 0**-1",
        "Rrs_443 > (-8)**0.5",
    ],
    ids=lambda text: text[:25],
)
def test_numbers_without_a_value_mask_nothing_or_are_refused(text):
    """Infinity, NaN or a ConfigError, at once: no hang, no traceback, no complex numbers."""
    with within(seconds=2), contextlib.suppress(ConfigError):
        assert not excluded(text).any()


@pytest.mark.parametrize(
    "text",
    [
        "-" * 5000 + "Rrs_443 > 0",
        "not " * 5000 + "Rrs_443 > 0",
        "+".join(["Rrs_443"] * 5000) + " > 0",
        "**".join(["1"] * 5000) + " > Rrs_443",
        "(" * 5000 + "Rrs_443" + ")" * 5000 + " > 0",
        "abs(" * 5000 + "Rrs_443" + ")" * 5000 + " > 0",
        # Fewer than the parser minds, more than Python's own limit on recursion.
        "-" * 1500 + "Rrs_443 > 0",
        "+".join(["Rrs_443"] * 1500) + " > 0",
        "-" * 900 + "Rrs_443 > 0",
        # No condition, and too deep to be quoted in the message.
        "+".join(["Rrs_443"] * 1200),
        "-" * 1500 + "Rrs_443",
        "not " * 1500 + "Rrs_443",
    ],
    ids=[
        "minus", "not", "plus", "power", "brackets", "calls", "minus1500", "plus1500", "minus900",
        "no condition, plus", "no condition, minus", "no condition, not",
    ],
)  # fmt: skip
def test_deep_nesting_is_computed_or_refused(text):
    """Never a RecursionError or MemoryError from the parser or from the walk."""
    with contextlib.suppress(ConfigError):
        excluded(text)


def test_a_long_list_of_conditions_is_fine():
    """Many alternatives nest nothing."""
    found = excluded(" or ".join(f"Rrs_443 == {value}" for value in range(500)))
    band = ARRAYS["Rrs_443"]
    np.testing.assert_array_equal(found, (band == 0) | np.isnan(band))


# Random expressions against Python's own eval, on arrays of one pixel: those have a truth value,
# so that and, or, not and chains are Python's. Brackets are rare, so that precedence decides.

FUNCTIONS = {
    "abs": np.abs, "sqrt": np.sqrt, "log10": np.log10, "exp": np.exp, "isnan": np.isnan,
    "isfinite": np.isfinite, "min": np.minimum, "max": np.maximum, "__builtins__": {},
}  # fmt: skip

names = st.sampled_from(LAYERS)
constants = st.sampled_from(["0.5", "1.5", "2", "70", "3e-3"])
signs = st.sampled_from(["+", "-", "*", "/"])
leaves = st.one_of(
    names,
    st.builds("{} {} {}".format, names, signs, constants),
    st.builds("{} {} {}".format, constants, signs, names),
    st.builds("{} ** {}".format, names, st.sampled_from(["2", "0.5", "-1"])),
)
numbers = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, signs, inner),
        st.builds("({}) {} {}".format, inner, signs, inner),
        st.builds("{} {} ({})".format, inner, signs, inner),
        st.builds("({}) ** 2".format, inner),
        st.builds("-{}".format, inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "sqrt", "log10", "exp"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
    ),
    max_leaves=6,
)
comparisons = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
conditions = st.recursive(
    st.one_of(
        st.builds("{} {} {}".format, numbers, comparisons, numbers),
        st.builds("{} {} {}".format, numbers, comparisons, st.sampled_from(["0", "0.002"])),
        st.builds("{} {} {} {} {}".format, numbers, comparisons, numbers, comparisons, numbers),
        st.builds("{}({})".format, st.sampled_from(["isnan", "isfinite"]), numbers),
    ),
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)
values = st.one_of(
    st.sampled_from([0.0, -0.0, NAN, INF, -INF, 70.0]),
    st.floats(-1, 1, width=32),
    st.floats(width=32),
)


def three_valued(node, arrays):
    """The truth of a condition by Kleene's tables (None: undecided); numbers by Python's eval."""

    def number(node):
        return eval(ast.unparse(node), FUNCTIONS | arrays)  # noqa: S307 -- our own texts

    match node:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            truth = three_valued(inner, arrays)
            return None if truth is None else not truth
        case ast.BoolOp(op=op, values=inners):
            decisive = isinstance(op, ast.Or)
            truths = [three_valued(inner, arrays) for inner in inners]
            return decisive if decisive in truths else None if None in truths else not decisive
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            truths = []
            for op, (one, other) in zip(ops, itertools.pairwise(sides), strict=True):
                is_missing = np.isnan(number(one)) or np.isnan(number(other))
                pair = ast.Compare(left=one, ops=[op], comparators=[other])
                truths.append(None if is_missing else bool(number(pair)))
            return False if False in truths else None if None in truths else True
    return bool(number(node))


@settings(max_examples=200)
@given(text=conditions, pixel=st.lists(values, min_size=5, max_size=5))
def test_random_expressions_equal_pythons_own_eval(text, pixel):
    """Whatever the allowed grammar can say, for whatever pixel."""
    scene = scene_of(np.array(pixel, dtype=np.float32)[:, np.newaxis])
    arrays = {name: np.full((1, 1), v, np.float32) for name, v in zip(LAYERS, pixel, strict=True)}
    with np.errstate(all="ignore"):
        expected = three_valued(ast.parse(text, mode="eval").body, arrays)
    verdict = parse(text, scene=scene).judge(scene)
    assert (expected is not False) == bool(verdict.excluded[0, 0])
    assert (expected is None) == bool(undecided_of(verdict)[0, 0])
