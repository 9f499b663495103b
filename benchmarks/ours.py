"""One run in a process of its own: memory after imports and engines, the most of it, and seconds.

``python memory_run.py SCENE CONFIG NETWORKS OUTPUT LIMIT THREADS`` prints one line of JSON.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.config import load_config
from pipeline.errors import PipelineError
from pipeline.machine.resources import keep_freed_memory
from pipeline.networks.engines import get_engine
from pipeline.process import plan_scene, process_scene


def resident(what: str = "VmRSS") -> int:
    """Bytes in memory now; VmHWM: the most so far, of this program and not of the one before it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {what} in /proc/self/status")


def main() -> None:
    """As the command does: plan, build the engines, measure, run, measure."""
    scene, config, networks, output, limit, threads = sys.argv[1:]
    settings = load_config(config).executing(
        network_dirs=[networks], output=output, memory_limit=limit, threads=int(threads)
    )
    keep_freed_memory()
    try:
        plan = plan_scene(scene, settings)
    except PipelineError as error:
        print(json.dumps({"refused": str(error)}))
        return
    for step in plan.steps:
        get_engine(step.retrieval, step.engine)
    np.broadcast_to(xr.DataArray([0.0]), (1,))  # with the first array xarray imports Dask
    base, start, processor = resident(), time.perf_counter(), time.process_time()
    process_scene(scene, settings)
    peak = resident("VmHWM")
    work = plan.work
    measured = {
        "base": base,
        "peak": peak,
        "seconds": time.perf_counter() - start,
        "processor": time.process_time() - processor,
        "threads": work.threads,
        "pixels_at_once": work.pixels_at_once,
        "estimate": work.peak_bytes,
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
