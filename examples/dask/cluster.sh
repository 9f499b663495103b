#!/bin/bash
# A batch on a Dask cluster whose scheduler and workers are started by hand, here on one machine.
# On several, run the worker line on each of them, with an address that all can reach for --host;
# scenes, networks and products must have the same paths everywhere.
#
#   CONFIG=ocsmart_iops SCENES=/data/modis NETWORKS=/data/networks OUT=/data/products ./cluster.sh

set -euo pipefail
CONFIG=${CONFIG:-ocsmart_iops}
SCENES=${SCENES:-/data/modis}
NETWORKS=${NETWORKS:-/data/networks}
OUT=${OUT:-/data/products}
WORKERS=${WORKERS:-2}          # scenes at once: each worker has one thread
MEMORY=${MEMORY:-2GB}          # of each worker, from which a scene gets its share
HOST=${HOST:-127.0.0.1}
PORT=${PORT:-8786}

trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
dask scheduler --host "$HOST" --port "$PORT" --no-dashboard &
# One thread for each scene; a scene runs in a process of its own beside its worker.
dask worker "tcp://$HOST:$PORT" --host "$HOST" --nworkers "$WORKERS" --nthreads 1 \
    --memory-limit "$MEMORY" --no-dashboard &

# The ledger stays with this call; workers get the names of files and send counts back.
ocpipe batch "$CONFIG" "$SCENES" --networks "$NETWORKS" -o "$OUT" --scheduler "tcp://$HOST:$PORT" "$@"
