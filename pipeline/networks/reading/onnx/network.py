"""Turns an ONNX model into transforms of inputs, layers, and transforms of outputs."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.errors import DAMAGE, NetworkError
from pipeline.files.limits import NETWORK_BYTES
from pipeline.files.regular import memory_in_words, open_regular
from pipeline.networks.activations import ACTIVATIONS
from pipeline.networks.description import Layer
from pipeline.networks.reading.onnx.call import Call, Followed, Label, Value
from pipeline.networks.reading.onnx.ends import input_ends, output_ends
from pipeline.networks.reading.onnx.machine_learning import is_pair_of_sigmoid, is_probability
from pipeline.networks.reading.onnx.model import Model, Node, Port, parsed
from pipeline.networks.reading.onnx.operators import KNOWN, followed
from pipeline.networks.reading.onnx.signal import (
    LINEAR,
    SOFTMAX,
    Signal,
    Stage,
    first_signals,
    joined,
)
from pipeline.networks.variable import Array

WAYS_OUT = (
    "Rebuild the network from layers that ocpipe can read (docs/networks.md), or write its kernels "
    "and biases as CSV tables."
)


@dataclass(frozen=True)
class OnnxNetwork:
    """What a graph computes: transforms of the inputs, layers, transforms of the outputs."""

    input_transforms: tuple[str, ...]
    layers: tuple[Layer, ...]
    output_transforms: tuple[str, ...]
    input_names: tuple[str, ...]
    """The names of the network's inputs, such as ``Rrs_443``. Empty if one input of the graph has
    several values."""
    output_names: tuple[str, ...]
    """The names of the network's outputs. Empty if one output of the graph has several values."""
    inputs_text: str
    """The inputs of the graph in words, with their sizes."""
    class_names: tuple[str, ...] = ()
    """The classes in the order of the probabilities, if the file states them."""
    metadata: dict[str, str] = field(default_factory=dict)


def read_onnx_graph(path: Path) -> OnnxNetwork:
    """Read the network in a file; every number is float64.

    Raises:
        NetworkError: the file is damaged or too large, refers to another file, or is not a chain of
            layers; the message names the operator.
    """
    try:
        with memory_in_words(path.name, NetworkError):
            return _network(parsed(_content(path)))
    except NetworkError as error:
        text = str(error).removeprefix(f"{path.name}: ")
        raise NetworkError(f"{path.name}: {text}") from None
    except DAMAGE as error:
        raise NetworkError(
            f"{path.name}: cannot be read ({error}). The file is damaged; export or fetch it again."
        ) from error


def _content(path: Path) -> bytes:
    with open_regular(path, NetworkError) as file:
        content = file.read(NETWORK_BYTES.most + 1)
    NETWORK_BYTES.check(len(content), path.name, NetworkError)
    return content


def _network(model: Model) -> OnnxNetwork:
    _check_operators(model.nodes)
    _check_order(model)
    widths = [_width(port) for port in model.inputs]
    if not widths:
        raise NetworkError("the graph has no input. Export the network again.")
    found = Followed(batch=model.inputs[0].shape[0] if model.inputs[0].shape else None)
    values = _values(model, widths, found)
    names, signals = _outputs(model, values)
    with np.errstate(all="ignore"):
        signal = joined(signals) if len(signals) > 1 else signals[0]
        inputs, layers, outputs = _parts(signal)
    return OnnxNetwork(
        inputs,
        layers,
        outputs,
        _single_names([port.name for port in model.inputs], widths),
        _single_names(names, [each.width for each in signals]),
        ", ".join(
            f"{port.name[:60]} ({width})" for port, width in zip(model.inputs, widths, strict=True)
        ),
        tuple(found.class_names),
        model.metadata,
    )


def _single_names(names: list[str], widths: list[int]) -> tuple[str, ...]:
    return tuple(names) if all(width == 1 for width in widths) else ()


def _check_operators(nodes: tuple[Node, ...]) -> None:
    unknown = dict.fromkeys(
        node.title for node in nodes if (node.domain, node.operator) not in KNOWN
    )
    if unknown:
        listed = ", ".join(sorted({name for _, name in KNOWN}))
        raise NetworkError(
            f"the operators {', '.join(list(unknown)[:10])} are not among those that ocpipe reads "
            f"({listed}). {WAYS_OUT}"
        )


def _check_order(model: Model) -> None:
    """Refuse a circle: an operator may use only inputs, constants and earlier outputs."""
    known = {"", *model.constants, *(port.name for port in model.inputs)}
    for node in model.nodes:
        missing = [name for name in node.inputs if name not in known]
        if missing:
            raise NetworkError(
                f"operator {node.title} takes {missing[0][:60]!r}, which no operator before it "
                "makes: the graph has a circle, or is incomplete. Export the network again."
            )
        for name in filter(None, node.outputs):
            if name in known:
                raise NetworkError(f"two operators make {name[:60]!r}. The file is damaged.")
            known.add(name)


