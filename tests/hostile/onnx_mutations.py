"""What is done to an ONNX model: its operators, constants and bytes are made hostile."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from fuzz.mutations import Mutation
from fuzz.outside import Outside

HUGE = (2**14, 2**24, 2**31, 2**40, 2**62)
OTHERS = ("If", "Loop", "Scan", "ConstantOfShape", "Range", "Expand", "Tile", "Resize", "LSTM",
          "Conv", "SequenceMap", "StringNormalizer", "TfIdfVectorizer", "QLinearMatMul", "Einsum",
          "Transpose", "Softmax", "ArgMax", "Split", "Gather", "Slice", "Concat", "Add", "Mul",
          "Pow", "Exp", "Log", "Clip", "Where", "Greater", "Max", "PRelu", "Constant")  # fmt: skip
DOMAINS = ("com.microsoft", "ai.onnx.ml", "../evil", "pkg.torch", "a" * 5000, "\x1b[31m")
Change = Callable[[Any, Random, Outside], str]


def _of_model(change: Change) -> Mutation:
    """A mutation of the parsed model."""

    def mutate(path: Path, draw: Random, outside: Outside) -> str:
        import onnx

        model = onnx.ModelProto.FromString(path.read_bytes())
        did = change(model, draw, outside)
        path.write_bytes(model.SerializeToString())
        return did

    mutate.__name__, mutate.__doc__ = f"onnx{change.__name__}", change.__doc__
    return mutate


def _external(model: Any, draw: Random, outside: Outside) -> str:
    """The numbers of a constant are in another file."""
    tensor = draw.choice(model.graph.initializer)
    place = draw.choice(("network.yaml", str(outside.folder / "canary.raw"), "../canary.raw", ""))
    for key, value in (("location", place), ("offset", "0"), ("length", "8000")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    if draw.random() < 0.5:
        tensor.data_location = 1
        tensor.ClearField("raw_data")
    return f"{tensor.name} in {place}"


def _claims(model: Any, draw: Random, _: Outside) -> str:
    """A constant, or an input, claims any size."""
    size = draw.choice(HUGE)
    if draw.random() < 0.5:
        tensor = draw.choice(model.graph.initializer)
        dims = list(tensor.dims) or [1]
        dims[draw.randrange(len(dims))] = draw.choice((size, -size))
        tensor.ClearField("dims")
        tensor.dims.extend(dims * draw.choice((1, 1, 5)))
        return f"{tensor.name} claims {dims}"
    ports = [*model.graph.input, *model.graph.output]
    dim = draw.choice(draw.choice(ports).type.tensor_type.shape.dim)
    dim.dim_value = draw.choice((size, -1, 0))
    return f"an input or output claims {dim.dim_value}"


def _operator(model: Any, draw: Random, _: Outside) -> str:
    """An operator is another one, of another domain, or takes other tensors."""
    node = draw.choice(model.graph.node)
    way = draw.choice(("name", "domain", "inputs", "more", "fewer", "outputs"))
    names = [name for each in model.graph.node for name in (*each.input, *each.output)]
    if way == "name":
        node.op_type = draw.choice(OTHERS)
    elif way == "domain":
        node.domain = draw.choice(DOMAINS)
    elif way == "inputs":
        node.input[draw.randrange(len(node.input))] = draw.choice((*names, "", "nothing"))
    elif way == "more":
        node.input.extend(draw.choices(names, k=draw.choice((1, 3, 5000))))
    elif way == "fewer":
        del node.input[draw.randrange(len(node.input)) :]
    else:
        node.output[0] = draw.choice((*names, ""))
    return f"{way} of {node.op_type}"


def _attribute(model: Any, draw: Random, _: Outside) -> str:
    """An operator has a graph, huge numbers, or attributes of another type."""
    import onnx

    node = draw.choice(model.graph.node)
    whole = onnx.GraphProto.FromString(model.graph.SerializeToString())
    way = draw.choice(("graph", "numbers", "type", "reference", "training"))
    if way == "graph":
        node.attribute.add(name="then_branch", type=5).g.CopyFrom(whole)
    elif way == "numbers":
        name = draw.choice(("axis", "axes", "alpha", "perm", "to", "scale", "targets"))
        value = draw.choice((2**62, -(2**62), [2**40] * 3, [0.5] * 70000, float("nan"), "x" * 9999))
        node.attribute.append(onnx.helper.make_attribute(name, value))
    elif way == "reference":
        node.attribute.add(name="alpha", ref_attr_name="beta", type=1)
    elif way == "training":
        model.training_info.add().algorithm.CopyFrom(whole)
    else:
        for attribute in node.attribute:
            attribute.ClearField("f")
            attribute.i = -5
    return f"{way} of {node.op_type}"


def _many(model: Any, draw: Random, _: Outside) -> str:
    """Very many operators, branches that join again, or constants that grow."""
    import onnx

    way = draw.choice(("chain", "branches", "growing", "wide", "functions", "nested"))
    graph, last = model.graph, model.graph.node[-2].output[0]
    times = draw.choice((50, 1500, 20_000))
    made = []
    if way == "growing":
        last, operator = "w", draw.choice(("Concat", "Add", "Mul", "Pow"))
        for number in range(min(times, 60)):
            more = {"axis": 0} if operator == "Concat" else {}
            made.append(onnx.helper.make_node(operator, [last, last], [f"g{number}"], **more))
            last = f"g{number}"
        made.append(onnx.helper.make_node("Add", ["x6", last], ["q"]))
    elif way == "wide":
        for number in range(min(times, 30)):
            made.append(onnx.helper.make_node("Concat", [last] * 2, [f"g{number}"], axis=1))
            last = f"g{number}"
    else:
        for number in range(times):
            operator = draw.choice(("Tanh", "Relu", "Add", "Concat", "Exp"))
            inputs = [last, "x2" if way == "branches" else last][
                : 1 + (operator in ("Add", "Concat"))
            ]
            more = {"axis": 1} if operator == "Concat" else {}
            made.append(onnx.helper.make_node(operator, inputs, [f"g{number}"], **more))
            last = f"g{number}"
    graph.node[-1].input[0] = last
    end = graph.node.pop()
    graph.node.extend([*made, end])
    if way == "functions":
        function = model.functions.add(name="Tanh", domain="")
        function.node.extend(made[:50])
    if way == "nested":
        for _each in range(40):
            graph.doc_string += "x" * 1000
            with contextlib.suppress(ValueError):
                graph.sparse_initializer.add()
    return f"{way} {times} times"


def _metadata(model: Any, draw: Random, _: Outside) -> str:
    """The description in the file is rubbish, or names the program's own things."""
    text = draw.choice(
        ("{}", "[" * 100_000, '{"schema": 1}', "null", "9" * 5000, '{"golden": {"inputs": []}}')
    )
    entry = model.metadata_props.add()
    entry.key, entry.value = "ocpipe_description", text
    return f"the description is {text[:20]}"


