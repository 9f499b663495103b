"""A network as an ONNX graph: transforms and folded scaling are part of it, numbers float32."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.networks.activations import parse_activation
from pipeline.networks.description import Network
from pipeline.networks.engines.folding import fold

if TYPE_CHECKING:
    import onnx

INPUT, OUTPUT = "physical_inputs", "physical_outputs"
OPSET = 17
# What runtimes of the last years read.
IR_VERSION = 9

# Activation -> operator; a parameter is its attribute alpha.
OPERATORS = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "softplus": "Softplus",
    "softmax": "Softmax",
}
# Function of the inputs, or inverse function of the outputs -> operators, one after the other;
# with a number, an operator takes it as its second operand.
Steps = tuple[tuple[str, float | None], ...]
INPUT_FUNCTIONS: dict[str, Steps] = {
    "identity": (),
    "log": (("Log", None),),
    "sqrt": (("Sqrt", None),),
    "cos_degrees": (("Mul", math.pi / 180), ("Cos", None)),
}
OUTPUT_FUNCTIONS: dict[str, Steps] = {
    "identity": (),
    "log": (("Exp", None),),
    "sqrt": (("Pow", 2.0),),
    "cos_degrees": (("Max", -1.0), ("Min", 1.0), ("Acos", None), ("Mul", 180 / math.pi)),
}


def build_graph(network: Network, *, rows_first: bool = False) -> "onnx.ModelProto":
    """The graph (inputs, n) -> (outputs, n) in physical units, float32.

    Layers of a scene lie one after the other in memory, and so do those of a product. Other
    programs expect (n, inputs) -> (n, outputs): ``rows_first``.
    """
    return _Builder().model(network, rows_first)


class _Builder:
    """Collects nodes and constants, each tensor under a name of its own."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self, network: Network, rows_first: bool) -> "onnx.ModelProto":
        """The whole graph."""
        from onnx import TensorProto

        folded = fold(network)
        rows = INPUT if rows_first else self._node("Transpose", INPUT, perm=[1, 0])
        signal = self._columnwise(rows, folded.input_functions, INPUT_FUNCTIONS)
        for layer in folded.layers:
            kernel, bias = self._constant(layer.kernel), self._constant(layer.bias)
            signal = self._node("Gemm", signal, kernel, bias)
            name, parameter = parse_activation(layer.activation)
            if name != "linear":
                attributes = {} if parameter is None else {"alpha": parameter}
                signal = self._node(OPERATORS[name], signal, **attributes)
        signal = self._columnwise(signal, folded.output_functions, OUTPUT_FUNCTIONS)
        make = self._helper.make_node
        if rows_first:
            self._nodes.append(make("Identity", [signal], [OUTPUT]))
        else:
            self._nodes.append(make("Transpose", [signal], [OUTPUT], perm=[1, 0]))
        ends = [
            self._helper.make_tensor_value_info(
                name, TensorProto.FLOAT, ["rows", size] if rows_first else [size, "rows"]
            )
            for name, size in ((INPUT, len(network.inputs)), (OUTPUT, len(network.outputs)))
        ]
        graph = self._helper.make_graph(self._nodes, "network", ends[:1], ends[1:], self._constants)
        return self._helper.make_model(
            graph, opset_imports=[self._helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )

    def _columnwise(self, tensor: str, names: tuple[str, ...], functions: dict[str, Steps]) -> str:
        """Apply to each run of columns the function it is named for."""
        parts, start = [], 0
        for stop in range(1, len(names) + 1):
            if stop == len(names) or names[stop] != names[start]:
                whole = start == 0 and stop == len(names)
                part = tensor if whole else self._columns(tensor, start, stop)
                for operator, operand in functions[names[start]]:
                    operands = [] if operand is None else [self._constant(np.float32(operand))]
                    part = self._node(operator, part, *operands)
                parts.append(part)
                start = stop
        return parts[0] if len(parts) == 1 else self._node("Concat", *parts, axis=1)

    def _columns(self, tensor: str, start: int, stop: int) -> str:
        places = (np.array([place], dtype=np.int64) for place in (start, stop, 1))
        return self._node("Slice", tensor, *(self._integers(place) for place in places))

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"t{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def _constant(self, values: Any) -> str:
        return self._stored(np.asarray(values, dtype=np.float32))

    def _integers(self, values: Any) -> str:
        return self._stored(np.asarray(values, dtype=np.int64))

    def _stored(self, values: Any) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(self._numpy.from_array(np.ascontiguousarray(values), name))
        return name
