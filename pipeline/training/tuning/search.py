"""Run Keras Tuner's Hyperband, random or Bayesian search; a journal keeps the results.

Keras Tuner keeps its state in several JSON files, which it overwrites one after the other. A killed
process may leave half a file, or files that do not match each other. So this module does not write
Keras Tuner's files. Proposals depend only on the seed, the number of the trial and the results of
earlier trials. So a resumed search makes the same proposals again, and takes the results of
finished trials from the journal.
"""

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.errors import FatalError

from pipeline.config.tuning import Numbers, Space, TuningConfig, WholeNumbers
from pipeline.errors import ConfigError
from pipeline.training.tuning.journal import Journal
from pipeline.training.tuning.space import UNITS
from pipeline.training.tuning.trial import Proposal, RunTrial, Trial, Value, Values

log = logging.getLogger(__name__)

OWN = "tuner/"
"""Prefix of the names of values that Keras Tuner adds for its own use."""
SEEDS_APART, TRIALS_APART = 10_000_019, 1_000
"""Distance between the seeds of two searches, and between the seeds of two trials.

The seeds lie far apart, because Keras Tuner counts up from a seed."""
MOST_SEEDS = 2**32
LEAST_LOSS = 1e-30
WORSE = 1.0
"""A diverged trial gets the worst objective so far, multiplied by 10 to this power."""


def search(
    config: TuningConfig,
    epochs: int,
    layers: int,
    run: RunTrial,
    journal: Journal,
    report: Callable[[Trial, bool], None],
) -> list[Trial]:
    """Run trials until the method has no more proposals.

    Args:
        config: method, seed and space.
        epochs: epochs of the longest training.
        layers: number of hidden layers if the space does not vary it.
        run: function that runs one trial.
        journal: journal of finished trials; new trials are appended to it.
        report: function that receives each trial, and whether the trial came from the journal.

    Raises:
        ConfigError: the journal does not match the proposals, a library is missing, or the space
            has too few values.
    """
    oracle = _oracle(config, epochs, layers, journal)
    tuner = _Tuner(oracle, run, journal, report, epochs)
    try:
        tuner.search()
    except FatalError as error:
        # Keras Tuner would treat any other exception as a failed trial.
        raise error.__cause__ or error from None
    return tuner.trials


def hyperparameters(space: Space, layers: int) -> Any:
    """Return a space in the form of Keras Tuner; the units of a layer vary only if it exists."""
    made = keras_tuner.HyperParameters()
    depths = list(range(1, layers + 1))
    if space.layers is not None:
        least, most = (int(end) for end in space.layers.ends)
        depths = sorted(space.layers.values) or list(range(least, most + 1))
        made.Choice("layers", depths)
    if space.units is not None:
        for number in range(1, max(depths) + 1):
            name, enough = f"{UNITS}{number}", [depth for depth in depths if depth >= number]
            if space.layers is None or len(enough) == len(depths):
                _add(made, name, space.units)
            else:
                with made.conditional_scope("layers", enough):
                    _add(made, name, space.units)
    if space.activation is not None:
        made.Choice("activation", list(space.activation))
    for name, dimension in space.numeric.items():
        if name not in ("layers", "units"):
            _add(made, name, dimension)
    return made


def _add(made: Any, name: str, one: WholeNumbers | Numbers) -> None:
    values, low, high = one.values, one.min, one.max
    if values:
        made.Choice(name, sorted(values))
    else:
        kind = made.Int if isinstance(one, WholeNumbers) else made.Float
        kind(name, low, high, sampling=one.scale)


class _Unsaved:
    """A Keras Tuner oracle that writes no files and keeps proposals inside the space."""

    journal: Journal
    dimensions: Mapping[str, WholeNumbers | Numbers]

    def save(self) -> None:
        """Do nothing, because only the journal is saved."""

    def _save_trial(self, trial: Any) -> None:
        pass

    def _proposed(self, trial_id: str) -> dict[str, Any]:
        """Return a proposal, clipped to the space.

        Keras Tuner may round values beyond the limits of the space.
        """
        proposed: dict[str, Any] = super().populate_space(trial_id)  # type: ignore[misc]
        values = proposed.get("values") or {}
        for name, value in values.items():
            dimension = self.dimensions.get("units" if name.startswith(UNITS) else name)
            if dimension is not None:
                least, most = dimension.ends
                values[name] = type(value)(min(max(value, least), most))
        return proposed


