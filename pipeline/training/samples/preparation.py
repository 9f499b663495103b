"""Prepare samples for a model: split them, scale them, and weight each target."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.config.samples import SamplesConfig, SplitsConfig
from pipeline.config.training import Fit
from pipeline.networks.description import class_outputs
from pipeline.networks.variable import Array, Variable, scaled
from pipeline.training.fitting import FitData
from pipeline.training.samples.output_weights import output_weights
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.samples.scaling import fit_variables
from pipeline.training.samples.splits import Split, make_split

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PreparedSamples:
    """Samples, with their split into a training, a validation and a test part."""

    samples: SampleSet
    split: Split

    @property
    def output_activation(self) -> str:
        """The activation of the last layer of a network that is trained on these samples."""
        return "softmax" if self.samples.classes else "linear"

    def inputs(self) -> tuple[Variable, ...]:
        """Return the inputs with ranges from the training part; constant inputs are an error."""
        return fit_variables(self.samples.inputs, self.samples.x, self.split.train)

    def outputs(self) -> tuple[Variable, ...]:
        """Return the targets with ranges from the training part, or one output for each class."""
        if self.samples.classes:
            return class_outputs(self.samples.classes)
        return fit_variables(self.samples.targets, self.samples.y, self.split.train)

    def output_weights(self, fit: Fit) -> Array | None:
        """Return the weight of each class or target in a fit, or None if all weights are equal.

        Raises:
            ConfigError: a class or target is unknown, or has a balanced weight but no samples.
        """
        part = self.samples.take(self.split.train)
        if part.labels is not None:
            sums = np.bincount(part.labels, part.row_weights, len(part.classes)).astype(np.float64)
            return output_weights("fit.class_weights", fit.class_weights, part.classes, sums)
        sums = (part.row_weights[:, np.newaxis] * np.isfinite(part.y)).sum(axis=0)
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
        """Return the chosen rows as arrays for a model, or None if there are no rows.

        Args:
            rows: indices of the samples.
            inputs: inputs of the model.
            outputs: outputs of the model, in the order of the targets.
            one_logit: whether two classes share one column, which is 1 for the second class and 0
                for the first class.
            by_output: for each class or target, a factor that multiplies the weights of samples.
        """
        if not len(rows):
            return None
        part = self.samples.take(rows)
        weights, x = part.row_weights, scaled(inputs, part.x)
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
        """Sort the training spectra by their mean scaled value; return a few at equal steps."""
        rows = self.split.train
        level = scaled(self.inputs(), self.samples.x[rows]).mean(axis=1)
        places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
        chosen: Array = self.samples.x[rows[np.argsort(level, kind="stable")[places]]]
        return chosen

    def add_to(self, digest: Any) -> None:
        """Update a hash with every value that a fit depends on."""
        samples, split = self.samples, self.split
        for array in (
            samples.x, samples.y, samples.labels, samples.weights, split.train, split.validation,
        ):  # fmt: skip
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())


def prepare(samples: SamplesConfig, splits: SplitsConfig) -> PreparedSamples:
    """Read the samples and split them.

    Raises:
        ConfigError: the tables or the split are not usable.
    """
    loaded = load_samples(samples)
    split = make_split(loaded, splits)
    loaded.log_notes(split.notes)
    return PreparedSamples(loaded, split)
