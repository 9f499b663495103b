"""Mask rules: each rule excludes pixels of a block and has its own bit in ``quality_flags``."""

from collections.abc import Callable, Iterator, Sequence

import xarray as xr

from pipeline.config import MaskRules
from pipeline.errors import ConfigError, repeated
from pipeline.masks.dilation import Dilated
from pipeline.masks.expression import ExpressionRule
from pipeline.masks.flags import FlagRule
from pipeline.masks.rule import MaskRule, Request, Verdict
from pipeline.masks.values import ValueRule
from pipeline.scene.quality import MOST_MASK_RULES
from pipeline.scene.scene import Band

__all__ = ["RULES", "Dilated", "MaskRule", "Request", "Verdict", "describe_rule", "make_rules"]

# Each function yields the rules of one class from a configuration. The bits of the rules have this
# order.
RULES: dict[str, Callable[[Request], Iterator[MaskRule]]] = {
    "flags": FlagRule.requested,
    "expressions": ExpressionRule.requested,
    "values": ValueRule.requested,
}


def make_rules(
    rules: MaskRules, scene: xr.Dataset, inputs: Sequence[Band], tolerance_nm: float
) -> tuple[MaskRule, ...]:
    """Return the rules of a configuration, bound to one scene.

    Args:
        rules: the masks of the configuration.
        scene: the scene that the rules will be applied to.
        inputs: input bands of the networks of the run, for rules about values.
        tolerance_nm: largest distance (nm) between a band in an expression and one in the scene.

    Raises:
        SceneError: the scene lacks a flag, a band or a variable; the message lists the known ones.
        ConfigError: an expression uses something that is not allowed, or two rules share a name.
    """
    request = Request(rules, scene, tuple(inputs), tolerance_nm)
    bound = [rule for requested in RULES.values() for rule in requested(request)]
    names = [rule.name for rule in bound]
    twice = repeated(names)
    if twice:
        raise ConfigError(
            f"two mask rules are called {twice}, but every rule must have its own name. "
            "Rename the expression, or remove one of the two rules."
        )
    unknown = sorted(set(rules.dilate) - set(names) - set(rules.flags_if_present))
    if unknown:
        raise ConfigError(
            f"masks.dilate contains {', '.join(unknown)}, but the mask rules are "
            f"{', '.join(names) or 'none'}. Use the name of one of "
            "these rules, or add the rule."
        )
    if len(bound) > MOST_MASK_RULES:
        raise ConfigError(
            f"found {len(bound)} mask rules, but at most {MOST_MASK_RULES} fit into "
            "quality_flags. Join some of them in one expression, or use keep_flags, which makes "
            "one rule of all its flags."
        )
    return tuple(
        Dilated(rule, rules.dilate[rule.name]) if rule.name in rules.dilate else rule
        for rule in bound
    )


def describe_rule(rule: MaskRule) -> str:
    """Return a text with the layers that a rule reads, and with the radius of a grown mask."""
    if isinstance(rule, Dilated):
        pixels = "pixel" if rule.radius == 1 else "pixels"
        return f"{describe_rule(rule.rule)}, grown by {rule.radius} {pixels}"
    return ",".join(band.name for band in rule.needs)
