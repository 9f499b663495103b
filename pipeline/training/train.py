"""A training configuration -> a network, its file, and what is to be known about it."""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.training import FinetuneConfig, Recipe, TrainingConfig
from pipeline.errors import ConfigError, DivergedError
from pipeline.facts.sensors import find_sensor
from pipeline.networks.checks import check_class_names, check_network
from pipeline.networks.description import GoldenSpectra, Layer, Network
from pipeline.networks.variable import Variable
from pipeline.training.baselines import baseline_classes
from pipeline.training.fitting import Checkpoints, EpochListener, FitResult, Trainer
from pipeline.training.fitting.model import decorrelation, layers_of, new_model
from pipeline.training.fitting.setup import set_up
from pipeline.training.samples.preparation import PreparedSamples, prepare
from pipeline.version import __version__

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

# Keys of a recipe that do not change what a fit is: with others, it goes on from its checkpoints.
NOT_OF_A_FIT = (
    "title", "save", "citation", "licence", "limits", "baselines", "class_baselines", "tune",
    "ensemble",
)  # fmt: skip

# Inputs whose principal components go into the record of a network.
MOST_REMEMBERED = 20


@dataclass(frozen=True)
class TrainingResult:
    """What came of it."""

    network: Network
    fitted: FitResult
    prepared: PreparedSamples
    before: Network | None = None
    """The network that fine-tuning began with, on the same outputs."""


def train(
    config: TrainingConfig,
    listener: EpochListener,
    checkpoints: Path | None = None,
    prepared: PreparedSamples | None = None,
) -> TrainingResult:
    """Train a network anew.

    Args:
        config: all of it.
        listener: told after each epoch.
        checkpoints: folder for them; where it holds some of the same configuration and samples,
            training goes on from there.
        prepared: samples that are read and parted already.

    Raises:
        ConfigError: what is wrong with configuration or samples, before any training; or the loss
            is not finite any more.
    """
    check_sensors(config)
    set_up(config.fit)
    prepared = prepared or prepare(config.samples, config.splits)
    inputs, outputs = prepared.inputs(), prepared.outputs()
    head = Head.of(prepared)
    check_savable_later(config, (*config.network.activations, head.activation), inputs, outputs)
    check_classes(config, prepared, inputs)
    by_output = prepared.output_weights(config.fit)
    data = {
        part: prepared.data(rows, inputs, outputs, head.is_one_logit, by_output)
        for part, rows in (
            ("train", prepared.split.train),
            ("validation", prepared.split.validation),
        )
    }
    if data["train"] is None:
        raise ConfigError("no training samples are left. Make the validation and test parts less.")
    first = decorrelation(data["train"].x) if config.network.decorrelate else None
    model = new_model(
        len(inputs),
        head.units(len(outputs)),
        config.network,
        last="linear",
        seed=config.fit.seed,
        dtype=config.fit.precision,
        first=first,
    )
    trainer = Trainer(
        model, config.fit, data["train"], data["validation"], is_classifier=head.is_classifier
    )
    kept = kept_at(checkpoints, config, prepared)
    resume = kept.load() if kept is not None else None
    if resume is not None:
        log.info("going on after epoch %d", resume.history[-1].number)
    fitted = trainer.fit(listener, kept, resume=resume)
    check_finite(fitted)
    layers = head.layers(model, config.network.activations)
    network = as_network(config, prepared, inputs, outputs, layers, fitted)
    return TrainingResult(remembering(network, first), fitted, prepared)


def remembering(network: Network, first: Layer | None) -> Network:
    """The network with the components of its inputs in its record, for fine-tuning.

    Of many inputs they are too many numbers for an attribute of a file.
    """
    if first is None or len(network.inputs) > MOST_REMEMBERED:
        return network
    components = {"kernel": first.kernel.tolist(), "bias": first.bias.tolist()}
    return replace(network, training=network.training | {"decorrelation": components})


def check_sensors(config: Recipe) -> tuple[str, ...]:
    """The sensors of a recipe, spelled as the tables do.

    Raises:
        ConfigError: one is not known.
    """
    return tuple(find_sensor(sensor).name for sensor in config.sensors)


@dataclass(frozen=True)
class Head:
    """What the last layer is while it learns, and what it is in the network.

    Two classes are learned by one logit, and are a softmax over that and zero; more classes are
    learned by their logits.
    """

    classes: int

    @classmethod
    def of(cls, prepared: PreparedSamples) -> "Head":
        """For these samples."""
        return cls(len(prepared.samples.classes))

    @property
    def is_classifier(self) -> bool:
        """Whether the outputs are classes."""
        return self.classes > 0

    @property
    def is_one_logit(self) -> bool:
        """Whether two classes are learned by one logit."""
        return self.classes == 2

    @property
    def activation(self) -> str:
        """Of the last layer of the network."""
        return "softmax" if self.is_classifier else "linear"

    def units(self, outputs: int) -> int:
        """Of the last layer while it learns."""
        return 1 if self.is_one_logit else outputs

    def layers(self, model: "keras.Model", hidden: tuple[str, ...]) -> tuple[Layer, ...]:
        """The layers of the network."""
        *before, last = layers_of(model, (*hidden, self.activation))
        if self.is_one_logit:
            zero = np.zeros_like(last.kernel)
            last = Layer(np.hstack([zero, last.kernel]), np.append(0.0, last.bias), "softmax")
        return (*before, last)


