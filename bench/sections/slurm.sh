#!/bin/bash
# The same short jobs through Slurm on one node, with a controller and a node daemon of our own on loopback. Needs root.
. "$(dirname -- "$0")/../lib.sh"

for program in slurmctld slurmd sbatch srun; do
  has $program || { printf '## Slurm\n\n%s is not installed; not measured.\n\n' $program; exit 0; }
done
jobs=$(size 300 60)
few=$(size 40 12)  # where it starts two jobs in a second or three
node=$(hostname -s)

# A port that nobody listens on.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)) && (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

# slurm_up NAME CPUS [LINE…]: both daemons, with more lines of configuration; returns when the node takes jobs.
slurm_up() {
  local dir=$work/slurm-$1 cpus=$2
  shift 2
  mkdir -p "$dir/state" "$dir/spool"
  {
    cat <<CONF
ClusterName=bench
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/ctld.pid
SlurmdPidFile=$dir/d.pid
SlurmctldLogFile=$dir/ctld.log
SlurmdLogFile=$dir/d.log
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    printf '%s\n' "$@"
  } >"$dir/slurm.conf"
  export SLURM_CONF=$dir/slurm.conf
  slurmctld -D >/dev/null 2>&1 &
  controller=$!
  slurmd -D >/dev/null 2>&1 &
  agent=$!
  at_end=(slurm_down)
  for _ in $(seq 300); do [ "$(sinfo -h -o %t 2>/dev/null)" != idle ] || return 0; sleep 0.1; done
  say "slurm: the node does not come up: $(tail -3 "$dir"/*.log)"
  exit 1
}
# Both daemons, and what still attends to a job; known by its configuration, which lies in our folder. Without ceremony: slurmd
# may wait for its steps for ever, and nothing of theirs is kept.
slurm_down() {
  local pid
  kill -9 "$controller" "$agent" 2>/dev/null || true
  wait "$controller" "$agent" 2>/dev/null || true
  for pid in $(pgrep -x slurmstepd); do
    if grep -qza "^SLURM_CONF=$work/" "/proc/$pid/environ" 2>/dev/null; then kill -9 "$pid"; fi
  done
  at_end=()
}

# Each job says through a pipe that it was here; what Slurm does behind it is not waited for.
mkfifo "$work/done"
exec 9<>"$work/done"
printf '#!/bin/sh\ntrue\necho >%s/done\n' "$work" >"$work/job.sh"
slurm_jobs() {
  local left=$1
  sbatch --parsable -o /dev/null --array="1-$1" "$work/job.sh"
  while [ $((left--)) -gt 0 ]; do read -r -t 300 _ <&9; done
}
# timed KEY COUNT COMMAND…
timed() {
  local begin
  begin=$(now_us)
  "${@:3}" >/dev/null
  note "$1" "$(calc "$2 * 1e6 / ($(now_us) - $begin)" 1)"
}
laps() { while read -r wall _; do note "$1" "$wall"; done < <("$bin/bench_lap" 10 , "${@:2}" 2>/dev/null); }

start daemon --set limits.max_running=2
seq "$jobs" | sed 's/.*/{"shell": "true"}/' >"$work/jobs.jsonl"
# measure NAME COUNT CPUS [LINE…]
measure() {
  say "slurm: $1"
  slurm_up "$1" "${@:3}"
  srun true
  timed "rate $1" "$2" slurm_jobs "$2"
  laps "one $1" srun true
  slurm_down
}
at_once=(SchedulerType=sched/builtin PriorityType=priority/basic
  SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,default_queue_depth=10000,sched_interval=1)
measure plain "$few" 2
measure tuned "$few" 2 "${at_once[@]}"
measure wide "$jobs" 64 "${at_once[@]}"
timed 'rate jobd' "$jobs" jobctl submit --wait -f "$work/jobs.jsonl"
laps 'one jobd' "$bin/jobctl" run -- true

# row KEY WHAT LATENCY DOES
row() { echo "| $2 | $(figure "rate $1" %.1f) | $(quantiles "one $1" %.1f 0.5) (\`$3\`) | $4 |"; }
kept='state in files; no authentication here (auth/none), no isolation, no output kept'
echo '## Slurm, one node'
echo
echo '| jobs of `sh` and `true` | jobs/s | one job, whole program, p50 ms | does and does not |'
echo '|---|---|---|---|'
row jobd 'jobd standard, two wide' 'jobctl run' 'durable, TLS, isolated, output and exit codes kept'
row plain 'Slurm, two processors, as installed' srun "$kept; looks for what to start at most every 3 s"
row tuned 'Slurm, two processors, scheduling as often as it can' srun "$kept; looks every second"
row wide 'the same, told of 64 processors' srun "$kept; starts up to 64 each second"
echo
echo "Measured once: $jobs jobs, $few where two are started at a time. $(slurmctld -V); load $(cut -d' ' -f1-3 /proc/loadavg) at the end."
echo
