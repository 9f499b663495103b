"""Writes the files in this folder; run it where PyTorch, safetensors and Keras are installed."""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def main() -> None:
    """Weights of small networks as the frameworks write them, and what they compute."""
    import keras
    import torch
    from safetensors.torch import save_file
    from torch import nn

    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    save_file(model.state_dict(), HERE / "torch.safetensors", metadata={"format": "pt"})
    half = {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}
    save_file(half, HERE / "torch_bf16.safetensors")
    rows = np.random.default_rng(2).uniform(-1, 1, (8, 3))
    with torch.no_grad():
        outputs = model.double()(torch.tensor(rows)).numpy()
        rounded = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
        rounded.load_state_dict({name: tensor.float() for name, tensor in half.items()})
        outputs_bf16 = rounded.double()(torch.tensor(rows)).numpy()
    keras.utils.set_random_seed(3)
    small = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dropout(0.1),
         keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2, use_bias=False)]
    )  # fmt: skip
    small.save_weights(HERE / "keras.weights.h5")
    expected = {
        "rows": rows.tolist(),
        "torch": outputs.tolist(),
        "torch_bf16": outputs_bf16.tolist(),
        "keras": small.predict(rows.astype("f4"), verbose=0).tolist(),
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
