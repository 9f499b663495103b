"""Tables of samples become training arrays; what is wrong with them is said at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from sample_tables import CHL, NOMAD, NOMAD_BANDS, RRS, columns, config, load, nomad, write

from pipeline.config import SamplesConfig, SplitsConfig
from pipeline.errors import ConfigError
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS
from pipeline.simulation.simulation import simulate_samples
from pipeline.tables.writing import write_samples
from pipeline.training.samples.samples import load_samples
from pipeline.training.samples.splits import make_split


def test_nomad_gives_its_known_number_of_rows(real_data: Path) -> None:
    """NOMAD has 817 rows with six positive Rrs and absorption by phytoplankton."""
    samples = load_samples(nomad(real_data))
    assert samples.x.shape == (817, 6)
    assert samples.y.shape == (817, 1)
    assert np.isfinite(samples.x).all()
    assert np.isfinite(samples.y).all()
    assert np.datetime64("2000-02-25") == samples.times[0]
    assert samples.sources[0]["rows"] == 4457
    assert samples.rows[0] == 103
    assert len(set(samples.groups)) == 136
    assert samples.sources[0]["licence"].endswith("data set for research use only.")


def test_nomad_values_are_those_of_its_cells(real_data: Path) -> None:
    """Spectra, targets and cruises are those that a plain reading of the file gives."""
    import pandas as pd

    table = pd.read_csv(real_data / NOMAD, comment="!", na_values=[-999])
    rrs = np.stack([table[f"lw{nm}"] / table[f"es{nm}"] for nm in NOMAD_BANDS], axis=1)
    aph = (table["ap443"] - table["ad443"]).to_numpy()
    assert (np.isfinite(rrs).all(axis=1) & np.isfinite(aph)).sum() == 838
    usable = (rrs > 0).all(axis=1) & (aph > 0)
    samples = load_samples(nomad(real_data))
    np.testing.assert_array_equal(rrs[usable], samples.x)
    np.testing.assert_array_equal(aph[usable], samples.y[:, 0])
    assert table["cruise"][usable].tolist() == samples.groups.tolist()


def test_nomad_without_a_choice_names_the_rows_without_a_target(real_data: Path) -> None:
    """By default a missing target is an error with the count and the first lines."""
    with pytest.raises(ConfigError, match=r"1590 of 4457 rows have no aph_443.*lines 95, 96, 97"):
        load_samples(nomad(real_data, missing_targets="error"))


def test_a_feather_file_is_read_at_the_nearest_wavelengths(real_data: Path) -> None:
    """Hyperspectral columns ``ps_rrs442.1`` serve a network at 443 nm, which is told."""
    samples = load_samples(
        SamplesConfig.model_validate(
            {
                "files": [real_data / "matchups/sopace_rrs_acs_merge.feather"],
                "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 555], "column": "ps_rrs"}],
                "targets": [{"quantity": "chlor_a", "column": "Chl_lineheight"}],
                "time": "utc_dt",
                "missing_targets": "drop",
            }
        )
    )
    assert [variable.column for variable in samples.inputs] == ["ps_rrs442.1", "ps_rrs554.3"]
    assert len(samples) == 1464
    assert any("'ps_rrs442.1'" in text for text in samples.notes)


def test_all_that_is_asked_for_is_read(tmp_path: Path) -> None:
    """Inputs, targets, groups, times and weights are those of the file, row by row."""
    table = columns()
    samples = load(tmp_path, table, group="cruise", time="date", weight="weight")
    np.testing.assert_array_equal(np.array([table["Rrs_443"], table["Rrs_555"]]).T, samples.x)
    np.testing.assert_array_equal(table["chlor_a"], samples.y[:, 0])
    assert table["cruise"] == samples.groups.tolist()
    assert np.datetime64("2020-02-01") == samples.times[28]
    assert samples.weights.sum() == 40
    assert list(range(2, 42)) == samples.rows.tolist()
    assert tuple(variable.name for variable in samples.inputs) == ("Rrs_443", "Rrs_555")
    assert samples.inputs[0].units == "sr-1"
    assert samples.targets[0].units == "mg m-3"
    assert samples.notes == (
        "samples.csv: columns without units are taken as Rrs_443 (sr-1), Rrs_555 (sr-1)",
        "samples.csv: columns without units are taken as chlor_a (mg m-3)",
    )


def test_taken_samples_keep_their_places(tmp_path: Path) -> None:
    """``take`` keeps values, groups and rows together, by places and by a mask."""
    samples = load(tmp_path, columns(), group="cruise")
    some = samples.take([3, 1])
    assert some.rows.tolist() == [5, 3]
    assert some.groups.tolist() == ["c3", "c1"]
    assert some.weights is None
    assert len(samples.take(samples.groups == "c0")) == 10
    assert some.place(0) == "samples.csv 5"


def test_files_are_joined(tmp_path: Path) -> None:
    """Samples of two files follow each other, and each knows its file."""
    first, second = write(tmp_path, columns(12)), write(tmp_path, columns(15), "more.csv")
    samples = load_samples(config(first, files=[first, second]))
    assert len(samples) == 27
    assert samples.files.tolist() == [0] * 12 + [1] * 15
    assert [source["name"] for source in samples.sources] == ["samples.csv", "more.csv"]


def test_no_inputs_give_no_columns(tmp_path: Path) -> None:
    """A network that is trained further says its inputs by itself."""
    assert load(tmp_path, columns(), inputs=[]).x.shape == (40, 0)


def test_units_are_converted_and_told(tmp_path: Path) -> None:
    """A header in ug/L is 1000 mg m-3 per mg/L, and the conversion is told."""
    table = columns()
    table["chlor_a [g m-3]"] = table.pop("chlor_a")
    samples = load(tmp_path, table)
    np.testing.assert_allclose(samples.y[:, 0], 1e3 * np.array(table["chlor_a [g m-3]"]))
    assert any("converted from g m-3 to mg m-3" in text for text in samples.notes)


def test_files_in_different_units_are_not_mixed(tmp_path: Path) -> None:
    """Files must agree on units, unless it is said which are wanted."""
    tables = {unit: columns(12) | {f"poc [{unit}]": [1.0] * 12} for unit in ("g m-3", "mg/m^3")}
    paths = [write(tmp_path, t, f"{n}.csv") for n, t in enumerate(tables.values())]
    with pytest.raises(
        ConfigError, match=r"poc has the units 'g m-3' in 0.csv, but 'mg/m\^3' in 1.csv"
    ):
        load_samples(config(paths[0], files=paths, targets=[{"quantity": "poc"}]))
    wanted = [{"quantity": "poc", "units": "mg m-3"}]
    samples = load_samples(config(paths[0], files=paths, targets=wanted))
    np.testing.assert_allclose(samples.y[:, 0], [1000.0] * 12 + [1.0] * 12)


def test_said_units_overrule_those_of_the_file(tmp_path: Path) -> None:
    """``samples.units`` corrects what a file says wrongly."""
    table = columns()
    table["chlor_a [m]"] = table.pop("chlor_a")
    samples = load(tmp_path, table, units={"chlor_a": "mg m-3"})
    np.testing.assert_array_equal(table["chlor_a [m]"], samples.y[:, 0])


def test_expressions_make_columns_and_filter(tmp_path: Path) -> None:
    """New columns may use earlier ones; the filter may use them and compare text."""
    samples = load(
        tmp_path,
        columns(),
        columns={"double": "chlor_a * 2", "target": "log10(double) + 3"},
        targets=[{"quantity": "chlor_a", "column": "target"}],
        filter='double > 0.5 and cruise in ["c0", "c1"] and not `Rrs_443` > 0.03',
    )
    rows = samples.rows - 2
    assert all(row % 4 in (0, 1) and 0.2 * (row + 1) > 0.5 and row < 30 for row in rows)
    np.testing.assert_allclose(samples.y[:, 0], np.log10(0.2 * (rows + 1)) + 3)


def test_a_quotient_by_zero_is_no_value(tmp_path: Path) -> None:
    """Infinite values count as missing."""
    table = columns() | {"es": [0.0, *[1.0] * 39]}
    samples = load(
        tmp_path,
        table,
        columns={"ratio": "Rrs_443 / es"},
        inputs=[{"quantity": "Rrs", "column": "ratio"}],
    )
    assert len(samples) == 39


def test_values_a_transform_does_not_take_are_missing(tmp_path: Path) -> None:
    """A negative Rrs has no logarithm, so its row is left out, and told."""
    table = columns()
    table["Rrs_443"][5] = -0.001
    samples = load(tmp_path, table)
    assert len(samples) == 39
    assert any("1 values of Rrs_443 are 0 or less" in text for text in samples.notes)
    plain = [RRS | {"transform": "none"}]
    assert len(load(tmp_path, table, inputs=plain)) == 40


def test_masked_targets_stay(tmp_path: Path) -> None:
    """With ``mask`` a row with one of two targets stays, one with none is left out."""
    table = columns() | {"aph_443": [0.01 * (row + 1) for row in range(40)]}
    table["chlor_a"][0] = table["chlor_a"][1] = table["aph_443"][1] = None
    targets = [CHL, {"quantity": "aph", "wavelengths_nm": [443]}]
    samples = load(tmp_path, table, targets=targets, missing_targets="mask")
    assert len(samples) == 39
    assert np.isnan(samples.y[0, 0])
    assert samples.y[0, 1] == 0.01
    dropped = load(tmp_path, table, targets=targets, missing_targets="drop")
    assert len(dropped) == 38


def test_missing_numbers_of_the_configuration(tmp_path: Path) -> None:
    """``samples.missing`` names numbers that mean no value."""
    table = columns()
    table["Rrs_443"][0] = -999
    inputs = [RRS | {"transform": "none"}]
    assert len(load(tmp_path, table, inputs=inputs, missing=[-999])) == 39


def test_classes_are_places_among_their_names(tmp_path: Path) -> None:
    """Labels count in the order of the names, which are sorted where nothing is said."""
    samples = load(tmp_path, columns(), classes={"column": "water", "quantity": "water_type"})
    assert samples.classes == ("clear", "turbid")
    assert samples.labels[:4].tolist() == [1, 0, 0, 1]
    assert samples.class_quantity == "water_type"
    named = {"column": "water", "names": ["turbid", "clear"]}
    assert load(tmp_path, columns(), classes=named).labels[:4].tolist() == [0, 1, 1, 0]


def test_number_classes_are_sorted_by_size(tmp_path: Path) -> None:
    """Class 10 comes after class 2."""
    table = columns() | {"water": [(1, 2, 10)[row % 3] for row in range(40)]}
    assert load(tmp_path, table, classes={"column": "water"}).classes == ("1", "2", "10")


def test_number_classes_may_be_named_by_numbers(tmp_path: Path) -> None:
    """YAML's ``names: [2, 1]`` are the file's classes 2 and 1."""
    table = columns() | {"water": [1 + row % 2 for row in range(40)]}
    samples = load(tmp_path, table, classes={"column": "water", "names": [2, 1]})
    assert samples.classes == ("2", "1")
    assert samples.labels[:2].tolist() == [1, 0]


@pytest.mark.parametrize("ending", ["csv", "nc", "parquet", "feather"])
def test_simulated_samples_bring_their_units(tmp_path: Path, ending: str) -> None:
    """What ``ocpipe simulate`` writes is read again with its units, in every format."""
    path = tmp_path / f"water.{ending}"
    table = simulate_samples(30, [443.0, 555.0])
    write_samples(path, table)
    samples = load_samples(config(path, targets=[{"quantity": "water_mineral"}]))
    assert samples.targets[0].units == "g m-3"
    assert samples.notes == ()
    np.testing.assert_allclose(samples.x[:, 1], table.columns["Rrs_555"], rtol=1e-6)


def bad_cell(column: str, value: Any) -> dict[str, list[Any]]:
    table = columns()
    table[column][2] = value
    return table


@pytest.mark.parametrize(
    ("table", "keys", "message"),
    [
        (columns(), {"targets": [{"quantity": "chlora", "units": "m"}]}, "no column 'chlora'; did"),
        (columns(), {"inputs": [RRS | {"wavelengths_nm": [490]}]}, "within 3 nm of 490 nm; found"),
        (columns(), {"inputs": [RRS | {"quantity": "Rrz", "units": "1"}]}, "no column 'Rrz_443'"),
        (columns(), {"inputs": [RRS, RRS]}, "Rrs_443 is given twice"),
        (columns(), {"inputs": [RRS | {"wavelengths_nm": [442, 444]}]}, "nearest to Rrs_442 and"),
        (columns(), {"units": {"chlor_a": "m-1"}}, "'chlor_a' is in 'm-1', expected 'mg m-3'"),
        (columns(), {"units": {"nothing": "m-1"}}, "samples.units: no file has a column nothing"),
        (columns(), {"targets": [{"quantity": "weight"}]}, "units of column 'weight' are unknow"),
        (columns(), {"targets": [CHL | {"column": "cruise"}]}, "'cruise' has 'c0', 'c1', 'c2' in"),
        (columns(), {"group": "cruises"}, "samples.group: no column 'cruises'; did you mean cruis"),
        (bad_cell("cruise", None), {"group": "cruise"}, r"1 rows have no value in group .*line 4"),
        (bad_cell("weight", -1), {"weight": "weight"}, r"a negative number in weight .*line 4"),
        (bad_cell("weight", None), {"weight": "weight"}, r"no number in weight .*line 4"),
        (bad_cell("weight", "x"), {"weight": "weight"}, "'weight' has 'x' in line 4, expected num"),
        (bad_cell("date", "soon"), {"time": "date"}, r"no time but 'soon' in column 'date'.*li"),
        (bad_cell("chlor_a", None), {}, r"1 of 40 rows have no chlor_a.*\(line 4\).*: drop or mas"),
        (bad_cell("Rrs_443", None), {"missing_inputs": "error"}, r"no Rrs_443.*missing_inputs: dr"),
        (columns(), {"filter": "chlor_a > 1e9"}, "no row passes samples.filter"),
        (columns(), {"filter": "chlor_a + 1"}, "is not a condition"),
        (columns(), {"filter": "chl_a > 1"}, "no column 'chl_a'; did you mean chlor_a"),
        (columns(), {"filter": "chlor_a >"}, "is not an expression"),
        (columns(), {"filter": "cruise > 1"}, "cruise has text"),
        (columns(), {"columns": {"a": "chlor_a.to_csv('x')"}}, "chlor_a.to_csv.'x'. is not allow"),
        (columns(), {"columns": {"a": "@config"}}, "is not an expression"),
        (columns(), {"columns": {"a": "chlor_a.__class__"}}, "chlor_a.__class__ is not allowed"),
        (columns(), {"columns": {"a": "open('x')"}}, "open.'x'. is not allowed"),
        (columns(), {"columns": {"a": "chlor_a[0]"}}, "chlor_a.0. is not allowed"),
        (columns(), {"columns": {"a": "chlor_a << 2"}}, "chlor_a << 2 is not allowed"),
        (columns(), {"columns": {"a": "9**9**9**9"}}, "cannot be calculated"),
        (columns(), {"columns": {"a": "1" + "0" * 400}}, "10000.* is not allowed"),
        (columns(), {"columns": {"a": "chlor_a + 1j"}}, "1j is not allowed"),
        (columns(), {"columns": {"a": "-" * 10_001 + "1"}}, "exceeds 10000 characters"),
        (columns(), {"classes": {"column": "chlor_a"}}, r"has 0.1 \(lines 2, 3, 4 and .* whole"),
        (columns(), {"classes": {"column": "waters"}}, "samples.classes.column: no column 'waters"),
        (bad_cell("water", "murky"), {"classes": {"column": "water", "names": ["clear", "turbid"]}},
         "has murky; expected clear, turbid"),
        (columns(), {"classes": {"column": "water", "names": ["clear", "turbid", "icy"]}},
         "expected also icy"),
        (bad_cell("water", None), {"classes": {"column": "water"}}, r"no water.*drop, or correct"),
        (columns() | {"Rrs_443": [None] * 40}, {}, "none of 40 rows is complete; missing values: "),
    ],
)  # fmt: skip
def test_mistakes_are_told(
    tmp_path: Path, table: dict[str, list[Any]], keys: dict[str, Any], message: str
) -> None:
    """A mistake is told with the file, what was found and what was expected."""
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, table, **keys)


def test_complaints_come_at_once(tmp_path: Path) -> None:
    """One message lists all that is wrong with a table."""
    table = columns()
    with pytest.raises(ConfigError) as caught:
        load(
            tmp_path,
            table,
            group="cruises",
            weight="weights",
            filter="depth < 5",
            units={"chlor_a": "m-1"},
            inputs=[RRS | {"wavelengths_nm": [490, 700]}],
        )
    said = str(caught.value)
    for part in ("cruises", "weights", "depth", "m-1", "490", "700"):
        assert part in said
    assert len(said.splitlines()) == 7


def test_all_missing_files_are_named(tmp_path: Path) -> None:
    """Each file that is not there is named."""
    with pytest.raises(ConfigError, match=r"(?s)one.csv: no such file.*two.csv: no such file"):
        load_samples(config(tmp_path, files=[tmp_path / "one.csv", tmp_path / "two.csv"]))


def test_a_file_twice_is_refused(tmp_path: Path) -> None:
    """A copy of a file would be trained on and tested with."""
    first, second = write(tmp_path, columns()), write(tmp_path, columns(), "copy.csv")
    with pytest.raises(ConfigError, match=r"copy.csv and samples.csv are the same file"):
        load_samples(config(first, files=[first, second]))


@pytest.mark.parametrize(
    "keys",
    [
        {"targets": []},
        {"targets": [CHL], "classes": {"column": "a"}},
        {"targets": [], "classes": {"column": "a"}, "missing_targets": "mask"},
        {"targets": [], "classes": {"column": "a", "names": ["x", "x"]}},
        {"files": []},
        {"filters": "a > 1"},
    ],
)
def test_configurations_that_contradict_themselves(keys: dict[str, Any]) -> None:
    """Targets or classes, files, and no unknown keys."""
    said = {"files": ["a.csv"], "inputs": [RRS], "targets": [CHL]} | keys
    with pytest.raises(ValidationError):
        SamplesConfig.model_validate(said)


@pytest.mark.parametrize(("key", "table"), [("transform", TRANSFORMS), ("scaling", SCALINGS)])
def test_samples_know_the_tables_of_networks(
    tmp_path: Path, key: str, table: dict[str, Any]
) -> None:
    """Every name in them is one for samples, too; another one is refused with all of these."""
    for name in table:
        samples = load(tmp_path, columns(), targets=[CHL | {key: name}])
        assert getattr(samples.targets[0], f"{key}_name") == name
    with pytest.raises(ConfigError, match=f"unknown {key} 'odd', expected one of .*{name}"):
        load(tmp_path, columns(), targets=[CHL | {key: "odd"}])


def test_the_example_of_the_documentation_is_a_configuration(real_data: Path) -> None:
    """The configuration in docs/samples.md loads NOMAD as it stands, but for the folder."""
    document = (Path(__file__).parents[2] / "docs" / "samples.md").read_text()
    said = yaml.safe_load(document.split("```yaml")[1].split("```")[0])
    samples = load_samples(
        SamplesConfig.model_validate(said["samples"] | {"files": [real_data / NOMAD]})
    )
    split = make_split(samples, SplitsConfig.model_validate(said["splits"]))
    assert split.train.size > split.test.size > 100
