"""Lrc -> Rrs -> optical properties with the real networks in one run, against the oracle."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
import oracle
import oracle_chain
import pytest

import pipeline
from pipeline.errors import ConfigError, NetworkError, SceneError

SHAPE = 40, 45
SENSORS = ("SGLI", "MODIS-Aqua")
CASES = [(sensor, mode) for sensor in SENSORS for mode in oracle_chain.GAIN_MODES]
IOP_BANDS = {
    "SGLI": (380, 412, 443, 490, 530, 565, 672),
    "MODIS-Aqua": (412, 443, 488, 531, 547, 667, 678),
}
NETWORK_BITS = oracle.NETWORK_BITS | {"out_of_scope": 32}
# Largest relative difference: two networks, one after the other, each in float64 or in float32.
ENGINES = {"numpy": 1e-5, "onnxruntime": 5e-4, "tensorflow": 5e-4}
FILL = np.float32(-32767)
MAPPING = {
    "spectral": [{"quantity": "Lrc", "variables": r"Lrc_(\d+)"}],
    "plain": {
        name: name
        for name in ("solar_zenith", "sensor_zenith", "relative_azimuth", "relative_humidity")
    },
    "flags": {"variable": "l2_flags"},
}


def choice(name, **settings):
    """A network of the configuration, by its kind in OC-SMART's file names."""
    kind = {"aa": "Lrc_aa", "rrs": "Lrc_rrs"}.get(name, name)
    return {"name": name, "file": f"{{sensor}}_{kind}NN.h5", **settings}


def whole_chain(mode, *, write_aa=False):
    """The scope check, Rrs with gains, and all optical properties."""
    return [
        choice("aa", write=write_aa),
        choice("rrs", gains=mode),
        *(choice(name) for name in oracle_chain.IOPS),
    ]


def configured(folder, networks, ocsmart, *, engine="numpy", mapping=MAPPING, **science):
    return {
        "name": "chain",
        "science": {
            "reader": {"format": "cf_netcdf", "options": {"mapping": mapping}},
            "networks": networks,
            "masks": {"flags": ["LAND", "CLDICE"]},
            "engine": engine,
            "output": {"chunk": [23, 31]},
            **science,
        },
        "execution": {"output": str(folder), "network_dirs": [str(ocsmart)], "threads": 2},
    }


@dataclass(frozen=True)
class Scene:
    """A scene and what is in it."""

    path: Path
    sensor: str
    inputs: oracle_chain.ChainInputs

    @property
    def masked(self) -> np.ndarray:
        """LAND on every 11th pixel and CLDICE on every 13th."""
        return (quality_of_rules(SHAPE[0] * SHAPE[1]) != 0).reshape(SHAPE)

    def expected(self, ocsmart, mode, humidity=None) -> oracle_chain.ChainResult:
        """The oracle's answer for every pixel, masked or not."""
        x = self.inputs
        humidity = x.relative_humidity if humidity is None else humidity
        angles = x.solar_zenith, x.sensor_zenith, x.relative_azimuth
        return oracle_chain.run_chain(ocsmart, self.sensor, *angles, x.lrc, humidity, mode)


def quality_of_rules(pixels) -> np.ndarray:
    index = np.arange(pixels)
    return np.where(index % 11 == 3, 256, 0) | np.where(index % 13 == 5, 512, 0)


def rename(path, changes) -> None:
    with netCDF4.Dataset(path, "a") as file:
        for old, new in changes.items():
            file.renameVariable(old, new)


@pytest.fixture(scope="module")
def scenes(ocsmart, tmp_path_factory):
    """A scene of each sensor, with plausible, distorted and defective pixels."""
    folder = tmp_path_factory.mktemp("scenes")
    made = {}
    for sensor in SENSORS:
        inputs = oracle_chain.plausible_lrc(ocsmart, sensor, SHAPE[0] * SHAPE[1], seed=11)
        path = oracle_chain.write_lrc_scene(folder / f"{sensor}.nc", sensor, inputs, SHAPE)
        made[sensor] = Scene(path, sensor, inputs)
    return made


