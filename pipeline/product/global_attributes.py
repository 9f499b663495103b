"""The global attributes of a product: title, summary, history, bounds and others (ACDD-1.3)."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.files.longest import cut
from pipeline.product.provenance import Provenance
from pipeline.run.plan import Plan
from pipeline.version import SOFTWARE
from pipeline.writers.tally import Tally

CONVENTIONS = "CF-1.11, ACDD-1.3"
STANDARD_NAMES = "CF Standard Name Table v93"
# Namespace of product ids (UUIDv5), made from the project's name.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:ocpipe:product")

# Global attributes of a scene that are true of its product as well.
_CARRIED = (
    "platform", "instrument", "time_coverage_start", "time_coverage_end", "startDirection",
    "endDirection", "day_night_flag", "orbit_number", "project",
)  # fmt: skip


def global_attributes(provenance: Provenance, tally: Tally | None) -> dict[str, Any]:
    """Return the global attributes of a product; without counts, it has no geospatial bounds."""
    plan, scene = provenance.plan, provenance.scene_attributes
    # Without the hash of the input, the key does not identify the product.
    key = provenance.key if provenance.scene_sha256 else ""
    name, config = provenance.scene_name, provenance.plan.config
    date = provenance.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    networks = ", ".join(step.retrieval.file_name for step in plan.networks)
    history = (
        f"{date} {SOFTWARE} {provenance.version}: {name} through {networks}, configuration "
        f"{config.name}{f', key {key}' if key else ''}"
    )
    if "history" in scene:
        history += f"\n{scene['history']}"
    title = config.title or f"Products of configuration {config.name}"
    carried = {each: scene[each] for each in _CARRIED if each in scene}
    return {
        "Conventions": CONVENTIONS,
        "title": title,
        "summary": f"{title}. Made from {name} ({plan.sensor or 'unknown sensor'}) by {SOFTWARE} "
        f"with {networks}. The flags of the pixel and of each network say what was computed and "
        "how far to trust it.",
        "keywords": _keywords(plan),
        "comment": _comment(plan),
        "references": cut("; ".join(_distinct(plan, "citation"))),
        "license": cut("; ".join(_distinct(plan, "licence"))),
        "product_version": provenance.version,
        "product_name": f"{Path(name).stem}.{config.name}.nc",
        **({"id": id_of(key)} if key else {}),
        "naming_authority": SOFTWARE,
        "history": history,
        "source": f"{name} (sha256 {provenance.scene_sha256})" if key else name,
        "processing_level": _level(scene),
        "processing_version": provenance.version,
        "cdm_data_type": "Grid" if plan.is_map else "Swath",
        "standard_name_vocabulary": STANDARD_NAMES,
        "date_created": date,
        **carried,
        "brdf_correction": scene["brdf_correction"],
        **config.science.metadata,
        **(_bounds(tally) if tally is not None else {}),
    }


def id_of(key: str) -> str:
    """Return the id of a product with a key."""
    return str(uuid.uuid5(_NAMESPACE, key))


def _comment(plan: Plan) -> str:
    kept = "A value outside the training range of its network is kept and flagged. "
    failed = "What a published algorithm cannot find is missing and flagged. "
    any_fails = any(step.retrieval.may_fail for step in plan.networks)
    every_fails = all(step.retrieval.may_fail for step in plan.networks)
    what = "algorithms" if every_fails else "networks"
    return (
        f"{'' if every_fails else kept}{failed if any_fails else ''}The {what}' licences and "
        "citations are in processing_control/networks."
    )


def _keywords(plan: Plan) -> str:
    long_names = {v.long_name for step in plan.steps for v in step.retrieval.outputs}
    kinds = dict.fromkeys(step.retrieval.kind for step in plan.steps)
    return cut(", ".join(["ocean colour", *kinds, *sorted(long_names - {""})]))


def _distinct(plan: Plan, field: str) -> list[str]:
    """Return the texts of all networks in the field ``field``, each text once, in run order."""
    said = [getattr(step.retrieval, field) or "not given" for step in plan.networks]
    return list(dict.fromkeys(said))


def _bounds(tally: Tally) -> dict[str, Any]:
    """Return the geospatial bounds; if they cross the antimeridian, west is larger than east."""
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
    """Return the product's processing level: level 3 if the input is level 3, else level 2."""
    return "L3" if str(scene.get("processing_level", "")).startswith(("L3", "Level-3")) else "L2"
