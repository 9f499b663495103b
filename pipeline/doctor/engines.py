"""Checks each engine: a separate process makes a product from a small scene."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.doctor.check import Check
from pipeline.doctor.small_scene import CONFIG, SCENE, write_trial
from pipeline.errors import PipelineError
from pipeline.verify import verify_product

# A library may crash, for example on a processor without AVX; this ends only a separate process.
_OCPIPE = "from pipeline.command import main; main()"
LONGEST_S = 300


def check_engines(engines: Sequence[str]) -> Iterator[Check]:
    """Yield a check for each engine: whether its product passes all checks of ``ocpipe verify``."""
    try:
        with tempfile.TemporaryDirectory(prefix="ocpipe-doctor-") as name:
            folder = Path(name)
            write_trial(folder)
            for engine in engines:
                yield _check_engine(engine, folder)
    except (OSError, PipelineError) as error:
        yield Check("engines", "failed", f"no trial is possible: {error}")


def _check_engine(engine: str, folder: Path) -> Check:
    what, output = f"engine {engine}", folder / engine
    start = time.perf_counter()
    problem = _run(engine, folder, output)
    seconds = time.perf_counter() - start
    if problem:
        return Check(what, "failed", problem)
    try:
        (product,) = output.glob("*.nc")
        findings = list(verify_product(product, scenes=[folder], network_dirs=[folder]))
    except (PipelineError, ValueError) as error:
        return Check(what, "failed", f"its product cannot be read: {error}")
    wrong = [finding for finding in findings if not finding.passed]
    if wrong:
        return Check(what, "failed", f"its product is wrong: {wrong[0].what}, {wrong[0].text}")
    text = f"a small scene took {seconds:.1f} s; its product passes all checks"
    return Check(what, "ok", text)


def _run(engine: str, folder: Path, output: Path) -> str:
    """Process the scene; return the problem, or an empty text."""
    call = [
        *(sys.executable, "-P", "-c", _OCPIPE, "run", SCENE, "-c", CONFIG, "--networks", "."),
        *("--engine", engine, "-o", str(output), "--log-level", "warning"),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            call, check=False, cwd=folder, capture_output=True, text=True, errors="replace",
            timeout=LONGEST_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"a small scene is not done after {LONGEST_S} s"
    except OSError as error:
        return f"no process can be started: {error.strerror or error}"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return f"a library ended the process ({name}). It does not fit this processor or device."
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return f"a small scene ends with exit code {done.returncode}: {last}"
