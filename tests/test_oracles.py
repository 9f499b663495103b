"""The oracles of the chain and of geolocation against small cases worked out by hand."""

import math

import h5py
import netCDF4
import numpy as np
import oracle
import oracle_chain as chain
import oracle_geolocation as geolocation
import pytest

MODIS_BANDS = chain.RRS_BANDS["MODIS-Aqua"]
SENSORS = ("SGLI", "MODIS-Aqua")
NAN = float("nan")


def modis_rrs(*values: float) -> np.ndarray:
    """One spectrum at 412 ... 678 nm and, where given, 748 nm."""
    return np.array([[*values, 1e-4][:8]])


def choice(*values: float) -> bool:
    return bool(chain.ocsmart_choice(modis_rrs(*values), MODIS_BANDS, "MODIS-Aqua")[0])


# Gains


def test_gains_of_the_table():
    assert (chain.gains("SGLI", "open") == 1).all()
    assert (chain.gains("SGLI", "coastal") == 1).all()
    assert chain.gains("MODIS-Aqua", "open").tolist() == [
        0.761865, 0.760764, 0.775391, 0.681339, 0.628561, 0.672922, 0.789339, 1.0
    ]  # fmt: skip
    assert chain.gains("MODIS-Aqua", "coastal")[[0, 6, 7]].tolist() == [0.87236, 1.01051, 1.0]
    with pytest.raises(KeyError):
        chain.gains("MODIS-Aqua", "none")


@pytest.mark.parametrize("sensor", SENSORS)
def test_gains_are_those_of_the_table_of_sensors(real_data, sensor):
    """The copied figures are the ones of sensors.csv."""
    lines = (real_data / "sensors.csv").read_text().splitlines()
    rows = [line.split(",")[1:] for line in lines if line.startswith(f"{sensor},")]
    assert chain.LRC_BANDS[sensor] == tuple(int(row[0]) for row in rows)
    n = len(chain.RRS_BANDS[sensor])
    assert chain.gains(sensor, "open").tolist() == [float(row[1]) for row in rows[:n]]
    assert chain.gains(sensor, "coastal").tolist() == [float(row[2]) for row in rows[:n]]


def test_ratio_of_70_switches_the_choice():
    """7e-2 over 1e-3 is the limit itself, which counts as open."""
    assert 0.070 / 0.001 >= 70.0
    assert choice(0.070, 0.02, 0.02, 0.02, 0.02, 0.02, 0.001)
    assert not choice(0.0699, 0.02, 0.02, 0.02, 0.02, 0.02, 0.001)
    assert not choice(0.02, 0.08, 0.02, 0.02, 0.02, 0.02, 0.001)


def test_maximum_shared_by_the_first_band_is_in_the_first_band():
    assert choice(0.08, 0.08, 0.02, 0.02, 0.02, 0.02, 0.001)
    assert choice(0.08, 0.02, 0.02, 0.02, 0.02, 0.001, 0.001)


def test_bands_from_700_nm_play_no_part():
    blue = (0.06, 0.02, 0.02, 0.02, 0.02, 0.02, 0.001)
    assert not choice(*blue, 1e-6)
    assert not choice(*blue, 0.0)
    assert choice(0.08, *blue[1:], 0.5)
    assert choice(0.08, *blue[1:], NAN)


def test_zero_negative_and_missing_minima():
    """0 makes an infinite ratio, a negative minimum a small one, 0/0 and NaN none."""
    rest = (0.02, 0.02, 0.02, 0.02, 0.02)
    assert choice(0.03, *rest, 0.0)
    assert not choice(0.01, *rest, 0.0)
    assert not choice(0.08, *rest, -0.001)
    assert not choice(*[-0.001] * 6, -0.9)
    assert not choice(*[0.0] * 7)
    assert not choice(0.08, *rest, NAN)
    assert not choice(NAN, *rest, 0.0001)


