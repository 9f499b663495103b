#!/bin/bash
# The job files of examples/slurm on a Slurm of one node, as a user would submit them.
#
#   tests/slurm/run.sh [OCPIPE]           the command, .venv/bin/ocpipe unless given
#
# Says what it checks, line by line; ends at the first check that fails, with the log of the job.
# Installs Slurm where it is absent. All it makes is in a temporary folder that it removes.

set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/slurm/cluster.sh
. "$root/tests/slurm/cluster.sh"

work=$(mktemp -d)
trap 'stop_cluster; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

OCPIPE=$(realpath "${1:-$root/.venv/bin/ocpipe}")
CONFIG=demo
NETWORKS=$root/sample_data/networks
SCENES=$work/scenes
FIRST=1
SOURCE_DATE_EPOCH=1700000000 # so that equal products are equal bytes
LOCAL=
export OCPIPE CONFIG NETWORKS SCENES SOURCE_DATE_EPOCH LOCAL FIRST
scenes=12

# --- what the checks are made of ---

job= # the one that was submitted last

# submit NAME OPTIONS... FILE ARGUMENTS...: its products go to $work/NAME.
# The examples ask for more CPUs and hours than this node has.
submit() {
    local out=$work/$1
    shift
    job=$(cd "$work" && OUT=$out sbatch --parsable --cpus-per-task=1 --mem=2G --time=10 "$@")
}

ended() {
    local left
    left=$(squeue --noheader --jobs="$1") && [ -z "$left" ]
}

# The value of a field that Slurm knows of a job, or of a task of an array as JOB_TASK.
field() { scontrol show job --oneliner "$1" | grep -o " $2=[^ ]*" | head -n 1 | cut -d= -f2; }

# Until the job has ended, however it has.
finish() { wait_for 120 ended "$job" || fail "job $job did not end in 120 s"; }

# states NAME: what the ledgers of $work/NAME say, as "done=12 failed=0 running=0 pending=0".
states() {
    "$OCPIPE" status "$work/$1" --json | python3 -c 'import json, sys
counts = json.load(sys.stdin)["scenes"]
print(*(f"{state}={counts[state]}" for state in ("done", "failed", "running", "pending")))'
}

products() { find "$work/$1" -name '*.demo.nc' 2> /dev/null | wc -l; }

# What would change if a product were made again.
identity() { find "$work/$1" -name '*.demo.nc' -printf '%f %i %T@ %s\n' | sort; }

fail() {
    echo "FAILED: $*"
    [ -z "$job" ] || tail -n 50 -v "$work"/ocpipe-"$job"*.log
    exit 1
}

# check "WHAT" COMMAND...: silent but for its line, where COMMAND succeeds.
check() {
    local what=$1 said
    shift
    said=$("$@" 2>&1) || fail "$what ($*)
$said"
    echo "ok     $what"
}

equal() { [ "$1" = "$2" ] || { echo "found '$1', expected '$2'"; return 1; }; }

