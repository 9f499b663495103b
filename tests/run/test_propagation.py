"""Uncertainty of inputs through networks, against draws and against other formulas."""

import json
from pathlib import Path

import netCDF4
import numpy as np
import oracle
import pytest
from small_network import write_network

import pipeline
from pipeline.config import load_config
from pipeline.errors import ConfigError, SceneError
from pipeline.networks import load_network
from pipeline.networks.engines import example_inputs
from pipeline.networks.jacobian import jacobian
from pipeline.networks.sigma_points import moved_value, sigma_points
from pipeline.process import plan_scene
from pipeline.run.propagation import propagate
from pipeline.run.uncertainty import InputUncertainty
from pipeline.simulation.simulation import simulate_samples

DRAWS, SPECTRA = 5_000, 100
IOPS = ("aph", "adg")  # the most curved ones


def settings(networks, folder: Path, **uncertainty):
    chosen = [
        {"name": name, "file": str(file), "allow_other_sensor": True}
        for name, file in networks.items()
    ]
    return {
        "name": "unc",
        "science": {"networks": chosen, "engine": "onnxruntime", "uncertainty": uncertainty},
        "execution": {"output": str(folder), "threads": 1},
    }


def modis_networks(ocsmart):
    return {name: ocsmart / f"MODIS-Aqua_{name}NN.h5" for name in IOPS}


@pytest.fixture(scope="module")
def spectra(modis_scene, ocsmart):
    """Positive spectra (n, bands) of the lake, decoded here, in the order of the networks."""
    with netCDF4.Dataset(modis_scene) as file:
        data = file["geophysical_data"]
        names = [f"Rrs_{nm}" for nm in (412, 443, 488, 531, 547, 667, 678, 748)]
        rrs = np.stack([np.ma.filled(data[name][...].astype(float), np.nan) for name in names], -1)
        is_land = (data["l2_flags"][...] & 2) != 0
    rows = rrs[(rrs > 0).all(axis=-1) & ~is_land]
    return rows[np.random.default_rng(7).choice(len(rows), SPECTRA, replace=False)]


def propagated(scene, networks, folder, rows, **uncertainty):
    """Moments (n, outputs) of each network on spectra given as rows."""
    plan = plan_scene(scene, settings(networks, folder, **uncertainty))
    made = np.empty((len(plan.layer_names), len(rows)), dtype=np.float32).T
    made[:, : rows.shape[1]] = rows
    for step in plan.steps:
        made[:, step.output_columns] = step.retrieval.predict(rows, "onnxruntime")
    stated = uncertainty["inputs"]["Rrs"]
    deviations = np.hypot(stated.get("relative", 0) * rows, stated.get("constant", 0))
    return propagate(plan.uncertainty, plan.steps, made, deviations.T.astype(np.float32))


def compared(network, rows, deviations, found):
    """Relative deviation from the draws' standard deviation, and share of draws in the interval."""
    drawn = np.random.default_rng(3)
    away, held = [], []
    for row, deviation, sigma, centre in zip(rows, deviations, *found, strict=True):
        x = row + deviation * drawn.standard_normal((DRAWS, len(row)))
        x = x[(x > 0).all(axis=1)]  # what a run would compute
        with np.errstate(all="ignore"):
            y = np.log10(network.predict(x, "onnxruntime"))
        away.append(np.abs(sigma / y.std(axis=0) - 1))
        held.append((np.abs(y - centre) <= sigma).mean(axis=0))
    return np.array(away), np.array(held)


@pytest.mark.parametrize("stated", [{"relative": 0.05}, {"constant": 1e-4}])
def test_sigma_points_equal_draws(stated, spectra, modis_scene, ocsmart, tmp_path):
    """Real spectra: median deviation at most 10 %, 90th percentile 35 %, 65-72 % of draws held."""
    networks = modis_networks(ocsmart)
    found = propagated(modis_scene, networks, tmp_path, spectra, inputs={"Rrs": stated})
    deviations = np.hypot(stated.get("relative", 0) * spectra, stated.get("constant", 0))
    for name, file in networks.items():
        away, held = compared(load_network(file), spectra, deviations, found[name])
        assert np.median(away) <= 0.10
        assert np.percentile(away, 90) <= 0.35
        assert 0.65 <= held.mean() <= 0.72


def test_points_have_the_moments_they_stand_for():
    """Mean zero and the covariance asked for, whatever the number of inputs; none far away."""
    for size in (1, 2, 7, 8, 30):
        drawn = np.random.default_rng(size).normal(size=(size, 3 * size))
        covariance = drawn @ drawn.T
        scale = 1 / np.sqrt(np.diag(covariance))
        correlation = covariance * np.outer(scale, scale)
        points = np.array(list(sigma_points(np.linalg.cholesky(correlation))))
        assert points.shape == (2 * size, size)
        np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(points.T @ points / (2 * size), correlation, atol=1e-9)
        independent = np.array(list(sigma_points(np.eye(size))))
        assert np.abs(independent).max() <= np.sqrt(2) + 1e-9


