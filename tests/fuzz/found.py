"""Damaged files that once ended as they must not; each is tried again with the others.

Where the mutation itself is of structure, not of bytes, it is kept in words: a seed means nothing
any more when a mutation is changed, and then the words differ.
"""

from dataclasses import dataclass

from fuzz.trial import Mutant


@dataclass(frozen=True)
class Found:
    """A case, and how it should end."""

    mutant: Mutant
    was: str
    """What was wrong."""
    did: str | None = None
    """What is done to the file; None where it is bytes, which move with the library's versions."""
    ends: str = "scene"


def _found(case: str, was: str, did: str | None = None, ends: str = "scene") -> Found:
    reader, base, mutation, seed = case.split()
    return Found(Mutant(reader, base, mutation, int(seed)), was, did, ends)


FOUND = (
    _found(
        "obpg_l2 obpg_hico zero_run 6",
        "RuntimeError of the library in the middle of the scene: unexpected",
    ),
    _found(
        "obpg_l2 obpg_olci sane_packing 33",
        "text taken for a number",
        "geophysical_data/Rrs: scale_factor = np.float64(1e+30), _FillValue = '-24000'",
        ends="done",  # a text of numbers is numbers
    ),
    _found(
        "obpg_l2 obpg_olci packing 80",
        "text taken for a number",
        "navigation_data/latitude: scale_factor = '2e-6'",
        ends="done",
    ),
    _found(
        "obpg_l2 obpg_hico packing 20006",
        "the first of four numbers taken for both limits",
        "geophysical_data/Rrs: valid_range = array([[0., 0.],\n       [0., 0.]])",
    ),
    _found(
        "obpg_l2 obpg_control_points flags 20007",
        "an error without the file's name",
        "geophysical_data/l2_flags: flag_meanings = ''",
    ),
    _found(
        "obpg_l2 obpg_olci retype 20001",
        "a product without the flags",
        "geophysical_data/l2_flags as compound",
    ),
    _found(
        "obpg_l2 obpg_olci hard_loop 41",
        "a recursion that left h5py's lock taken: a later scene hung",
        "navigation_data holds /",
    ),
    _found(
        "obpg_l2 pace_oci external_link 44",
        "numbers of another file in the product",
        "geophysical_data/Rrs -> canary_of_PACE_OCI.20250305T160933.L2.OC_AOP.V3_1.nc",
    ),
    _found(
        "obpg_l2 obpg_olci external_group 45",
        "another file read",
        "sensor_band_parameters -> canary_of_S3A_OLCI_EFRNT.20250305T160933.L2.OC.nc",
    ),
    _found(
        "obpg_l2 obpg_control_points external_storage 94",
        "another file read",
        "navigation_data/latitude is in canary.raw",
    ),
    _found(
        "obpg_l2 obpg_control_points virtual 47",
        "numbers of another file in the product",
        "geophysical_data/Rrs_443 from canary_of_A2011253190500.L2_LAC_OC.nc",
    ),
    _found(
        "obpg_l2 obpg_hico huge_variable 1118",
        "4 TiB wanted to read two wavelengths",
        "sensor_band_parameters/wavelength_3d has shape (1099511627776,)",
    ),
    _found(
        "sgli_l2 sgli_every_pixel swap_blocks 10",
        "RuntimeError while the format was recognised: unexpected",
    ),
    _found(
        "sgli_l2 sgli repeat_block 56",
        "RuntimeError while the format was recognised: unexpected",
    ),
    _found(
        "sgli_l2 sgli retype 68",
        "TypeError in the middle of the scene: unexpected",
        "Image_data/QA_flag as compound",
    ),
    _found(
        "sgli_l2 sgli_undescribed retype 20005",
        "ValueError in the middle of the scene: unexpected",
        "Image_data/QA_flag as bytes",
    ),
    _found(
        "sgli_l2 sgli_undescribed retype 20008",
        "pairs of numbers taken for numbers",
        "Image_data/NWLR_443 as array",
    ),
    _found(
        "sgli_l2 sgli retype 20009",
        "flags that are no integers in the product as if they were",
        "Image_data/QA_flag as <f2",
    ),
    _found(
        "sgli_l2 sgli_every_pixel retype 20013",
        "complex numbers taken for degrees",
        "Geometry_data/Latitude as <c8",
    ),
    _found(
        "sgli_l2 sgli_every_pixel reshape 20007",
        "a product without the flags",
        "Image_data/QA_flag of one line: (21, 26) -> (1, 26)",
    ),
    _found(
        "sgli_l2 sgli_every_pixel reshape 20016",
        "ValueError in the middle of the scene: unexpected",
        "Geometry_data/Latitude with a dimension behind: (21, 26) -> (21, 26, 1)",
    ),
    _found(
        "sgli_l2 sgli_every_pixel sizes 20004",
        "the first of two intervals taken",
        "None: Resampling_interval = array([1., 2.])",
    ),
    _found(
        "sgli_l2 sgli sizes 20039",
        "tie points stretched far beyond the scene: wrong places",
        "None: Resampling_interval = 20",
    ),
    _found(
        "sgli_l2 sgli sizes 1129",
        "OverflowError: unexpected",
        "None: Number_of_pixels = np.float32(inf)",
    ),
    _found(
        "sgli_l2 sgli_every_pixel packing 20010",
        "an infinite offset taken for one",
        "Image_data/NWLR_412: Rrs_offset = np.float32(inf)",
    ),
    _found(
        "sgli_l2 sgli_every_pixel rename 75",
        "an error of two lines",
        "Image_data as 'a\\nb'",
    ),
    _found(
        "sgli_l2 sgli_every_pixel rename 20016",
        "an error that colours the terminal",
        "Geometry_data as '\\x1b[31mred'",
    ),
    _found(
        "cf_netcdf acolite_l2w soft_cycle 38",
        "RuntimeError while the format was recognised: unexpected",
        "Rrs_665 -> Rrs_665_2 -> Rrs_665",
    ),
    _found(
        "cf_netcdf acolite_l2w zero_run 57",
        "RuntimeError of the library in the middle of the scene: unexpected",
    ),
    _found(
        "cf_netcdf acolite_classic classic_dimension 49",
        "OSError while the format was recognised: unexpected",
        "x is 268435456",
    ),
    _found(
        "cf_netcdf acolite_l2w huge_scene 1023",
        "no end of planning 100 billion pixels",
        "100000 lines x 1000000 pixels",
    ),
    _found(
        "cf_netcdf polymer huge_scene 1071",
        "8 GiB wanted to open the file",
        "2147483648 lines x 2147483648 pixels",
    ),
    _found(
        "cf_netcdf acolite_l2r virtual 98",
        "another file read",
        "rhos_443 from canary_of_S2A_MSI_2023_06_15_10_36_29_T32UME_L2R.nc",
    ),
    _found(
        "cf_netcdf polymer retype 20013",
        "valid pixels missing: a fill value that the type cannot hold, wrapped around",
        "Rw560 as <u4",
        ends="scene",  # a band of integers has a scale
    ),
    _found(
        "cf_netcdf pace_l3m rename 20005",
        "an error of 5,400 characters",
        "Rrs as 'xxxxxxxxxxxxxxxxxxxx'",
    ),
    _found(
        "olci_wfr olci_wfr_float huge_scene 29",
        "bands of other shapes in one product",
        "Oa06_reflectance.nc: 100000 lines x 1000000 pixels",
    ),
    _found(
        "olci_wfr olci_wfr retype 1026",
        "truth values taken for missing numbers, all of them",
        "Oa09_reflectance.nc: Oa09_reflectance as ?",
    ),
    _found(
        "olci_wfr olci_wfr retype 20014",
        "valid pixels missing: a fill value that the type cannot hold, wrapped around",
        "Oa02_reflectance.nc: Oa02_reflectance as i1",
        ends="done",
    ),
    _found(
        "olci_wfr olci_wfr random_run 67",
        "RuntimeError of the library in the middle of the scene: unexpected",
    ),
    _found(
        "olci_wfr olci_wfr reshape 20002",
        "ValueError: unexpected",
        "Oa09_reflectance.nc: Oa09_reflectance a single number: (21, 26) -> (1,)",
    ),
    _found(
        "olci_wfr olci_wfr external_storage 52",
        "numbers of another file in the product",
        "Oa02_reflectance.nc: Oa02_reflectance is in canary.raw",
    ),
    _found(
        "olci_wfr olci_wfr_float external_group 51",
        "another file read",
        "geo_coordinates.nc: more -> canary_of_geo_coordinates.nc",
    ),
    _found(
        "geotiff geotiff packing 45",
        "an infinite scale taken for one",
        "scales (inf, -1e-05), offsets (0.0, 0.05)",
    ),
    _found(
        "geotiff geotiff_utm packing 1071",
        "a scale of zero taken for one",
        "scales (2e-06, 0.0), offsets (-1.0, -1.0)",
    ),
    _found(
        "geotiff geotiff_utm sidecar_metadata 48",
        "scale and place from a file beside it",
        "an .aux.xml beside it",
        ends="done",
    ),
    _found(
        "geotiff geotiff_utm sidecar_overview 75",
        "a file beside it read",
        "an .msk beside it",
        ends="done",
    ),
    _found(
        "geotiff geotiff metadata 43",
        "a tag taken for the scales of the bands",
        "gdal of band 1: '443'",
        ends="done",
    ),
    _found(
        "geotiff geotiff_utm huge_raster 1013",
        "16 GiB wanted to open the file",
        "2147483647 lines x 26 pixels, strips of None",
    ),
    _found(
        "geotiff geotiff_utm swap_blocks 36",
        "the file left open after an error",
    ),
)
