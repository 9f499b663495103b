"""Several networks by one recipe, each of which did not see a part of the samples.

The training and validation parts together are divided into folds; a member learns from all folds
but one, which chooses when it stops. So every row has members that did not learn from it: their
errors there, and how far all members lie apart, calibrate the uncertainty that the ensemble states.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.config.training import EnsembleConfig, Recipe
from pipeline.evaluation.coverage import coverage
from pipeline.networks import Ensemble
from pipeline.networks.decades import in_decades
from pipeline.networks.description import Array
from pipeline.training.calibration import UnseenRows, calibrate
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.splits import Split, make_folds
from pipeline.training.train import TrainingResult
from pipeline.version import __version__

Rows = npt.NDArray[np.int64]
Kind = TypeVar("Kind", bound=Recipe)
Fit = Callable[[Kind, PreparedSamples, Path | None], TrainingResult]
"""Fits one network: its recipe, its samples, the folder for its checkpoints."""


@dataclass(frozen=True, eq=False)
class TrainedEnsemble:
    """What came of it."""

    ensemble: Ensemble
    members: tuple[TrainingResult, ...]
    prepared: PreparedSamples
    """Samples with the parts of the recipe; members have others."""


def train_ensemble(
    config: Kind,
    settings: EnsembleConfig,
    prepared: PreparedSamples,
    fit: Fit[Kind],
    checkpoints: Path | None = None,
) -> TrainedEnsemble:
    """Train the members of an ensemble and calibrate what it states of its uncertainty.

    Args:
        config: the recipe of every member; seeds count up from its seed.
        settings: how many, on how many folds.
        prepared: samples with their parts; the test part is left alone.
        fit: makes a member.
        checkpoints: folder for those of all members.

    Raises:
        ConfigError: there are too few groups or rows for so many folds, or a fit failed.
    """
    split = prepared.split
    pool = np.sort(np.concatenate([split.train, split.validation]))
    folds = _folds(config, settings, prepared, pool)
    members = []
    for number in range(settings.members):
        unseen = folds[number % len(folds)]
        own = Split(np.setdiff1d(pool, unseen), unseen, split.test)
        folder = None if checkpoints is None else checkpoints / f"{number + 1:02d}"
        members.append(
            fit(_of_member(config, number), PreparedSamples(prepared.samples, own), folder)
        )
    networks = tuple(member.network for member in members)
    ensemble = Ensemble.of(networks, name=config.name, title=config.title)
    if not ensemble.classes:
        unseen_rows = _unseen(ensemble, prepared, pool, folds)
        calibration = calibrate(ensemble.outputs, unseen_rows)
        ensemble = replace(ensemble, calibration=calibration)
        record = {"unseen": _held(ensemble, unseen_rows)}
        if len(split.test):
            record["test"] = held_on(ensemble, prepared, split.test)
        ensemble = replace(ensemble, calibration=replace(calibration, record=record))
    return TrainedEnsemble(
        replace(ensemble, training=_record(config, prepared)), tuple(members), prepared
    )


def held_on(ensemble: Ensemble, prepared: PreparedSamples, rows: Rows) -> Mapping[str, Any]:
    """By output, what share of observed values the ensemble's intervals hold on some rows."""
    chosen = prepared.samples.take(rows)
    modelled, deviation = ensemble.predict_with_uncertainty(chosen.x, "numpy")
    with np.errstate(all="ignore"):
        observed, modelled = (in_decades(ensemble.outputs, v) for v in (chosen.y, modelled))
    return {
        variable.name: _covered(observed, modelled, deviation, column)
        for column, variable in enumerate(ensemble.outputs)
    }


def _folds(
    config: Recipe, settings: EnsembleConfig, prepared: PreparedSamples, pool: Rows
) -> Sequence[Rows]:
    """Places of the rows that a member does not learn from, fold by fold."""
    splits = config.splits.model_copy(update={"folds": settings.folds})
    return [pool[fold.test] for fold in make_folds(prepared.samples.take(pool), splits)]


def _of_member(config: Kind, number: int) -> Kind:
    fit = config.fit.model_copy(update={"seed": config.fit.seed + number})
    name = f"{config.name}_{number + 1:02d}"
    return config.model_copy(update={"name": name, "fit": fit, "ensemble": None})


def _unseen(
    ensemble: Ensemble, prepared: PreparedSamples, pool: Rows, folds: Sequence[Rows]
) -> UnseenRows:
    """The pool's rows, each by the mean of the members that did not see it."""
    outputs = ensemble.outputs
    x, y = prepared.samples.x[pool], prepared.samples.y[pool]
    with np.errstate(all="ignore"):
        made = np.stack([in_decades(outputs, m.reference(x)) for m in ensemble.members])
        observed = in_decades(outputs, y)
    modelled = np.full_like(observed, np.nan)
    for number, fold in enumerate(folds):
        rows = np.searchsorted(pool, fold)
        modelled[rows] = made[number :: len(folds), rows].mean(axis=0)
    return UnseenRows(observed, modelled, np.asarray(made.std(axis=0, ddof=1)))


def _held(ensemble: Ensemble, unseen: UnseenRows) -> Mapping[str, Any]:
    calibration = ensemble.calibration
    deviation: Array = unseen.spread if calibration is None else calibration(unseen.spread)
    return {
        variable.name: _covered(unseen.observed, unseen.modelled, deviation, column)
        for column, variable in enumerate(ensemble.outputs)
    }


def _covered(observed: Array, modelled: Array, deviation: Array, column: int) -> dict[str, Any]:
    """Of one output, in decades where it spans them."""
    held = coverage(observed[:, column], modelled[:, column], deviation[:, column], log=False)
    return {
        name: v if isinstance(v, int) else float(f"{v:.4g}") for name, v in asdict(held).items()
    }


def _record(config: Recipe, prepared: PreparedSamples) -> dict[str, Any]:
    """How the ensemble was made, as plain data for its file."""
    return {
        "software": f"ocpipe {__version__}",
        "data": [dict(source) for source in prepared.samples.sources],
        "configuration": config.model_dump(mode="json", exclude={"title", "citation", "licence"}),
    }
