"""The list of masks that the reader of a scene recommends."""

import logging

import xarray as xr

from pipeline.config import DEFAULT_MASKS, MaskRules, mask_presets
from pipeline.errors import SceneError
from pipeline.scene.scene import SOURCE_FLAGS, recommended_masks
from pipeline.scene.source_flags import SourceFlags
from pipeline.tables.evaluation import PIXELS
from pipeline.tables.expressions import Expression

log = logging.getLogger(__name__)


def with_recommended(rules: MaskRules, scene: xr.Dataset) -> MaskRules:
    """Return the rules in full: the preset ``default`` is replaced by its list for this scene.

    Flags differ between versions of a format. Therefore, flags that the scene lacks are omitted.

    Raises:
        SceneError: the scene has flags, but no list is recommended for it; or a list is
            recommended, but the scene has none of the listed flags.
    """
    if rules.preset != DEFAULT_MASKS:
        return rules
    name = recommended_masks(scene)
    if not name:
        if SOURCE_FLAGS in scene:
            raise SceneError(
                "masks.preset cannot be 'default', because no list of masks is known for this "
                "file. Set masks.preset to the name of a list, or masks.flags to a list of flags "
                "(docs/configuration.md)."
            )
        return rules.model_copy(update={"preset": None})
    listed = mask_presets()[name]
    known = SourceFlags.of(scene).named if SOURCE_FLAGS in scene else {}
    flags = [f for key in ("flags", "flags_if_present") for f in listed.get(key, ()) if f in known]
    kept = [flag for flag in listed.get("keep_flags", ()) if flag in known]
    if (listed.get("flags") and not flags) or (listed.get("keep_flags") and not kept):
        raise SceneError(
            f"the recommended masks ({name}) need flags such as "
            f"{(*listed.get('keep_flags', ()), *listed.get('flags', ()))[0]}, but the scene has "
            f"{', '.join(known) or 'no flags'}. In the configuration, replace masks.preset by a "
            "list of masks (docs/configuration.md)."
        )
    return rules.model_copy(
        update={
            "preset": None,
            "flags": _joined(flags, rules.flags),
            "keep_flags": _joined(kept, rules.keep_flags),
            "expressions": {**_expressions(listed, scene), **rules.expressions},
        }
    )


def _joined(first: list[str], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _expressions(listed: dict[str, dict[str, str]], scene: xr.Dataset) -> dict[str, str]:
    """Return the recommended expressions whose variables are all in the scene."""
    found = {}
    for name, text in listed.get("expressions", {}).items():
        missing = [each for each in Expression.parse(text, PIXELS).names if each not in scene]
        if missing:
            log.warning("mask %s is not applied: the scene has no %s", name, ", ".join(missing))
        else:
            found[name] = text
    return found
