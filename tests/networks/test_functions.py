"""Activations, transforms and scalings: reference, graph, and a few lines of the test's own."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import pytest

from pipeline.errors import NetworkError
from pipeline.networks.activations import activation_function, parse_activation
from pipeline.networks.checks import check_network
from pipeline.networks.description import Layer, Network, class_outputs
from pipeline.networks.engines import example_inputs
from pipeline.networks.engines.folding import fold
from pipeline.networks.variable import Variable

# Each function of one number, or of a list of them, written out with math alone.
ACTIVATIONS = {
    "linear": lambda x: x,
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.2 * x,
    "leaky_relu(0.3)": lambda x: x if x > 0 else 0.3 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "elu(0.5)": lambda x: x if x > 0 else 0.5 * (math.exp(x) - 1),
    "softplus": lambda x: math.log(1 + math.exp(x)),
}
FORWARD = {
    "none": lambda x: x,
    "log10": math.log10,
    "ln": math.log,
    "sqrt": math.sqrt,
    "cos_degrees": lambda x: math.cos(x * math.pi / 180),
    "azimuth_difference": lambda x: math.degrees(math.acos(-math.cos(math.radians(x)))),
}
INVERSE = {
    "none": lambda y: y,
    "log10": lambda y: 10**y,
    "ln": math.exp,
    "sqrt": lambda y: y * y,
    "cos_degrees": lambda y: math.acos(max(-1, min(1, y))) * 180 / math.pi,
    "azimuth_difference": lambda y: 180 - y,
}


class Statistics(NamedTuple):
    """Of a transformed quantity."""

    low: float
    high: float
    mean: float
    std: float


STATISTICS = {
    "none": Statistics(0.2, 0.9, 0.5, 0.2),
    "log10": Statistics(-3.0, -1.0, -2.0, 0.5),
    "ln": Statistics(-6.0, -2.0, -4.0, 1.0),
    "sqrt": Statistics(0.1, 0.8, 0.5, 0.15),
    "cos_degrees": Statistics(0.3, 0.9, 0.6, 0.1),
    "azimuth_difference": Statistics(20.0, 150.0, 90.0, 30.0),
}
SCALED = {
    "minmax": lambda z, of: 2 * (z - of.low) / (of.high - of.low) - 1,
    "minmax_01": lambda z, of: (z - of.low) / (of.high - of.low),
    "zscore": lambda z, of: (z - of.mean) / of.std,
    "none": lambda z, _: z,
}
UNSCALED = {
    "minmax": lambda s, of: (s + 1) / 2 * (of.high - of.low) + of.low,
    "minmax_01": lambda s, of: s * (of.high - of.low) + of.low,
    "zscore": lambda s, of: s * of.std + of.mean,
    "none": lambda s, _: s,
}


def variable(name, transform, scaling, *, with_range=True):
    low, high, mean, std = STATISTICS[transform]
    return Variable(
        quantity=name,
        wavelength_nm=None,
        units="1",
        transform_name=transform,
        minimum=low if with_range else -np.inf,
        maximum=high if with_range else np.inf,
        scaling_name=scaling,
        scaling_parameters=(mean, std) if scaling == "zscore" else None,
    )


def network(transform="none", scaling="minmax", activation="tanh", last="linear", **options):
    """Three inputs, four hidden units, two outputs that stay within their functions' domains."""
    drawn = np.random.default_rng(4)
    variables = [variable(f"v{i}", transform, scaling, **options) for i in range(5)]
    # Outputs near the middle of their range, whatever the scaling makes of it.
    of = STATISTICS[transform]
    middle = SCALED[scaling]((of.low + of.high) / 2, of)
    return check_network(
        Network(
            name="net",
            title="",
            inputs=tuple(variables[:3]),
            outputs=tuple(variables[3:]),
            layers=(
                Layer(drawn.normal(0, 0.5, (3, 4)), drawn.normal(0, 0.2, 4), activation),
                Layer(drawn.normal(0, 0.05, (4, 2)), middle + drawn.normal(0, 0.02, 2), last),
            ),
            sensors=("MODIS-Aqua",),
            citation="",
            licence="",
            file_name="net.yaml",
            sha256="",
        )
    )


def by_hand(net, row, transform, scaling, activation, last="linear"):
    """One row through a network of :func:`network`, number by number."""
    statistics = STATISTICS[transform]
    signal = [SCALED[scaling](FORWARD[transform](x), statistics) for x in row]
    for layer, name in zip(net.layers, (activation, last), strict=True):
        sums = [
            sum(signal[i] * layer.kernel[i, j] for i in range(len(signal))) + layer.bias[j]
            for j in range(layer.bias.size)
        ]
        signal = [ACTIVATIONS[name](value) for value in sums]
    return [INVERSE[transform](UNSCALED[scaling](s, statistics)) for s in signal]


