"""(a) One scene end to end against scripts, (g) threads, and how fast commands start."""

import tempfile
from pathlib import Path

import inputs
from commands import Ran, ocpipe, python
from report import Table, median

ROUNDS = 3
TUNED = "script, Keras predict (batch 8192), valid pixels"
UNTUNED = "script, Keras predict (batch 32), valid pixels"
EVERY = "script, Keras predict (batch 32), every pixel"
SCRIPT = inputs.HERE / "peers" / "notebook_script.py"


def scene_end_to_end(untuned: bool, every_pixel: bool) -> list[Table]:
    """Scene and network in, product out, start and imports included."""
    scene, network = inputs.scene(), inputs.aph_network()
    config = inputs.config_for(network)
    table = Table(
        "(a) One scene, end to end",
        f"{inputs.SIDE} x {inputs.SIDE} pixels, 7 bands int16 deflated, 58 % valid, network "
        f"{network.name} (7-100-75-50-25-7), 7 float32 outputs, latitude, longitude and one flag "
        "word deflated at level 4. ocpipe writes quality flags, network flags, checksums and its "
        "record besides. Start and imports count. Runs alternate; medians.",
        ("what", "runs", "seconds", "most memory (GB)", "file (MB)"),
    )
    with tempfile.TemporaryDirectory(dir=inputs.DATA) as folder:
        product = Path(folder) / f"{scene.stem}.bench.nc"
        ours_command = ("run", scene, "-c", config, "-o", folder, "--log-level", "error")

        def ours(*options: object) -> tuple[Ran, float]:
            ran = ocpipe(*ours_command, *options)
            return ran, product.stat().st_size / 1e6

        def script(batch: int, *options: str) -> tuple[Ran, float]:
            written = Path(folder) / "script.nc"
            ran = python(SCRIPT, scene, network, written, "--batch", batch, *options)
            return ran, written.stat().st_size / 1e6

        tuned, default, one = [], [], []
        for _ in range(ROUNDS):
            tuned.append(script(8192))
            default.append(ours())
            one.append(ours("--threads", 1))
        slow = [script(32)] if untuned else []
        slowest = [script(32, "--every-pixel")] if every_pixel else []
        others = {e: [ours("--engine", e)] for e in ("tensorflow", "numpy")}
    rows = {
        EVERY: slowest,
        UNTUNED: slow,
        TUNED: tuned,
        "ocpipe, default (onnxruntime)": default,
        **{f"ocpipe, engine {engine}": ran for engine, ran in others.items()},
    }
    for what, runs in rows.items():
        if runs:
            table.add(what, len(runs), *_medians(runs))
    seconds = {what: median(r.seconds for r, _ in runs) for what, runs in rows.items() if runs}
    best = seconds["ocpipe, default (onnxruntime)"]
    for what in (TUNED, UNTUNED, EVERY):
        if what in seconds:
            table.note(f"{seconds[what] / best:.1f} times faster than: {what}")
    threads = Table(
        "(g) Threads",
        "The same scene with the default engine.",
        ("threads", "runs", "seconds", "most memory (GB)", "file (MB)"),
    )
    threads.add(1, len(one), *_medians(one))
    threads.add(2, len(default), *_medians(default))
    ratio = median(r.seconds for r, _ in one) / best
    threads.note(f"{ratio:.2f} times faster on 2 threads, start included")
    return [table, threads]


def _medians(runs: list[tuple[Ran, float]]) -> tuple[float, float, float]:
    return (
        median(ran.seconds for ran, _ in runs),
        median(ran.peak_gb for ran, _ in runs),
        median(size for _, size in runs),
    )


def start_up() -> Table:
    """How long small things take."""
    scene = inputs.modis_scene()
    table = Table(
        "Start",
        f"Whole commands, median of 5; the scene is {scene.name}.",
        ("command", "seconds", "most memory (GB)"),
    )
    with tempfile.TemporaryDirectory(dir=inputs.DATA) as folder:
        sample = inputs.ROOT / "sample_data" / "networks"
        real = inputs.REAL / "networks" / "ocsmart"
        chosen = ("ocsmart_iops", real) if real.is_dir() else ("demo", sample)
        run = ("run", scene, "-c", chosen[0], "--networks", chosen[1], "-o", folder)
        commands = {
            "ocpipe --help": ("--help",),
            "ocpipe inspect SCENE": ("inspect", scene),
            f"ocpipe run SCENE -c {chosen[0]}": run,
        }
        for name, command in commands.items():
            runs = [ocpipe(*command) for _ in range(5)]
            table.add(name, median(r.seconds for r in runs), median(r.peak_gb for r in runs))
    return table
