"""Searches for hyperparameters: what they find, and that killing them loses nothing."""

import contextlib
import csv
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from warm_commands import training

from pipeline.config.training import TrainingConfig
from pipeline.config.tuning import Space, TuningConfig
from pipeline.errors import ConfigError, NetworkError, OutputError
from pipeline.training.recipe import load_recipe
from pipeline.training.train import train
from pipeline.training.tuning.journal import NAME, open_journal
from pipeline.training.tuning.report import best_yaml, trials_csv, trials_text, write_tuned
from pipeline.training.tuning.space import check_space, with_values
from pipeline.training.tuning.trial import Trial, best_of
from pipeline.training.tuning.tune import tune


class Silent:
    def epoch(self, epoch, epochs):
        pass


def quiet(_):
    return contextlib.nullcontext(Silent())


def search_in(folder, config, run, epochs=27, layers=2):
    """A search with a stand-in for training."""
    from pipeline.training.tuning.search import search

    with open_journal(folder, "key") as journal:
        return search(config, epochs, layers, run, journal, lambda *_: None)


def tuning(**said) -> TuningConfig:
    space = {
        "layers": [1, 2, 3],
        "units": {"min": 4, "max": 64, "scale": "log"},
        "learning_rate": {"min": 1e-5, "max": 1.0, "scale": "log"},
        "activation": ["tanh", "relu"],
    }
    return TuningConfig.model_validate({"space": space} | said)


def planted(proposal):
    """Best at a learning rate of 0.01, two layers and tanh; longer trainings are better."""
    values = proposal.values
    loss = 0.05 + (math.log10(values["learning_rate"]) + 2) ** 2
    loss += abs(values["layers"] - 2) + (values.get("activation", "tanh") != "tanh")
    return proposal.done(loss + 1 / proposal.epochs, proposal.epochs)


@pytest.mark.parametrize("method", ["hyperband", "random"])
def test_a_planted_region_is_found(tmp_path, method):
    """Near the best of all, which one in about thirty random draws is."""
    best = best_of(search_in(tmp_path, tuning(method=method, trials=60), planted))
    assert (best.values["layers"], best.values["activation"]) == (2, "tanh")
    assert 0.002 < best.values["learning_rate"] < 0.05


FEW = {"learning_rate": {"min": 1e-5, "max": 1.0, "scale": "log"}, "layers": [1, 2]}


def test_bayesian_search_goes_where_losses_are_low(tmp_path):
    """After six random trials, it is nearer to the best than they are."""
    pytest.importorskip("sklearn", reason="Keras Tuner's Bayesian search needs scikit-learn")
    trials = search_in(tmp_path, tuning(method="bayesian", trials=10, space=FEW), planted)
    best = best_of(trials)
    assert best.number > 6
    assert best.loss < 0.05 + 1 / 27 + 1 + 0.1


def test_hyperband_spends_epochs_on_the_best(tmp_path):
    """Brackets of Li et al. 2018 for 27 epochs by 3: the best of a round go on in the next."""
    trials = search_in(tmp_path, tuning(), planted)
    by_number = {trial.number: trial for trial in trials}
    gone_on = [trial for trial in trials if trial.continues is not None]
    assert gone_on
    for trial in gone_on:
        before = by_number[trial.continues]
        assert trial.values == before.values
        assert trial.epochs == 3 * before.epochs
    first = [t for t in trials if t.epochs == 1]
    second = {t.continues for t in gone_on if t.epochs == 3}
    ordered = sorted(first, key=lambda trial: trial.loss)
    assert {t.number for t in ordered[: len(second & {t.number for t in first})]} == second & {
        t.number for t in first
    }


def test_units_are_of_layers_that_are_there(tmp_path):
    """And whole numbers stay within their range, which Keras Tuner's do not always."""
    seen = []

    def run(proposal):
        seen.append(proposal.values)
        return planted(proposal)

    search_in(tmp_path, tuning(method="random", trials=120), run)
    for values in seen:
        units = [name for name in values if name.startswith("units_")]
        assert units == [f"units_{n}" for n in range(1, values["layers"] + 1)]
        assert all(4 <= values[name] <= 64 for name in units)
    assert {values["layers"] for values in seen} == {1, 2, 3}


class Killed(BaseException):
    """Not to be caught on the way, as a killed process is not."""


