"""What is done to a file: named, and the same for the same seed.

A mutation changes a file in place and says in words what it did.
"""

import random
from collections.abc import Callable
from pathlib import Path

from fuzz.mutations import attributes, bytewise, chunks, classic, folders, links, objects, tiff
from fuzz.outside import Outside

Mutation = Callable[[Path, random.Random, Outside], str]


def _untouched(path: Path, draw: random.Random, outside: Outside) -> str:
    """Nothing at all."""
    del path, draw, outside
    return "untouched"


WHOLE: dict[str, Mutation] = {"whole": _untouched}
"""To see that what is not damaged becomes a product."""


def named(*functions: Mutation) -> dict[str, Mutation]:
    return {function.__name__: function for function in functions}


_BYTES = named(
    bytewise.truncate,
    bytewise.truncate_end,
    bytewise.flip_anywhere,
    bytewise.flip_start,
    bytewise.flip_bit,
    bytewise.set_words,
    bytewise.zero_run,
    bytewise.random_run,
    bytewise.repeat_block,
    bytewise.remove_block,
    bytewise.swap_blocks,
)
_HDF5 = named(
    chunks.flip_chunk,
    chunks.other_chunk,
    chunks.deflate_bomb,
    chunks.nested_bomb,
    chunks.unknown_filter,
    chunks.other_filters,
    chunks.huge_chunk,
    chunks.unwritten,
    chunks.header_with_checksum,
    objects.retype,
    objects.reshape,
    objects.huge_variable,
    objects.huge_scene,
    objects.odd_values,
    objects.other_layout,
    objects.delete,
    objects.rename,
    objects.swap_names,
    objects.swap_kinds,
    objects.wavelengths,
    objects.dimensions,
    attributes.packing,
    attributes.sane_packing,
    attributes.flags,
    attributes.texts,
    attributes.any_attribute,
    attributes.sizes,
    links.soft_cycle,
    links.soft_dangling,
    links.soft_inside,
    links.hard_loop,
    links.soft_loop,
    links.deep,
    links.external_link,
    links.external_group,
    links.external_storage,
    links.virtual,
)
_TIFF = named(
    tiff.tag_value,
    tiff.tag_header,
    tiff.huge_raster,
    tiff.offsets,
    tiff.next_directory,
    tiff.flip_strip,
    tiff.metadata,
    tiff.nodata,
    tiff.packing,
    tiff.rewritten,
    tiff.odd_values,
    tiff.sidecar_metadata,
    tiff.sidecar_overview,
    tiff.sidecar_world,
    tiff.virtual_raster,
)
_FOLDER = named(
    folders.delete_member,
    folders.empty_member,
    folders.rename_member,
    folders.swap_members,
    folders.member_of_another_kind,
    folders.link_member,
)
_CLASSIC = named(classic.classic_header, classic.classic_dimension, classic.classic_packing)

MUTATIONS: dict[str, dict[str, Mutation]] = {
    "obpg_l2": _BYTES | _HDF5,
    "sgli_l2": _BYTES | _HDF5,
    "olci_wfr": _FOLDER | {n: folders.of_member(m) for n, m in (_BYTES | _HDF5).items()},
    "geotiff": _BYTES | _TIFF,
    "cf_netcdf": _BYTES | _HDF5 | _CLASSIC,
}
"""By format."""


def fits(mutation: str, *, is_classic: bool) -> bool:
    """Whether a file of classic netCDF, or another one, can be damaged so."""
    return mutation in _BYTES or (mutation in _CLASSIC) == is_classic
