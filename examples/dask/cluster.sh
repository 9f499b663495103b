#!/bin/bash
# Runs a batch on a Dask cluster, with scheduler and workers started by hand on one machine.
# For several machines, run the worker line on each of them, with a --host address that all can reach.
# Scenes, networks and products must have the same paths on all machines.
#
#   CONFIG=ocsmart_iops SCENES=/data/modis NETWORKS=/data/networks OUT=/data/products ./cluster.sh
#
# From the second time on, add --ledger-must-exist: a call then ends with exit code 73 if the disk of
# OUT is not mounted, and does not make the products again.

set -euo pipefail
CONFIG=${CONFIG:-ocsmart_iops}
SCENES=${SCENES:-/data/modis}
NETWORKS=${NETWORKS:-/data/networks}
OUT=${OUT:-/data/products}
WORKERS=${WORKERS:-2}          # scenes at a time; each worker has one thread
MEMORY=${MEMORY:-2GB}          # memory per worker, and so per scene
HOST=${HOST:-127.0.0.1}
PORT=${PORT:-8786}

trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
dask scheduler --host "$HOST" --port "$PORT" --no-dashboard &
# One thread per scene; each scene runs in a separate process beside its worker.
dask worker "tcp://$HOST:$PORT" --host "$HOST" --nworkers "$WORKERS" --nthreads 1 \
    --memory-limit "$MEMORY" --no-dashboard &

# The ledger stays with this call; workers receive file names and send back counts.
ocpipe batch "$CONFIG" "$SCENES" --networks "$NETWORKS" -o "$OUT" --scheduler "tcp://$HOST:$PORT" "$@"