def onnx_empty_fields(path: Path, draw: Random, _: Outside) -> str:
    """Very many fields without content, which take far more memory than bytes."""
    tag = draw.choice((b"\x0a\x00", b"\x3a\x00", b"\x42\x00", b"\x72\x00", b"\xa2\x01\x00"))
    path.write_bytes(path.read_bytes() + tag * draw.choice((1000, 2_000_000, 20_000_000)))
    return f"{tag!r} very often"


def onnx_numbers(path: Path, draw: Random, _: Outside) -> str:
    """A constant with very many numbers, or with numbers that are none."""
    import onnx

    model = onnx.ModelProto.FromString(path.read_bytes())
    tensor = draw.choice(model.graph.initializer)
    count = draw.choice((10_000, 5_000_000, 30_000_000))
    values = np.full(count, draw.choice((0.0, 1e30, np.nan, np.inf)), "f4")
    made = onnx.numpy_helper.from_array(values.reshape(-1, 2), tensor.name)
    tensor.CopyFrom(made)
    path.write_bytes(model.SerializeToString())
    return f"{tensor.name} has {count} numbers {values[0]}"


ONNX_MUTATIONS: tuple[Mutation, ...] = (
    *map(_of_model, (_external, _claims, _operator, _attribute, _many, _metadata)),
    onnx_empty_fields,
    onnx_numbers,
)
