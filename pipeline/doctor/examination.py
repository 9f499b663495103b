"""All checks of an installation, in the order in which they are shown."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.doctor.check import Check
from pipeline.doctor.engines import check_engines
from pipeline.doctor.machine import check_cores, check_gpu, check_memory
from pipeline.doctor.places import check_network_folders, check_output, check_temporary
from pipeline.doctor.versions import check_versions


def examine(output: Path, network_dirs: Sequence[Path], engines: Sequence[str]) -> Iterator[Check]:
    """Yield the result of each check as soon as it is known.

    Args:
        output: the folder for products.
        network_dirs: folders with networks, in addition to those of OCPIPE_NETWORKS.
        engines: the engines that each process a small scene.
    """
    yield from check_versions()
    yield check_cores()
    yield check_memory()
    yield check_gpu()
    yield from check_network_folders(network_dirs)
    yield from check_output(output)
    yield check_temporary()
    yield from check_engines(engines)
