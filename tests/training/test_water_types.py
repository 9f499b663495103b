"""Water types from end to end: simulate, train the shipped recipe, run on a scene, look."""

import netCDF4
import numpy as np
import oracle
import pytest

import pipeline
from pipeline.config.training import TrainingConfig
from pipeline.evaluation.tables import to_text
from pipeline.networks.saving import save_network
from pipeline.simulation.simulation import simulate_samples
from pipeline.tables.writing import write_samples
from pipeline.training.evaluate import evaluate_part
from pipeline.training.recipe import load_recipe
from pipeline.training.train import train
from pipeline.writers.quicklook import draw_quicklook

BANDS = (412.0, 443.0, 488.0, 531.0, 547.0, 667.0, 678.0)
CLASSES = ("clear", "turbid", "phytoplankton", "cdom", "mixed")


class Silent:
    def epoch(self, _, __):
        pass


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The recipe with fewer samples and epochs: folder, configuration and what was trained."""
    folder = tmp_path_factory.mktemp("types")
    write_samples(folder / "modis.nc", simulate_samples(4000, BANDS))
    recipe = load_recipe("water_types", TrainingConfig).reading((folder / "modis.nc",))
    fit = recipe.fit.model_copy(update={"epochs": 8, "batch_size": 128})
    recipe = recipe.model_copy(update={"fit": fit})
    trained = train(recipe, Silent())
    save_network(folder / "water_types.h5", trained.network)
    return folder, recipe, trained


@pytest.fixture(scope="module")
def product(made, sample_scene):
    """The sample scene, by the network as saved."""
    folder, *_ = made
    config = {
        "name": "types",
        "science": {
            "networks": [{"name": "types", "file": str(folder / "water_types.h5")}],
            "masks": {"flags": ["LAND", "CLDICE"]},
            "engine": "numpy",
        },
        "execution": {"output": str(folder / "out")},
    }
    return pipeline.process_scene(sample_scene, config)


def test_it_tells_waters_apart(made):
    """Better than thresholds on what an algorithm gives, and than the most frequent class."""
    _, recipe, trained = made
    evaluation = evaluate_part(trained.network, recipe, trained.prepared, "test")
    own, thresholds, constant = evaluation.class_comparison
    assert own.metrics["accuracy"].value > 0.6
    assert own.metrics["mean_recall"].value > 0.55
    assert thresholds.model == "QAA v6 and the same rules"
    assert 0.3 < thresholds.metrics["accuracy"].value < own.metrics["accuracy"].value
    assert constant.metrics["mean_recall"].value == pytest.approx(0.2)
    assert "QAA v6 and the same rules" in to_text(evaluation)


def test_the_class_map_is_the_largest_of_an_independent_forward_pass(made, product, sample_scene):
    """On every pixel that is computed; the winning probability, too."""
    folder, *_ = made
    with netCDF4.Dataset(sample_scene) as file:
        file.set_auto_maskandscale(False)
        data = file["geophysical_data"]
        spectra = []
        for nm in (412, 443, 488, 547, 667):
            band = data[f"Rrs_{nm}"]
            value, _ = oracle.decode_int16(
                band[:], band.scale_factor, band.add_offset, band._FillValue,
                band.valid_min, band.valid_max,
            )  # fmt: skip
            spectra.append(value)
        bits = oracle.flag_bits(data["l2_flags"])
        masked = (data["l2_flags"][:].view(np.uint32) & (bits["LAND"] | bits["CLDICE"])) != 0
    x = np.stack(spectra, axis=-1)
    computed = (x > 0).all(axis=-1) & ~masked
    shares = oracle.class_probabilities(folder / "water_types.h5", x[computed])
    expected = np.zeros(computed.shape, dtype=np.uint8)
    expected[computed] = 1 + shares.argmax(axis=1)
    with netCDF4.Dataset(product) as file:
        file.set_auto_mask(False)
        classes = file["water_type"]
        assert classes.flag_meanings.split() == list(CLASSES)
        assert classes.flag_values.tolist() == [1, 2, 3, 4, 5]
        np.testing.assert_array_equal(classes[:], expected)
        probability = file["water_type_probability"]
        found = probability[:]
        np.testing.assert_allclose(found[computed], shares.max(axis=1), rtol=2e-5)
        assert (found[~computed] == probability._FillValue).all()
    assert computed.sum() > 80_000
    # The sea off the coast is clear, the mouths of the rivers are not.
    assert np.mean(expected[computed] == 1) > 0.5
    assert np.count_nonzero(expected == 2) > 1000


def test_the_picture_is_drawn(made, product):
    """A PNG of the map and its probability."""
    picture = draw_quicklook(product, made[0] / "types.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_no_dropout_is_left(made):
    """The recipe drops units while it learns; what is saved has three dense layers."""
    _, recipe, trained = made
    assert recipe.network.dropout > 0
    assert [layer.activation for layer in trained.network.layers] == ["tanh", "tanh", "softmax"]
