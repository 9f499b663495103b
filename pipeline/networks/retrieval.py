"""What turns numbers into numbers in a run, be it a network, several of them, or an algorithm."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.networks.description import Variable


class Retrieval(Protocol):
    """What plans, blocks and products need to know of a network or an algorithm."""

    @property
    def kind(self) -> str:
        """``neural network``, ``network ensemble`` or ``published algorithm``."""
        ...

    @property
    def name(self) -> str:
        """What it calls itself."""
        ...

    @property
    def title(self) -> str:
        """The same in a few words."""
        ...

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """What it takes, in its order."""
        ...

    @property
    def outputs(self) -> tuple[Variable, ...]:
        """What it gives, in its order."""
        ...

    @property
    def sensors(self) -> tuple[str, ...]:
        """Names of the sensors it was made for."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes whose probabilities the outputs are; none where it does not classify."""
        ...

    @property
    def class_quantity(self) -> str:
        """What is classified."""
        ...

    @property
    def after(self) -> tuple[str, ...]:
        """What may follow it, of :data:`pipeline.networks.after.AFTER`."""
        ...

    @property
    def may_fail(self) -> bool:
        """Whether inputs that are all there and allowed can have no answer: then it gives NaN."""
        ...

    @property
    def states_uncertainty(self) -> bool:
        """Whether it gives a standard deviation of its outputs besides."""
        ...

    @property
    def citation(self) -> str:
        """Whom to cite."""
        ...

    @property
    def licence(self) -> str:
        """Under what terms it may be used."""
        ...

    @property
    def file_name(self) -> str:
        """Of what it was read from, for messages and products."""
        ...

    @property
    def sha256(self) -> str:
        """Of what it was read from."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides its numbers."""
        ...

    @property
    def shape_text(self) -> str:
        """What it is made of, in short."""
        ...

    @property
    def record(self) -> Mapping[str, str]:
        """What a product says of how the numbers are computed."""
        ...

    def reference(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Outputs (n, outputs) of inputs (n, inputs), by which others are judged."""
        ...

    def predict(self, x: npt.ArrayLike, engine: str = "auto") -> npt.NDArray[Any]:
        """The same by an engine, where there is a choice."""
        ...
