"""The pixels on which a variable is valid, according to its attribute ``valid_pixel_expression``.

ESA SNAP writes this attribute for most variables of its processors. On pixels that are not valid,
values are missing, although files store numbers there (C2RCC stores reflectance 0).
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError, SceneError
from pipeline.readers.attributes import as_text
from pipeline.readers.flag_bits import description_of_bits
from pipeline.readers.layers import DecodedLayer, WhereValid, decode
from pipeline.readers.netcdf_layout import FileVariables, listed
from pipeline.readers.snap_expression import SnapExpression
from pipeline.readers.stored import Stored
from pipeline.scene.lazy import LazyArray, Region, StoredChunks
from pipeline.scene.source_flags import SourceFlags
from pipeline.tables.expressions import Expression
from pipeline.tables.truth import Truth

ATTRIBUTE = "valid_pixel_expression"
# SNAP stores the expression of its mask ``cloudy`` as an attribute of a variable ``cloudy_mask``.
MASK_SUFFIX = "_mask"


@dataclass(frozen=True, eq=False)
class Operand:
    """A variable, or a flag of a variable, in an expression."""

    stored: LazyArray
    value: Callable[[npt.NDArray[Any]], Any]
    """Converts the numbers of ``stored`` into the values that the expression uses."""


@dataclass(frozen=True, eq=False)
class Valid:
    """An array (y, x): True where an expression is true, False where it is false or undecided."""

    expression: Expression
    operands: Mapping[str, Operand]
    shape: tuple[int, ...]
    _last: threading.local = field(default_factory=threading.local)
    """For each thread, the last region and its result. All bands of a block need this result."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of True and False."""
        return np.dtype(bool)

    def read(self, region: Region) -> npt.NDArray[np.bool_]:
        """Evaluate the expression in a region."""
        found = getattr(self._last, "found", None)
        if found is not None and found[0] == region:
            return np.asarray(found[1])
        arrays = {
            name: each.value(each.stored.read(region)) for name, each in self.operands.items()
        }
        valid = self.expression.condition(arrays)
        self._last.found = (region, valid)
        return valid

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:  # noqa: ARG002
        """Yield the storage chunks of all variables in the expression."""
        for each in self.operands.values():
            yield from each.stored.storage((0,))


@dataclass(frozen=True, eq=False)
class ValidPixels:
    """Finds the valid pixels of the variables of a file."""

    file: FileVariables
    ignored: bool
    """Whether the configuration says that the expressions are to be ignored."""
    interpolated: Callable[[str], LazyArray | None]
    """Interpolates a variable on tie points to every pixel; None for any other variable."""
    _made: dict[tuple[str, str], Valid] = field(default_factory=dict)
    """Expressions by group and text; a name in the text stands for a variable of the group."""

    @property
    def honoured(self) -> tuple[str, ...]:
        """The expressions that were evaluated for variables of the scene."""
        return tuple(dict.fromkeys(text for _, text in self._made))

    def layer(self, name: str, layer: DecodedLayer) -> DecodedLayer:
        """Return a decoded variable; the pixels on which it is not valid become NaN.

        Raises:
            SceneError: the expression of the variable cannot be evaluated.
        """
        text = as_text(self.file.on_scene[name].attrs.get(ATTRIBUTE, "")).strip()
        if self.ignored or text in ("", "true", "1"):
            return layer
        group = name.rpartition("/")[0]
        try:
            if (group, text) not in self._made:
                self._made[group, text] = self._bound(group, text)
        except (ConfigError, SceneError) as error:
            raise SceneError(
                f"{name} is valid where {text!r}, but this expression cannot be evaluated: "
                f"{str(error).rstrip('.')}. Give a file that has everything the expression uses. "
                "If all pixels of the file are good, or if your masks exclude the bad ones, set "
                "reader: {format: cf_netcdf, options: {valid_pixel_expression: ignore}}."
            ) from error
        return WhereValid.of(layer, self._made[group, text])

    def _bound(self, group: str, text: str) -> Valid:
        parsed = SnapExpression.parse(text, self._masks(group))
        operands = {
            name: self._operand(f"{group}/{operand}" if group else operand)
            for name, operand in parsed.operands.items()
        }
        if not operands:
            raise ConfigError("it uses no variable of the file")
        nothing = (slice(0, 0), slice(0, 0))
        valid = Valid(parsed.expression, operands, self.file.shape)
        valid.read(nothing)  # finds errors that would otherwise occur in the first block
        return valid

    def _masks(self, group: str) -> dict[str, str]:
        """Return the expressions of the file's masks, by the names of the masks."""
        prefix = f"{group}/" if group else ""
        return {
            name.removeprefix(prefix).removesuffix(MASK_SUFFIX): as_text(v.attrs["expression"])
            for name, v in self.file.all.items()
            if name.startswith(prefix)
            and name.endswith(MASK_SUFFIX)
            and "expression" in v.attrs
            and name.removesuffix(MASK_SUFFIX) not in self.file.all
        }

    def _operand(self, name: str) -> Operand:
        """Return a variable (``conc_chl``), its stored numbers (``B1.raw``) or one of its flags."""
        on_scene = self.file.on_scene
        variable, _, flag = name.rpartition(".")
        variable = variable.removesuffix(self.file.suffix)
        name = name.removesuffix(self.file.suffix)
        cubes = [each for each in (name, variable) if each in on_scene and on_scene[each].ndim > 2]
        if cubes:
            raise SceneError(f"{cubes[0]} has several bands, expected one number for each pixel")
        if name in on_scene:
            layer = decode(on_scene[name], self.file.missing(name))
            return Operand(layer.values, np.asarray)
        if variable in on_scene:
            stored = on_scene[variable]
            if flag == "raw":
                return Operand(stored, lambda numbers: numbers.astype(np.float64))
            return _flag(variable, stored, flag)
        ties = self.interpolated(name)
        if ties is not None:
            return Operand(ties, np.asarray)
        raise SceneError(
            f"the file has no {(variable or name)!r} on its lines and pixels; it has "
            f"{listed(on_scene)}"
        )


def _flag(name: str, stored: Stored, flag: str) -> Operand:
    """Return one flag of a variable; it is undecided where the flags are missing."""
    if not {"flag_masks", "flag_meanings"} <= set(stored.attrs) or stored.dtype.kind not in "iu":
        raise SceneError(f"{name} has no flags (flag_masks and flag_meanings)")
    described = {**stored.attrs, **description_of_bits(name, stored.dtype, stored.attrs)}
    flags = SourceFlags.from_attributes(described, stored.dtype)
    unsigned = np.dtype(f"u{stored.dtype.itemsize}")
    mask, fills = unsigned.type(flags.mask(flag)), np.array(flags.missing, dtype=unsigned)

    def is_set(numbers: npt.NDArray[Any]) -> Any:
        bits = numbers.view(unsigned)
        found = (bits & mask) != 0
        if not fills.size:
            return found
        unknown = np.isin(bits, fills)
        return Truth(found & ~unknown, found | unknown)

    return Operand(stored, is_set)