@pytest.mark.parametrize("ratio", [0.2, 1.0, 3.0, 50.0])
def test_quantiles_of_what_is_positive(ratio):
    """The same share of draws lies below the moved value as below z in a normal distribution."""
    deviation = np.float32(1e-4)
    value = np.array([ratio * deviation], dtype=np.float32)
    draws = np.random.default_rng(1).normal(float(value[0]), deviation, 2_000_000)
    draws = draws[draws > 0]
    for z, share in ((-2.0, 0.02275), (-1.0, 0.15866), (0.5, 0.69146), (1.414, 0.92132)):
        moved = moved_value(value, np.array([deviation]), z, is_positive=True)
        assert (draws < moved[0]).mean() == pytest.approx(share, abs=2e-3)
        assert moved[0] > 0
        plain = moved_value(value, np.array([deviation]), z, is_positive=False)
        assert plain[0] == pytest.approx(value[0] + z * deviation, rel=1e-6)


def test_a_linear_network_is_exact(sample_scene, tmp_path):
    """Both methods give sqrt(k' C k), with correlation between bands."""
    kernel = np.array([[2.0], [-1.0], [0.5]])
    network = write_network(
        tmp_path / "linear.h5", kernels=[kernel], biases=[np.zeros(1)],
        norm_in=np.tile([0.0, 1.0], (3, 1)), norm_out=np.array([[0.0, 1.0]]),
        transform="none", output_transform="none", outputs=("aph",),
    )  # fmt: skip
    correlation = np.array([[1, 0.6, 0.2], [0.6, 1, 0.5], [0.2, 0.5, 1]])
    rows = np.array([[0.01, 0.02, 0.03], [0.001, 0.002, 0.1]])
    covariance = correlation * 1e-3**2
    expected = np.sqrt((kernel.T @ covariance @ kernel).item())
    for method in ("sigma_points", "jacobian"):
        found = propagated(
            sample_scene, {"iop": network}, tmp_path, rows,
            inputs={"Rrs": {"constant": 1e-3}}, method=method,
            correlation={"wavelengths_nm": [412, 443, 488], "matrix": correlation.tolist()},
        )  # fmt: skip
        np.testing.assert_allclose(found["iop"].deviation, expected, rtol=1e-4)


def test_jacobian_equals_differences(ocsmart):
    """Of networks with angles and without; central differences of the independent forward pass."""
    for name in ("SGLI_aphNN.h5", "SGLI_Lrc_rrsNN.h5"):
        network = load_network(ocsmart / name)
        x = example_inputs(network, 20)
        found = jacobian(network, x)
        for column in range(x.shape[1]):
            step = np.zeros_like(x)
            step[:, column] = 1e-5 * np.abs(x[:, column])
            above, below = (
                np.log10(oracle.forward(ocsmart / name, moved)) for moved in (x + step, x - step)
            )
            expected = (above - below) / (2 * step[:, column, np.newaxis])
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found[:, :, column], expected, atol=1e-6 * scale)


def test_both_methods_agree_where_noise_is_small(spectra, modis_scene, ocsmart, tmp_path):
    """In the limit of small errors a network is linear, whatever the correlation."""
    for correlation in (None, {"length_nm": 60.0}, {"equal": 0.9}):
        by_method = [
            propagated(
                modis_scene, {"aph": ocsmart / "MODIS-Aqua_aphNN.h5"}, tmp_path, spectra[:50],
                inputs={"Rrs": {"relative": 0.002}}, method=method, correlation=correlation,
            )["aph"].deviation
            for method in ("sigma_points", "jacobian")
        ]  # fmt: skip
        ratio = by_method[0] / by_method[1]
        assert np.median(np.abs(ratio - 1)) < 0.01


