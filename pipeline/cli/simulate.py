"""The command ``ocpipe simulate``, which makes tables of simulated waters for training."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import PATH, POSITIVE, log_level_option, names, option
from pipeline.cli.session import guarded, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.tables.writing import SampleTable

NOISE = {"on": 1.0, "none": 0.0}


@click.command()
@option("--sensor", "Sensor whose Rrs bands are simulated.", "none")
@option("--bands", "Wavelengths in nm, from 350 to 900.", "bands of the sensor", metavar="NM,NM")
@click.option("-n", "--samples", type=POSITIVE, default=10_000, help="Number of samples.")
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    help="Table to write: .nc, .csv, .parquet or .feather.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, help="Seed of the random numbers.")
@option(
    "--outputs",
    "Quantities in the table in addition to Rrs.",
    "aph,adg,bbp,chlor_a",
    metavar="NAME,NAME",
)
@click.option(
    "--noise",
    default="on",
    metavar="on|none|FACTOR",
    help="Sensor noise on Rrs: the usual noise, none, or a multiple of the usual noise.",
)
@log_level_option
def simulate(
    sensor: str | None,
    bands: str | None,
    samples: int,
    output: Path,
    seed: int,
    outputs: str | None,
    noise: str,
    log_level: str,
) -> None:
    """Simulate the world's waters: aph, adg, bbp, chlorophyll, and Rrs at the bands of a sensor.

    The simulation uses a published bio-optical model and realistic distributions of the water
    constituents. The same call always makes the same table.
    """
    start(log_level)
    with importing():
        from pipeline.simulation.simulation import OUTPUTS, simulate_samples
        from pipeline.tables.writing import write_samples, writer_for

    with guarded():
        writer_for(output)
        table = simulate_samples(
            samples,
            _bands(sensor, bands),
            seed=seed,
            noise=_factor(noise),
            outputs=OUTPUTS if outputs is None else names(outputs),
        )
        write_samples(output, table)
        show(*_summary(output, table))


def _bands(sensor: str | None, bands: str | None) -> tuple[float, ...]:
    """Return the given wavelengths, or by default the wavelengths of the sensor's Rrs bands."""
    from pipeline.facts.sensors import find_sensor, sensors

    known = find_sensor(sensor) if sensor is not None else None
    if bands is not None:
        try:
            return tuple(float(nm) for nm in names(bands))
        except ValueError:
            raise ConfigError(
                f"--bands: found {bands!r}, expected wavelengths in nm such as 412,443,555."
            ) from None
    if known is None:
        raise ConfigError(
            f"no bands to simulate; give --sensor (one of {', '.join(sensors())}) or --bands."
        )
    return known.rrs_bands_nm


def _factor(noise: str) -> float:
    """Return the noise factor for a value of ``--noise``."""
    try:
        return NOISE[noise] if noise in NOISE else float(noise)
    except ValueError:
        raise ConfigError(
            f"--noise: found {noise!r}, expected on, none, or a number such as 0.5."
        ) from None


def _summary(output: Path, table: "SampleTable") -> list[str]:
    """Return lines that describe the written table and the range of each quantity."""
    import numpy as np

    kinds: dict[str, list[str]] = {}
    for name in table.columns:
        if not name.startswith("water_"):
            kind = name.rpartition("_")[0] if name[-1].isdigit() else name
            kinds.setdefault(kind, []).append(name)
    lines = [f"{output}: {len(table)} samples, {len(table.columns)} columns"]
    for kind, columns in kinds.items():
        values = np.concatenate([table.columns[name] for name in columns])
        lowest, low, high, highest = np.percentile(values, [0, 1, 99, 100])
        lines.append(
            f"  {kind:8} {len(columns):3} x  {lowest:.3g} ... {highest:.3g} "
            f"{table.meanings[columns[0]].units} (98 % within {low:.3g} ... {high:.3g})"
        )
    return lines