@dataclass(frozen=True)
class Product:
    """A product in memory."""

    variables: dict[str, np.ndarray]
    attributes: dict[str, dict]
    networks: dict[str, dict]

    @classmethod
    def of(cls, path) -> "Product":
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            groups = file["processing_control/networks"].groups
            return cls(
                {name: variable[:] for name, variable in file.variables.items()},
                {name: dict(variable.__dict__) for name, variable in file.variables.items()},
                {name: dict(group.__dict__) for name, group in groups.items()},
            )

    def values(self, quantity: str, bands: Sequence[int]) -> np.ndarray:
        """With shape (pixels, bands), NaN where there is no value; what apNN gives is apg."""
        name = "apg" if quantity == "ap" else quantity
        stacked = np.stack([self.variables[f"{name}_{nm}"].ravel() for nm in bands], axis=1)
        return np.where(stacked == FILL, np.nan, stacked.astype(np.float64))


@pytest.fixture(scope="module")
def products(scenes, ocsmart, tmp_path_factory):
    """The product of a sensor, a mode of gains and an engine, each made once."""
    made = {}

    def product(sensor, mode, engine):
        key = sensor, mode, engine
        if key not in made:
            folder = tmp_path_factory.mktemp("product")
            config = configured(folder, whole_chain(mode), ocsmart, engine=engine)
            made[key] = Product.of(pipeline.process_scene(scenes[sensor].path, config))
        return made[key]

    return product


@pytest.fixture(scope="module")
def answers(scenes, ocsmart):
    return {(s, mode): scenes[s].expected(ocsmart, mode) for s, mode in CASES}


def assert_values(found, expected, masked, limit, rows=slice(None)) -> None:
    """The same pixels have a value, and each is right to a relative difference."""
    expected = np.where(masked.reshape(-1, 1), np.nan, expected)
    compared = oracle.compare(found[rows], expected[rows])
    assert compared.finite_masks_agree
    assert compared.n > 0
    assert compared.maximum <= limit


@pytest.mark.parametrize(("sensor", "mode"), CASES)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_value_of_the_chain_equals_the_oracle(
    products, scenes, answers, sensor, mode, engine
):
    """Rrs after gains and five optical properties; near a choice of gains either may be right."""
    product, scene, expected = products(sensor, mode, engine), scenes[sensor], answers[sensor, mode]
    limit, clear = ENGINES[engine], ~expected.near["gains"]
    rrs = product.values("Rrs", oracle_chain.RRS_BANDS[sensor])
    assert_values(rrs, expected.rrs_after, scene.masked, limit, clear)
    for name in oracle_chain.IOPS:
        found = product.values(name, IOP_BANDS[sensor])
        assert_values(found, expected.iops[name], scene.masked, limit, clear)
    assert clear.sum() > 0.98 * clear.size


@pytest.mark.parametrize(("sensor", "mode"), CASES)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_bit_of_the_chain_equals_the_oracle(products, scenes, answers, sensor, mode, engine):
    """On all rows that rounding cannot decide; on those, no more than bits about ranges differ."""
    product, scene, expected = products(sensor, mode, engine), scenes[sensor], answers[sensor, mode]
    clear = ~expected.near_any
    assert clear.sum() > 0.9 * clear.size
    for name, flags in expected.flags.items():
        found = product.variables[f"{name}_flags"].ravel()
        wanted = np.where(scene.masked.ravel(), 0, flags)
        np.testing.assert_array_equal(found[clear], wanted[clear], err_msg=name)
        np.testing.assert_array_equal(found & 3, wanted & 3, err_msg=name)


@pytest.mark.parametrize(("sensor", "mode"), CASES)
def test_bits_that_rounding_could_decide_are_those_of_float64(
    products, scenes, answers, sensor, mode
):
    """Both engines leave these rows to the reference, so that they equal the oracle there, too."""
    expected, masked = answers[sensor, mode], scenes[sensor].masked.ravel()
    for engine in ENGINES:
        product = products(sensor, mode, engine)
        for name, flags in expected.flags.items():
            found = product.variables[f"{name}_flags"].ravel()
            differ = np.flatnonzero(found != np.where(masked, 0, flags))
            assert differ.size == 0, (engine, name, differ[:5])


