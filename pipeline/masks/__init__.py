"""Scene block -> excluded pixels, one named rule per bit of ``quality_flags``."""

from collections.abc import Sequence

import xarray as xr

from pipeline.config import MaskRules
from pipeline.errors import ConfigError
from pipeline.masks.dilation import Dilated
from pipeline.masks.expression import ExpressionRule
from pipeline.masks.flags import FlagIsSet, KeepFlags
from pipeline.masks.rule import MaskRule
from pipeline.masks.values import VALUE_RULES, ValueRule
from pipeline.scene.quality import MOST_MASK_RULES
from pipeline.scene.scene import SOURCE_FLAGS, Band
from pipeline.scene.source_flags import SourceFlags

__all__ = ["Dilated", "MaskRule", "describe_rule", "make_rules"]


def make_rules(
    rules: MaskRules, scene: xr.Dataset, inputs: Sequence[Band], tolerance_nm: float
) -> tuple[MaskRule, ...]:
    """The rules of a configuration, bound to one scene.

    Args:
        rules: what the configuration says.
        scene: the scene they will be applied to; names are looked up in it.
        inputs: the bands that the networks of the run take, for rules about values.
        tolerance_nm: how far a band named in an expression may be from one of the scene.

    Raises:
        SceneError: a flag, a band or a variable is not in the scene; the message lists those
            that are.
        ConfigError: an expression uses something that is not allowed, or two rules have one name.
    """
    bound: list[MaskRule] = []
    if rules.flags or rules.keep_flags or (rules.flags_if_present and SOURCE_FLAGS in scene):
        table = SourceFlags.of(scene)
        present = [n for n in rules.flags_if_present if n in table.named and n not in rules.flags]
        flags = (*rules.flags, *present)
        bound.extend(FlagIsSet(name, table.mask(name)) for name in flags)
        if rules.keep_flags:
            bound.append(KeepFlags(rules.keep_flags, table.mask_of_any(rules.keep_flags)))
    for name, text in rules.expressions.items():
        bound.append(ExpressionRule.parse(name, text, scene, tolerance_nm))
    bound.extend(ValueRule(name, VALUE_RULES[name], tuple(inputs)) for name in rules.values)
    names = [rule.name for rule in bound]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two mask rules are called {', '.join(twice)}, but each has a bit of its own name. "
            "Rename the expression, or leave one out."
        )
    unknown = sorted(set(rules.dilate) - set(names) - set(rules.flags_if_present))
    if unknown:
        raise ConfigError(
            f"masks.dilate names {', '.join(unknown)}; the mask rules are "
            f"{', '.join(names) or 'none'}. Name one of these, or add the rule."
        )
    if len(bound) > MOST_MASK_RULES:
        raise ConfigError(
            f"{len(bound)} mask rules, at most {MOST_MASK_RULES} fit into quality_flags. "
            "Join some of them in one expression or list flags under keep_flags."
        )
    return tuple(
        Dilated(rule, rules.dilate[rule.name]) if rule.name in rules.dilate else rule
        for rule in bound
    )


def describe_rule(rule: MaskRule) -> str:
    """The layers of the scene that a rule reads, and what is done with them, in words."""
    if isinstance(rule, Dilated):
        pixels = "pixel" if rule.radius == 1 else "pixels"
        return f"{describe_rule(rule.rule)}, grown by {rule.radius} {pixels}"
    return ",".join(band.name for band in rule.needs)
