"""The CF attributes of a product's variables."""

from itertools import zip_longest
from typing import Any

import numpy as np
import xarray as xr

from pipeline.facts.quantities import quantities
from pipeline.files.longest import cut
from pipeline.networks import Ensemble, Variable
from pipeline.run.plan import Plan
from pipeline.run.step import RetrievalStep
from pipeline.scene.quality import QUALITY_FLAGS, FlagTable
from pipeline.scene.scene import GEOLOCATION, SOURCE_FLAGS, SPATIAL_REF
from pipeline.scene.source_flags import SourceFlags

COORDINATES = "longitude latitude"
_THEMATIC = {"coverage_content_type": "thematicClassification"}
QUALITY_INFORMATION = {"coverage_content_type": "qualityInformation"}


def describe_variables(products: xr.Dataset, plan: Plan) -> xr.Dataset:
    """Put the variables in the order of the file and add their attributes."""
    ordered: dict[str, xr.DataArray] = {}
    for name in (name for name in GEOLOCATION if name in products):
        attributes = quantities()[name].attributes() | {"coverage_content_type": "coordinate"}
        ordered[name] = products[name].assign_attrs(attributes)
    for step in plan.steps:
        for name, attributes in zip(step.variables, _attributes_of_outputs(step), strict=False):
            ordered[name] = products[name].assign_attrs(attributes)
        for name, attributes in _attributes_of_uncertainties(step, plan).items():
            ordered[name] = products[name].assign_attrs(attributes)
        what = "product" if step.is_combined else "network"
        long_name = f"flags of {what} {step.name}, set where no mask rule applies"
        flags = _flags(long_name, step.flags)
        ordered[step.flags_name] = products[step.flags_name].assign_attrs(flags)
    long_name = "flags of the pixel; no network is applied where a bit named masked_ is set"
    flags = _flags(long_name, plan.pixel_flags)
    ordered[QUALITY_FLAGS] = products[QUALITY_FLAGS].assign_attrs(flags)
    for passed in (name for name in products.data_vars if name not in ordered):
        ordered[str(passed)] = _source_flags(products[passed])
    if plan.is_map:
        for name, variable in ordered.items():
            if name not in GEOLOCATION:
                ordered[name] = variable.assign_attrs(grid_mapping=SPATIAL_REF)
    return xr.Dataset(ordered)


def _attributes_of_outputs(step: RetrievalStep) -> list[dict[str, Any]]:
    """Return the attributes of each product variable of a step, in order."""
    if not step.retrieval.classes:
        numbers = step.retrieval.outputs[: len(step.numbers)]
        named = zip_longest(step.uncertainties, step.centres, fillvalue="")
        names = [" ".join(filter(None, pair)) for pair in named]
        names = names or [""] * len(numbers)
        attributes = [
            _output_attributes(variable, step, uncertainty)
            for variable, uncertainty in zip(numbers, names, strict=True)
        ]
        others = step.retrieval.outputs[len(numbers) :]
        return attributes + [_category(variable.long_name, step) for variable in others]
    quantity = step.retrieval.class_quantity
    likeliest = _category(f"most probable class: {quantity}", step)
    shared = _shared_attributes(step) | _THEMATIC
    probability = {"long_name": f"probability of the class in {quantity}", "units": "1", **shared}
    return [likeliest, probability]


def _category(long_name: str, step: RetrievalStep) -> dict[str, Any]:
    """Describe the variable of a step whose values are categories."""
    values = step.category[1].attributes() if step.category is not None else {}
    return {"long_name": long_name, **values, **_shared_attributes(step), **_THEMATIC}