def _width(port: Port) -> int:
    """Return the number of columns of an input."""
    shape = port.shape
    if shape is not None and len(shape) == 1 and shape[0] in (None, 1):
        return 1
    if shape is None or len(shape) != 2 or shape[1] is None or shape[1] < 1:
        raise NetworkError(
            f"the input {port.name[:60]!r} has the shape {_shape_text(shape)}, expected (pixels, "
            "inputs) with a fixed number of inputs. Export the network for rows of pixels."
        )
    return shape[1]


def _shape_text(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "unknown"
    return f"({', '.join('any' if size is None else str(size) for size in shape[:8])})"


def _values(model: Model, widths: list[int], found: Followed) -> dict[str, Value]:
    """Read the operators that the outputs need, in the order of the file."""
    values: dict[str, Value] = dict(model.constants)
    for port, signal in zip(model.inputs, first_signals(widths, found.made), strict=True):
        values[port.name] = signal.with_rank(len(port.shape or ()))
    needed = _needed(model)
    last = {port.name for port in model.outputs}
    for node in model.nodes:
        if not needed.intersection(node.outputs):
            continue
        try:
            with np.errstate(all="ignore"):
                taken = [values[name] if name else None for name in node.inputs]
                made = followed(Call(node, taken, found, not last.isdisjoint(node.outputs)))
        except NetworkError as error:
            of = f" ({node.name[:60]})" if node.name else ""
            raise NetworkError(f"operator {node.title}{of} {error} {WAYS_OUT}") from None
        values |= dict(zip(node.outputs, made, strict=False))
    return values


def _needed(model: Model) -> set[str]:
    """Return the names of all tensors on which the outputs depend."""
    makers = {name: node for node in model.nodes for name in node.outputs if name}
    needed = {port.name for port in model.outputs}
    waiting = list(needed)
    while waiting:
        node = makers.get(waiting.pop())
        new = set(node.inputs) - needed if node is not None else set()
        needed |= new
        waiting += new
    return needed - {""}


def _outputs(model: Model, values: dict[str, Value]) -> tuple[list[str], list[Signal]]:
    """Return the outputs of the network; if there are probabilities, the class is left out."""
    found: dict[str, Signal] = {}
    labels: list[Label] = []
    for port in model.outputs:
        value = values.get(port.name)
        if isinstance(value, Signal):
            found[port.name] = value
        elif isinstance(value, Label):
            labels.append(value)
        else:
            raise NetworkError(
                f"the output {port.name[:60]!r} does not depend on the inputs, or no operator "
                "makes it. Export the network again."
            )
    if not found and labels:
        if not is_probability(labels[0].of):
            raise NetworkError(
                "the output is the class alone, and no softmax makes probabilities before it. "
                "Export the network with a softmax as its last layer."
            )
        found["probability"] = labels[0].of
    if not found:
        raise NetworkError("the graph has no output. Export the network again.")
    return list(found), list(found.values())


def _is_layer(stage: Stage) -> bool:
    """Return whether all values of a stage have one activation."""
    return len(set(stage.functions)) == 1 and stage.functions[0].split("(")[0] in ACTIVATIONS


def _parts(signal: Signal) -> tuple[tuple[str, ...], tuple[Layer, ...], tuple[str, ...]]:
    """Return transforms of inputs, layers, and transforms of outputs."""
    inputs, *stages = signal.stage.back_to(None)
    kernel, bias = signal.matrix(), signal.bias
    tail: list[Stage] = []
    first = input_ends(inputs.width, stages)
    while stages[len(first.stages) :] and not _is_layer(stages[-1]):
        tail.insert(0, stages.pop())
    outputs = output_ends(tail, kernel, bias)
    layers = [
        Layer(_own_kernel(stage, signal), stage.bias, _activation(stage))
        for stage in stages[len(first.stages) :]
    ]
    is_identity = outputs.kernel.shape[0] == outputs.kernel.shape[1] and np.array_equal(
        outputs.kernel, np.eye(len(outputs.kernel))
    )
    if not layers or not is_identity or outputs.bias.any():
        layers.append(Layer(outputs.kernel, outputs.bias, LINEAR))
    layers = _pair_as_softmax(layers, signal)
    kernel, bias = first.folded(layers[0].kernel, layers[0].bias)
    layers[0] = Layer(kernel, bias, layers[0].activation)
    return first.transforms, tuple(layers), outputs.transforms


def _own_kernel(stage: Stage, signal: Signal) -> Array:
    if stage.kernel is not None:
        return stage.kernel
    signal.made.check(stage.width, stage.width)
    return np.eye(stage.width)


def _activation(stage: Stage) -> str:
    if not _is_layer(stage):
        named = ", ".join(sorted(set(stage.functions)))
        raise NetworkError(
            f"the graph applies {named} between its layers, expected one of "
            f"{', '.join(ACTIVATIONS)}, the same for all units. {WAYS_OUT}"
        )
    return stage.functions[0]


def _pair_as_softmax(layers: list[Layer], signal: Signal) -> list[Layer]:
    """Write the probabilities 1 - p, p of a sigmoid as the softmax of 0 and its argument."""
    if not is_pair_of_sigmoid(signal) or len(layers) < 2:
        return layers
    before = layers[-2]
    kernel = np.concatenate([np.zeros_like(before.kernel), before.kernel], axis=1)
    return [*layers[:-2], Layer(kernel, np.append(0.0, before.bias), SOFTMAX)]
