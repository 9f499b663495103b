"""Rows that are quickly seen to be inside of all ranges are those that a full look finds inside."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_network import write_network

import pipeline.run.retrieve
from pipeline.networks import load_network
from pipeline.networks.after import Gains
from pipeline.networks.description import Layer, Network
from pipeline.networks.variable import Variable
from pipeline.run.range_flags import outside_range, range_flags, well_inside
from pipeline.run.retrieve import StepOnRows, retrieve
from pipeline.scene.quality import (
    AT_LIMIT_LN,
    INPUT_OUT_OF_RANGE,
    OUTPUT_AT_LIMIT,
    OUTPUT_OUT_OF_RANGE,
)

INF = np.inf
# Limits of the transformed quantity, as networks have them; an unknown end is infinite.
LIMITS = {
    "none": [(0.0, 1.0), (-0.01, 0.05), (-3.0, 250.0), (-INF, 2.0), (0.001, INF), (-INF, INF)],
    "log10": [(-4.0, -1.3), (-0.5, 2.25), (-30.0, 6.0), (-INF, -1.0), (-3.0, INF), (-INF, INF)],
    "ln": [(-9.2, -3.1), (0.0, 4.6), (-0.03, 0.03), (-INF, -2.0), (-7.0, INF), (-INF, INF)],
    "sqrt": [(0.0, 1.0), (0.03, 0.3), (2.0, 9.0), (-INF, 0.5), (0.1, INF), (-INF, INF)],
    "cos_degrees": [(-1.0, 1.0), (0.2588, 1.0), (-0.5, 0.5), (0.17, 0.9999), (-INF, INF)],
    "azimuth_difference": [(0.0, 180.0), (12.5, 170.0), (-INF, 90.0), (-INF, INF)],
}
CASES = [(name, *ends) for name, pairs in LIMITS.items() for ends in pairs]
ODD = (0.0, -0.0, 1e-45, 1e-38, 1e-7, -1e-7, 1.0, -1.0, 90.0, 180.0, -30.0, 359.0, 3.4e38, -3.4e38,
       np.nan, INF, -INF)  # fmt: skip


def variable(transform="none", minimum=-INF, maximum=INF, name="Rrs"):
    return Variable(name, 443.0, "1", transform, minimum, maximum, scaling_name="none")


def network_of(inputs, outputs, kernel, activation="linear"):
    """A network of one layer."""
    layer = Layer(np.asarray(kernel, float), np.zeros(len(outputs)), activation)
    return Network(
        name="n",
        title="",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        layers=(layer,),
        sensors=(),
        citation="",
        licence="",
        file_name="n",
        sha256="",
    )


def step_of(network, columns, first, engine="numpy", upstream=(), gains=None, input_gains=None):
    return SimpleNamespace(
        retrieval=network,
        engine=engine,
        columns=list(columns),
        first_output=first,
        output_columns=slice(first, first + len(network.outputs)),
        upstream=upstream,
        gains=gains,
        input_gains=input_gains,
        flags_column=None,
        is_combined=False,
    )


def beside(of):
    """Physical values at, around and between the limits of a variable, and odd ones; float32."""
    width = AT_LIMIT_LN / (of.transform.ln_per_unit or 1.0)
    ends = [end for end in (of.minimum, of.maximum) if np.isfinite(end)]
    small = [0, 2e-8, 5e-8, 1e-7, 2e-7, 1e-6, 9e-4, 1e-3, 1.1e-3, 1.9e-3, 2e-3, 2.1e-3]
    away = np.array([s * d for s in (1, -1) for d in small])
    away = np.concatenate([away, away + width, away - width])
    near = [end + away * scale for end in ends for scale in {1.0, max(1.0, abs(end))}]
    low = of.minimum if np.isfinite(of.minimum) else min(ends, default=0.0) - 2
    high = of.maximum if np.isfinite(of.maximum) else low + 4
    random = np.random.default_rng(5).uniform(low - (high - low), high + (high - low), 200)
    inside = np.random.default_rng(6).uniform(low, high, 200)
    with np.errstate(all="ignore"):
        physical = of.transform.inverse(np.concatenate([*near, random, inside]))
        exact = physical.astype(np.float32)
        up, down = np.nextafter(exact, np.float32(INF)), np.nextafter(exact, np.float32(-INF))
    return np.concatenate([exact, up, down, np.float32(ODD)])


def rows_of(columns, layers):
    """Rows of given first columns, with room for outputs; columns together in memory."""
    rows = np.full((layers, len(columns[0])), np.nan, np.float32).T
    for index, column in enumerate(columns):
        rows[:, index] = column
    return rows


def each_in_turn(network, layers, seed=0):
    """Every odd value of every input, the other inputs well inside or odd as well."""
    drawn, values = np.random.default_rng(seed), [beside(v) for v in network.inputs]
    columns = []
    for index, own in enumerate(values):
        parts = []
        for turn, of_turn in enumerate(values):
            inside = _inside(network.inputs[index], len(of_turn), drawn)
            parts.append(own if turn == index else inside)
        parts.append(drawn.choice(own, 500))
        parts.append(_inside(network.inputs[index], 2000, drawn))
        columns.append(np.concatenate(parts))
    return rows_of(columns, layers)


def _inside(of, count, drawn):
    low = of.minimum if np.isfinite(of.minimum) else min(of.maximum, 1.0) - 1
    high = of.maximum if np.isfinite(of.maximum) else low + 1
    return of.transform.inverse(drawn.uniform(low, high, count)).astype(np.float32)


def assert_same_by_a_full_look(steps, rows, monkeypatch):
    """All networks of a chain, with and without the quick look; returns values and flags."""

    def run():
        own = rows.copy(order="K")
        with np.errstate(all="ignore"):
            return [retrieve(step, own, tuple(steps))[:3] for step in steps]

    quick = run()
    with monkeypatch.context() as patched:
        patched.setattr(StepOnRows, "doubtful", lambda _self, x, _y: np.arange(len(x)))
        full = run()
    for (values, flags, outside), (expected, expected_flags, counts) in zip(
        quick, full, strict=True
    ):
        np.testing.assert_array_equal(flags, expected_flags)
        np.testing.assert_array_equal(outside, counts)
        assert (outside.max() > 0) == bool((flags & INPUT_OUT_OF_RANGE).any())
        assert values.dtype == expected.dtype == np.float32
        np.testing.assert_array_equal(values.view(np.uint32), expected.view(np.uint32))
    return quick


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
@pytest.mark.parametrize(("transform", "minimum", "maximum"), CASES)
def test_inputs_at_their_limits(transform, minimum, maximum, engine, monkeypatch):
    """Every transform, known and unknown limits: the bits of a full look, and the values."""
    inputs = [variable(transform, minimum, maximum), variable("none", -1.0, 2.0)]
    network = network_of(inputs, [variable()], [[1e-3], [0.5]])
    step = step_of(network, [0, 1], 2, engine)
    rows = rows_of([beside(inputs[0]), np.full(len(beside(inputs[0])), 0.5)], 3)
    ((_, flags, _),) = assert_same_by_a_full_look([step], rows, monkeypatch)
    all_values = {"cos_degrees": (-1.0, 1.0)}
    is_everything = all_values.get(transform) == (minimum, maximum)
    if np.isfinite((minimum, maximum)).any() and not is_everything:
        assert (flags & INPUT_OUT_OF_RANGE).any()


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
@pytest.mark.parametrize(("transform", "minimum", "maximum"), CASES)
def test_outputs_at_their_limits(transform, minimum, maximum, engine, monkeypatch):
    """The transformed output is the input itself, and goes to and beyond every limit."""
    output = variable(transform, minimum, maximum, "aph")
    network = network_of([variable()], [output], [[1.0]])
    transformed = beside(variable("none", minimum, maximum))
    if transform == "cos_degrees":
        transformed = transformed[np.abs(transformed) <= 1]
    width = AT_LIMIT_LN / (output.transform.ln_per_unit or 1.0)
    ends = [end for end in (minimum, maximum) if np.isfinite(end)]
    wide = [end + s * width + d for end in ends for s in (1, -1) for d in (0, 1e-7, -1e-7, 1e-3)]
    rows = rows_of([np.concatenate([transformed, np.float32(wide)])], 2)
    ((_, flags, _),) = assert_same_by_a_full_look(
        [step_of(network, [0], 1, engine)], rows, monkeypatch
    )
    if ends and transform != "cos_degrees":
        assert (flags & OUTPUT_OUT_OF_RANGE).any()
    if ends and output.transform.ln_per_unit:
        assert (flags & OUTPUT_AT_LIMIT).any()


@pytest.mark.quick
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("transform", ["none", "log10", "ln", "sqrt", "cos_degrees"])
def test_small_networks(tmp_path, transform, engine, monkeypatch):
    """Networks with hidden layers, every input at its limits in turn and all together."""
    norm = {"log10": (-4.0, -1.3), "ln": (-9.0, -3.0), "sqrt": (0.01, 0.3), "none": (0.0, 0.05),
            "cos_degrees": (0.2, 1.0)}[transform]  # fmt: skip
    path = write_network(tmp_path / "n.h5", transform=transform, norm_in=np.tile(norm, (3, 1)))
    network = load_network(path)
    rows = each_in_turn(network, 5)
    ((values, flags, _),) = assert_same_by_a_full_look(
        [step_of(network, range(3), 3, engine)], rows, monkeypatch
    )
    assert (flags == 0).any()
    assert np.isfinite(values[flags == 0]).all()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 1, 3]])
def test_columns_in_any_order(tmp_path, order, monkeypatch):
    """Inputs beside each other, in another order, or one twice."""
    network = load_network(write_network(tmp_path / "n.h5"))
    rows = each_in_turn(network, 6)
    rows[:, 3] = rows[::-1, 0]
    step = step_of(network, order, 4)
    ((values, flags, _),) = assert_same_by_a_full_look([step], rows, monkeypatch)
    computed = np.isfinite(values).all(axis=1)
    x = rows[computed][:, order]
    np.testing.assert_array_equal(values[computed], network.predict(x, "numpy").astype("f4"))
    outside = outside_range(network.inputs, x)
    expected = range_flags(network, outside, network.predict(x, "numpy"))
    np.testing.assert_array_equal(flags[computed], expected)


@pytest.mark.quick
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("with_gains", [False, True])
def test_a_chain(tmp_path, engine, with_gains, monkeypatch):
    """A network on what another makes, between limits that its values often come near to."""
    first = load_network(write_network(tmp_path / "a.h5"))
    made = first.predict(_many_inside(first), "numpy")
    ends = np.quantile(np.log10(made), (0.2, 0.8), axis=0)
    inputs = [
        variable("log10", *column, name=name) for column, name in zip(ends.T, "ab", strict=True)
    ]
    second = network_of(
        inputs, [variable("log10", -1.0, 0.2, "aph")], [[0.3], [0.2]], activation="tanh"
    )
    gains = Gains("open", (443.0, 488.0), (1.03, 0.98), (1.0, 1.0), 2.0, 1) if with_gains else None
    steps = [
        step_of(first, range(3), 3, engine, gains=gains),
        step_of(second, [3, 4], 5, engine, upstream=("a_flags",), input_gains=gains),
    ]
    rows = rows_of(_many_inside(first).T, 6)
    found = assert_same_by_a_full_look(steps, rows, monkeypatch)
    flags = found[1][1]
    assert 0 < np.count_nonzero(flags & INPUT_OUT_OF_RANGE) < len(flags)


def _many_inside(network):
    drawn = np.random.default_rng(1)
    return np.stack([_inside(v, 5000, drawn) for v in network.inputs], axis=1)


@pytest.mark.quick
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("kind", ["aph", "adg", "bbp", "ap", "bp"])
@pytest.mark.parametrize("sensor", ["MODIS-Aqua", "SGLI"])
def test_real_networks(ocsmart, sensor, kind, engine, monkeypatch):
    """OC-SMART's networks on spectra inside, outside and at every limit."""
    network = load_network(ocsmart / f"{sensor}_{kind}NN.h5")
    count = len(network.inputs)
    rows = each_in_turn(network, count + len(network.outputs))
    step = step_of(network, range(count), count, engine)
    ((_, flags, _),) = assert_same_by_a_full_look([step], rows, monkeypatch)
    assert (flags & INPUT_OUT_OF_RANGE).any()
    assert (flags == 0).any()


