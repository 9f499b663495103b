"""The command ``ocpipe``, with the injector armed: what happened before does not count."""

import os
import struct
from pathlib import Path

from pipeline.cli import main

if __name__ == "__main__":
    orders = os.environ["FAULTS_ORDERS"]
    with Path(orders).open("r+b") as file:
        # A server that started this process is no part of the command.
        file.seek(20)
        file.write(struct.pack("i", os.getppid() if "FAULTS_SERVED" in os.environ else 0))
        file.seek(0)
        file.write(struct.pack("i", 1))
    main()
