"""Make the record of a training: plain data that is stored in the file of the network."""

from typing import Any

import numpy as np

from pipeline.config.training import Recipe
from pipeline.networks.description import Layer, Network
from pipeline.training.fitting import FitResult
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.version import __version__

# If there are more inputs, their principal components have too many numbers for a file attribute.
MOST_REMEMBERED = 20


def source_record(prepared: PreparedSamples) -> dict[str, Any]:
    """Return the program version, and the sample files that a network was trained on."""
    return {
        "software": f"ocpipe {__version__}",
        "data": [dict(source) for source in prepared.samples.sources],
    }


def fit_record(config: Recipe, prepared: PreparedSamples, fitted: FitResult) -> dict[str, Any]:
    """Return the record of how a network was trained."""
    best = next(e for e in fitted.history if e.number == fitted.best_epoch)
    samples = prepared.samples
    record = source_record(prepared) | {
        "rows": prepared.split.counts,
        "configuration": config.model_dump(
            mode="json", exclude={"title", "citation", "licence", "tune"}
        ),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "loss": _number(best.loss),
        "validation_loss": _number(best.validation_loss),
    }
    by_output = prepared.output_weights(config.fit)
    if by_output is not None:
        names = samples.classes or [v.name for v in samples.targets]
        key = "class_weights" if samples.classes else "target_weights"
        record[key] = dict(zip(names, by_output.tolist(), strict=True))
    return record


def with_origin(own: str, of_origin: str, origin: str) -> str:
    """Return the licence or the citation of a network that was made from another network.

    The statement of the origin stays, because its terms apply to all networks made from it.

    Args:
        own: statement in the recipe; may be empty.
        of_origin: statement of the start network; may be empty.
        origin: name of the start network.
    """
    if not own or not of_origin or of_origin in own:
        return own or of_origin
    return f"{own}; of {origin}, from which this network was made: {of_origin}"


def _number(value: float) -> float | None:
    """Return a number, or None for NaN and infinity, which JSON cannot store."""
    return float(value) if np.isfinite(value) else None


def start_record(start: Network | None, first: Layer | None) -> dict[str, Any]:
    """Record the start network, and the decorrelation that a later fine-tuning may keep."""
    record: dict[str, Any] = {}
    if start is not None:
        record["start"] = {"name": start.name, "file": start.file_name, "sha256": start.sha256}
    if first is not None and len(first.kernel) <= MOST_REMEMBERED:
        record["decorrelation"] = {"kernel": first.kernel.tolist(), "bias": first.bias.tolist()}
    return record
