"""Samples -> what a model learns from: scaled, in parts, with a weight for each target."""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config.samples import SamplesConfig, SplitsConfig
from pipeline.config.training import Fit
from pipeline.networks.description import Array, Variable, class_outputs
from pipeline.networks.engines.numpy_engine import scaled
from pipeline.training.fitting import FitData
from pipeline.training.samples.output_weights import output_weights, sums_of_classes
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.samples.scaling import fit_variables
from pipeline.training.samples.splits import Split, make_split

log = logging.getLogger(__name__)

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PreparedSamples:
    """Samples with their parts."""

    samples: SampleSet
    split: Split

    def inputs(self) -> tuple[Variable, ...]:
        """The inputs, scaled by the training part.

        Raises:
            ConfigError: one is constant.
        """
        return fit_variables(self.samples.inputs, self.samples.x, self.split.train)

    def outputs(self) -> tuple[Variable, ...]:
        """The targets, scaled by the training part; of classes their probabilities.

        Raises:
            ConfigError: one is constant.
        """
        if self.samples.classes:
            return class_outputs(self.samples.classes)
        return fit_variables(self.samples.targets, self.samples.y, self.split.train)

    def output_weights(self, fit: Fit) -> Array | None:
        """How much each class or target counts in a fit, by the training part; None where alike.

        Raises:
            ConfigError: the fit names one that is not there, or one cannot be balanced.
        """
        part = self.samples.take(self.split.train)
        weights = np.ones(len(part)) if part.weights is None else part.weights
        if part.labels is not None:
            sums = sums_of_classes(part.labels, weights, len(part.classes))
            return output_weights("fit.class_weights", fit.class_weights, part.classes, sums)
        sums = (weights[:, np.newaxis] * np.isfinite(part.y)).sum(axis=0)
        names = [variable.name for variable in part.targets]
        return output_weights("fit.target_weights", fit.target_weights, names, sums)

    def data(
        self,
        rows: Rows,
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        one_logit: bool = False,
        by_output: Array | None = None,
    ) -> FitData | None:
        """Some rows as a model with such variables sees them; None where there are none.

        Args:
            rows: which.
            inputs: of the model.
            outputs: of the model, in the order of the targets.
            one_logit: whether two classes are one column: 1 is the second class.
            by_output: how much each class or target counts besides the weights of samples.
        """
        if not len(rows):
            return None
        part = self.samples.take(rows)
        weights = np.ones(len(rows)) if part.weights is None else part.weights
        x = scaled(inputs, part.x)
        if part.labels is not None:
            y = np.eye(len(part.classes))[part.labels]
            if by_output is not None:
                weights = weights * by_output[part.labels]
            return FitData(x, y[:, 1:] if one_logit else y, weights[:, np.newaxis])
        known = np.isfinite(part.y)
        y = np.where(known, scaled(outputs, part.y), 0.0)
        of_targets = 1.0 if by_output is None else by_output
        return FitData(x, y, weights[:, np.newaxis] * known * of_targets)

    def golden_inputs(self, count: int = 5) -> Array:
        """A few training spectra from end to end, by their mean transformed value."""
        rows = self.split.train
        level = scaled(self.inputs(), self.samples.x[rows]).mean(axis=1)
        places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
        chosen: Array = self.samples.x[rows[np.argsort(level, kind="stable")[places]]]
        return chosen


def prepare(samples: SamplesConfig, splits: SplitsConfig) -> PreparedSamples:
    """Read samples and part them.

    Raises:
        ConfigError: what is wrong with the tables or with the parts.
    """
    loaded = load_samples(samples)
    split = make_split(loaded, splits)
    for message in (*loaded.told, *split.told):
        log.info("samples: %s", message)
    return PreparedSamples(loaded, split)
