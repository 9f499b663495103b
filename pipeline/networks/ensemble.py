"""Ensembles: several networks, used like one network that also states its uncertainty.

Outputs whose transform is a logarithm are averaged as log10, and all other outputs are averaged as
they are. For classifiers, the probabilities are averaged.
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
from pipeline.facts.quantities import band_name
from pipeline.files.contents import sha256_of_text
from pipeline.networks.description import Network
from pipeline.networks.retrieval import Retrieval
from pipeline.networks.variable import Array, Variable, in_decades, out_of_decades

# The largest number of networks, because each is evaluated on every pixel.
MOST_MEMBERS = 100


@dataclass(frozen=True)
class Calibration:
    """Calibration that turns the spread of the members into a standard deviation.

    The spread misses errors that all members share. The standard deviation of an output
    (or of its log10) is therefore ``sqrt((factor * spread)**2 + (floor * typical)**2)``. The
    typical error comes from error networks; without them, it is 1. Factor and floor are fitted to
    measurements that the members did not see.
    """

    factor: tuple[float, ...]
    """For each output, the factor by which the spread is multiplied."""
    floor: tuple[float, ...]
    """Smallest standard deviation of each output. With error networks, it is a factor of the
    typical error instead."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """For unseen rows and for test rows, the share with a measurement inside its interval."""
    without_inputs: "Calibration | None" = None
    """Calibration of the errors without the share that the uncertainty of the inputs causes. It is
    used if the uncertainty of the inputs is added. None if this share is not known."""

    def as_dict(self) -> dict[str, Any]:
        """Return the calibration as plain data; missing parts are left out."""
        found: dict[str, Any] = {
            "factor": self.factor,
            "floor": self.floor,
            "record": dict(self.record),
        }
        if self.without_inputs is not None:
            found["without_inputs"] = self.without_inputs.as_dict()
        return found

    @property
    def parts(self) -> tuple["Calibration", ...]:
        """This calibration and the one without the share of the inputs, if there is one."""
        return (self,) if self.without_inputs is None else (self, self.without_inputs)

    def __call__(
        self, spread: npt.NDArray[Any], typical: npt.NDArray[Any] | None = None
    ) -> npt.NDArray[Any]:
        """Return standard deviations (n, outputs), in the precision of the spread.

        Args:
            spread: standard deviation over the members, with shape (n, outputs).
            typical: typical errors by the error networks, with the same shape, if there are any.
        """
        factor, floor = (np.asarray(each, spread.dtype) for each in (self.factor, self.floor))
        return np.asarray(np.hypot(factor * spread, floor if typical is None else floor * typical))


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Ensemble(Retrieval):
    """Networks with the same inputs and outputs, used as one network.

    The training range of a variable is the widest one among the members.
    """

    members: tuple[Network, ...]
    calibration: Calibration | None
    training: dict[str, Any] = field(default_factory=dict)
    error_networks: tuple[Network, ...] = ()
    """Networks that estimate the size of the error of each output; see :func:`error_variable`."""
    inputs_apart: bool = False
    """True if a run adds the uncertainty of the inputs to the standard deviations. Then the
    standard deviations do not include the share of the inputs, if this share is known."""

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
        error_networks: tuple[Network, ...] = (),
    ) -> "Ensemble":
        """Return an ensemble; a missing citation or licence is taken from the members.

        Raises:
            NetworkError: members, error networks or the calibration do not fit together.
        """
        where = file_name or name
        _check_alike(members, where)
        first = members[0]
        outputs = _widest([member.outputs for member in members])
        if calibration is not None:
            _check_calibration(calibration, len(outputs), where)
        _check_error_networks(error_networks, first, where)
        return cls(
            name=name,
            title=title or name,
            members=members,
            inputs=_widest([member.inputs for member in members]),
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
            error_networks=error_networks,
        )

    @property
    def states_uncertainty(self) -> bool:
        """True for all ensembles except classifiers, which have no standard deviations."""
        return not self.classes

    @property
    def calibration_used(self) -> Calibration | None:
        """The calibration of the standard deviations, with or without the share of the inputs."""
        if self.calibration is None or not self.inputs_apart:
            return self.calibration
        return self.calibration.without_inputs or self.calibration

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that the ensemble's outputs depend on."""
        parts: list[Any] = [member.fingerprint for member in self.members]
        if self.calibration is not None:
            for each in self.calibration.parts:
                parts += [each.factor, each.floor]
        parts += [network.fingerprint for network in self.error_networks]
        return sha256_of_text(repr(parts))

    @property
    def shape_text(self) -> str:
        """The number of members and their sizes, such as ``5 x 7-32-16-1``."""
        shapes = list(dict.fromkeys(member.shape_text for member in self.members))
        return f"{len(self.members)} x {', '.join(shapes)}"

    @property
    def record(self) -> Mapping[str, str]:
        """The members, layers and calibration, which a product records."""
        activations = dict.fromkeys(member.record["activations"] for member in self.members)
        calibration = "none"
        if self.calibration is not None:
            calibration = json.dumps(self.calibration.as_dict(), sort_keys=True)
        record = {
            "layers": self.shape_text,
            "activations": "; ".join(activations),
            "members": _files_of(self.members),
            "calibration": calibration,
        }
        if self.error_networks:
            record["error_networks"] = _files_of(self.error_networks)
        return record

    def reference(self, x: npt.ArrayLike) -> Array:
        """Return the mean outputs in float64, shape (n, outputs), for inputs of shape (n, inputs).

        Inputs and outputs are in physical units.
        """
        return self.joined(member.reference(x) for member in self.members)[0]

    def predict_with_uncertainty(
        self, x: npt.ArrayLike, engine: str = "auto"
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return outputs and standard deviations, each with shape (n, outputs).

        The method has the same arguments as :meth:`predict`. If the transform of an output is a
        logarithm, the standard deviation of log10(output) is returned.
        """
        made, errors = (
            (network.predict(x, engine) for network in networks)
            for networks in (self.members, self.error_networks)
        )
        return self.joined(made, errors)

    def joined(
        self, made: Iterable[npt.NDArray[Any]], errors: Iterable[npt.NDArray[Any]] = ()
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return the mean of the members' outputs, and the standard deviations of the outputs.

        Standard deviations are calibrated if the ensemble has a calibration. If the transform of an
        output is a logarithm, the standard deviation of log10(output) is returned.

        Args:
            made: outputs (n, outputs) of each member in physical units, one member after the other.
            errors: outputs (n, outputs) of each error network, if standard deviations are needed.
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
            typical, calibration = _geometric_mean(errors), self.calibration_used
            if calibration is not None:
                deviation = calibration(spread, typical)
            else:
                deviation = spread if typical is None else np.hypot(spread, typical)
            return out_of_decades(outputs, mean), deviation


def error_variable(output: Variable) -> dict[str, Any]:
    """Return the description of an output of an error network: the typical error of an output.

    If the transform of the output is a logarithm, it is the typical error of log10(output).
    """
    of_what = f"log10({output.name})" if output.spans_decades else output.name
    return {
        "quantity": f"{output.quantity}_error",
        "wavelength_nm": output.wavelength_nm,
        "units": "1" if output.spans_decades else output.units,
        "transform_name": "log10",
        "long_name": f"typical error of {of_what}",
    }


def _geometric_mean(errors: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
    logs = [np.log10(each) for each in errors]
    return np.power(logs[0].dtype.type(10), np.mean(logs, axis=0)) if logs else None


def _files_of(networks: Iterable[Network]) -> str:
    return ",".join(f"{one.file_name} (sha256 {one.sha256})" for one in networks)


def _check_error_networks(networks: tuple[Network, ...], member: Network, where: str) -> None:
    if networks and member.classes:
        raise NetworkError(f"{where}: classes have no error networks. Remove error_networks.")
    if len(networks) > MOST_MEMBERS:
        raise NetworkError(
            f"{where}: {len(networks)} error networks, expected at most {MOST_MEMBERS}."
        )
    errors = [error_variable(output) for output in member.outputs]
    expected = {
        "inputs": [f"{v.name} ({v.units})" for v in member.inputs],
        "outputs": [
            f"{band_name(e['quantity'], e['wavelength_nm'])} ({e['units']}, log10)" for e in errors
        ],
    }
    for network in networks:
        found = {
            "inputs": [f"{v.name} ({v.units})" for v in network.inputs],
            "outputs": [f"{v.name} ({v.units}, {v.transform_name})" for v in network.outputs],
        }
        for what, names in expected.items():
            if found[what] != names:
                raise NetworkError(
                    f"{where}: {what} of the error network {network.file_name} are "
                    f"{', '.join(found[what])}, expected {', '.join(names)}."
                )


def _check_alike(members: tuple[Network, ...], where: str) -> None:
    if not 2 <= len(members) <= MOST_MEMBERS:
        raise NetworkError(
            f"{where}: the ensemble has {len(members)} networks, expected 2 to {MOST_MEMBERS}."
        )
    first = _what(members[0])
    for member in members[1:]:
        for what, expected in first.items():
            found = _what(member)[what]
            if found != expected:
                raise NetworkError(
                    f"{where}: {what} of {member.file_name} are {_listed(found)}, expected the "
                    f"same as in {members[0].file_name}: {_listed(expected)}. Combine networks "
                    "with the same inputs and outputs."
                )
    if not set.intersection(*(set(member.sensors) for member in members)):
        raise NetworkError(
            f"{where}: the networks have no sensor in common, expected at least one. "
            "Remove a network."
        )


def _what(network: Network) -> dict[str, tuple[Any, ...]]:
    """Return the properties that must be equal for all members."""
    found: dict[str, tuple[Any, ...]] = {
        what: tuple(f"{v.name} ({v.units}, {v.transform_name})" for v in variables)
        for what, variables in (("inputs", network.inputs), ("outputs", network.outputs))
    }
    return found | {"classes": network.classes, "steps that follow": network.after}


def _listed(found: tuple[Any, ...]) -> str:
    return ", ".join(map(str, found)) or "none"


def _check_calibration(calibration: Calibration, outputs: int, where: str) -> None:
    for part in calibration.parts:
        if not len(part.factor) == len(part.floor) == outputs:
            raise NetworkError(
                f"{where}: calibration has {len(part.factor)} factors and {len(part.floor)} "
                f"floors, expected {outputs} of each, one for every output."
            )
        numbers = (*part.factor, *part.floor)
        if not all(np.isfinite(number) and number >= 0 for number in numbers):
            raise NetworkError(
                f"{where}: calibration contains {min(numbers):g}, expected only finite numbers of "
                "0 or more."
            )


def _widest(variables: list[tuple[Variable, ...]]) -> tuple[Variable, ...]:
    """Return the variables, each with the widest training range among the members."""
    return tuple(
        dataclasses.replace(
            same[0],
            minimum=min(v.minimum for v in same),
            maximum=max(v.maximum for v in same),
        )
        for same in zip(*variables, strict=True)
    )


def _said(members: tuple[Network, ...], field_name: str) -> str:
    """Join the texts of all members in the field ``field_name``; keep a repeated text once."""
    return "; ".join(dict.fromkeys(filter(None, (getattr(m, field_name) for m in members))))
