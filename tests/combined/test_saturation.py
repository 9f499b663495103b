"""One network where no band is saturated, another one elsewhere, and an index of what comes out.

Two small networks stand for those of a publication. The one with 14 bands is used where no rho_s is
above 1 or below -0.1, the one with 9 bands elsewhere; then comes the maximum chlorophyll index.
"""

import numpy as np
import pytest
import xarray as xr
import yaml

import pipeline

pytestmark = pytest.mark.quick

BANDS_14 = (412, 443, 490, 510, 531, 547, 560, 620, 665, 674, 681, 709, 754, 779)
BANDS_9 = BANDS_14[:9]
INDEX_BANDS = (681, 709, 754)
SLOPE = (709 - 681) / (754 - 681)


def plain(quantity, nm):
    """An input or output without transform and scaling."""
    named = {"quantity": quantity, "wavelength_nm": nm, "units": "1"}
    return named | {"transform": "none", "scaling": "none"}


def write_linear(folder, name, bands, kernel):
    """A linear network from rho_s to rho_w, in CSV tables."""
    np.savetxt(folder / f"{name}.csv", kernel, delimiter=",")
    np.savetxt(folder / f"{name}_bias.csv", np.zeros((1, kernel.shape[1])), delimiter=",")
    layer = {"kernel": f"{name}.csv", "bias": f"{name}_bias.csv", "activation": "linear"}
    described = {
        "schema": 1,
        "name": name,
        "sensors": ["OLCI"],
        "inputs": [plain("rho_s", nm) for nm in bands],
        "outputs": [plain("rho_w", nm) for nm in INDEX_BANDS],
        "layers": [layer],
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(described))
    settings = {"prefix": f"{name}_", "allow_other_sensor": True}
    return {"name": name, "file": str(path), **settings}


def test_fourteen_bands_or_nine_and_the_maximum_chlorophyll_index(tmp_path):
    """All of it is one run, and equals a computation by hand."""
    drawn = np.random.default_rng(8)
    cube = drawn.uniform(0.01, 0.3, (len(BANDS_14), 6, 10)).astype("f4")
    cube[11:13, 0, ::2] = 1.2
    cube[0, 1, ::3] = -0.2
    centres = {"wavelength": list(map(float, BANDS_14))}
    scene = xr.Dataset({"rho_s": (("wavelength", "y", "x"), cube, {"units": "1"})}, coords=centres)
    kernels = {
        "nn14": drawn.normal(0, 1, (len(BANDS_14), 3)),
        "nn9": drawn.normal(0, 1, (len(BANDS_9), 3)),
    }
    networks = [
        write_linear(tmp_path, name, BANDS_14[: len(kernel)], kernel)
        for name, kernel in kernels.items()
    ]
    usable = " and ".join(f"rho_s_{nm} <= 1 and rho_s_{nm} >= -0.1" for nm in BANDS_14)
    choose = {
        f"rho_{nm}": {
            "from": [f"nn14_rho_w_{nm}", f"nn9_rho_w_{nm}"],
            "where": {f"nn14_rho_w_{nm}": usable},
        }
        for nm in INDEX_BANDS
    }
    index = f"rho_709 - rho_681 - {SLOPE} * (rho_754 - rho_681)"
    derived = {"mci": {"expression": index, "units": "1"}}
    science = {"networks": networks, "choose": choose, "derived": derived, "engine": "numpy"}
    made = pipeline.apply(scene, {"name": "mci", "science": science})
    rows = cube.reshape(len(BANDS_14), -1).T.astype(float)
    is_usable = ((rows <= 1) & (rows >= -0.1)).all(axis=1)
    assert 0 < is_usable.sum() < len(rows)
    each = {name: rows[:, : len(kernel)] @ kernel for name, kernel in kernels.items()}
    rho = np.where(is_usable[:, np.newaxis], each["nn14"], each["nn9"])
    expected = rho[:, 1] - rho[:, 0] - SLOPE * (rho[:, 2] - rho[:, 0])
    np.testing.assert_allclose(made["mci"].values.ravel(), expected, rtol=1e-4, atol=1e-6)
    taken = np.where(is_usable, 1, 2)
    np.testing.assert_array_equal(made["rho_709_from"].values.ravel(), taken)
