"""Several networks that are one: their mean, and how far they lie apart.

What spans decades (its transform is a logarithm) is averaged as log10, everything else as it is.
Classes are averaged as probabilities.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.machine.files import sha256_of_text
from pipeline.networks.description import Network
from pipeline.networks.retrieval import Retrieval
from pipeline.networks.variable import Array, Variable, in_decades, out_of_decades

# The most networks of an ensemble: each is evaluated on every pixel.
MOST_MEMBERS = 100


@dataclass(frozen=True)
class Calibration:
    """How the spread of the members becomes the standard deviation of what is not known.

    Members agree on what all of them get wrong: ``sqrt((factor spread)**2 + floor**2)``, of log10
    or in units of the output, fitted to measurements that the members did not see.
    """

    factor: tuple[float, ...]
    """Of each output."""
    floor: tuple[float, ...]
    record: Mapping[str, Any] = field(default_factory=dict)
    """What it was fitted to, and what share of it the intervals held."""

    def __call__(self, spread: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The standard deviation of outputs (n, outputs), in the precision of the spread."""
        factor, floor = (np.asarray(each, spread.dtype) for each in (self.factor, self.floor))
        return np.asarray(np.hypot(factor * spread, floor))


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Ensemble(Retrieval):
    """Networks of the same inputs and outputs, used like one of them.

    Its ranges are the widest of its members.
    """

    members: tuple[Network, ...]
    calibration: Calibration | None
    training: dict[str, Any] = field(default_factory=dict)

    kind: ClassVar[str] = "network ensemble"

    @classmethod
    def of(
        cls,
        members: tuple[Network, ...],
        *,
        name: str,
        title: str = "",
        calibration: Calibration | None = None,
        citation: str = "",
        licence: str = "",
        file_name: str = "",
        sha256: str = "",
        training: dict[str, Any] | None = None,
    ) -> "Ensemble":
        """An ensemble; citation and licence are those of the members where none are given.

        Raises:
            NetworkError: the members take or make different things, or the calibration is not one
                of these outputs.
        """
        where = file_name or name
        _check_alike(members, where)
        first = members[0]
        outputs = _joined([member.outputs for member in members])
        if calibration is not None:
            _check_calibration(calibration, len(outputs), where)
        return cls(
            name=name,
            title=title or name,
            members=members,
            inputs=_joined([member.inputs for member in members]),
            outputs=outputs,
            sensors=tuple(s for s in first.sensors if all(s in m.sensors for m in members)),
            classes=first.classes,
            class_quantity=first.class_quantity,
            after=first.after,
            calibration=calibration,
            citation=citation or _said(members, "citation"),
            licence=licence or _said(members, "licence"),
            file_name=where,
            sha256=sha256,
            training=training or {},
        )

    @property
    def states_uncertainty(self) -> bool:
        """Whether it gives a standard deviation of its outputs; of classes it does not."""
        return not self.classes

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides its numbers."""
        parts: list[Any] = [member.fingerprint for member in self.members]
        if self.calibration is not None:
            parts += [self.calibration.factor, self.calibration.floor]
        return sha256_of_text(repr(parts))

    @property
    def shape_text(self) -> str:
        """``5 x 7-32-16-1``."""
        shapes = list(dict.fromkeys(member.shape_text for member in self.members))
        return f"{len(self.members)} x {', '.join(shapes)}"

    @property
    def record(self) -> Mapping[str, str]:
        """What a product says of how the numbers are computed."""
        activations = dict.fromkeys(member.record["activations"] for member in self.members)
        calibration = "none"
        if self.calibration is not None:
            calibration = json.dumps(dataclasses.asdict(self.calibration), sort_keys=True)
        return {
            "layers": self.shape_text,
            "activations": "; ".join(activations),
            "members": ",".join(f"{m.file_name} (sha256 {m.sha256})" for m in self.members),
            "calibration": calibration,
        }

    def reference(self, x: npt.ArrayLike) -> Array:
        """Outputs (n, outputs) of inputs (n, inputs), physical units, by the float64 reference."""
        return self.joined(member.reference(x) for member in self.members)[0]

    def predict_with_uncertainty(
        self, x: npt.ArrayLike, engine: str = "auto"
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Outputs, and their standard deviations: of log10 where the transform is a logarithm.

        Args:
            x: inputs in physical units with shape (n, inputs), in the order of ``self.inputs``.
            engine: as of a network.

        Returns:
            Two arrays with shape (n, outputs).
        """
        return self.joined(member.predict(x, engine) for member in self.members)

    def joined(self, made: Iterable[npt.NDArray[Any]]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Mean of what the members make, one after the other, and its standard deviation.

        The second is of log10 for what spans decades, and calibrated where there is a calibration.

        Args:
            made: outputs (n, outputs) of each member in physical units.
        """
        outputs, results = self.outputs, iter(made)
        with np.errstate(all="ignore"):
            mean = in_decades(outputs, next(results))
            squares = np.zeros_like(mean)
            for number, result in enumerate(results, start=2):
                value = in_decades(outputs, result)
                away = value - mean
                mean += away / number
                squares += away * (value - mean)
            spread = np.sqrt(squares / (len(self.members) - 1))
            calibrated = spread if self.calibration is None else self.calibration(spread)
            return out_of_decades(outputs, mean), calibrated


def _check_alike(members: tuple[Network, ...], where: str) -> None:
    if not 2 <= len(members) <= MOST_MEMBERS:
        raise NetworkError(
            f"{where}: an ensemble of {len(members)} networks, expected 2 to {MOST_MEMBERS}."
        )
    first = _what(members[0])
    for member in members[1:]:
        for what, expected in first.items():
            found = _what(member)[what]
            if found != expected:
                raise NetworkError(
                    f"{where}: {what} of {member.file_name} are {_listed(found)}, those of "
                    f"{members[0].file_name} {_listed(expected)}. Networks of an ensemble take and "
                    "make the same."
                )
    if not set.intersection(*(set(member.sensors) for member in members)):
        raise NetworkError(f"{where}: its networks are for no sensor in common.")


def _what(network: Network) -> dict[str, tuple[Any, ...]]:
    """What members must have in common."""
    found: dict[str, tuple[Any, ...]] = {
        what: tuple(f"{v.name} ({v.units}, {v.transform_name})" for v in variables)
        for what, variables in (("inputs", network.inputs), ("outputs", network.outputs))
    }
    return found | {"classes": network.classes, "steps that follow": network.after}


def _listed(found: tuple[Any, ...]) -> str:
    return ", ".join(map(str, found)) or "none"


def _check_calibration(calibration: Calibration, outputs: int, where: str) -> None:
    numbers = (*calibration.factor, *calibration.floor)
    if not len(calibration.factor) == len(calibration.floor) == outputs:
        raise NetworkError(
            f"{where}: calibration has {len(calibration.factor)} factors and "
            f"{len(calibration.floor)} floors, expected {outputs}, one of each for every output."
        )
    if not all(np.isfinite(number) and number >= 0 for number in numbers):
        raise NetworkError(f"{where}: calibration holds {min(numbers):g}, expected 0 or more.")


def _joined(variables: list[tuple[Variable, ...]]) -> tuple[Variable, ...]:
    """The variables with the widest of their ranges."""
    return tuple(
        dataclasses.replace(
            same[0],
            minimum=min(v.minimum for v in same),
            maximum=max(v.maximum for v in same),
        )
        for same in zip(*variables, strict=True)
    )


def _said(members: tuple[Network, ...], field_name: str) -> str:
    """What the members say in a field, each once."""
    return "; ".join(dict.fromkeys(filter(None, (getattr(m, field_name) for m in members))))