def test_rows_are_decided_some_at_a_time(tmp_path, monkeypatch):
    """Of many rows near to a limit each gets the bits that it gets among few."""
    network = load_network(write_network(tmp_path / "n.h5"))
    rows = each_in_turn(network, 5)
    step = step_of(network, range(3), 3)
    whole = assert_same_by_a_full_look([step], rows, monkeypatch)
    monkeypatch.setattr(pipeline.run.retrieve, "NUMBERS_AT_ONCE", 1)
    parts = assert_same_by_a_full_look([step], rows, monkeypatch)
    assert len(rows) > 2 * pipeline.run.retrieve.FEWEST_ROWS
    np.testing.assert_array_equal(parts[0][1], whole[0][1])
    np.testing.assert_array_equal(parts[0][0], whole[0][0])


def test_usual_rows_are_decided_quickly(tmp_path):
    """Otherwise the tests above compare a full look with itself."""
    network = load_network(write_network(tmp_path / "n.h5"))
    x = np.float32([[0.004] * 3, [0.002, 0.01, 0.003], [0.00010001] * 3, [0.06] * 3])
    y = np.float32([[0.1, 0.2]] * 4)
    evaluation = StepOnRows(step_of(network, range(3), 3), x, ())
    assert evaluation.doubtful(x, y).tolist() == [3]
    y[0, 1] = 9.9
    assert evaluation.doubtful(x, y).tolist() == [0, 3]


@settings(max_examples=200)
@given(
    case=st.sampled_from(CASES),
    margin=st.sampled_from((1e-7, 2e-3)),
    width=st.sampled_from((None, -1.0, 0.02, 0.3)),
    place=st.floats(0, 1),
)
def test_what_is_well_inside_is_inside(case, margin, width, place):
    """Any float32 between the two ends, ends included, is farther from every limit than it must."""
    of = variable(*case)
    widths = None if width is None else np.array([width])
    with np.errstate(over="ignore"):
        ((low, high),) = well_inside((of,), margin, widths)
    if low > high:
        return
    chosen = low + place * (high - low)  # float64 holds what float32 would not
    for physical in (low, high, float(np.clip(chosen, low, high))):
        if (of.transform.needs_positive and physical <= 0) or (
            of.transform.needs_non_negative and physical < 0
        ):
            continue  # never computed
        with np.errstate(all="ignore"):
            value = float(of.transform.forward(np.float64(np.float32(physical))))
        for end in (of.minimum, of.maximum):
            if np.isfinite(end):
                assert of.minimum < value < of.maximum
                assert abs(value - end) >= max(width or 0, 0) + margin * 0.999 * max(1, abs(end))
