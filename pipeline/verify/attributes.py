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
from pipeline.verify.versions import is_of_other_version
from pipeline.writers.group import Group
from pipeline.writers.netcdf import fill_of, storable
from pipeline.writers.tally import Tally

# Groups of the record that depend on the machine or on the versions of libraries.
_NOT_COMPARED = ("software",)
# Attributes that give stored numbers their meaning. They are checked in products of every version.
_OF_NUMBERS = frozenset(
    ("units", "flag_masks", "flag_meanings", "flag_values", "_FillValue", "scale_factor",
     "add_offset", "valid_min", "valid_max", "grid_mapping")
)  # fmt: skip


def check_attributes(
    product: ProductFile,
    source: Path,
    held: HeldSource,
    scene: xr.Dataset,
    plan: Plan,
    tally: Tally,
) -> Iterator[Finding]:
    """Compare every attribute of the file and its variables with what this version writes.

    If only texts differ because of another version, this is a note.
    """
    created = datetime.datetime.fromisoformat(str(product.attributes["date_created"]))
    versions = {}
    if is_of_other_version(product):
        versions = {"version": product.version, "numbers_version": product.numbers_version}
    provenance = Provenance.of(source, held, scene.attrs, plan, created, **versions)
    about_words = [*_differences(product.root, record_of(provenance, tally), "")]
    about_numbers = [*_of_variables(product, product_template(scene, plan))]
    if versions:
        words = [text for name, text in about_numbers if name not in (*_OF_NUMBERS, "")]
        about_words += words
        problems = [text for name, text in about_numbers if name in (*_OF_NUMBERS, "")]
    else:
        problems, about_words = [*about_words, *(text for _, text in about_numbers)], []
    problem = f"differs from this version: {_first_of(problems)}" if problems else ""
    if about_words and not problem:
        text = "the words differ from those of this version, as they may after a change of version"
        yield Finding.note("attributes", f"{text}: {_first_of(about_words)}")
        return
    yield Finding.of("attributes", problem, "equal to what this version writes")


def _of_variables(product: ProductFile, expected: xr.Dataset) -> Iterator[tuple[str, str]]:
    """Yield each difference of a variable: the attribute (empty: the variable itself), a text."""
    for name, variable in {**expected.data_vars, **expected.coords}.items():
        if name not in (*product.variables, *product.axes):
            yield "", f"variable {name} is missing"
            continue
        wanted = dict(variable.attrs)
        if name in expected.data_vars and fill_of(variable) is not False:
            wanted["_FillValue"] = fill_of(variable)
        for attribute in _differing(product.attributes_of(str(name)), wanted):
            yield attribute, f"{name}: {attribute}"
        if name in expected.coords and not _same(product.stored(str(name)), variable.values):
            yield "", f"the values of {name}"
    known = {str(name) for name in expected.variables}
    for name in (*product.variables, *product.axes):
        if name not in known:
            yield "", f"variable {name} is unknown"


def _first_of(differences: list[str]) -> str:
    more = f" and {len(differences) - 5} more" if len(differences) > 5 else ""
    return f"{'; '.join(map(shown, differences[:5]))}{more}"


def _differences(found: Group, expected: Group, place: str) -> Iterator[str]:
    for name in _differing(found.attributes, expected.attributes):
        yield f"{place or 'global attributes'}: {name}"
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


def _differing(found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    wanted = storable(expected)
    return [
        name
        for name in sorted({*found, *wanted})
        if name not in found or name not in wanted or not _same(found[name], wanted[name])
    ]


def _same(found: Any, wanted: Any) -> bool:
    """Return whether two attributes are equal; a number equals an array with only this number."""
    first, second = np.ravel(found), np.ravel(wanted)
    is_float = first.dtype.kind == "f" and second.dtype.kind == "f"
    return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=is_float)
