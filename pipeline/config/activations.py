"""The activations that a recipe may name."""

from typing import Literal

Activation = Literal["tanh", "sigmoid", "relu", "leaky_relu", "elu", "softplus", "linear"]
