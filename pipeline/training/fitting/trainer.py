"""Run the epochs of a fit. Each epoch is one call of a TensorFlow graph with a Keras optimizer.

The order of samples depends only on the seed and the epoch. So a fit that resumes from a checkpoint
ends with the same weights as a fit that was never stopped.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.config.training import Fit
from pipeline.networks.engines.tensorflow_setup import tensorflow
from pipeline.networks.variable import Array
from pipeline.training.fitting.checkpoints import Checkpoints, FitState
from pipeline.training.fitting.history import Epoch
from pipeline.training.fitting.losses import loss_function
from pipeline.training.fitting.model import dense_layers
from pipeline.training.fitting.schedules import Plateau, rate_of

if TYPE_CHECKING:
    import keras

# Number of validation samples per call of the model.
ROWS = 65_536


@dataclass(frozen=True, eq=False)
class FitData:
    """Samples as arrays for a model."""

    x: Array
    """Scaled inputs, with shape (n, inputs)."""
    y: Array
    """Scaled targets, with shape (n, outputs). For classes, the values are 1 and 0. Values with
    weight 0 are arbitrary."""
    weights: Array
    """Weight of each target, with shape (n, outputs), or (n, 1) for classes."""

    def __len__(self) -> int:
        return len(self.x)


class EpochListener(Protocol):
    """Receives the progress of a training."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Receive a finished epoch; ``epochs`` is the number of the last possible epoch."""
        ...


OpenListener = Callable[[str], AbstractContextManager[EpochListener]]
"""Function that opens a listener for a training; its argument is the name of the training."""


@dataclass(frozen=True)
class FitResult:
    """The result of a fit; after the fit, the model has the weights of the best epoch."""

    history: tuple[Epoch, ...]
    best_epoch: int
    stopped_early: bool