same_products() {
    local product
    for product in "$work/single"/*.demo.nc; do
        cmp "$product" "$work/$1/$(basename "$product")" || return 1
    done
    equal "$(products "$1")" "$scenes"
}

# stopped_midway NAME: some scenes are done and have a product, the rest are pending. One product
# may be there whose scene is still pending: the end came between the product and the ledger.
stopped_midway() {
    local made counts settled
    made=$(products "$1")
    counts=$(states "$1")
    for settled in "$made" $((made - 1)); do
        if [ "$settled" = 0 ] || [ "$settled" = "$scenes" ]; then continue; fi
        if [ "$counts" = "done=$settled failed=0 running=0 pending=$((scenes - settled))" ]; then return; fi
    done
    echo "$made products of $scenes scenes, in the ledger $counts"
    return 1
}

# No temporary files: their names are hidden.
no_rests() { equal "$(find "$work/$1" -name '.*')" ""; }

midway() { [ "$(products "$1")" -ge 2 ]; }

# --- the cluster and the scenes ---

install_slurm
start_cluster "$work/slurm"
mkdir "$SCENES"
for number in $(seq -w "$scenes"); do
    cp "$root"/sample_data/scenes/*.nc "$SCENES/AQUA_MODIS.20240615T1835$number.L2.OC.nc"
done
echo "ok     Slurm $(sinfo --version | cut -d' ' -f2) runs on one node; $scenes scenes"

batch=$root/examples/slurm/batch.sbatch
array=$root/examples/slurm/array.sbatch

# --- one job ---

FIRST=
submit single "$batch"
finish
check "batch.sbatch without a ledger ends with exit code 73" equal "$(field "$job" ExitCode)" 73:0
check "and makes nothing" test ! -e "$work/single"
FIRST=1
submit single --cpus-per-task=2 "$batch"
finish
check "batch.sbatch ends with exit code 0" equal "$(field "$job" ExitCode)" 0:0
check "it made a product of every scene" equal "$(products single)" "$scenes"
check "its ledger says so" equal "$(states single)" "done=$scenes failed=0 running=0 pending=0"
for product in "$work"/single/*0[12].L2.OC.demo.nc; do
    check "$(basename "$product") is verified" \
        "$OCPIPE" verify "$product" --scene "$SCENES" --networks "$NETWORKS" --sample 50
done

before=$(identity single)
submit single "$batch"
finish
check "submitted again it ends with exit code 0" equal "$(field "$job" ExitCode)" 0:0
check "and has written nothing" equal "$(identity single)" "$before"

# --- an array ---

submit array --array=1-2 "$array"
finish
for task in 1 2; do
    check "task $task of array.sbatch ends with exit code 0" equal "$(field "${job}_$task" ExitCode)" 0:0
    check "and has a ledger of its own" test -s "$work/array/ocpipe-ledger-$task-of-2.sqlite"
done
check "the ledgers together say that every scene is done" \
    equal "$(states array)" "done=$scenes failed=0 running=0 pending=0"
# Both tasks write a line for each product they make.
check "each was done once" equal "$(cat "$work"/array/quality-*.jsonl | wc -l)" "$scenes"
check "the products are those of the single job, byte by byte" same_products array

# --- a job that is stopped ---

submit stopped --no-requeue "$batch" --workers 1
wait_for 60 midway stopped || fail "no two products in 60 s"
scancel --signal=TERM "$job"
finish
check "a job that gets SIGTERM, as before its time limit, ends with exit code 75" \
    equal "$(field "$job" ExitCode)" 75:0
check "what it did is in the ledger, the rest is pending" stopped_midway stopped
check "nothing half made is left" no_rests stopped
submit stopped "$batch"
finish
check "submitted again it ends with exit code 0" equal "$(field "$job" ExitCode)" 0:0
check "the products are those of the single job, byte by byte" same_products stopped

submit cancelled "$batch" --workers 1
wait_for 60 midway cancelled || fail "no two products in 60 s"
scancel "$job"
finish
check "a job that is cancelled is not requeued" equal "$(field "$job" JobState)" CANCELLED
check "what it did is in the ledger, the rest is pending" stopped_midway cancelled
submit cancelled "$batch"
finish
check "submitted again it ends with exit code 0" equal "$(field "$job" ExitCode)" 0:0
check "the products are those of the single job, byte by byte" same_products cancelled

# --full ends the job's own shell, too, whereupon Slurm kills what is left: as bad as a lost node.
submit killed "$batch" --workers 1
wait_for 60 midway killed || fail "no two products in 60 s"
scancel --signal=TERM --full "$job"
finish
check "a job that is killed does not end as if it were done" test "$(field "$job" JobState)" != COMPLETED
submit killed "$batch"
finish
check "submitted again it ends with exit code 0" equal "$(field "$job" ExitCode)" 0:0
check "the products are those of the single job, byte by byte" same_products killed
check "nothing half made is left" no_rests killed
check "its ledger says that all is done" equal "$(states killed)" "done=$scenes failed=0 running=0 pending=0"

# --- jobs that requeue themselves, with the ledger on a disk of the node ---

mkdir "$work/disk"
LOCAL=$work/disk
restarted() { [ "$(field "$1" Restarts)" = 1 ]; }

submit local "$batch" --workers 1
wait_for 60 midway local || fail "no two products in 60 s"
scancel --signal=TERM "$job"
wait_for 60 restarted "$job" || fail "job $job was not requeued"
check "a job that gets SIGTERM is requeued; its ledger is back beside the products" stopped_midway local
scontrol update JobId="$job" StartTime=now || true # else it begins in half a minute
finish
check "then it ends with exit code 0" equal "$(field "$job" ExitCode)" 0:0
check "the products are those of the single job, byte by byte" same_products local
before=$(identity local)
submit local "$batch"
finish
check "another job goes on with that ledger, and has nothing to do" equal "$(identity local)" "$before"
check "and ends with exit code 0" equal "$(field "$job" ExitCode)" 0:0

submit requeued --array=1-2 "$array" --workers 1
wait_for 60 midway requeued || fail "no two products in 60 s"
scancel --signal=TERM "${job}_2"
wait_for 60 restarted "${job}_2" || fail "task 2 was not requeued"
scontrol update JobId="${job}_2" StartTime=now || true
finish
check "a task of an array that gets SIGTERM is requeued and ends with exit code 0" \
    equal "$(field "${job}_2" Restarts) $(field "${job}_2" ExitCode)" "1 0:0"
check "the other task is not" equal "$(field "${job}_1" Restarts) $(field "${job}_1" ExitCode)" "0 0:0"
check "the products are those of the single job, byte by byte" same_products requeued
check "nothing is left on the disk of the node" equal "$(ls "$LOCAL")" ""

# --- a Dask cluster whose workers are jobs ---

job=
python3 - "$root" "$work" << 'END' > "$work/jobqueue.yaml"
import pathlib, sys
root, work = sys.argv[1:]
# The example with what this node has, and the demonstration's network.
text = (pathlib.Path(root) / "examples/dask/slurm.yaml").read_text()
science = text.index("science:"), text.index("batch:")
network = "science:\n  networks:\n    - {name: iops, file: demo_iops.h5}\n"
network += "  masks:\n    flags: [LAND, CLDICE]\n    expressions: {low_sun: solar_zenith > 70}\n"
text = text[: science[0]] + network + text[science[1] :]
for old, new in (
    ("name: iops\n", "name: demo\n"), ("jobs: 4 ", "jobs: 2 "), ("cores: 8 ", "cores: 1 "),
    ("processes: 8 ", "processes: 1 "), ("16GB", "2GB"), ('"04:00:00"', '"00:10:00"'),
    ("queue: null", f"interface: lo\n      local_directory: {work}\n      log_directory: {work}\n      queue: null"),
):
    assert old in text, old
    text = text.replace(old, new)
print(text)
END
"$OCPIPE" batch "$work/jobqueue.yaml" "$SCENES" --networks "$NETWORKS" -o "$work/jobqueue" > "$work/jobqueue.log" 2>&1 \
    || { cat "$work/jobqueue.log" "$work"/*.err; fail "examples/dask/slurm.yaml"; }
check "examples/dask/slurm.yaml does every scene in jobs of its own" equal "$(products jobqueue)" "$scenes"
check "its ledger says so" equal "$(states jobqueue)" "done=$scenes failed=0 running=0 pending=0"
check "no job is left" wait_for 30 no_jobs

echo "Slurm test passed in $SECONDS s"
