"""Makes the names of products from a template and facts of the scene."""

import functools
import os
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import SceneError
from pipeline.times.text import EXPECTED, parse_time

PATH_FIELDS = ("stem", "parent", "name")
SCENE_FIELDS = ("sensor", "platform", "instrument")
TIME_FIELDS = ("start", "end")
FIELDS = (*PATH_FIELDS, *SCENE_FIELDS, *TIME_FIELDS)
SUFFIX = ".nc"
DEFAULT_TIME = "%Y%m%dT%H%M%S"
LONGEST_NAME = 255
"""Bytes in the name of a file or folder, in almost all file systems."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class NameTemplate:
    """A template for the paths of products, such as ``{start:%Y/%m/%d}/{stem}.{name}.nc``.

    ``{stem}`` is the scene's file name without its ending, ``{parent}`` is the name of the scene's
    folder, and ``{name}`` is the name of the configuration. ``{sensor}``, ``{platform}``,
    ``{instrument}``, ``{start}`` and ``{end}`` come from the scene itself. Slashes in the template
    separate folders; slashes in the values of fields are replaced.

    Raises:
        ValueError: the text is not a template, or a path could lie outside the output folder.
    """

    text: str

    def __post_init__(self) -> None:
        try:
            parts = self._parts
        except ValueError as error:
            raise ValueError(f"unbalanced braces ({error})") from error
        unknown = [field for _, field, _ in parts if field is not None and field not in FIELDS]
        if unknown:
            raise ValueError(f"unknown field {{{unknown[0]}}}; known are {', '.join(FIELDS)}")
        if any(spec and field not in TIME_FIELDS for _, field, spec in parts):
            raise ValueError("only the fields start and end may have a format ({start:%Y/%m/%d})")
        if not self.text.endswith(SUFFIX):
            raise ValueError(f"expected a name that ends with {SUFFIX}")
        fixed = "".join(f"{literal}{spec if field else ''}x" for literal, field, spec in parts)
        problem = _problem(fixed)
        if problem is not None:
            raise ValueError(f"expected a path inside the output folder, but {problem}")

    @property
    def needs_scene(self) -> bool:
        """Whether the scene must be opened before the name of its product is known."""
        return any(field in (*SCENE_FIELDS, *TIME_FIELDS) for _, field, _ in self._parts)

    def fill(
        self, source: str | Path, config_name: str, scene: Mapping[str, Any] | None = None
    ) -> str:
        """Return the path of a product, relative to the output folder.

        Args:
            source: the file of the scene.
            config_name: name of the configuration.
            scene: attributes of the scene, if the template contains fields for them.

        Raises:
            SceneError: the scene lacks an attribute for a field of the template, or the path could
                lead out of the output folder or is not a valid name of a file.
        """
        # Texts are faster than paths: a batch names hundreds of thousands of products.
        folder, name = os.path.split(os.path.abspath(source))
        of_path = {
            "stem": os.path.splitext(name)[0],
            "parent": os.path.basename(folder) or "root",
            "name": config_name,
        }
        made = ""
        for literal, field, spec in self._parts:
            made += literal
            if field in of_path:
                made += of_path[field]
            elif field is not None:
                made += _of_scene(field, spec, scene or {})
        problem = _problem(made)
        if problem is not None:
            raise SceneError(
                f"{name}: the product would be called {made!r}, but {problem}. Rename the scene, "
                "or choose another template (execution.product)."
            )
        return made

    @functools.cached_property
    def _parts(self) -> list[tuple[str, str | None, str]]:
        parsed = string.Formatter().parse(self.text)
        return [(literal, field, spec or "") for literal, field, spec, _ in parsed]


def _problem(path: str) -> str | None:
    """Return why a path cannot be the path of a file below the output folder; None if it can."""
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return f"a part of the path is {part!r}"
        if not part.isprintable() and _CONTROL.search(part):
            return "it contains a control character"
        if len(part) > LONGEST_NAME // 4 and len(os.fsencode(part)) > LONGEST_NAME:
            return f"a part of the path is longer than {LONGEST_NAME} bytes"
    return None


def _of_scene(field: str, spec: str, scene: Mapping[str, Any]) -> str:
    attribute = {"start": "time_coverage_start", "end": "time_coverage_end"}.get(field, field)
    said = str(scene.get(attribute, "")).strip()
    if not said:
        raise SceneError(
            f"the scene has no attribute {attribute}, but the name of the product needs it for the "
            f"field {{{field}}}. Choose another template (execution.product)."
        )
    if field not in TIME_FIELDS:
        return _plain(said)
    time = parse_time(said)
    if time is None:
        raise SceneError(
            f"{attribute} of the scene is {said!r}, expected {EXPECTED}. The name of the "
            "product contains this time. State the format of this time in reader.options.mapping "
            "(docs/readers.md), or choose another template (execution.product)."
        )
    return time.utc.strftime(spec or DEFAULT_TIME)


def _plain(text: str) -> str:
    """Return a text with ``_`` for characters such as slashes, and for dots at the start."""
    return re.sub(r"^\.+", "_", re.sub(r"[^\w.+@=-]", "_", text))