@pytest.mark.parametrize("method", ["hyperband", "random", "bayesian"])
def test_a_search_ends_the_same_wherever_it_is_killed(tmp_path, method):
    """In each trial in turn, with half a line of the journal written, and trials run once each."""
    if method == "bayesian":
        pytest.importorskip("sklearn", reason="Keras Tuner's Bayesian search needs scikit-learn")
    said = {"space": FEW, "trials": 8} if method == "bayesian" else {"trials": 14}
    config, epochs = tuning(method=method, **said), 4
    whole = search_in(tmp_path / "whole", config, planted, epochs)
    journal = tmp_path / "killed" / NAME
    rng = random.Random(4)  # noqa: S311
    ran = []
    for kill in range(1, len(whole) + 1, 2):

        def run(proposal, kill=kill):
            if proposal.number == kill:
                raise Killed
            ran.append(proposal.number)
            return planted(proposal)

        with pytest.raises(Killed):
            search_in(tmp_path / "killed", config, run, epochs)
        line = (tmp_path / "whole" / NAME).read_bytes().splitlines()[kill]
        with journal.open("ab") as file:
            file.write(line[: rng.randrange(len(line))])
    ended = search_in(tmp_path / "killed", config, planted, epochs)
    assert ended == whole
    assert journal.read_bytes() == (tmp_path / "whole" / NAME).read_bytes()
    assert len(ran) == len(set(ran))


def test_a_journal_is_cut_to_whole_lines(tmp_path):
    """Wherever the machine stopped while it was written; none of the whole ones is lost."""
    trials = [Trial(n, {"units": n, "rate": 0.1 / n}, 3, None, 0.1 * n, 2) for n in (1, 2, 3)]
    with open_journal(tmp_path, "key") as journal:
        for trial in trials:
            journal.append(trial)
    path = tmp_path / NAME
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        with open_journal(tmp_path, "key") as journal:
            assert journal.trials == trials[: max(0, whole - 1)]
            for trial in trials[len(journal.trials) :]:
                journal.append(trial)
        assert path.read_bytes() == content


def test_a_journal_of_another_search_is_refused(tmp_path):
    """And so is one that another process works with, or that is no journal."""
    with (
        open_journal(tmp_path, "key"),
        pytest.raises(ConfigError, match="another search uses"),
        open_journal(tmp_path, "key"),
    ):
        pass
    with pytest.raises(ConfigError, match="of another configuration"), open_journal(tmp_path, "k"):
        pass
    (tmp_path / NAME).write_text('{"key": "key"}\nnonsense\n')
    with pytest.raises(ConfigError, match="journal is damaged"), open_journal(tmp_path, "key"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), open_journal(tmp_path / "file", "key"):
        pass


def test_more_trials_go_on_from_fewer(tmp_path):
    """What was tried is not tried again."""
    search_in(tmp_path, tuning(method="random", trials=9), planted)
    ran = []

    def run(proposal):
        ran.append(proposal.number)
        return planted(proposal)

    more = search_in(tmp_path, tuning(method="random", trials=12), run)
    assert (len(more), ran) == (12, [10, 11, 12])
    at_once = search_in(tmp_path / "other", tuning(method="random", trials=12), planted)
    assert more == at_once


def test_a_training_that_runs_away_is_a_bad_trial(tmp_path):
    """Not an end of the search, nor one that goes on where others can."""

    def run(proposal):
        if proposal.values["learning_rate"] > 0.01:
            return proposal.done(None, None)
        return planted(proposal)

    trials = search_in(tmp_path, tuning(), run)
    lost = {trial.number for trial in trials if trial.objective is None}
    assert lost
    assert best_of(trials).values["learning_rate"] <= 0.01
    others = [t for t in trials if t.continues is None and t.epochs == 1 and t.number not in lost]
    promoted = {trial.continues for trial in trials if trial.epochs == 3}
    assert len(others) >= 9
    assert not promoted & lost


def test_a_mistake_in_a_trial_ends_the_search(tmp_path):
    """Keras Tuner would take any exception for a trial that failed."""

    def run(proposal):
        raise OutputError("no room")

    with pytest.raises(OutputError, match="no room"):
        search_in(tmp_path, tuning(), run)