def as_network(
    config: Recipe,
    prepared: PreparedSamples,
    inputs: tuple[Variable, ...],
    outputs: tuple[Variable, ...],
    layers: tuple[Layer, ...],
    fitted: FitResult,
) -> Network:
    """The network of a fit, with its record and golden spectra."""
    samples = prepared.samples
    network = Network(
        name=config.name,
        title=config.title or config.name,
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        sensors=check_sensors(config),
        citation=config.citation,
        licence=config.licence,
        file_name=f"{config.name}.{config.save[0]}",
        sha256="",
        training=record_of(config, prepared, fitted),
        classes=samples.classes,
        class_quantity=samples.class_quantity,
    )
    check_network(network)
    x = prepared.golden_inputs()
    return replace(network, golden=GoldenSpectra(x, network.reference(x)))


def record_of(config: Recipe, prepared: PreparedSamples, fitted: FitResult) -> dict[str, Any]:
    """How it was trained, as plain data that goes into its file."""
    best = next(e for e in fitted.history if e.number == fitted.best_epoch)
    split = prepared.split
    by_output = prepared.output_weights(config.fit)
    record: dict[str, Any] = {
        "software": f"ocpipe {__version__}",
        "data": [dict(source) for source in prepared.samples.sources],
        "rows": {
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
        },
        "configuration": config.model_dump(
            mode="json", exclude={"title", "citation", "licence", "tune"}
        ),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "loss": _number(best.loss),
        "validation_loss": _number(best.validation_loss),
    }
    if by_output is not None:
        names = prepared.samples.classes or [v.name for v in prepared.samples.targets]
        what = "class_weights" if prepared.samples.classes else "target_weights"
        record[what] = dict(zip(names, by_output.tolist(), strict=True))
    return record


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def kept_at(
    folder: Path | None, config: Recipe, prepared: PreparedSamples, start: str = ""
) -> Checkpoints | None:
    """Checkpoints in a folder, for this configuration, these samples and this start alone.

    The number of epochs and the patience may change: a fit may go on for longer.
    """
    if folder is None:
        return None
    record = config.model_dump(
        mode="json", exclude={"fit": {"epochs", "early_stopping", "keep_every", "tensorboard"}}
    )
    for name in NOT_OF_A_FIT:
        record.pop(name, None)
    if config.fit.schedule.kind == "cosine" and config.fit.schedule.decay_epochs is None:
        record["epochs"] = config.fit.epochs
    split = prepared.split
    digest = hashlib.sha256(json.dumps([record, start], sort_keys=True).encode())
    samples = prepared.samples
    arrays = (samples.x, samples.y, samples.labels, samples.weights, split.train, split.validation)
    for array in arrays:
        if array is None:
            continue
        digest.update(np.ascontiguousarray(array).tobytes())
    return Checkpoints(folder, digest.hexdigest(), config.fit.keep_every)


def check_finite(fitted: FitResult) -> None:
    """Refuse a fit that left the numbers.

    Raises:
        DivergedError: its last loss is not finite.
    """
    last = fitted.history[-1]
    if not np.isfinite(last.loss):
        raise DivergedError(
            f"the loss is {last.loss} in epoch {last.number}: training ran away. Lower "
            "fit.optimizer.learning_rate, or set fit.optimizer.clip_norm."
        )


def check_classes(config: Recipe, prepared: PreparedSamples, inputs: tuple[Variable, ...]) -> None:
    """Refuse classes and thresholds that could not be used in the end, before hours of training.

    Raises:
        NetworkError: a class map could not name a class.
        ConfigError: a threshold of ``class_baselines`` cannot be calculated.
    """
    samples = prepared.samples
    if not samples.classes:
        return
    check_class_names("samples.classes", samples.class_quantity, samples.classes)
    baseline_classes(
        config.class_baselines, config.sensors[0], inputs, samples.classes, samples.x[:1]
    )


def check_savable_later(
    config: TrainingConfig | FinetuneConfig,
    activations: tuple[str, ...],
    inputs: tuple[Variable, ...],
    outputs: tuple[Variable, ...],
    sizes: tuple[int, ...] | None = None,
) -> None:
    """Refuse what cannot be saved as asked, before hours of training.

    Raises:
        NetworkError: OC-SMART's program could not run it.
    """
    from pipeline.networks.saving import check_savable

    if "h5" not in config.save or config.beyond_ocsmart:
        return
    if sizes is None:
        hidden = config.network.hidden if isinstance(config, TrainingConfig) else ()
        sizes = (*hidden, len(outputs))
    widths = (len(inputs), *sizes)
    layers = tuple(
        Layer(np.zeros((before, units)), np.zeros(units), activation)
        for before, units, activation in zip(widths, sizes, activations, strict=False)
    )
    classes = tuple(v.name for v in outputs) if activations[-1] == "softmax" else ()
    sketch = Network(
        name=config.name, title="", inputs=inputs, outputs=outputs, layers=layers,
        sensors=config.sensors, citation="", licence="", file_name="", sha256="", classes=classes,
    )  # fmt: skip
    check_savable(Path(f"{config.name}.h5"), sketch)


def check_savable_now(config: TrainingConfig, prepared: PreparedSamples) -> None:
    """Refuse a recipe whose network could not be saved as asked, where many are to be trained.

    Raises:
        NetworkError: OC-SMART's program could not run it.
    """
    activations = (*config.network.activations, Head.of(prepared).activation)
    check_savable_later(config, activations, prepared.inputs(), prepared.outputs())
