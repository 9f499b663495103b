"""The configuration of a training: the samples, the layers of the network, and the fit."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from pipeline.config.samples import ClassName, SamplesConfig, SplitsConfig, Text
from pipeline.config.strict import NotNegative, Positive, Strict, complaints_of, names_from_tables
from pipeline.config.tuning import TuningConfig
from pipeline.config.uncertainty import SampleUncertainty
from pipeline.errors import ConfigError

Share = Annotated[float, Field(ge=0, lt=1)]
Units = Annotated[int, Field(ge=1, le=8192)]


class Architecture(Strict):
    """The layers of a multilayer perceptron; the last layer is linear (softmax for classes).

    A hidden layer consists of a dense layer, batch normalisation, activation and dropout.
    """

    hidden: tuple[Units, ...] = (32, 16)
    """Number of units of each hidden layer."""
    activation: str | tuple[str, ...] = "tanh"
    """One activation for all hidden layers, or a list with one activation for each layer."""
    dropout: Share = 0.0
    """Share of the units of each hidden layer that training leaves out at random."""
    l2: NotNegative = 0.0
    """This factor times the sum of all squared kernel weights is added to the loss."""
    batch_normalisation: bool = False
    """Whether training uses batch normalisation; saving merges it into the dense layers."""
    decorrelate: bool = False
    """Whether the network learns from the principal components of the scaled inputs; each
    component has variance 1. This helps because bands are correlated, and spectra of different
    waters differ little. In a saved network, the first layer does the transformation."""

    @field_validator("activation", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    _are_known = names_from_tables("activation")

    @model_validator(mode="after")
    def _one_activation_each(self) -> "Architecture":
        if isinstance(self.activation, tuple) and len(self.activation) != len(self.hidden):
            raise ValueError(
                f"expected one activation or one for each of the {len(self.hidden)} hidden layers, "
                f"found {len(self.activation)}"
            )
        return self

    @property
    def activations(self) -> tuple[str, ...]:
        """The activations of the hidden layers, one for each layer."""
        if isinstance(self.activation, tuple):
            return self.activation
        return (self.activation,) * len(self.hidden)


class Schedule(Strict):
    """How the learning rate decreases; e is the time in epochs since the start, such as 2.5.

    constant: rate. inverse_time: rate / (1 + decay_rate * e / decay_epochs). exponential:
    rate * decay_rate^(e / decay_epochs). cosine: during decay_epochs, the rate falls like half a
    cosine to ``final_share`` of its first value; it is constant afterwards. plateau: after
    ``patience`` epochs without a better validation loss, the rate is multiplied by ``factor``, but
    it never falls below ``final_share`` of its first value.
    """

    kind: Literal["constant", "inverse_time", "exponential", "cosine", "plateau"] = "constant"
    decay_epochs: Positive | None = None
    """Number of epochs that the decay takes; by default all epochs."""
    decay_rate: Positive = 0.5
    final_share: Share = 0.0
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: int = Field(default=10, ge=1)


class Optimizer(Strict):
    """The optimizer of Keras, and its learning rate at the start."""

    kind: Literal["adam", "adamw", "nadam", "rmsprop", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    """Weight decay of the optimizer adamw; it applies to kernels only."""
    momentum: Share = 0.0
    """Momentum of sgd."""
    clip_norm: Positive | None = None
    """Largest norm of the gradients of a step; larger gradients are scaled to this norm."""

    @model_validator(mode="after")
    def _belongs(self) -> "Optimizer":
        if self.weight_decay and self.kind != "adamw":
            raise ValueError(f"weight_decay is only for adamw; with {self.kind}, use network.l2")
        if self.momentum and self.kind != "sgd":
            raise ValueError(f"momentum is only for sgd; with {self.kind}, remove momentum")
        return self


class EarlyStopping(Strict):
    """When a training stops early; the weights of the best epoch are kept in any case."""

    patience: int = Field(default=20, ge=1)
    """The training stops after this number of epochs without a better validation loss."""
    min_delta: NotNegative = 0.0
    """A validation loss is better only if it is lower by at least this number."""


class Fit(Strict):
    """How the weights are fitted to the samples."""

    loss: Literal["mse", "mae", "huber", "log_cosh"] = "mse"
    """Loss of the transformed and scaled targets; for classes the loss is the cross-entropy."""
    huber_delta: Positive = 1.0
    class_weights: Literal["none", "balanced"] | dict[ClassName, Positive] = "none"
    """For each class, a factor for the weights of its samples, by default 1. balanced: the factor
    is the number of training samples / (number of classes x number of samples of the class). The
    network's probabilities are then correct only for waters in which the classes have the same
    shares as in the weighted samples."""
    target_weights: Literal["none", "balanced"] | dict[Text, Positive] = "none"
    """For each target, by name (``aph_443``), a factor for its weight in the loss. balanced: all
    targets have the same total weight, even if some are missing in many training samples."""
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    epochs: int = Field(default=200, ge=1)
    batch_size: int = Field(default=256, ge=1)
    early_stopping: EarlyStopping | None = EarlyStopping()
    seed: int = Field(default=1, ge=0)
    """Seed of the random numbers for initial weights, order of the samples and dropout."""
    precision: Literal["float32", "float64"] = "float32"
    keep_every: int | None = Field(default=None, ge=1)
    """Number of epochs between kept checkpoints; the last and best checkpoints are always kept."""
    tensorboard: bool = False
    """Whether logs for TensorBoard are written."""


class Stage(Strict):
    """One stage of fine-tuning; settings that are not given come from ``fit``."""

    freeze: int | Literal["none", "base"] = "none"
    """Number of layers, counted from the input, whose weights do not change. base: the weights of
    the existing network do not change; only a new head learns."""
    learning_rate: Positive | None = None
    schedule: Schedule | None = None
    epochs: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    early_stopping: EarlyStopping | None = None
    l2_to_start: NotNegative = 0.0
    """This factor times the sum of the squared changes of all trainable kernels and biases is added
    to the loss. A change is the difference from the value at the start of fine-tuning."""

    @field_validator("freeze")
    @classmethod
    def _not_negative(cls, freeze: int | str) -> int | str:
        if isinstance(freeze, int) and freeze < 0:
            raise ValueError("expected a number of layers (0 or more), 'none' or 'base'")
        return freeze


class Finetuning(Strict):
    """How an existing network is changed for fine-tuning."""

    head: Literal["keep", "new"] = "keep"
    """keep: the network keeps only those outputs that are targets. new: the network gets the hidden
    layers of ``new_hidden`` and a new last layer; any targets are allowed."""
    new_hidden: tuple[Units, ...] = ()
    """Units of the new hidden layers."""
    drop_layers: int = Field(default=1, ge=1)
    """A new head replaces this number of layers at the end of the network."""
    scaling: Literal["keep", "refit"] = "keep"
    """refit: scaling and training ranges are computed from the new training samples. The first and
    last layers are adapted, so that the network at first gives the same values as before."""
    decorrelate: bool = False
    """True to decorrelate the inputs by principal components. The components come from the
    network's record of training if the record contains them and the scaling is kept. Otherwise, the
    components are computed from the new samples."""
    dropout: Share = 0.0
    stages: tuple[Stage, ...] = Field(default=(Stage(),), min_length=1)

    @model_validator(mode="after")
    def _new_head(self) -> "Finetuning":
        if self.head == "keep" and (self.new_hidden or self.drop_layers != 1):
            raise ValueError("new_hidden and drop_layers need a new head; set head to new")
        return self


class ErrorNetworks(Strict):
    """Networks that learn the size of the ensemble's errors from the same inputs.

    There is one such network for each fold. It learns log10 of the absolute errors in all other
    folds. The error of a row comes from members that did not learn from this row.
    """

    hidden: tuple[Units, ...] = ()
    """Number of units of each hidden layer. Without hidden layers, log10 of the error is a linear
    function of the scaled inputs."""
    l2: NotNegative = 0.01
    """This factor times the sum of all squared kernel weights is added to the loss."""
    epochs: int = Field(default=300, ge=1)
    learning_rate: Positive = 0.01
    batch_size: int = Field(default=256, ge=1)
    early_stopping: EarlyStopping | None = EarlyStopping()


class EnsembleConfig(Strict):
    """Several networks of one recipe, which together estimate values and their uncertainty."""

    members: int = Field(default=5, ge=2, le=100)
    folds: int = Field(default=5, ge=2, le=100)
    """Number of parts into which the training and validation samples are divided, by group if the
    split is by group. Each member is trained without one part; this part is used for early
    stopping and for calibrating the uncertainty."""
    error_networks: ErrorNetworks | None = None
    """Error networks, which make the stated uncertainty larger where the errors are larger. {}
    stands for the default settings. Without this key, there are no error networks; the uncertainty
    then differs from row to row only because the spread of the members differs."""
    input_uncertainty: SampleUncertainty | None = None
    """Uncertainty of the inputs of the samples. If it is given, the ensemble's uncertainty is
    calibrated a second time, without the share that comes from the inputs. A run with uncertain
    inputs uses this second calibration, because it adds the uncertainty of the scene's inputs."""

    @model_validator(mode="after")
    def _every_row_is_unseen(self) -> "EnsembleConfig":
        if self.members < self.folds:
            raise ValueError(
                f"found {self.members} members and {self.folds} folds, expected at least as many "
                "members as folds, because each row needs a member that was trained without this "
                "row"
            )
        return self


