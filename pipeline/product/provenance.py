"""How a product came to be: what goes into the file so that it can be proved years later.

Everything here depends on the bytes of the input, the networks, the science part of the
configuration and the versions of the software alone, so that two runs can be compared byte by byte.
"""

import datetime
import importlib.metadata
import json
import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from pipeline.config import hash_of
from pipeline.errors import SceneError
from pipeline.machine.files import identity_of, sha256_of
from pipeline.masks import describe_rule
from pipeline.networks import Variable
from pipeline.networks.after import SCOPE, SCOPE_LIMIT, Gains
from pipeline.networks.engines import resolve_engine
from pipeline.run.plan import Plan
from pipeline.run.step import RetrievalStep
from pipeline.scene.window import Extent
from pipeline.version import __version__
from pipeline.writers.group import Group
from pipeline.writers.tally import Tally

SOFTWARE = "ocpipe"
CONVENTIONS = "CF-1.11, ACDD-1.3"
STANDARD_NAMES = "CF Standard Name Table v93"
# Namespace of the ids of products: UUIDv5 of the project's name in the DNS-free URL namespace.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:ocpipe:product")
_LIBRARIES = ("numpy", "xarray", "dask", "netCDF4", "h5py", "h5netcdf", "isal", "imagecodecs")
_ENGINE_LIBRARIES = {"tensorflow": ("tensorflow", "keras"), "onnxruntime": ("onnxruntime", "onnx")}

# Global attributes of a scene that describe its product just as well.
_CARRIED = (
    "platform",
    "instrument",
    "time_coverage_start",
    "time_coverage_end",
    "startDirection",
    "endDirection",
    "day_night_flag",
    "orbit_number",
    "project",
)


