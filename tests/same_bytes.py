"""Fresh processes compress the same chunks: `make same-bytes` compares what they write.

Not a test of pytest, for what it looks for shows once in a hundred processes and takes minutes.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np

DTYPES = ("f4", "u1", "i2", "u4", "i4")
SHAPE = (256, 1024)


def cases():
    """Name and numbers: empty, mostly empty, full, with values that repeat, of every type."""
    drawn = np.random.default_rng(5)
    for dtype in DTYPES:
        empty = np.full(SHAPE, -32767 if dtype in {"f4", "i2", "i4"} else 0, dtype)
        full = (1000 * np.exp(drawn.normal(0, 0.5, SHAPE)) % 120).astype(dtype)
        strip = empty.copy()
        strip[:, 400:473] = full[:, 400:473]
        corner = empty.copy()
        corner[:20, -30:] = full[:20, -30:]
        tiled = np.tile(full[:32], (8, 1))
        kinds = {"empty": empty, "strip": strip, "corner": corner, "tiled": tiled, "full": full}
        yield from ((f"{kind} {dtype}", numbers) for kind, numbers in kinds.items())


def digests():
    """The SHA-256 of every case and level, compressed in this process."""
    from pipeline.writers.chunks import deflated

    return {
        f"{name} level {level}": hashlib.sha256(deflated(numbers, level)).hexdigest()
        for name, numbers in cases()
        for level in (1, 4, 9)
        if level < 9 or "full" not in name  # zlib at level 9 takes a second for those
    }


def in_a_fresh_process(_):
    """The digests of a new Python process."""
    told = subprocess.run(
        [sys.executable, __file__, "--one"], check=True, capture_output=True, env=os.environ
    )
    return json.loads(told.stdout)


def main():
    """Compare as many processes as are asked for; exit code 1 where two of them differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=300)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(digests()))
        return 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(in_a_fresh_process, range(arguments.processes)))
    odd = 0
    for case in found[0]:
        seen = Counter(digest[case] for digest in found)
        if len(seen) > 1:
            odd += 1
            print(f"{case}: {len(seen)} different results, {dict(seen)}")
    print(f"{len(found)} processes, {len(found[0])} cases, {odd} with different bytes")
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