COMBINATIONS = [(t, s, "tanh", "linear") for t in FORWARD for s in SCALED] + [
    ("log10", "minmax", activation, last)
    for activation in ACTIVATIONS
    for last in ("linear", "softplus")
]


@pytest.mark.parametrize(("transform", "scaling", "activation", "last"), COMBINATIONS)
def test_reference_and_graph_equal_a_computation_by_hand(transform, scaling, activation, last):
    """Float64 to rounding, the folded float32 graph to 1e-4."""
    net = network(transform, scaling, activation, last)
    x = example_inputs(net, 20, seed=1)
    expected = np.array([by_hand(net, row, transform, scaling, activation, last) for row in x])
    np.testing.assert_allclose(net.reference(x), expected, rtol=1e-12)
    np.testing.assert_allclose(net.predict(x, "tensorflow"), expected, rtol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_equal_mathematics(activation):
    """On both sides of zero and at it, with shape (n, units)."""
    x = np.linspace(-4, 4, 41).reshape(-1, 1)
    expected = [[ACTIVATIONS[activation](float(value))] for value in x[:, 0]]
    np.testing.assert_allclose(activation_function(activation)(x), expected, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "softmax"])
def test_large_values_overflow_nowhere(activation):
    """What exp cannot hold has a limit, and NaN stays NaN."""
    with np.errstate(all="raise", under="ignore"):
        found = activation_function(activation)(np.array([[-1e4, 1e4]]))
    assert np.isfinite(found).all()
    with np.errstate(invalid="ignore"):
        assert np.isnan(activation_function(activation)(np.array([[np.nan]]))).all()


def test_softmax_is_over_the_classes():
    """Each row of its own: e to the power of each, over their sum."""
    x = np.array([[0.0, 1.0, 2.0], [5.0, 5.0, 5.0]])
    powers = [math.exp(value) for value in x[0]]
    found = activation_function("softmax")(x)
    np.testing.assert_allclose(found[0], [power / sum(powers) for power in powers], rtol=1e-14)
    np.testing.assert_allclose(found[1], [1 / 3] * 3, rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gelu", "expected one of linear, tanh"),
        ("", "expected one of"),
        ("tanh()", "takes no number"),
        ("relu(6)", "relu takes no number"),
        ("elu()", "not a finite number"),
        ("elu(a)", "'a' is not a finite number"),
        ("leaky_relu(nan)", "not a finite number"),
        ("leaky_relu(0.1)(0.2)", "unknown activation"),
        ("__import__('os')", "unknown activation"),
    ],
)
def test_an_activation_that_is_wrongly_written(text, says):
    """The message lists what is known or says what is wrong with the number."""
    with pytest.raises(NetworkError, match="activation") as caught:
        parse_activation(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tanh", ("tanh", None)),
        ("leaky_relu", ("leaky_relu", 0.2)),
        ("leaky_relu(0.3)", ("leaky_relu", 0.3)),
        ("elu", ("elu", 1.0)),
        (" elu( 1e-1 ) ", ("elu", 0.1)),
    ],
)
def test_activations_are_parsed_in_one_place(text, expected):
    """A name, with a number in brackets where it takes one."""
    assert parse_activation(text) == expected


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "tensorflow"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "softplus", "elu"])
def test_a_negative_input_of_a_square_root_ends_as_missing(engine, activation):
    """No activation turns NaN into a number."""
    net = network("sqrt", "minmax", activation)
    found = net.predict([[0.2, -1e-6, 0.2], [0.2, 0.0, 0.2]], engine)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_the_old_formula_of_minmax_gives_the_same_numbers():
    """Onto [-1, 1] as 2 (z - min) / (max - min) - 1, back as (o + 1) / 2 (max - min) + min."""
    net = network("log10", "minmax")
    x = example_inputs(net, 500)
    low, high, *_ = STATISTICS["log10"]
    signal = 2 * (np.log10(x) - low) / (high - low) - 1
    signal = np.tanh(signal @ net.layers[0].kernel + net.layers[0].bias)
    signal = signal @ net.layers[1].kernel + net.layers[1].bias
    expected = 10.0 ** ((signal + 1) / 2 * (high - low) + low)
    np.testing.assert_allclose(net.reference(x), expected, rtol=1e-12)


@pytest.mark.parametrize("transform", FORWARD)
@pytest.mark.parametrize("scaling", ["zscore", "none"])
def test_networks_without_ranges_run(transform, scaling):
    """Example inputs are finite, their outputs, too; the range is infinite in both units."""
    net = network(transform, scaling, with_range=False)
    x = example_inputs(net, 50)
    assert np.isfinite(x).all()
    assert np.isfinite(net.predict(x, "tensorflow")).all()
    assert net.inputs[0].physical_range == (-np.inf, np.inf)


