#!/bin/bash
# The same short jobs through Slurm on one node, with a controller and a node daemon of our own on loopback. Needs root.
. "$(dirname -- "$0")/../lib.sh"

for program in slurmctld slurmd sbatch srun; do
  has $program || { printf '## Slurm\n\n%s is not installed; not measured.\n\n' $program; exit 0; }
done
jobs=$(size 300 60)
node=$(hostname -s)

# A port that nobody listens on.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)) && (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

# slurm_up NAME [LINE…]: both daemons, with more lines of configuration; returns when the node takes jobs.
slurm_up() {
  local dir=$work/slurm-$1
  shift
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
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    printf '%s\n' "$@"
  } >"$dir/slurm.conf"
  export SLURM_CONF=$dir/slurm.conf
  slurmctld -D >/dev/null 2>&1 &
  controller=$!
  slurmd -D >/dev/null 2>&1 &
  agent=$!
  at_end=("kill $controller $agent")
  for _ in $(seq 300); do [ "$(sinfo -h -o %t 2>/dev/null)" != idle ] || return 0; sleep 0.1; done
  say "slurm: the node does not come up: $(tail -3 "$dir"/*.log)"
  exit 1
}
slurm_down() {
  kill "$controller" "$agent"
  wait "$controller" "$agent" 2>/dev/null || true
  at_end=()
}

# Each job says through a pipe that it was here; what Slurm does behind it is not waited for.
mkfifo "$work/done"
exec 9<>"$work/done"
printf '#!/bin/sh\ntrue\necho >%s/done\n' "$work" >"$work/job.sh"
slurm_jobs() {
  local left=$jobs
  sbatch --parsable -o /dev/null --array="1-$jobs" "$work/job.sh"
  while [ $((left--)) -gt 0 ]; do read -r -t 300 _ <&9; done
}
timed() {
  local begin
  begin=$(now_us)
  "${@:2}" >/dev/null
  note "$1" "$(calc "$jobs * 1e6 / ($(now_us) - $begin)" 1)"
}
laps() { while read -r wall _; do note "$1" "$wall"; done < <("$bin/bench_lap" 10 , "${@:2}" 2>/dev/null); }

start daemon --set limits.max_running=2
seq "$jobs" | sed 's/.*/{"shell": "true"}/' >"$work/jobs.jsonl"
measure() {
  slurm_up "$@"
  srun true
  timed "rate $1" slurm_jobs
  laps "one $1" srun true
  slurm_down
}
say 'slurm: as installed'
measure plain
say 'slurm: tuned'
measure tuned 'SchedulerType=sched/builtin' 'SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,default_queue_depth=10000,sched_interval=1' 'PriorityType=priority/basic'
timed 'rate jobd' jobctl submit --wait -f "$work/jobs.jsonl"
laps 'one jobd' "$bin/jobctl" run -- true

echo '## Slurm, one node'
echo
echo "| $jobs jobs of \`sh\` and \`true\`, two wide | jobs/s | one job, whole program, p50 ms | does and does not |"
echo '|---|---|---|---|'
echo "| jobd standard | $(figure 'rate jobd') | $(quantile 'one jobd' 0.5) (\`jobctl run\`) | durable, TLS, isolated, output kept |"
echo "| Slurm, schedule as installed | $(figure 'rate plain') | $(quantile 'one plain' 0.5) (\`srun\`) | state in files; no authentication here (auth/none), no isolation, no output kept |"
echo "| Slurm, scheduling at once | $(figure 'rate tuned') | $(quantile 'one tuned' 0.5) (\`srun\`) | likewise |"
echo
echo "Measured once. $(slurmctld -V); load $(cut -d' ' -f1-3 /proc/loadavg) at the end."
echo
