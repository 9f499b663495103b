"""What each epoch came to."""

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Epoch:
    """One pass over the training samples; losses are without what regularisation adds."""

    number: int
    """From 1; through all stages."""
    stage: int
    """From 1."""
    learning_rate: float
    """At the end of the epoch."""
    loss: float
    """Of the training samples while they were learned, dropout included."""
    validation_loss: float
    """After the epoch; NaN where there are no validation samples."""
    is_best: bool = False
    """Whether no epoch of its stage before had a smaller validation loss."""

    @property
    def judged_by(self) -> float:
        """The validation loss, or where there is none the training loss."""
        return self.loss if math.isnan(self.validation_loss) else self.validation_loss


History = tuple[Epoch, ...]


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """As CSV, a line per epoch."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        for epoch in history:
            writer.writerow(asdict(epoch) | {"is_best": int(epoch.is_best)})
