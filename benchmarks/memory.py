"""(e) Memory against the size of a scene and the limit, and a hyperspectral scene."""

import json
import tempfile

import inputs
from commands import python
from report import Table

LIMITS = ("256MB", "1GB", "4GB")
OURS = inputs.HERE / "ours.py"


def _measured(scene: object, network: object, limit: str, threads: int = 2) -> dict[str, float]:
    config = inputs.config_for(inputs.Path(str(network)))
    with tempfile.TemporaryDirectory(dir=inputs.DATA) as folder:
        ran = python(OURS, scene, config, folder, folder, limit, threads)
    found: dict[str, float] = json.loads(ran.output)
    return found


def against_size(large: int) -> Table:
    """Small and large scenes at the same limits."""
    table = Table(
        "(e) Memory against the size of the scene",
        "Peak resident memory in MB; base is what libraries and the network take before the run. "
        "tiles: storage chunks of 256 x 256, as SGLI has them; lines: 256 whole lines, as l2gen "
        "has them, of which a strip as high as a block must be in memory.",
        ("chunks", "limit", "side", "base", "peak", "peak - base", "threads", "seconds"),
    )
    network = inputs.aph_network()
    for name, chunk in (("tiles", (256, 256)), ("lines", (256, large))):
        for limit in LIMITS:
            peaks = []
            for side in (3000, large):
                found = _measured(inputs.sgli(side, chunk, name), network, limit)
                base, peak = found["base"] / 1e6, found["peak"] / 1e6
                cells = (round(base), round(peak), round(peak - base))
                table.add(name, limit, side, *cells, found["threads"], found["seconds"])
                peaks.append(peak)
                if peak - base > float(limit[:-2]) * (1e3 if limit.endswith("GB") else 1):
                    table.note(f"OVER the limit: {name}, {limit}, {side}")
            growth = 100 * (peaks[1] / peaks[0] - 1)
            table.note(f"{name}, {limit}: {growth:+.1f} % from 3000 to {large}")
    return table


def hyperspectral() -> Table:
    """Many bands, in two storage layouts."""
    table = Table(
        "Hyperspectral",
        "1710 x 1272 x 172 int16, 150 inputs, 128 outputs (150-128-128-128), 58 % valid.",
        ("storage chunks", "limit", "peak (MB)", "threads", "pixels at once", "seconds"),
    )
    network = inputs.hyperspectral_network()
    for name, chunk in (("lines", (16, 1272, 172)), ("bands", (256, 1272, 4))):
        scene = inputs.cube(chunk, name)
        for limit in ("200MB", "400MB", "800MB"):
            found = _measured(scene, network, limit)
            shape = " x ".join(map(str, chunk))
            if "refused" in found:
                table.add(shape, limit, "refused", "-", "-", "-")
                table.note(f"{shape}, {limit}: {found['refused']}")
                continue
            work = (found["threads"], found["pixels_at_once"], found["seconds"])
            table.add(shape, limit, round(found["peak"] / 1e6), *work)
    return table