@pytest.mark.parametrize(("sensor", "mode"), CASES)
def test_engines_set_the_same_bits_everywhere(products, sensor, mode):
    """All flag variables of every engine's product and of numpy's, bit for bit."""
    numpy, *others = (products(sensor, mode, engine).variables for engine in ENGINES)
    names = [name for name in numpy if name.endswith("_flags")]
    assert len(names) == 9
    for name in names:
        for other in others:
            np.testing.assert_array_equal(numpy[name], other[name], err_msg=name)


@pytest.mark.parametrize("sensor", SENSORS)
def test_the_scene_has_all_kinds_of_pixels(scenes, answers, sensor):
    """Each bit occurs somewhere, and the choice of gains goes both ways."""
    clear = ~scenes[sensor].masked.ravel()
    expected = answers[sensor, "ocsmart"]
    together = np.bitwise_or.reduce([flags[clear] for flags in expected.flags.values()])
    for name, bit in NETWORK_BITS.items():
        assert ((together & bit) != 0).any(), name
    assert ((expected.flags["aa"][clear] & 32) != 0).sum() > 50
    assert 50 < expected.open_ocean[clear].sum() < 0.5 * clear.sum()


def answer(folder, sensor, rows, mode) -> oracle_chain.ChainResult:
    """The oracle on rows of angles, Lrc and humidity."""
    return oracle_chain.run_chain(folder, sensor, *rows.T[:3], rows[:, 3:-1], rows[:, -1], mode)


def bits_of(result, masks) -> np.ndarray:
    """Decisions that rounding could take, each a column (rows, decisions) of booleans."""
    columns = [(result.flags[name] & bit) != 0 for name, bit in masks]
    return np.stack([*columns, result.open_ocean], axis=1)


PAIRS = 10  # rows on the edge of each decision


