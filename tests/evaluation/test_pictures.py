"""Pictures: not blank, with units and equal bytes, also for unusual data."""

import io
import subprocess
import sys

import numpy as np
import pytest
from evaluation_cases import APH, INPUTS, samples, variable
from PIL import Image

from pipeline.evaluation.classification import classification
from pipeline.evaluation.pictures import (
    History,
    comparison,
    confusion,
    groups_picture,
    learning_curves,
    png,
    residuals,
    scatter,
)
from pipeline.evaluation.pictures.axes import limits
from pipeline.evaluation.pictures.residuals import binned_quartiles
from pipeline.evaluation.pictures.style import middle_cut, pretty_units, shortened
from pipeline.evaluation.report import evaluate_arrays

LINEAR = variable("temperature", None, "degree", "none")
LONG = variable("a_very_long_name_of_a_quantity_that_goes_on_and_on_without_any_end", None, "m-1")


def draw_scatter(count=300, outputs=2):
    _, observed, modelled, _ = samples(count, outputs)
    return scatter(observed, modelled, APH[:outputs], "Test part")


def draw_residuals(count=300):
    x, observed, modelled, _ = samples(count, 1)
    return residuals(observed[:, 0], modelled[:, 0], APH[0], x, INPUTS)


def draw_learning(epochs=40):
    loss = 0.5 * np.exp(-np.arange(epochs) / 10) + 0.02
    return learning_curves(
        History(loss, 1.2 * loss, np.full(epochs, 1e-3), epochs, loss_name="loss (1)")
    )


def draw_groups(count=300):
    _, observed, modelled, groups = samples(count, 1)
    return groups_picture(observed[:, 0], modelled[:, 0], groups, APH[0])


def draw_confusion(classes=4):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, 500)
    shares = rng.random((500, classes))
    shares[np.arange(500), truth] += 0.5
    return confusion(classification(truth, shares, tuple(f"type {i}" for i in range(classes))))


def draw_comparison():
    x, observed, modelled, groups = samples(300, 1)
    result = evaluate_arrays(
        INPUTS, APH[:1], x, observed, modelled, groups=groups, baselines={"QAA": observed * 1.5}
    )
    return comparison(result.outputs, "Models")


DRAWN = [
    draw_scatter,
    draw_residuals,
    draw_learning,
    draw_groups,
    draw_confusion,
    draw_comparison,
]


def labels(figure):
    texts = [figure.get_supylabel()]
    for axes in figure.axes:
        texts += [axes.get_xlabel(), axes.get_ylabel()]
    return [text for text in texts if text]


@pytest.mark.parametrize("draw", DRAWN)
def test_equal_data_are_equal_bytes(draw):
    """A picture drawn twice is the same file, without date and version."""
    content = png(draw())
    assert content == png(draw())
    assert b"Software" not in content
    assert b"tIME" not in content


@pytest.mark.parametrize("draw", DRAWN)
def test_pictures_show_something_in_grey_too(draw):
    """The PNG has the size of its figure at 150 dpi, and dark and light pixels."""
    figure = draw()
    image = Image.open(io.BytesIO(png(figure)))
    assert image.size == tuple(int(150 * inches) for inches in figure.get_size_inches())
    grey = np.asarray(image.convert("L"))
    assert 0.005 < (grey < 128).mean() < 0.5
    assert (grey > 250).mean() > 0.2


def test_a_matplotlibrc_of_the_user_changes_nothing():
    """The user's settings do not affect pictures, and stay unchanged."""
    import matplotlib as mpl

    expected = png(draw_scatter())
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 20.0, "savefig.dpi": 40}):
        assert png(draw_scatter()) == expected
        assert mpl.rcParams["font.size"] == 20.0


def test_axes_say_their_units():
    """Axes of values, inputs, errors and residuals have units."""
    assert labels(draw_scatter()) == ["observed (m⁻¹)", "modelled (m⁻¹)"] * 2
    assert labels(draw_residuals()) == [
        "log₁₀(modelled / observed)\nof aph_412 (decades)",
        "Rrs_443 (sr⁻¹)",
        "Rrs_555 (sr⁻¹)",
        "solar_zenith (degree)",
    ]
    assert labels(draw_groups()) == ["bias (factor)", "mean absolute error (factor)"]
    assert labels(draw_comparison()) == ["MAE (factor)"]
    assert labels(draw_confusion())[-1] == "share of the observed class (%)"
    _, observed, modelled, groups = samples(50, 1)
    linear = groups_picture(observed[:, 0], modelled[:, 0], groups, LINEAR)
    assert labels(linear) == ["bias (degree)", "mean absolute error (degree)"]


def test_metrics_are_in_the_corner():
    """A scatter plot shows its metrics and the number of failed rows."""
    _, observed, modelled, _ = samples(100, 1)
    modelled[:7] = -1.0
    figure = scatter(observed, modelled, APH[:1])
    corner = figure.axes[0].texts[0].get_text()
    assert "n = 93" in corner
    assert "failed: 7 of 100" in corner
    assert "MAE = \u00d7" in corner


