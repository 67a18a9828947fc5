#!/bin/bash
# The same short jobs through at(1), with an atd of our own: its spool and pid file are on mounts that only this process sees. Needs root.
if [ "$(id -u)" = 0 ] && [ -z "${BENCH_MOUNTS:-}" ]; then
  BENCH_MOUNTS=yes exec unshare -m --propagation private "$0"
fi
. "$(dirname -- "$0")/../lib.sh"

if ! has at || ! has atd || [ "$(id -u)" != 0 ]; then
  printf '## at\n\nat and atd are not installed, or this is not root; not measured.\n\n'
  exit 0
fi
jobs=$(size 500 50)
mount -t tmpfs none /run
for folder in atjobs atspool; do
  mount -t tmpfs -o mode=1770,uid="$(id -u daemon)",gid="$(id -g daemon)" none "/var/spool/cron/$folder"
done
install -o daemon -g daemon -m 600 /dev/null /var/spool/cron/atjobs/.SEQ
mkfifo "$work/done"
exec 9<>"$work/done"
atd -f &
at_end+=("kill $!")
until [ -s /run/atd.pid ]; do sleep 0.02; done

# Each job says through a pipe that it was here.
at_jobs() {
  local left=$jobs
  for _ in $(seq "$jobs"); do at now <<<"true; echo >$work/done" 2>/dev/null; done
  while [ $((left--)) -gt 0 ]; do read -r -t 60 _ <&9; done
}
timed() {
  local begin
  begin=$(now_us)
  "${@:2}" >/dev/null
  note "$1" "$(calc "$jobs * 1e6 / ($(now_us) - $begin)" 1)"
}
start daemon --set limits.max_running=2
seq "$jobs" | sed 's/.*/{"shell": "true; echo"}/' >"$work/jobs.jsonl"
say 'atd: measuring'
timed at at_jobs
timed jobd jobctl submit --wait -f "$work/jobs.jsonl"

echo '## at'
echo
echo "| $jobs jobs of \`sh\` | jobs/s | does and does not |"
echo '|---|---|---|'
echo "| jobd standard, 2 wide | $(figure jobd) | durable, isolated, output and exit codes kept |"
echo "| \`at now\` | $(figure at) | a file per job, not synchronised, here on tmpfs; a process of \`at\` each; no bound on how many run; output is mailed, no exit codes |"
echo
echo "Measured once. \`batch\` starts one job a minute by default, and is no match. Load $(cut -d' ' -f1-3 /proc/loadavg) at the end."
echo
