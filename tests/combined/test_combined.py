"""Derived, chosen and blended products against an oracle that computes them by itself.

The oracle evaluates the networks in float64, decides pixel by pixel in a loop, and propagates
uncertainties by its own derivatives.
"""

import json
import math

import netCDF4
import numpy as np
import oracle
import pytest
import yaml
from batches import run
from obpg_miniature import LAND, counts_of, write_obpg_l2
from small_network import BANDS, write_network
from small_runs import flag_bit, numbers, run_settings

import pipeline
from pipeline.config import load_config
from pipeline.errors import ConfigError, NetworkError
from pipeline.process import plan_scene
from pipeline.proof import rerun_product
from pipeline.run.plan_text import plan_lines
from pipeline.verify import verify_product

pytestmark = pytest.mark.quick

SHAPE = (9, 11)
ENGINES = ("numpy", "onnxruntime", "tensorflow")
CLASSES = ("clear", "green", "turbid")
MISSING, NOT_POSITIVE, INPUT_OUT, OUTPUT_OUT = 1, 2, 4, 8
LIMITS = (0.8, 1.4)
PRODUCTS = {
    "derived": {
        "index": {"expression": "one - two_aph_443 - 0.4 * Rrs_488", "units": "m-1"},
        "tenfold": {"expression": "10 * mix", "units": "m-1", "spans_decades": True},
    },
    "choose": {
        "best": {
            "from": ["one", "two", "mix"],
            "where": {
                "one": "not one.input_out_of_range and one > 0.02",
                "two": "two < 0.2 and solar_zenith < 60",
            },
        },
    },
    "blend": {
        "mix": {
            "by": {"index": "Rrs_443 / Rrs_412", "limits": list(LIMITS)},
            "of": {"below": "one", "above": "two"},
        },
        "types": {"by": "water_type", "of": {"clear": "one", "green": "two", "turbid": "three"}},
    },
}


@pytest.fixture
def spectra():
    """Rrs (pixels, bands): usual ones, some out of range, some with a band that is not positive."""
    drawn = np.random.default_rng(5)
    rrs = 10 ** drawn.uniform(-3.2, -1.8, (SHAPE[0] * SHAPE[1], len(BANDS)))
    rrs[::10, 0] = -0.0004
    rrs[3::10, 2] = 0.0
    return rrs


@pytest.fixture
def scene(tmp_path, spectra):
    flags = np.zeros(SHAPE, np.int32)
    flags[-1, -1] = LAND
    counts = {nm: counts_of(spectra[:, i].reshape(SHAPE)) for i, nm in enumerate(BANDS)}
    return write_obpg_l2(tmp_path / "scene.nc", counts, flags=flags)


@pytest.fixture
def files(tmp_path):
    """Three networks for aph, of which the third takes only two bands, and one for classes."""
    ranges = {"norm_in": np.tile([-3.0, -1.9], (3, 1))}
    made = {
        "one": write_network(tmp_path / "one.h5", seed=1, outputs=("aph",), **ranges),
        "two": write_network(tmp_path / "two.h5", seed=2, outputs=("aph",)),
        "three": write_network(tmp_path / "three.h5", seed=3, outputs=("aph",)),
        "kinds": tmp_path / "kinds.yaml",
    }
    np.savetxt(tmp_path / "kernel.csv", 3 * np.eye(3), delimiter=",")
    np.savetxt(tmp_path / "bias.csv", np.zeros((1, 3)), delimiter=",")
    inputs = [
        {"quantity": "Rrs", "wavelength_nm": nm, "units": "sr-1", "transform": "none",
         "scaling": "minmax", "range": [0.0, 0.01]}
        for nm in BANDS
    ]  # fmt: skip
    layers = [{"kernel": "kernel.csv", "bias": "bias.csv", "activation": "softmax"}]
    described = {"schema": 1, "name": "kinds", "sensors": ["MODIS-Aqua"], "inputs": inputs,
                 "classes": {"quantity": "water_type", "names": list(CLASSES)},
                 "layers": layers}  # fmt: skip
    made["kinds"].write_text(yaml.safe_dump(described))
    return made


