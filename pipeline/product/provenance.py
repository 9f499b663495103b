"""Everything that the numbers of a product depend on, as one key and as plain data.

The numbers depend only on the bytes of the scene, the networks, the science part of the
configuration and the software versions. So products of two runs can be compared byte by byte.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import hash_of
from pipeline.files.identity import HeldSource
from pipeline.files.names import as_text
from pipeline.networks.after import Gains
from pipeline.networks.engines import resolve_engine
from pipeline.run.plan import Plan
from pipeline.version import NUMBERS_VERSION, __version__
from pipeline.writers.group import Group

# The attribute with the version of the numbers.
NUMBERS = "numbers_version"


@dataclass(frozen=True)
class Provenance:
    """The scene, the plan and the date of a product."""

    scene: Path
    held: HeldSource | None
    """The files of the scene, opened before they were read; None if nothing is written."""
    scene_sha256: str
    """SHA-256 of the scene file; empty if it is not known."""
    scene_attributes: Mapping[str, Any]
    plan: Plan
    created: datetime.datetime
    version: str = __version__
    """Version of the program that made the product; ``verify`` sets the recorded version."""
    numbers_version: int | None = NUMBERS_VERSION
    """Version of the numbers; None in products of versions that recorded none."""

    @classmethod
    def of(
        cls,
        source: Path,
        held: HeldSource,
        scene: Mapping[str, Any],
        plan: Plan,
        created: datetime.datetime,
        **versions: Any,
    ) -> "Provenance":
        """Hash the scene file of a run; ``scene`` has the attributes of the opened scene."""
        return cls(source, held, held.sha256(), dict(scene), plan, created, **versions)

    @property
    def scene_name(self) -> str:
        """Base name of the scene file, as text that a product can store."""
        return as_text(self.scene.name)

    @property
    def key(self) -> str:
        """Hash of everything that the numbers of the product depend on."""
        steps = self.plan.networks  # combined products are in the configuration
        return key_of(
            self.scene_sha256,
            str(self.scene_attributes.get("mapping", "")),
            {step.name: step.retrieval.fingerprint for step in steps},
            {
                step.name: [text_of_gains(step.gains), text_of_gains(step.input_gains)]
                for step in steps
            },
            self.configuration(),
            self.version,
        )

    def configuration(self) -> dict[str, Any]:
        """Return the science part of the configuration, with engine and sensor filled in."""
        record = self.plan.config.science_record()
        engines = {step.engine for step in self.plan.networks}
        wanted = resolve_engine(self.plan.config.science.engine)
        # In a run with networks and algorithms, the algorithms have another engine.
        record["science"]["engine"] = engines.pop() if len(engines) == 1 else wanted
        record["science"]["sensor"] = self.plan.sensor
        return record


def key_of_record(control: Group) -> str:
    """Return the key that follows from the record of a product of any version.

    ``control`` is the group ``processing_control``.
    """
    scene = control.groups["inputs"].groups["scene"].attributes
    networks = {name: group.attributes for name, group in control.groups["networks"].groups.items()}
    return key_of(
        str(scene["sha256"]),
        str(scene.get("source_mapping", "")),
        {name: str(recorded["fingerprint"]) for name, recorded in networks.items()},
        {
            name: [str(recorded["gains"]), str(recorded.get("input_gains", "none"))]
            for name, recorded in networks.items()
        },
        json.loads(control.groups["input_parameters"].attributes["configuration"]),
        str(control.attributes["software_version"]),
    )


def key_of(
    scene_sha256: str,
    mapping: str,
    networks: Mapping[str, str],
    gains: Mapping[str, list[str]],
    configuration: Mapping[str, Any],
    version: str,
) -> str:
    """Return the hash of everything that the numbers of a product depend on.

    Args:
        scene_sha256: SHA-256 of the scene file.
        mapping: the mapping by which the file was read.
        networks: fingerprint of each network.
        gains: the gains of each network as text: of its outputs, and of its inputs.
        configuration: the recorded configuration.
        version: the version of ocpipe that computed the numbers.
    """
    return hash_of(
        {
            "input": scene_sha256,
            "mapping": mapping,
            "networks": dict(networks),
            "gains": dict(gains),
            "configuration": configuration,
            "version": version,
        }
    )


def text_of_gains(gains: Gains | None) -> str:
    """Return the gains of a step as JSON, or ``none``."""
    if gains is None:
        return "none"
    used = {"open": gains.open_ocean, "coastal": gains.coastal}
    chosen = used if gains.mode == "ocsmart" else {gains.mode: used[gains.mode]}
    return json.dumps({"mode": gains.mode, **chosen}, sort_keys=True)
