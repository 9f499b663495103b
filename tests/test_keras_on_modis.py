"""A real Keras file on the real MODIS scene, against Keras itself."""

import netCDF4
import numpy as np
import pytest

import pipeline

BANDS = (412, 443, 469, 488, 531, 547, 555, 645, 667, 678, 748, 859, 869, 1240)
OUTPUTS = ("rho_meris_681", "rho_meris_708", "rho_meris_753")
FILE = "modisnn_lna_14_64_64_3.h5"


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "tensorflow"])
def test_every_pixel_agrees_with_keras(tmp_path, modis_scene, real_data, engine):
    """|difference| <= 1e-4 |value| + 1e-5 of the output's range on the scene."""
    import keras

    folder = real_data / "networks" / "keras"
    config = {
        "name": "mci",
        "science": {
            "networks": [{"name": "mci", "file": FILE}],
            "masks": {"flags": ["LAND"]},
            "engine": engine,
        },
        "execution": {"output": str(tmp_path), "network_dirs": [str(folder)]},
    }
    product = pipeline.process_scene(modis_scene, config)
    model = keras.models.load_model(folder / FILE, compile=False)
    with netCDF4.Dataset(modis_scene) as scene, netCDF4.Dataset(product) as file:
        rhos = np.stack([scene[f"geophysical_data/rhos_{nm}"][:].filled(np.nan) for nm in BANDS])
        land = (scene["geophysical_data/l2_flags"][:] & 2) != 0
        computed = np.isfinite(rhos).all(axis=0) & ~land
        expected = np.asarray(model.predict(rhos[:, computed].T, batch_size=4096, verbose=0))
        assert computed.sum() > 30_000
        for column, name in enumerate(OUTPUTS):
            found = file[name][:].filled(np.nan)
            np.testing.assert_array_equal(np.isfinite(found), computed)
            tolerance = 1e-4 * np.abs(expected[:, column]) + 1e-5 * np.ptp(expected[:, column])
            assert (np.abs(found[computed] - expected[:, column]) <= tolerance).all()
        assert file["mci_flags"].flag_meanings == "input_missing"
