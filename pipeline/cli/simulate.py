"""``ocpipe simulate``: tables of simulated water to train networks with."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import EXISTING, log_level_option, names
from pipeline.cli.session import failure, importing, start, wrong_use
from pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from pipeline.tables.writing import SampleTable

NOISE = {"on": 1.0, "none": 0.0}


@click.command()
@click.option("--sensor", default=None, show_default="none", help="Whose Rrs bands to simulate.")
@click.option(
    "--bands",
    default=None,
    metavar="NM,NM",
    show_default="those of the sensor",
    help="Wavelengths in nm, from 350 to 900.",
)
@click.option(
    "-n", "--samples", type=click.IntRange(min=1), default=10_000, help="How many waters."
)
@click.option(
    "-o",
    "--output",
    type=EXISTING,
    required=True,
    help="The table: .nc, .csv, .parquet or .feather.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, help="Of the random numbers.")
@click.option(
    "--outputs",
    default=None,
    metavar="NAME,NAME",
    show_default="aph,adg,bbp,chlor_a",
    help="What the table holds besides Rrs.",
)
@click.option(
    "--noise",
    default="on",
    metavar="on|none|FACTOR",
    help="Sensor noise on Rrs: the usual one, none, or so many times the usual.",
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
    """Simulate the world's waters: Rrs at the bands of a sensor, aph, adg, bbp, chlorophyll.

    A published bio-optical model and realistic distributions of what is in the water; the same call
    makes the same table.
    """
    start(log_level)
    with importing():
        from pipeline.simulation.simulation import OUTPUTS, simulate_samples
        from pipeline.tables.writing import write_samples, writer_for

    try:
        writer_for(output)
        table = simulate_samples(
            samples,
            _bands(sensor, bands),
            seed=seed,
            noise=_factor(noise),
            outputs=OUTPUTS if outputs is None else names(outputs),
        )
        write_samples(output, table)
    except ConfigError as error:
        wrong_use(error)
    except PipelineError as error:
        failure(error)
        sys.exit(1)
    click.echo("\n".join(_summary(output, table)))


def _bands(sensor: str | None, bands: str | None) -> tuple[float, ...]:
    """The wavelengths of a call: given ones, else the Rrs bands of the sensor."""
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
    return known.ocsmart.bands("rrs")


def _factor(noise: str) -> float:
    """The factor that ``--noise`` means."""
    try:
        return NOISE[noise] if noise in NOISE else float(noise)
    except ValueError:
        raise ConfigError(
            f"--noise: found {noise!r}, expected on, none, or a number such as 0.5."
        ) from None


def _summary(output: Path, table: "SampleTable") -> list[str]:
    """What was written, and between which values most of each kind lies."""
    import numpy as np

    kinds: dict[str, list[str]] = {}
    for name in table.columns:
        if not name.startswith("water_"):
            kinds.setdefault(name.rpartition("_")[0] if name[-1].isdigit() else name, []).append(
                name
            )
    lines = [f"{output}: {len(table)} samples, {len(table.columns)} columns"]
    for kind, columns in kinds.items():
        values = np.concatenate([table.columns[name] for name in columns])
        lowest, low, high, highest = np.percentile(values, [0, 1, 99, 100])
        lines.append(
            f"  {kind:8} {len(columns):3} x  {lowest:.3g} ... {highest:.3g} "
            f"{table.meanings[columns[0]].units} (98 % within {low:.3g} ... {high:.3g})"
        )
    return lines
