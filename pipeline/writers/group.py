"""A netCDF group as plain data: what a writer puts beside the products."""

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
    """Name -> (dimension, values, attributes), 1-D."""
    groups: Mapping[str, "Group"] = field(default_factory=dict)