def test_epic_takes_two_bands_and_a_ratio_of_30():
    bands = (388, 443, 551, 680, 780)
    rrs = [
        [0.02, 0.031, 0.01, 0.001, 1],
        [0.02, 0.029, 0.01, 0.001, 1],
        [0.02, 0.01, 0.04, 0.001, 1],
    ]
    assert chain.ocsmart_choice(rrs, bands, "EPIC").tolist() == [True, False, False]
    assert chain.ocsmart_choice(rrs, bands, "SGLI").tolist() == [False, False, False]


def test_apply_gains_takes_each_rows_own():
    rrs = np.vstack(
        [
            modis_rrs(0.080, 0.02, 0.02, 0.02, 0.02, 0.02, 0.001),
            modis_rrs(0.004, 0.005, 0.007, 0.009, 0.010, 0.003, 0.003),
        ]
    )
    before = rrs.copy()
    found = chain.apply_gains(rrs, "MODIS-Aqua", "ocsmart")
    assert found[0, 0] == 0.080 * 0.761865
    assert found[1, 0] == 0.004 * 0.87236
    assert found[1, 6] == 0.003 * 1.01051
    assert (found[:, 7] == 1e-4).all()
    assert chain.apply_gains(rrs, "MODIS-Aqua", "open")[1, 4] == 0.010 * 0.628561
    assert chain.apply_gains(rrs, "MODIS-Aqua", "coastal")[0, 4] == 0.02 * 0.97121
    assert (chain.apply_gains(rrs, "MODIS-Aqua", "none") == before).all()
    assert (rrs == before).all()


def test_gains_of_sgli_change_nothing():
    rrs = np.random.default_rng(0).uniform(1e-4, 0.1, (50, 7))
    rrs[3, 2] = NAN
    for mode in chain.GAIN_MODES:
        np.testing.assert_array_equal(chain.apply_gains(rrs, "SGLI", mode), rrs)


def test_apply_gains_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="8 Rrs bands, 7 given"):
        chain.apply_gains(np.ones((1, 7)), "MODIS-Aqua", "none")
    with pytest.raises(ValueError, match="none of"):
        chain.apply_gains(np.ones((1, 7)), "SGLI", "auto")


# Scope


def test_scope_is_the_mean_of_the_bands_above_seven_percent():
    """15 % in one of two bands is 7.5 %, in either direction, and NaN says nothing."""
    lrc = np.full((5, 2), 0.01)
    reconstructed = np.array([[1.15, 1], [0.85, 1], [1.13, 1], [1.08, 0.92], [NAN, 1]]) * 0.01
    assert chain.out_of_scope(lrc, reconstructed).tolist() == [True, True, False, True, False]
    np.testing.assert_allclose(
        chain.scope_deviation(lrc, reconstructed)[:4], [0.075, 0.075, 0.065, 0.08]
    )


# The chain on the real networks


@pytest.fixture(scope="module", params=SENSORS)
def case(request, ocsmart) -> tuple[str, chain.ChainInputs, chain.ChainResult]:
    inputs = chain.plausible_lrc(ocsmart, request.param, 2000, seed=1)
    return request.param, inputs, run(ocsmart, request.param, inputs)


def run(folder, sensor, inputs, mode="ocsmart", **changes) -> chain.ChainResult:
    names = ["solar_zenith", "sensor_zenith", "relative_azimuth", "lrc", "relative_humidity"]
    columns = [changes.get(name, getattr(inputs, name)) for name in names]
    return chain.run_chain(folder, sensor, *columns, mode)


def test_plausible_rows_are_finite_and_in_scope(case):
    sensor, inputs, found = case
    rows = inputs.kind == "plausible"
    assert rows.sum() == 1500
    assert found.rrs_before.shape == (2000, len(chain.RRS_BANDS[sensor]))
    assert (found.flags["aa"][rows] & chain.OUT_OF_SCOPE_BIT == 0).all()
    assert (found.flags["rrs"][rows] & 0b111 == 0).all()
    green = found.rrs_after[rows, 3]
    assert 1e-4 < green.min() < green.max() < 0.05
    for name, values in found.iops.items():
        assert values.shape == (2000, 7)
        assert (values[rows] > 0).all(), name
        assert np.median(values[rows]) < 2.0, name
    assert 0.01 < np.median(found.iops["aph"][rows, 2]) < 0.1
    share = found.open_ocean[rows].mean()
    assert 0.05 < share < 0.3


