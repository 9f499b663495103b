"""Engines against the independent oracle, and the classic mistakes that must be caught."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import oracle
import pytest
from small_network import write_network

from pipeline.errors import ConfigError, NetworkError
from pipeline.networks import engines, load_network
from pipeline.networks.description import Layer, Network
from pipeline.networks.engines import ENGINES, get_engine, resolve_engine
from pipeline.networks.engines.numpy_engine import NumpyEngine

FILES = [
    f"{sensor}_{kind}.h5"
    for sensor in ("MODIS-Aqua", "SGLI")
    for kind in (
        "Lrc_aaNN",
        "Lrc_aodNN",
        "Lrc_rrsNN",
        "aphNN",
        "adgNN",
        "bbpNN",
        "apNN",
        "bpNN",
    )
]


FLOAT32 = ("onnxruntime", "tensorflow")


def test_auto_is_onnxruntime_without_a_gpu(monkeypatch):
    """And tensorflow where one is visible; nothing heavy is imported to find out."""
    monkeypatch.setattr(engines, "is_gpu_visible", lambda: False)
    assert resolve_engine("auto") == "onnxruntime"
    monkeypatch.setattr(engines, "is_gpu_visible", lambda: True)
    assert resolve_engine("auto") == "tensorflow"


@pytest.mark.parametrize("name", FILES)
def test_engines_equal_the_oracle(ocsmart, name):
    """20,000 in-range inputs of every kind: float64 to rounding, float32 to 1e-4."""
    x = oracle.random_inputs(ocsmart / name, 20_000, seed=7)
    expected = oracle.forward(ocsmart / name, x)
    network = load_network(ocsmart / name)
    assert np.max(np.abs(network.predict(x, "numpy") / expected - 1)) <= 1e-10
    for engine in FLOAT32:
        assert np.max(np.abs(network.predict(x, engine) / expected - 1)) <= 1e-4, engine


def test_there_are_sixteen_real_networks(ocsmart):
    """The list above is all there is."""
    assert sorted(FILES) == sorted(path.name for path in ocsmart.iterdir())


def _not_transposed(network: Network) -> Network:
    # The first kernel of this network is square, so no shape gives the mistake away.
    first = network.layers[0]
    assert first.kernel.shape[0] == first.kernel.shape[1]
    return _with_layer(network, 0, dataclasses.replace(first, kernel=first.kernel.T))


def _with_layer(network: Network, index: int, layer: Layer) -> Network:
    layers = list(network.layers)
    layers[index] = layer
    return dataclasses.replace(network, layers=tuple(layers))


def _relu_forward(network: Network, x: np.ndarray) -> np.ndarray:
    from pipeline.networks.activations import ACTIVATIONS

    with pytest.MonkeyPatch.context() as patch:
        relu = dataclasses.replace(ACTIVATIONS["tanh"], function=ACTIVATIONS["relu"].function)
        patch.setitem(ACTIVATIONS, "tanh", relu)
        return network.reference(x)


def _constant_initializer(network: Network) -> Network:
    # keras.initializers.Constant takes one value for the whole matrix.
    first = network.layers[0]
    constant = np.full_like(first.kernel, first.kernel.flat[0])
    return _with_layer(network, 0, dataclasses.replace(first, kernel=constant))


@pytest.mark.parametrize("mistake", [_not_transposed, _constant_initializer])
def test_wrong_kernels_do_not_equal_the_oracle(ocsmart, mistake):
    """An untransposed kernel or a Constant initializer gives plausible numbers, far off."""
    path = ocsmart / "SGLI_Lrc_aaNN.h5"
    x = oracle.random_inputs(path, 1000, seed=1)
    wrong = mistake(load_network(path)).reference(x)
    assert np.isfinite(wrong).all()
    assert np.max(np.abs(wrong / oracle.forward(path, x) - 1)) > 1e-2


def test_relu_does_not_equal_the_oracle(ocsmart):
    """ReLU in place of tanh gives plausible numbers, far off."""
    path = ocsmart / "SGLI_aphNN.h5"
    x = oracle.random_inputs(path, 1000, seed=1)
    wrong = _relu_forward(load_network(path), x)
    assert np.max(np.abs(wrong / oracle.forward(path, x) - 1)) > 1e-2


def test_keras_weights_are_kernels_transposed_and_flat_biases(ocsmart):
    """The rebuilt model's inner layers hold the file's kernels transposed, biases flattened."""
    import h5py

    from pipeline.networks.engines.keras_model import build_model

    path = ocsmart / "SGLI_aphNN.h5"
    model = build_model(load_network(path))
    with h5py.File(path) as file:
        for k in (2, 3, 4):  # scaling is folded into the first and the last
            kernel, bias = model.get_layer(f"layer_{k}").get_weights()
            np.testing.assert_array_equal(kernel, file[f"Weights/Layer{k}"][:].T.astype("f4"))
            np.testing.assert_array_equal(bias, file[f"Bias/Layer{k}"][:].reshape(-1).astype("f4"))
            assert bias.shape == (kernel.shape[1],)
    assert [model.get_layer(f"layer_{k}").activation.__name__ for k in range(1, 6)] == [
        "tanh",
        "tanh",
        "tanh",
        "tanh",
        "linear",
    ]


def test_a_bias_that_keeps_its_shape_is_refused(ocsmart):
    """(units, 1) would broadcast to a matrix; the description takes (units,) only."""
    from pipeline.networks.checks import check_network

    network = load_network(ocsmart / "SGLI_aphNN.h5")
    first = network.layers[0]
    kept = dataclasses.replace(first, bias=first.bias[:, np.newaxis])
    with pytest.raises(NetworkError, match="Layer1"):
        check_network(_with_layer(network, 0, kept))


@pytest.mark.parametrize("engine", FLOAT32)
@pytest.mark.parametrize("rows", [1, 63, 4096, 4097, 10_000])
def test_permuted_rows_give_the_same_bits(ocsmart, rows, engine):
    """A row's result does not depend on where it stands or on how many rows there are."""
    path = ocsmart / "MODIS-Aqua_bbpNN.h5"
    network = load_network(path)
    x = oracle.random_inputs(path, 10_000, seed=2).astype(np.float32)
    whole = network.predict(x, engine)
    order = np.random.default_rng(3).permutation(10_000)[:rows]
    np.testing.assert_array_equal(network.predict(x[order], engine), whole[order])


