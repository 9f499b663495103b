"""C2RCC's text networks, against a float64 pass that reads the file by itself."""

import math
import random

import netCDF4
import numpy as np
import pytest
from c2rcc_nets import IOPS, OLCI, forward, names_of, write_net

import pipeline
from pipeline import load_config, load_network
from pipeline.errors import NetworkError

ENGINES = {"numpy": 1e-6, "onnxruntime": 1e-4, "tensorflow": 1e-4}
SIZE = 40


@pytest.fixture
def net(tmp_path):
    return write_net(tmp_path / "rw_iop.net", names_of())


def rows(seed=1):
    """Inputs in the units of a scene: angles, temperature, salinity, Rrs; relative azimuths."""
    drawn = np.random.default_rng(seed)
    return np.column_stack(
        [
            drawn.uniform(5, 70, SIZE),
            drawn.uniform(2, 50, SIZE),
            drawn.uniform(-360, 360, SIZE),
            drawn.uniform(1, 30, SIZE),
            drawn.uniform(1, 40, SIZE),
            10 ** drawn.uniform(-3.5, -1.8, (SIZE, len(OLCI))),
        ]
    )


def in_units_of_the_file(x):
    """rho_w = pi Rrs, natural logarithms, and the difference of azimuths in 0..180 degrees."""
    azimuth = np.degrees(np.arccos(np.cos(np.radians(x[:, 2] + 180))))
    return np.column_stack([x[:, :2], azimuth, x[:, 3:5], np.log(math.pi * x[:, 5:])])


@pytest.mark.parametrize("engine", ENGINES)
def test_values_equal_an_independent_pass(net, engine):
    """Angles, constants and reflectances in the units of a scene."""
    network, x = load_network(net), rows()
    assert [v.name for v in network.inputs][:3] == [
        "solar_zenith", "sensor_zenith", "relative_azimuth",
    ]  # fmt: skip
    assert [v.name for v in network.outputs] == [name.removeprefix("log_") for name in IOPS]
    assert network.shape_text == "17-9-7-5"
    expected = np.exp(forward(net, in_units_of_the_file(x)))
    np.testing.assert_allclose(network.predict(x, engine), expected, rtol=ENGINES[engine])


def test_a_second_network_takes_the_outputs_of_the_first(tmp_path, net):
    """Inputs by the names of outputs; names that are not known keep their name."""
    second = load_network(write_net(tmp_path / "iop_unciop.net", list(IOPS), ["unc_apig", "log_x"]))
    first = load_network(net)
    assert [(v.quantity, v.units) for v in second.inputs] == [
        (v.quantity, v.units) for v in first.outputs
    ]
    assert [v.name for v in second.outputs] == ["unc_apig", "x"]


@pytest.mark.real_data
def test_a_real_c2rcc_scene(real_data, tmp_path):
    """The shipped configuration: two networks in a chain, chlorophyll and suspended matter.

    Every pixel with values equals the pass over the Rrs and the angles of the scene.
    """
    path = real_data / "scenes" / "S3_OLCI_C2RCC_SNS_2017105095839.nc"
    net = write_net(tmp_path / "OLCI_rw_iop.net", names_of())
    uncertainties = [f"unc_{n}" for n in IOPS]
    write_net(tmp_path / "OLCI_iop_unciop.net", list(IOPS), uncertainties, seed=3)
    config = load_config("c2rcc_water").executing(output=tmp_path / "out", network_dirs=(tmp_path,))
    product = pipeline.process_scene(path, config)
    scene = pipeline.open_scene(path)
    with netCDF4.Dataset(product) as file:
        found = {n: np.ma.filled(file[n][...], np.nan) for n in ("apig", "bpart", "chl", "tsm")}
    bands = scene["Rrs"].sel(Rrs_wavelength=list(OLCI), method="nearest").transpose("y", "x", ...)
    angles = ("solar_zenith", "sensor_zenith", "relative_azimuth")
    given = [scene[name].values.ravel() for name in angles]
    count = given[0].size
    stated = [np.full(count, value) for value in (15.0, 35.0)]
    x = np.column_stack([*given, *stated, bands.values.reshape(count, -1)]).astype(float)
    with np.errstate(all="ignore"):
        iops = np.exp(forward(net, in_units_of_the_file(x)))
    valid = np.isfinite(found["apig"].ravel())
    assert valid.sum() > 50
    np.testing.assert_allclose(found["apig"].ravel()[valid], iops[valid, 0], rtol=2e-4)
    np.testing.assert_allclose(found["bpart"].ravel()[valid], iops[valid, 3], rtol=2e-4)
    chl, tsm = 21 * iops[:, 0] ** 1.04, 1.06 * iops[:, 3] ** 0.942 + 1.06 * iops[:, 4] ** 0.942
    np.testing.assert_allclose(found["chl"].ravel()[valid], chl[valid], rtol=2e-4)
    np.testing.assert_allclose(found["tsm"].ravel()[valid], tsm[valid], rtol=2e-4)


