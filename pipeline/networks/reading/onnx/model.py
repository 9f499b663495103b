"""The parts of an ONNX model that say what it computes: operators, constants, inputs, outputs.

The numbers of the fields are those of ``onnx.proto``. Whatever could lead out of the file, or hide
operators from the reader, is refused here: external data, functions, subgraphs, sparse constants.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.files.limits import NETWORK_NUMBERS
from pipeline.networks.reading.onnx.protobuf import Message, damaged

MOST_NODES = 2000
MOST_RANK = 8
# Versions of operators before this one broadcast in another way; PyTorch and TensorFlow wrote them
# until 2017.
OLDEST_OPSET = 7
STANDARD, MACHINE_LEARNING = "", "ai.onnx.ml"
_DEFAULT_DOMAINS = ("", "ai.onnx")
_FLOAT, _STRING, _INT32, _INT64, _FLOAT16, _DOUBLE = 1, 8, 6, 7, 10, 11
_EXTERNAL = 1

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Node:
    """One operator."""

    operator: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Message]

    @property
    def title(self) -> str:
        """Operator with its domain, for messages."""
        return f"{self.domain[:40]}.{self.operator[:40]}" if self.domain else self.operator[:40]

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        return self.attributes[name].integer(3) if name in self.attributes else default

    def integers(self, name: str) -> list[int] | None:
        """Return an attribute that is a list of whole numbers; None if it is missing."""
        return self.attributes[name].integers(8) if name in self.attributes else None

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a float32."""
        return self.attributes[name].number(2, 0.0) if name in self.attributes else default

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return an attribute that is a list of float32 numbers; empty if it is missing."""
        if name not in self.attributes:
            return np.empty(0)
        return self.attributes[name].numbers(7, "<f4").astype(np.float64)

    def text(self, name: str, default: str = "") -> str:
        """Return an attribute that is a text."""
        return self.attributes[name].text(4) if name in self.attributes else default

    def texts(self, name: str) -> list[str]:
        """Return an attribute that is a list of texts."""
        return self.attributes[name].texts(9) if name in self.attributes else []


@dataclass(frozen=True)
class Port:
    """An input or output of the graph."""

    name: str
    shape: tuple[int | None, ...] | None
    """The sizes; None for a size that may change, and None for an unknown shape."""


@dataclass(frozen=True)
class Model:
    """A model as it is stored; its computation has not been checked yet."""

    nodes: tuple[Node, ...]
    constants: "dict[str, Numbers | list[str]]"
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: dict[str, str] = field(default_factory=dict)
    producer: str = ""


def parsed(content: bytes) -> Model:
    """Return the model in the bytes of a file.

    Raises:
        NetworkError: the bytes are not a model, or the model has parts that are refused.
    """
    model = Message.of(content)
    if not model.has(7):
        raise damaged("it has no graph")
    if model.has(25):
        raise NetworkError(
            "the model defines other functions, and ocpipe reads only operators of ONNX. "
            "Export it with its functions inlined (onnx.inliner.inline_local_functions)."
        )
    _check_versions(model)
    graph = model.message(7)
    if graph.has(15):
        raise NetworkError("the model has sparse weights. Export it with dense weights.")
    constants = _constants(graph)
    inputs = tuple(port for port in map(_port, graph.messages(11)) if port.name not in constants)
    return Model(
        _nodes(graph),
        constants,
        inputs,
        tuple(map(_port, graph.messages(12))),
        {entry.text(1): entry.text(2) for entry in model.messages(14)},
        model.text(2),
    )


def tensor(stored: Message, name: str) -> "Numbers | list[str]":
    """Return the numbers (or texts) of a stored tensor.

    Raises:
        NetworkError: the numbers are in another file, have another type, or are too many or too
            few.
    """
    if stored.has(13) or stored.integer(14) == _EXTERNAL:
        raise NetworkError(
            f"the numbers of {name[:60]!r} are in another file, and ocpipe reads only networks in "
            "one file. Export it with its weights inside (torch.onnx.export(..., "
            "external_data=False)), or save it again with onnx.save(onnx.load(FILE), NEW)."
        )
    shape, kind = stored.integers(1), stored.integer(2)
    if len(shape) > MOST_RANK or any(size < 0 for size in shape):
        raise damaged(f"{name[:60]!r} has the shape {shape[:MOST_RANK]}")
    count = math.prod(shape)
    NETWORK_NUMBERS.check(count, f"the constant {name[:60]!r}", NetworkError)
    values = _values(stored, kind, name)
    if len(values) != count:
        raise damaged(f"{name[:60]!r} has {len(values):,} numbers, its shape {shape} {count:,}")
    return values if isinstance(values, list) else values.reshape(shape)


_RAW = {_FLOAT: "<f4", _INT32: "<i4", _INT64: "<i8", _FLOAT16: "<f2", _DOUBLE: "<f8"}


def _values(stored: Message, kind: int, name: str) -> "Numbers | list[str]":
    if kind == _STRING:
        return stored.texts(6)
    if kind not in _RAW:
        raise NetworkError(
            f"the constant {name[:60]!r} has the type {kind} of ONNX, expected floats or whole "
            "numbers. Export the network without quantization."
        )
    if stored.has(9):
        raw = stored.content(9)
        if len(raw) % np.dtype(_RAW[kind]).itemsize:
            raise damaged(f"{name[:60]!r} has {len(raw)} bytes")
        values: Numbers = np.frombuffer(raw, _RAW[kind])
    elif kind in (_INT32, _INT64):
        values = np.array(stored.integers(5 if kind == _INT32 else 7), dtype=np.int64)
    elif kind == _FLOAT16:
        raise NetworkError(f"the constant {name[:60]!r} is float16. Export it as float32.")
    else:
        values = stored.numbers(4 if kind == _FLOAT else 10, _RAW[kind])
    return values.astype(np.int64 if kind in (_INT32, _INT64) else np.float64)


def _constants(graph: Message) -> "dict[str, Numbers | list[str]]":
    found: dict[str, Numbers | list[str]] = {}
    numbers = 0
    for stored in graph.messages(5):
        name = stored.text(8)
        if name in found:
            raise damaged(f"two constants are called {name[:60]!r}")
        found[name] = tensor(stored, name)
        numbers += len(found[name]) if isinstance(found[name], list) else np.size(found[name])
        NETWORK_NUMBERS.check(numbers, "the model", NetworkError)
    return found


def _nodes(graph: Message) -> tuple[Node, ...]:
    made: list[Node] = []
    for stored in graph.messages(1):
        if len(made) >= MOST_NODES:
            raise NetworkError(
                f"the model has more than {MOST_NODES:,} operators, which no network of single "
                "pixels needs. Check the file."
            )
        domain = stored.text(7)
        node = Node(
            stored.text(4),
            STANDARD if domain in _DEFAULT_DOMAINS else domain,
            stored.text(3),
            tuple(stored.texts(1)),
            tuple(stored.texts(2)),
            {each.text(1): each for each in stored.messages(5)},
        )
        for name, attribute in node.attributes.items():
            _check_attribute(node, name, attribute)
        made.append(node)
    return tuple(made)


def _check_attribute(node: Node, name: str, attribute: Message) -> None:
    if attribute.has(6) or attribute.has(11):
        raise NetworkError(
            f"operator {node.title}: the attribute {name[:40]!r} is another graph (a loop or "
            "a branch), and ocpipe reads only one chain of operators. Rebuild the network "
            "without it."
        )
    if any(attribute.has(number) for number in (10, 21, 22, 23)):
        raise NetworkError(
            f"operator {node.title}: the attribute {name[:40]!r} is of a kind that ocpipe does not "
            "read. Export the network again with plain operators."
        )


def _check_versions(model: Message) -> None:
    for entry in model.messages(8):
        version = entry.integer(2)
        if entry.text(1) in _DEFAULT_DOMAINS and version < OLDEST_OPSET:
            raise NetworkError(
                f"the operators are of version {version} of ONNX, expected {OLDEST_OPSET} or "
                "later. Export the network with a later opset."
            )


def _port(stored: Message) -> Port:
    kind = stored.message(2)
    if not kind.has(1) or not kind.message(1).has(2):
        return Port(stored.text(1), None)
    sizes = [
        dim.integer(1) if dim.has(1) else None for dim in kind.message(1).message(2).messages(1)
    ]
    return Port(stored.text(1), tuple(sizes))
