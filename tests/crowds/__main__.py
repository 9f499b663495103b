"""See the package."""

import argparse
import concurrent.futures
import itertools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from miniatures.cases import CASES
from small_runs import network_for, run_settings

import pipeline

BANDS = (412, 443, 560, 665)
THREADS = 4


def main() -> None:
    """Make the scenes, then all runs, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--way", choices=sorted(WAYS), default="", help="one run, in this process")
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    if chosen.way:
        crowd(chosen.folder, chosen.way)
        return
    with tempfile.TemporaryDirectory() as folder:
        wrong = compare(Path(folder), chosen.runs, chosen.scenes)
    sys.exit(1 if wrong else 0)


def compare(folder: Path, runs: int, count: int) -> int:
    """Return the number of runs that went wrong."""
    make_scenes(folder / "scenes", count)
    started = time.monotonic()
    for scene in scenes_in(folder):
        pipeline.process_scene(scene, settings_of(folder, scene, "alone"))
    alone = time.monotonic() - started
    wrong = 0
    for way, run in itertools.product(WAYS, range(runs)):
        started = time.monotonic()
        command = [sys.executable, "-m", "crowds", "--way", way, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        faults = faults_of(folder, way, done)
        wrong += bool(faults)
        print(f"{way} {run}: {time.monotonic() - started:.1f} s, {'; '.join(faults) or 'equal'}")
    print(f"{count} scenes alone {alone:.1f} s; {wrong} of {runs * len(WAYS)} runs WRONG")
    return wrong


def faults_of(folder: Path, way: str, done: subprocess.CompletedProcess[str]) -> list[str]:
    faults = [] if done.returncode == 0 else [f"ended with {done.returncode}: {done.stderr[-400:]}"]
    expected = {path.name: path for path in (folder / "alone").iterdir()}
    found = {path.name: path for path in (folder / way).iterdir()} if not faults else {}
    if found.keys() != expected.keys() and not faults:
        faults.append(f"{len(found)} files, expected {len(expected)}")
    for name in found.keys() & expected.keys():
        if found[name].read_bytes() != expected[name].read_bytes():
            faults.append(f"{name} differs")
        found[name].unlink()
    return faults


def make_scenes(folder: Path, count: int) -> None:
    """Write scenes of several formats: HDF5, classic netCDF, many files, GeoTIFF."""
    formats = itertools.cycle(("pace_oci", "sgli", "olci_wfr", "occci_l3", "geotiff", "classic"))
    for number, name in zip(range(count), formats, strict=False):
        case = CASES["occci_l3" if name == "classic" else name]
        where = folder / f"{number:03}_{name}"
        where.mkdir(parents=True)
        written = case.written(where).path
        if name == "classic":
            import xarray as xr

            with xr.open_dataset(written, decode_cf=False) as data:
                data.load().to_netcdf(where / "old.nc", format="NETCDF3_64BIT")
            written.unlink()
            written = where / "old.nc"
        written.rename(where / f"{number:03}{written.suffix}")


def scenes_in(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "scenes").glob("*/*") if path.name[:3].isdigit())


def settings_of(folder: Path, scene: Path, way: str) -> dict[str, Any]:
    """A small network on the bands of the scene, one thread per scene."""
    name = scene.parent.name.partition("_")[2]
    case = CASES["occci_l3" if name == "classic" else name]
    network = folder / f"{name}.h5"
    if not network.exists():
        network_for(folder, tuple(round(nm) for nm in case.bands[:3]), network.name)
    settings = run_settings(folder, network, chunk=(8, 10), engine="onnxruntime")
    if case.reader_options:
        settings["science"]["reader"] = case.choice.model_dump()
    settings["execution"]["output"] = str(folder / way)
    return settings


def crowd(folder: Path, way: str) -> None:
    """Make all products in one way."""
    for leaving in (folder / way).glob("*"):
        leaving.unlink()
    jobs = [(scene, settings_of(folder, scene, way)) for scene in scenes_in(folder)]
    WAYS[way](jobs)


Jobs = list[tuple[Path, dict[str, Any]]]


def by_threads(jobs: Jobs) -> None:
    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        for future in [threads.submit(pipeline.process_scene, *job) for job in jobs]:
            future.result()


def by_forks(jobs: Jobs) -> None:
    """Two processes forked from one that has opened a scene and made a product."""
    opened = pipeline.open_scene(jobs[0][0], jobs[0][1]["science"].get("reader", "auto"))
    opened["Rrs"][0].load()
    pipeline.process_scene(*jobs[0])
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as processes:
        for future in [processes.submit(pipeline.process_scene, *job) for job in jobs]:
            future.result()


WAYS: dict[str, Callable[[Jobs], None]] = {"threads": by_threads, "forks": by_forks}

if __name__ == "__main__":
    main()
