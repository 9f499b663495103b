"""Checks the machine: cores, memory and GPU."""

import shutil
import subprocess
import sys

from pipeline.doctor.check import Check
from pipeline.machine.resources import (
    LEAST,
    available_cores,
    available_memory,
    default_limit,
    in_words,
)
from pipeline.networks.engines import is_gpu_visible

# A CUDA installation that does not fit the GPU may hang.
LONGEST_S = 120
_COUNT_GPUS = (
    "import sys; from pipeline.networks.engines.tensorflow_setup import tensorflow; "
    "sys.exit(100 + len(tensorflow().config.list_physical_devices('GPU')))"
)


def check_cores() -> Check:
    """Return the number of cores that ocpipe may use."""
    return Check("cores", "ok", f"{available_cores()} (of this process and its control group)")


def check_memory() -> Check:
    """Return the free memory, and how much of it a run takes by default."""
    free = available_memory()
    text = f"{in_words(free)} free; a run or a batch takes at most {in_words(default_limit())}"
    if free < 2 * LEAST:
        return Check("memory", "warning", f"{text}. Free memory, or set --memory-limit.")
    return Check("memory", "ok", f"{text} (--memory-limit changes this)")


def check_gpu() -> Check:
    """Return the GPU, and whether TensorFlow uses it."""
    if not is_gpu_visible():
        return Check("gpu", "ok", "none visible; engine auto is onnxruntime on the processor")
    name, count = _name_of_gpu(), _gpus_of_tensorflow()
    if count == 0:
        advice = "Install ocpipe[gpu], or choose --engine onnxruntime."
        return Check("gpu", "warning", f"{name}, but TensorFlow does not use it. {advice}")
    return Check("gpu", "ok", f"{name}, used by TensorFlow; engine auto is tensorflow")


def _name_of_gpu() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "an NVIDIA device"
    call = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = _run(call)
    return "; ".join(done.stdout.splitlines()) if done is not None else "an NVIDIA device"


def _gpus_of_tensorflow() -> int:
    done = _run([sys.executable, "-P", "-c", _COUNT_GPUS])
    return done.returncode - 100 if done is not None and done.returncode >= 100 else 0


def _run(call: list[str]) -> "subprocess.CompletedProcess[str] | None":
    try:
        return subprocess.run(  # noqa: S603 - fixed words
            call, check=False, capture_output=True, text=True, errors="replace", timeout=LONGEST_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