class _Hyperband(_Unsaved, keras_tuner.oracles.HyperbandOracle):  # type: ignore[misc]
    def drawn(self) -> int:
        """Return the number of trials that one iteration draws at random."""
        return sum(self._get_size(n, 0) for n in range(self._get_num_brackets()))

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose the next trial, even if the trial is already in the journal.

        Hyperband needs every proposal, because each trial has a place in a bracket.

        Raises:
            FatalError: the trial in the journal does not fit the proposal. The cause of this error
                is a ConfigError.
        """
        proposed = self._proposed(trial_id)
        done = self.journal.get(int(trial_id) + 1)
        if done is None or proposed["status"] != "RUNNING":
            return proposed
        own = {k: v for k, v in proposed["values"].items() if k.startswith(OWN)}
        if (own[f"{OWN}epochs"], _continued(own)) != (done.epochs, done.continues):
            raise FatalError from ConfigError(
                f"{self.journal.path}: trial {done.number} has {done.epochs} epochs and continues "
                f"trial {done.continues}; expected {own[f'{OWN}epochs']} epochs and trial "
                f"{_continued(own)}. Another version of Keras Tuner made this trial. Start over "
                "with --restart, or choose another folder."
            )
        # The values in the journal are used, even if a library now draws other numbers.
        return proposed | {"values": {**done.values, **own}}


class _ByNumber(_Unsaved):
    """An oracle whose proposals depend only on earlier results and the number of the trial."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose the next trial."""
        done = self.journal.get(int(trial_id) + 1)
        if done is not None:
            return {"status": "RUNNING", "values": dict(done.values)}
        self._seed_state = (self.seed + TRIALS_APART * int(trial_id)) % MOST_SEEDS  # type: ignore[attr-defined]
        self._random_state = np.random.RandomState(self._seed_state)
        return self._proposed(trial_id)


class _Random(_ByNumber, keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
    pass


class _Bayesian(_ByNumber, keras_tuner.oracles.BayesianOptimizationOracle):  # type: ignore[misc]
    pass


def _oracle(config: TuningConfig, epochs: int, layers: int, journal: Journal) -> Any:
    options: dict[str, Any] = {
        "seed": (1 + SEEDS_APART * config.seed) % MOST_SEEDS or 1,  # Keras Tuner ignores 0
        "hyperparameters": hyperparameters(config.space, layers),
        "allow_new_entries": False,
        "tune_new_entries": False,
    }
    if config.method == "hyperband":
        oracle = _Hyperband(
            max_epochs=epochs,
            factor=config.factor,
            hyperband_iterations=config.iterations,
            **options,
        )
        _check_room(config.space.combinations(layers), oracle.drawn() * config.iterations)
    elif config.method == "random":
        oracle = _Random(max_trials=config.trials, **options)
    else:
        dimensions = len(config.space.numeric) + (config.space.activation is not None)
        try:
            oracle = _Bayesian(
                max_trials=config.trials, num_initial_points=2 * dimensions + 2, **options
            )
        except ImportError:
            raise ConfigError(
                "tune.method: bayesian needs scikit-learn: pip install 'keras-tuner[bayesian]'."
            ) from None
    oracle.verbose = 0
    oracle.journal, oracle.dimensions = journal, config.space.numeric
    return oracle


def _check_room(combinations: float, drawn: int) -> None:
    """Refuse a space so small that Hyperband would run out of new combinations and stop early."""
    if combinations < 2 * drawn:
        raise ConfigError(
            f"tune.space has {combinations:.0f} combinations, expected at least {2 * drawn}, "
            f"because hyperband draws {drawn} different combinations and needs twice as many to "
            "choose from. Vary more settings, give ranges, lower tune.epochs, raise tune.factor, "
            "or use method: random."
        )


class _Tuner(BaseTuner):  # type: ignore[misc]
    """Keras Tuner's loop; it takes each trial from the journal, or runs the trial now."""

    def __init__(
        self,
        oracle: Any,
        run: RunTrial,
        journal: Journal,
        report: Callable[[Trial, bool], None],
        epochs: int,
    ) -> None:
        super().__init__(oracle, directory=str(journal.path.parent), project_name=".")
        self._run, self._journal, self._report, self._epochs = run, journal, report, epochs
        self._roots: dict[int, int] = {}
        self._worst = 0.0
        self.trials: list[Trial] = []

    def save(self) -> None:
        """Do nothing, because only the journal is saved."""

    def _get_tuner_fname(self) -> str:
        return str(Path(self.directory) / "keras_tuner_writes_no_file.json")

    def run_trial(self, trial: Any) -> float:
        """Run a trial and return log10 of its objective, because losses differ by powers of ten."""
        try:
            done = self._done(_proposal(trial, self._epochs, self._roots))
        except Exception as error:
            raise FatalError(str(error)) from error
        if done.objective is None:
            return self._worst + WORSE
        level = math.log10(max(done.objective, LEAST_LOSS))
        first = not any(one.objective is not None for one in self.trials[:-1])
        self._worst = level if first else max(self._worst, level)
        return level

    def _done(self, proposal: Proposal) -> Trial:
        """Return the finished trial from the journal, or run the trial now."""
        self._roots[proposal.number] = proposal.root
        known = self._journal.get(proposal.number)
        done = known or self._run(proposal)
        if known is None:
            self._journal.append(done)
        self.trials.append(done)
        self._report(done, known is not None)
        return done


def _proposal(trial: Any, epochs: int, roots: dict[int, int]) -> Proposal:
    values: dict[str, Value] = dict(trial.hyperparameters.values)
    own = {name: value for name, value in values.items() if name.startswith(OWN)}
    number, continues = int(trial.trial_id) + 1, _continued(own)
    return Proposal(
        number,
        {name: value for name, value in values.items() if name not in own},
        int(own.get(f"{OWN}epochs", epochs)),
        continues,
        number if continues is None else roots[continues],
    )


def _continued(own: Values) -> int | None:
    """Return the number of the trial that this trial continues, or None if it is a new training."""
    before = own.get(f"{OWN}trial_id")
    return None if before is None else int(before) + 1