class RuleBaseline(Strict):
    """A classification by thresholds, with which a classifier is compared."""

    rules: dict[ClassName, Text] = Field(min_length=1)
    """An expression for each class; it may use network inputs and outputs of ``algorithms``."""
    otherwise: ClassName | None = None
    """Class of the rows for which no rule is true; by default such rows have no class."""
    algorithms: tuple[str, ...] = ()
    """Published algorithms (``qaa_v6``); the rules may use their outputs at the sensor's bands."""


class Recipe(Strict):
    """The settings that training and fine-tuning share."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """Name of the network and of its files."""
    title: str = ""
    sensors: tuple[str, ...] = Field(min_length=1)
    """Sensors whose scenes the network can process."""
    samples: SamplesConfig
    splits: SplitsConfig = SplitsConfig()
    fit: Fit = Fit()
    ensemble: EnsembleConfig | None = None
    baselines: tuple[str, ...] = ()
    """Published algorithms (``oci_2019``, ``qaa_v6``) to compare the network with."""
    class_baselines: dict[Annotated[str, Field(min_length=1)], RuleBaseline] = {}
    """Classifications by thresholds, by name; a classifier is compared with them."""
    save: tuple[Literal["h5", "keras", "onnx"], ...] = Field(default=("h5",), min_length=1)
    """Formats of the saved network; h5 is OC-SMART's layout."""
    beyond_ocsmart: bool = False
    """Whether OC-SMART's layout may be used for networks that OC-SMART cannot run (ReLU)."""
    citation: str = ""
    licence: str = ""
    limits: str = ""
    """Uses for which the network is not suitable; the model card contains this text."""

    @model_validator(mode="after")
    def _belong_to_classes(self) -> Self:
        if self.samples.classes is not None:
            given = self.ensemble
            if given is not None and (given.error_networks or given.input_uncertainty):
                raise ValueError(
                    "ensemble.error_networks and ensemble.input_uncertainty are only for targets"
                )
            if self.baselines:
                raise ValueError(
                    "baselines are only for targets; with classes, use class_baselines"
                )
            if self.fit.target_weights != "none":
                raise ValueError(
                    "fit.target_weights are for targets; with classes, use class_weights"
                )
            return self
        if self.fit.class_weights != "none":
            raise ValueError(
                "fit.class_weights are only for classes; with targets, use target_weights"
            )
        if self.class_baselines:
            raise ValueError("class_baselines are only for classes; with targets, use baselines")
        return self

    def with_members(self, members: int | None) -> Self:
        """Return this recipe with ``members`` as the number of networks; None changes nothing.

        Raises:
            ConfigError: an ensemble cannot have this number of networks.
        """
        if members is None:
            return self
        given = self.ensemble or EnsembleConfig()
        counts = {"members": members, "folds": max(min(given.folds, members), 2)}
        try:
            settings = EnsembleConfig.model_validate(given.model_dump() | counts)
        except ValidationError as error:
            complaints = "; ".join(complaints_of(error, EnsembleConfig))
            raise ConfigError(f"an ensemble of {members} networks: {complaints}") from None
        return self.model_copy(update={"ensemble": settings})

    def reading(self, files: tuple[Path, ...]) -> Self:
        """Return this recipe with other files of samples, or unchanged if ``files`` is empty.

        Raises:
            ConfigError: the number of files is wrong, see :meth:`SamplesConfig.reading`.
        """
        if not files:
            return self
        return self.model_copy(update={"samples": self.samples.reading(files)})


class TrainingConfig(Recipe):
    """The training of a new network."""

    network: Architecture = Architecture()
    tune: TuningConfig | None = None
    """How ``ocpipe tune`` searches for better hyperparameters; training ignores this section."""


class FinetuneConfig(Recipe):
    """The further training of an existing network."""

    finetune: Finetuning = Finetuning()