@dataclass(frozen=True)
class Provenance:
    """Where a product's numbers come from, complete once the pixels are counted."""

    scene: Path
    scene_identity: tuple[int, int]
    """Size and time of change (ns) when it was hashed."""
    scene_sha256: str
    scene_attributes: Mapping[str, Any]
    plan: Plan
    created: datetime.datetime

    @classmethod
    def of(
        cls,
        source: Path,
        scene_attributes: Mapping[str, Any],
        plan: Plan,
        created: datetime.datetime,
    ) -> "Provenance":
        """Of a run about to start; hashes the input file."""
        identity, sha256 = identity_of(source), sha256_of(source)
        return cls(source, identity, sha256, dict(scene_attributes), plan, created)

    @property
    def scene_name(self) -> str:
        """Base name of the input file."""
        return self.scene.name

    @property
    def key(self) -> str:
        """Hash of all that decides the product's numbers."""
        return hash_of(
            {
                "input": self.scene_sha256,
                "mapping": str(self.scene_attributes.get("mapping", "")),
                "networks": {step.name: step.retrieval.fingerprint for step in self.plan.steps},
                "gains": {
                    step.name: [_gains(step.gains), _gains(step.input_gains)]
                    for step in self.plan.steps
                },
                "configuration": self._resolved_configuration(),
                "version": __version__,
            }
        )

    def root(self, tally: Tally) -> Group:
        """The attributes of the file and the group ``processing_control``.

        Raises:
            SceneError: the input is not the file any more that was hashed.
        """
        if identity_of(self.scene) != self.scene_identity:
            raise SceneError(
                f"{self.scene_name}: the file changed while it was processed. Run it again when it "
                "is complete."
            )
        return Group(
            attributes=self._global_attributes() | _bounds(tally),
            groups={"processing_control": self._processing_control(tally)},
        )

    def _resolved_configuration(self) -> dict[str, Any]:
        record = self.plan.config.science_record()
        engines = {step.engine for step in self.plan.steps}
        wanted = resolve_engine(self.plan.config.science.engine)
        # An algorithm beside networks has an engine of its own.
        record["science"]["engine"] = engines.pop() if len(engines) == 1 else wanted
        record["science"]["sensor"] = self.plan.sensor
        return record

    def _global_attributes(self) -> dict[str, Any]:
        config, scene = self.plan.config, self.scene_attributes
        date = self.created.strftime("%Y-%m-%dT%H:%M:%SZ")
        networks = ", ".join(step.retrieval.file_name for step in self.plan.steps)
        history = (
            f"{date} {SOFTWARE} {__version__}: {self.scene_name} through {networks}, "
            f"configuration {config.name}, key {self.key}"
        )
        if "history" in scene:
            history += f"\n{scene['history']}"
        title = config.title or f"Products of configuration {config.name}"
        carried = {name: scene[name] for name in _CARRIED if name in scene}
        return {
            "Conventions": CONVENTIONS,
            "title": title,
            "summary": f"{title}. Made from {self.scene_name} "
            f"({self.plan.sensor or 'unknown sensor'}) by {SOFTWARE} with {networks}. The flags of "
            "the pixel and of each network say what was computed and how far to trust it.",
            "keywords": self._keywords(),
            "comment": self._comment(),
            "references": "; ".join(self._distinct("citation")),
            "license": "; ".join(self._distinct("licence")),
            "product_version": __version__,
            "product_name": f"{Path(self.scene_name).stem}.{config.name}.nc",
            "id": str(uuid.uuid5(_NAMESPACE, self.key)),
            "naming_authority": SOFTWARE,
            "history": history,
            "source": f"{self.scene_name} (sha256 {self.scene_sha256})",
            "processing_level": _level(scene),
            "processing_version": __version__,
            "cdm_data_type": "Grid" if self.plan.is_map else "Swath",
            "standard_name_vocabulary": STANDARD_NAMES,
            "date_created": date,
            **carried,
            "brdf_correction": scene["brdf_correction"],
            **config.science.metadata,
        }

    def _comment(self) -> str:
        kept = "A value outside the training range of its network is kept and flagged. "
        failed = "What a published algorithm cannot find is missing and flagged. "
        any_fails = any(step.retrieval.may_fail for step in self.plan.steps)
        every_fails = all(step.retrieval.may_fail for step in self.plan.steps)
        what = "algorithms" if every_fails else "networks"
        return (
            f"{'' if every_fails else kept}{failed if any_fails else ''}The {what}' licences and "
            "citations are in processing_control/networks."
        )

    def _keywords(self) -> str:
        long_names = {v.long_name for step in self.plan.steps for v in step.retrieval.outputs}
        kinds = dict.fromkeys(step.retrieval.kind for step in self.plan.steps)
        return ", ".join(["ocean colour", *kinds, *sorted(long_names - {""})])

    def _distinct(self, field: str) -> list[str]:
        """What the networks say in a field, each once, in the order of the run."""
        said = [getattr(step.retrieval, field) or "not given" for step in self.plan.steps]
        return list(dict.fromkeys(said))

    def _processing_control(self, tally: Tally) -> Group:
        configuration = self._resolved_configuration()
        return Group(
            attributes={
                "software_name": SOFTWARE,
                "software_version": __version__,
                "source": self.scene_name,
                "mask_names": ",".join(rule.name for rule in self.plan.rules),
                "key": self.key,
            },
            groups={
                "input_parameters": Group(
                    _flat(configuration) | {"configuration": _json(configuration)}
                ),
                "inputs": Group(groups={"scene": Group(self._input())}),
                "masks": Group(self._masks()),
                **self._uncertainty(),
                "networks": Group(
                    groups={step.name: self._network(step) for step in self.plan.steps}
                ),
                "software": Group(self._software()),
                "flag_percentages": _flag_counts(tally),
                "checksums": Group(tally.checksums),
            },
        )

    def _input(self) -> dict[str, Any]:
        """The input file; its own attributes follow, as they stand in it."""
        scene = dict(self.scene_attributes)
        ours = {name: scene.pop(name) for name in ("reader", "sensor", "brdf_correction")}
        return {
            "file": self.scene_name,
            "sha256": self.scene_sha256,
            **ours,
            **_extent(self.plan.extent),
            **{f"source_{name}": value for name, value in scene.items()},
        }

    def _masks(self) -> dict[str, str]:
        """Each rule with the layers of the scene it was applied to."""
        return {f"masked_{rule.name}": describe_rule(rule) for rule in self.plan.rules}

    def _uncertainty(self) -> dict[str, Group]:
        """What is not exact, if anything is."""
        uncertainty = self.plan.uncertainty
        if uncertainty is None:
            return {}
        return {
            "uncertainty": Group(
                {
                    "method": uncertainty.method,
                    "inputs": _json([each.describe() for each in uncertainty.inputs]),
                    "correlation": _json(uncertainty.correlation.round(6).tolist()),
                    "written_as": self.plan.config.science.uncertainty.written_as,
                }
            )
        }

    def _network(self, step: RetrievalStep) -> Group:
        network = step.retrieval
        matched = [
            _described(variable) | {"source": source.name}
            for variable, source in zip(network.inputs, step.sources, strict=True)
        ]
        return Group(
            {
                "file": network.file_name,
                "sha256": network.sha256,
                "fingerprint": network.fingerprint,
                "name": network.name,
                "title": network.title,
                "sensors": ",".join(network.sensors),
                "kind": network.kind,
                **network.record,
                "inputs": _json(matched),
                "outputs": _json([_described(variable) for variable in network.outputs]),
                "classes": ",".join(network.classes),
                "citation": network.citation,
                "licence": network.licence,
                "variables": ",".join(step.variables),
                "uncertainties": ",".join(step.uncertainties),
                "engine": step.engine,
                "gains": _gains(step.gains),
                "input_gains": _gains(step.input_gains),
                "scope_check": f"mean |reconstructed / given - 1| > {SCOPE_LIMIT:g}"
                if SCOPE in network.after
                else "none",
            }
        )

    def _software(self) -> dict[str, str]:
        engines = {step.engine for step in self.plan.steps}
        names = [
            *_LIBRARIES,
            *(lib for e in sorted(engines) for lib in _ENGINE_LIBRARIES.get(e, ())),
        ]
        versions = {name: importlib.metadata.version(name) for name in names}
        native = {
            "netcdf_c": netCDF4.__netcdf4libversion__,
            "hdf5": netCDF4.__hdf5libversion__,
            "machine": platform.machine(),  # float32 rounds differently on another architecture
        }
        return {SOFTWARE: __version__, "python": platform.python_version(), **versions, **native}