def _attributes_of_uncertainties(step: RetrievalStep, plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the attributes of the uncertainty variables: name -> attributes."""
    as_factor = plan.config.science.uncertainty.written_as == "factor"
    attributes = {}
    for name, variable in zip(step.uncertainties, step.retrieval.outputs, strict=False):
        what, units = f"standard deviation of {variable.name}", variable.units
        if variable.spans_decades:
            what, units = f"standard deviation of log10({variable.name})", "1"
            what = f"ten to the {what}" if as_factor else what
        attributes[name] = {
            "long_name": f"uncertainty of {_long_name(variable)}: {what}",
            "units": units,
            **_shared_attributes(step),
            **QUALITY_INFORMATION,
            "comment": _made_of(step, plan),
        }
    for name, variable in zip(step.centres, step.retrieval.outputs, strict=False):
        attributes[name] = {
            "long_name": f"centre of the uncertainty interval of {_long_name(variable)}",
            "units": variable.units,
            **_shared_attributes(step),
            **QUALITY_INFORMATION,
            "comment": _about_centre(variable),
        }
    return attributes


def _about_centre(variable: Variable) -> str:
    """Return the comment that says how a centre and an uncertainty make an interval."""
    if variable.spans_decades:
        mean = "ten to the mean of log10 over the uncertain inputs"
        return f"{mean}; 68 % interval: centre * 10^-s to centre * 10^s, with s in decades"
    return "mean over the uncertain inputs; 68 % interval: centre - s to centre + s"


def _made_of(step: RetrievalStep, plan: Plan) -> str:
    """Return the comment that says which errors an uncertainty covers."""
    parts = []
    uncertainty = plan.uncertainty
    if uncertainty is not None and step in uncertainty.reached(plan.steps):
        how = uncertainty.method.replace("_", " ")
        parts.append(f"uncertainty of the inputs, propagated by {how}")
    if isinstance(step.retrieval, Ensemble):
        count, known = len(step.retrieval.members), step.retrieval.calibration is not None
        calibrated = "calibrated on what they did not see" if known else "not calibrated"
        if step.retrieval.calibration_used is not step.retrieval.calibration:
            calibrated += ", without the share of uncertain inputs"
        errors = len(step.retrieval.error_networks)
        estimated = f" and errors estimated by {errors} networks" if errors else ""
        parts.append(f"spread of {count} networks{estimated}, {calibrated}")
    return f"covers: {'; '.join(parts)} (processing_control)"


def _shared_attributes(step: RetrievalStep, own: str = "") -> dict[str, Any]:
    ancillary = (own, step.flags_name, *step.upstream, QUALITY_FLAGS)
    return {
        "coverage_content_type": "physicalMeasurement",
        "source": _source(step),
        "ancillary_variables": " ".join(filter(None, ancillary)),
        "coordinates": COORDINATES,
    }


def _source(step: RetrievalStep) -> str:
    made_by = step.retrieval.shape_text if step.is_combined else step.retrieval.file_name
    return f"{step.retrieval.kind} {made_by}"


def _output_attributes(variable: Variable, step: RetrievalStep, uncertainty: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {"long_name": _long_name(variable), "units": variable.units}
    if variable.standard_name:
        attributes["standard_name"] = variable.standard_name
    if variable.wavelength_nm is not None:
        # SNAP and other programs look for these names.
        attributes["radiation_wavelength"] = np.float32(variable.wavelength_nm)
        attributes["radiation_wavelength_unit"] = "nm"
    if step.gains is not None:
        attributes["comment"] = f"multiplied by vicarious gains ({step.gains.mode})"
    return attributes | _shared_attributes(step, uncertainty)


def _long_name(variable: Variable) -> str:
    name = cut(variable.long_name or variable.quantity)
    return name if variable.wavelength_nm is None else f"{name} at {variable.wavelength_nm:g} nm"


def _flags(long_name: str, table: FlagTable) -> dict[str, Any]:
    return {
        "long_name": long_name,
        "standard_name": "quality_flag",
        **QUALITY_INFORMATION,
        **table.attributes(),
        "coordinates": COORDINATES,
    }


def _source_flags(flags: xr.DataArray) -> xr.DataArray:
    """Describe the scene's own flags; names without a meaning (SPARE) are left out."""
    named = SourceFlags.from_attributes(flags.attrs, flags.dtype).named
    unsigned = np.array(list(named.values()), dtype=f"u{flags.dtype.itemsize}")
    described = flags.copy(deep=False)
    described.attrs = {
        "long_name": flags.attrs.get("long_name", SOURCE_FLAGS),
        "standard_name": "status_flag",
        **QUALITY_INFORMATION,
        "comment": "copied from the input scene",
        "flag_masks": unsigned.view(flags.dtype),
        "flag_meanings": " ".join(named),
        "coordinates": COORDINATES,
    }
    return described
