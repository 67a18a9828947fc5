#!/bin/bash
# What jobd takes when it does nothing, and for each job that waits, runs or has ended: memory, and how often it wakes up.
. "$(dirname -- "$0")/../lib.sh"

queued=$(size 100000 20000)
finished=$(size 1000000 100000)
sleepers=$(size 200 50)
watch=$(size 30 5)

# per A B COUNT: KiB each, of the growth from A to B.
per() { calc "($2 - $1) / $3" 3; }
server_kib() { private_kib "$(server_pid "$1")"; }

# ---- at rest ----
start idle --set limits.max_running="$sleepers"
jobctl run -- true
sleep 1  # for what the first job set in motion
idle_server=$(server_kib idle)
idle_launcher=$(private_kib "${launcher[idle]}")

# rate PID: context switches a second while nobody calls.
count() { local sum=0 pid; for pid in "$@"; do sum=$((sum + $(switches "$pid"))); done; echo "$sum"; }
watch_idle() {
  local running before=() after=() all
  running=$(shims idle)
  before=("$(count "${launcher[idle]}")" "$(count "$(server_pid idle)")" "$(count $running)" "$(running_ns "${launcher[idle]}" "$(server_pid idle)")")
  sleep "$watch"
  after=("$(count "${launcher[idle]}")" "$(count "$(server_pid idle)")" "$(count $running)" "$(running_ns "${launcher[idle]}" "$(server_pid idle)")")
  for i in 0 1 2; do all[i]=$(calc "(${after[i]} - ${before[i]}) / $watch"); done
  all[3]=$(calc "(${after[3]} - ${before[3]}) / $watch / 1e6" 3)
  echo "${all[*]}"
}
say "memory: idle for $watch s"
read -r empty_launcher empty_server _ empty_cpu <<<"$(watch_idle)"

# ---- running ----
awk -v n="$sleepers" 'BEGIN {while (n-- > 0) print "{\"argv\": [\"sleep\", \"infinity\"]}"}' >"$work/sleep.jsonl"
jobctl submit -f "$work/sleep.jsonl" >/dev/null
await_running "$sleepers"
sleep 1
shim_kib=$(calc "$(private_kib $(shims idle)) / $sleepers" 1)
running_server=$(server_kib idle)
say "memory: $sleepers running for $watch s"
read -r busy_launcher busy_server busy_shims busy_cpu <<<"$(watch_idle)"
stop idle

# ---- queued ----
start queue --set limits.max_running=1
jobctl run -- true
before=$(server_kib queue)
queue "$queued"
sleep 1
after=$(server_kib queue)
stop queue

# ---- finished ----
# Ended by cancelling, not run: what the server keeps of a job is the same.
start finished
jobctl run -- true
begin_kib=$(server_kib finished)
say "memory: $finished jobs that end"
part=$((finished / 10))
awk -v n=$part 'BEGIN {while (n-- > 0) print "{\"argv\": [\"true\"]}"}' >"$work/finish.jsonl"
for ((batch = 1; batch <= 10; ++batch)); do
  jobctl cancel "$(jobctl submit --hold -f "$work/finish.jsonl")" >/dev/null
  [ $batch != 5 ] || { sleep 1; half_kib=$(server_kib finished); }
done
sleep 1
end_kib=$(server_kib finished)
disk=$(du -sk "$work/finished/state" | cut -f1)
old=$(server_pid finished)
"$bin/bench_ready" "$old" >/dev/null
await_server finished "$old"
anew_kib=$(server_kib finished)
stop finished

mib() { calc "$1 / 1024" 1; }
echo '## Memory'
echo
echo '| private memory (`Private_*` of `smaps_rollup`) | figure | goal |'
echo '|---|---|---|'
echo "| server, idle | $(mib "$idle_server") MiB | $(met '≤ 40 MB' "$(calc "$idle_server * 1024 / 1e6" 1)" le 40) |"
echo "| launcher, idle | $(mib "$idle_launcher") MiB | |"
echo "| shim of a job that sleeps, of $sleepers | $shim_kib KiB | $(met '≤ 40 KiB' "$shim_kib" le 40) |"
echo "| server, per running job | $(per "$idle_server" "$running_server" "$sleepers") KiB | |"
echo "| server, per queued job, of $queued | $(per "$before" "$after" "$queued") KiB | $(met '≤ 1 KiB' "$(per "$before" "$after" "$queued")" le 1) |"
echo "| server, when $((part * 5)) jobs have ended, more than before | $(mib $((half_kib - begin_kib))) MiB | |"
echo "| server, when $finished have, more than then | $(mib $((end_kib - half_kib))) MiB | $(met 'none (within 2 MiB)' "$(mib $((end_kib - half_kib)))" le 2) |"
echo "| server, started again with them, more than before | $(mib "$((anew_kib - begin_kib))") MiB | $(met 'none (within 2 MiB)' "$(mib $((anew_kib - begin_kib)))" le 2) |"
echo "| database, per finished job | $(calc "$disk * 1024 / $finished" 0) bytes on disk | |"
echo
echo '### At rest'
echo
echo '| context switches a second | launcher | server | shims | goal |'
echo '|---|---|---|---|---|'
idle_goals() { echo "launcher and shims $(met 0 "$(calc "$1 + $3")" le 0.05); server $(met '< 1' "$2" le 0.99)"; }
echo "| nothing runs | $empty_launcher | $empty_server | | $(idle_goals "$empty_launcher" "$empty_server" 0) |"
echo "| $sleepers jobs that sleep | $busy_launcher | $busy_server | $busy_shims | $(idle_goals "$busy_launcher" "$busy_server" "$busy_shims") |"
echo
echo "Counted over $watch s, all threads, voluntary and not. Processor time of both daemons: $empty_cpu ms a second with nothing running," \
  "$busy_cpu with the sleepers. The jobs that ended were held and cancelled, in ten batches, not run; what the" \
  "allocator keeps of a large batch is in the first figure after them. Measured once; load" \
  "$(cut -d' ' -f1-3 /proc/loadavg) at the end."
echo