def settings(folder, files, products=PRODUCTS, **science):
    networks = [
        {"name": name, "file": str(path), "allow_other_sensor": True}
        | ({} if name == "kinds" else {"prefix": f"{name}_"})
        for name, path in files.items()
    ]
    masks = {"flags": ["LAND"]}
    return run_settings(
        folder, folder, networks=networks, masks=masks, constants={"solar_zenith": 40.0},
        **products, **science,
    )  # fmt: skip


def write_crew(tmp_path):
    """An ensemble of three networks for aph."""
    folder = tmp_path / "crew"
    folder.mkdir()
    members = [
        write_network(folder / f"m{i}.h5", seed=20 + i, outputs=("aph",)).name for i in range(3)
    ]
    path = folder / "crew.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "name": "crew", "members": members}))
    return path


class Oracle:
    """Values and flags of all products, computed pixel by pixel in float64."""

    def __init__(self, rrs, files, stored):
        self.rrs = rrs
        self.land = np.zeros(SHAPE, bool).ravel()
        self.land[-1] = True
        self.files = files
        with np.errstate(all="ignore"):
            self.values = {n: self._network(n, rrs) for n in ("one", "two", "three")}
        self.flags = {n: stored[f"{n}_flags"].ravel() for n in files}
        self.probabilities = self._classes(rrs)

    def _network(self, name, rrs):
        values = oracle.forward(self.files[name], rrs)[:, 0]
        return np.where((rrs > 0).all(axis=1), values, np.nan)

    @staticmethod
    def _classes(rrs):
        scaled = 3 * (2 * rrs / 0.01 - 1)
        odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def mix(self, rrs=None, one=None, two=None):
        rrs = self.rrs if rrs is None else rrs
        one, two = (self.values["one"], self.values["two"]) if one is None else (one, two)
        made = []
        for spectrum, a, b in zip(rrs, one, two, strict=True):
            share = min(
                max((spectrum[1] / spectrum[0] - LIMITS[0]) / (LIMITS[1] - LIMITS[0]), 0), 1
            )
            mean = (1 - share) * math.log10(a) + share * math.log10(b)
            made.append(10**mean)
        return np.array(made)

    def mix_flags(self):
        found = []
        for i, spectrum in enumerate(self.rrs):
            share = (spectrum[1] / spectrum[0] - LIMITS[0]) / (LIMITS[1] - LIMITS[0])
            flags = self.flags["one"][i] if share < 0.999 else 0
            flags |= self.flags["two"][i] if share > 0.001 else 0
            found.append(flags | (MISSING if np.isnan(self.mix()[i]) else 0))
        return np.array(found)

    def best(self):
        """Value, flags and number of the candidate of each pixel."""
        mixed, mixed_flags, rows = self.mix(), self.mix_flags(), []
        for i in range(len(self.rrs)):
            one, two = self.values["one"][i], self.values["two"][i]
            if one > 0.02 and not self.flags["one"][i] & INPUT_OUT:
                rows.append((one, self.flags["one"][i], 1))
            elif two < 0.2:
                rows.append((two, self.flags["two"][i], 2))
            elif np.isfinite(mixed[i]):
                rows.append((mixed[i], mixed_flags[i], 3))
            else:
                rows.append((np.nan, MISSING, 0))
        return [np.array(column) for column in zip(*rows, strict=True)]

    def types(self):
        values, flags = [], []
        for i in range(len(self.rrs)):
            weights = self.probabilities[i]
            terms = [self.values[n][i] for n in ("one", "two", "three")]
            mean = sum(w * math.log10(t) for w, t in zip(weights, terms, strict=True))
            values.append(10**mean)
            bits = self.flags["kinds"][i] | (MISSING if math.isnan(mean) else 0)
            for weight, name in zip(weights, ("one", "two", "three"), strict=True):
                bits |= self.flags[name][i] if weight >= 0.001 else 0
            flags.append(bits)
        return np.array(values), np.array(flags)


def decoded(scene):
    """Rrs of the scene in float64, with shape (pixels, bands)."""
    opened = pipeline.open_scene(scene)["Rrs"].transpose("y", "x", ...)
    return opened.values.reshape(-1, len(BANDS)).astype(float)