def _extent(extent: Extent) -> dict[str, Any]:
    """Where the product lies in the scene; lines and pixels are counted from 0."""
    return {
        "scene_lines": np.int64(extent.scene_shape[0]),
        "scene_pixels": np.int64(extent.scene_shape[1]),
        "first_line": np.int64(extent.first_line),
        "first_pixel": np.int64(extent.first_pixel),
        "lines": np.int64(extent.shape[0]),
        "pixels": np.int64(extent.shape[1]),
    }


def _gains(gains: Gains | None) -> str:
    if gains is None:
        return "none"
    used = {"open": gains.open_ocean, "coastal": gains.coastal}
    chosen = used if gains.mode == "ocsmart" else {gains.mode: used[gains.mode]}
    return _json({"mode": gains.mode, **chosen})


def _described(variable: Variable) -> dict[str, Any]:
    low, high = variable.physical_range
    return {
        "name": variable.name,
        "wavelength_nm": variable.wavelength_nm,
        "units": variable.units,
        "transform": variable.transform_name,
        "scaling": variable.scaling_name,
        "range": [low, high] if np.isfinite([low, high]).all() else None,
    }


def _flag_counts(tally: Tally) -> Group:
    """Pixel count and percentage of every bit of every flag variable."""
    variables: dict[str, tuple[str, npt.NDArray[Any], Mapping[str, Any]]] = {}
    for name, table in tally.flag_tables.items():
        counts = tally.flag_counts[name]
        # Not flag_meanings: these are counts of flags, not flags.
        meanings = {"flag_names": " ".join(table.names)}
        variables[f"{name}_count"] = (
            f"{name}_bit",
            counts,
            {"long_name": f"number of pixels with each bit of {name}", "units": "1", **meanings},
        )
        variables[f"{name}_percent"] = (
            f"{name}_bit",
            100.0 * counts / tally.pixels,
            {
                "long_name": f"share of pixels with each bit of {name}",
                "units": "percent",
                **meanings,
            },
        )
    computed = {f"{name}_valid_count": count for name, count in tally.valid_counts.items()}
    return Group({"pixels": np.int64(tally.pixels), **computed}, variables)


def _bounds(tally: Tally) -> dict[str, Any]:
    """ACDD's geospatial bounds; over the antimeridian the western bound is the larger one."""
    latitude, longitude = tally.range_of("latitude"), tally.longitude_range()
    if latitude is None or longitude is None:
        return {}
    return {
        "geospatial_lat_min": latitude[0],
        "geospatial_lat_max": latitude[1],
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_min": longitude[0],
        "geospatial_lon_max": longitude[1],
        "geospatial_lon_units": "degrees_east",
    }


def _level(scene: Mapping[str, Any]) -> str:
    """That of the input: averages stay averages."""
    return "L3" if str(scene.get("processing_level", "")).startswith(("L3", "Level-3")) else "L2"


def _json(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by underscores, for people who read attributes; lists as commas."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}_")
        elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
            for entry in value:
                flat |= _flat(entry, f"{name}_{entry.get('name', '')}_")
        elif isinstance(value, list):
            flat[name] = ",".join(str(entry) for entry in value)
        else:
            flat[name] = "" if value is None else str(value)
    return flat
