"""A mask rule is one class and one row of the table of rules."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import xarray as xr

from pipeline.config import MaskRules
from pipeline.masks import RULES, Request, Verdict, make_rules
from pipeline.masks.values import VALUE_RULES
from pipeline.scene.scene import Band

pytestmark = pytest.mark.quick

LINES = np.repeat(np.arange(4.0)[:, np.newaxis], 3, axis=1)
SCENE = xr.Dataset({"solar_zenith": (("y", "x"), LINES)})


@dataclass(frozen=True)
class OddValues:
    """Excludes pixels with an odd value of a layer."""

    name: str
    needs: tuple[Band, ...]

    @classmethod
    def requested(cls, request: Request) -> Iterator["OddValues"]:
        """Yield a rule for each layer of the scene."""
        for name in request.scene:
            yield cls(f"odd_{name}", (Band(str(name)),))

    def judge(self, block: xr.Dataset) -> Verdict:
        """Exclude pixels with odd values."""
        return Verdict(np.asarray(self.needs[0].values(block) % 2 == 1))


def test_a_rule_from_outside_is_used_and_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes after the rules that a configuration names, and a configuration may let it grow."""
    monkeypatch.setitem(RULES, "odd_values", OddValues.requested)
    masks = MaskRules(expressions={"low_sun": "solar_zenith > 2"}, dilate={"odd_solar_zenith": 1})
    by_expression, grown = make_rules(masks, SCENE, (), 3.0)
    assert (by_expression.name, grown.name) == ("low_sun", "odd_solar_zenith")
    excluded: Any = grown.rule.judge(SCENE).excluded  # type: ignore[attr-defined]
    np.testing.assert_array_equal(excluded, LINES % 2 == 1)
    np.testing.assert_array_equal(grown.grown(SCENE).values, True)  # type: ignore[attr-defined]


def test_every_condition_of_the_table_may_be_named() -> None:
    """The configuration and the table of conditions name the same ones."""
    assert tuple(VALUE_RULES) == MaskRules(values=tuple(VALUE_RULES)).values  # type: ignore[arg-type]
