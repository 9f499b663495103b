"""Numbers that can only stand for a missing value, although nobody declares them."""

import numpy as np
import pytest
from sample_tables import columns, load

from pipeline.config.matchup import PointsConfig
from pipeline.errors import ConfigError
from pipeline.matchup.points import read_points
from pipeline.tables.sentinels import implausible_edge


@pytest.mark.quick
@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([0.1, 0.5, -999], -999),
        ([0.1, 0.5, 2, -9999, -9999], -9999),
        ([0.1, 0.5, np.float32(9.96921e36)], float(np.float32(9.96921e36))),
        ([20, 30, 999, 999], 999),
        ([33.1, 35, 999.99, 999.99], 999.99),
        ([1, 2, -32767], -32767),
        ([-999, -999], -999),
        ([np.nan, 1, 1e20], 1e20),
        ([3, 20, -99], -99),
    ],
)
def test_what_looks_missing(values, found):
    """Nines, eights or a usual fill value, far from all others."""
    assert implausible_edge(np.array(values, float)) == found


@pytest.mark.parametrize(
    "values",
    [
        *([0.1, 0.5, 2], [10, 500, 999], [997, 998, 999, 999], [-999, -998.5, -990], [1, 2, 999]),
        *([-5, -3000, -9999, -4000], [0, 1, 1, 1000, 1000], [99, 99], [np.nan], [], [-97, -99]),
    ],
)
def test_what_may_be_a_value(values):
    """Neighbours of the same size, or one large number that is not negative."""
    assert implausible_edge(np.array(values, float)) is None


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1, 2, -999, -888], -999),
        ([0.1, -9999, -999, -999], -9999),
        ([0.1, 1e20, -999], -999),
        ([300, 9.96921e36, -999.9], -999.9),
    ],
)
def test_several_of_them_do_not_hide_each_other(values, found):
    """-999 is not measured because -888 is near to it."""
    assert implausible_edge(np.array(values, float)) == found


def test_a_training_refuses_it(tmp_path):
    """In inputs, targets and expressions; the message names it and both ways out."""
    table = columns()
    table["Rrs_443"][3:5] = [-999, -999]
    message = (
        r"column 'Rrs_443' has -999 in lines 5, 6\. .* samples.missing, or to samples.not_missing"
    )
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, table)
    with pytest.raises(ConfigError, match=r"samples.columns.ratio: column 'Rrs_443' has -999"):
        load(tmp_path, table, columns={"ratio": "Rrs_443 / Rrs_555"})
    assert len(load(tmp_path, table, missing=[-999])) == 38
    kept = load(
        tmp_path,
        table,
        not_missing=[-999],
        inputs=[{"quantity": "Rrs", "wavelengths_nm": [443], "transform": "none"}],
    )
    assert kept.x.min() == -999


def test_filters_and_classes_refuse_it(tmp_path):
    """An unknown depth is not above 10 m; unknown water is no class. A filter may remove it."""
    table = columns() | {"depth": [float(row) for row in range(40)]}
    table["depth"][3] = -999
    message = r"samples.filter: column 'depth' has -999 in lines? 5.*samples.missing"
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, table, filter="depth < 10")
    assert len(load(tmp_path, table, filter="depth >= 0 and depth < 10")) == 9
    assert len(load(tmp_path, table, filter="depth < 10", missing=[-999])) == 9
    assert len(load(tmp_path, table, filter="depth < 10", not_missing=[-999])) == 10
    rules = {"shallow": "depth < 10", "deep": "depth >= 10"}
    classes = {"quantity": "water", "rules": rules}
    with pytest.raises(ConfigError, match=r"rules.shallow: column 'depth' has -999"):
        load(tmp_path, table, classes=classes)
    assert len(load(tmp_path, table, classes=classes, missing=[-999], missing_targets="drop")) == 39
    table["kind"] = [row % 2 + 1 for row in range(40)]
    table["kind"][7] = -999
    classes = {"quantity": "water", "column": "kind"}
    with pytest.raises(ConfigError, match="class column 'kind' has -999"):
        load(tmp_path, table, classes=classes)


def test_match_ups_refuse_it(tmp_path):
    """All columns of the points go into the table of match-ups."""
    path = tmp_path / "points.csv"
    path.write_text("lat,lon,time,chl\n50,-97,2011-09-10T19:00,1\n50,-97,2011-09-10T19:00,-999\n")
    with pytest.raises(ConfigError, match=r"'chl' has -999 in line 3.*points.missing"):
        read_points(path, PointsConfig())
    read = read_points(path, PointsConfig(missing=(-999,)))
    np.testing.assert_array_equal(read.carried["chl"], [1, np.nan])


def test_columns_that_nobody_asks_for(tmp_path):
    """A repeated name, or an undeclared missing value, matters only where it is used."""
    table = columns() | {"depth": [1.0, *[-999] * 39]}
    assert len(load(tmp_path, table)) == 40
    text = (tmp_path / "samples.csv").read_text().replace("depth", "chlor_a", 1)
    (tmp_path / "samples.csv").write_text(text)
    from sample_tables import config

    from pipeline.training.samples.samples import load_samples

    with pytest.raises(ConfigError, match="2 columns are called 'chlor_a'"):
        load_samples(config(tmp_path / "samples.csv"))
    (tmp_path / "samples.csv").write_text(text.replace("weight", "Rrs_443", 1))
    with pytest.raises(ConfigError, match="2 columns are called 'Rrs_443'"):
        load_samples(config(tmp_path / "samples.csv"))
