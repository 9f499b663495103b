"""Reads the layers from a Keras model's configuration; layers of unknown classes are refused.

The configuration is only data; nothing in it is imported, called or deserialised.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import NetworkError

Config = dict[str, Any]

# A network for single pixels never has so many layers.
MOST_LAYERS = 1000
# Reduced precision changes the last digits only; anything else (int8) changes what is computed.
FLOATS = ("float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
WAYS_OUT = (
    "Rebuild the model from layers that ocpipe can read, and save it again; or write its kernels "
    "and biases as CSV tables (docs/networks.md)."
)
REASONS = {
    "Lambda": "which carries program code, and ocpipe runs no code from a network file",
    **dict.fromkeys(("Sequential", "Functional", "Model"), "a model within the model"),
}


@dataclass(frozen=True)
class KerasLayer:
    """The class, name and configuration of one layer of a model."""

    class_name: str
    name: str
    config: Config
    index: int
    """Number of layers of the same class before this one."""


def model_layers(model: Config, allowed: Collection[str]) -> list[KerasLayer]:
    """Return the layers of a model from input to output.

    Args:
        model: the configuration of a Sequential or Functional model.
        allowed: the classes that a layer may have.
    """
    class_name = model["class_name"]
    if class_name not in ("Sequential", "Functional", "Model") or not is_of_keras(model):
        raise NetworkError(
            f"the model is a {class_text(model)}, expected Sequential or Functional. {WAYS_OUT}"
        )
    config = model["config"]
    # The first versions of Keras 2 stored a Sequential model as the list of its layers.
    entries = config if isinstance(config, list) else config["layers"]
    if len(entries) > MOST_LAYERS:
        raise NetworkError(
            f"the model has {len(entries):,} layers, expected at most {MOST_LAYERS:,}. {WAYS_OUT}"
        )
    found: list[KerasLayer] = []
    for entry in entries:
        _check_allowed(entry, allowed)
        name, layer = entry["class_name"], entry["config"]
        index = sum(before.class_name == name for before in found)
        found.append(KerasLayer(name, str(layer.get("name", "")), layer, index))
    if class_name == "Sequential":
        return found
    return [found[position] for position in _chain_order(config, entries)]


def class_text(entry: Config) -> str:
    """Return an object's class for messages, such as ``Lambda`` or ``MyDense of my_package``."""
    is_foreign = entry.get("module") and not is_of_keras(entry)
    return f"{entry.get('class_name')}" + (f" of {entry['module']}" if is_foreign else "")


def is_of_keras(entry: Config) -> bool:
    """Return whether the class of a stored object is one of Keras' own classes."""
    module, registered = entry.get("module"), entry.get("registered_name")
    is_module = module is None or str(module).split(".")[0] in ("keras", "tf_keras")
    return is_module and registered in (None, entry.get("class_name"))


def _check_allowed(entry: Config, allowed: Collection[str]) -> None:
    class_name = entry["class_name"]
    if class_name in allowed and is_of_keras(entry):
        _check_dtype(entry)
        return
    reason = REASONS.get(class_name, "which ocpipe cannot read")
    if not is_of_keras(entry):
        reason = "a custom class, whose code ocpipe does not run"
    name = entry.get("config", {}).get("name", "")
    raise NetworkError(
        f"layer {name!r} is a {class_text(entry)}, {reason}; expected one of "
        f"{', '.join(allowed)}. {WAYS_OUT}"
    )


def _check_dtype(entry: Config) -> None:
    dtype = entry["config"].get("dtype")
    policy = dtype["config"]["name"] if isinstance(dtype, dict) else dtype
    if policy is not None and policy not in FLOATS:
        raise NetworkError(
            f"layer {entry['config'].get('name', '')!r} computes in {policy}, expected one of "
            f"{', '.join(FLOATS)}. Save the model without quantization."
        )


def _chain_order(config: Config, entries: list[Config]) -> list[int]:
    """Return the positions of a Functional model's layers, from its one input to its one output."""
    names = [entry["name"] for entry in entries]
    child: dict[str, str] = {}
    for entry in entries:
        for parent in _parents(entry):
            if parent in child:
                raise NetworkError(_branched(f"the output of {parent!r} goes into two layers"))
            child[parent] = entry["name"]
    (first,) = _ends(config["input_layers"], "inputs")
    (last,) = _ends(config["output_layers"], "outputs")
    order = [first]
    while order[-1] in child and len(order) <= len(names):
        order.append(child[order[-1]])
    if sorted(order) != sorted(names) or order[-1] != last:
        raise NetworkError(
            _branched(f"the path from {first!r} to {last!r} does not pass through every layer")
        )
    return [names.index(name) for name in order]


def _branched(what: str) -> str:
    return f"the layers are not one chain: {what}. {WAYS_OUT}"


def _ends(stored: Any, what: str) -> list[str]:
    """Return the names of the input or output layers, stored as a list or as a single name."""
    listed = [stored] if isinstance(stored[0], str) else stored
    if len(listed) != 1:
        raise NetworkError(_branched(f"the model has {len(listed)} {what}, expected one"))
    return [str(listed[0][0])]


def _parents(entry: Config) -> list[str]:
    """Return the names of the layers that feed a layer; only an input layer has none."""
    name, nodes = entry["name"], entry["inbound_nodes"]
    if entry["class_name"] == "InputLayer" and not nodes:
        return []
    if len(nodes) != 1:
        raise NetworkError(_branched(f"layer {name!r} is used {len(nodes)} times"))
    histories = list(_histories(name, nodes[0]))
    if len(histories) != 1 or list(histories[0][1:]) != [0, 0]:
        raise NetworkError(_branched(f"layer {name!r} takes {len(histories)} inputs"))
    return [str(histories[0][0])]


def _histories(name: str, node: Any) -> Iterator[list[Any]]:
    """Yield (layer, node, tensor) for each input of a node, as stored by Keras 2 or by Keras 3."""
    if isinstance(node, dict):
        _check_arguments(name, node.get("kwargs") or {})
        for tensor in node["args"]:
            if not isinstance(tensor, dict) or tensor.get("class_name") != "__keras_tensor__":
                raise NetworkError(
                    f"layer {name!r} has an input that is not the output of a layer. {WAYS_OUT}"
                )
            yield tensor["config"]["keras_history"]
        return
    for layer, node_index, tensor_index, *arguments in node:
        _check_arguments(name, arguments[0] if arguments else {})
        yield [layer, node_index, tensor_index]


def _check_arguments(name: str, arguments: Config) -> None:
    """Refuse call arguments, because some of them change results, e.g. ``training=True``."""
    given = [key for key, value in arguments.items() if value is not None and value is not False]
    if given:
        raise NetworkError(
            f"layer {name!r} is called with {', '.join(given)}, expected no arguments. {WAYS_OUT}"
        )
