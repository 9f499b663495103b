"""What people run today: xarray, a Keras MLP rebuilt from the weight file, predict, to_netcdf.

``--batch 32`` is Keras's default (the untuned script); 8192 is the first thing one tunes.
The numbers are right: kernels transposed, tanh, scaling in double precision; only speed and memory
are as they come. Latitude, longitude and one flag word go into the product, too.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
import xarray as xr

BANDS = (380, 412, 443, 490, 530, 565, 672)
CLDICE = 1 << 9


def build(weights: str) -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """The network of an OC-SMART weight file, and the ranges of its inputs and outputs."""
    with h5py.File(weights) as file:
        layers = len(file["Weights"])
        kernels = [file[f"Weights/Layer{k + 1}"][...].T for k in range(layers)]
        biases = [file[f"Bias/Layer{k + 1}"][...].ravel() for k in range(layers)]
        norm_in, norm_out = file["Norm_in"][...], file["Norm_out"][...]
    inputs = keras.Input((len(BANDS),))
    signal = inputs
    for index, kernel in enumerate(kernels):
        last = index == layers - 1
        signal = keras.layers.Dense(kernel.shape[1], activation=None if last else "tanh")(signal)
    model = keras.Model(inputs, signal)
    model.set_weights([array for pair in zip(kernels, biases, strict=True) for array in pair])
    return model, _min_max(norm_in, len(BANDS)), _min_max(norm_out, len(BANDS))


def _min_max(norm: np.ndarray, count: int) -> np.ndarray:
    """With shape (2, count): minimum and maximum of log10."""
    return norm if norm.shape == (2, count) else norm.T


def main() -> None:
    """Scene and weights in, product out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scene")
    parser.add_argument("weights")
    parser.add_argument("product")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument(
        "--every-pixel", action="store_true", help="predict clouds and land, too, as notebooks do"
    )
    options = parser.parse_args()

    data = xr.open_dataset(options.scene, group="geophysical_data")
    places = xr.open_dataset(options.scene, group="navigation_data")
    rrs = np.stack([data[f"Rrs_{nm}"].values for nm in BANDS], axis=-1)
    flags = data["l2_flags"].values
    valid = np.isfinite(rrs).all(axis=-1) & (rrs > 0).all(axis=-1) & ((flags & CLDICE) == 0)

    model, in_range, out_range = build(options.weights)
    chosen = np.ones_like(valid) if options.every_pixel else valid
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.log10(rrs[chosen].astype(np.float64))
    x = 2 * (x - in_range[0]) / (in_range[1] - in_range[0]) - 1
    y = model.predict(x.astype(np.float32), batch_size=options.batch, verbose=0)
    y = 10 ** ((y.astype(np.float64) + 1) / 2 * (out_range[1] - out_range[0]) + out_range[0])

    product = xr.Dataset()
    dims = ("y", "x")
    for index, nm in enumerate(BANDS):
        image = np.full(valid.shape, np.nan, dtype=np.float32)
        image[valid] = y[valid[chosen], index]
        product[f"aph_{nm}"] = (dims, image, {"units": "m-1"})
    product["latitude"] = (dims, places["latitude"].values, {"units": "degrees_north"})
    product["longitude"] = (dims, places["longitude"].values, {"units": "degrees_east"})
    product["l2_flags"] = (dims, flags)
    packed = {"zlib": True, "complevel": 4, "shuffle": True, "chunksizes": (512, 512)}
    product.to_netcdf(options.product, encoding={str(name): dict(packed) for name in product})


if __name__ == "__main__":
    main()
