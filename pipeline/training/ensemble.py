"""Train networks with one recipe; each network leaves out a different part of the samples.

The training and validation parts together are divided into folds. A member of the ensemble learns
from all folds except one. Its training stops when the loss on the left-out fold stops falling. So
every row is left out by some members. The uncertainty of the ensemble is calibrated with the spread
of all members and with the errors of the members on the rows that they left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.config.training import EnsembleConfig, Recipe
from pipeline.config.uncertainty import SampleUncertainty
from pipeline.evaluation.coverage import coverage
from pipeline.networks import Ensemble
from pipeline.networks.ensemble import Calibration
from pipeline.networks.sigma_points import deviation_from_inputs
from pipeline.networks.variable import Array, in_decades
from pipeline.training.calibration import UnseenRows, calibrate
from pipeline.training.error_networks import learn_errors
from pipeline.training.fit_network import TrainingResult
from pipeline.training.folds import unseen_folds
from pipeline.training.input_errors import check_input_errors, input_errors
from pipeline.training.record import source_record
from pipeline.training.samples.preparation import PreparedSamples, Rows
from pipeline.training.samples.splits import Split

Kind = TypeVar("Kind", bound=Recipe)
TrainMember = Callable[[Kind, PreparedSamples, Path | None], TrainingResult]
"""Function that trains one network from a recipe, samples and a folder of checkpoints."""


@dataclass(frozen=True, eq=False)
class TrainedEnsemble:
    """The result of training an ensemble."""

    network: Ensemble
    members: tuple[TrainingResult, ...]
    prepared: PreparedSamples
    """Samples with the split of the recipe; the members have other splits."""


def train_ensemble(
    config: Kind,
    settings: EnsembleConfig,
    prepared: PreparedSamples,
    train_member: TrainMember[Kind],
    checkpoints: Path | None = None,
) -> TrainedEnsemble:
    """Train the members of an ensemble and calibrate its uncertainty.

    All members have the same recipe but different seeds, which count up from the seed of the
    recipe. No member learns from the test part.

    Raises:
        ConfigError: there are too few groups or rows for the folds, or a fit failed.
    """
    split = prepared.split
    pool = split.not_test
    folds = unseen_folds(config, settings, prepared)
    if settings.input_uncertainty is not None:
        check_input_errors(prepared.samples.inputs, settings.input_uncertainty)
    members = []
    for number in range(settings.members):
        fold = folds[number % len(folds)]
        part = PreparedSamples(prepared.samples, Split(np.setdiff1d(pool, fold), fold, split.test))
        folder = None if checkpoints is None else checkpoints / f"{number + 1:02d}"
        members.append(train_member(_member_recipe(config, number), part, folder))
    networks = tuple(member.network for member in members)
    ensemble = Ensemble.of(networks, name=config.name, title=config.title)
    if not ensemble.classes:
        stated = settings.input_uncertainty
        unseen = _unseen(ensemble, prepared, pool, folds)
        if settings.error_networks is not None:
            places = [np.searchsorted(pool, fold) for fold in folds]
            learned = learn_errors(config, settings.error_networks, prepared, pool, places, unseen)
            ensemble, unseen = replace(ensemble, error_networks=learned.networks), learned.unseen
        ensemble = _calibrated(ensemble, prepared, pool, unseen, stated)
    configuration = config.model_dump(mode="json", exclude={"title", "citation", "licence"})
    record = source_record(prepared) | {"configuration": configuration}
    return TrainedEnsemble(replace(ensemble, training=record), tuple(members), prepared)


def held_on(ensemble: Ensemble, prepared: PreparedSamples, rows: Rows) -> Mapping[str, Any]:
    """Return, for each output, the shares of observed values inside the ensemble's intervals."""
    chosen = prepared.samples.take(rows)
    modelled, deviation = ensemble.predict_with_uncertainty(chosen.x, "numpy")
    with np.errstate(all="ignore"):
        observed, modelled = (in_decades(ensemble.outputs, v) for v in (chosen.y, modelled))
    return _held(ensemble, observed, modelled, deviation)


def _member_recipe(config: Kind, number: int) -> Kind:
    fit = config.fit.model_copy(update={"seed": config.fit.seed + number})
    name = f"{config.name}_{number + 1:02d}"
    return config.model_copy(update={"name": name, "fit": fit, "ensemble": None})


def _calibrated(
    ensemble: Ensemble,
    prepared: PreparedSamples,
    pool: Rows,
    unseen: UnseenRows,
    stated: SampleUncertainty | None,
) -> Ensemble:
    """Return the ensemble with its calibration and a record of its coverage.

    ``stated`` is the uncertainty of the inputs of the samples, if it is known.
    """
    calibration = calibrate(ensemble.outputs, unseen)
    ensemble = replace(ensemble, calibration=calibration)
    deviation = calibration(unseen.spread, unseen.typical)
    record = {"unseen": _held(ensemble, unseen.observed, unseen.modelled, deviation)}
    if len(prepared.split.test):
        record["test"] = held_on(ensemble, prepared, prepared.split.test)
    without_inputs = None
    if stated is not None:
        without_inputs = _without_inputs(ensemble, prepared.samples.x[pool], unseen, stated)
    calibration = replace(calibration, record=record, without_inputs=without_inputs)
    return replace(ensemble, calibration=calibration)


def _without_inputs(
    ensemble: Ensemble, x: Array, unseen: UnseenRows, stated: SampleUncertainty
) -> Calibration:
    """Calibrate the errors without the share that the stated uncertainty of the inputs causes."""
    from_inputs = deviation_from_inputs(ensemble, x, *input_errors(ensemble, x, stated))
    calibration = calibrate(ensemble.outputs, replace(unseen, from_inputs=from_inputs))
    deviation = np.hypot(calibration(unseen.spread, unseen.typical), from_inputs)
    record = {
        "input_uncertainty": stated.model_dump(mode="json", exclude_defaults=True),
        "unseen": _held(ensemble, unseen.observed, unseen.modelled, deviation),
    }
    return replace(calibration, record=record)


def _unseen(
    ensemble: Ensemble, prepared: PreparedSamples, pool: Rows, folds: Sequence[Rows]
) -> UnseenRows:
    """Return, for each row of the pool, the mean of the members that left out the row."""
    x, y = prepared.samples.x[pool], prepared.samples.y[pool]
    with np.errstate(all="ignore"):
        made = np.stack([in_decades(ensemble.outputs, m.reference(x)) for m in ensemble.members])
        observed = in_decades(ensemble.outputs, y)
    modelled = np.full_like(observed, np.nan)
    for number, fold in enumerate(folds):
        rows = np.searchsorted(pool, fold)
        modelled[rows] = made[number :: len(folds), rows].mean(axis=0)
    return UnseenRows(observed, modelled, np.asarray(made.std(axis=0, ddof=1)))


def _held(
    ensemble: Ensemble, observed: Array, modelled: Array, deviation: Array
) -> Mapping[str, Any]:
    """Return the coverage of each output, rounded to four digits."""
    columns = {
        variable.name: coverage(
            observed[:, column], modelled[:, column], deviation[:, column], log=False
        )
        for column, variable in enumerate(ensemble.outputs)
    }
    return {
        output: {k: v if isinstance(v, int) else float(f"{v:.4g}") for k, v in asdict(c).items()}
        for output, c in columns.items()
    }
