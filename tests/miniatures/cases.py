"""Every format: what writes its miniature, and how it is opened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from miniatures import (
    acolite_l2r,
    acolite_l2w,
    c2rcc,
    geotiff,
    obpg_control_points,
    obpg_l2_3d,
    occci_l3,
    olci_wfr,
    pace_l2_flat,
    pace_l3m,
    polymer,
    sgli_nwlr,
)
from miniatures.truth import Written, image_of_coordinates, map_of_coordinates
from pipeline.config import ReaderChoice

LINES, PIXELS = 21, 26
CHUNK = (8, 10)


@dataclass(frozen=True)
class Case:
    """A format, what writes it, and how it is opened."""

    reader: str
    write: Callable[..., Any]
    bands: tuple[float, ...]
    flags: tuple[str, ...] = ()
    is_map: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    reader_options: dict[str, Any] = field(default_factory=dict)
    sensor: str = ""
    named_as: dict[float, float] = field(default_factory=dict)
    tolerance: float = 1e-9

    def written(self, folder: Path, **changes: Any) -> Written:
        """The miniature; changes are for the truth."""
        make = map_of_coordinates if self.is_map else image_of_coordinates
        truth = make(LINES, PIXELS, self.bands, flags=self.flags, **changes)
        chunk = {} if self.reader == "geotiff" else {"chunk": CHUNK}
        return self.write(folder, truth, **chunk, **self.options)

    @property
    def choice(self) -> ReaderChoice:
        """How the reader is asked for."""
        if self.reader_options:
            return ReaderChoice(format=self.reader, options=self.reader_options)
        return ReaderChoice()


OLCI_BANDS = (412.5, 442.5, 560.0, 673.75)
CASES = {
    "sgli": Case(
        "sgli_l2",
        sgli_nwlr.write,
        (380, 412, 443, 490, 530, 565, 670),
        ("LAND", "CLDICE"),
        options={"interval": 5},
        sensor="SGLI",
        named_as={670: 672},
    ),
    "sgli_every_pixel": Case(
        "sgli_l2", sgli_nwlr.write, (412, 443), ("LAND",), options={"interval": 1}, sensor="SGLI"
    ),
    "sgli_undescribed": Case(
        "sgli_l2",
        sgli_nwlr.write,
        (412, 443),
        ("LAND", "STRAYLIGHT"),
        options={"qa_layout": "undescribed"},
        reader_options={"qa_layout": "nwlr"},
        sensor="SGLI",
    ),
    "pace_oci": Case(
        "obpg_l2", obpg_l2_3d.write, (346, 380, 443, 719), ("LAND", "CLDICE"), sensor="OCI"
    ),
    "obpg_olci": Case(
        "obpg_l2",
        obpg_l2_3d.write,
        (412, 443),
        ("LAND",),
        options={"platform": "Sentinel-3A", "instrument": "OLCI", "dimensions_at_root": True},
        sensor="OLCI",
    ),
    "obpg_hico": Case(
        "obpg_l2",
        obpg_l2_3d.write,
        (438, 444),
        ("LAND",),
        options={"platform": "ISS", "instrument": "HICO"},
        sensor="HICO",
    ),
    "obpg_control_points": Case(
        "obpg_l2", obpg_control_points.write, (412, 443), ("LAND",), sensor="MODIS-Aqua"
    ),
    "olci_wfr": Case("olci_wfr", olci_wfr.write, OLCI_BANDS, ("CLOUD", "WATER"), sensor="OLCI"),
    "olci_wfr_float": Case(
        "olci_wfr",
        olci_wfr.write,
        OLCI_BANDS,
        ("CLOUD",),
        options={"packed": False, "wqsf_layout": "without_coastline"},
        sensor="OLCI",
    ),
    "c2rcc": Case(
        "cf_netcdf", c2rcc.write, (400.0, 442.5, 1020.0), ("Valid_PE", "Rtosa_OOS"), sensor="OLCI"
    ),
    "polymer": Case(
        "cf_netcdf", polymer.write, (412, 443, 560), ("LAND", "CLOUD_BASE"), sensor="OLCI"
    ),
    "acolite_l2w": Case("cf_netcdf", acolite_l2w.write, (443, 560, 665), ("SWIR",), sensor="S2A"),
    "acolite_l2r": Case("cf_netcdf", acolite_l2r.write, (443, 560, 665), sensor="S2A"),
    "occci_l3": Case("cf_netcdf", occci_l3.write, (412, 443, 560), is_map=True, sensor="MERIS"),
    "pace_l2_flat": Case(
        "cf_netcdf", pace_l2_flat.write, (346, 443), ("LAND", "CLDICE"), sensor="OCI"
    ),
    "pace_l3m": Case("cf_netcdf", pace_l3m.write, (346, 443), is_map=True, sensor="OCI"),
    "geotiff": Case(
        "geotiff",
        geotiff.write,
        (443, 560),
        reader_options={"units": "sr-1", "sensor": "S2A"},
        sensor="S2A",
        is_map=True,
    ),
    "geotiff_utm": Case(
        "geotiff",
        geotiff.write,
        (443, 560),
        options={"crs": geotiff.UTM, "dtype": "int16", "described": False},
        reader_options={"units": "sr-1", "wavelengths": [443, 560]},
        is_map=True,
    ),
}