@pytest.mark.real_data
def test_azimuths_of_a_real_c2rcc_scene(real_data):
    """SNAP's tie points are 64 pixels apart; the first one is 58 pixels before the scene."""
    path = real_data / "scenes" / "S3_OLCI_C2RCC_SNS_2017105095839.nc"
    with netCDF4.Dataset(path) as file:
        difference = file["OAA"][:].astype(float) - file["SAA"][:]
    at = np.arange(100)[np.newaxis] + 58.0
    cell, weight = (at // 64).astype(int), at % 64 / 64
    lines = np.arange(86)[:, np.newaxis]
    expected = (1 - weight) * difference[lines, cell] + weight * difference[lines, cell + 1] + 180
    with pipeline.open_scene(path) as scene:
        np.testing.assert_allclose(scene.relative_azimuth, expected, atol=2e-4)


def changed(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("#planes=4 17 9", "#planes=4 18 9", "from 17 inputs"),
        ("#planes=4", "#plane=4", "found 0 lines #planes="),
        ("the net has 17 inputs", "the net has 16 inputs", "expected 1 to 16 in order"),
        ("input  3 is", "input  4 is", "expected 1 to 17 in order"),
        ("in [0.000000,75.000000]", "in [80.0,75.0]", "smaller end first"),
        ("in [0.000000,75.000000]", "in [nan,75.0]", "expected a finite number"),
        ("bias 2 7", "bias 1 7", "twice"),
        ("bias 2 7", "bias 2 6", "expected a block"),
        ("wgt 1 9 7", "wgt 1 7 9", "expected \\(9, 7\\)"),
        ("wgt 2 7 5", "wgt 2 7 50000", "cut short"),
        ("wgt 2 7 5", "wgt 4 7 5", "'wgt 2' is missing"),
    ],
)
def test_a_damaged_file_is_refused(net, old, new, words):
    """In words that say what is wrong."""
    with pytest.raises(NetworkError, match=f"rw_iop.net: .*{words}"):
        load_network(changed(net, old, new))


def test_mutations_end_in_words_or_in_another_network(net, tmp_path):
    """200 files with changed, lost, doubled and cut lines: a network or a NetworkError."""
    lines, drawn = net.read_text().splitlines(), random.Random(5)  # noqa: S311 - no secrets
    path, refused = tmp_path / "mutant.net", 0
    for _ in range(200):
        changed_lines = list(lines)
        at = drawn.randrange(len(lines))
        match drawn.randrange(5):
            case 0:
                del changed_lines[at]
            case 1:
                changed_lines.insert(at, changed_lines[at])
            case 2:
                changed_lines = changed_lines[:at]
            case 3:
                changed_lines[at] = "".join(drawn.choices("0123456789 -eE.nai[]#=", k=12))
            case _:
                number = str(drawn.choice([0, 1, 99999, 10**7]))
                words = changed_lines[at].split()
                changed_lines[at] = " ".join([*words[:-1], number])
        path.write_text("\n".join(changed_lines))
        try:
            load_network(path)
        except NetworkError:
            refused += 1
    assert refused > 100
