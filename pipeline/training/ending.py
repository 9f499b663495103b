"""Says in words why a training stopped, and from which epoch its weights are."""

from collections.abc import Iterator, Sequence

from pipeline.config.training import FinetuneConfig, Fit, Recipe, Stage
from pipeline.training.fit_network import stage_fit
from pipeline.training.fitting import Epoch


def why_it_stopped(config: Recipe, history: Sequence[Epoch]) -> Iterator[str]:
    """Yield a sentence for each stage of a fit.

    Args:
        config: the configuration of the training or fine-tuning.
        history: the epochs of all stages.
    """
    stages = config.finetune.stages if isinstance(config, FinetuneConfig) else (Stage(),)
    for number, stage in enumerate(stages, start=1):
        epochs = [epoch for epoch in history if epoch.stage == number]
        if epochs:
            name = f"stage {number}: " if len(stages) > 1 else ""
            yield f"{name}{_ending(epochs, stage_fit(config.fit, stage))}"


def _ending(epochs: Sequence[Epoch], fit: Fit) -> str:
    """Return how the epochs of one stage ended; ``fit`` has the settings of this stage."""
    last = epochs[-1]
    best = next((epoch for epoch in reversed(epochs) if epoch.is_best), last)
    weights = f"the weights are those of the best epoch, {best.number}"
    if len(epochs) < fit.epochs and fit.early_stopping is not None:
        return (
            f"stopped after {len(epochs)} of {fit.epochs} epochs, because the validation loss was "
            f"not lower for {_epochs(fit.early_stopping.patience)} (fit.early_stopping); {weights}"
        )
    said = f"stopped after all {_epochs(len(epochs))} (fit.epochs); {weights}"
    if best is last and len(epochs) > 1:
        said += ". The loss was still falling, so more epochs may help"
    return said


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"
