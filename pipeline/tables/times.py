"""Times of samples: instants in UTC from the text of a column."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.tables.table import Texts

Times = npt.NDArray[np.datetime64]
"""Microseconds in UTC, NaT where there is none."""


def instants(texts: Texts) -> Times:
    """Instants from ISO 8601 or yyyymmdd; NaT where a text is neither."""
    import pandas as pd

    def parsed(**how: Any) -> Any:
        return pd.to_datetime(pd.Series(texts), errors="coerce", utc=True, **how)

    # Eight digits first: ISO 8601 has them, too, but older pandas takes them as nanoseconds.
    found = parsed(format="%Y%m%d").fillna(parsed(format="ISO8601"))
    return np.asarray(found.dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")
