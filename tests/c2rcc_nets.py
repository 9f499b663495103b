"""Text networks in C2RCC's layout, written here: the real ones are not ours to hand on."""

from pathlib import Path

import numpy as np

OLCI = (400, 412, 443, 490, 510, 560, 620, 665, 674, 681, 709, 754)
IOPS = ("log_apig", "log_adet", "log_agelb", "log_bpart", "log_bwit")
RANGES = {
    "sun_zenith": (0.0, 75.0),
    "view_zenith": (0.0, 55.0),
    "view_azimuth": (0.0, 180.0),
    "temperature": (0.0, 36.0),
    "salinity": (0.0, 43.0),
}


def names_of(bands: tuple[int, ...] = OLCI) -> list[str]:
    """The inputs of a water network."""
    return [*RANGES, *(f"log_rw_{nm}" for nm in bands)]


def write_net(
    path: Path,
    inputs: list[str],
    outputs: list[str] | tuple[str, ...] = IOPS,
    hidden: tuple[int, ...] = (9, 7),
    seed: int = 0,
) -> Path:
    """A network of random weights."""
    drawn = np.random.default_rng(seed)
    ends = {name: RANGES.get(name, (-9.609, -0.9331)) for name in inputs}
    made = {name: (-7.0 + n, 1.0 + n / 3) for n, name in enumerate(outputs)}
    lines = ["problem: a test", "saved at today", f"the net has {len(inputs)} inputs:"]
    lines += [
        f"input  {n} is {name} in [{low:f},{high:f}]"
        for n, (name, (low, high)) in enumerate(ends.items(), start=1)
    ]
    lines.append(f"the net has {len(outputs)} outputs:")
    lines += [
        f"output {n} is {name} in [{low:f},{high:f}]"
        for n, (name, (low, high)) in enumerate(made.items(), start=1)
    ]
    sizes = [len(inputs), *hidden, len(outputs)]
    lines += ["#", *(f"{low:f} {high:f}" for low, high in (*ends.values(), *made.values())), "$"]
    lines.append(f"#planes={len(sizes)} {' '.join(map(str, sizes))}")
    for number, size in enumerate(sizes[1:], start=1):
        lines.append(f"bias {number} {size}")
        lines += [f"{value:.9f}" for value in drawn.normal(0, 0.5, size)]
    for number in range(len(sizes) - 1):
        lines.append(f"wgt {number} {sizes[number]} {sizes[number + 1]}")
        lines += [
            f"{value:.9f}" for value in drawn.normal(0, 0.7, sizes[number] * sizes[number + 1])
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def forward(path: Path, x: np.ndarray) -> np.ndarray:
    """Outputs of rows in the units of the file (``log_`` already taken), read line by line."""
    lines = path.read_text().splitlines()
    found: dict[str, list[tuple[float, float]]] = {"input": [], "output": []}
    for line in lines:
        parts = line.replace("[", " ").replace("]", " ").replace(",", " ").split()
        if parts and parts[0] in found and "is" in parts:
            found[parts[0]].append((float(parts[-2]), float(parts[-1])))
    sizes = [
        int(n) for n in next(li for li in lines if li.startswith("#planes")).split("=")[1].split()
    ]
    low, high = np.array(found["input"]).T
    signal = (x - low) / (high - low)
    for number in range(1, sizes[0]):
        at = lines.index(f"bias {number} {sizes[number + 1]}") + 1
        bias = np.array([float(v) for v in lines[at : at + sizes[number + 1]]])
        at = lines.index(f"wgt {number - 1} {sizes[number]} {sizes[number + 1]}") + 1
        count = sizes[number] * sizes[number + 1]
        weights = np.array([float(v) for v in lines[at : at + count]])
        total = np.empty((len(signal), sizes[number + 1]))
        for unit in range(sizes[number + 1]):  # output by output
            of_unit = weights[unit * sizes[number] : (unit + 1) * sizes[number]]
            total[:, unit] = signal @ of_unit + bias[unit]
        signal = 1 / (1 + np.exp(-total))
    low, high = np.array(found["output"]).T
    return low + signal * (high - low)