def test_hyperband_refuses_a_space_with_few_points(tmp_path):
    """It would end in the midst of a bracket."""
    config = TuningConfig.model_validate({"space": {"layers": [1, 2], "units": [4, 8]}})
    with pytest.raises(
        ConfigError, match="6 combinations, expected at least 98, because hyperband draws 49"
    ):
        search_in(tmp_path, config, planted)


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        ({"units": {"min": 0, "max": 8, "scale": "log"}}, "above 0"),
        ({"units": {"min": 9, "max": 8}}, "min below max"),
        ({"units": {"min": 9}}, "a list of values, or a range with the keys min and max"),
        ({"units": [8, 8]}, "the same value appears twice"),
        ({"units": [0.5]}, "integer"),
        ({"dropout": [0.0, 1.0]}, "expected 0 to 0.9"),
        ({"learning_rates": [0.1]}, "did you mean 'learning_rate'"),
        ({"activation": ["tahn"]}, "tanh"),
        ({"units": {"min": 1, "max": 8, "step": 2}}, "unknown key"),
    ],
)
def test_a_wrong_space_is_refused(tmp_path, space, complaint):
    """With the key that is wrong."""
    with pytest.raises(ConfigError, match=complaint):
        recipe(tmp_path, tune={"space": space})


def test_a_space_is_the_same_after_it_was_written(tmp_path):
    """As in ``training.yaml``, which a recipe with a space leaves as well."""
    config = recipe(tmp_path, tune=tuning().model_dump(mode="json"))
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert load_recipe(tmp_path / "again.yaml", TrainingConfig) == config
    assert TuningConfig().space.units.ends == (8, 120)
    assert Space.model_validate({"layers": [1, 2], "units": [4, 8, 16], "learning_rate": [0.1],
                                 }).combinations(2) == 3 + 9  # fmt: skip


def test_values_become_a_recipe(tmp_path):
    """What is not varied stays."""
    config = recipe(tmp_path, fit={"epochs": 7, "optimizer": {"kind": "adamw"}})
    made = with_values(
        config,
        {"layers": 3, "units_1": 5, "units_2": 6, "units_3": 7, "activation": "relu",
         "dropout": 0.1, "l2": 1e-5, "learning_rate": 0.02, "weight_decay": 0.3, "batch_size": 9},
    )  # fmt: skip
    assert made.network.hidden == (5, 6, 7)
    assert made.network.activations == ("relu",) * 3
    assert (made.network.dropout, made.network.l2) == (0.1, 1e-5)
    assert (made.fit.optimizer.learning_rate, made.fit.optimizer.weight_decay) == (0.02, 0.3)
    assert (made.fit.batch_size, made.fit.epochs) == (9, 7)
    assert with_values(config, {"layers": 1}).network.hidden == config.network.hidden[:1]
    with pytest.raises(ConfigError, match="only the optimizer adamw"):
        tune(recipe(tmp_path, tune={"space": {"weight_decay": [0.1, 0.2]}}), tmp_path, quiet)


def table(path: Path, rows=200, seed=3) -> Path:
    drawn = np.random.default_rng(seed)
    blue, green = 10 ** drawn.uniform(-3, -1.7, (2, rows))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("cruise", "Rrs_443", "Rrs_555", "aph_443"))
        for row in range(rows):
            ratio = np.log10(blue[row] / green[row])
            writer.writerow((f"c{row % 10}", blue[row], green[row], 0.05 * 10 ** (-1.2 * ratio)))
    return path


def recipe(folder: Path, **changes) -> TrainingConfig:
    data = {
        "name": "small",
        "sensors": ["MODIS-Aqua"],
        "samples": {
            "files": [str(table(folder / "samples.csv"))],
            "group": "cruise",
            "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443, 555]}],
            "targets": [{"quantity": "aph", "wavelengths_nm": [443]}],
        },
        "fit": {"epochs": 9, "batch_size": 50, "schedule": {"kind": "cosine"}},
    }
    return load_recipe(data | changes, TrainingConfig)


REAL_SPACE = {
    "layers": [1, 2],
    "units": {"min": 2, "max": 32, "scale": "log"},
    "learning_rate": {"min": 1e-7, "max": 0.3, "scale": "log"},
}


