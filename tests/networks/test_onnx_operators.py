"""Operators of ONNX, one small graph each: against onnx's own evaluation, or refused by name."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_networks import network_of

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.network import read_onnx_graph

DRAW = np.random.default_rng(7)
X = DRAW.uniform(0.1, 0.9, (7, 3))
W = DRAW.normal(0, 1, (3, 2))
SQUARE = DRAW.normal(0, 1, (3, 3))


def node(operator, inputs, outputs="y", domain="", **attributes):
    return helper.make_node(operator, inputs.split(), outputs.split(), domain=domain, **attributes)


def graph_of(nodes, constants=None, columns=None, outputs=("y",), opset=17):
    """A model in float64; ``columns`` are the shapes of several inputs."""
    columns = {"x": [None, 3]} if columns is None else columns
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape)
        for name, shape in columns.items()
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in outputs]
    stored = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs, ends, stored)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def read(tmp_path, model):
    path = tmp_path / "net.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return read_onnx_graph(path)


SCALARS = {"a": [None, 1], "b": ["n", 1], "c": [1, 1]}
LOGS = [node("Concat", "a b c", "x", axis=1), node("Log", "x", "l"), node("MatMul", "l w", "y")]
ANGLES = [
    node("Slice", "x i0 i1 i1", "a"), node("Slice", "x i1 i3 i1", "b"), node("Mul", "a r", "d"),
    node("Cos", "d", "e"), node("Sqrt", "b", "f"), node("Concat", "f e", "g", axis=1),
    node("MatMul", "g s", "h"), node("Tanh", "h", "t"), node("MatMul", "t s", "u"),
    node("Slice", "u i0 i1 i1", "p"), node("Slice", "u i1 i3 i1", "q"), node("Pow", "p two", "v"),
    node("Max", "q low", "q1"), node("Min", "q1 high", "q2"), node("Acos", "q2", "q3"),
    node("Mul", "q3 deg", "q4"), node("Concat", "q4 v", "y", axis=-1),
]  # fmt: skip
PLACES = {"i0": np.array([0]), "i1": np.array([1]), "i3": np.array([3])}
NUMBERS = {"r": np.pi / 180, "deg": 180 / np.pi, "two": 2.0, "low": -1.0, "high": 1.0}
GOOD = {
    "gemm_with_factors": (
        [node("Gemm", "x w c", alpha=0.5, beta=2.0)], {"w": W, "c": np.array([[0.1, 0.2]])}
    ),
    "transposed_constant": (
        [node("Transpose", "k", "w", perm=[1, 0]), node("MatMul", "x w")], {"k": W.T}
    ),
    "scaling": (
        [node("Sub", "m x", "a"), node("Div", "a s", "b"), node("Neg", "b", "c"),
         node("Sum", "c c m", "d"), node("Sigmoid", "d")],
        {"m": np.array([[0.1, 0.2, 0.3]]), "s": np.array(0.4)},
    ),
    "one_column_for_several": (
        [node("Gather", "x i", "a", axis=1), node("Mul", "a k")],
        {"i": np.array([-1]), "k": np.array([1.0, 2.0, 3.0])},
    ),
    "residual_before_activation": (
        [node("MatMul", "x s", "a"), node("Add", "x a", "b"), node("Relu", "b")], {"s": SQUARE}
    ),
    "split_and_swapped": (
        [node("Split", "x", "a b c", axis=1), node("Concat", "c a b", "d", axis=1),
         node("Elu", "d", alpha=0.5)], {}
    ),
    "clip_is_relu": (
        [node("Add", "x m", "a"), node("Clip", "a zero", "b"), node("Max", "b zero", "c"),
         node("Softplus", "c")],
        {"m": np.array(-0.5), "zero": np.array(0.0)},
    ),
    "constant_arithmetic": (
        [node("Constant", "", "e", value_float=0.5), node("Cast", "e", "e2", to=11),
         node("Add", "v e2", "a"), node("Sqrt", "a", "b"), node("Reciprocal", "b", "c"),
         node("Unsqueeze", "c axes", "d"), node("Mul", "x d")],
        {"v": np.array([1.0, 2.0, 3.0]), "axes": np.array([0])},
    ),
    "batch_normalization": (
        [node("BatchNormalization", "x g b m v", epsilon=0.01)],
        {"g": X[0], "b": X[1], "m": X[2], "v": X[3]},
    ),
    "scaler_and_linear_regressor": (
        [node("Scaler", "x", "a", "ai.onnx.ml", offset=[0.5, 0.25, 0.125], scale=[2.0]),
         node("LinearRegressor", "a", "y", "ai.onnx.ml", targets=2, intercepts=[0.5, -0.5],
              coefficients=[0.5, 1.0, 2.0, 0.25, 4.0, 8.0])], {}
    ),
    "angles_roots_and_back": (ANGLES, {"s": SQUARE / 4, **PLACES, **NUMBERS}),
    "vector_of_weights": (
        [node("MatMul", "x v", "a"), node("Unsqueeze", "a one")],
        {"v": np.array([0.5, 1.0, 2.0]), "one": np.array([1])},
    ),
    "reshapes": (
        [node("Flatten", "x", "a"), node("Reshape", "a to", "b"), node("Dropout", "b", "c m"),
         node("Identity", "c", "d"), node("Selu", "d")], {"to": np.array([-1, 3])}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_an_operator_equals_the_evaluation_of_onnx(tmp_path, name):
    """In float64."""
    nodes, constants = GOOD[name]
    model = graph_of(nodes, constants)
    expected = np.asarray(ReferenceEvaluator(model).run(None, {"x": X})[0])
    found = network_of(read(tmp_path, model)).reference(X)
    np.testing.assert_allclose(found, expected, rtol=2e-7, atol=1e-9)


@pytest.mark.parametrize("shapes", [SCALARS, {key: [None, 1] for key in "abc"}])
def test_scalar_inputs_are_joined(tmp_path, shapes):
    """Each input is a column of its own, with its own name and transform."""
    graph = read(tmp_path, graph_of(LOGS, {"w": W}, shapes))
    assert graph.input_names == ("a", "b", "c")
    assert graph.input_transforms == ("ln", "ln", "ln")
    found = network_of(graph).reference(X)
    np.testing.assert_allclose(found, np.log(X) @ W, rtol=1e-12)


def test_inputs_of_one_axis_are_columns(tmp_path):
    """(pixels,) becomes (pixels, 1), and an output may be (pixels,) again."""
    nodes = [node("Unsqueeze", "a one", "b"), node("Mul", "b k", "c"), node("Squeeze", "c one")]
    constants = {"one": np.array([1]), "k": np.array(3.0)}
    graph = read(tmp_path, graph_of(nodes, constants, {"a": ["n"]}))
    np.testing.assert_allclose(network_of(graph).reference([[2.0], [5.0]]), [[6.0], [15.0]])


def test_a_factor_before_a_logarithm_goes_into_the_bias(tmp_path):
    """As in log(pi * Rrs), with an input that is not used at all."""
    nodes = [node("Mul", "x pi", "a"), node("Slice", "a i0 i1 i1", "b"), node("Log", "b", "y")]
    graph = read(tmp_path, graph_of(nodes, {"pi": np.array(np.pi), **PLACES}))
    assert graph.input_transforms == ("ln", "none", "none")
    np.testing.assert_allclose(network_of(graph).reference(X), np.log(np.pi * X[:, :1]))


def test_the_label_is_left_out_beside_probabilities(tmp_path):
    """And alone it stands for the softmax before it."""
    nodes = [node("Softmax", "x", "p", axis=1), node("ArgMax", "p", "l", axis=1, keepdims=0)]
    for outputs in (("l", "p"), ("l",)):
        graph = read(tmp_path, graph_of(nodes, {}, outputs=outputs))
        assert [layer.activation for layer in graph.layers] == ["softmax"]


def test_unused_operators_are_not_followed(tmp_path):
    """But each must be one that ocpipe reads."""
    nodes = [node("Transpose", "x", "t", perm=[1, 0]), node("Tanh", "x")]
    assert len(read(tmp_path, graph_of(nodes)).layers) == 1
    nodes = [node("LSTM", "x", "t"), node("Tanh", "x")]
    with pytest.raises(NetworkError, match="the operators LSTM are not among"):
        read(tmp_path, graph_of(nodes))


def then_graph():
    end = helper.make_tensor_value_info("z", TensorProto.DOUBLE, None)
    return helper.make_graph([node("Identity", "x", "z")], "b", [], [end])


BIG = np.zeros((1, 9000))
REFUSED = {
    "custom domain": ([node("Gelu", "x", domain="com.microsoft")], {}, "com.microsoft.Gelu"),
    "convolution": ([node("Conv", "x w")], {"w": W}, "operators Conv"),
    "subgraph": ([node("Tanh", "x", body=then_graph())], {}, "is another graph"),
    "circle": ([node("Add", "x z", "w"), node("Add", "w w", "z"), node("Tanh", "z")], {}, "circle"),
    "order": ([node("Tanh", "z", "y"), node("Relu", "x", "z")], {}, "no operator before it"),
    "twice": ([node("Tanh", "x", "y"), node("Relu", "x", "y")], {}, "two operators make"),
    "residual": ([node("Tanh", "x", "t"), node("Add", "x t", "u"), node("Relu", "u")], {},
                 "between its layers"),
    "gate": ([node("Sigmoid", "x", "t"), node("Mul", "x t")], {}, "Mul.*expected a constant"),
    "pixels": ([node("Transpose", "x", perm=[1, 0])], {}, "Transpose takes values of pixels"),
    "more inputs": ([node("Tanh", "x x")], {}, "takes 2 tensors, expected at most 1"),
    "joins pixels": ([node("Concat", "x x", axis=0)], {}, "axis 0"),
    "reshape": ([node("Reshape", "x to", "a"), node("Relu", "a")], {"to": np.array([-1, 1])},
                "changes the shape"),
    "row for each pixel": ([node("Add", "x m")], {"m": np.zeros((2, 3))}, "one number for each"),
    "relu6": ([node("Clip", "x a b")], {"a": np.array(0.0), "b": np.array(6.0)}, "0 ... 6"),
    "slopes": ([node("PRelu", "x s")], {"s": np.array([0.1, 0.2, 0.3])}, "several slopes"),
    "exp inside": ([node("Exp", "x", "a"), node("MatMul", "a w", "b"), node("Tanh", "b")],
                   {"w": W}, "exp"),
    "log of a sum": ([node("MatMul", "x w", "a"), node("Log", "a", "b"), node("MatMul", "b w2")],
                     {"w": W, "w2": W.T}, "a sum of 3 inputs"),
    "log with offset": ([node("Add", "x e", "a"), node("Log", "a")], {"e": np.array(1e-6)},
                        r"log\(1 \* x \+ 1e-06\)"),
    "two ways": ([node("Log", "x", "a"), node("Concat", "x a", axis=1)], {},
                 "two functions to input"),
    "mixed ends": ([node("Tanh", "x", "t"), node("Split", "t", "a b", axis=1),
                    node("Relu", "a", "c"), node("Concat", "c b", axis=1)], {}, "ends with relu"),
    "softmax and more": ([node("Tanh", "x", "t"), node("Softmax", "t", "s", axis=1),
                          node("Concat", "s t", axis=1)], {}, "joins a softmax"),
    "label alone": ([node("ArgMax", "x", axis=1)], {}, "no softmax makes probabilities"),
    "where": ([node("Greater", "x k", "c"), node("Where", "c x k")], {"k": np.array(0.5)},
              "not as in the softplus"),
    "constant output": ([node("Identity", "k")], {"k": np.zeros(2)}, "does not depend"),
    "wide": ([node("Gather", "x i", "a", axis=1), node("Add", "a k")],
             {"i": np.array([0]), "k": BIG}, "9,000 columns"),
    "training": ([node("Dropout", "x r t")], {"r": np.array(0.5), "t": np.array(True)}, "type 9"),
    "text": ([node("Cast", "x", to=8)], {}, "type 8"),
    "old": ([node("Tanh", "x")], {}, "expected 7 or later"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_chain_is_refused(tmp_path, name):
    """In words that name the operator, without a traceback."""
    nodes, constants, words = REFUSED[name]
    model = graph_of(nodes, constants, opset=6 if name == "old" else 17)
    with pytest.raises(NetworkError, match=words) as caught:
        read(tmp_path, model)
    assert str(caught.value).startswith("net.onnx: ")


def test_more_parts_of_a_model_that_are_refused(tmp_path):
    """External data, functions, sparse constants, two graphs, unknown shapes, no graph."""
    model = graph_of([node("MatMul", "x w")], {"w": W})
    content = model.SerializeToString()

    def changed(change):
        copy = onnx.ModelProto.FromString(content)
        change(copy)
        return copy.SerializeToString()

    def external(copy):
        tensor = copy.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"

    def huge(copy):
        copy.graph.initializer[0].dims[:] = [2**40, 2]

    def few(copy):
        copy.graph.initializer[0].dims[:] = [3, 3]

    def unknown(copy):
        copy.graph.input[0].type.tensor_type.ClearField("shape")

    def image(copy):
        copy.graph.input[0].type.tensor_type.shape.dim.add().dim_value = 5

    def quantized(copy):
        copy.graph.initializer[0].data_type = TensorProto.INT8

    for made, words in (
        (changed(external), "are in another file"),
        (changed(lambda copy: copy.functions.add(name="Tanh")), "defines other functions"),
        (changed(lambda copy: copy.graph.sparse_initializer.add()), "sparse"),
        (changed(huge), "has 2,199,023,255,552 numbers"),
        (changed(few), r"has 6 numbers, its shape \[3, 3\] 9"),
        (changed(unknown), "the shape unknown"),
        (changed(image), r"the shape \(any, 3, 5\)"),
        (changed(quantized), "without quantization"),
        (content + content, "there 2 times"),
        (content[:-20], "not a model as ONNX"),
        (b"", "it has no graph"),
        (b"\x08\x08\x3a\x00", "the graph has no input"),
        (content + b"\x0a\x00" * 300_000, "more than 200,000 parts"),
    ):
        with pytest.raises(NetworkError, match=words):
            read(tmp_path, made)