def test_one_end_of_a_range_may_be_known():
    """The other stays infinite, also where the transform turns the order round."""
    ends = {"transform_name": "cos_degrees", "minimum": 0.5, "maximum": np.inf}
    angle = Variable("solar_zenith", None, "degree", **ends, scaling_name="none")
    assert angle.physical_range == (-np.inf, pytest.approx(60.0))


def test_logarithms_know_their_ln_units():
    """0.02 ln units are 0.02 / ln(10) units of log10; other transforms have none."""
    found = {name: variable("v", name, "none").transform.ln_per_unit for name in FORWARD}
    assert found.pop("log10") == pytest.approx(math.log(10))
    assert found.pop("ln") == 1.0
    assert set(found.values()) == {None}


def broken(**changes):
    net = network("none", "minmax")
    changed = dataclasses.replace(net.inputs[1], **changes)
    return dataclasses.replace(net, inputs=(net.inputs[0], changed, net.inputs[2]))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"minimum": -np.inf}, "expected finite numbers with minimum < maximum for scaling"),
        (
            {"scaling_name": "minmax_01", "maximum": np.inf},
            "expected finite numbers with minimum < maximum for scaling",
        ),
        ({"scaling_name": "none", "minimum": np.nan}, "minimum < maximum"),
        ({"scaling_name": "zscore"}, "mean and standard deviation are missing"),
        ({"scaling_name": "zscore", "scaling_parameters": (0.0, 0.0)}, "0 and 0"),
        ({"scaling_name": "zscore", "scaling_parameters": (np.nan, 1.0)}, "nan and 1"),
        ({"scaling_parameters": (0.0, 1.0)}, "Set scaling to zscore"),
        ({"scaling_name": "robust"}, "expected one of minmax, minmax_01, zscore, none"),
        (
            {"transform_name": "log2"},
            "expected one of none, log10, ln, sqrt, cos_degrees, azimuth_difference",
        ),
        ({"transform_name": "sqrt", "minimum": -0.1}, "after the transform sqrt, expected 0"),
    ],
)
def test_a_variable_that_does_not_fit(changes, says):
    """The message names the variable and what is missing or wrong."""
    with pytest.raises(NetworkError, match="v1") as caught:
        check_network(broken(**changes))
    assert says in str(caught.value)


def classifier(classes=("clear", "turbid"), last="softmax", quantity="water_type"):
    net = network("none", "minmax", "relu", "linear")
    layers = (net.layers[0], dataclasses.replace(net.layers[1], activation=last))
    return dataclasses.replace(
        net,
        layers=layers,
        outputs=class_outputs(classes),
        classes=tuple(classes),
        class_quantity=quantity,
    )


def test_a_network_that_classifies_gives_probabilities():
    """Their sum is one, nothing is appended to the softmax, and both engines agree."""
    net = check_network(classifier())
    x = example_inputs(net, 100)
    found = net.predict(x, "numpy")
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(net.predict(x, "tensorflow"), found, rtol=1e-4)
    assert len(fold(net).layers) == 2
    assert [(v.name, v.units, v.physical_range) for v in net.outputs] == [
        (name, "1", (-np.inf, np.inf)) for name in ("clear", "turbid")
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"classes": ("clear", "clear")}, "have the name clear"),
        ({"classes": ("clear", "very turbid")}, "'very turbid'"),
        ({"classes": ("clear", "1st")}, "'1st'"),
        ({"classes": ("clear", "")}, "''"),
        ({"quantity": ""}, "''"),
        ({"last": "linear"}, "the last layer of a classifier must be softmax, but it is linear"),
        ({"last": "sigmoid"}, "must be softmax"),
        ({"classes": ("clear", "turbid", "bloom")}, "2 units, but 3 classes"),
    ],
)
def test_classes_that_do_not_fit(options, says):
    """Names, their number and the last layer are checked."""
    with pytest.raises(NetworkError) as caught:
        check_network(classifier(**options))
    assert says in str(caught.value)


def test_more_classes_than_a_class_map_holds():
    """One byte for each pixel, a few values of which mean no class."""
    names = tuple(f"class_{number}" for number in range(251))
    net = classifier(names)
    many = Layer(np.zeros((4, 251)), np.zeros(251), "softmax")
    with pytest.raises(NetworkError, match="251 classes, expected at most 250"):
        check_network(dataclasses.replace(net, layers=(net.layers[0], many)))


@pytest.mark.parametrize("last", ["linear", "sigmoid"])
def test_folding_is_exact(last):
    """The folded layers give the same numbers in float64, scaling of the outputs included."""
    net = network("log10", "zscore", "tanh", last)
    x = example_inputs(net, 50)
    folded = fold(net)
    signal = np.log(x)
    for layer in folded.layers:
        signal = activation_function(layer.activation)(signal @ layer.kernel + layer.bias)
    np.testing.assert_allclose(np.exp(signal), net.reference(x), rtol=1e-12)
    assert len(folded.layers) == (2 if last == "linear" else 3)