def test_hyperband_finds_learning_rates_that_fit(tmp_path):
    """By the trainer: in nine epochs of three steps only rates of about 0.01 to 0.1 get far."""
    config = recipe(tmp_path, tune={"space": REAL_SPACE})
    tuned = tune(config, tmp_path / "out", quiet)
    assert 0.004 < tuned.best.values["learning_rate"] < 0.3
    slow = [t.objective for t in tuned.trials if t.values["learning_rate"] < 1e-3]
    assert slow
    assert min(slow) > 3 * tuned.best.objective

    write_tuned(tmp_path / "out", tuned)
    assert {"trials.csv", "trials.txt", "trials.png", "best.yaml"} <= {
        file.name for file in (tmp_path / "out").iterdir()
    }
    lines = list(csv.DictReader(trials_csv(tuned).splitlines()))
    assert [int(line["trial"]) for line in lines] == list(range(1, len(tuned.trials) + 1))
    assert min(float(line["objective"]) for line in lines) == tuned.best.objective
    assert f"best: trial {tuned.best.number} of {len(lines)}" in trials_text(tuned)
    assert f"# Trial {tuned.best.number}: " in best_yaml(tuned)

    best = load_recipe(tmp_path / "out" / "best.yaml", TrainingConfig)
    assert best.tune is None
    assert best.fit.epochs == 9
    # A training that was gone on with, twice, has the bits of one in a whole.
    parts = next(t for t in tuned.trials if t.epochs == 9 and t.continues is not None)
    history = train(with_values(config, parts.values), Silent()).fitted.history
    assert min(epoch.validation_loss for epoch in history) == parts.objective


def test_folds_are_averaged(tmp_path):
    """Each row outside the test part validates once."""
    said = {"method": "random", "trials": 1, "epochs": 2, "folds": 3, "space": REAL_SPACE}
    asked = []

    def listening(name):
        asked.append(name)
        return quiet(name)

    tuned = tune(recipe(tmp_path, tune=said), tmp_path / "out", listening)
    assert asked == [f"small trial 1, division {n} of 3" for n in (1, 2, 3)]
    assert "mean of 3 divisions" in best_yaml(tuned)


def test_a_network_that_cannot_be_saved_is_refused_first(tmp_path):
    """OC-SMART's program knows tanh."""
    space = REAL_SPACE | {"activation": ["tanh", "relu"]}
    with pytest.raises(NetworkError, match="relu"):
        tune(recipe(tmp_path, tune={"space": space}), tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()


def test_a_killed_command_ends_as_an_undisturbed_one(tmp_path):
    """SIGKILL at a moment that a seed chooses, then the same call again."""
    said = {"epochs": 3, "factor": 2, "space": REAL_SPACE}
    config = recipe(tmp_path, tune=said)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    command = ("tune", "small.yaml", "-o", "killed")
    undisturbed = tune(config, tmp_path / "whole", quiet)

    rng = random.Random(11)  # noqa: S311
    lines = rng.randrange(2, len(undisturbed.trials))
    process = training.start(*command, cwd=tmp_path)
    journal = tmp_path / "killed" / NAME
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
            break
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.3))
    process.kill()
    process.wait()
    kept = journal.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    assert lines <= kept.count(b"\n") <= 1 + len(undisturbed.trials)

    ended = training.run(*command, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert journal.read_bytes().startswith(kept)
    found = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    assert [Trial(**one) for one in found] == list(undisturbed.trials)
    done = kept.count(b"\n") - 1
    assert f"resuming after {done} trials" in ended.stderr
    assert "best: trial" in ended.stdout
    assert (tmp_path / "killed" / "best.yaml").read_text() == best_yaml(undisturbed)


def test_the_example_of_the_documentation_is_a_recipe():
    """And its space goes with it."""
    text = (Path(__file__).parents[2] / "docs" / "tuning.md").read_text()
    example = text.split("```yaml\n")[1].split("```")[0]
    config = load_recipe(yaml.safe_load(example), TrainingConfig)
    check_space(config, config.tune.space)
    assert set(config.tune.space.numeric) == {
        "layers", "units", "learning_rate", "dropout", "weight_decay", "batch_size"
    }  # fmt: skip
    shipped = Path(__file__).parents[2] / "benchmarks" / "nomad_aph.yaml"
    assert load_recipe(shipped, TrainingConfig).tune.epochs == 81