def assert_values(found, expected, land, rtol):
    found = np.where(found.ravel() == -32767, np.nan, found.ravel())
    np.testing.assert_allclose(found[~land], expected[~land], rtol=rtol, atol=1e-7)
    assert np.isnan(found[land]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_values_and_flags_equal_the_oracle(scene, files, tmp_path, engine):
    """Every product, in every engine; flags and choices are equal, without any tolerance."""
    config = settings(tmp_path, files, engine=engine)
    stored = numbers(pipeline.process_scene(scene, config))
    truth = Oracle(decoded(scene), files, stored)
    land, rtol = truth.land, 5e-6 if engine == "numpy" else 1e-4
    mix, (best, best_flags, taken), (types, types_flags) = truth.mix(), truth.best(), truth.types()
    index = truth.values["one"] - truth.values["two"] - 0.4 * truth.rrs[:, 2]
    assert_values(stored["mix"], mix, land, rtol)
    assert_values(stored["tenfold"], 10 * mix, land, rtol)
    assert_values(stored["best"], best, land, rtol)
    assert_values(stored["types"], types, land, rtol)
    found = np.where(stored["index"] == -32767, np.nan, stored["index"]).ravel()
    size = np.abs(truth.values["one"]) + np.abs(truth.values["two"])
    assert np.nanmax(np.abs(found - index)[~land] / size[~land]) < rtol
    expected = {"mix": truth.mix_flags(), "best": best_flags, "types": types_flags}
    for name, flags in expected.items():
        np.testing.assert_array_equal(stored[f"{name}_flags"].ravel()[~land], flags[~land], name)
    np.testing.assert_array_equal(stored["best_from"].ravel()[~land], taken[~land])
    assert set(taken) == {0, 1, 2, 3}
    joined = truth.flags["one"] | truth.flags["two"] | np.where(np.isnan(index), MISSING, 0)
    np.testing.assert_array_equal(stored["index_flags"].ravel()[~land], joined[~land])
    for name in expected:
        assert (stored[f"{name}_flags"].ravel()[land] == 0).all()


def test_one_class_with_probability_one_gives_its_network(scene, files, tmp_path):
    """Bit for bit, although the other networks have other values."""
    np.savetxt(tmp_path / "bias.csv", [[0.0, 1000.0, 0.0]], delimiter=",")
    stored = numbers(pipeline.process_scene(scene, settings(tmp_path, files)))
    np.testing.assert_array_equal(stored["types"], stored["two_aph_443"])


def test_a_network_without_weight_may_be_missing(scene, files, tmp_path):
    """Where the third network has no value, the blend has one if the network does not count."""
    np.savetxt(tmp_path / "bias.csv", [[40.0, 40.0, 0.0]], delimiter=",")
    for seed, name in enumerate(("one", "two")):  # these take values below zero
        files[name] = write_network(
            tmp_path / f"{name}_none.h5",
            seed=seed,
            outputs=("aph",),
            transform="none",
            norm_in=np.tile([0.0, 0.01], (3, 1)),
        )
    stored = numbers(pipeline.process_scene(scene, settings(tmp_path, files)))
    lost = (stored["three_flags"] & NOT_POSITIVE).astype(bool)
    kept = lost & ((stored["one_flags"] | stored["two_flags"]) & NOT_POSITIVE == 0)
    assert kept.any()
    assert (stored["types"][kept] != -32767).all()
    assert (stored["types_flags"][kept] & NOT_POSITIVE == 0).all()


@pytest.mark.parametrize("method", ["sigma_points", "jacobian"])
def test_uncertainties_equal_the_oracle(scene, files, tmp_path, method):
    """Errors of the bands, through networks and combinations, by the oracle's own derivatives."""
    share = 0.002  # small, so that the linear approximation holds for sigma points too
    config = settings(tmp_path, files)
    config["science"]["uncertainty"] = {
        "inputs": {"Rrs": {"relative": share, "constant": 0.0}}, "method": method,
    }  # fmt: skip
    stored = numbers(pipeline.process_scene(scene, config))
    rrs = decoded(scene)
    truth = Oracle(rrs, files, stored)
    taken = truth.best()[2]

    def all_of(spectra):
        with np.errstate(all="ignore"):
            one, two, three = (truth._network(n, spectra) for n in ("one", "two", "three"))
            mix = truth.mix(spectra, one, two)
            best = np.choose(taken, [np.full(len(one), np.nan), one, two, mix])
            logs = np.log10(np.stack([one, two, three], axis=1))
            types = (truth.probabilities * logs).sum(axis=1)
            index = one - two - 0.4 * spectra[:, 2]
            return {"mix": np.log10(mix), "tenfold": np.log10(10 * mix), "best": np.log10(best),
                    "types": types, "index": index}  # fmt: skip

    squares = {}
    for band in range(3):
        step = np.zeros_like(rrs)
        step[:, band] = 1e-6 * np.abs(rrs[:, band])
        above, below = all_of(rrs + step), all_of(rrs - step)
        for name in above:
            slope = (above[name] - below[name]) / (2 * step[:, band])
            squares[name] = squares.get(name, 0) + (slope * share * rrs[:, band]) ** 2
    ratio = rrs[:, 1] / rrs[:, 0]
    kinks = np.abs(ratio - LIMITS[0]) + 0 < 0.02
    kinks |= np.abs(ratio - LIMITS[1]) < 0.02
    for name, expected in squares.items():
        found = np.where(stored[f"{name}_unc"] == -32767, np.nan, stored[f"{name}_unc"]).ravel()
        use = ~truth.land & ~kinks & np.isfinite(expected)
        assert use.sum() > 40
        np.testing.assert_allclose(found[use], np.sqrt(expected)[use], rtol=0.03, err_msg=name)
        np.testing.assert_array_equal(
            np.isfinite(found)[~truth.land], np.isfinite(expected)[~truth.land]
        )


def test_the_product_says_how_and_is_verified(scene, files, tmp_path):
    """Record, attributes, class values; verify recomputes every pixel, with masks by results."""
    config = settings(tmp_path, files, engine="onnxruntime")
    config["science"]["masks"]["results"] = [{"name": "high", "where": "best > 0.3"}]
    product = pipeline.process_scene(scene, config)
    with netCDF4.Dataset(product) as file:
        said = file["processing_control/combined/best"]
        words = "one where not one.input_out_of_range and one > 0.02"
        assert said.computed_as.startswith(f"first of {words}, two where two < 0.2")
        assert json.loads(said.inputs)[0]["source"] == "one: aph_443"
        assert file["best"].source.startswith("chosen product first of one where")
        assert file["best"].ancillary_variables.split()[:2] == ["best_flags", "one_flags"]
        assert file["best_from"].flag_meanings == "one two mix"
        assert file["best_from"].flag_values.tolist() == [1, 2, 3]
        assert file["index"].units == "m-1"
        assert set(file["processing_control/networks"].groups) == set(files)
    findings = list(verify_product(product, scenes=[scene], network_dirs=[tmp_path], sample=None))
    assert all(finding.passed for finding in findings), findings
    with netCDF4.Dataset(product, "a") as file:
        file["best"][2, 2] = 0.1234
    findings = verify_product(product, scenes=[scene], network_dirs=[tmp_path], sample=None)
    assert any("best" in finding.text for finding in findings if not finding.passed)


def test_the_plan_shows_them(scene, files, tmp_path):
    """A dry run prints what is computed from what, in an order in which this is possible."""
    text = "\n".join(plan_lines(plan_scene(scene, load_config(settings(tmp_path, files)))))
    assert "combined  tenfold: 10 * mix" in text
    assert text.index("combined  mix") < text.index("combined  best")
    assert "turbid <- kinds: probability of turbid" in text.replace("water_type_", "").replace(
        "kinds_", ""
    )


def test_lazy_products_are_equal(scene, files, tmp_path):
    """``apply`` gives the numbers of the product."""
    config = settings(tmp_path, files)
    stored = numbers(pipeline.process_scene(scene, config))
    lazy = pipeline.apply(scene, config)
    for name in ("index", "best", "mix", "types", "tenfold"):
        found = np.nan_to_num(lazy[name].values, nan=-32767)
        np.testing.assert_array_equal(found, stored[name], name)
    np.testing.assert_array_equal(lazy["best_from"].values, stored["best_from"])


REFUSED = {
    "unknown name": (
        {"derived": {"p": {"expression": "one + tow", "units": "1"}}},
        r"unknown name 'tow'; did you mean two",
    ),
    "a condition": (
        {"derived": {"p": {"expression": "one > 1", "units": "1"}}},
        "expected a number",
    ),
    "no name": (
        {"derived": {"p": {"expression": "1 + 1", "units": "1"}}},
        "the same for all pixels",
    ),
    "syntax": ({"derived": {"p": {"expression": "one +", "units": "1"}}}, "is not an expression"),
    "a call": (
        {"derived": {"p": {"expression": "one.__class__() + one", "units": "1"}}},
        "not allowed",
    ),
    "a circle": (
        {
            "derived": {
                "p": {"expression": "q", "units": "1"},
                "q": {"expression": "p", "units": "1"},
            }
        },
        "in a circle",
    ),
    "itself": ({"derived": {"p": {"expression": "p + 1", "units": "1"}}}, "in a circle"),
    "unknown candidate": ({"choose": {"p": {"from": ["one", "four"]}}}, "'four' is not an output"),
    "no condition": (
        {"choose": {"p": {"from": ["one"], "where": {"one": "one + 1"}}}},
        "not a condition",
    ),
    "no candidate": (
        {"choose": {"p": {"from": ["one"], "where": {"two": "two > 1"}}}},
        "has a condition for two",
    ),
    "no classifier": (
        {"blend": {"p": {"by": "one", "of": {"a": "one", "b": "two"}}}},
        "is not a network with classes",
    ),
    "other classes": (
        {"blend": {"p": {"by": "water_type", "of": {"clear": "one", "b": "two"}}}},
        "has clear, green, turbid",
    ),
    "limits": (
        {
            "blend": {
                "p": {
                    "by": {"index": "one", "limits": [2, 1]},
                    "of": {"below": "one", "above": "two"},
                }
            }
        },
        "smaller limit first",
    ),
    "other units": (
        {
            "derived": {"q": {"expression": "one", "units": "1"}},
            "choose": {"p": {"from": ["one", "q"]}},
        },
        "of the same kind",
    ),
    "a name twice": (
        {"derived": {"one": {"expression": "two", "units": "1"}}},
        "the name one appears twice",
    ),
    "a name of two things": (
        {
            "derived": {
                "one_input_missing": {"expression": "two", "units": "1"},
                "p": {"expression": "one_input_missing + one", "units": "1"},
            }
        },
        "has several meanings",
    ),
    "a variable twice": (
        {"derived": {"one_aph_443": {"expression": "two", "units": "1"}}},
        "same name",
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_makes_no_sense_is_refused(scene, files, tmp_path, reason):
    """Before a pixel is read, in words that name the product."""
    products, words = REFUSED[reason]
    with pytest.raises((ConfigError, NetworkError), match=words):
        pipeline.process_scene(scene, settings(tmp_path, files, products))
    assert not list(tmp_path.glob("out/*.nc"))


def test_an_output_of_several_must_be_named(scene, files, tmp_path):
    """The message lists the outputs."""
    files["pair"] = write_network(tmp_path / "pair.h5", seed=9)
    products = {"choose": {"p": {"from": ["pair"]}}}
    with pytest.raises(ConfigError, match="pair_aph_443, pair_adg_443"):
        pipeline.process_scene(scene, settings(tmp_path, files, products))
    products = {"choose": {"p": {"from": ["pair_adg_443"]}}}
    stored = numbers(pipeline.process_scene(scene, settings(tmp_path, files, products)))
    np.testing.assert_array_equal(stored["p"], stored["pair_adg_443"])


def test_doubt_of_a_band_is_inherited(scene, files, tmp_path):
    """The flag input_uncertain, also of a network that is not written."""
    config = settings(tmp_path, files)
    config["science"]["networks"][0]["write"] = False
    config["science"]["uncertainty"] = {"inputs": {"Rrs": {"relative": 0.0, "constant": 0.0005}}}
    product = pipeline.process_scene(scene, config)
    stored = numbers(product)
    assert "one_aph_443" not in stored
    one, two = (flag_bit(product, f"{name}_flags", "input_uncertain") for name in ("one", "two"))
    assert one.any()
    assert not one.all()
    computed = stored["index"] != -32767
    doubtful = flag_bit(product, "index_flags", "input_uncertain")
    np.testing.assert_array_equal(doubtful[computed], (one | two)[computed])
    best = flag_bit(product, "best_flags", "input_uncertain")
    first = stored["best_from"] == 1
    np.testing.assert_array_equal(best[first], one[first])
    assert (stored["best_unc"][first] > 0).all()


@pytest.mark.parametrize("product", ["mix", "best", "tenfold"])
def test_spread_of_an_ensemble_is_carried(scene, tmp_path, files, product):
    """A chosen member keeps it, a blend weighs the squares, ten times the value adds nothing."""
    files["one"] = write_crew(tmp_path)
    stored = numbers(pipeline.process_scene(scene, settings(tmp_path, files)))
    own = stored["one_aph_443_unc"].ravel()
    found = stored[f"{product}_unc"].ravel()
    rrs = decoded(scene)
    if product == "best":
        first = stored["best_from"].ravel() == 1
        assert first.any()
        np.testing.assert_allclose(found[first], own[first], rtol=1e-6)
        second = stored["best_from"].ravel() == 2
        assert (found[second] == 0).all()
        return
    share = np.clip((rrs[:, 1] / rrs[:, 0] - LIMITS[0]) / (LIMITS[1] - LIMITS[0]), 0, 1)
    use = (found != -32767) & (own != -32767)
    np.testing.assert_allclose(found[use], ((1 - share) * own)[use], rtol=1e-3, atol=1e-7)


def test_spread_that_comes_by_two_ways_counts_once(scene, tmp_path, files):
    """The sum of an ensemble and its copy has twice the spread, their difference has none."""
    files["one"] = write_crew(tmp_path)
    texts = {"copy": "one * 1", "twice": "one + copy", "none": "one - copy", "double": "2 * one"}
    derived = {name: {"expression": text, "units": "m-1"} for name, text in texts.items()}
    stored = numbers(pipeline.process_scene(scene, settings(tmp_path, files, {"derived": derived})))
    use = stored["copy_unc"] != -32767
    assert use.any()
    for name, times in {"twice": 2, "double": 2, "none": 0}.items():
        found, own = stored[f"{name}_unc"][use], stored["copy_unc"][use]
        np.testing.assert_allclose(found, times * own, rtol=1e-4, atol=1e-9)
    decades = stored["one_aph_443_unc"][use] * stored["one_aph_443"][use] * math.log(10)
    np.testing.assert_allclose(stored["copy_unc"][use], decades, rtol=1e-4)


def test_a_batch_and_rerun_know_them(scene, files, tmp_path):
    """A batch makes the numbers of ``run``; ``rerun`` makes them again from the record."""
    config = settings(tmp_path, files)
    product = pipeline.process_scene(scene, config)
    config["execution"] = {"output": str(tmp_path / "batch"), "threads": 1}
    config["batch"] = {"settle": 0, "executor": "inline"}
    path = tmp_path / "batch.yaml"
    path.write_text(yaml.safe_dump(config))
    run("batch", path, scene)
    (other,) = (tmp_path / "batch").glob("*.nc")
    again = numbers(other)
    for name, values in numbers(product).items():
        np.testing.assert_array_equal(again[name], values, name)
    findings = rerun_product(product, scenes=[scene], network_dirs=[tmp_path])
    assert all(finding.passed for finding in findings)


def test_other_limits_are_another_product(scene, files, tmp_path):
    """All digits of the limits count."""
    marks = set()
    for high in (1.4, 1.4000000000000001, 1.4000001):
        blend = {
            "p": {
                "by": {"index": "Rrs_443 / Rrs_412", "limits": [0.8, high]},
                "of": {"below": "one", "above": "two"},
            }
        }
        config = load_config(settings(tmp_path, files, {"blend": blend}))
        marks.add(plan_scene(scene, config).steps[-1].retrieval.fingerprint)
    assert len(marks) == 3
