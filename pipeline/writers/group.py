"""A netCDF group as plain data, for metadata that a writer stores with the products."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True)
class Group:
    """Attributes, small 1-D variables and subgroups."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, tuple[str, npt.NDArray[Any], Mapping[str, Any]]] = field(
        default_factory=dict
    )
    """Name -> (dimension, 1-D values, attributes)."""
    groups: Mapping[str, "Group"] = field(default_factory=dict)