class Trainer:
    """Fits one model to one set of samples in one stage."""

    def __init__(
        self,
        model: "keras.Model",
        fit: Fit,
        train: FitData,
        validation: FitData | None = None,
        *,
        is_classifier: bool = False,
        l2_to_start: float = 0.0,
        start: Mapping[str, Array] = MappingProxyType({}),
        stage: int = 1,
    ) -> None:
        """Prepare the graphs.

        Args:
            model: model of :mod:`pipeline.training.fitting.model`; it says which layers are frozen.
            fit: settings of the fit.
            train: training samples.
            validation: validation samples; their loss shows which epoch is the best.
            is_classifier: whether the model returns logits of classes.
            l2_to_start: this factor times the squared distance from ``start`` is added to the loss.
            start: start value of each variable; keys are the paths of the variables.
            stage: number of this stage, from 1.
        """
        self._model, self._fit, self._stage = model, fit, stage
        self._tf = tf = tensorflow()
        self._dtype = tf.as_dtype(fit.precision)
        self._batch = min(fit.batch_size, len(train))
        self._steps = math.ceil(len(train) / self._batch)
        self._train, self._count = self._constants(train), len(train)
        self._validation = None if validation is None else self._constants(validation)
        self._loss = loss_function(fit, is_classifier)
        self._plateau = (
            Plateau(fit.schedule, fit.optimizer.learning_rate)
            if fit.schedule.kind == "plateau"
            else None
        )
        self._optimizer = self._make_optimizer()
        self._optimizer.build(model.trainable_variables)
        self._l2_to_start = l2_to_start
        self._start = {
            v.path: tf.constant(start[v.path]) for v in model.trainable_variables if v.path in start
        }
        self._run_epoch = self._epoch_graph()
        self._run_validation = self._validation_graph()

    def fit(
        self,
        listener: EpochListener,
        checkpoints: Checkpoints | None = None,
        history: tuple[Epoch, ...] = (),
        resume: FitState | None = None,
    ) -> FitResult:
        """Run epoch after epoch, up to the last epoch or until the loss stops falling.

        Args:
            listener: receives each epoch.
            checkpoints: checkpoints in which the state is saved after each epoch.
            history: epochs of earlier stages.
            resume: saved state of this stage, from which the fit resumes.
        """
        state = resume if resume is not None else FitState([], [], list(history))
        first_epoch = 1 + sum(epoch.stage < self._stage for epoch in state.history)
        if resume is not None:
            self._restore(resume)
        # The history includes epochs of earlier stages; the best epoch is one of this stage.
        here = [epoch for epoch in state.history if epoch.stage == self._stage]
        best = min((epoch.judged_by for epoch in here), default=math.inf)
        last = first_epoch + self._fit.epochs - 1
        while not self._is_over(here, last, state.waited):
            number = here[-1].number + 1 if here else first_epoch
            epoch = self._run_one(number)
            stopping = self._fit.early_stopping
            is_best = epoch.judged_by < best - (stopping.min_delta if stopping else 0.0)
            epoch = replace(epoch, is_best=is_best)
            if is_best:
                best, state.waited = epoch.judged_by, 0
                state.best_weights = [np.array(v) for v in self._model.get_weights()]
            else:
                state.waited += 1
            here.append(epoch)
            state.history.append(epoch)
            if checkpoints is not None:
                self._capture(state)
                checkpoints.save(state)
            listener.epoch(epoch, last)
        if state.best_weights:
            self._model.set_weights(state.best_weights)
        best_epoch = next((e.number for e in reversed(here) if e.is_best), here[-1].number)
        return FitResult(tuple(state.history), best_epoch, here[-1].number < last)

    def _is_over(self, here: list[Epoch], last: int, waited: int) -> bool:
        stopping = self._fit.early_stopping
        if not here:
            return False
        if not math.isfinite(here[-1].loss):
            return True  # the loss would stay infinite or NaN
        has_stopped = (
            stopping is not None and self._validation is not None and waited >= stopping.patience
        )
        return here[-1].number >= last or has_stopped

    def _run_one(self, number: int) -> Epoch:
        order = np.random.default_rng((self._fit.seed, number)).permutation(self._count)
        loss = float(self._run_epoch(self._tf.constant(order)))
        validation = float(self._run_validation())
        rate = float(np.asarray(self._optimizer.learning_rate))
        epoch = Epoch(number, self._stage, rate, loss, validation)
        if self._plateau is not None:
            self._optimizer.learning_rate = self._plateau.next_rate(epoch.judged_by)
        return epoch

    def _epoch_graph(self) -> Callable[[Any], Any]:
        tf, (x, y, weights) = self._tf, self._train
        batch, steps, dtype = self._batch, self._steps, self._dtype

        def run(order: Any) -> Any:
            total = tf.zeros((), dtype)
            count = tf.zeros((), dtype)
            for step in tf.range(steps):
                rows = order[step * batch : (step + 1) * batch]
                loss, weight = self._step(*(tf.gather(part, rows) for part in (x, y, weights)))
                total += loss * weight
                count += weight
            return total / count

        graph: Callable[[Any], Any] = tf.function(run)
        return graph

    def _step(self, x: Any, y: Any, weights: Any) -> tuple[Any, Any]:
        """Make one optimizer step on a batch; return the batch's mean loss and total weight."""
        tf, model = self._tf, self._model
        with tf.GradientTape() as tape:
            weight = tf.reduce_sum(weights)
            losses = self._loss(y, model(x, training=True))
            loss = tf.math.divide_no_nan(tf.reduce_sum(weights * losses), weight)
            added = [tf.cast(term, self._dtype) for term in model.losses]
            if self._l2_to_start:
                added += [
                    self._l2_to_start * tf.reduce_sum((v.value - self._start[v.path]) ** 2)
                    for v in model.trainable_variables
                    if v.path in self._start
                ]
            objective = loss + tf.add_n(added) if added else loss
        variables = [variable.value for variable in model.trainable_variables]
        self._optimizer.apply(tape.gradient(objective, variables), model.trainable_variables)
        return loss, weight

    def _validation_graph(self) -> Callable[[], Any]:
        tf = self._tf
        if self._validation is None:
            return lambda: math.nan
        x, y, weights = self._validation
        count = len(x)

        def run() -> Any:
            total = tf.zeros((), self._dtype)
            for start in range(0, count, ROWS):
                part = slice(start, start + ROWS)
                losses = self._loss(y[part], self._model(x[part], training=False))
                total += tf.reduce_sum(weights[part] * losses)
            return total / tf.reduce_sum(weights)

        graph: Callable[[], Any] = tf.function(run)
        return graph

    def _constants(self, data: FitData) -> tuple[Any, Any, Any]:
        x, y, weights = (
            self._tf.constant(part, self._dtype) for part in (data.x, data.y, data.weights)
        )
        return x, y, weights

    def _make_optimizer(self) -> Any:
        import keras

        chosen, fit = self._fit.optimizer, self._fit
        rate = rate_of(fit.schedule, chosen.learning_rate, fit.epochs, self._steps)
        options: dict[str, Any] = {"learning_rate": rate, "global_clipnorm": chosen.clip_norm}
        kinds = {
            "adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW,
            "nadam": keras.optimizers.Nadam, "rmsprop": keras.optimizers.RMSprop,
            "sgd": keras.optimizers.SGD,
        }  # fmt: skip
        if chosen.kind == "adamw":
            options["weight_decay"] = chosen.weight_decay
        if chosen.kind == "sgd":
            options["momentum"] = chosen.momentum
        optimizer = kinds[chosen.kind](**options)
        if chosen.kind == "adamw":
            kernels = {id(layer.kernel) for layer in dense_layers(self._model)}
            others = [v for v in self._model.trainable_variables if id(v) not in kernels]
            optimizer.exclude_from_weight_decay(var_list=others)
        return optimizer

    def _capture(self, state: FitState) -> None:
        state.variables = [v.numpy() for v in self._model.variables]
        state.optimizer = [v.numpy() for v in self._optimizer.variables]
        state.plateau = None if self._plateau is None else self._plateau.state()

    def _restore(self, state: FitState) -> None:
        for kept, variables in (
            (state.variables, self._model.variables),
            (state.optimizer, self._optimizer.variables),
        ):
            for array, variable in zip(kept, variables, strict=True):
                variable.assign(array)
        if self._plateau is not None and state.plateau is not None:
            self._plateau.restore(state.plateau)
