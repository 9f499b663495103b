"""The variables of a product before they have values: names, types and attributes."""

from typing import Any

import numpy as np
import xarray as xr

from pipeline.product.variable_attributes import describe_variables
from pipeline.run.plan import Plan
from pipeline.scene.quality import QUALITY_FLAGS


def passed_variables(selected: xr.Dataset, plan: Plan) -> dict[str, str]:
    """Return the copied variables: name in the product -> name in the scene."""
    return {name: layer for name, layer in plan.passed.items() if layer in selected}


def product_template(scene: xr.Dataset, plan: Plan) -> xr.Dataset:
    """Return all variables of the product with their attributes but without values."""
    selected = plan.select(scene)
    dtypes = {
        name: selected[layer].dtype for name, layer in passed_variables(selected, plan).items()
    }
    blank = {
        name: xr.DataArray(np.broadcast_to(np.zeros((), dtype), plan.shape), dims=("y", "x"))
        for name, dtype in (dtypes | computed_types(plan)).items()
    }
    return with_attributes(xr.Dataset(blank), selected, plan).assign_coords(plan.axes(scene))


def with_attributes(products: xr.Dataset, selected: xr.Dataset, plan: Plan) -> xr.Dataset:
    """Add the attributes of all variables; the scene's own flags keep their attributes."""
    for name, layer in passed_variables(selected, plan).items():
        products[name].attrs = dict(selected[layer].attrs)
    return describe_variables(products, plan)


def computed_types(plan: Plan) -> dict[str, Any]:
    """Return the data types of the variables that ``process_block`` computes."""
    dtypes: dict[str, Any] = {QUALITY_FLAGS: np.uint32}
    for step in plan.steps:
        dtypes |= dict.fromkeys(step.written, np.float32)
        if step.category is not None:
            dtypes[step.category[0]] = np.uint8
        dtypes[step.flags_name] = np.uint8
    return dtypes