@pytest.mark.quick
def test_demo_network_proves_itself(sample_networks):
    """Golden spectra are recomputed on every load, and each engine gives them."""
    network = load_network(sample_networks / "demo_iops.h5")
    assert network.golden is not None
    for engine in FLOAT32:
        found = network.predict(network.golden.inputs, engine)
        np.testing.assert_allclose(found, network.golden.outputs, rtol=1e-4)


def test_wrong_number_of_columns_names_the_inputs(sample_networks):
    """The message lists the columns expected."""
    network = load_network(sample_networks / "demo_iops.h5")
    with pytest.raises(NetworkError, match=r"shape \(2, 3\), expected \(n, 8\).*Rrs_412"):
        network.predict(np.ones((2, 3)))


def test_no_rows_give_no_rows(sample_networks):
    """An empty block is no special case."""
    network = load_network(sample_networks / "demo_iops.h5")
    for engine in ("numpy", *FLOAT32):
        assert network.predict(np.empty((0, 8)), engine).shape == (0, 3)


@pytest.mark.quick
def test_unknown_engine_lists_the_known(sample_networks):
    """The message names auto and the engines."""
    with pytest.raises(ConfigError, match="auto, numpy, onnxruntime, tensorflow"):
        load_network(sample_networks / "demo_iops.h5").predict(np.ones((1, 8)), "gpu")


