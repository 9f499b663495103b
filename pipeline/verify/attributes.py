"""Compares the attributes of a product with the attributes that this version would write."""

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pipeline.files.identity import HeldSource
from pipeline.product.provenance import Provenance
from pipeline.product.reading import ProductFile
from pipeline.product.record import record_of
from pipeline.product.recorded import shown
from pipeline.product.template import product_template
from pipeline.run.plan import Plan
from pipeline.verify.finding import Finding
from pipeline.writers.group import Group
from pipeline.writers.netcdf import fill_of, storable
from pipeline.writers.tally import Tally

# Groups of the record that depend on the machine or on the versions of libraries.
_NOT_COMPARED = ("software",)


def check_attributes(
    product: ProductFile,
    source: Path,
    held: HeldSource,
    scene: xr.Dataset,
    plan: Plan,
    tally: Tally,
) -> Iterator[Finding]:
    """Compare every attribute of the file and its variables with what this version writes."""
    created = datetime.datetime.fromisoformat(str(product.attributes["date_created"]))
    provenance = Provenance.of(source, held, scene.attrs, plan, created)
    expected = product_template(scene, plan)
    differing = [*_differences(product.root, record_of(provenance, tally), "")]
    for name, variable in {**expected.data_vars, **expected.coords}.items():
        if name not in (*product.variables, *product.axes):
            differing.append(f"variable {name} is missing")
            continue
        wanted = dict(variable.attrs)
        if name in expected.data_vars and fill_of(variable) is not False:
            wanted["_FillValue"] = fill_of(variable)
        differing += _compared(product.attributes_of(str(name)), wanted, str(name))
        if name in expected.coords and not _same(product.stored(str(name)), variable.values):
            differing.append(f"the values of {name}")
    known = {str(name) for name in expected.variables}
    others = [*product.variables, *product.axes]
    differing += [f"variable {n} is unknown" for n in others if n not in known]
    more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
    first = "; ".join(map(shown, differing[:5]))
    problem = f"differs from this version: {first}{more}" if differing else ""
    yield Finding.of("attributes", problem, "equal to what this version writes")


def _differences(found: Group, expected: Group, place: str) -> Iterator[str]:
    yield from _compared(found.attributes, expected.attributes, place or "global attributes")
    for name in {*found.variables, *expected.variables}:
        stored, wanted = found.variables.get(name), expected.variables.get(name)
        if stored is None or wanted is None or not _same(stored[1], wanted[1]):
            yield f"{place}{name}"
    for name in sorted({*found.groups, *expected.groups}):
        if name in _NOT_COMPARED:
            continue
        if name not in found.groups or name not in expected.groups:
            yield f"group {place}{name}"
        else:
            yield from _differences(found.groups[name], expected.groups[name], f"{place}{name}/")


def _compared(found: Mapping[str, Any], expected: Mapping[str, Any], place: str) -> list[str]:
    wanted = storable(expected)
    return [
        f"{place}: {name}"
        for name in sorted({*found, *wanted})
        if name not in found or name not in wanted or not _same(found[name], wanted[name])
    ]


def _same(found: Any, wanted: Any) -> bool:
    """Return whether two attributes are equal; a number equals an array with only this number."""
    first, second = np.ravel(found), np.ravel(wanted)
    is_float = first.dtype.kind == "f" and second.dtype.kind == "f"
    return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=is_float)
