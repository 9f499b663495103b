"""A network as a float32 ONNX graph; transforms and folded scaling are part of the graph."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.networks.activations import onnx_activation
from pipeline.networks.description import Network
from pipeline.networks.engines.folding import columns_of, fold
from pipeline.networks.transforms import GraphFunction

if TYPE_CHECKING:
    import onnx

INPUT, OUTPUT = "physical_inputs", "physical_outputs"
OPSET = 17
# Runtimes of recent years read this version.
IR_VERSION = 9


def build_graph(network: Network, *, rows_first: bool = False) -> "onnx.ModelProto":
    """Return the graph (inputs, n) -> (outputs, n) in physical units, float32.

    The columns are on the first axis, so that the values of each column are contiguous in memory.

    Args:
        network: any network.
        rows_first: make the graph (n, inputs) -> (n, outputs), as other programs expect.
    """
    return _Builder().model(network, rows_first)


class _Builder:
    """The nodes and constants of a graph under construction; each tensor has its own name."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self, network: Network, rows_first: bool) -> "onnx.ModelProto":
        """Return the whole graph."""
        from onnx import TensorProto

        folded = fold(network)
        rows = INPUT if rows_first else self._node("Transpose", INPUT, perm=[1, 0])
        signal = self._columnwise(rows, folded.input_functions, "onnx")
        for layer in folded.layers:
            kernel, bias = self._constant(layer.kernel), self._constant(layer.bias)
            signal = self._node("Gemm", signal, kernel, bias)
            signal = onnx_activation(layer.activation, self._node, signal)
        signal = self._columnwise(signal, folded.output_functions, "onnx_inverse")
        last: dict[str, Any] = {} if rows_first else {"perm": [1, 0]}
        name = "Identity" if rows_first else "Transpose"
        self._nodes.append(self._helper.make_node(name, [signal], [OUTPUT], **last))
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

    def _columnwise(self, tensor: str, functions: tuple[GraphFunction, ...], way: str) -> str:
        """Apply each function to its own columns; ``way`` selects ``onnx`` or ``onnx_inverse``."""
        runs, parts = list(columns_of(functions)), []
        for function, columns in runs:
            part = tensor if len(runs) == 1 else self._columns(tensor, columns.start, columns.stop)
            parts.append(getattr(function, way)(self._node, part))
        return parts[0] if len(parts) == 1 else self._node("Concat", *parts, axis=1)

    def _columns(self, tensor: str, start: int, stop: int) -> str:
        places = (np.array([place], dtype=np.int64) for place in (start, stop, 1))
        return self._node("Slice", tensor, *(self._stored(place) for place in places))

    def _node(self, operator: str, *inputs: str | float, **attributes: Any) -> str:
        """Add an operator; a number among its inputs becomes a constant. Return its output."""
        names = [i if isinstance(i, str) else self._constant(i) for i in inputs]
        output = f"t{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, names, [output], **attributes))
        return output

    def _constant(self, values: Any) -> str:
        return self._stored(np.asarray(values, dtype=np.float32))

    def _stored(self, values: Any) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(self._numpy.from_array(np.ascontiguousarray(values), name))
        return name
