"""Tables of samples to test with: small ones, and NOMAD's."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import SamplesConfig
from pipeline.training.samples.samples import SampleSet, load_samples

RRS = {"quantity": "Rrs", "wavelengths_nm": [443, 555]}
CHL = {"quantity": "chlor_a"}
NOMAD = "matchups/nomad_seabass_v2.a_2008200.txt.gz"
NOMAD_BANDS = [411, 443, 489, 510, 555, 665]


def nomad(real_data: Path, **keys: Any) -> SamplesConfig:
    ratios = {f"Rrs_{nm}": f"lw{nm} / es{nm}" for nm in NOMAD_BANDS}
    said = {
        "files": [real_data / NOMAD],
        "columns": ratios
        | {"aph_443": "ap443 - ad443", "date": "year * 10000 + month * 100 + day"},
        "inputs": [{"quantity": "Rrs", "wavelengths_nm": NOMAD_BANDS}],
        "targets": [{"quantity": "aph", "wavelengths_nm": [443]}],
        "missing_targets": "drop",
        "group": "cruise",
        "time": "date",
    }
    return SamplesConfig.model_validate(said | keys)


def columns(rows: int = 40) -> dict[str, list[Any]]:
    """Distinct spectra of four cruises, a row a day."""
    return {
        "Rrs_443": [0.001 * (row + 1) for row in range(rows)],
        "Rrs_555": [0.002 + 0.0001 * row for row in range(rows)],
        "chlor_a": [0.1 * (row + 1) for row in range(rows)],
        "cruise": [f"c{row % 4}" for row in range(rows)],
        "date": [20200101 + row % 28 + 100 * (row // 28) for row in range(rows)],
        "weight": [1.0] * rows,
        "water": ["clear" if row % 3 else "turbid" for row in range(rows)],
    }


def write(folder: Path, table: dict[str, list[Any]], name: str = "samples.csv") -> Path:
    """A CSV file; None is an empty cell."""
    lines = [",".join(table)]
    rows = zip(*table.values(), strict=True)
    lines += [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def config(path: Path, **keys: Any) -> SamplesConfig:
    """A configuration of one file."""
    said: dict[str, Any] = {"files": [path], "inputs": [RRS], "targets": [CHL], **keys}
    if "classes" in keys:
        del said["targets"]
    return SamplesConfig.model_validate(said)


def small_samples(groups: list[int], times: list[int] | None = None) -> SampleSet:
    """Samples of these groups and days without a file."""
    count = len(groups)
    return SampleSet(
        inputs=(_variable(),),
        targets=(),
        x=np.arange(1.0, count + 1)[:, None],
        y=np.empty((count, 0)),
        labels=None,
        classes=(),
        class_quantity="",
        weights=None,
        groups=np.array([f"g{group}" for group in groups]),
        times=None
        if times is None
        else np.datetime64("2020-01-01", "us") + np.array(times).astype("timedelta64[D]"),
        rows=np.arange(1, count + 1),
        files=np.zeros(count, dtype=np.int64),
        sources=({"name": "a.csv", "sha256": "", "rows": count},),
        notes=(),
    )


def _variable() -> Any:
    from pipeline.training.samples.variables import SampleVariable

    return SampleVariable("Rrs", 443.0, "sr-1", "log10", column="Rrs_443")


def load(folder: Path, table: dict[str, list[Any]], **keys: Any) -> SampleSet:
    """The samples of a table."""
    return load_samples(config(write(folder, table), **keys))
