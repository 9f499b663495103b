"""Four threads that read chunks of one file and write chunks of another, then check every number.

Ends with 0 where all numbers are right; h5py without its lock around direct chunks crashes here.
"""

import sys
import tempfile
import threading
from pathlib import Path

import h5py
import numpy as np

from pipeline.readers.hdf5_chunks import Hdf5Chunks
from pipeline.writers.chunks import deflated
from pipeline.writers.netcdf import write_direct_chunk

SIDE, CHUNK, THREADS = 2048, 128, 4


def main() -> int:
    """Copy an image chunk by chunk on four threads while h5py itself is busy, too."""
    image = np.random.default_rng(int(sys.argv[1])).integers(0, 3000, (SIDE, SIDE), dtype=np.int16)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.h5", Path(folder) / "out.h5"
        layout = {"chunks": (CHUNK, CHUNK), "compression": "gzip", "shuffle": True}
        with h5py.File(source, "w") as file:
            file.create_dataset("image", data=image, **layout)
            file.create_dataset("other", data=image, **layout)
        with h5py.File(source) as file, h5py.File(target, "w") as made:
            chunks = Hdf5Chunks(file["image"])
            out = made.create_dataset("image", image.shape, image.dtype, **layout)
            corners = [(y, x) for y in range(0, SIDE, CHUNK) for x in range(0, SIDE, CHUNK)]
            wrong: list[object] = []

            def work(number: int) -> None:
                for corner in corners[number::THREADS]:
                    numbers = chunks.load(corner)
                    write_direct_chunk(out, corner, deflated(np.ascontiguousarray(numbers), 4))
                    line = file["other"][corner[0], corner[1] : corner[1] + 8]
                    if not np.array_equal(line, numbers[0, :8]):
                        wrong.append(corner)

            threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        with h5py.File(target) as file:
            return int(bool(wrong) or not np.array_equal(file["image"][...], image))


if __name__ == "__main__":
    sys.exit(main())
