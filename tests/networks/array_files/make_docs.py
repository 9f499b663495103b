"""Writes the files that docs/networks_from.md names, where a section's program is not run here.

The matrices of R and MATLAB, and the networks of C2RCC and OC-SMART, are written as these programs
write them, with weights of our own.
"""

import sys
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from c2rcc_nets import names_of, write_net  # noqa: E402


def main() -> None:
    """Write them."""
    drawn = np.random.default_rng(1)
    w1, b1, w2, b2 = (drawn.normal(0, 0.5, shape) for shape in ((3, 4), 4, (4, 1), 1))
    for name, each in {"hidden": w1, "hidden_bias": b1, "output": w2, "output_bias": b2}.items():
        np.savetxt(HERE / f"docs_r_{name}.csv", each, fmt="%.15g", delimiter=",")
    # MATLAB keeps (units, inputs) and columns; in the file, the dimensions are the other way round.
    with h5py.File(HERE / "docs_matlab_chl.mat", "w", userblock_size=512) as file:
        for name, each in {"W1": w1, "b1": b1[None], "W2": w2, "b2": b2[None]}.items():
            file[name] = each
            file[name].attrs["MATLAB_class"] = b"double"
    with (HERE / "docs_matlab_chl.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(116))
    np.savez(HERE / "docs_numpy_and_hdf5_chl.npz", w1=w1, b1=b1, w2=w2, b2=b2)
    write_net(HERE / "docs_c2rcc_OLCI_rw_iop.net", names_of())
    with h5py.File(HERE / "docs_oc_smart_SGLI_aphNN.h5", "w") as file:
        sizes = (7, 6, 7)
        file["Layers"] = np.array(sizes, np.int8)
        file["Wavelength"] = np.array([380, 412, 443, 490, 530, 565, 670], np.float64)
        file["Norm_in"] = np.tile([-4.0, -1.3], (7, 1))
        file["Norm_out"] = np.tile([-3.0, 0.0], (7, 1))
        for layer in (1, 2):
            file[f"Weights/Layer{layer}"] = drawn.normal(0, 0.5, (sizes[layer], sizes[layer - 1]))
            file[f"Bias/Layer{layer}"] = drawn.normal(0, 0.3, (sizes[layer], 1))


if __name__ == "__main__":
    main()