@pytest.fixture(scope="module")
def edges(ocsmart):
    """Rows within about 1e-7 of a threshold: a bit of a network's flags, or the choice of gains.

    Each is found by halving the way between two rows that differ in one decision.
    """
    made = {}
    for sensor in SENSORS:
        x = oracle_chain.plausible_lrc(ocsmart, sensor, 1500, seed=3)
        angles = x.solar_zenith, x.sensor_zenith, x.relative_azimuth
        rows = np.column_stack([*angles, x.lrc, x.relative_humidity])
        rows = rows[np.isin(x.kind, ("plausible", "distorted"))]
        masks = [(name, bit) for name in ("aa", "rrs", *oracle_chain.IOPS) for bit in (4, 8, 16)]
        masks.append(("aa", 32))
        decided = bits_of(answer(ocsmart, sensor, rows, "ocsmart"), masks)
        random, pairs = np.random.default_rng(70), []
        for column, decision in enumerate(decided.T):
            if 2 <= decision.sum() <= decision.size - 2:
                yes, no = (random.choice(np.flatnonzero(d), PAIRS) for d in (decision, ~decision))
                pairs.append((rows[yes], rows[no], np.full(PAIRS, column)))
        yes, no, column = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        for _ in range(45):
            middle = yes + 0.5 * (no - yes)
            decided = bits_of(answer(ocsmart, sensor, middle, "ocsmart"), masks)
            is_yes = np.take_along_axis(decided, column[:, np.newaxis], axis=1)
            yes, no = np.where(is_yes, middle, yes), np.where(is_yes, no, middle)
        made[sensor] = yes.astype(np.float32).astype(np.float64)
    return made


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("engine", ENGINES)
def test_rounding_decides_nothing(edges, ocsmart, tmp_path, sensor, engine):
    """On the very thresholds each engine sets the oracle's bits and takes the oracle's gains."""
    rows = edges[sensor]
    inputs = oracle_chain.ChainInputs(
        *rows.T[:3], rows[:, 3:-1], rows[:, -1], np.full(len(rows), "edge")
    )
    shape = (len(rows) // PAIRS, PAIRS)
    path = oracle_chain.write_lrc_scene(
        tmp_path / "edges.nc", sensor, inputs, shape, flags=np.zeros(shape)
    )
    config = configured(tmp_path, whole_chain("ocsmart"), ocsmart, engine=engine)
    product = Product.of(pipeline.process_scene(path, config))
    expected = answer(ocsmart, sensor, rows, "ocsmart")
    assert expected.near_any.mean() > 0.9
    nowhere = np.zeros(len(rows), bool)
    for name, flags in expected.flags.items():
        found = product.variables[f"{name}_flags"].ravel()
        np.testing.assert_array_equal(found, flags, err_msg=name)
    rrs = product.values("Rrs", oracle_chain.RRS_BANDS[sensor])
    assert_values(rrs, expected.rrs_after, nowhere, ENGINES[engine])
    for name in oracle_chain.IOPS:
        found = product.values(name, IOP_BANDS[sensor])
        assert_values(found, expected.iops[name], nowhere, ENGINES[engine])


@pytest.mark.quick
@pytest.mark.parametrize("sensor", SENSORS)
def test_bits_of_the_pixel(products, scenes, sensor):
    """NaN in Lrc, an angle or the humidity is no_data; rules have the bits from 256 on."""
    x = scenes[sensor].inputs
    layers = (x.solar_zenith, x.sensor_zenith, x.relative_azimuth, x.relative_humidity)
    missing = np.isnan(np.column_stack([*layers, x.lrc])).any(axis=1)
    assert missing.sum() > 10
    expected = missing.astype(np.uint32) | quality_of_rules(missing.size).astype(np.uint32)
    found = products(sensor, "none", "numpy").variables["quality_flags"].ravel()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sensor", SENSORS)
def test_a_value_out_of_scope_is_kept_and_flagged(products, scenes, answers, sensor):
    """Out of scope is a warning: Rrs and all that follows is there, and no later flag has it."""
    product, expected = products(sensor, "none", "numpy"), answers[sensor, "none"]
    out = ((expected.flags["aa"] & 32) != 0) & ~scenes[sensor].masked.ravel()
    assert np.isfinite(product.values("Rrs", oracle_chain.RRS_BANDS[sensor])[out]).all()
    assert np.isfinite(product.values("aph", IOP_BANDS[sensor])[out]).all()
    meanings = {name: a.get("flag_meanings", "") for name, a in product.attributes.items()}
    assert [name for name in meanings if "out_of_scope" in meanings[name]] == ["aa_flags"]


def test_a_defect_of_the_first_network_reaches_the_last(products, scenes):
    """Where Lrc is not positive, Rrs has no value, and what takes it says input_missing."""
    product, inputs = products("SGLI", "none", "numpy"), scenes["SGLI"].inputs
    refused = (inputs.kind == "lrc_negative") & ~scenes["SGLI"].masked.ravel()
    assert refused.any()
    assert (product.variables["rrs_flags"].ravel()[refused] == 2).all()
    for name in oracle_chain.IOPS:
        assert (product.variables[f"{name}_flags"].ravel()[refused] == 1).all()


def test_humidity_is_of_the_scope_check_only(products, scenes):
    """Without humidity there is no scope check, but Rrs and what follows it."""
    product, inputs = products("SGLI", "none", "numpy"), scenes["SGLI"].inputs
    dry = (inputs.kind == "humidity_nan") & ~scenes["SGLI"].masked.ravel()
    assert dry.any()
    assert (product.variables["aa_flags"].ravel()[dry] == 1).all()
    assert np.isfinite(product.values("aph", IOP_BANDS["SGLI"])[dry]).all()


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_scope_check_with_and_without_its_values(
    scenes, answers, ocsmart, tmp_path, write, engine
):
    """Written, Lrc is what aaNN reconstructs; either way its flags are, and others are the same."""
    scene, expected = scenes["SGLI"], answers["SGLI", "none"]
    config = configured(tmp_path, whole_chain("none", write_aa=write), ocsmart, engine=engine)
    product = Product.of(pipeline.process_scene(scene.path, config))
    bands = oracle_chain.LRC_BANDS["SGLI"]
    assert {f"Lrc_{nm}" in product.variables for nm in bands} == {write}
    assert "aa_flags" in product.variables
    if write:
        found = product.values("Lrc", bands)
        assert_values(found, expected.reconstructed, scene.masked, ENGINES[engine])
    found = product.values("bp", IOP_BANDS["SGLI"])
    assert_values(found, expected.iops["bp"], scene.masked, ENGINES[engine])


def test_intermediate_values_need_not_be_written(scenes, answers, ocsmart, tmp_path):
    """Without Rrs in the product, aph is the same and names the flags of both networks."""
    scene, expected = scenes["MODIS-Aqua"], answers["MODIS-Aqua", "coastal"]
    networks = [choice("rrs", gains="coastal", write=False), choice("aph")]
    config = configured(tmp_path, networks, ocsmart)
    product = Product.of(pipeline.process_scene(scene.path, config))
    assert not [name for name in product.variables if name.startswith("Rrs_")]
    found = product.values("aph", IOP_BANDS["MODIS-Aqua"])
    assert_values(found, expected.iops["aph"], scene.masked, 1e-5)
    ancillary = product.attributes["aph_443"]["ancillary_variables"].split()
    assert ancillary == ["aph_flags", "rrs_flags", "quality_flags"]


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("humidity", [70.0, 4.0])
def test_humidity_as_a_stated_constant(scenes, ocsmart, tmp_path, sensor, humidity):
    """For scenes without it; the product records the number."""
    scene = scenes[sensor]
    path = oracle_chain.write_lrc_scene(tmp_path / "dry.nc", sensor, scene.inputs, SHAPE)
    rename(path, {"relative_humidity": "something_else"})
    plain = {k: v for k, v in MAPPING["plain"].items() if k != "relative_humidity"}
    config = configured(
        tmp_path,
        whole_chain("none", write_aa=True),
        ocsmart,
        mapping=MAPPING | {"plain": plain},
        constants={"relative_humidity": humidity},
    )
    made = pipeline.process_scene(path, config)
    product, expected = Product.of(made), scene.expected(ocsmart, "none", humidity)
    found = product.values("Lrc", oracle_chain.LRC_BANDS[sensor])
    assert_values(found, expected.reconstructed, scene.masked, 1e-5)
    for name, flags in expected.flags.items():
        wanted = np.where(scene.masked.ravel(), 0, flags)
        np.testing.assert_array_equal(product.variables[f"{name}_flags"].ravel(), wanted)
    with netCDF4.Dataset(made) as file:
        record = json.loads(file["processing_control/input_parameters"].configuration)
    assert record["science"]["constants"] == {"relative_humidity": humidity}


def test_no_constant_beside_the_scenes_own(scenes, ocsmart, tmp_path):
    """Which of the two would count is not guessed."""
    config = configured(tmp_path, [choice("aa")], ocsmart, constants={"relative_humidity": 70.0})
    with pytest.raises(SceneError, match="the scene has it already"):
        pipeline.process_scene(scenes["SGLI"].path, config)


def test_a_scene_without_humidity_is_told_about_constants(scenes, ocsmart, tmp_path):
    """The message names the quantity and science.constants."""
    path = oracle_chain.write_lrc_scene(tmp_path / "s.nc", "SGLI", scenes["SGLI"].inputs, SHAPE)
    rename(path, {"relative_humidity": "something_else"})
    plain = {k: v for k, v in MAPPING["plain"].items() if k != "relative_humidity"}
    config = configured(tmp_path, [choice("aa")], ocsmart, mapping=MAPPING | {"plain": plain})
    with pytest.raises(SceneError, match=r"needs relative_humidity.*science\.constants"):
        pipeline.process_scene(path, config)


@pytest.mark.parametrize(("sensor", "mode"), CASES)
def test_gains_are_recorded(products, sensor, mode):
    """With every number that was used, at the network that they follow, and nowhere else."""
    networks = products(sensor, mode, "numpy").networks
    assert {networks[name]["gains"] for name in ("aa", *oracle_chain.IOPS)} == {"none"}
    assert {network["input_gains"] for network in networks.values()} == {"none"}
    if mode == "none":
        assert networks["rrs"]["gains"] == "none"
        return
    recorded = json.loads(networks["rrs"]["gains"])
    kinds = ("open", "coastal") if mode == "ocsmart" else (mode,)
    expected = {kind: oracle_chain.gains(sensor, kind).tolist() for kind in kinds}
    assert recorded == {"mode": mode, **expected}


def test_sources_are_recorded(products):
    """Which band of the scene or which network each input came from."""
    networks = products("MODIS-Aqua", "ocsmart", "numpy").networks
    sources = {
        name: [entry["source"] for entry in json.loads(network["inputs"])]
        for name, network in networks.items()
    }
    lrc = [f"Lrc_{nm}" for nm in oracle_chain.LRC_BANDS["MODIS-Aqua"]]
    angles = ["solar_zenith", "sensor_zenith", "relative_azimuth"]
    assert sources["aa"] == [*angles, *lrc, "relative_humidity"]
    assert sources["rrs"] == [*angles, *lrc]
    rrs = [f"rrs: Rrs_{nm}" for nm in oracle_chain.RRS_BANDS["MODIS-Aqua"]]
    assert all(sources[name] == rrs for name in oracle_chain.IOPS)


def modis_rrs(scene) -> tuple[np.ndarray, np.ndarray]:
    """Rrs of the eight bands (pixels, bands) and where LAND or CLDICE masks."""
    with netCDF4.Dataset(scene) as file:
        file.set_auto_maskandscale(False)
        bands = [
            oracle._decode_variable(file[f"geophysical_data/Rrs_{nm}"])[0].ravel()
            for nm in oracle_chain.RRS_BANDS["MODIS-Aqua"]
        ]
        bits = oracle.flag_bits(file["geophysical_data/l2_flags"])
        flags = file["geophysical_data/l2_flags"][:].view(np.uint32)
    return np.stack(bands, axis=1), (flags & (bits["LAND"] | bits["CLDICE"])) != 0


@pytest.mark.parametrize("mode", ["none", "open", "coastal", "ocsmart"])
@pytest.mark.parametrize("engine", ENGINES)
def test_input_gains_on_a_real_scene(modis_scene, ocsmart, tmp_path, mode, engine):
    """Rrs of NASA's processor times the gains, then aph: every value and every bit."""
    network = choice("aph", input_gains=mode)
    config = configured(tmp_path, [network], ocsmart, engine=engine, reader={}, output={})
    product = Product.of(pipeline.process_scene(modis_scene, config))
    rrs, masked = modis_rrs(modis_scene)
    positive = (rrs > 0).all(axis=1) & ~masked.ravel()
    gained = np.full(rrs.shape, np.nan)
    gained[positive] = oracle_chain.apply_gains(rrs[positive], "MODIS-Aqua", mode)
    path = ocsmart / "MODIS-Aqua_aphNN.h5"
    y, flags, _ = oracle_chain._evaluate(path, gained)
    found = product.values("aph", IOP_BANDS["MODIS-Aqua"])
    compared = oracle.compare(found, 10.0**y)
    assert compared.finite_masks_agree
    assert compared.n == 15_326 * 7
    assert compared.maximum <= 1e-4
    set_bits = product.variables["aph_flags"].ravel()[positive]
    np.testing.assert_array_equal(set_bits, flags[positive])
    record = product.networks["aph"]
    assert record["gains"] == "none"
    if mode == "none":
        assert record["input_gains"] == "none"
    else:
        assert json.loads(record["input_gains"])["mode"] == mode


def test_input_gains_change_the_product(modis_scene, ocsmart, tmp_path):
    """Products with and without gains have other keys, ids and values."""
    made = []
    for mode in ("none", "coastal"):
        network = choice("aph", input_gains=mode)
        config = configured(tmp_path / mode, [network], ocsmart, reader={}, output={})
        with netCDF4.Dataset(pipeline.process_scene(modis_scene, config)) as file:
            made.append((file.id, file["processing_control"].key, file["aph_443"][:].sum()))
    assert all(one != other for one, other in zip(*made, strict=True))


REFUSED = {
    "two sensors": (
        [choice("rrs"), {"name": "aph", "file": "MODIS-Aqua_aphNN.h5"}],
        NetworkError,
        "MODIS-Aqua_aphNN.h5 was trained for MODIS-Aqua, but the scene is from SGLI",
    ),
    "two sensors, allowed": (
        [
            choice("rrs"),
            {"name": "aph", "file": "MODIS-Aqua_aphNN.h5", "allow_other_sensor": True},
        ],
        NetworkError,
        "Choose networks of the same sensor",
    ),
    "gains on optical properties": (
        [choice("rrs"), choice("aph", gains="coastal")],
        ConfigError,
        "network aph: gains: coastal",
    ),
    "gains on the scope check": (
        [choice("aa", gains="open")],
        ConfigError,
        "network aa: gains: open",
    ),
    "input gains on Lrc": (
        [choice("rrs", input_gains="open")],
        ConfigError,
        "network rrs: input_gains: open",
    ),
    "input gains on another network's Rrs": (
        [choice("rrs"), choice("aph", input_gains="ocsmart")],
        ConfigError,
        "network aph: input_gains: ocsmart",
    ),
    "no such gains": ([choice("rrs", gains="auto")], ConfigError, "gains"),
    "one variable twice": (
        [choice("rrs"), choice("rrs") | {"name": "again"}],
        ConfigError,
        "Rrs_380",
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_chain_that_makes_no_sense_is_refused(scenes, ocsmart, tmp_path, reason):
    """Before a pixel is read, in words that name the network."""
    networks, error, words = REFUSED[reason]
    with pytest.raises(error, match=words):
        pipeline.process_scene(scenes["SGLI"].path, configured(tmp_path, networks, ocsmart))
    assert not list(tmp_path.glob("*.nc"))


def test_a_network_before_the_one_it_needs_has_no_input(scenes, ocsmart, tmp_path):
    """The order of the configuration counts: the scene has no Rrs by itself."""
    networks = [choice("aph"), choice("rrs")]
    with pytest.raises(SceneError, match="the scene has no Rrs"):
        pipeline.process_scene(scenes["SGLI"].path, configured(tmp_path, networks, ocsmart))


@pytest.fixture(scope="module")
def both(scenes, tmp_path_factory):
    """A scene that has Lrc and an Rrs of its own, the same spectrum everywhere."""
    path = tmp_path_factory.mktemp("both") / "both.nc"
    inputs = scenes["SGLI"].inputs
    oracle_chain.write_lrc_scene(path, "SGLI", inputs, SHAPE)
    spectrum = (0.004, 0.005, 0.006, 0.007, 0.005, 0.004, 0.001)
    with netCDF4.Dataset(path, "a") as file:
        for nm, value in zip(oracle_chain.RRS_BANDS["SGLI"], spectrum, strict=True):
            variable = file.createVariable(f"Rrs_{nm}", "f4", ("y", "x"), fill_value=-1.0)
            variable.units = "sr-1"
            variable[:] = value
    spectral = [*MAPPING["spectral"], {"quantity": "Rrs", "variables": r"Rrs_(\d+)"}]
    return path, MAPPING | {"spectral": spectral}, np.array([spectrum], np.float32)


def test_order_decides_where_rrs_is_taken_from(both, scenes, answers, ocsmart, tmp_path):
    """Before rrsNN the scene's Rrs is taken, after it the network's."""
    path, mapping, spectrum = both
    masked = scenes["SGLI"].masked
    rrs = choice("rrs", write=False)
    networks = [choice("aph"), rrs, choice("bbp")]
    config = configured(tmp_path, networks, ocsmart, mapping=mapping)
    product = Product.of(pipeline.process_scene(path, config))
    before = product.values("aph", IOP_BANDS["SGLI"])[~masked.ravel()]
    expected = oracle.forward(ocsmart / "SGLI_aphNN.h5", spectrum)
    np.testing.assert_allclose(before, np.repeat(expected, len(before), axis=0), rtol=1e-6)
    after = product.values("bbp", IOP_BANDS["SGLI"])
    assert_values(after, answers["SGLI", "none"].iops["bbp"], masked, 1e-5)
    inputs = {name: json.loads(n["inputs"]) for name, n in product.networks.items()}
    assert inputs["aph"][0]["source"] == "Rrs_380"
    assert inputs["bbp"][0]["source"] == "rrs: Rrs_380"


def test_input_gains_are_for_rrs_of_the_scene(both, ocsmart, tmp_path):
    """The scene's own Rrs takes them even where a later network makes Rrs."""
    path, mapping, spectrum = both
    networks = [choice("aph", input_gains="coastal"), choice("rrs", write=False)]
    config = configured(tmp_path, networks, ocsmart, mapping=mapping)
    product = Product.of(pipeline.process_scene(path, config))
    gained = oracle_chain.apply_gains(spectrum, "SGLI", "coastal")
    expected = oracle.forward(ocsmart / "SGLI_aphNN.h5", gained)
    found = product.values("aph", IOP_BANDS["SGLI"])
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)


def test_the_nearest_network_before_counts(scenes, answers, ocsmart, tmp_path):
    """Of two that make Rrs, with and without gains, each follower takes the one before it."""
    scene = scenes["MODIS-Aqua"]
    networks = [
        choice("rrs", write=False),
        choice("aph"),
        choice("rrs", gains="open", write=False) | {"name": "gained"},
        choice("bbp"),
    ]
    product = Product.of(
        pipeline.process_scene(scene.path, configured(tmp_path, networks, ocsmart))
    )
    for name, mode in (("aph", "none"), ("bbp", "open")):
        expected = answers["MODIS-Aqua", mode].iops[name]
        found = product.values(name, IOP_BANDS["MODIS-Aqua"])
        assert_values(found, expected, scene.masked, 1e-5)


def test_the_scope_check_feeds_no_other_network(products, answers, scenes):
    """Although aaNN stands before rrsNN and makes Lrc, rrsNN is given the scene's."""
    networks = products("SGLI", "none", "numpy").networks
    sources = [entry["source"] for entry in json.loads(networks["rrs"]["inputs"])]
    assert not [source for source in sources if source.startswith("aa")]


def test_blocks_and_threads_leave_no_trace(scenes, ocsmart, tmp_path, monkeypatch):
    """Chains, too: one thread and two give the same bytes, other blocks the same bits."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    files = []
    for threads in (1, 2):
        networks = whole_chain("ocsmart")
        config = configured(tmp_path / str(threads), networks, ocsmart, engine="tensorflow")
        config["execution"]["threads"] = threads
        files.append(pipeline.process_scene(scenes["MODIS-Aqua"].path, config))
    assert files[0].read_bytes() == files[1].read_bytes()
    config = configured(tmp_path / "whole", whole_chain("ocsmart"), ocsmart, engine="tensorflow")
    config["science"]["output"] = {"chunk": [512, 512]}
    whole = Product.of(pipeline.process_scene(scenes["MODIS-Aqua"].path, config)).variables
    for name, values in Product.of(files[0]).variables.items():
        np.testing.assert_array_equal(values, whole[name], err_msg=name)


@pytest.mark.parametrize("method", ["sigma_points", "jacobian"])
def test_uncertain_lrc_reaches_the_end_of_the_chain(method, scenes, ocsmart, tmp_path):
    """0.2 % of Lrc, gains in between: within a quarter of what 1000 draws give, on the median."""
    scene, mode = scenes["MODIS-Aqua"], "ocsmart"
    networks = [choice("rrs", gains=mode), choice("aph")]
    stated = {"inputs": {"Lrc": {"relative": 0.002}}, "method": method}
    product = pipeline.process_scene(
        scene.path, configured(tmp_path, networks, ocsmart, uncertainty=stated)
    )
    with netCDF4.Dataset(product) as file:
        found = np.ma.filled(file["aph_443_unc"][...], np.nan).ravel()
        value = np.ma.filled(file["aph_443"][...], np.nan).ravel()
        flags = (file["aph_flags"][...] | file["rrs_flags"][...]).ravel()
        assert np.isfinite(np.ma.filled(file["Rrs_443_unc"][...], np.nan)).any()
    x, drawn = scene.inputs, np.random.default_rng(9)
    pixels = np.flatnonzero(np.isfinite(found) & np.isfinite(value) & (flags == 0))[:25]
    assert pixels.size == 25
    away = []
    for pixel in pixels:
        noise = 1 + 0.002 * drawn.standard_normal((1000, x.lrc.shape[1]))
        angles = [
            np.full(1000, each[pixel])
            for each in (x.solar_zenith, x.sensor_zenith, x.relative_azimuth)
        ]
        humidity = np.full(1000, x.relative_humidity[pixel])
        made = oracle_chain.run_chain(
            ocsmart, scene.sensor, *angles, x.lrc[pixel] * noise, humidity, mode
        )
        with np.errstate(all="ignore"):
            logs = np.log10(made.iops["aph"][:, 1])
        away.append(abs(found[pixel] / np.nanstd(logs) - 1))
    assert np.median(away) < 0.25
