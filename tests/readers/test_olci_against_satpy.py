"""OLCI water products: the reader of satpy, which shares nothing with this project, agrees."""

import warnings

import numpy as np
import pytest
from miniatures import olci_bands, olci_wfr
from miniatures.truth import image_of_coordinates

from pipeline.readers import open_scene

BANDS = (400.0, 412.5, 442.5, 490.0, 560.0, 673.75, 865.0)


def loaded_by_satpy(folder, names):
    """Datasets of a product folder, by their names in satpy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of satpy's own libraries
        from satpy import Scene

        scene = Scene(filenames=[str(path) for path in folder.glob("*.nc")], reader="olci_l2")
        scene.load(names)
        return {name: np.asarray(scene[name]) for name in names}


@pytest.mark.parametrize("packed", [True, False], ids=["uint16", "float32"])
@pytest.mark.parametrize("wqsf_layout", ["with_coastline", "without_coastline"])
def test_satpy_reads_the_same(tmp_path, packed, wqsf_layout):
    """Reflectance, latitude, longitude and flags of every pixel."""
    truth = image_of_coordinates(21, 26, BANDS, flags=("CLOUD", "WATER"))
    written = olci_wfr.write(tmp_path, truth, packed=packed, wqsf_layout=wqsf_layout)
    names = [f"Oa{olci_bands.index_of(nm):02d}" for nm in BANDS]
    theirs = loaded_by_satpy(written.path, [*names, "latitude", "longitude", "wqsf"])
    with open_scene(written.path) as scene:
        for nm, name in zip(BANDS, names, strict=True):
            ours = scene.Rrs.sel(Rrs_wavelength=nm).values * np.pi
            np.testing.assert_allclose(ours, theirs[name], rtol=2e-6, atol=2e-8)
        for name in ("latitude", "longitude"):
            np.testing.assert_allclose(scene[name].values, theirs[name], atol=1e-5)
        np.testing.assert_array_equal(
            scene.source_flags.values.astype(np.uint64), theirs["wqsf"].astype(np.uint64)
        )
