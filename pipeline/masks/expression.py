"""Masks by an expression such as ``solar_zenith > 70 or Rrs_667 / Rrs_547 > 1.2``."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from pipeline.errors import ConfigError, SceneError
from pipeline.masks.rule import Request, Verdict
from pipeline.scene.scene import (
    Band,
    band_names,
    find_layer,
    plain_variables,
    why_unread,
)
from pipeline.tables.evaluation import PIXELS
from pipeline.tables.expressions import Expression


@dataclass(frozen=True)
class ExpressionRule:
    """Excludes pixels where an expression is true or cannot be decided (a value is missing)."""

    name: str
    expression: Expression
    bands: Mapping[str, Band]
    """The layer of each name in the expression."""

    @classmethod
    def requested(cls, request: Request) -> Iterator["ExpressionRule"]:
        """Yield a rule for each expression of a configuration.

        Raises:
            ConfigError, SceneError: see :meth:`parse`.
        """
        for name, text in request.rules.expressions.items():
            yield cls.parse(name, text, request.scene, request.tolerance_nm)

    @classmethod
    def parse(
        cls, name: str, text: str, scene: xr.Dataset, tolerance_nm: float
    ) -> "ExpressionRule":
        """Parse a text and find its names in a scene.

        Raises:
            ConfigError: the text is not a valid condition, or uses no variable of the scene.
            SceneError: the text has a name that the scene lacks; the message lists the known names.
        """
        expression, where = parse_condition(name, text), f"masks.expressions.{name}: {text!r}"
        if not expression.names:
            raise ConfigError(
                f"{where} uses no variable of the scene, so its result is the same for all pixels. "
                "Use a name such as solar_zenith."
            )
        found = {each: _find(each, scene, tolerance_nm, where) for each in expression.names}
        return cls(name, expression, found)

    @property
    def needs(self) -> tuple[Band, ...]:
        """The layers that the expression reads."""
        return tuple(self.bands.values())

    def judge(self, block: xr.Dataset) -> Verdict:
        """Evaluate the expression on every pixel."""
        truth = self.expression.truth({n: band.values(block) for n, band in self.bands.items()})
        return Verdict(truth.possible, truth.undecided)


def parse_condition(name: str, text: str) -> Expression:
    """Parse an expression; it must be a condition and use only allowed operators and functions.

    Raises:
        ConfigError: the text has a syntax error, or uses something that is not allowed.
    """
    try:
        expression = Expression.parse(text, PIXELS)
        # An evaluation without pixels finds errors before the first block is computed.
        expression.condition({each: np.empty((0, 0)) for each in expression.names})
    except ConfigError as error:
        raise ConfigError(f"masks.expressions.{name}: {error}.") from None
    return expression


def _find(name: str, scene: xr.Dataset, tolerance_nm: float, where: str) -> Band:
    layer = find_layer(scene, name, tolerance_nm)
    if layer is not None:
        return layer
    known = [*band_names(scene), *plain_variables(scene)]
    close = difflib.get_close_matches(name.lower(), [other.lower() for other in known], n=1)
    hint = next((f" Did you mean {other}?" for other in known if other.lower() in close), "")
    hint = why_unread(scene, name) or hint
    raise SceneError(
        f"{where}: unknown name {name!r}; the scene has {', '.join(known)}.{hint} "
        "To mask by flags, list them under masks.flags."
    )
