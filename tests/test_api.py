"""What a Python user sees first: names, and objects that show themselves on one screen."""

import html
import pickle
import subprocess
import sys

import pytest
from small_network import write_network

import pipeline
from pipeline.algorithms import algorithm
from pipeline.networks import Ensemble
from pipeline.process import plan_scene
from pipeline.product.reading import ProductFile

PUBLIC = {
    *("__version__", "apply", "load_config", "load_network", "load_retrieval", "make_plan"),
    *("map_scene", "open_scene", "plan_scene", "process_scene"),
}


@pytest.mark.quick
def test_the_package_shows_its_api_and_nothing_else():
    """Also after rooms were imported, which Python makes attributes of the package."""
    import pipeline.networks.reading

    assert pipeline.networks.reading is not None
    assert set(dir(pipeline)) == set(pipeline.__all__) == PUBLIC
    for name in PUBLIC - {"__version__"}:
        assert callable(getattr(pipeline, name))


@pytest.mark.quick
def test_a_name_that_does_not_exist_is_an_attribute_error():
    """As of any module."""
    with pytest.raises(AttributeError, match="'pipeline' has no attribute 'open_sceen'"):
        pipeline.open_sceen  # noqa: B018


def test_both_names_are_the_same_modules(tmp_path):
    """Whichever is imported first, from any folder: classes are equal and errors are caught."""
    program = """if True:
        {first}
        import ocpipe, pipeline, sys
        import ocpipe.networks.reading.library as one, pipeline.networks.reading.library as other
        from ocpipe.errors import SceneError
        assert ocpipe is pipeline and one is other
        assert SceneError is sys.modules["pipeline.errors"].SceneError
        assert other.__spec__.name == other.__name__ == "pipeline.networks.reading.library"
        try:
            ocpipe.open_scene("nothing.nc")
        except pipeline.errors.SceneError:
            print("caught")
    """
    for first in ("import ocpipe.readers", "import pipeline.readers"):
        done = subprocess.run(
            [sys.executable, "-c", program.format(first=first)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("caught\n", "")


def retrievals(folder):
    bands = tuple(range(400, 572))
    hyperspectral = pipeline.load_network(write_network(folder / "hyper.h5", bands=bands))
    members = [write_network(folder / f"m{seed}.h5", seed=seed) for seed in range(2)]
    networks = tuple(pipeline.load_network(member) for member in members)
    return [
        networks[0],
        hyperspectral,
        Ensemble.of(networks, name="mean of two"),
        algorithm("qaa_v6", sensor="MODIS-Aqua"),
    ]


@pytest.mark.quick
def test_a_retrieval_fits_on_a_screen(tmp_path):
    """Name, bands and source within 24 lines of 100 characters, and as a table in a notebook."""
    for retrieval in retrievals(tmp_path):
        lines = repr(retrieval).splitlines()
        assert len(lines) <= 24
        assert max(map(len, lines)) <= 100
        assert retrieval.name in lines[0]
        assert retrieval.shape_text in lines[0]
        assert any("Rrs" in line for line in lines)
        assert html.escape(retrieval.name) in retrieval._repr_html_()
    assert "172 bands, 400 to 571 nm" in repr(retrievals(tmp_path)[1])


@pytest.mark.quick
def test_a_plan_and_a_product_fit_on_a_screen(tmp_path, sample_scene, sample_networks):
    """Scene, networks and what is made of them; nothing of arrays or whole configurations."""
    science = {"networks": [{"name": "iops", "file": "demo_iops.h5"}]}
    execution = {"network_dirs": [str(sample_networks)], "output": str(tmp_path)}
    settings = {"name": "seen", "science": science, "execution": execution}
    plan = plan_scene(sample_scene, settings)
    with ProductFile(pipeline.process_scene(sample_scene, settings)) as product:
        for shown in (plan, product):
            lines = repr(shown).splitlines()
            assert len(lines) <= 24
            assert max(map(len, lines)) <= 100
            assert sample_scene.stem in lines[0]
            assert "421 lines x 339 pixels" in lines[0]
            assert any(line.split()[0] == "iops" and "aph_443" in line for line in lines)
            assert sample_scene.stem in shown._repr_html_()


@pytest.mark.quick
def test_what_a_file_says_cannot_write_into_a_notebook(tmp_path):
    """Text of a network file is escaped."""
    path = write_network(tmp_path / "x.h5", sensors=("<script>alert(1)</script>",))
    shown = pipeline.load_network(path)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.quick
def test_networks_travel_between_processes(tmp_path):
    """A pickled network gives the same numbers."""
    network = pipeline.load_network(write_network(tmp_path / "n.h5"))
    again = pickle.loads(pickle.dumps(network))
    x = [[0.004, 0.005, 0.003]]
    assert network.fingerprint == again.fingerprint
    assert (network.predict(x, "numpy") == again.predict(x, "numpy")).all()
