"""How a network is made: its layers, and how they are fitted."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from pipeline.config.samples import ClassName, SamplesConfig, SplitsConfig, Text
from pipeline.config.strict import Strict, complaints_of, names_from_tables
from pipeline.config.tuning import TuningConfig
from pipeline.errors import ConfigError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Units = Annotated[int, Field(ge=1, le=8192)]


class Architecture(Strict):
    """The hidden layers of a multilayer perceptron; its last layer is linear, of classes softmax.

    Each hidden layer is dense, batch normalisation (if wanted), activation, dropout.
    """

    hidden: tuple[Units, ...] = (32, 16)
    """Units of each hidden layer."""
    activation: str | tuple[str, ...] = "tanh"
    """One for all hidden layers, or one for each."""
    dropout: Share = 0.0
    """Share of a hidden layer's units that are left out at random while it learns."""
    l2: NotNegative = 0.0
    """Added to the loss: so many times the sum of the squared weights of all kernels."""
    batch_normalisation: bool = False
    """Folded into the dense layers when the network is saved."""
    decorrelate: bool = False
    """Whether it learns from the principal components of the scaled inputs, each of variance 1: the
    bands of a spectrum go together, and what tells waters apart is small. Folded into the first
    layer when the network is saved."""

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
        """Of each hidden layer."""
        if isinstance(self.activation, tuple):
            return self.activation
        return (self.activation,) * len(self.hidden)


class Schedule(Strict):
    """How the learning rate goes down; e is epochs since the start, counted in steps.

    constant: rate. inverse_time: rate / (1 + decay_rate e / decay_epochs). exponential:
    rate decay_rate^(e / decay_epochs). cosine: from the rate down to ``final_share`` of it along
    half a cosine over decay_epochs, then constant. plateau: times ``factor`` after ``patience``
    epochs without a better validation loss, never below ``final_share`` of the rate.
    """

    kind: Literal["constant", "inverse_time", "exponential", "cosine", "plateau"] = "constant"
    decay_epochs: Positive | None = None
    """All epochs where nothing is said."""
    decay_rate: Positive = 0.5
    final_share: Share = 0.0
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: int = Field(default=10, ge=1)


