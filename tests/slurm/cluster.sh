# shellcheck shell=bash
# A Slurm cluster of one node, this machine, in a folder of its own: sourced by run.sh.
#
#   install_slurm             the packages, where they are absent
#   start_cluster FOLDER      munged, slurmctld and slurmd; returns when the node takes jobs
#   stop_cluster              ends the jobs, then the daemons that start_cluster started
#
# Nothing outside FOLDER is read or written, and the ports are not Slurm's usual ones, so that a
# Slurm that this machine may belong to is neither seen nor disturbed.

PATH=$PATH:/usr/sbin:/sbin # where Debian keeps the daemons; not every user's PATH has it

daemons=() # process ids, in the order in which they are stopped

install_slurm() {
    local command
    for command in munged slurmctld slurmd sbatch; do
        command -v "$command" > /dev/null && continue
        [ "$(id -u)" = 0 ] || { echo "Slurm is not installed, and only root can install it" >&2; return 1; }
        # Where their own services start with them, these use other ports, sockets and folders.
        export DEBIAN_FRONTEND=noninteractive
        { apt-get install -y --no-install-recommends slurm-wlm munge \
            || { apt-get update && apt-get install -y --no-install-recommends slurm-wlm munge; }; } > /dev/null
        return
    done
}

start_cluster() {
    local folder=$1 host user ports
    host=$(hostname -s)
    user=$(id -un)
    mkdir -p "$folder/state" "$folder/spool"
    ports=$(python3 -c 'import socket
sockets = [socket.create_server(("", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))')

    # Slurm's messages are signed by munge; a munged of our own, with a key and a socket of our own.
    dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 status=none
    chmod 400 "$folder/munge.key"

    # CPUs are declared, not counted (config_overrides), so that two jobs run at once on any machine.
    # linuxproc and task/none need neither systemd nor the right to make cgroups.
    cat > "$folder/slurm.conf" << END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports% *}
SlurmdPort=${ports#* }
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=30
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=60 State=UP
END
    unset "${!SLURM_@}" "${!SBATCH_@}" # of a job that this may run in
    export SLURM_CONF=$folder/slurm.conf

    # In the foreground each, as children of this shell: so their process ids are known for certain.
    munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --seed-file="$folder/munge.seed" --log-file="$folder/munged.log" \
        2> /dev/null &
    daemons=($!)
    wait_for 10 test -S "$folder/munge.socket" || { tail "$folder/munged.log" >&2; return 1; }
    slurmctld -D > /dev/null 2>&1 &
    daemons=($! "${daemons[@]}")
    slurmd -D > /dev/null 2>&1 &
    daemons=($! "${daemons[@]}")
    wait_for 30 node_is idle || { tail "$folder"/slurm*.log >&2; return 1; }
}

stop_cluster() {
    if [ "${#daemons[@]}" = 3 ]; then
        scancel --user="$(id -un)" 2> /dev/null || true
        wait_for 20 no_jobs || true # KillWait and a little
    fi
    local pid
    for pid in "${daemons[@]}"; do
        kill "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    daemons=()
}

node_is() { [ "$(sinfo --noheader --format=%t 2> /dev/null)" = "$1" ]; }

no_jobs() { [ -z "$(squeue --noheader 2> /dev/null)" ]; }

# wait_for SECONDS COMMAND...: until COMMAND succeeds; 1 if it does not within SECONDS.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}