def test_one_wild_value_does_not_rule_the_axes():
    """An extreme value is left out and counted; the others fill the panel."""
    _, observed, modelled, _ = samples(200, 1)
    modelled[0] = 1e-30
    axes = scatter(observed, modelled, APH[:1]).axes[0]
    assert axes.get_xlim()[0] > 1e-6
    assert "1 beyond the axes" in axes.texts[0].get_text()


@pytest.mark.parametrize(("outputs", "count"), [(1, 20), (7, 300), (20, 30), (2, 50_000)])
def test_any_number_of_outputs_and_rows(outputs, count):
    """One panel for each output; hexagons where there are many rows."""
    _, observed, modelled, _ = samples(count, outputs)
    figure = scatter(observed, modelled, [variable("aph", 400.0 + i) for i in range(outputs)])
    titled = [axes for axes in figure.axes if axes.get_title()]
    assert len(titled) == outputs
    bars = [axes for axes in figure.axes if axes.get_ylabel() == "rows per hexagon"]
    assert len(bars) == (count > 1_000)


@pytest.mark.parametrize(
    ("observed", "modelled"),
    [
        (np.ones(50), -np.ones(50)),
        (np.ones(50), np.ones(50)),
        (np.full(50, np.nan), np.ones(50)),
        (np.full(3_000, 0.03), np.full(3_000, 0.03)),
        (np.geomspace(1e-9, 1e9, 50), np.geomspace(1e-9, 1e9, 50)),
        (np.empty(0), np.empty(0)),
    ],
    ids=["all failed", "constant", "no observation", "many equal", "18 decades", "no row"],
)
@pytest.mark.parametrize("what", [LONG, LINEAR], ids=["logarithm", "linear"])
@pytest.mark.filterwarnings("error")
def test_odd_data_are_drawn(observed, modelled, what):
    """Failures, constants and no data at all give pictures without a warning."""
    count = len(observed)
    x = np.column_stack((np.full(count, 0.01), np.linspace(-1, 1, count), np.full(count, np.nan)))
    for figure in (
        scatter(observed[:, None], modelled[:, None], [what]),
        residuals(observed, modelled, what, x, INPUTS),
        groups_picture(observed, modelled, ["one"] * count, what),
    ):
        assert png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("losses", [[0.3], [np.nan] * 5, [0.0, 0.0], [0.1] * 30])
@pytest.mark.filterwarnings("error")
def test_odd_losses_are_drawn(losses):
    """One epoch, no finite loss, zeros and a flat curve give pictures without a warning."""
    assert png(learning_curves(History(losses, losses, [1e-3] * len(losses), 1))).startswith(
        b"\x89PNG"
    )


def test_small_groups_are_put_together():
    """The 30 largest groups have a dot each, all others share one."""
    sizes = [100 - i for i in range(60)]
    groups = np.repeat([f"station {i} of a long-term programme" for i in range(60)], sizes)
    _, observed, modelled, _ = samples(len(groups), 1)
    figure = groups_picture(observed[:, 0], modelled[:, 0], groups, APH[0])
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(names) == 31
    assert names[0].endswith("n=100")
    assert names[-1] == f"30 smaller groups  n={sum(sizes[30:]):,}"


def test_long_group_names_keep_their_ends():
    """The end of a name, which often tells cruises apart, is kept."""
    assert middle_cut("Observations of the northern ocean, cruise 17", 24).endswith("cruise 17")
    assert len(middle_cut("x" * 99, 24)) == 24


def test_bins_have_equal_counts():
    """Medians and quartiles are those of equal slices of the sorted rows."""
    x = np.arange(1.0, 101.0)[::-1]
    middles, quartiles = binned_quartiles(x, x, log=False)
    assert middles.size == 10
    np.testing.assert_allclose(middles, np.arange(10) * 10 + 5.5)
    np.testing.assert_allclose(quartiles[1], middles)
    assert binned_quartiles(x[:5], x[:5], log=True)[0].size == 0


def test_names_and_units_in_print():
    """Units have superscripts, names break after underscores and end with an ellipsis."""
    assert pretty_units("mg m-3") == "mg m⁻³"
    assert pretty_units("W m-2 um-1 sr-1") == "W m⁻² um⁻¹ sr⁻¹"
    assert pretty_units("1") == "1"
    assert shortened("absorption_of_particles", 12, 3) == "absorption_\nof_particles"
    assert shortened("x" * 30, 10, 2).endswith("…")
    assert max(map(len, shortened("x" * 30, 10, 2).split("\n"))) <= 10


def test_limits_are_never_equal():
    """Constant values and no values have an axis, too."""
    for values in (np.array([]), np.array([0.0, 0.0]), np.array([5.0])):
        low, high = limits(values, log=False)
        assert low < high
    low, high = limits(np.array([0.03]), log=True)
    assert 0 < low < 0.03 < high


def test_no_window_and_no_global_state():
    """Pictures do not use pyplot, which keeps figures and looks for a screen."""
    script = (
        "import sys; import pipeline.evaluation.files; "
        "from pipeline.evaluation.pictures import History, learning_curves, png; "
        "assert not {'matplotlib', 'jinja2'} & set(sys.modules); "
        "png(learning_curves(History([0.2, 0.1]))); "
        "assert 'matplotlib.pyplot' not in sys.modules; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