def test_scope_is_true_for_some_and_false_for_others(case):
    _, inputs, found = case
    out = (found.flags["aa"] & chain.OUT_OF_SCOPE_BIT) != 0
    assert 0.05 < out.mean() < 0.25
    assert 0.2 < out[inputs.kind == "distorted"].mean() < 0.9
    np.testing.assert_array_equal(out, found.deviation > 0.07)


def test_defects_have_their_flags(case):
    """Missing and not positive stop a network; the next ones see what is missing."""
    _, inputs, found = case
    lrc_bits = {
        "lrc_nan": 1,
        "lrc_zero": 2,
        "lrc_negative": 2,
        "lrc_nan_and_negative": 3,
        "lrc_all_nan": 1,
        "solar_zenith_nan": 1,
    }
    for defect, bits in lrc_bits.items():
        rows = inputs.kind == defect
        assert rows.any()
        assert (found.flags["aa"][rows] == bits).all()
        assert (found.flags["rrs"][rows] == bits).all()
        assert np.isnan(found.rrs_after[rows]).all()
        assert not found.open_ocean[rows].any()
        assert (found.flags["aph"][rows] == oracle.NETWORK_BITS["input_missing"]).all()
        assert np.isnan(found.iops["aph"][rows]).all()
    for defect, bits in {"humidity_nan": 1, "humidity_zero": 2}.items():
        rows = inputs.kind == defect
        assert (found.flags["aa"][rows] == bits).all()
        assert np.isnan(found.reconstructed[rows]).all()
        assert np.isfinite(found.iops["aph"][rows]).all()
    for defect in ("lrc_too_dark", "lrc_too_bright", "solar_zenith_beyond", "sensor_zenith_beyond"):
        rows = inputs.kind == defect
        assert (found.flags["rrs"][rows] & 0b111 == 4).all()
        assert np.isfinite(found.rrs_after[rows]).all()
    rows = inputs.kind == "humidity_beyond"
    assert (found.flags["aa"][rows] & 0b111 == 4).all()
    assert (found.flags["rrs"][rows] & 0b111 == 0).all()


def test_one_row_written_out(ocsmart):
    """The chain is the forward passes one after the other, humidity last and for aaNN only."""
    lrc = [0.0120, 0.0105, 0.0090, 0.0070, 0.0065, 0.0040, 0.0038, 0.0034, 0.0029]
    found = chain.run_chain(ocsmart, "MODIS-Aqua", [35.0], [20.0], [100.0], [lrc], 70.0, "coastal")
    x = [35.0, 20.0, 100.0, *lrc]
    reconstructed = oracle.forward(ocsmart / "MODIS-Aqua_Lrc_aaNN.h5", [[*x, 70.0]])
    rrs = oracle.forward(ocsmart / "MODIS-Aqua_Lrc_rrsNN.h5", [x])
    gained = rrs * [0.87236, 0.86685, 0.9627, 0.98816, 0.97121, 0.92725, 1.01051, 1.0]
    np.testing.assert_array_equal(found.reconstructed, reconstructed)
    np.testing.assert_array_equal(found.rrs_before, rrs)
    np.testing.assert_allclose(found.rrs_after, gained, rtol=1e-15)
    for name in chain.IOPS:
        expected = oracle.forward(ocsmart / f"MODIS-Aqua_{name}NN.h5", gained)
        np.testing.assert_allclose(found.iops[name], expected, rtol=1e-12)


def test_limits_of_ranges_by_hand():
    """0.02 in ln units is 0.00869 in log10, on both sides of both limits."""
    limits = np.array([[-3.0, 1.0]])
    values = np.array([[-3.0086], [-3.0088], [0.9914], [0.9912], [-1.0], [NAN]])
    assert chain._at_limit(values, limits, 0.0).tolist() == [True, False, True, False, False, False]
    assert chain._outside(values, limits, 0.0).tolist() == [True, True, False, False, False, False]