def test_a_run_writes_what_it_propagated(modis_scene, ocsmart, tmp_path):
    """Variables, attributes, provenance; as a factor; missing where the value is missing."""
    networks = {"aph": ocsmart / "MODIS-Aqua_aphNN.h5"}
    products = {}
    for written in ("log10", "factor"):
        run = settings(networks, tmp_path / written, inputs={"Rrs": {"relative": 0.05}},
                       written_as=written)  # fmt: skip
        run["science"]["masks"] = {"flags": ["LAND"]}
        products[written] = pipeline.process_scene(modis_scene, run)
    with netCDF4.Dataset(products["log10"]) as file, netCDF4.Dataset(products["factor"]) as other:
        value, deviation = file["aph_443"], file["aph_443_unc"]
        assert value.ancillary_variables == (
            "aph_443_unc aph_443_unc_centre aph_flags quality_flags"
        )
        centre = file["aph_443_unc_centre"]
        assert centre.units == value.units
        assert "centre * 10^s" in centre.comment
        np.testing.assert_array_equal(
            np.ma.getmaskarray(value[...]), np.ma.getmaskarray(centre[...])
        )
        np.testing.assert_allclose(np.ma.median(centre[...] / value[...]), 1, atol=0.05)
        meanings = file["aph_flags"].flag_meanings.split()
        bit = file["aph_flags"].flag_masks[meanings.index("input_uncertain")]
        weak = (file["aph_flags"][...] & bit) != 0
        assert not weak.any()  # 5 % are never more than half of the value
        assert "standard deviation of log10(aph_443)" in deviation.long_name
        assert "sigma points" in deviation.comment
        np.testing.assert_array_equal(
            np.ma.getmaskarray(value[...]), np.ma.getmaskarray(deviation[...])
        )
        assert deviation[...].count() > 15_000
        np.testing.assert_allclose(
            other["aph_443_unc"][...].compressed(), 10 ** deviation[...].compressed(), rtol=1e-5
        )
        control = file["processing_control/uncertainty"]
        assert control.method == "sigma_points"
        assert json.loads(control.inputs)[0] == {"input": "Rrs_412", "relative": 0.05}
        assert "aph_443_unc" in file["processing_control/networks/aph"].uncertainties


def test_pace_end_to_end(real_data, ocsmart, tmp_path):
    """The scene's own Rrs_unc, band by band, through a network and a published algorithm."""
    scene = real_data / "scenes" / "PACE_OCI_L2_AOP_V3_1_sample.nc"
    run = settings({"aph": ocsmart / "SGLI_aphNN.h5"}, tmp_path,
                   inputs={"Rrs": {"from_scene": True}})  # fmt: skip
    run["science"]["networks"].append({"name": "chl", "file": "algorithm:ocx_2019"})
    product = pipeline.process_scene(scene, run)
    with netCDF4.Dataset(product) as file, netCDF4.Dataset(scene) as source:
        data = source["geophysical_data"]
        centres = source["sensor_band_parameters/wavelength_3d"][...]
        wanted = [380, 412, 443, 490, 530, 565, 672]
        bands = [int(np.argmin(np.abs(centres - nm))) for nm in wanted]
        rrs = np.ma.filled(data["Rrs"][..., bands].astype(float), np.nan)
        given = np.ma.filled(data["Rrs_unc"][..., bands].astype(float), np.nan)
        found = np.ma.filled(file["aph_443_unc"][...], np.nan)
        computed = np.isfinite(np.ma.filled(file["aph_443"][...], np.nan))
        assert computed.sum() >= 5
        assert np.isfinite(found[computed]).all()
        chlorophyll = np.ma.filled(file["chlor_a_unc"][...], np.nan)
        assert np.isfinite(chlorophyll).sum() >= 5
        inputs = json.loads(file["processing_control/uncertainty"].inputs)
        assert inputs[0]["brought"].startswith("Rrs_unc_38")
    drawn, network = np.random.default_rng(5), load_network(ocsmart / "SGLI_aphNN.h5")
    away = []
    for line, pixel in np.argwhere(computed):
        x = rrs[line, pixel] + given[line, pixel] * drawn.standard_normal((DRAWS, len(wanted)))
        y = np.log10(network.predict(x[(x > 0).all(axis=1)], "onnxruntime")[:, 2])
        away.append(abs(found[line, pixel] / y.std() - 1))
    assert np.median(away) <= 0.10


def test_a_chain_is_one_function(real_data, ocsmart, tmp_path):
    """Rrs -> a network -> another one: the second sees errors that go together."""
    first = write_network(tmp_path / "first.h5", outputs=("aph", "adg"), seed=1)
    second = write_network(tmp_path / "second.h5", outputs=("bbp",), seed=2)
    # The second takes what the first makes: its inputs are renamed in the description.
    second = _taking(second, ("aph", "adg"))
    scene = real_data / "scenes" / "AQUA_MODIS.20110910T190602.L2.OC.nc"
    rows = np.array([[0.004, 0.005, 0.007], [0.002, 0.003, 0.004]])
    plan = plan_scene(
        scene,
        settings({"a": first, "b": second}, tmp_path, inputs={"Rrs": {"relative": 0.1}}),
    )
    made = np.empty((len(plan.layer_names), len(rows)), dtype=np.float32).T
    made[:, :3] = rows
    for step in plan.steps:
        made[:, step.output_columns] = step.retrieval.predict(made[:, step.columns], "numpy")
    deviations = (0.1 * rows).T.astype(np.float32)
    drawn = np.random.default_rng(2)
    for method in ("sigma_points", "jacobian"):
        uncertainty = InputUncertainty(plan.uncertainty.inputs, plan.uncertainty.factor, method)
        found = propagate(uncertainty, plan.steps, made, deviations)["b"].deviation
        for row, sigma in zip(rows, found, strict=True):
            x = row * (1 + 0.1 * drawn.standard_normal((DRAWS, 3)))
            y = plan.steps[1].retrieval.reference(plan.steps[0].retrieval.reference(x))
            assert sigma[0] == pytest.approx(np.log10(y).std(), rel=0.1)


