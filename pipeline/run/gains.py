"""Finds the requested vicarious gains of a network in the table of the network's sensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config import NetworkChoice
from pipeline.config.science import GainMode
from pipeline.errors import ConfigError
from pipeline.facts.sensors import find_sensor
from pipeline.networks import Retrieval, Variable
from pipeline.networks.after import GAINS, Gains


@dataclass(frozen=True)
class GainFinder:
    """Finds the gains of one network of a run."""

    choice: NetworkChoice
    network: Retrieval
    sensor: str
    """Sensor of the scene."""
    tolerance_nm: float
    """Largest distance between a band of the network and a band with a known gain."""

    def of_outputs(self) -> Gains | None:
        """Return the gains for the network's outputs, or None if no gains are requested."""
        mode = self.choice.gains
        if mode == "none":
            return None
        if GAINS not in self.network.after:
            raise ConfigError(
                f"network {self.choice.name}: gains: {mode} is not possible: "
                f"{self.network.file_name} does not compute Rrs, or does not allow gains. "
                "Remove gains. For gains on the network's inputs, use input_gains."
            )
        return self._gains(mode, self.network.outputs)

    def of_inputs(self, takes_outputs: bool) -> Gains | None:
        """Return the gains for the network's inputs, or None if no gains are requested.

        Args:
            takes_outputs: whether the network takes outputs of an earlier step.
        """
        mode = self.choice.input_gains
        if mode == "none":
            return None
        if takes_outputs or {variable.quantity for variable in self.network.inputs} != {"Rrs"}:
            raise ConfigError(
                f"network {self.choice.name}: input_gains: {mode} is not possible: "
                f"{self.network.file_name} takes inputs other than Rrs of the scene. "
                "Remove input_gains."
            )
        return self._gains(mode, self.network.inputs)

    def _gains(self, mode: GainMode, variables: Sequence[Variable]) -> Gains:
        """Return the gains of the network's sensor at the wavelengths of these Rrs variables."""
        table = find_sensor(self._sensor()).ocsmart
        if table is None:
            raise ConfigError(f"no gains are known for {self._sensor()}. Set gains: none.")
        centres = [float(variable.wavelength_nm or np.nan) for variable in variables]
        known = table.lrc_bands_nm
        nearest = [self._nearest(known, nm) for nm in centres]
        return Gains(
            mode=mode,
            wavelengths_nm=tuple(centres),
            open_ocean=tuple(table.gain_open[index] for index in nearest),
            coastal=tuple(table.gain_coastal[index] for index in nearest),
            ratio=table.open_ocean_ratio,
            first_bands=table.open_ocean_bands,
        )

    def _sensor(self) -> str:
        """Return the scene's sensor if the network supports it, else the network's only sensor."""
        if self.sensor in self.network.sensors:
            return self.sensor
        if len(self.network.sensors) != 1:
            raise ConfigError(
                f"{self.network.file_name} supports "
                f"{', '.join(self.network.sensors) or 'no sensor that it names'}, but the "
                f"scene is from {self.sensor or 'an unknown sensor'}, so it is not clear which "
                "sensor's gains apply. Set gains: none."
            )
        return self.network.sensors[0]

    def _nearest(self, known: Sequence[float], nm: float) -> int:
        """Return the index of the nearest band to a wavelength, among bands with a known gain."""
        best = min(range(len(known)), key=lambda index: abs(known[index] - nm))
        if not abs(known[best] - nm) <= self.tolerance_nm:
            raise ConfigError(
                f"no gain is known for {nm:g} nm of {self.network.sensors[0]}; gains are known at "
                f"{', '.join(f'{centre:g}' for centre in known)} nm. Set gains: none."
            )
        return best