def test_angles_may_be_zero_or_negative(ocsmart):
    """Only logarithms need positive inputs, and a cosine knows no sign."""
    inputs = chain.plausible_lrc(ocsmart, "SGLI", 40, seed=2)
    found = run(ocsmart, "SGLI", inputs, sensor_zenith=np.zeros(40))
    assert not (found.flags["rrs"] & 2)[inputs.kind == "plausible"].any()
    there = run(ocsmart, "SGLI", inputs)
    back = run(ocsmart, "SGLI", inputs, relative_azimuth=-inputs.relative_azimuth)
    np.testing.assert_array_equal(there.rrs_before, back.rrs_before)


def test_one_humidity_serves_all_rows(ocsmart):
    inputs = chain.plausible_lrc(ocsmart, "SGLI", 40, seed=2)
    one = run(ocsmart, "SGLI", inputs, relative_humidity=80.0)
    each = run(ocsmart, "SGLI", inputs, relative_humidity=np.full(40, 80.0))
    np.testing.assert_array_equal(one.deviation, each.deviation)


def test_gain_modes_differ_in_what_follows_rrs_only(ocsmart, case):
    """Rrs before gains and its flags are the same; for SGLI everything is."""
    sensor, inputs, found = case
    for mode in ("none", "coastal", "open"):
        other = run(ocsmart, sensor, inputs, mode)
        np.testing.assert_array_equal(other.rrs_before, found.rrs_before)
        np.testing.assert_array_equal(other.flags["rrs"], found.flags["rrs"])
        same = np.array_equal(other.iops["bbp"], found.iops["bbp"], equal_nan=True)
        assert same == (sensor == "SGLI")
        rows = found.open_ocean if mode == "open" else ~found.open_ocean
        if mode != "none":
            np.testing.assert_array_equal(other.iops["bbp"][rows], found.iops["bbp"][rows])


def test_inputs_of_the_next_networks_are_judged_after_gains(ocsmart, case):
    sensor, _, found = case
    low, high = oracle.ranges(ocsmart / f"{sensor}_aphNN.h5")[0].T
    z = np.log10(found.rrs_after)
    expected = ((z < low) | (z > high)).any(axis=1)
    np.testing.assert_array_equal((found.flags["aph"] & 4) != 0, expected)


