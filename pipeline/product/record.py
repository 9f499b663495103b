"""The record of a product: its global attributes, and the group ``processing_control``."""

import functools
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from pipeline.files.longest import cut
from pipeline.masks import describe_rule
from pipeline.masks.results import MASKED
from pipeline.networks import Variable
from pipeline.networks.after import SCOPE, SCOPE_LIMIT
from pipeline.product.global_attributes import global_attributes
from pipeline.product.provenance import NUMBERS, Provenance, text_of_gains
from pipeline.run.plan import Plan
from pipeline.run.step import RetrievalStep
from pipeline.scene.window import Extent
from pipeline.version import SOFTWARE, __version__
from pipeline.writers.group import Group
from pipeline.writers.tally import Tally

_LIBRARIES = ("numpy", "xarray", "dask", "netCDF4", "h5py", "h5netcdf", "isal", "imagecodecs")
_ENGINE_LIBRARIES = {"tensorflow": ("tensorflow", "keras"), "onnxruntime": ("onnxruntime", "onnx")}


def record_of(provenance: Provenance, tally: Tally) -> Group:
    """Return the global attributes and the group ``processing_control`` of a finished product.

    Raises:
        ChangedError: the scene file was replaced or changed since it was opened.
    """
    if provenance.held is not None:
        provenance.held.check()
    return Group(
        attributes=global_attributes(provenance, tally),
        groups={"processing_control": _processing_control(provenance, tally)},
    )


def _processing_control(provenance: Provenance, tally: Tally) -> Group:
    configuration, plan = provenance.configuration(), provenance.plan
    return Group(
        attributes={
            "software_name": SOFTWARE,
            "software_version": provenance.version,
            **_numbers_version(provenance.numbers_version),
            "source": provenance.scene_name,
            "mask_names": ",".join(plan.mask_names),
            "key": provenance.key,
        },
        groups={
            "input_parameters": input_parameters(configuration),
            "inputs": Group(groups={"scene": Group(_scene(provenance))}),
            "masks": Group(
                {
                    **{f"{MASKED}{rule.name}": describe_rule(rule) for rule in plan.rules},
                    **{f"{MASKED}{rule.name}": rule.description for rule in plan.result_rules},
                }
            ),
            **_uncertainty(plan),
            "networks": Group(groups={step.name: _network(step) for step in plan.networks}),
            **_combined(plan),
            "software": Group(_software(plan)),
            "flag_percentages": flag_counts(tally),
            "checksums": Group(tally.checksums),
        },
    )


def input_parameters(configuration: Mapping[str, Any]) -> Group:
    """Return the group with a recorded configuration, key by key and as JSON."""
    return Group(_flat(configuration) | {"configuration": _json(configuration)})


def _numbers_version(number: int | None) -> dict[str, np.int64]:
    return {} if number is None else {NUMBERS: np.int64(number)}


def _scene(provenance: Provenance) -> dict[str, Any]:
    """Describe the scene file; the scene's attributes come last, and their values are unchanged."""
    scene = dict(provenance.scene_attributes)
    ours = {name: scene.pop(name) for name in ("reader", "sensor", "brdf_correction")}
    return {
        "file": provenance.scene_name,
        "sha256": provenance.scene_sha256,
        **ours,
        **_extent(provenance.plan.extent),
        **{f"source_{name}": value for name, value in scene.items()},
    }


def _uncertainty(plan: Plan) -> dict[str, Group]:
    """Describe the uncertain inputs; the result is empty if there are none."""
    uncertainty = plan.uncertainty
    if uncertainty is None:
        return {}
    return {
        "uncertainty": Group(
            {
                "method": uncertainty.method,
                "inputs": _json([each.describe() for each in uncertainty.inputs]),
                "correlation": _json(uncertainty.correlation.round(6).tolist()),
                "written_as": plan.config.science.uncertainty.written_as,
            }
        )
    }