def test_an_engine_that_computes_wrong_numbers_stops_the_run(sample_networks, monkeypatch):
    """2 % off, as with TF32 on a GPU, is found when the engine is built."""

    class Wrong(NumpyEngine):
        def predict(self, x):
            return super().predict(x) * 1.02

    monkeypatch.setitem(ENGINES, "numpy", Wrong)
    monkeypatch.setattr(engines, "_built", {})
    with pytest.raises(NetworkError, match="wrong numbers"):
        get_engine(load_network(sample_networks / "demo_iops.h5"), "numpy")


def test_loading_a_network_imports_no_tensorflow(sample_networks):
    """Reading a file and the numpy engine need neither TensorFlow nor Keras."""
    import subprocess
    import sys

    program = (
        "import sys, pipeline; n = pipeline.load_network(sys.argv[1]);"
        "n.predict([[.01] * 8], 'numpy');"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    path = sample_networks / "demo_iops.h5"
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_scenes_share_one_engine(sample_networks, monkeypatch):
    """A network that is loaded anew for each scene is built once; another one is not mixed up."""
    built = []

    class Counted(NumpyEngine):
        def __init__(self, network):
            built.append(network.name)
            super().__init__(network)

    monkeypatch.setitem(ENGINES, "numpy", Counted)
    monkeypatch.setattr(engines, "_built", {})
    network = load_network(sample_networks / "demo_iops.h5")
    first = get_engine(network, "numpy")
    assert get_engine(load_network(sample_networks / "demo_iops.h5"), "numpy") is first
    changed = dataclasses.replace(network.outputs[0], wavelength_nm=444.0)
    other = dataclasses.replace(network, outputs=(changed, *network.outputs[1:]))
    assert get_engine(other, "numpy") is not first
    assert len(built) == 2


def test_a_gpu_without_memory_is_left_step_by_step(tmp_path, caplog, monkeypatch):
    """Smaller calls first, then the CPU; the numbers stay right, and a warning says so."""
    from pipeline.networks.engines import tensorflow_engine
    from pipeline.networks.engines.tensorflow_engine import TensorflowEngine
    from pipeline.networks.engines.tensorflow_setup import tensorflow

    network = load_network(write_network(tmp_path / "n.h5"))
    engine, tf = TensorflowEngine(network), tensorflow()

    def exhausted(_rows):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    original = TensorflowEngine._set_rows
    tried = []

    def set_rows(self, rows):
        original(self, rows)
        tried.append(rows)
        self._call = (rows, exhausted)

    monkeypatch.setattr(engine, "_on_gpu", True)
    monkeypatch.setattr(TensorflowEngine, "_set_rows", set_rows)
    set_rows(engine, tensorflow_engine.ROWS_ON_GPU)
    x = engines.example_inputs(network, 5000)
    found = engine.predict(x)
    np.testing.assert_allclose(found, network.reference(x), rtol=1e-4)
    assert tried == [131072, 32768, 8192, 4096]
    assert [record.message.split(";")[1] for record in caplog.records] == [
        " each later call gets 32768 rows",
        " each later call gets 8192 rows",
        " each later call gets 4096 rows",
        " the CPU is used instead",
    ]
    with pytest.raises(tf.errors.ResourceExhaustedError):
        engine._fall_back(engine._call[0], tf.errors.ResourceExhaustedError(None, None, "again"))


@pytest.mark.tensorflow
def test_one_thread_at_a_time_uses_a_gpu(tmp_path, monkeypatch):
    """Also with several networks in one process, as in a worker of a cluster."""
    from pipeline.networks.engines.tensorflow_engine import TensorflowEngine

    network = load_network(write_network(tmp_path / "n.h5"))
    x = engines.example_inputs(network, 100)
    inside, most = [], []

    def evaluate(rows):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return np.ones((len(rows), len(network.outputs)), np.float32)

    both = [TensorflowEngine(network), TensorflowEngine(network)]
    for each in both:
        monkeypatch.setattr(each, "_on_gpu", True)
        monkeypatch.setattr(each, "_call", (64, evaluate))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: both[number % 2].predict(x), range(8)))
    assert set(most) == {1}
