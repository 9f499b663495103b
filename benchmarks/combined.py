"""(m) What a blend of three networks by the classes of a fourth one costs."""

import json
import tempfile
from pathlib import Path
from typing import Any

import inputs
from commands import python
from networks import write_single
from report import Table, median

ROUNDS = 3
OURS = inputs.HERE / "ours.py"
CLASSES = ("clear", "green", "turbid")


def blend() -> Table:
    """The blend in one run, against each of its four networks in a run of its own."""
    table = Table(
        "(m) A blend of three networks and a classifier",
        f"{inputs.SIDE} x {inputs.SIDE} pixels, 7 bands, tiles of 256 x 256, 58 % valid; networks "
        "7-100-75-50-25-1, a classifier 7-50-25-3. 2 threads; medians of "
        f"{ROUNDS} alternating rounds. Each run reads the scene and writes a product.",
        ("what", "seconds", "processor seconds"),
    )
    scene = inputs.sgli(inputs.SIDE, (256, 256), "tiles")
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        for name, config in _runs().items():
            with tempfile.TemporaryDirectory(dir=inputs.DATA) as folder:
                ran = python(OURS, scene, config, folder, folder, "1GB", 2)
            found.setdefault(name, []).append(json.loads(ran.output))
    spent = {
        name: {key: median(each[key] for each in runs) for key in ("seconds", "processor")}
        for name, runs in found.items()
    }
    for name, measured in spent.items():
        table.add(name, measured["seconds"], measured["processor"])
    alone = [measured["processor"] for name, measured in spent.items() if name.startswith("only")]
    ratio = spent["blend"]["processor"] / sum(alone)
    table.note(f"The blend takes {ratio:.2f} of the processor time of the four runs together.")
    together = spent["the four in one run"]["processor"]
    ratio = spent["blend"]["processor"] / together
    table.note(f"It takes {ratio:.2f} of the processor time of one run of the four networks.")
    return table


def _runs() -> dict[str, Path]:
    inputs.DATA.mkdir(exist_ok=True)
    names = [*CLASSES, "types"]
    files = {name: inputs.DATA / f"single_{name}.h5" for name in names}
    for seed, name in enumerate(names):
        write_single(files[name], seed, CLASSES if name == "types" else ())
    four = [{"name": name, "file": str(path), "prefix": f"{name}_"} for name, path in files.items()]
    runs: dict[str, dict[str, Any]] = {
        f"only {network['name']}": {"networks": [network]} for network in four
    }
    runs["the four in one run"] = {"networks": four}
    of = {name: name for name in CLASSES}
    runs["blend"] = {"networks": four, "blend": {"mixed": {"by": "types", "of": of}}}
    made = {}
    for name, science in runs.items():
        path = inputs.DATA / f"combined_{name.replace(' ', '_')}.yaml"
        science["masks"] = {"flags": ["CLDICE"]}
        path.write_text(json.dumps({"name": "bench", "science": science}))
        made[name] = path
    return made
