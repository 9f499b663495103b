"""Find the rows of a table that have all values needed for training."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.config import SamplesConfig
from pipeline.networks.variable import Array
from pipeline.tables import Table
from pipeline.training.samples.columns import Findings
from pipeline.training.samples.variables import SampleVariable

Missing = npt.NDArray[np.bool_]


def usable_rows(
    table: Table,
    inputs: Sequence[SampleVariable],
    x: Array,
    target_names: Sequence[str],
    y: Array,
    config: SamplesConfig,
    findings: Findings,
) -> npt.NDArray[np.int64]:
    """Return the indices of the rows to keep; missing values are reported as notes or errors.

    Rows that lack an input are left out first; missing targets in these rows are not reported.
    """
    lacks_input: Missing = np.asarray(np.isnan(x).any(axis=1))
    if lacks_input.any():
        names = [variable.name for variable in inputs]
        if config.missing_inputs == "error":
            findings.complain(
                f"{_where(table, np.isnan(x), names)}. Set samples.missing_inputs: drop, or "
                "correct the rows"
            )
        else:
            findings.notes.append(
                f"{table.name}: {lacks_input.sum()} of {len(table)} rows lack an input and are "
                "left out"
            )
    missing = np.isnan(y) & ~lacks_input[:, None]
    lacks_target = _lacks_target(missing, config)
    if config.missing_targets == "error" and lacks_target.any():
        ways = "drop" if config.classes is not None else "drop or mask"
        findings.complain(
            f"{_where(table, missing, target_names)}. Set samples.missing_targets: {ways}, or "
            "correct the rows"
        )
    elif lacks_target.any():
        which = "all targets" if config.missing_targets == "mask" else "a target"
        findings.notes.append(
            f"{table.name}: {lacks_target.sum()} rows lack {which} and are left out"
        )
    return np.flatnonzero(~lacks_input & ~lacks_target).astype(np.int64)


def _lacks_target(missing: Missing, config: SamplesConfig) -> Missing:
    """Return the rows that lack a target; if targets are masked, the rows that lack all targets."""
    if config.missing_targets == "mask":
        return np.asarray(missing.all(axis=1))
    return np.asarray(missing.any(axis=1))


def _where(table: Table, missing: Missing, names: Sequence[str]) -> str:
    """Return ``rows.csv: 12 of 30 rows have no aph_443 ... (lines 3, 5, 7 and 9 more)``."""
    rows = np.flatnonzero(missing.any(axis=1))
    lacking = [name for name, column in zip(names, missing.T, strict=True) if column.any()]
    return (
        f"{table.name}: {len(rows)} of {len(table)} rows have no {' or no '.join(lacking)}, or "
        f"have a value for which the transform is not defined ({table.places(rows)})"
    )
