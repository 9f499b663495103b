"""Find the sensor of a netCDF file by the rules of the file's mapping."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import xarray as xr

from pipeline.facts.sensors import identify_sensor, sensors
from pipeline.readers.attributes import as_text
from pipeline.readers.mapping import SensorName

# The variable in whose attributes SNAP keeps the metadata of the source product.
METADATA = "metadata"


def sensor_of(
    attributes: Mapping[str, Any], variables: Mapping[str, xr.Variable], rules: Sequence[SensorName]
) -> str:
    """Return the sensor's name in the sensor tables, or an empty text if the sensor is unknown."""
    for rule in rules:
        for name in _named(rule, attributes, variables):
            if name in sensors():
                return name
    platform, instrument = (as_text(attributes.get(n, "")) for n in ("platform", "instrument"))
    return identify_sensor(platform, instrument)


def _named(
    rule: SensorName, attributes: Mapping[str, Any], variables: Mapping[str, xr.Variable]
) -> Iterator[str]:
    if rule.attribute is not None:
        text = as_text(attributes.get(rule.attribute, ""))
        yield rule.names.get(text, text)
        texts = [text]
    else:
        metadata = variables[METADATA].attrs if METADATA in variables else {}
        texts = [as_text(value) for value in (*attributes.values(), *metadata.values())]
    for pattern, name in rule.patterns.items():
        if any(re.search(pattern, text) for text in texts):
            yield name
    for pattern, name in rule.variables.items():
        if any(re.fullmatch(pattern, variable) for variable in variables):
            yield name