def _combined(plan: Plan) -> dict[str, Group]:
    """Describe derived, chosen and blended products; the result is empty if there are none."""
    steps = [step for step in plan.steps if step.is_combined]
    described = {
        step.name: Group(
            {
                "kind": step.retrieval.kind,
                **step.retrieval.record,
                "inputs": _json(_matched(step)),
                "outputs": _json([_described(variable) for variable in step.retrieval.outputs]),
                "variables": ",".join(step.variables),
                "uncertainties": ",".join((*step.uncertainties, *step.centres)),
            }
        )
        for step in steps
    }
    return {"combined": Group(groups=described)} if described else {}


def _matched(step: RetrievalStep) -> list[dict[str, Any]]:
    return [
        _described(variable) | {"source": source.name}
        for variable, source in zip(step.retrieval.inputs, step.sources, strict=True)
    ]


def _network(step: RetrievalStep) -> Group:
    network = step.retrieval
    return Group(
        {
            "file": network.file_name,
            "sha256": network.sha256,
            "fingerprint": network.fingerprint,
            "name": network.name,
            "title": cut(network.title),
            "sensors": ",".join(network.sensors),
            "kind": network.kind,
            **network.record,
            "inputs": _json(_matched(step)),
            "outputs": _json([_described(variable) for variable in network.outputs]),
            "classes": ",".join(network.classes),
            "citation": cut(network.citation),
            "licence": cut(network.licence),
            "variables": ",".join(step.variables),
            "uncertainties": ",".join((*step.uncertainties, *step.centres)),
            "engine": step.engine,
            "gains": text_of_gains(step.gains),
            "input_gains": text_of_gains(step.input_gains),
            "scope_check": f"mean |reconstructed / given - 1| > {SCOPE_LIMIT:g}"
            if SCOPE in network.after
            else "none",
        }
    )


def _software(plan: Plan) -> dict[str, str]:
    engines = {step.engine for step in plan.networks}
    of_engines = (lib for e in sorted(engines) for lib in _ENGINE_LIBRARIES.get(e, ()))
    versions = {name: _version(name) for name in (*_LIBRARIES, *of_engines)}
    native = {
        "netcdf_c": netCDF4.__netcdf4libversion__,
        "hdf5": netCDF4.__hdf5libversion__,
        "machine": platform.machine(),  # float32 rounds differently on another architecture
    }
    return {SOFTWARE: __version__, "python": platform.python_version(), **versions, **native}


@functools.cache
def _version(library: str) -> str:
    return importlib.metadata.version(library)  # parses a file of the library


def _extent(extent: Extent) -> dict[str, np.int64]:
    """Describe the position of the product in the scene; lines and pixels are counted from 0."""
    names = ("scene_lines", "scene_pixels", "first_line", "first_pixel", "lines", "pixels")
    places = (*extent.scene_shape, extent.first_line, extent.first_pixel, *extent.shape)
    return {name: np.int64(place) for name, place in zip(names, places, strict=True)}


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


def flag_counts(tally: Tally) -> Group:
    """For each bit of each flag variable, return the number and the percentage of pixels."""
    variables: dict[str, tuple[str, npt.NDArray[Any], Mapping[str, Any]]] = {}
    for name, table in tally.flag_tables.items():
        counts = tally.flag_counts[name]
        percent = 100.0 * counts / tally.pixels
        for kind, values, what, units in (
            ("count", counts, "number", "1"),
            ("percent", percent, "share", "percent"),
        ):
            attributes = {
                "long_name": f"{what} of pixels with each bit of {name}",
                "units": units,
                # Not flag_meanings, because these are counts of flags and not flags.
                "flag_names": " ".join(table.names),
            }
            variables[f"{name}_{kind}"] = (f"{name}_bit", values, attributes)
    computed = {f"{name}_valid_count": count for name, count in tally.valid_counts.items()}
    return Group({"pixels": np.int64(tally.pixels), **computed}, variables)


def _json(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Make a record easy to read: join nested keys by underscores, and lists by commas."""
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
