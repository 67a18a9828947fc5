#!/bin/bash
# How long the service is away when it is killed: the server alone, and both daemons; with many jobs queued, and with many running.
. "$(dirname -- "$0")/../lib.sh"

queued=$(size 100000 10000)
running=$(size 1000 100)

# A running job takes 1 to 2 MiB with its shim.
free_mib=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
[ "$free_mib" -gt $((running * 3 + 1024)) ] || running=$(((free_mib - 1024) / 3))

# killed NAME KEY [ARGUMENT…]: notes what bench_ready tells when called with these.
killed() {
  local name=$1 key=$2 line dead query submission pid old
  old=$(server_pid "$1")
  shift 2
  line=$("$bin/bench_ready" "$@" 2>>"$work/$name/jobd.err")
  read -r dead query submission pid <<<"$line"
  note "$key dead" "$dead"
  note "$key query" "$query"
  note "$key submission" "$submission"
  [ "$pid" = 0 ] || launcher[$name]=$pid
  await_server "$name" "$old"
}
kill_server() { killed "$1" "server $1" "$(server_pid "$1")"; }
kill_both() {
  killed "$1" "both $1" "${launcher[$1]}" "$(server_pid "$1")" \
    -- "$bin/jobd" --config "$work/$1/jobd.toml" --set server.listen="$JOBCTL_ADDRESS" --set log.level=error ${options[$1]}
}

declare -A options=([empty]= [queue]= [running]="--set limits.max_running=$running")
start empty
start queue
queue "$queued"
start running ${options[running]}
say "restart: starting $running jobs"
awk -v n="$running" 'BEGIN {while (n-- > 0) print "{\"argv\": [\"sleep\", \"infinity\"]}"}' >"$work/sleep.jsonl"
jobctl submit --priority urgent -f "$work/sleep.jsonl" >/dev/null
await_running "$running"
queue "$queued"

for ((round = 1; round <= rounds; ++round)); do
  say "restart: round $round"
  for name in empty queue running; do
    use $name
    kill_server $name
    kill_both $name
  done
done
use running
still=$(running_jobs)

row() {
  local goal=
  [ "${3:-}" = '' ] || goal=$(met 'ready in ≤ 1 s' "$(quantile "$1 submission" 0.5)" le 1)
  echo "| $2 | $(figure "$1 dead" %.2f) | $(figure "$1 query" %.2f) | $(figure "$1 submission" %.2f) | $goal |"
}
echo '## Restart'
echo
echo '| killed (SIGKILL), with | dead, s | first query answered, s | first submission taken, s | goal |'
echo '|---|---|---|---|---|'
row 'server empty' 'the server, nothing'
row 'server queue' "the server, $queued queued" goal
row 'server running' "the server, $running running and $queued queued" goal
row 'both empty' 'both, nothing'
row 'both queue' "both, $queued queued" goal
row 'both running' "both, $running running and $queued queued" goal
conditions "Seconds since the kill, the process' own end included; the launcher starts a killed server again by itself, a killed launcher is" \
  "started at once. After $((rounds * 2)) kills $still of $running jobs were still running."