def forward32(path, x):
    """Evaluate a network in float32, to see what rounding may decide."""
    angles = oracle.angle_count(path)
    low, high = np.float32(oracle.ranges(path)[0]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.log10(np.float32(x))
    z[:, :angles] = np.cos(np.deg2rad(np.float32(x[:, :angles])))
    a = 2 * (z - low) / (high - low) - 1
    weights, biases = layers_of(path)
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        a = a @ np.float32(weight).T + np.float32(bias)
        a = a if k == len(weights) else np.tanh(a)
    low, high = np.float32(oracle.ranges(path)[1]).T
    return z, (a + 1) / 2 * (high - low) + low


def layers_of(path):
    with h5py.File(path) as file:
        keys = [f"Layer{k}" for k in range(1, len(file["Layers"]))]
        return [file["Weights"][k][:] for k in keys], [file["Bias"][k][:].ravel() for k in keys]


def test_float32_decides_only_what_is_near(ocsmart, case):
    """Computed in float32, range bits and scope differ on no row but those near a threshold."""
    sensor, inputs, found = case
    angles = [inputs.solar_zenith, inputs.sensor_zenith, inputs.relative_azimuth]
    x = np.column_stack([*angles, inputs.lrc])
    _, y = forward32(
        ocsmart / f"{sensor}_Lrc_aaNN.h5", np.column_stack([x, inputs.relative_humidity])
    )
    assert y.dtype == np.float32
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.abs(10**y / np.float32(inputs.lrc) - 1).mean(axis=1) > 0.07
    judged = ~found.near["aa"] & np.isfinite(found.deviation)
    np.testing.assert_array_equal(out[judged], (found.flags["aa"][judged] & 32) != 0)

    _, y = forward32(ocsmart / f"{sensor}_Lrc_rrsNN.h5", x)
    rrs = chain.apply_gains(10**y, sensor, "ocsmart")
    for name in ("aph", "ap"):
        path = ocsmart / f"{sensor}_{name}NN.h5"
        z, y = forward32(path, rrs)
        assert y.dtype == np.float32
        judged = np.isfinite(found.rrs_after).all(axis=1) & ~found.near[name]
        for bit, values, norm in zip((4, 8), (z, y), oracle.ranges(path), strict=True):
            outside = ((values < norm[:, 0]) | (values > norm[:, 1])).any(axis=1)
            np.testing.assert_array_equal(
                outside[judged], (found.flags[name][judged] & bit) != 0, err_msg=f"{name} {bit}"
            )
    assert found.near_any.mean() < 0.01


def test_what_is_near_a_threshold_is_told(ocsmart):
    """Solar zenith a hair inside and outside its limit, and well away from it."""
    inputs = chain.plausible_lrc(ocsmart, "SGLI", 40, seed=3)
    row = int(np.flatnonzero(inputs.kind == "plausible")[0])
    low = oracle.ranges(ocsmart / "SGLI_Lrc_rrsNN.h5")[0][0, 0]
    cosines = low + np.array([2e-4, 5e-5, -5e-5, -2e-4])
    found = chain.run_chain(
        ocsmart,
        "SGLI",
        np.rad2deg(np.arccos(cosines)),
        np.full(4, 30.0),
        np.full(4, 90.0),
        inputs.lrc[[row] * 4],
        80.0,
        "none",
    )
    assert (found.flags["rrs"] & 4).tolist() == [0, 0, 4, 4]
    assert found.near["rrs"].tolist() == [False, True, True, False]
    assert found.near_any.tolist()[1:3] == [True, True]


def test_the_choice_is_near_within_1e_4_of_70_or_of_a_tie():
    rest = (0.02, 0.02, 0.02, 0.02, 0.02)
    spectra = np.vstack(
        [
            modis_rrs(0.07000001, *rest, 0.001),
            modis_rrs(0.06999, *rest, 0.001),
            modis_rrs(0.0698, *rest, 0.001),
            modis_rrs(0.0800, 0.08000001, 0.02, 0.02, 0.02, 0.02, 0.001),
            modis_rrs(0.0800, 0.08001, 0.02, 0.02, 0.02, 0.02, 0.01),
            modis_rrs(NAN, *rest, 0.001),
        ]
    )
    found = chain._choice_is_near(spectra, "MODIS-Aqua")
    assert found.tolist() == [True, True, False, True, False, False]


def test_inputs_are_float32_values_and_repeat(ocsmart):
    a = chain.plausible_lrc(ocsmart, "MODIS-Aqua", 150, seed=7)
    b = chain.plausible_lrc(ocsmart, "MODIS-Aqua", 150, seed=7)
    for name in ("solar_zenith", "relative_azimuth", "lrc", "relative_humidity"):
        values = getattr(a, name)
        np.testing.assert_array_equal(values, getattr(b, name))
        np.testing.assert_array_equal(values, values.astype(np.float32).astype(np.float64))
    assert set(chain._DEFECTS) <= set(a.kind)


def test_scene_holds_the_inputs(ocsmart, tmp_path):
    inputs = chain.plausible_lrc(ocsmart, "SGLI", 40 * 50, seed=1)
    path = chain.write_lrc_scene(tmp_path / "lrc.nc", "SGLI", inputs, (40, 50))
    with netCDF4.Dataset(path) as scene:
        assert (scene.platform, scene.instrument) == ("GCOM-C", "SGLI")
        assert scene["Lrc_380"].dimensions == ("y", "x")
        assert scene["Lrc_380"].units == "sr-1"
        assert scene["Lrc_380"].chunking() == [16, 16]
        assert scene["relative_humidity"].units == "percent"
        for band, nm in enumerate(chain.LRC_BANDS["SGLI"]):
            read = np.ma.filled(scene[f"Lrc_{nm}"][:].astype(np.float64), np.nan)
            np.testing.assert_array_equal(read.ravel(), inputs.lrc[:, band])
        read = np.ma.filled(scene["relative_azimuth"][:].astype(np.float64), np.nan)
        np.testing.assert_array_equal(read.ravel(), inputs.relative_azimuth)
        flags = scene["l2_flags"]
        assert flags.flag_meanings.split() == list(chain.SCENE_FLAGS)
        assert flags.flag_masks.dtype == flags.dtype == np.int32
        assert (flags[0, :6] == [0, 0, 0, 2, 0, 512]).all()
        assert scene["latitude"][0, 0] == 34.0


# Tie points


def test_tie_points_come_back_and_middles_are_means():
    latitude = [[10.0, 10.0, 12.0], [6.0, 8.0, 9.0]]
    longitude = [[20.0, 24.0, 28.0], [21.0, 25.0, 31.0]]
    lat, lon = geolocation.interpolate_tie_points(latitude, longitude, 4, 2, 5, 5)
    assert lat[::4, ::2].tolist() == latitude
    assert lon[::4, ::2].tolist() == longitude
    assert lat[2, 1] == (10 + 10 + 6 + 8) / 4
    assert lon[2, 3] == (24 + 28 + 25 + 31) / 4
    assert lat[1, 0] == 9.0
    assert lon[0, 1] == 22.0
    # three quarters of the way down, half of the way across
    assert lat[3, 3] == pytest.approx(0.125 * 10 + 0.125 * 12 + 0.375 * 8 + 0.375 * 9)


def test_pixels_past_the_last_tie_point_continue_the_last_cell():
    lat, lon = geolocation.interpolate_tie_points(
        [[0, 0], [-1, -1]], [[5, 6], [5, 6]], 10, 10, 20, 20
    )
    np.testing.assert_allclose(lat[:, 0], -0.1 * np.arange(20), atol=1e-12)
    np.testing.assert_allclose(lon[0], 5 + 0.1 * np.arange(20), atol=1e-12)


def test_cropping_leaves_the_other_pixels_alone():
    random = np.random.default_rng(0)
    ties = random.uniform(-60, 60, (4, 5)), random.uniform(-20, 20, (4, 5))
    whole = geolocation.interpolate_tie_points(*ties, 3, 4, 10, 17)
    part = geolocation.interpolate_tie_points(*ties, 3, 4, 8, 14)
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_array_equal(a[:8, :14], b)


@pytest.mark.parametrize(
    ("ties", "expected"),
    [
        ((178.0, -178.0), [178.0, 179.0, -180.0, -179.0, -178.0]),
        ((-178.0, 178.0), [-178.0, -179.0, -180.0, 179.0, 178.0]),
        ((178.0, 182.0), [178.0, 179.0, -180.0, -179.0, -178.0]),
        ((358.0, 2.0), [-2.0, -1.0, 0.0, 1.0, 2.0]),
    ],
)
def test_antimeridian(ties, expected):
    """The way is the short one, and the result is in [-180, 180)."""
    _, lon = geolocation.interpolate_tie_points([[1, 1], [0, 0]], [ties, ties], 1, 4, 2, 5)
    assert lon.tolist() == [expected, expected]


def polar_grid(size: int, centre: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of a square grid on a plane around the North Pole, 1 degree apart."""
    line, pixel = np.indices((size, size), dtype=np.float64)
    y, x = line - centre[0], pixel - centre[1]
    return 90.0 - np.hypot(x, y), np.rad2deg(np.arctan2(y, x))


def test_pole_inside_a_cell():
    """One cell goes round the pole: latitude holds there, and every other cell is sound."""
    latitude, longitude = polar_grid(6, (2.5, 2.5))
    holds = geolocation.cell_holds_pole(longitude)
    assert np.argwhere(holds).tolist() == [[2, 2]]
    lat, lon = geolocation.interpolate_tie_points(latitude, longitude, 4, 4, 21, 21)
    assert lat[10, 10] == pytest.approx(90 - math.hypot(0.5, 0.5))
    true_lat, true_lon = polar_grid(21, (10.0, 10.0))
    elsewhere = 90.0 - true_lat > 6.0  # two cells from the pole
    error = np.abs((lon - true_lon + 180.0) % 360.0 - 180.0)
    assert error[elsewhere].max() < 3.0
    assert (lon >= -180).all()
    assert (lon < 180).all()


def test_a_grid_away_from_the_pole_holds_none():
    lon = np.array([[170.0, 178.0, -174.0], [171.0, 179.0, -173.0]])
    assert not geolocation.cell_holds_pole(lon).any()


def test_a_missing_tie_point_spreads_to_its_cells_only():
    latitude = np.zeros((4, 4))
    latitude[1, 1] = np.nan
    lat, lon = geolocation.interpolate_tie_points(latitude, np.zeros((4, 4)), 3, 3, 10, 10)
    expected = np.zeros((10, 10), dtype=bool)
    expected[1:6, 1:6] = True
    np.testing.assert_array_equal(np.isnan(lat), expected)
    assert (lon == 0).all()


# Boxes


def test_box_is_the_smallest_rectangle():
    lat, lon = np.meshgrid([50.0, 40.0, 30.0, 20.0], [0.0, 10.0, 20.0, 30.0, 40.0], indexing="ij")
    window = geolocation.window_of_bbox
    assert window(lat, lon, 5, 25, 35, 45) == (1, 3, 1, 4)
    assert window(lat, lon, 10, 30, 30, 40) == (1, 3, 1, 4)
    assert window(lat, lon, 10.1, 30.1, 29.9, 39.9) is None
    assert window(lat, lon, 12, 22, 22, 45) == (1, 3, 2, 3)
    assert window(lat, lon, -180, -90, 180, 90) == (0, 4, 0, 5)
    assert window(lat, lon, 0, -90, 360, 90) == (0, 4, 0, 5)
    assert window(lat, lon, 20, -90, 20, 90) == (0, 4, 2, 3)
    with pytest.raises(ValueError, match="south"):
        window(lat, lon, 0, 10, 1, 5)


def test_box_of_a_turned_swath_keeps_pixels_outside_it():
    """The two pixels inside lie on a diagonal; the rectangle holds four."""
    lat = np.array([[1.0, 0.5, 0.0], [0.5, 0.0, -0.5], [0.0, -0.5, -1.0]])
    lon = np.array([[0.0, 0.5, 1.0], [-0.5, 0.0, 0.5], [-1.0, -0.5, 0.0]])
    assert geolocation.window_of_bbox(lat, lon, -0.1, -0.1, 0.1, 1.1) == (0, 2, 0, 2)


@pytest.mark.parametrize("offset", [0.0, 360.0])
@pytest.mark.parametrize("box", [(175.0, -175.0), (175.0, 185.0), (-185.0, -175.0)])
def test_box_across_the_antimeridian(box, offset):
    """The grid counts from -180 to 180 or from 0 to 360, the box in any way."""
    lon = np.array([[170.0, 175.0, 179.0, -179.0, -175.0, -170.0]])
    lon = np.where(lon < 0, lon + offset, lon)
    west, east = box
    assert geolocation.window_of_bbox(np.zeros((1, 6)), lon, west, -1, east, 1) == (0, 1, 1, 5)


def test_box_across_greenwich_and_missing_centres():
    lon = np.array([[-11.0, -10.0, 0.0, 10.0, 11.0]])
    lat = np.zeros((1, 5))
    assert geolocation.window_of_bbox(lat, lon, 350, -1, 10, 1) == (0, 1, 1, 4)
    assert geolocation.window_of_bbox(lat, lon % 360, -10, -1, 10, 1) == (0, 1, 1, 4)
    lon[0, 1], lat[0, 3] = np.nan, np.nan
    assert geolocation.window_of_bbox(lat, lon, 350, -1, 10, 1) == (0, 1, 2, 3)


# Neighbourhoods


def test_dilate_grows_squares_and_stops_at_edges():
    mask = np.zeros((5, 6), dtype=bool)
    mask[0, 0] = mask[3, 4] = True
    expected = [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 1],
    ]
    assert geolocation.dilate(mask, 1).astype(int).tolist() == expected
    assert (geolocation.dilate(mask, 0) == mask).all()
    assert geolocation.dilate(mask, 9).all()
    assert not geolocation.dilate(np.zeros((3, 3)), 2).any()
    assert mask.sum() == 2
