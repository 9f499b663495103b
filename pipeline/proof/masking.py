"""Masks a product again. This needs neither the scene nor the networks, and computes nothing again.

The new product has the same bytes as a product that is computed with the mask. So it can be
verified and repeated like every product.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config import RunConfig
from pipeline.errors import DAMAGE, SceneError
from pipeline.masks.results import MASKED, ResultRule, make_result_rules, sources_of
from pipeline.product.checksums import count_values, without_fill
from pipeline.product.delivery import make_folder
from pipeline.product.global_attributes import id_of
from pipeline.product.provenance import key_of
from pipeline.product.reading import ProductFile
from pipeline.product.record import flag_counts, input_parameters
from pipeline.product.recorded import chunk_of, listed, recorded_configuration, shown
from pipeline.run.result_masks import mask_results
from pipeline.scene.quality import FIRST_MASK_BIT, QUALITY_FLAGS, FlagTable
from pipeline.scene.scene import GEOLOCATION
from pipeline.version import __version__
from pipeline.writers.chunks import encode_all
from pipeline.writers.group import Group
from pipeline.writers.netcdf import EncodedBlock, StorageLayout, encoders_of, write_product
from pipeline.writers.tally import Tally

CONTROL = "processing_control"


def mask_product(path: Path, name: str, where: str, target: Path) -> int:
    """Write a product without the results of the pixels where a condition is true or undecided.

    Args:
        path: the product.
        name: name of the new mask; its bit in ``quality_flags`` is called ``masked_<name>``.
        where: the condition, over the variables and flags of the product.
        target: the new file, which may be the product itself.

    Returns:
        The number of pixels that the new mask excludes.

    Raises:
        ConfigError: the condition is wrong, or the name is taken.
        SceneError: the product cannot be read, was changed, or is of another version.
        WriteError: the new product cannot be written; nothing is left behind.
    """
    with ProductFile(path) as product:
        config = recorded_configuration(product)
        _check_unchanged(product, config)
        try:
            masked = _Masked.of(product, config, name, where)
        except DAMAGE as error:
            raise _changed(product, "its record does not fit its variables") from error
        make_folder(target.parent)
        science = masked.config.science
        layout = StorageLayout(chunk_of(masked.config), science.output.compression_level)
        template = masked.template()
        blocks = masked.blocks(encoders_of(template, layout), layout.chunk)
        tally = write_product(template, target, layout, blocks, masked.record)
        return int(tally.flag_counts[QUALITY_FLAGS][-1])


def _check_unchanged(product: ProductFile, config: RunConfig) -> None:
    """Refuse a product whose numbers or record were changed; new checksums would hide that."""
    version = str(product.control.attributes["software_version"])
    if version != __version__:
        raise SceneError(
            f"{product.path.name}: version {shown(version)} made the product, but this is version "
            f"{__version__}. Mask it with that version, or make it again with this one."
        )
    found = count_values(product, chunk_of(config)).checksums
    recorded = product.control.groups["checksums"].attributes
    changed = [n for n in {*found, *recorded} if found.get(n) != recorded.get(n)]
    if changed:
        raise _changed(product, f"the checksums of {listed(sorted(changed))} are wrong")
    if _key(product, config) != product.control.attributes["key"]:
        raise _changed(product, "its record does not fit its key")


def _changed(product: ProductFile, problem: str) -> SceneError:
    return SceneError(
        f"{product.path.name} was changed after it was written: {problem}. Make it again, "
        "then mask it."
    )


def _key(product: ProductFile, config: RunConfig) -> str:
    networks = {name: group.attributes for name, group in product.networks.items()}
    return key_of(
        str(product.scene["sha256"]),
        str(product.scene.get("source_mapping", "")),
        {name: str(each["fingerprint"]) for name, each in networks.items()},
        {name: [str(each["gains"]), str(each["input_gains"])] for name, each in networks.items()},
        config.science_record(),
        __version__,
    )


@dataclass(frozen=True)
class _Masked:
    """A product and its new mask."""

    product: ProductFile
    config: RunConfig
    """The recorded configuration, with the new mask."""
    rule: ResultRule
    first: int
    """Number of masks that the product has already."""
    values: list[str]
    """Names of the variables with results."""
    flags: list[str]
    """Names of the variables with flags of networks."""

    @classmethod
    def of(cls, product: ProductFile, config: RunConfig, name: str, where: str) -> "_Masked":
        config = config.with_result_mask(name, where)
        networks = {n: group.attributes for n, group in product.networks.items()}
        values = [
            variable
            for each in networks.values()
            for key in ("variables", "uncertainties")
            for variable in str(each.get(key, "")).split(",")
            if variable
        ]
        places = [variable for variable in GEOLOCATION if variable in product.variables]
        tables = {
            variable: FlagTable.from_attributes(attributes, product.dtype_of(variable))
            for variable in product.variables
            if "flag_masks" in (attributes := product.attributes_of(variable))
        }
        others = [n.removeprefix(MASKED) for n in tables[QUALITY_FLAGS].names if MASKED in n]
        known = sources_of([*places, *values], tables, networks)
        (rule,) = make_result_rules(config.science.masks.results[-1:], known, others)
        flags = [f"{network}_flags" for network in networks]
        return cls(product, config, rule, len(others), values, flags)

    def template(self) -> xr.Dataset:
        """Return the variables of the new product with their attributes, but without values."""
        product = self.product
        variables = {
            name: xr.DataArray(
                np.broadcast_to(np.zeros((), product.dtype_of(name)), product.shape),
                dims=("y", "x"),
                attrs=self._attributes(name),
            )
            for name in product.variables
        }
        axes = {
            name: xr.DataArray(
                product.stored(name),
                dims=(name,) if name in ("y", "x") else (),
                attrs=product.attributes_of(name),
            )
            for name in product.axes
        }
        return xr.Dataset(variables).assign_coords(axes)

    def _attributes(self, name: str) -> dict[str, Any]:
        attributes = self.product.attributes_of(name)
        attributes.pop("_FillValue", None)
        if name == QUALITY_FLAGS:
            table = FlagTable.from_attributes(attributes, np.dtype(np.uint32))
            bit = 1 << (FIRST_MASK_BIT + self.first)
            names, masks = (*table.names, f"{MASKED}{self.rule.name}"), (*table.masks, bit)
            attributes |= replace(table, names=names, masks=masks).attributes()
        return attributes

    def blocks(self, encoders: Mapping[str, Any], chunk: tuple[int, int]) -> Iterator[EncodedBlock]:
        """Yield the chunks of the new product."""
        for region in self.product.blocks(chunk):
            arrays: dict[str, npt.NDArray[Any]] = {
                name: np.array(without_fill(self.product.stored(name, region)))
                for name in self.product.variables
            }
            mask_results(arrays, {}, [self.rule], self.first, self.values, self.flags)
            yield encode_all(encoders, arrays)

    def record(self, tally: Tally) -> Group:
        """Return the attributes and the record of the new product."""
        root, control = self.product.root, self.product.control
        key, old = _key(self.product, self.config), str(control.attributes["key"])
        names = [name for name in str(control.attributes["mask_names"]).split(",") if name]
        first, line_break, further = str(root.attributes["history"]).partition("\n")
        masks = control.groups.get("masks", Group())
        groups = {
            **control.groups,
            "input_parameters": input_parameters(self.config.science_record()),
            "masks": Group(
                {**masks.attributes, f"{MASKED}{self.rule.name}": self.rule.description}
            ),
            "flag_percentages": flag_counts(tally),
            "checksums": Group(tally.checksums),
        }
        attributes = {
            **control.attributes,
            "mask_names": ",".join([*names, self.rule.name]),
            "key": key,
        }
        history = f"{first.replace(f'key {old}', f'key {key}')}{line_break}{further}"
        return Group(
            attributes={**root.attributes, "id": id_of(key), "history": history},
            groups={**root.groups, CONTROL: Group(attributes, control.variables, groups)},
        )
