"""Reads times of samples: instants in UTC from the text of a column."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.tables.table import Texts

Times = npt.NDArray[np.datetime64]
"""Instants in UTC to the microsecond, with shape (rows,); NaT if unknown."""


def instants(texts: Texts) -> Times:
    """Return instants from texts in ISO 8601 or yyyymmdd; NaT for all other texts."""
    import pandas as pd

    def parsed(**how: Any) -> Any:
        return pd.to_datetime(pd.Series(texts), errors="coerce", utc=True, **how)

    # Eight digits come first: ISO 8601 allows them too, but older pandas reads nanoseconds.
    found = parsed(format="%Y%m%d").fillna(parsed(format="ISO8601"))
    return np.asarray(found.dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")