def _taking(path: Path, quantities: tuple[str, str]) -> Path:
    """The file of a network of three inputs as one of two others."""
    import h5py

    with h5py.File(path, "r+") as file:
        described = json.loads(file.attrs["ocpipe_description"])
        described["inputs"] = [
            {"quantity": q, "wavelength_nm": 443, "units": "m-1", "transform": "log10"}
            for q in quantities
        ]
        file.attrs["ocpipe_description"] = json.dumps(described)
        file["Layers"][0] = 2
        for name, values in (
            ("Weights/Layer1", file["Weights/Layer1"][:, :2]),
            ("Norm_in", np.tile([-3.0, 1.0], (2, 1))),
        ):
            del file[name]
            file[name] = values
    return path


@pytest.mark.parametrize(
    ("uncertainty", "error", "said"),
    [
        ({"inputs": {"rho_s": {"relative": 0.1}}}, ConfigError, "contains rho_s"),
        ({"inputs": {"Rrs": {"from_scene": True}}}, SceneError, "has no uncertainty of Rrs_412"),
        ({"inputs": {"Rrs": {}}}, ConfigError, "set from_scene to true"),
        ({"inputs": {"Rrs": {"relative": -1}}}, ConfigError, "relative"),
        (
            {"inputs": {"Rrs": {"relative": 0.1}}, "correlation": {"equal": 0.5, "length_nm": 5}},
            ConfigError,
            "give exactly one: equal",
        ),
        (
            {
                "inputs": {"Rrs": {"relative": 0.1}},
                "correlation": {
                    "wavelengths_nm": [412, 443, 488],
                    "matrix": [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]],
                },
            },
            ConfigError,
            "contradict",
        ),
    ],
)
def test_what_is_refused(uncertainty, error, said, sample_scene, tmp_path):
    network = write_network(tmp_path / "net.h5")
    with pytest.raises(error, match=said):
        plan_scene(sample_scene, load_config(settings({"iop": network}, tmp_path, **uncertainty)))


WATERS = {"clear": (0.02, 0.2), "coastal": (1, 5), "turbid": (10, 90)}  # chlorophyll, mg m-3


@pytest.mark.parametrize("equal", [None, 0.7])
@pytest.mark.parametrize("water", WATERS)
def test_two_thirds_of_draws_are_inside(water, equal, sample_scene, sample_networks, tmp_path):
    """Also where bands are weak, where the value itself is beside most of the draws."""
    network = sample_networks / "demo_iops.h5"
    bands = [variable.wavelength_nm for variable in load_network(network).inputs]
    simulated = simulate_samples(3000, bands, seed=4, noise=0.0, outputs=("chlor_a",)).columns
    rrs = np.stack([simulated[f"Rrs_{nm:g}"] for nm in bands], axis=1).astype(float)
    low, high = WATERS[water]
    chosen = (simulated["chlor_a"] > low) & (simulated["chlor_a"] < high) & (rrs > 0).all(axis=1)
    rows = rrs[chosen][:40]
    stated = {"relative": 0.05, "constant": 3e-5}
    correlation = None if equal is None else {"equal": equal}
    found = propagated(
        sample_scene, {"iop": network}, tmp_path, rows,
        inputs={"Rrs": stated}, correlation=correlation,
    )["iop"]  # fmt: skip
    matrix = np.full((len(bands), len(bands)), equal or 0.0)
    np.fill_diagonal(matrix, 1.0)
    mixed = np.linalg.cholesky(matrix).T
    drawn, held = np.random.default_rng(6), []
    for row, sigma, centre in zip(rows, *found, strict=True):
        noise = drawn.standard_normal((20_000, len(bands))) @ mixed
        x = row + np.hypot(0.05 * row, 3e-5) * noise
        y = np.log10(oracle.forward(network, x[(x > 0).all(axis=1)][:2000]))
        held.append([(np.abs(y - centre) <= width * sigma).mean() for width in (1, 2)])
    one, two = np.mean(held, axis=0)
    assert 0.63 <= one <= 0.73
    assert 0.91 <= two <= 0.98