class Optimizer(Strict):
    """Which of Keras' optimizers, and its learning rate at the start."""

    kind: Literal["adam", "adamw", "nadam", "rmsprop", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    """Decoupled from the gradient, on kernels only; of adamw."""
    momentum: Share = 0.0
    """Of sgd."""
    clip_norm: Positive | None = None
    """Gradients of a step are scaled down to this norm."""

    @model_validator(mode="after")
    def _belongs(self) -> "Optimizer":
        if self.weight_decay and self.kind != "adamw":
            raise ValueError(f"weight_decay is for adamw; of {self.kind} use network.l2")
        if self.momentum and self.kind != "sgd":
            raise ValueError(f"momentum is for sgd, and the optimizer is {self.kind}")
        return self


class EarlyStopping(Strict):
    """When to stop before the last epoch; the weights of the best epoch are kept in any case."""

    patience: int = Field(default=20, ge=1)
    """So many epochs without a better validation loss."""
    min_delta: NotNegative = 0.0
    """By how much a loss must be smaller to be better."""


class Fit(Strict):
    """How weights are fitted to samples."""

    loss: Literal["mse", "mae", "huber", "log_cosh"] = "mse"
    """Of scaled, transformed targets (of log10 where the target's transform is); classes have
    cross-entropy, which softens nothing."""
    huber_delta: Positive = 1.0
    class_weights: Literal["none", "balanced"] | dict[ClassName, Positive] = "none"
    """How much a sample of a class counts, besides its own weight. balanced: all samples divided by
    the number of classes and by the samples of the class, of the training part. By name: classes
    that are not named count 1. Probabilities are then those of waters that come so often."""
    target_weights: Literal["none", "balanced"] | dict[Text, Positive] = "none"
    """How much a value of a target counts (by its name: ``aph_443``), besides the weight of its
    sample. balanced: each target the same, whatever number of training samples has it."""
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    epochs: int = Field(default=200, ge=1)
    batch_size: int = Field(default=256, ge=1)
    early_stopping: EarlyStopping | None = EarlyStopping()
    seed: int = Field(default=1, ge=0)
    """Of initial weights, the order of samples, dropout."""
    precision: Literal["float32", "float64"] = "float32"
    keep_every: int | None = Field(default=None, ge=1)
    """A checkpoint of every so many epochs stays, beside the last and the best."""
    tensorboard: bool = False
    """Whether logs for TensorBoard are written."""


class Stage(Strict):
    """One part of fine-tuning; what is not said is as in ``fit``."""

    freeze: int | Literal["none", "base"] = "none"
    """So many layers from the input on keep their weights, bit by bit; base: all of the start
    network's that were kept, so that only a new head learns."""
    learning_rate: Positive | None = None
    schedule: Schedule | None = None
    epochs: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    early_stopping: EarlyStopping | None = None
    l2_to_start: NotNegative = 0.0
    """Added to the loss: so many times the sum of squared distances of kernels and biases that
    learn from their values at the start of fine-tuning."""

    @field_validator("freeze")
    @classmethod
    def _not_negative(cls, freeze: int | str) -> int | str:
        if isinstance(freeze, int) and freeze < 0:
            raise ValueError("expected 0 or more layers, none, or base")
        return freeze


class Finetuning(Strict):
    """What becomes of a network that is there."""

    head: Literal["keep", "new"] = "keep"
    """keep: its outputs, or those of them that are targets. new: a new last layer, and before it
    new hidden ones if ``new_hidden`` names some, for targets of any kind."""
    new_hidden: tuple[Units, ...] = ()
    drop_layers: int = Field(default=1, ge=1)
    """With a new head: so many of the last layers go."""
    scaling: Literal["keep", "refit"] = "keep"
    """refit: scaling and training ranges are those of the new training samples; the first and the
    last layer take up the difference, so that the numbers at the start are the same."""
    decorrelate: bool = False
    """As ``network.decorrelate`` of training: by the components that the network was trained with,
    where its record holds them and scaling is kept, else by those of the new training samples."""
    dropout: Share = 0.0
    stages: tuple[Stage, ...] = Field(default=(Stage(),), min_length=1)

    @model_validator(mode="after")
    def _new_head(self) -> "Finetuning":
        if self.head == "keep" and (self.new_hidden or self.drop_layers != 1):
            raise ValueError("new_hidden and drop_layers belong to head: new")
        return self


class EnsembleConfig(Strict):
    """Several networks by one recipe, run as one that states its uncertainty."""

    members: int = Field(default=5, ge=2, le=100)
    folds: int = Field(default=5, ge=2, le=100)
    """Parts of the training and validation samples, by group where splits are; each member leaves
    one of them out, by which it is stopped and the uncertainty calibrated."""

    @model_validator(mode="after")
    def _every_row_is_unseen(self) -> "EnsembleConfig":
        if self.members < self.folds:
            raise ValueError(
                f"{self.members} members on {self.folds} folds; expected as many members as folds "
                "or more, for every row needs one that did not learn from it"
            )
        return self


class RuleBaseline(Strict):
    """Classes by thresholds, to compare a classifier with."""

    rules: dict[ClassName, Text] = Field(min_length=1)
    """As ``samples.classes.rules``, over the inputs by name (``Rrs_443``) and what algorithms
    make."""
    otherwise: ClassName | None = None
    """The class where no rule holds; without, none is named."""
    algorithms: tuple[str, ...] = ()
    """Published algorithms (``qaa_v6``), whose outputs at the sensor's bands the rules may name."""


class Recipe(Strict):
    """What training anew and fine-tuning share."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """Of the network, and of its files."""
    title: str = ""
    sensors: tuple[str, ...] = Field(min_length=1)
    """Whose scenes the network is for."""
    samples: SamplesConfig
    splits: SplitsConfig = SplitsConfig()
    fit: Fit = Fit()
    ensemble: EnsembleConfig | None = None
    baselines: tuple[str, ...] = ()
    """Published algorithms (``oci_2019``, ``qaa_v6``) to compare with on the same rows."""
    class_baselines: dict[Annotated[str, Field(min_length=1)], RuleBaseline] = {}
    """By name, for classes."""
    save: tuple[Literal["h5", "keras", "onnx"], ...] = Field(default=("h5",), min_length=1)
    """h5 is OC-SMART's layout."""
    beyond_ocsmart: bool = False
    """Whether that layout may hold what OC-SMART's program cannot run, such as ReLU."""
    citation: str = ""
    licence: str = ""
    limits: str = ""
    """What the network is not for, in words, for the model card."""

    @model_validator(mode="after")
    def _belong_to_classes(self) -> Self:
        if self.samples.classes is not None:
            if self.baselines:
                raise ValueError("baselines are for targets; classes have class_baselines")
            if self.fit.target_weights != "none":
                raise ValueError("fit.target_weights are for targets; classes have class_weights")
            return self
        if self.fit.class_weights != "none":
            raise ValueError("fit.class_weights are for classes, and the samples have targets")
        if self.class_baselines:
            raise ValueError("class_baselines are for classes, and the samples have targets")
        return self

    def with_members(self, members: int | None) -> Self:
        """This recipe for so many networks instead of its own number; with None it stays as it is.

        Raises:
            ConfigError: it is no number for an ensemble.
        """
        if members is None:
            return self
        folds = (self.ensemble or EnsembleConfig()).folds
        try:
            settings = EnsembleConfig(members=members, folds=max(min(folds, members), 2))
        except ValidationError as error:
            complaints = "; ".join(complaints_of(error, EnsembleConfig))
            raise ConfigError(f"an ensemble of {members} networks: {complaints}") from None
        return self.model_copy(update={"ensemble": settings})

    def reading(self, files: tuple[Path, ...]) -> Self:
        """This recipe with other files of samples; with none it stays as it is.

        Raises:
            ConfigError: the recipe says of each file what its columns are, and there are others.
        """
        if not files:
            return self
        return self.model_copy(update={"samples": self.samples.reading(files)})


class TrainingConfig(Recipe):
    """A network made anew."""

    network: Architecture = Architecture()
    tune: TuningConfig | None = None
    """How ``ocpipe tune`` searches for better hyperparameters; nothing that training looks at."""


class FinetuneConfig(Recipe):
    """A network that goes on learning."""

    finetune: Finetuning = Finetuning()
